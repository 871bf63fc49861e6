"""When a caller left whom nobody heard leave, and who is only just leaving."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from router import alive
from router.alive import Alive, Away
from router.engine import SETTLING
from router.errors import AriDisconnected
from router.model import Departure, Outcome
from tests.calls import Driver, plan
from tests.switchboard import WALL, Switchboard, caller_channel, turn
from tests.waiting import until

EPOCH = 1_700_000_000.0
"""Unix time at which the driver's call began: 100 on the steady clock."""


@pytest.mark.parametrize(
    ("away", "at"),
    [
        (Away(), 160.0),
        (Away(EPOCH + 20.0), 120.0),
        (Away(EPOCH + 20.0, {"another's": Departure(EPOCH + 30.0)}), 120.0),
        (Away(EPOCH + 20.0, {"1700000000.1": Departure(EPOCH + 30.0)}), 130.0),
        (Away(EPOCH - 5.0), 103.0),
        (Away(EPOCH + 600.0), 160.0),
    ],
    ids=["heard all the while", "last heard", "another's word", "his word", "before all else", "in the future"],
)
def test_a_caller_who_is_gone_left_when_he_said_or_when_asterisk_was_last_heard(away: Away, at: float) -> None:
    call = Driver(plan("alice")).call
    call = replace(call, legs=(replace(call.legs[0], answered_at=103.0),))
    found = Alive(160.0, {}, (), away).of(call)
    assert (found.at, found.caller) == (at, False)


@pytest.mark.parametrize("up", [True, False])
def test_whether_he_had_been_picked_up_is_what_his_word_says(up: bool) -> None:
    call = Driver(plan("alice")).call
    left = Away(left={call.channel: Departure(EPOCH + 30.0, up)})
    assert Alive(160.0, {}, (), left).of(call).answered is up


# --- Who is leaving ---------------------------------------------------------------------------------------


@pytest.fixture
async def board() -> Switchboard:
    return Switchboard()


async def test_a_caller_who_is_leaving_word_has_left_once_it_is_there(board: Switchboard) -> None:
    """He was connected as the link broke: that he was picked up is what the word says."""
    board.arrives()
    board.answers(board.leg())
    board.client.last("add_to_bridge").future.set_exception(AriDisconnected("the link broke before the answer"))
    await turn()
    board.now += 1
    board.client.there = (replace(caller_channel("1.1"), app="", context="callrouter-left"),)
    word = Away(left={"1.1": Departure(WALL + 0.5, up=True)})

    async def read() -> Away:
        assert not board.client.there, "it is looked for when the channel is gone"
        return word

    catching_up = asyncio.create_task(board.engine.reconcile((), read))
    await until(lambda: len(board.client.all("channels")) > 1)
    board.client.there = ()
    await catching_up
    assert (board.writer.ended.outcome, board.writer.ended.salesperson) == (Outcome.ANSWERED, "alice")


@pytest.mark.parametrize("audit", [True, False], ids=["an audit", "he never goes"])
async def test_who_is_leaving_holds_nothing_up(
    board: Switchboard, monkeypatch: pytest.MonkeyPatch, audit: bool
) -> None:
    monkeypatch.setattr(alive, "TRIES", 3)
    board.arrives()
    board.now += SETTLING + 1
    board.client.there = (replace(caller_channel("1.1"), app="", context="callrouter-left"),)
    await board.engine.reconcile(audit=audit)
    assert len(board.client.all("channels")) == (1 if audit else 3)
    assert board.writer.ended.outcome is Outcome.ABANDONED
