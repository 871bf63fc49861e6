"""A man in the middle of a TCP connection, below any protocol: passes bytes on, or does what a bad network does."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from types import TracebackType
from typing import Any, Final, Self

from sandbox.frames import Frames

PATIENCE: Final = 10.0
"""Seconds that the proxy's own thread is given for anything it is told."""
AT_ONCE: Final = 65536
_LINGER_0: Final = struct.pack("ii", 1, 0)
"""Close with a reset, and drop what was not sent (socket(7), SO_LINGER)."""

CLOSE_FRAME: Final = b"\x88\x02\x03\xe8"
"""A websocket server's "I close, all is well" (RFC 6455, sections 5.5.1 and 7.4.1: status 1000)."""


class TcpProxy:
    """Listens on `port` of loopback and passes on to `target`, from a thread of its own. Use as a context manager.

    `delay`: seconds that what the client sends takes on its way; may be set at any time, order is kept.
    """

    def __init__(self, target: int) -> None:
        self.port = 0
        self.accepted = 0
        """Connections that clients have opened so far, refused ones not counted."""
        self.accepted_at = 0.0
        """When the last of them was opened, in seconds since the epoch."""
        self.delay = 0.0
        self._refusing = False
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tcp-proxy", daemon=True)
        self._server: asyncio.Server | None = None
        self._lines: set[_Line] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._cut: _Cut | None = None
        self.flowing = asyncio.Event()
        self.flowing.set()

    @property
    def open(self) -> int:
        """Connections that are open now."""
        return len(self._lines)

    # --- What a network does ------------------------------------------------------------------------------

    def reset(self) -> int:
        """Resets every connection, towards both sides. How many there were."""
        return self._ask(self._drop(_Line.reset))

    def close(self, farewell: bytes = b"") -> int:
        """Ends every connection in an orderly way, after sending the client `farewell`. How many there were."""
        return self._ask(self._drop(lambda line: line.close(farewell)))

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """While this lasts, nothing is passed on, either way, not even an end; connections are still accepted.

        Afterwards what was held back goes its way. Connections that were made meanwhile are reset: on a network
        that loses everything they would not have been made.
        """
        self._ask(self._freeze())
        try:
            yield
        finally:
            self._ask(self._thaw())

    @contextlib.contextmanager
    def down(self) -> Iterator[None]:
        """Resets every connection, and as long as this lasts each new one at once."""
        self.refuse()
        self.reset()
        try:
            yield
        finally:
            self._refusing = False

    def cut(self, request: str, answer: str = "", *, stays_down: bool = False) -> Callable[[], bool]:
        """Resets a connection once a message of the client's that holds `request` has been passed on. Nothing that
        the other side sends from then on reaches the client. With `answer`, the connection is cut only when the
        other side has sent that: what was asked has been carried out, and the client cannot know.

        Comes back at once. What it returns says whether the cut has been made. With `stays_down` each new
        connection is reset from then on, until the end of a `down` that is begun after it.
        """
        cut = _Cut(request.encode(), answer.encode(), stays_down)
        self._cut = cut
        return lambda: cut.done

    # --- In its own thread --------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self._thread.start()
        self._ask(self._start())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ask(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()

    def _ask(self, work: Coroutine[Any, Any, int]) -> int:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    async def _start(self) -> int:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self.port

    async def _stop(self) -> int:
        if self._server is not None:
            self._server.close()
        count = await self._drop(_Line.reset)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        return count

    async def _drop(self, how: Callable[[_Line], None]) -> int:
        lines = tuple(self._lines)
        for line in lines:
            how(line)
        return len(lines)

    async def _freeze(self) -> int:
        self.flowing.clear()
        return len(self._lines)

    async def _thaw(self) -> int:
        for line in tuple(self._lines):
            if line.server is None:
                line.reset()
        self.flowing.set()
        return len(self._lines)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = _Line(self, reader, writer)
        if self._refusing:
            line.reset()
            return
        self.accepted += 1
        self.accepted_at = time.time()
        self._lines.add(line)
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await line.live(self._target)
        except OSError:
            line.reset()
        finally:
            self._lines.discard(line)
            self._tasks.discard(task)

    def refuse(self) -> None:
        """Reset each new connection at once."""
        self._refusing = True

    def about_to_cut(self) -> _Cut | None:
        """The cut that somebody waits for, if any."""
        return self._cut if self._cut is not None and not self._cut.done else None


class _Cut:
    def __init__(self, request: bytes, answer: bytes, stays_down: bool) -> None:
        self.request = request
        self.answer = answer
        self.stays_down = stays_down
        self.line: _Line | None = None
        """The connection over which the request went."""
        self.done = False


class _Line:
    """One client's connection and ours to the target."""

    def __init__(self, proxy: TcpProxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._proxy = proxy
        self._reader = reader
        self.client = writer
        self.server: asyncio.StreamWriter | None = None
        self._gone = asyncio.Event()
        self._sent = Frames()

    async def live(self, target: int) -> None:
        """Passes bytes on until both sides are done or it is reset."""
        await self._either(self._proxy.flowing.wait())
        if self._gone.is_set():
            return
        from_server, self.server = await asyncio.open_connection("127.0.0.1", target)
        up = asyncio.create_task(self._upwards(self.server))
        down = asyncio.create_task(self._downwards(from_server))
        try:
            await self._either(asyncio.gather(up, down, return_exceptions=True))
        finally:
            for task in (up, down):
                task.cancel()
            for writer in (self.client, self.server):
                writer.close()
            await asyncio.gather(up, down, return_exceptions=True)

    async def _either(self, work: Any) -> None:
        """Wait for that, or for the end of this connection."""
        waits = [asyncio.ensure_future(work), asyncio.ensure_future(self._gone.wait())]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)

    # --- The two ways -------------------------------------------------------------------------------------

    async def _upwards(self, server: asyncio.StreamWriter) -> None:
        """From the client. What is under way for a while is kept in order."""
        loop = asyncio.get_running_loop()
        late: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        passing = asyncio.create_task(self._pass_late(late, server))
        try:
            while data := await self._reader.read(AT_ONCE):
                late.put_nowait((loop.time() + self._proxy.delay, data))
            late.put_nowait((loop.time() + self._proxy.delay, b""))
            await passing
        finally:
            passing.cancel()
            await asyncio.gather(passing, return_exceptions=True)

    async def _pass_late(self, late: asyncio.Queue[tuple[float, bytes]], server: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due, data = await late.get()
            await asyncio.sleep(max(0.0, due - loop.time()))
            await self._proxy.flowing.wait()
            if not data:
                server.write_eof()
                return
            server.write(data)
            await server.drain()
            self._look_for_cut(data)

    async def _downwards(self, from_server: asyncio.StreamReader) -> None:
        while data := await from_server.read(AT_ONCE):
            await self._proxy.flowing.wait()
            cut = self._proxy.about_to_cut()
            if cut is not None and cut.line is self:
                if cut.answer in data:
                    self._make(cut)
                continue
            self.client.write(data)
            await self.client.drain()
        await self._proxy.flowing.wait()
        self.client.write_eof()

    def _look_for_cut(self, data: bytes) -> None:
        cut = self._proxy.about_to_cut()
        messages = self._sent.add(data)
        if cut is None or cut.line is not None or not any(cut.request in message for message in messages):
            return
        cut.line = self
        if not cut.answer:
            self._make(cut)

    def _make(self, cut: _Cut) -> None:
        cut.done = True
        if cut.stays_down:
            self._proxy.refuse()
        self.reset()

    # --- Its end ------------------------------------------------------------------------------------------

    def reset(self) -> None:
        """End it with a reset in both directions."""
        for writer in (self.client, self.server):
            if writer is not None and (handle := writer.get_extra_info("socket")).fileno() >= 0:
                handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_0)
                writer.transport.abort()
        self._gone.set()

    def close(self, farewell: bytes) -> None:
        """End it in an orderly way."""
        if farewell:
            self.client.write(farewell)
        self._gone.set()
