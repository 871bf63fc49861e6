"""The sign of life: what Asterisk said the time was, written back each second, one round at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from router import heartbeat
from router.errors import AriDisconnected, AriTimeout
from router.heartbeat import Heartbeat
from tests.switchboard import Asked, FakeClient, turn
from tests.waiting import until

EPOCH = "1795335872"


async def rounds_pass() -> None:
    """The time of five rounds: that something is not asked has no event to wait for."""
    await asyncio.sleep(5 * heartbeat.EVERY)


class Beating:
    def __init__(self) -> None:
        self.client = FakeClient()
        self.heart = Heartbeat(self.client)  # type: ignore[arg-type]
        self.task = asyncio.create_task(self.heart.run())

    @property
    def asked(self) -> list[tuple[str, str]]:
        """What was asked for: the variable read, or the value written."""
        return [(each.verb, each.arguments.get("value", each.arguments["name"])) for each in self.client.asked]

    async def last(self, verb: str, times: int = 1) -> Asked:
        await until(lambda: len(self.client.all(verb)) >= times)
        return self.client.last(verb)

    async def reads(self, value: str, times: int = 1) -> None:
        (await self.last("global_variable", times)).future.set_result(value)
        await turn()


@pytest.fixture
async def it(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Beating]:
    monkeypatch.setattr(heartbeat, "EVERY", 0.02)
    beating = Beating()
    yield beating
    beating.task.cancel()
    await asyncio.gather(beating.task, return_exceptions=True)


async def test_nothing_is_asked_before_the_link_is_up(it: Beating) -> None:
    await rounds_pass()
    assert it.asked == []
    assert it.heart.age is None


async def test_asterisks_own_clock_is_written_back(it: Beating) -> None:
    it.heart.connected()
    await it.reads(EPOCH)
    assert it.asked == [("global_variable", "EPOCH"), ("set_global", EPOCH)]
    assert it.client.last("set_global").name == "CALLROUTER_ALIVE"
    assert it.heart.age is None, "Asterisk has not taken it yet"
    it.client.last("set_global").future.set_result(None)
    await it.last("global_variable", 2)
    assert it.heart.age is not None
    assert it.heart.age < 5


async def test_a_round_waits_for_the_one_before(it: Beating) -> None:
    it.heart.connected()
    await it.last("global_variable")
    await rounds_pass()
    assert len(it.client.asked) == 1, "the read has no answer"
    await it.reads(EPOCH)
    await rounds_pass()
    assert len(it.client.asked) == 2, "the write has no answer"
    it.client.last("set_global").future.set_result(None)
    await it.last("global_variable", 2)


async def test_the_age_counts_from_the_question_and_not_from_the_answer(it: Beating) -> None:
    it.heart.connected()
    await it.last("global_variable")
    await rounds_pass()
    await it.reads(EPOCH)
    it.client.last("set_global").future.set_result(None)
    await turn()
    assert it.heart.age is not None
    assert it.heart.age >= 0.09


async def test_what_was_read_before_the_link_was_lost_is_not_written(it: Beating) -> None:
    it.heart.connected()
    await it.last("global_variable")
    it.heart.lost()
    await it.reads(EPOCH)
    await rounds_pass()
    assert it.client.verbs == ["global_variable"]
    it.heart.connected()
    await it.last("global_variable", 2)


async def test_trouble_is_said_once_and_the_next_round_comes(it: Beating, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    it.heart.connected()
    for times in (1, 2, 3):
        (await it.last("global_variable", times)).future.set_exception(AriTimeout("no answer in time"))
    await it.reads(EPOCH, 4)
    assert it.client.last("set_global").value == EPOCH
    assert [record.getMessage().count("event=no_heartbeat") for record in caplog.records] == [1]


@pytest.mark.parametrize("answer", ["", "0", "now", "1795335872)", "١٧٩٥٣٣٥٨٧٢", "9" * 13])
async def test_what_is_no_clock_is_never_written(it: Beating, answer: str) -> None:
    it.heart.connected()
    await it.reads(answer)
    (written,) = it.client.all("set_global")
    assert written.value == "", "an earlier router's would send every call to the fallback"
    written.future.set_result(None)
    await it.last("global_variable", 2)
    assert it.heart.age is None


async def test_a_router_that_stops_leaves_nothing_that_grows_old(it: Beating) -> None:
    it.heart.connected()
    await it.last("global_variable")
    leaving = asyncio.create_task(it.heart.withdraw())
    assert (await it.last("set_global")).value == ""
    await it.reads(EPOCH)
    it.client.last("set_global").future.set_result(None)
    await leaving
    it.heart.connected()
    await rounds_pass()
    assert [each.value for each in it.client.all("set_global")] == [""], "the round under way writes no more"
    assert it.heart.age is None


async def test_a_silent_asterisk_does_not_hold_up_the_stop(it: Beating, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "LETTING_GO", 0.05)
    it.heart.connected()
    await it.last("global_variable")
    await asyncio.wait_for(it.heart.withdraw(), 2)


async def test_without_a_link_there_is_nothing_to_take_back(it: Beating) -> None:
    await it.heart.withdraw()
    assert it.asked == []


async def test_a_link_that_breaks_under_the_last_word_is_no_trouble(it: Beating) -> None:
    it.heart.connected()
    await it.last("global_variable")
    leaving = asyncio.create_task(it.heart.withdraw())
    (await it.last("set_global")).future.set_exception(AriDisconnected("the link broke"))
    await leaving
