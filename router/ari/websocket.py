"""The websocket to Asterisk: frames out without waiting, messages in, and whether the other side is alive."""

from __future__ import annotations

import asyncio
import os
import socket
from collections import deque
from typing import Final

import aiohttp
from aiohttp import WSMsgType

#: Largest message that the connection survives, in bytes; router.ari.wire reads less.
LARGEST_MESSAGE: Final = 16 * 1024 * 1024

#: Seconds that Asterisk is given to answer our closing frame.
CLOSING: Final = 0.5


class Closed(Exception):
    """The websocket has ended; the text says how."""


class Socket:
    """One websocket, from its opening to its end."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self._ws = ws
        self._queue: deque[tuple[bytes, WSMsgType]] = deque()
        self._wake = asyncio.Event()
        # One task for all frames: one task a frame costs more, and would not keep their order on a full socket.
        self._writer = asyncio.get_running_loop().create_task(self._write())
        self.silent = 0
        """Ticks since anything was heard: the link counts it up, whatever comes in sets it back."""

    def send(self, frame: bytes) -> None:
        """Send one text frame, after those sent before. Never waits; a broken socket is `receive`'s to tell."""
        self._queue.append((frame, WSMsgType.TEXT))
        self._wake.set()

    def ping(self) -> None:
        """Ask Asterisk for a sign of life."""
        self._queue.append((b"", WSMsgType.PING))
        self._wake.set()

    async def receive(self) -> str | bytes:
        """The next message. Raises Closed at the end."""
        while True:
            message = await self._ws.receive()
            self.silent = 0
            match message.type:
                case WSMsgType.TEXT | WSMsgType.BINARY:
                    data: str | bytes = message.data
                    return data
                case WSMsgType.PING:
                    self._queue.append((message.data, WSMsgType.PONG))
                    self._wake.set()
                case WSMsgType.PONG:
                    pass
                case WSMsgType.ERROR:
                    raise Closed(f"websocket error: {type(message.data).__name__}")
                case _:
                    code = self._ws.close_code
                    raise Closed(f"closed by Asterisk (code {code})" if code else "connection lost")

    async def close(self, *, orderly: bool) -> None:
        """End it; with `orderly` false at once, whether or not the other side still listens."""
        self._writer.cancel()
        await asyncio.gather(self._writer, return_exceptions=True)
        if not orderly:
            self._shut_down()
        await self._ws.close()

    async def _write(self) -> None:
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._queue:
                    frame, kind = self._queue.popleft()
                    await self._ws.send_frame(frame, kind)
        except (aiohttp.ClientError, ConnectionError):
            return

    def _shut_down(self) -> None:
        """Make the kernel let go. A transport with unsent bytes would otherwise wait for a peer that may be gone.

        Through a duplicate descriptor: the event loops do not hand out a socket that can be shut down.
        """
        handle = self._ws.get_extra_info("socket")
        if handle is None or handle.fileno() < 0:
            return
        try:
            with socket.socket(fileno=os.dup(handle.fileno())) as duplicate:
                duplicate.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # It was gone already.
