"""F13: whatever a mobile or its carrier answers has its result, and the next person is rung."""

from __future__ import annotations

import pytest

from sandbox.behaviours import BUSY, DECLINE, Answer, Behaviour, EarlyMedia, Refuse, RingOut, Silent
from tests.faults.conftest import Fault
from tests.faults.fleet import Fleet
from tests.integration.site import ALICE, ALONE, BOB, CAROL, IN_TURN, TOGETHER, Site

pytestmark = [pytest.mark.asterisk, pytest.mark.fault("F13", "every refusal")]

REFUSALS = {
    302: ("unreachable", "unreachable"),
    403: ("unreachable", "unreachable"),
    404: ("unreachable", "unreachable"),
    480: ("no_answer", "no_answer"),
    486: ("busy", "busy"),
    487: ("unreachable", "unreachable"),
    488: ("unreachable", "unreachable"),
    500: ("unreachable", "unreachable"),
    503: ("unreachable", "unreachable"),
    600: ("busy", "busy"),
    603: ("declined", "busy"),
}
"""The attempt's result, and the call's outcome where nobody else is to be rung."""
NOBODY_THERE: dict[str, tuple[Behaviour, str, str]] = {
    "rings and nobody answers": (RingOut(), "no_answer", "no_answer"),
    "183 with sound, then nothing": (EarlyMedia(), "no_answer", "no_answer"),
    "no reply at all": (Silent(), "unreachable", "unreachable"),
}
TOLD = {"busy": 486, "no_answer": 480, "unreachable": 503}
"""What the caller's carrier is told then."""
RINGS = 2.0
"""Seconds that each of them rings, by the file."""
AT_ONCE = 0.5
"""Seconds from a refusal to the next person's INVITE, a second trunk tried between them."""


@pytest.fixture
def router_anew(site: Site) -> None:
    """A router that knows nothing of the trunks: after a 5xx the first one is tried last for half a minute."""
    site.stop_router()


@pytest.mark.parametrize(("code", "result", "outcome"), [(code, *ends) for code, ends in REFUSALS.items()])
def test_every_refusal_has_its_result_and_the_next_is_rung(
    running: Site, fault: Fault, code: int, result: str, outcome: str
) -> None:
    fleet = Fleet(running, mobiles={ALICE: Refuse(code), BOB: Answer(ring=0.1)})
    alone, in_turn = fleet.place(1, ALONE), fleet.place(1, IN_TURN, hang_up_after=0.1)
    fleet.check()
    for wave, wanted in ((alone, (outcome, None)), (in_turn, ("answered", "bob"))):
        (row,) = wave.rows()
        assert (row["outcome"], row["salesperson"]) == wanted
        (attempt,) = [each for each in wave.attempts() if (each["salesperson"], each["trunk"]) == ("alice", "main")]
        assert (attempt["result"], attempt["sip_status"]) == (result, code)
    assert in_turn.attempts()[-1]["result"] == "accepted"
    assert alone.dialogs()[alone.numbers[0]].final == TOLD[outcome]
    refused = min(leg.ended_at for leg in running.carrier.calls(ALICE) if leg.ended_at)
    (bob,) = running.carrier.calls(BOB)
    assert bob.invited_at - refused < AT_ONCE
    if code == 503:
        fault.measured("next rung after a 503", max(0.0, bob.invited_at - refused) * 1000, "ms")


@pytest.mark.settle(45)
@pytest.mark.parametrize("how", NOBODY_THERE)
def test_who_does_not_answer_is_given_up_in_time_and_the_next_is_rung(running: Site, how: str) -> None:
    behaviour, result, outcome = NOBODY_THERE[how]
    fleet = Fleet(running, mobiles={ALICE: behaviour, BOB: Answer(ring=0.1)})
    alone, in_turn = fleet.place(1, ALONE), fleet.place(1, IN_TURN, hang_up_after=0.1)
    fleet.check()
    (row,) = alone.rows()
    assert (row["outcome"], alone.attempts()[0]["result"]) == (outcome, result)
    (row,) = in_turn.rows()
    assert (row["outcome"], row["salesperson"]) == ("answered", "bob")
    assert in_turn.attempts()[0]["result"] == result
    assert in_turn.attempts()[-1]["result"] == "accepted"
    first = min(leg.invited_at for leg in running.carrier.calls(ALICE))
    (bob,) = running.carrier.calls(BOB)
    assert RINGS - 0.1 < bob.invited_at - first < RINGS + 1.0
    assert in_turn.dialogs()[in_turn.numbers[0]].codes[:2] == (100, 180), "the caller hears ringing all the while"


def test_the_next_person_rings_when_one_is_busy_and_one_does_not_answer(running: Site) -> None:
    running.mobiles({ALICE: BUSY, BOB: RingOut(), CAROL: Answer(ring=0.2)})
    call = running.call(IN_TURN, hang_up_after=0.1)
    row = call.ended()
    assert (row["outcome"], row["salesperson"]) == ("answered", "carol")
    assert call.results() == [("alice", "busy"), ("bob", "no_answer"), ("carol", "accepted")]
    (bob,) = running.carrier.calls(BOB)
    assert bob.took("INVITE", "CANCEL") == pytest.approx(RINGS, abs=0.7), "the ring timeout of the file"


def test_everybody_busy_is_busy(running: Site) -> None:
    running.mobiles({ALICE: BUSY, BOB: DECLINE, CAROL: BUSY})
    call = running.call(TOGETHER)
    assert call.ended()["outcome"] == "busy"
    assert call.dialog.final == 486
    assert sorted(call.results()) == [("alice", "busy"), ("bob", "declined"), ("carol", "busy")]


@pytest.mark.usefixtures("router_anew")
def test_a_trunk_that_does_not_reach_the_person_is_followed_by_the_next(running: Site) -> None:
    running.mobiles({ALICE: Refuse(503)})
    call = running.call(ALONE)
    call.ended()
    assert [attempt["trunk"] for attempt in call.attempts()] == ["main", "second"]
