"""The REST requests under way: sent over the websocket or HTTP, answered, expired or lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final, TypeVar, cast

from router.ari import wire
from router.ari.lanes import Lanes
from router.ari.rest import Refused, Request, relative_uri
from router.ari.websocket import Socket
from router.errors import AriDisconnected, AriError, AriTimeout

T = TypeVar("T")

#: Seconds within which an answer is expected.
DEADLINE: Final = 10.0

#: Requests without an answer, beyond which new ones are refused: Asterisk has long stopped working then.
OUTSTANDING: Final = 5000

#: Largest body that travels over the websocket, in bytes: Asterisk closes it at 120 kB, and takes 60 kB.
LARGEST_BODY: Final = 32_000


class Requests:
    """What was asked of Asterisk and not answered yet.

    `submit` and `ask` return at once and never raise: the future has the result or the typed error, and an error
    that nobody looks at is not logged. Requests of one lane are carried out in order. On the websocket all of them
    are sent at once (Asterisk answers in order); over HTTP each lane is a chain. `slow` ones (lists, recordings) go
    over HTTP beside the others of their lane, because on the websocket everything behind them would wait.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._socket: Socket | None = None
        self._lanes: Lanes | None = None
        self._pending: dict[str, Request] = {}
        self._count = 0
        self.over_socket = True
        """Whether requests that are not slow go over the websocket."""

    # --- Asking -------------------------------------------------------------------------------------------

    def submit(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
        *,
        lane: str,
        deadline: float = DEADLINE,
        slow: bool = False,
    ) -> asyncio.Future[None]:
        """Send a request whose answer's body does not matter. `path` is relative to ARI's root; ids in it must have
        come through `rest.segment`. `deadline` is in seconds."""
        future: asyncio.Future[None] = self._loop.create_future()
        plain = cast("asyncio.Future[object]", future)
        self._send(plain, method, path, query, body, lane, deadline, slow, None, None)
        return future

    def ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
        *,
        read: Callable[[object], T],
        lane: str,
        deadline: float = DEADLINE,
        slow: bool = False,
        refused: Refused | None = None,
    ) -> asyncio.Future[T]:
        """As `submit`, for an answer that `read` makes a value of (it raises fields.Malformed when it cannot).
        `refused` is given the future and the error; what it returns is the future's error, and when that is None it
        sees to the future itself."""
        future: asyncio.Future[T] = self._loop.create_future()
        plain = cast("asyncio.Future[object]", future)
        self._send(plain, method, path, query, body, lane, deadline, slow, read, refused)
        return future

    @property
    def pending(self) -> int:
        """How many have no answer yet."""
        return len(self._pending)

    @property
    def oldest(self) -> float:
        """Seconds since the oldest of them was sent."""
        now = self._loop.time()
        return now - min((request.sent for request in self._pending.values()), default=now)

    def _send(
        self,
        future: asyncio.Future[object],
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: Mapping[str, object] | None,
        lane: str,
        deadline: float,
        slow: bool,
        read: Callable[[object], object] | None,
        refused: Refused | None,
    ) -> None:
        self._count += 1
        now = self._loop.time()
        content = wire.json_body(body) if body is not None else None
        request = Request(
            str(self._count),
            method,
            relative_uri(path, query),
            content,
            lane=lane,
            sent=now,
            expires=now + deadline,
            future=future,
            read=read,
            refused=refused,
        )
        if self._socket is None or self._lanes is None:
            request.fail(AriDisconnected(f"{request.label}: no link to Asterisk"))
            return
        if len(self._pending) >= OUTSTANDING:
            request.fail(AriError(f"{request.label}: {OUTSTANDING} requests have no answer yet"))
            return
        self._pending[request.id] = request
        if self.over_socket and not slow and (content is None or len(content) <= LARGEST_BODY):
            self._socket.send(wire.encode(request.id, method, request.uri, content))
        else:
            self._lanes.send(request)

    # --- The connection -----------------------------------------------------------------------------------

    def connected(self, socket: Socket, lanes: Lanes) -> None:
        """From now on requests can be sent."""
        self._socket = socket
        self._lanes = lanes

    def disconnected(self) -> None:
        """The connection is gone: every request without an answer is lost, and so are new ones."""
        self._socket = self._lanes = None
        lost = tuple(self._pending.values())
        self._pending.clear()
        for request in lost:
            request.fail(AriDisconnected(f"{request.label}: the link broke before the answer"))

    def carried(self, request: Request) -> None:
        """A request over HTTP needs no more care."""
        self._pending.pop(request.id, None)

    def answered(self, response: wire.Response) -> bool:
        """The answer to a request over the websocket; False when nobody waits for it (any more)."""
        request = self._pending.pop(response.request, None)
        if request is None:
            return False
        request.answered(response.status, response.body)
        return True

    def expire(self, now: float) -> None:
        """Fail the requests whose deadline has passed. One sweep serves all: a timer each would cost more."""
        late = [request for request in self._pending.values() if request.expires <= now]
        for request in late:
            del self._pending[request.id]
            request.fail(AriTimeout(f"{request.label}: no answer in time"))
