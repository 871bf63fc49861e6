"""The listener: `/health/live`, `/health/ready` and `/metrics` over HTTP, for clients that nobody trusts.

A client costs next to nothing: few are let in at once, each has one question and five seconds from its connection
on to be gone, nothing of a request is read but its first line and headers, and metrics are made once a second at
most, in a thread. There is no password: where it listens is who may ask.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Final, cast

from aiohttp import web

from router.health.signs import Verdict
from router.log import fact
from router.model import Health

log: Final = logging.getLogger("router.health")

PATIENCE: Final = 5.0
"""Seconds from a client's connection until it is cut, whatever it does."""
MOST_CLIENTS: Final = 16
"""At once; the next one is turned away."""
FRESH: Final = 1.0
"""Seconds for which metrics are told again as they are."""
LONGEST_LINE: Final = 2048
"""Bytes of the first line of a request, and of each header."""
MOST_HEADERS: Final = 64
LONGEST_REQUEST: Final = 16 * 1024
"""Bytes that a client may send in all."""
JSON: Final = "application/json"

_quiet: Final = logging.Logger("router.health.http", level=logging.CRITICAL + 1)
"""For aiohttp's words on what clients send: they would fill the journal."""


class HealthServer:
    """Answers at one address. Where it cannot, that is logged, and the router runs on without it."""

    def __init__(
        self,
        *,
        lag: Callable[[], float],
        heartbeat: Callable[[], float | None] = lambda: None,
        verdict: Callable[[], Verdict],
        metrics: Callable[[], Awaitable[tuple[str, bytes]]],
    ) -> None:
        """`metrics`: their content type and text, made anew by each call."""
        self._lag = lag
        self._heartbeat = heartbeat
        self._verdict = verdict
        self._make_metrics = metrics
        self._pages: dict[str, Callable[[], Awaitable[web.Response]]] = {
            "/health/live": self._live,
            "/health/ready": self._ready,
            "/metrics": self._metrics,
        }
        self._server: web.Server | None = None
        self._clients: set[_Client] = set()
        self._listener: asyncio.Server | None = None
        self._making = asyncio.Lock()
        self._made: tuple[str, bytes] = ("", b"")
        self._made_at = float("-inf")

    @property
    def address(self) -> tuple[str, int] | None:
        """Where it listens; None where it does not."""
        if self._listener is None or not self._listener.sockets:
            return None
        host, port = self._listener.sockets[0].getsockname()[:2]
        return str(host), int(port)

    @property
    def clients(self) -> int:
        return len(self._clients)

    async def start(self, where: Health) -> bool:
        """Listen; False where that is not possible."""
        server = web.Server(
            self._answer,
            logger=_quiet,
            access_log=None,
            tcp_keepalive=False,
            lingering_time=0.0,
            max_line_size=LONGEST_LINE,
            max_field_size=LONGEST_LINE,
            max_headers=MOST_HEADERS,
            read_bufsize=4096,
            auto_decompress=False,
        )
        loop = asyncio.get_running_loop()
        try:
            self._listener = await loop.create_server(
                lambda: self._admit(server), where.host, where.port, backlog=MOST_CLIENTS
            )
        except OSError as error:
            why = error.strerror or str(error)
            log.warning(fact(event="no_health", listen=f"{where.host}:{where.port}", why=why))
            return False
        self._server = server
        return True

    async def close(self) -> None:
        """Answer nobody any more."""
        listener, server = self._listener, self._server
        self._listener = self._server = None
        if listener is not None and server is not None:
            listener.close()
            for client in tuple(self._clients):
                client.cut()
            await server.shutdown(0.5)

    def _admit(self, server: web.Server) -> asyncio.Protocol:
        """For one more connection."""
        if len(self._clients) >= MOST_CLIENTS:
            return _TurnedAway()
        return _Client(server(), self._clients)

    # --- Pages --------------------------------------------------------------------------------------------

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        page = self._pages.get(request.path)
        if page is None:
            response = web.Response(status=404, text="/health/live, /health/ready, /metrics\n")
        elif request.method not in ("GET", "HEAD"):
            response = web.Response(status=405, headers={"Allow": "GET, HEAD"})
        else:
            try:
                response = await page()
            except Exception as error:
                # A mistake of ours in here is not to end the router.
                log.error(fact(event="internal_error", about="health", error=type(error).__name__))
                log.debug("", exc_info=error)
                response = web.Response(status=500, text="internal error, see the router's log\n")
        response.headers["Cache-Control"] = "no-store"
        response.headers["Server"] = "callrouter"
        response.force_close()
        return response

    async def _live(self) -> web.Response:
        age = self._heartbeat()
        heartbeat = None if age is None else round(age, 3)
        return _json({"live": True, "lag_seconds": round(self._lag(), 3), "heartbeat_seconds": heartbeat})

    async def _ready(self) -> web.Response:
        verdict = self._verdict()
        told = {
            "ready": verdict.ready,
            "reasons": [asdict(note) for note in verdict.reasons],
            "degraded": [asdict(note) for note in verdict.degraded],
        }
        return _json(told, 200 if verdict.ready else 503)

    async def _metrics(self) -> web.Response:
        async with self._making:
            if time.monotonic() - self._made_at >= FRESH:
                self._made = await self._make_metrics()
                self._made_at = time.monotonic()
        kind, text = self._made
        return web.Response(body=text, headers={"Content-Type": kind})


def _json(told: dict[str, object], status: int = 200) -> web.Response:
    return web.Response(status=status, text=json.dumps(told, ensure_ascii=True) + "\n", content_type=JSON)


class _Client(asyncio.Protocol):
    """One connection on its way to aiohttp: cut when it says more than a question, or stays longer than an answer
    takes. What came before the cut is dropped at once; aiohttp's own refusals keep all of it until the garbage is
    collected."""

    def __init__(self, handler: web.RequestHandler, admitted: set[_Client]) -> None:
        self._handler = handler
        self._admitted = admitted
        self._left = LONGEST_REQUEST
        self._transport: asyncio.Transport | None = None
        self._end: asyncio.TimerHandle | None = None
        admitted.add(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # by its kind, though uvloop's is of another class
        self._end = asyncio.get_running_loop().call_later(PATIENCE, self.cut)
        self._handler.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        self._left -= len(data)
        if self._left < 0:
            self.cut()
        else:
            self._handler.data_received(data)

    def eof_received(self) -> None:
        self._handler.eof_received()

    def pause_writing(self) -> None:
        self._handler.pause_writing()

    def resume_writing(self) -> None:
        self._handler.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._admitted.discard(self)
        if self._end is not None:
            self._end.cancel()
        self._handler.connection_lost(exc)

    def cut(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class _TurnedAway(asyncio.Protocol):
    """There are enough: nothing is read, and nothing said."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.Transport, transport).abort()
