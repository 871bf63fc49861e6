"""Which trunk takes another leg, and which is left alone: caps, what the carrier says, and what AMI says."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import pytest

from router.model import Config, Trunk
from router.trunks import LONGEST, SHORTEST, Trunks, watch
from tests.build import make_config, make_trunk
from tests.unit.test_ami import PASSWORD, FakeAmi, contact, serving
from tests.waiting import until

NOW = 1000.0
EVERY = 0.01


def two(**more: int | None) -> Config:
    """The trunks `main` and `spare`; `main=3` caps it at three legs."""
    trunks: list[Trunk] = [make_trunk("main", "PJSIP/{number}@main"), make_trunk("spare", "PJSIP/{number}@spare")]
    return make_config(trunks=[replace(each, max_calls=more.get(each.id)) for each in trunks])


# --- Places -----------------------------------------------------------------------------------------------


def test_a_trunk_takes_as_many_legs_as_its_cap() -> None:
    trunks = Trunks(two(main=2))
    assert [trunks.take("main") for _ in range(3)] == [True, True, False]
    assert trunks.legs("main") == 2
    assert all(trunks.take("spare") for _ in range(100))
    trunks.release("main")
    assert [trunks.take("main"), trunks.take("main")] == [True, False]


def test_a_place_given_back_too_often_is_no_more_room() -> None:
    trunks = Trunks(two(main=1))
    trunks.release("main")
    trunks.release("never-heard-of")
    assert [trunks.take("main"), trunks.take("main")] == [True, False]


def test_a_reload_counts_the_legs_that_are_up() -> None:
    trunks = Trunks(two())
    assert all(trunks.take("main") for _ in range(3))
    trunks.configure(two(main=3))
    assert not trunks.take("main")
    trunks.configure(make_config(trunks=[make_trunk("spare")]))
    assert trunks.take("main")
    trunks.configure(two(main=4))
    assert not trunks.take("main")
    assert trunks.legs("main") == 4


# --- What the carrier says --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "placed", "rang", "down"),
    [
        (500, True, False, True),
        (503, True, False, True),
        (504, True, False, True),
        (580, True, False, True),
        (599, True, False, True),
        (408, True, False, True),
        (None, False, False, True),
        (501, True, False, False),
        (505, True, False, False),
        (513, True, False, False),
        (486, True, False, False),
        (404, True, False, False),
        (603, True, False, False),
        (None, True, False, False),
        (503, True, True, False),
        (408, True, True, False),
        (200, True, True, False),
    ],
)
def test_what_says_that_a_trunk_is_down(status: int | None, placed: bool, rang: bool, down: bool) -> None:
    trunks = Trunks(two())
    trunks.heard("main", status, placed, NOW, rang=rang)
    assert trunks.down(NOW) == ({"main"} if down else set())


def test_a_trunk_is_tried_again_after_longer_and_longer() -> None:
    trunks, now, waits = Trunks(two()), NOW, []
    for _ in range(6):
        trunks.heard("main", 503, True, now)
        start = now
        while "main" in trunks.down(now):
            now += 1
        waits.append(now - start)
    assert waits == [30, 60, 120, 240, 300, 300]


def test_legs_that_were_on_their_way_are_the_same_news(caplog: pytest.LogCaptureFixture) -> None:
    trunks = Trunks(two())
    with caplog.at_level(logging.INFO, "router.trunks"):
        for after in range(20):
            trunks.heard("main", 503, True, NOW + after)
    assert trunks.down(NOW + SHORTEST - 1) == {"main"}
    assert trunks.down(NOW + SHORTEST) == set()
    assert caplog.messages == ['event=trunk_down trunk=main why="SIP 503" seconds=30']


def test_a_leg_that_rings_brings_it_back_at_once(caplog: pytest.LogCaptureFixture) -> None:
    trunks = Trunks(two())
    with caplog.at_level(logging.INFO, "router.trunks"):
        trunks.heard("main", None, False, NOW)
        trunks.heard("main", None, True, NOW + 1, rang=True)
        assert trunks.down(NOW + 1) == set()
        trunks.heard("main", None, True, NOW + 2, rang=True)
        trunks.heard("main", 500, True, NOW + 3)
    assert trunks.down(NOW + 3 + SHORTEST) == set()
    assert [message.split(" trunk=")[0] for message in caplog.messages] == [
        "event=trunk_down",
        "event=trunk_up",
        "event=trunk_down",
    ]


def test_a_failure_a_day_is_no_repetition() -> None:
    trunks = Trunks(two())
    trunks.heard("main", 503, True, NOW)
    trunks.heard("main", 503, True, NOW + SHORTEST + LONGEST)
    assert trunks.down(NOW + SHORTEST + LONGEST + SHORTEST) == set()


def test_a_trunk_that_left_the_file_is_forgotten() -> None:
    trunks = Trunks(two())
    trunks.heard("main", 503, True, NOW)
    trunks.configure(make_config(trunks=[make_trunk("spare")]))
    assert trunks.down(NOW) == set()


# --- What AMI says ----------------------------------------------------------------------------------------


def test_amis_word_counts_until_it_says_otherwise(caplog: pytest.LogCaptureFixture) -> None:
    trunks = Trunks(two())
    with caplog.at_level(logging.INFO, "router.trunks"):
        for _ in range(3):
            trunks.set_health({"main": False, "spare": True})
        trunks.heard("main", None, True, NOW, rang=True)
        assert trunks.down(NOW + 1e6) == {"main"}
        for _ in range(3):
            trunks.set_health({"main": True, "spare": True})
        assert trunks.down(NOW) == set()
    assert caplog.messages == [
        'event=trunk_down trunk=main why="AMI: unreachable"',
        "event=trunk_up trunk=main why=AMI",
    ]


def test_a_reachable_carrier_that_refuses_calls_is_down_all_the_same() -> None:
    trunks = Trunks(two())
    trunks.set_health({"main": True})
    trunks.heard("main", 503, True, NOW)
    trunks.set_health({"main": True})
    assert trunks.down(NOW) == {"main"}


@pytest.mark.parametrize("silence", [{}, {"main": None}])
def test_a_word_that_is_withdrawn_counts_no_more(silence: dict[str, bool | None]) -> None:
    trunks = Trunks(two())
    trunks.set_health({"main": False, "other": False})
    trunks.set_health(silence)
    assert trunks.down(NOW) == set()


# --- Asking AMI -------------------------------------------------------------------------------------------


def asking(fake: FakeAmi, config: Config | None = None) -> Config:
    return replace(config or two(), ami=fake.ami, ami_password=make_config(ami_password=PASSWORD).ami_password)


@asynccontextmanager
async def watching(config: Callable[[], Config], trunks: Trunks) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(watch(config, trunks, every=EVERY))
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def asked(fake: FakeAmi, times: int = 3) -> None:
    """Wait until AMI has been asked so many times more."""
    before = len(fake.actions)
    await until(lambda: len(fake.actions) >= before + 3 * times)


@pytest.fixture
async def fake() -> AsyncIterator[FakeAmi]:
    async with serving() as ami:
        ami.contacts = {"main": [contact("Unreachable")], "spare": [contact("Reachable", "900")]}
        yield ami


async def test_one_connection_asks_again_and_again(fake: FakeAmi) -> None:
    trunks = Trunks(two())
    async with watching(lambda: asking(fake), trunks):
        await until(lambda: trunks.down(NOW) == {"main"})
        fake.contacts["main"] = [contact("Reachable", "900")]
        await until(lambda: trunks.down(NOW) == set())
        await asked(fake)
        assert fake.connections == fake.open == 1
        assert sum(action["action"] == "Login" for action in fake.actions) == 1
    await until(lambda: fake.open == 0)


async def test_a_trunk_without_a_contact_is_not_called_down(fake: FakeAmi) -> None:
    fake.contacts = {"main": [], "spare": [contact("NonQualified")]}
    trunks = Trunks(two())
    async with watching(lambda: asking(fake), trunks):
        await asked(fake)
        assert trunks.down(NOW) == set()


async def test_away_and_back_are_each_said_once(fake: FakeAmi, caplog: pytest.LogCaptureFixture) -> None:
    trunks = Trunks(two())
    with caplog.at_level(logging.INFO, "router.trunks"):
        async with watching(lambda: asking(fake), trunks):
            await until(lambda: trunks.down(NOW) == {"main"})
            fake.hang_up_on = "PJSIPShowEndpoint"
            await until(lambda: trunks.down(NOW) == set())
            connections = fake.connections
            await until(lambda: fake.connections > connections + 3)
            assert fake.open <= 1
            fake.hang_up_on = ""
            await until(lambda: trunks.down(NOW) == {"main"})
    events = [message.split()[0] for message in caplog.messages]
    assert events == ["event=trunk_down", "event=trunk_up", "event=ami_away", "event=ami_back", "event=trunk_down"]
    assert PASSWORD not in caplog.text


async def test_without_ami_nobody_is_asked(fake: FakeAmi, caplog: pytest.LogCaptureFixture) -> None:
    looks = 0

    def config() -> Config:
        nonlocal looks
        looks += 1
        return two()

    with caplog.at_level(logging.INFO, "router.trunks"):
        async with watching(config, Trunks(two())):
            await until(lambda: looks > 3)
    assert (fake.connections, caplog.messages) == (0, [])


async def test_a_reload_that_takes_ami_away_or_moves_it(fake: FakeAmi) -> None:
    trunks = Trunks(two())
    config = asking(fake)
    async with watching(lambda: config, trunks), serving() as other:
        await until(lambda: trunks.down(NOW) == {"main"})
        other.contacts = {"spare": [contact("Unreachable")]}
        config = asking(other)
        await until(lambda: trunks.down(NOW) == {"spare"})
        await until(lambda: fake.open == 0)
        config = two()
        await until(lambda: trunks.down(NOW) == set() and other.open == 0)
    assert (fake.connections, other.connections) == (1, 1)


@pytest.mark.parametrize("moment", ["connected", "asked"])
async def test_cancelled_it_leaves_nothing_behind(fake: FakeAmi, moment: str) -> None:
    fake.silent = moment == "asked"
    before = asyncio.all_tasks()
    async with watching(lambda: asking(fake), Trunks(two())):
        await until(lambda: fake.open == 1 and fake.actions)
    await until(lambda: fake.open == 0 and asyncio.all_tasks() <= before)
    assert fake.connections == 1
