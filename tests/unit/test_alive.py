"""When a caller left whom nobody heard leave."""

from __future__ import annotations

from dataclasses import replace

import pytest

from router.alive import Alive, Away
from router.model import Departure
from tests.calls import Driver, plan

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
