"""A man between the router and Asterisk: passes on what they say, changed as a test wishes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp import WSMsgType, web

from sandbox.errors import SandboxError

PATIENCE = 10.0
"""Seconds that the proxy's own thread is given."""


def unchanged(frame: str) -> list[str]:
    return [frame]


class AriProxy:
    """`url` is what campaigns.yaml names instead of Asterisk's own. It has a thread and an event loop of its own.

    `alter` is asked about every frame that Asterisk sends, and returns those that the router gets in its place; it
    runs in the proxy's thread and may be replaced at any time. `inject` sends the router a frame of the test's.
    """

    def __init__(self, asterisk: int) -> None:
        self.alter: Callable[[str], list[str]] = unchanged
        self.port = 0
        self._target = f"http://127.0.0.1:{asterisk}"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="ari-proxy", daemon=True)
        self._routers: set[web.WebSocketResponse] = set()
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/ari"

    @property
    def connections(self) -> int:
        """Websockets that are open towards the router."""
        return len(self._routers)

    def inject(self, *frames: str) -> None:
        """Send these to the router, and come back when they are on their way. Raises SandboxError when no router is
        connected."""
        if not self._routers:
            raise SandboxError("no router is connected to the proxy")
        self._run(self._send(frames))

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self._start())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()

    # --- In its own thread --------------------------------------------------------------------------------

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    async def _start(self) -> None:
        # No connection outlives its request: what is left of descriptors after a test is then the router's doing.
        self._session = aiohttp.ClientSession(
            auto_decompress=False, connector=aiohttp.TCPConnector(force_close=True)
        )
        app = web.Application(client_max_size=2**24)
        app.router.add_get("/ari/events", self._websocket)
        app.router.add_route("*", "/ari/{path:.*}", self._http)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]

    async def _stop(self) -> None:
        for router in tuple(self._routers):
            await router.close()
        if self._runner is not None:
            await self._runner.cleanup()
        if self._session is not None:
            await self._session.close()

    async def _send(self, frames: tuple[str, ...]) -> None:
        for frame in frames:
            for router in self._routers:
                await router.send_str(frame)

    async def _websocket(self, request: web.Request) -> web.WebSocketResponse:
        assert self._session is not None
        async with self._session.ws_connect(
            f"{self._target}{request.raw_path}",
            headers={"Authorization": request.headers.get("Authorization", "")},
            max_msg_size=0,
        ) as asterisk:
            router = web.WebSocketResponse(max_msg_size=0)
            await router.prepare(request)
            self._routers.add(router)
            try:
                requests = asyncio.create_task(self._requests(router, asterisk))
                await self._events(asterisk, router)
                requests.cancel()
                await asyncio.gather(requests, return_exceptions=True)
            finally:
                self._routers.discard(router)
                await router.close()
        return router

    async def _events(self, asterisk: aiohttp.ClientWebSocketResponse, router: web.WebSocketResponse) -> None:
        async for message in asterisk:
            if message.type is WSMsgType.TEXT:
                for frame in self.alter(message.data):
                    await router.send_str(frame)

    async def _requests(self, router: web.WebSocketResponse, asterisk: aiohttp.ClientWebSocketResponse) -> None:
        async for message in router:
            if message.type is WSMsgType.TEXT:
                await asterisk.send_str(message.data)
        await asterisk.close()

    async def _http(self, request: web.Request) -> web.Response:
        assert self._session is not None
        kept = {
            name: request.headers[name] for name in ("Authorization", "Content-Type") if name in request.headers
        }
        async with self._session.request(
            request.method, f"{self._target}{request.raw_path}", headers=kept, data=await request.read()
        ) as answer:
            body = await answer.read()
            passed = web.Response(status=answer.status, body=body, content_type="application/json")
            passed.force_close()
            return passed
