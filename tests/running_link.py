"""A link at work on the fake Asterisk, and an owner that writes down what it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from router.ari import wire
from router.ari.client import Client
from router.ari.link import Link, Up
from router.ari.pace import Pace
from router.model import Ari, Secret
from tests.fake_asterisk import PASSWORD, USER, FakeAsterisk, fake_asterisk
from tests.waiting import until

QUICK = Pace(
    first_retry=0.01,
    longest_retry=0.05,
    stable=60.0,
    connect=5.0,
    probe=1.0,
    tick=0.02,
    ping=0.1,
    dead=0.3,
    stall=60.0,
)
"""What is counted in ticks may be short. `connect`, `probe` and `stall` are time, of which a busy machine may take
a second: they are short only where a test is about them."""


class Owner:
    """What an engine would be: it writes down what it is told, in order."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.ups: list[Up] = []
        self.may_come_up = asyncio.Event()
        self.may_come_up.set()
        self.fail_up: list[Exception] = []
        self.fail_event: Exception | None = None

    async def on_up(self, up: Up) -> None:
        self.heard.append("up")
        await self.may_come_up.wait()
        if self.fail_up:
            raise self.fail_up.pop(0)
        self.ups.append(up)
        self.heard.append("caught up")

    def on_down(self) -> None:
        self.heard.append("down")

    def on_event(self, event: wire.Event) -> None:
        if self.fail_event is not None:
            raise self.fail_event
        name = type(event).__name__
        self.heard.append(f"{name} {event.channel.id}" if hasattr(event, "channel") else name)


class Running:
    """A link at work, with the fake that it talks to."""

    def __init__(self, fake: FakeAsterisk, owner: Owner, link: Link, task: asyncio.Task[None]) -> None:
        self.fake = fake
        self.owner = owner
        self.link = link
        self.client = Client(link)
        self.task = task

    async def up(self, times: int = 1) -> None:
        await until(lambda: len(self.owner.ups) >= times and self.link.health().up)


@asynccontextmanager
async def running(
    fake: FakeAsterisk, owner: Owner | None = None, *, transport: str = "auto", pace: Pace = QUICK, **ari: str
) -> AsyncIterator[Running]:
    owner = owner or Owner()
    settings = Ari(**{"url": fake.url, "username": USER, "app": "callrouter", "transport": transport, **ari})
    link = Link(
        settings,
        Secret(PASSWORD),
        on_event=owner.on_event,
        on_up=owner.on_up,
        on_down=owner.on_down,
        pace=pace,
    )
    task = asyncio.create_task(link.run())
    try:
        yield Running(fake, owner, link, task)
    finally:
        await link.close()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def fake() -> AsyncIterator[FakeAsterisk]:
    async with fake_asterisk() as asterisk:
        yield asterisk
