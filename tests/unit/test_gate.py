"""The accept gate: only a human's key is an answer, in every way of ringing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from router.events import (
    CallerLeft,
    Connect,
    Connected,
    Engaged,
    Failed,
    Failure,
    Farewell,
    HangUpLeg,
    Key,
    LegDown,
    LegRinging,
    LegUp,
    Originate,
    StartTimer,
    StopTimer,
    Timer,
    TimerFired,
    Whisper,
)
from router.model import Accept, Outcome, Plan, Prompt, Result, Route
from router.state import Phase
from tests.calls import ACCEPT_TIMEOUT, Driver, gated, hunt, leg_id, plan

ONE, TWO, THREE = leg_id(1), leg_id(2), leg_id(3)


def results(call: Driver) -> list[Result | None]:
    return [leg.result for leg in call.call.legs]


def rung(call: Driver) -> list[str]:
    """Whom the last events rang."""
    return [command.salesperson for command in call.last if isinstance(command, Originate)]


def hears(*seconds: float) -> tuple[LegUp, ...]:
    return tuple(LegUp(at, leg_id(nth)) for nth, at in enumerate(seconds, 1))


# --- The key ----------------------------------------------------------------------------------------------


def test_an_answer_is_not_yet_a_human() -> None:
    call = Driver(gated("alice"))
    assert call.take(LegUp(105.0, ONE)) == (Whisper(ONE), StartTimer(Timer.ACCEPT, ACCEPT_TIMEOUT, ONE))
    assert call.call.phase is Phase.HUNTING
    assert call.call.winner is None


def test_the_key_connects() -> None:
    call = Driver(gated("alice"))
    call.take(LegUp(105.0, ONE), Key(108.0, ONE, "1"))
    assert call.last[2:] == (
        StopTimer(Timer.ACCEPT, ONE),
        Connect(ONE),
        StopTimer(Timer.RING),
        StopTimer(Timer.MAX_WAIT),
    )
    call.take(Connected(108.1, ONE), CallerLeft(120.0))
    assert (call.call.outcome, call.call.answered_at, results(call)) == (Outcome.ANSWERED, 108.0, [Result.ACCEPTED])


def test_a_mailbox_that_talks_on_is_not_an_answer_and_the_next_person_rings() -> None:
    call = Driver(gated("alice", "bob"))
    call.take(LegUp(105.0, ONE))
    assert call.take(TimerFired(120.0, Timer.ACCEPT, ONE))[0] == HangUpLeg(ONE)
    assert rung(call) == ["bob"]
    call.take(TimerFired(140.0, Timer.RING))
    assert results(call) == [Result.NOT_ACCEPTED, Result.UNREACHABLE]
    assert call.call.outcome is Outcome.NO_ANSWER


def test_a_mailbox_that_hangs_up_first_is_not_an_answer_either() -> None:
    call = Driver(gated("alice", "bob"))
    call.take(LegUp(105.0, ONE))
    call.take(LegDown(107.0, ONE, cause=16))
    assert call.last[0] == StopTimer(Timer.ACCEPT, ONE)
    assert (results(call), rung(call)) == ([Result.NOT_ACCEPTED, None], ["bob"])


def test_declined_by_key_the_person_is_not_rung_again_in_this_call() -> None:
    call = Driver(gated("alice bob", "alice", overflow=hunt("alice", "carol", accept=Accept.PRESS_1)))
    call.take(*hears(105.0, 105.0), Key(106.0, ONE, "2"))
    assert HangUpLeg(ONE) in call.last
    assert results(call) == [Result.DECLINED, None]
    call.take(TimerFired(121.0, Timer.ACCEPT, TWO))
    assert rung(call) == ["carol"], "the steps that are Alice's alone are passed over"


def test_declined_by_the_phone_the_person_is_not_rung_again_either() -> None:
    call = Driver(gated("alice", "alice bob"))
    call.take(LegDown(101.0, ONE, sip_status=603))
    assert rung(call) == ["bob"]


def test_another_key_means_nothing() -> None:
    call = Driver(gated("alice"))
    call.take(LegUp(105.0, ONE))
    assert call.take(Key(106.0, ONE, "5")) == ()


@pytest.mark.parametrize("key", ["1", "2"])
def test_a_key_counts_only_while_the_leg_listens(key: str) -> None:
    call = Driver(gated("alice", "bob"))
    assert call.take(Key(101.0, ONE, key), Key(101.0, "c-unknown", key), Key(101.0, "", key)) == ()
    call.take(LegUp(105.0, ONE), TimerFired(120.0, Timer.ACCEPT, ONE))
    assert call.take(Key(120.1, ONE, key)) == ()


def test_time_for_the_key_counts_only_while_the_leg_listens() -> None:
    call = Driver(gated("alice"))
    assert call.take(TimerFired(101.0, Timer.ACCEPT, ONE), TimerFired(101.0, Timer.ACCEPT, "c-unknown")) == ()
    call.take(LegUp(105.0, ONE), Key(106.0, ONE, "1"))
    assert call.take(TimerFired(120.0, Timer.ACCEPT, ONE)) == ()


def test_a_desk_phone_needs_no_key() -> None:
    call = Driver(plan("alice"))
    assert call.take(LegUp(105.0, ONE))[0] == Connect(ONE)


# --- Several at once --------------------------------------------------------------------------------------


def test_of_two_who_press_one_is_connected_and_the_other_hears_that_it_is_taken() -> None:
    call = Driver(gated("alice bob"))
    call.take(*hears(105.0, 105.2))
    call.take(Key(108.0, TWO, "1"), Key(108.05, ONE, "1"))
    assert call.told(Connect) == [Connect(TWO)]
    assert call.told(Farewell) == [Farewell(ONE, Prompt.TAKEN)]
    assert StopTimer(Timer.ACCEPT, ONE) in call.last
    assert results(call) == [Result.CANCELLED, Result.ACCEPTED]


def test_whoever_still_rings_just_stops() -> None:
    call = Driver(gated("alice bob"))
    call.take(LegUp(105.0, ONE), LegRinging(105.0, TWO), Key(106.0, ONE, "1"))
    assert HangUpLeg(TWO) in call.last
    assert not call.told(Farewell)


def test_a_mailbox_does_not_stop_the_phones_of_the_others() -> None:
    call = Driver(gated("alice bob"))
    call.take(LegRinging(101.0, TWO), LegUp(101.5, ONE))
    assert call.call.live_legs == call.call.legs
    assert not call.told(HangUpLeg)


def test_the_caller_leaves_and_whoever_listens_hears_it() -> None:
    call = Driver(gated("alice bob"))
    call.take(LegUp(105.0, ONE), CallerLeft(106.0))
    assert call.told(Farewell) == [Farewell(ONE, Prompt.CALLER_GONE)]
    assert call.told(HangUpLeg) == [HangUpLeg(TWO)]
    assert call.call.outcome is Outcome.ABANDONED


# --- Time -------------------------------------------------------------------------------------------------


def test_at_the_end_of_the_ring_whoever_listens_is_waited_for() -> None:
    call = Driver(gated("alice bob", "carol"))
    call.take(LegUp(118.0, ONE), LegRinging(110.0, TWO))
    call.take(TimerFired(120.0, Timer.RING))
    assert call.last == (HangUpLeg(TWO),)
    call.take(Key(122.0, ONE, "1"))
    assert call.told(Connect) == [Connect(ONE)]


def test_and_when_he_does_not_press_the_next_people_ring() -> None:
    call = Driver(gated("alice", "bob"))
    call.take(LegUp(118.0, ONE), TimerFired(120.0, Timer.RING))
    assert call.last[2:] == ()
    call.take(TimerFired(133.0, Timer.ACCEPT, ONE))
    assert rung(call) == ["bob"]


def test_max_wait_ends_the_listening_too() -> None:
    call = Driver(gated("alice bob"))
    call.take(LegUp(155.0, ONE), LegRinging(101.0, TWO), TimerFired(160.0, Timer.MAX_WAIT))
    assert results(call) == [Result.NOT_ACCEPTED, Result.NO_ANSWER]
    assert {HangUpLeg(ONE), HangUpLeg(TWO), StopTimer(Timer.ACCEPT, ONE)} <= set(call.last)
    assert call.call.outcome is Outcome.NO_ANSWER


# --- Steps that add people --------------------------------------------------------------------------------


def test_a_step_may_ring_somebody_as_well() -> None:
    call = Driver(gated("alice", "+bob", "+carol", timeout=10.0))
    assert next(each for each in call.commands if isinstance(each, Originate)).timeout == 35.0, "through all three"
    call.take(LegRinging(101.0, ONE), TimerFired(110.0, Timer.RING))
    assert (rung(call), call.told(HangUpLeg)) == (["bob"], [])
    call.take(TimerFired(120.0, Timer.RING))
    assert rung(call) == ["carol"]
    call.take(Key(121.0, ONE, "1"), LegUp(122.0, ONE), Key(123.0, ONE, "1"))
    assert results(call) == [Result.ACCEPTED, Result.CANCELLED, Result.CANCELLED]


def test_when_everybody_has_refused_the_next_are_rung_at_once() -> None:
    call = Driver(gated("alice", "+bob"))
    call.take(LegDown(102.0, ONE, sip_status=486))
    assert rung(call) == ["bob"]


def test_a_step_that_adds_nobody_new_still_takes_its_time() -> None:
    call = Driver(gated("alice", "+alice", "bob", timeout=10.0))
    call.take(LegRinging(101.0, ONE), TimerFired(110.0, Timer.RING))
    assert call.last[-1:] == (StartTimer(Timer.RING, 10.0),)
    assert rung(call) == []
    call.take(TimerFired(120.0, Timer.RING))
    assert (rung(call), results(call)) == (["bob"], [Result.NO_ANSWER, None])


# --- Overflow ---------------------------------------------------------------------------------------------


def test_nobody_of_the_campaign_takes_it_and_the_overflow_rings_with_a_wait_of_its_own() -> None:
    call = Driver(gated("alice", overflow=hunt("carol", max_wait=30.0)))
    call.take(LegRinging(101.0, ONE), TimerFired(120.0, Timer.RING))
    assert StartTimer(Timer.MAX_WAIT, 30.0) in call.last
    assert rung(call) == ["carol"]
    call.take(LegUp(125.0, TWO), Connected(125.1, TWO))
    assert call.call.phase is Phase.TALKING


def test_max_wait_of_the_campaign_leads_to_the_overflow_too() -> None:
    call = Driver(gated("alice", "bob", overflow=hunt("carol")))
    call.take(TimerFired(160.0, Timer.MAX_WAIT))
    assert rung(call) == ["carol"]
    call.take(TimerFired(220.0, Timer.MAX_WAIT))
    assert call.call.outcome is not None


def test_who_accepted_and_left_at_once_leaves_what_is_left_of_this_hunt() -> None:
    call = Driver(plan("alice", overflow=hunt("carol", "dave", max_wait=30.0)))
    call.take(TimerFired(120.0, Timer.RING), LegUp(130.0, TWO), LegDown(130.5, TWO))
    assert StartTimer(Timer.MAX_WAIT, 19.5) in call.last
    assert rung(call) == ["carol", "dave"]


# --- Capacity ---------------------------------------------------------------------------------------------


def test_who_is_on_a_call_counts_as_busy_and_the_next_rings() -> None:
    call = Driver(gated("alice", "bob"))
    call.take(Failed(100.1, call.commands[2], Failure.ENGAGED))
    assert (results(call), rung(call), call.call.legs[0].gone) == ([Result.BUSY, None], ["bob"], True)


def test_who_takes_another_call_stops_ringing_for_this_one() -> None:
    call = Driver(gated("alice", "bob"))
    call.take(LegRinging(101.0, ONE), Engaged(103.0, ONE))
    assert (call.last[0], results(call), rung(call)) == (HangUpLeg(ONE), [Result.BUSY, None], ["bob"])
    assert call.take(Engaged(104.0, ONE), Engaged(104.0, "c-unknown")) == ()
    call.take(LegUp(105.0, TWO))
    assert call.take(Engaged(106.0, TWO)) == (), "what was answered is left alone"


def test_a_late_refusal_of_a_leg_that_was_answered_changes_nothing() -> None:
    call = Driver(gated("alice"))
    call.take(LegUp(105.0, ONE))
    assert call.take(Failed(106.0, call.commands[2], Failure.ERROR)) == ()


# --- The caller ID ----------------------------------------------------------------------------------------


def shown(mode: str, trunk: str, *, refused_only: bool = False) -> Route:
    return Route(trunk, f"PJSIP/alice@{trunk}", "", mode, refused_only=refused_only)


def two_trunks() -> Plan:
    """Alice over two trunks with the caller's number, and as ours where that is refused."""
    made = gated("alice", "bob")
    (first, second) = made.hunts[0].steps
    routes = (
        shown("caller", "main"),
        shown("did", "main", refused_only=True),
        shown("caller", "backup"),
        shown("did", "backup", refused_only=True),
    )
    steps = (replace(first, targets=(replace(first.targets[0], routes=routes),)), second)
    return replace(made, hunts=(replace(made.hunts[0], steps=steps),))


def test_refused_for_its_caller_id_it_is_dialled_once_more_as_ours() -> None:
    call = Driver(two_trunks())
    call.take(LegDown(100.2, ONE, sip_status=403))
    assert [leg.route for leg in call.call.legs][1:] == [shown("did", "main", refused_only=True)]
    call.take(LegDown(100.4, TWO, sip_status=403))
    assert call.call.legs[-1].route == shown("caller", "backup"), "once, then the next trunk"


def test_refused_for_anything_else_the_next_trunk_is_tried() -> None:
    call = Driver(two_trunks())
    call.take(LegDown(100.2, ONE, sip_status=503))
    assert call.call.legs[-1].route == shown("caller", "backup")
    call.take(LegDown(100.4, TWO, sip_status=404))
    assert rung(call) == ["bob"], "no trunk is left"
