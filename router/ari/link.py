"""The link to Asterisk: one websocket for events and, where Asterisk offers it, for REST.

It reconnects for ever, notices silence, and tells its owner when it is up and when it is down. Events that come in
while the owner catches up (`on_up`) wait, in order. Everything runs on one event loop.
"""

from __future__ import annotations

import asyncio
import logging
import os
import traceback
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from router.ari import opening, wire
from router.ari.client import Client
from router.ari.lanes import Lanes
from router.ari.pace import Pace, Retries
from router.ari.requests import Requests
from router.ari.websocket import Closed, Socket
from router.errors import AriGone, AriTimeout, RouterError, Unhealthy
from router.log import fact
from router.model import Ari, Secret

if TYPE_CHECKING:
    import aiohttp

log: Final = logging.getLogger("router.ari")

#: The events that the engine reads; Asterisk is asked to send no others.
ENGINE_EVENTS: Final = (
    "StasisStart",
    "StasisEnd",
    "ChannelDestroyed",
    "Dial",
    "ChannelDtmfReceived",
    "PlaybackFinished",
    "RecordingFinished",
    "RecordingFailed",
)

#: Events held back while the owner catches up, beyond which the connection is given up.
HELD: Final = 100_000

#: Kinds of unread message that are counted one by one; the rest together.
KINDS: Final = 100

REPLACED: Final = (
    "another program has connected to Asterisk as the ARI application {app} and gets its calls now: "
    "stop one of the two, or give each its own asterisk.ari.app"
)


@dataclass(frozen=True, slots=True)
class Up:
    """What the owner is told of a new connection."""

    version: str
    """Asterisk's version."""
    transport: str
    """`websocket` or `http`: how REST travels."""
    filtered: bool
    """Whether Asterisk sends only the events that were asked for."""


@dataclass(frozen=True, slots=True)
class LinkHealth:
    """How the link is."""

    up: bool
    transport: str
    pending: int
    """Requests without an answer."""
    oldest: float
    """Seconds since the oldest of them was sent."""
    trouble: str
    """Why it is down, as last said; empty when it is up."""
    unread: Mapping[str, int]
    """Messages that were not understood or not wanted, by kind."""


class Link:
    """Connects, stays connected, carries events. `requests` carries REST; router.ari.client has the verbs."""

    def __init__(
        self,
        ari: Ari,
        password: Secret,
        *,
        on_event: Callable[[wire.Event], None],
        on_up: Callable[[Up], Awaitable[None]],
        on_down: Callable[[], None],
        events: tuple[str, ...] = ENGINE_EVENTS,
        pace: Pace | None = None,
    ) -> None:
        """`on_up` is awaited at every connect, after the event filter was set and before any event is delivered;
        when it raises, the connection is given up and made again. `on_down` follows once for each `on_up`.
        `on_event` gets the events one at a time, in Asterisk's order; what it raises is logged."""
        self._ari = ari
        self.app = ari.app
        self._password = password
        self._on_event = on_event
        self._on_up = on_up
        self._on_down = on_down
        self._events = events
        self._pace = pace or Pace()
        self._loop = asyncio.get_running_loop()
        self.requests = Requests()
        self._client = Client(self)
        self._stop = asyncio.Event()
        self._running = False
        self._over: asyncio.Future[str] | None = None
        """Resolves with the reason why the connection of the moment is over."""
        self._given_up: deque[float] = deque()
        """When we stopped waiting for websockets that Asterisk may open yet."""
        self._up = False
        self._owner_told = False
        self._held: deque[wire.Event] | None = None
        """Events that wait for `on_up` to come back; None when they flow."""
        self._ticked = 0.0
        self._ticker: asyncio.TimerHandle | None = None
        self._trouble = "not connected yet"
        self._said = ""
        self._unread: Counter[str] = Counter()
        self._stopped = asyncio.Event()

    # --- For the owner ------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Connect, and connect again, until `close`. Raises RouterError when another connection has taken the
        application's name: two routers must not share it."""
        retries = Retries(self._pace)
        self._running = True
        try:
            async with opening.new_session(self._ari, self._password) as session:
                while not self._stop.is_set():
                    began = self._loop.time()
                    self._say(await self._connection(session))
                    await self._pause(retries.next(self._loop.time() - began))
        finally:
            self._running = False
            self._stopped.set()

    async def close(self) -> None:
        """Make `run` return, once the connection is closed."""
        self._stop.set()
        self._lose("closed")
        if self._running:
            await self._stopped.wait()

    def health(self) -> LinkHealth:
        """How the link is now."""
        return LinkHealth(
            up=self._up,
            transport="websocket" if self.requests.over_socket else "http",
            pending=self.requests.pending,
            oldest=self.requests.oldest,
            trouble="" if self._up else self._trouble,
            unread=dict(self._unread),
        )

    @property
    def steady(self) -> bool:
        """Whether requests reach Asterisk and its owner has caught up: what was concluded before still holds."""
        return self._up and self._over is not None and not self._over.done()

    # --- One connection -----------------------------------------------------------------------------------

    async def _connection(self, session: aiohttp.ClientSession) -> str:
        """Make one connection and live with it to its end. Returns why it ended."""
        try:
            opened = await opening.open_websocket(session, self._ari, self._pace.connect)
        except opening.Unreachable as error:
            if error.asked:
                self._given_up.append(self._loop.time())
            return str(error)
        channel = Socket(opened)
        carrier = Lanes(session, opening.root_url(self._ari), self.requests.carried)
        over: asyncio.Future[str] = self._loop.create_future()
        self._over = over
        self._held = deque()
        self.requests.connected(channel, carrier)
        self._start_ticking(channel)
        reader = self._watched(self._read(channel, over))
        greeter = self._watched(self._greet())
        orderly = False
        try:
            if self._stop.is_set():
                return "closed"
            why = await over
            orderly = self._stop.is_set()
            return why
        finally:
            await self._tear_down((reader, greeter), channel, carrier, orderly)

    async def _tear_down(
        self, tasks: tuple[asyncio.Task[None], ...], channel: Socket, carrier: Lanes, orderly: bool
    ) -> None:
        self._up = False
        self._over = self._held = None
        if self._ticker is not None:
            self._ticker.cancel()
        for task in tasks:
            task.cancel()
        self.requests.disconnected()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._owner_told:
            self._owner_told = False
            self._tell_down()
        await carrier.close()
        await channel.close(orderly=orderly)

    # --- Coming up ----------------------------------------------------------------------------------------

    async def _greet(self) -> None:
        version = await self._detect()
        filtered = await self._filter()
        transport = "websocket" if self.requests.over_socket else "http"
        self._owner_told = True
        await self._on_up(Up(version, transport, filtered))
        self._up = True
        self._said = ""
        log.info(fact(event="ari_up", asterisk=version, rest=transport, filtered=filtered))
        held, self._held = self._held, None
        for event in held or ():
            self._deliver(event)

    async def _detect(self) -> str:
        """Find out how REST travels. Returns Asterisk's version."""
        wanted = self._ari.transport
        self.requests.over_socket = wanted != "http"
        if self.requests.over_socket:
            try:
                return await self._version(self._pace.probe)
            except AriTimeout:
                if wanted == "websocket":
                    raise RouterError(
                        "this Asterisk answers no REST over its websocket (20.14, 21.9, 22.4 and later do): "
                        "set asterisk.ari.transport to auto"
                    ) from None
            self.requests.over_socket = False
        return await self._version(self._pace.connect)

    async def _version(self, deadline: float) -> str:
        return (await self._client.asterisk_info(deadline=deadline)).version

    async def _filter(self) -> bool:
        """Ask for the engine's events only. An Asterisk without filters sends them all, which is only dearer."""
        try:
            await self._client.set_event_filter(self.app, self._events, deadline=self._pace.connect)
        except AriGone:
            return False
        return True

    # --- Events in ----------------------------------------------------------------------------------------

    async def _read(self, channel: Socket, over: asyncio.Future[str]) -> None:
        while True:
            data = await channel.receive()
            if over.done():
                return  # Given up in the meantime: the owner catches up before it hears of this.
            self._take(data)

    def _take(self, data: str | bytes) -> None:
        message = wire.decode(data)
        if isinstance(message, wire.Response):
            if not self.requests.answered(message):
                self._count("answer that nobody waits for", logging.DEBUG)
        elif isinstance(message, wire.Unknown):
            self._count(message.kind, logging.WARNING if message.malformed else logging.DEBUG)
        elif isinstance(message, wire.ApplicationReplaced):
            raise self._replaced()
        elif self._held is None:
            self._deliver(message)
        elif len(self._held) < HELD:
            self._held.append(message)
        else:
            raise Closed(f"more than {HELD} events came in while catching up")

    def _replaced(self) -> Exception:
        """Who has taken the name: another program, or a connection of our own that a slow Asterisk opened late."""
        while self._given_up and self._given_up[0] < self._loop.time() - self._pace.late:
            self._given_up.popleft()
        if not self._given_up:
            return Replaced()
        self._given_up.popleft()
        return Closed("Asterisk has opened an earlier connection of ours: starting afresh")

    def _deliver(self, event: wire.Event) -> None:
        try:
            self._on_event(event)
        except Exception as error:  # noqa: BLE001 - one event must not cost the link
            self._complain(type(event).__name__, error)

    def _tell_down(self) -> None:
        try:
            self._on_down()
        except Exception as error:  # noqa: BLE001 - nor may the owner's trouble with its loss
            self._complain("on_down", error)

    def _complain(self, about: str, error: BaseException) -> None:
        """Something is wrong in our own house: say so loudly, and go on."""
        log.error(fact(event="internal_error", about=about, error=_where(error)))
        log.debug("", exc_info=error)

    def _count(self, kind: str, level: int) -> None:
        if kind not in self._unread:
            if len(self._unread) >= KINDS:
                kind = "other"
            log.log(level, fact(event="unread_message", kind=kind))
        self._unread[kind] += 1

    # --- Liveness -----------------------------------------------------------------------------------------

    def _start_ticking(self, channel: Socket) -> None:
        self._ticked = self._loop.time()
        self._ticker = self._loop.call_later(self._pace.tick, self._tick, channel)

    def _tick(self, channel: Socket) -> None:
        """Look at deadlines and silence. Silence is counted in ticks, not in time: when this process stood still,
        what Asterisk sent meanwhile was not heard yet, and that is not Asterisk's fault."""
        now, pace = self._loop.time(), self._pace
        stood_still = now - self._ticked - pace.tick
        self._start_ticking(channel)
        self.requests.expire(now)
        channel.silent += 1
        silence = channel.silent * pace.tick
        if stood_still >= pace.stall:
            self._lose(f"this process stood still for {stood_still:.0f} s: starting afresh")
        elif silence >= pace.dead:
            self._lose(f"nothing heard from Asterisk for {silence:.0f} s")
        elif silence >= pace.ping:
            channel.ping()

    def _lose(self, why: str) -> None:
        if self._over is not None and not self._over.done():
            self._over.set_result(why)

    def _watched(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Run a part of the connection; its failure is the connection's end."""
        task = self._loop.create_task(work)
        task.add_done_callback(self._part_ended)
        return task

    def _part_ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            return
        error = task.exception()
        if error is None or self._over is None or self._over.done():
            return
        match error:
            case Replaced():
                self._over.set_exception(Unhealthy(REPLACED.format(app=self._ari.app)))
            case Closed() | RouterError():
                self._over.set_result(str(error))
            case _:
                self._complain("on_up", error)
                self._over.set_result(f"catching up failed: {type(error).__name__}")

    # --- Trying again -------------------------------------------------------------------------------------

    def _say(self, why: str) -> None:
        """Log why there is no link, once for each change."""
        self._trouble = why
        if why != self._said and not self._stop.is_set():
            log.warning(fact(event="ari_down", why=why))
            self._said = why

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stop.wait()
        except TimeoutError:
            return


class Replaced(Exception):
    """Another connection has taken the application's name."""


def _where(error: BaseException) -> str:
    """The kind of an unexpected error and where it was raised; not its text, which may hold a caller's number."""
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    places = " < ".join(
        f"{os.path.basename(frame.filename)}:{frame.lineno} {frame.name}" for frame in reversed(frames)
    )
    return f"{type(error).__name__} at {places}"
