"""An ARI made of nothing: websocket and REST as Asterisk shows them, doing what a test asks."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import WSMsgType, web

USER = "callrouter"
PASSWORD = "s3cret-pässword"

Answer = tuple[int, object]
"""HTTP status and body."""

INFO = {"system": {"version": "22.10.1"}, "status": {"startup_time": "2026-11-22T02:05:17.440+0000"}}


class FakeAsterisk:
    """`answers` maps (method, path) to an Answer; what is not in it is answered 204. Attributes may be changed
    while it runs."""

    def __init__(self) -> None:
        self.port = 0
        self.rest_over_websocket = True
        self.has_filters = True
        self.refuse_with = 0
        """HTTP status for every websocket that is asked for; 0 lets them in."""
        self.opens = asyncio.Event()
        """Until it is set, a websocket that is asked for does not open."""
        self.opens.set()
        self.asked_to_open = 0
        self.mute = False
        """Neither answer a request, nor a ping."""
        self.answers: dict[tuple[str, str], Answer] = {("GET", "asterisk/info"): (200, INFO)}
        self.hold: Callable[[str, str], bool] = lambda _method, _path: False
        """Which requests are kept until `release`."""
        self.greeting: list[dict[str, Any]] = []
        """Events sent the moment a websocket opens."""
        self.requests: list[tuple[str, str, str, Any]] = []
        """(`ws` or `http`, method, uri with its query, body) in order of arrival."""
        self.opened = 0
        self.refused = 0
        self.pings = 0
        self.pongs = 0
        self.at_once = 0
        self.most_at_once = 0
        self._sockets: dict[web.WebSocketResponse, asyncio.Transport] = {}
        self._http_connections: set[asyncio.Transport] = set()
        self._released = asyncio.Event()
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/ari"

    @property
    def connected(self) -> bool:
        return bool(self._sockets)

    def asked(self, transport: str = "") -> list[tuple[str, str]]:
        """(method, path) of what came in, without what the link asks by itself."""
        own = ("asterisk/info", "eventFilter")
        return [
            (method, uri.partition("?")[0])
            for kind, method, uri, _body in self.requests
            if transport in ("", kind) and not any(word in uri for word in own)
        ]

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/ari/events", self._websocket)
        app.router.add_route("*", r"/ari/{path:[\s\S]*}", self._http)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        assert self._runner.addresses
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        self.release()
        await self.drop()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def send(self, *events: dict[str, Any]) -> None:
        for event in events:
            await self.send_raw(json.dumps(event))

    async def send_raw(self, text: str) -> None:
        for ws in self._sockets:
            await ws.send_str(text)

    async def ping(self) -> None:
        for ws in self._sockets:
            await ws.ping(b"still there?")

    async def drop(self) -> None:
        """Cut every websocket, without a word."""
        for transport in tuple(self._sockets.values()):
            transport.abort()

    def cut_http(self) -> None:
        """Cut the connections of the HTTP requests that are held."""
        for transport in tuple(self._http_connections):
            transport.abort()

    async def close(self) -> None:
        """Close every websocket as the protocol has it."""
        for ws in tuple(self._sockets):
            await ws.close()

    def release(self) -> None:
        """Answer what was held, and hold no more."""
        self.hold = lambda _method, _path: False
        self._released.set()
        self._released = asyncio.Event()

    async def _websocket(self, request: web.Request) -> web.StreamResponse:
        if self.refuse_with:
            self.refused += 1
            return web.Response(status=self.refuse_with)
        if not self._knows(request):
            return web.Response(status=401)
        self.asked_to_open += 1
        await self.opens.wait()
        ws = web.WebSocketResponse(autoping=False)
        await ws.prepare(request)
        self.opened += 1
        assert request.transport is not None
        self._sockets[ws] = request.transport
        try:
            for event in self.greeting:
                await ws.send_json(event)
            await self._serve(ws)
        finally:
            del self._sockets[ws]
        return ws

    async def _serve(self, ws: web.WebSocketResponse) -> None:
        tasks: set[asyncio.Task[None]] = set()
        async for message in ws:
            if self.mute:
                continue
            if message.type is WSMsgType.PING:
                self.pings += 1
                await ws.pong(message.data)
            elif message.type is WSMsgType.PONG:
                self.pongs += 1
            elif message.type is WSMsgType.TEXT and self.rest_over_websocket:
                task = asyncio.create_task(self._reply(ws, json.loads(message.data)))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
        for task in tasks:
            task.cancel()

    async def _reply(self, ws: web.WebSocketResponse, frame: dict[str, Any]) -> None:
        body = json.loads(frame["message_body"]) if "message_body" in frame else None
        status, answer = await self._answer("ws", frame["method"], frame["uri"], body)
        reply = {"type": "RESTResponse", "request_id": frame["request_id"], "status_code": status}
        if answer is not None:
            reply["message_body"] = json.dumps(answer)
        if not ws.closed:
            await ws.send_json(reply)

    async def _http(self, request: web.Request) -> web.StreamResponse:
        if not self._knows(request):
            return web.Response(status=401)
        body = json.loads(await request.text()) if request.can_read_body else None
        uri = request.raw_path.removeprefix("/ari/")
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        assert request.transport is not None
        self._http_connections.add(request.transport)
        try:
            status, answer = await self._answer("http", request.method, uri, body)
        finally:
            self.at_once -= 1
            if request.transport is not None:
                self._http_connections.discard(request.transport)
        if answer is None:
            return web.Response(status=status)
        return web.json_response(answer, status=status)

    async def _answer(self, kind: str, method: str, uri: str, body: Any) -> Answer:
        self.requests.append((kind, method, uri, body))
        path = uri.partition("?")[0]
        if self.hold(method, path):
            await self._released.wait()
        if path.endswith("/eventFilter") and not self.has_filters:
            return 404, {"message": "Resource not found"}
        return self.answers.get((method, path), (204, None))

    def _knows(self, request: web.Request) -> bool:
        login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        return request.headers.get("Authorization") == f"Basic {login}"


@asynccontextmanager
async def fake_asterisk() -> AsyncIterator[FakeAsterisk]:
    fake = FakeAsterisk()
    await fake.start()
    try:
        yield fake
    finally:
        await fake.stop()


def channel(id: str, **more: object) -> dict[str, Any]:
    """A channel's snapshot, as events carry it."""
    return {"id": id, "name": f"PJSIP/trunk-{id}", "state": "Up", "caller": {"name": "", "number": ""}, **more}


def stasis_start(id: str, *args: str) -> dict[str, Any]:
    return {"type": "StasisStart", "args": list(args), "channel": channel(id)}
