"""The state machine of one call, case by case: who is rung, who takes it, and how it ends."""

from __future__ import annotations

import pytest

from router.call import step
from router.events import (
    CallerLeft,
    Connect,
    Connected,
    Disconnect,
    Event,
    Failed,
    Failure,
    HangUpCaller,
    HangUpLeg,
    LegDown,
    LegRinging,
    LegUp,
    Originate,
    RingBack,
    Save,
    Stage,
    StartTimer,
    StopTimer,
    Timer,
    TimerFired,
)
from router.model import HangupBy, Outcome, Result, Route
from router.state import Phase
from tests.calls import ONE, TWO, Driver, dialled, leg_id, plan, results, talking

# --- Arrival ----------------------------------------------------------------------------------------------


def test_a_call_is_written_before_anybody_is_dialled_and_waits_no_longer_than_max_wait() -> None:
    hunt = Driver(plan("alice", "bob"))
    assert hunt.commands == [
        Save(Stage.OPENED),
        StartTimer(Timer.MAX_WAIT, 60.0),
        dialled(1, "alice"),
        StartTimer(Timer.RING, 20.0),
    ]


def test_a_step_rings_its_people_together() -> None:
    hunt = Driver(plan("alice bob"))
    assert [command for command in hunt.commands if isinstance(command, Originate)] == [
        dialled(1, "alice"),
        dialled(2, "bob"),
    ]


@pytest.mark.parametrize(
    ("refused", "reason"),
    [(Outcome.CLOSED, "no_answer"), (Outcome.UNREACHABLE, "congestion"), (Outcome.BLOCKED, "busy")],
)
def test_a_refused_call_has_its_row_and_its_end_at_once(refused: Outcome, reason: str) -> None:
    hunt = Driver(None, refused)
    assert hunt.commands[0] == Save(Stage.OPENED)
    assert HangUpCaller(reason) in hunt.commands
    assert hunt.commands[-1] == Save(Stage.ENDED)
    assert (hunt.call.outcome, hunt.call.hangup_by, hunt.call.legs) == (refused, HangupBy.ROUTER, ())


def test_a_call_taken_over_from_an_earlier_run_does_not_use_its_leg_ids_again() -> None:
    hunt = Driver(plan("alice bob", "carol"), first_seq=3)
    assert [leg.id for leg in hunt.call.legs] == [leg_id(3), leg_id(4)]
    hunt.take(TimerFired(120.0, Timer.RING))
    assert hunt.call.legs[-1].id == leg_id(5)


# --- Somebody takes it ------------------------------------------------------------------------------------


def test_the_caller_is_answered_only_when_a_leg_is_up() -> None:
    hunt = Driver(plan("alice"))
    assert hunt.take(LegRinging(101.0, ONE)) == ()
    assert hunt.take(LegUp(105.0, ONE)) == (Connect(ONE), StopTimer(Timer.RING), StopTimer(Timer.MAX_WAIT))
    assert not hunt.call.answered_at
    assert hunt.take(Connected(105.1, ONE)) == (Save(Stage.ANSWERED),)
    assert (hunt.call.phase, hunt.call.answered_at) == (Phase.TALKING, 105.0)


def test_the_first_of_two_wins_and_the_other_stops_ringing() -> None:
    hunt = Driver(plan("alice bob"))
    hunt.take(LegUp(105.0, TWO))
    assert hunt.told(HangUpLeg) == [HangUpLeg(ONE)]
    assert results(hunt) == [Result.CANCELLED, Result.ACCEPTED]
    assert hunt.take(LegUp(105.01, ONE)) == (HangUpLeg(ONE),), "an answer that came too late is not a second winner"
    assert results(hunt) == [Result.CANCELLED, Result.ACCEPTED]


def test_the_salesperson_hangs_up() -> None:
    hunt = talking(Driver(plan("alice")))
    hunt.take(LegDown(130.0, ONE, cause=16))
    assert hunt.last == (HangUpCaller("normal"), Disconnect(), Save(Stage.ENDED))
    assert (hunt.call.outcome, hunt.call.hangup_by, hunt.call.cause) == (Outcome.ANSWERED, HangupBy.SALESPERSON, 16)
    assert (results(hunt), hunt.call.legs[0].ended_at) == ([Result.ACCEPTED], 130.0)


def test_the_caller_hangs_up() -> None:
    hunt = talking(Driver(plan("alice")))
    hunt.take(CallerLeft(130.0, 16))
    assert hunt.last == (HangUpLeg(ONE), Disconnect(), Save(Stage.ENDED))
    assert (hunt.call.outcome, hunt.call.hangup_by) == (Outcome.ANSWERED, HangupBy.CALLER)
    assert results(hunt) == [Result.ACCEPTED]


def test_a_call_is_settled_when_every_channel_is_gone() -> None:
    hunt = talking(Driver(plan("alice bob")))
    hunt.take(CallerLeft(130.0))
    assert not hunt.call.settled
    hunt.take(LegDown(130.1, ONE))
    assert not hunt.call.settled
    hunt.take(LegDown(130.2, TWO))
    assert hunt.call.settled


def test_a_phone_that_answers_and_drops_at_once_does_not_end_the_hunt() -> None:
    hunt = Driver(plan("alice", "bob"))
    hunt.take(LegUp(105.0, ONE), LegDown(105.05, ONE, cause=16))
    assert hunt.last[-5:] == (
        Disconnect(),
        RingBack(),
        StartTimer(Timer.MAX_WAIT, 54.95),
        dialled(2, "bob"),
        StartTimer(Timer.RING, 20.0),
    )
    assert (hunt.call.phase, results(hunt)) == (Phase.HUNTING, [Result.NOT_ACCEPTED, None])


# --- Nobody takes it --------------------------------------------------------------------------------------


def test_rung_out_the_next_person_rings() -> None:
    hunt = Driver(plan("alice", "bob"))
    hunt.take(LegRinging(101.0, ONE), TimerFired(120.0, Timer.RING))
    assert hunt.last == (HangUpLeg(ONE), dialled(2, "bob"), StartTimer(Timer.RING, 20.0))
    assert results(hunt) == [Result.NO_ANSWER, None]


@pytest.mark.parametrize(
    ("status", "result", "outcome"),
    [
        (486, Result.BUSY, Outcome.BUSY),
        (603, Result.DECLINED, Outcome.BUSY),
        (480, Result.NO_ANSWER, Outcome.NO_ANSWER),
        (404, Result.UNREACHABLE, Outcome.UNREACHABLE),
        (503, Result.UNREACHABLE, Outcome.UNREACHABLE),
    ],
)
def test_refused_by_everybody_the_call_ends_as_they_refused(status: int, result: Result, outcome: Outcome) -> None:
    hunt = Driver(plan("alice", "bob"))
    hunt.take(LegDown(101.0, ONE, sip_status=status))
    assert hunt.told(Originate) == [dialled(2, "bob")]
    hunt.take(LegDown(102.0, TWO, sip_status=status))
    assert results(hunt) == [result, result]
    assert (hunt.call.outcome, hunt.call.hangup_by) == (outcome, HangupBy.ROUTER)
    assert hunt.last[-1] == Save(Stage.ENDED)


def test_one_refusal_of_two_waits_for_the_other() -> None:
    hunt = Driver(plan("alice bob", "carol"))
    assert hunt.take(LegDown(101.0, ONE, sip_status=486)) == ()
    hunt.take(LegDown(102.0, TWO, sip_status=486))
    assert hunt.told(Originate) == [dialled(3, "carol")]


def test_the_next_trunk_is_tried_only_for_a_person_that_was_not_reached() -> None:
    hunt = Driver(plan("alice", trunks=("main", "backup")))
    hunt.take(LegDown(101.0, ONE, sip_status=503))
    assert hunt.last == (dialled(2, "alice", "backup"),)
    hunt.take(LegDown(102.0, TWO, sip_status=486))
    assert hunt.call.outcome is Outcome.BUSY
    assert [leg.route.trunk for leg in hunt.call.legs] == ["main", "backup"]


def test_a_leg_that_cannot_be_created_goes_to_the_next_trunk() -> None:
    hunt = Driver(plan("alice", trunks=("main", "backup")))
    first = hunt.commands[2]
    hunt.take(Failed(100.1, first, Failure.NOT_PLACED))
    assert hunt.last == (dialled(2, "alice", "backup"),)
    assert hunt.call.legs[0].gone


def test_max_wait_ends_the_hunt_whoever_still_rings() -> None:
    hunt = Driver(plan("alice bob", "carol"))
    hunt.take(LegRinging(101.0, ONE), LegRinging(101.0, TWO), TimerFired(160.0, Timer.MAX_WAIT))
    assert hunt.told(HangUpLeg) == [HangUpLeg(ONE), HangUpLeg(TWO)]
    assert (hunt.call.outcome, results(hunt)) == (Outcome.NO_ANSWER, [Result.NO_ANSWER, Result.NO_ANSWER])


def test_the_caller_leaves_while_it_rings() -> None:
    hunt = Driver(plan("alice bob"))
    hunt.take(CallerLeft(103.0, 16))
    assert hunt.last == (
        HangUpLeg(ONE),
        HangUpLeg(TWO),
        StopTimer(Timer.RING),
        StopTimer(Timer.MAX_WAIT),
        Save(Stage.ENDED),
    )
    assert (hunt.call.outcome, hunt.call.hangup_by) == (Outcome.ABANDONED, HangupBy.CALLER)
    assert results(hunt) == [Result.CANCELLED, Result.CANCELLED]


def test_the_caller_leaves_between_the_answer_and_the_bridge() -> None:
    hunt = Driver(plan("alice"))
    hunt.take(LegUp(105.0, ONE), CallerLeft(105.01))
    assert (hunt.call.outcome, results(hunt)) == (Outcome.ABANDONED, [Result.CANCELLED])
    assert HangUpLeg(ONE) in hunt.last
    assert hunt.take(Connected(105.02, ONE)) == ()


# --- What means nothing -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "event",
    [
        LegRinging(110.0, "c-unknown"),
        LegUp(110.0, "c-unknown"),
        LegDown(110.0, "c-unknown"),
        Connected(110.0, ONE),
        Failed(110.0, Originate("c-unknown", "", 1, Route("main", "", ""), 1.0), Failure.ERROR),
        Failed(110.0, HangUpLeg(ONE), Failure.LINK),
        Failed(110.0, Disconnect(), Failure.GONE),
        Failed(110.0, Connect(ONE), Failure.ERROR),
    ],
    ids=lambda event: type(event).__name__,
)
def test_an_event_that_means_nothing_changes_nothing(event: Event) -> None:
    hunt = Driver(plan("alice"))
    before = hunt.call
    assert hunt.take(event) == ()
    assert hunt.call == before


def test_the_same_event_twice_is_one() -> None:
    hunt = Driver(plan("alice", "bob"))
    hunt.take(LegRinging(101.0, ONE), LegRinging(102.0, ONE))
    assert hunt.call.legs[0].ringing_at == 101.0
    hunt.take(LegUp(105.0, ONE))
    assert hunt.take(LegUp(106.0, ONE)) == ()
    hunt.take(Connected(106.0, ONE), CallerLeft(107.0))
    ended = hunt.call
    assert hunt.take(CallerLeft(108.0), TimerFired(109.0, Timer.RING), TimerFired(109.0, Timer.MAX_WAIT)) == ()
    assert hunt.call == ended
    hunt.take(LegDown(110.0, ONE))
    assert hunt.take(LegDown(111.0, ONE), LegUp(112.0, ONE)) == ()


def test_a_leg_that_rings_after_its_end_is_not_said_to_have_rung() -> None:
    hunt = Driver(plan("alice", "bob"))
    hunt.take(TimerFired(120.0, Timer.RING), LegRinging(120.1, ONE))
    assert hunt.call.legs[0].ringing_at is None


def test_a_phone_that_never_rang_was_not_reached() -> None:
    hunt = Driver(plan("alice"))
    hunt.take(TimerFired(120.0, Timer.RING))
    assert (results(hunt), hunt.call.outcome) == ([Result.UNREACHABLE], Outcome.UNREACHABLE)


# --- What a next run must know ----------------------------------------------------------------------------


def test_it_is_saved_who_is_dialled_before_anybody_is() -> None:
    call = Driver(plan("alice", "bob")).call
    call, commands = step(call, LegDown(101.0, leg_id(1), sip_status=486))
    assert commands[0] == Save(Stage.HUNTING)
    assert [type(command) for command in commands[1:]] == [Originate, StartTimer]
    call, commands = step(call, LegRinging(102.0, leg_id(2)))
    assert commands == (), "a phone that rings changes nothing that a next run would do"
    call, commands = step(call, LegUp(103.0, leg_id(2)))
    assert commands[0] == Save(Stage.HUNTING)
    call, commands = step(call, CallerLeft(104.0))
    assert [command for command in commands if isinstance(command, Save)] == [Save(Stage.ENDED)]
