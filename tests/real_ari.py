"""An ARI that is real: an Asterisk of the module's own, and a link at work on it whose owner writes down what it
is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from router.ari import wire
from router.ari.client import Client
from router.ari.link import ENGINE_EVENTS, Link, Up
from router.ari.pace import Pace
from router.model import Ari, Secret
from sandbox.asterisk import Asterisk
from tests.waiting import until

APP = "callrouter"

#: Phones without SIP: what answers a `Local/…@legs` channel. `away` is a call for a router that is not there.
DIALPLAN = """\
[legs]
exten => now,1,Answer()
 same => n,Wait(60)
exten => ring,1,Ringing()
 same => n,Wait(60)
exten => busy,1,Ringing()
 same => n,Busy(1)
exten => decline,1,Ringing()
 same => n,Hangup(21)
exten => congestion,1,Congestion(1)
exten => away,1,Stasis(nobody,in)
 same => n,GotoIf($["${STASISSTATUS}" = "FAILED"]?now,1)
exten => caller,1,Stasis(callrouter,in,did=%2B33184801001,x=a%2Cb)
 same => n,Set(GLOBAL(AFTER)=${CHANNEL(name)})
 same => n,Wait(60)
exten => late,1,Set(TIMEOUT(absolute)=60)
 same => n,Stasis(callrouter,in,did=late)
"""


@pytest.fixture(scope="module")
def asterisk(runtime: Path, request: pytest.FixtureRequest) -> Iterator[Asterisk]:
    """One of the module's own: it may be killed and reloaded there."""
    with Asterisk(runtime / request.path.stem.removeprefix("test_"), dialplan=DIALPLAN, verbose=3) as started:
        yield started


class AtWork:
    """A link to the real Asterisk, and what its owner is told."""

    def __init__(
        self, asterisk: Asterisk, transport: str, events: tuple[str, ...], port: int, pace: Pace | None
    ) -> None:
        self.asterisk = asterisk
        self.heard: list[wire.Event] = []
        self.ups: list[Up] = []
        self.downs = 0
        self.link = Link(
            Ari(f"http://127.0.0.1:{port or asterisk.ports.http}/ari", asterisk.user, APP, transport),
            Secret(asterisk.ari_password),
            on_event=self.heard.append,
            on_up=self._up,
            on_down=self._down,
            events=events,
            pace=pace,
        )
        self.client = Client(self.link)
        self.task = asyncio.create_task(self.link.run())

    async def _up(self, up: Up) -> None:
        self.ups.append(up)

    def _down(self) -> None:
        self.downs += 1

    async def up(self, times: int = 1, seconds: float = 15.0) -> None:
        await until(lambda: len(self.ups) >= times and self.link.health().up, seconds)

    def story(self, channel: str) -> list[str]:
        """What was heard of one channel, in order, as words."""
        return [_word(event) for event in self.heard if _channel(event) == channel]

    async def leg(self, endpoint: str, channel_id: str, *, ring: float = 30.0, **more: Any) -> wire.Channel:
        """Create a leg, and dial it when it is in the application."""
        before = self.story(channel_id).count("StasisStart")
        made = await self.client.create(endpoint, channel_id=channel_id, **more)
        await until(lambda: self.story(channel_id).count("StasisStart") > before)
        await self.client.dial(channel_id, timeout=ring)
        return made

    async def answered(self, endpoint: str, channel_id: str, **more: Any) -> None:
        await self.leg(endpoint, channel_id, **more)
        await self.hear(channel_id, "Dial ANSWER")

    async def hear(self, channel: str, word: str, seconds: float = 10.0) -> None:
        await until(lambda: word in self.story(channel), seconds)


def _channel(event: wire.Event) -> str:
    match event:
        case wire.Dial():
            return event.peer.id
        case wire.PlaybackFinished() | wire.RecordingFinished() | wire.ApplicationReplaced():
            return ""
        case _:
            return event.channel.id


def _word(event: wire.Event) -> str:
    match event:
        case wire.Dial():
            return f"Dial {event.dialstatus}".strip()
        case wire.ChannelStateChange():
            return event.channel.state
        case wire.ChannelDestroyed():
            return f"ChannelDestroyed {event.cause} {event.sip_status}"
        case _:
            return type(event).__name__


@asynccontextmanager
async def at_work(
    asterisk: Asterisk,
    transport: str = "auto",
    events: tuple[str, ...] = ENGINE_EVENTS,
    *,
    port: int = 0,
    pace: Pace | None = None,
) -> AsyncIterator[AtWork]:
    it = AtWork(asterisk, transport, events, port, pace)
    try:
        await it.up()
        yield it
    finally:
        await it.link.close()
        await asyncio.gather(it.task, return_exceptions=True)
        asterisk.cli("channel request hangup all")
        await until(asterisk.quiet)
