"""Requests over HTTP: each lane is an ordered chain, and lanes run side by side through a small pool.

For an Asterisk that offers no REST over the websocket, and for slow requests, which would hold up every later one
there. Asterisk's HTTP server takes 100 sessions and has a listen backlog of 10: few connections, long-lived.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

import aiohttp
from yarl import URL

from router.ari import wire
from router.ari.fields import Malformed
from router.ari.rest import Request
from router.errors import AriDisconnected, AriError, AriTimeout

#: Connections at once.
POOL: Final = 8

#: A request has its own deadline, and a connection that Asterisk's short backlog turned away is made within that.
UNLIMITED: Final = aiohttp.ClientTimeout(total=None)


class Lanes:
    """The pool of one connection's time."""

    def __init__(self, session: aiohttp.ClientSession, root: str, carried: Callable[[Request], None]) -> None:
        """`root` is ARI's URL without a trailing slash; the session brings authentication and limits connections.
        `carried` is told of each request that needs no more care."""
        self._session = session
        self._root = root
        self._carried = carried
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[str, deque[Request]] = {}
        """Lanes with a request under way, and what waits behind it."""
        self._free = asyncio.Semaphore(POOL)
        self._tasks: set[asyncio.Task[None]] = set()

    def send(self, request: Request) -> None:
        """Carry out `request` after those that its lane was given before."""
        queue = self._waiting.get(request.lane)
        if queue is not None:
            queue.append(request)
            return
        self._waiting[request.lane] = deque((request,))
        task = self._loop.create_task(self._carry(request.lane))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Drop what is under way. The futures are the link's to fail."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _carry(self, lane: str) -> None:
        queue = self._waiting[lane]
        try:
            while queue:
                request = queue.popleft()
                async with self._free:
                    if not request.future.done():
                        await self._carry_out(request)
                self._carried(request)
        finally:
            del self._waiting[lane]

    async def _carry_out(self, request: Request) -> None:
        try:
            async with asyncio.timeout_at(request.expires):
                status, body = await self._ask(request)
        except TimeoutError:
            request.fail(AriTimeout(f"{request.label}: no answer in time"))
        except aiohttp.ClientError as error:
            # Only the kind: aiohttp's errors carry the request with all its headers.
            request.fail(AriDisconnected(f"{request.label}: {type(error).__name__}"))
        except Malformed as error:
            request.fail(AriError(f"{request.label}: unreadable answer: {error}"))
        else:
            request.answered(status, body)

    async def _ask(self, request: Request) -> tuple[int, bytes]:
        headers = None if request.content is None else {"Content-Type": "application/json"}
        url = URL(f"{self._root}/{request.uri}", encoded=True)
        async with self._session.request(
            request.method, url, data=request.content, headers=headers, allow_redirects=False, timeout=UNLIMITED
        ) as response:
            body = bytearray()
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > wire.LONGEST_LIST:
                    raise Malformed("too large")
            return response.status, bytes(body)
