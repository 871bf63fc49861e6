"""What becomes of an earlier run's calls, and of what Asterisk holds for nobody."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from router.call import step, take_up
from router.events import (
    CallerLeft,
    Command,
    Connect,
    Found,
    HangUpLeg,
    LegDown,
    LegUp,
    Originate,
    Save,
    Stage,
    StartTimer,
    Timer,
    TimerFired,
    Whisper,
)
from router.ids import attempt_id, bridge_id, call_id
from router.model import AttemptRecord, Caller, CallRecord, Departure, HangupBy, Outcome, Path, Plan, Result
from router.records import attempt_records, call_record
from router.recovery import Recovered, next_seq, orphans, recover, taken_up
from router.state import Call, Phase
from tests.calls import ACCEPT_TIMEOUT, CALL_ID, Driver, decision, gated, hunt, leg_id, plan

WALL = 1_700_000_100.0
ROW = CallRecord(
    id=CALL_ID,
    started_at=1_700_000_000.0,
    did="+33184801001",
    campaign="flyer",
    caller=Caller("+33611111111"),
    path=Path.ARI,
    config_version="cafe",
    node="node",
    channel="1700000000.1",
)
LEG = AttemptRecord(leg_id(1), 1, "alice", "main", 1_700_000_000.0, ringing_at=1_700_000_001.0)
TALKING = replace(ROW, answered_at=1_700_000_005.0, salesperson="alice", ring_seconds=5.0)
TAKEN = replace(
    LEG, answered_at=1_700_000_005.0, accepted_at=1_700_000_005.0, result=Result.ACCEPTED, caller_id="did"
)


def recovered(
    row: CallRecord,
    *attempts: AttemptRecord,
    channels: frozenset[str] = frozenset(),
    in_app: frozenset[str] = frozenset(),
    left: Departure | None = None,
) -> Recovered:
    """What becomes of one row; `left` is what is known of how its caller left."""
    rows = [(row, attempts)]
    return recover(rows, channels=channels, in_app=in_app, at=500.0, wall=WALL, end_of=lambda _: left)


def test_a_talk_is_taken_over_and_its_row_ends_with_true_times() -> None:
    found = recovered(TALKING, TAKEN)
    (call,) = found.adopted
    assert (call.phase, call.started_at, call.answered_at) == (Phase.TALKING, 400.0, 405.0)
    assert call.winner is not None
    call, _ = step(call, CallerLeft(520.0, 16))
    record = call_record(call)
    assert (record.outcome, record.hangup_by, record.salesperson) == (Outcome.ANSWERED, HangupBy.CALLER, "alice")
    assert (record.ended_at, record.ring_seconds, record.talk_seconds) == (1_700_000_120.0, 5.0, 115.0)
    assert attempt_records(call) == (replace(TAKEN, ended_at=1_700_000_120.0),)


def test_a_talk_taken_over_ends_when_its_leg_does() -> None:
    found = recovered(TALKING, TAKEN)
    call, _ = step(found.adopted[0], LegDown(510.0, TAKEN.id, cause=16))
    assert (call.outcome, call.hangup_by) == (Outcome.ANSWERED, HangupBy.SALESPERSON)


def test_a_caller_who_still_waits_is_told_from_one_who_has_gone() -> None:
    here = frozenset({ROW.channel})
    found = recovered(ROW, channels=here, in_app=here)
    assert (found.waiting, found.adopted, found.lost) == (((ROW, ()),), (), ())


def test_a_caller_in_the_fallbacks_hands_is_left_to_it() -> None:
    found = recovered(ROW, channels=frozenset({ROW.channel}))
    assert (found.waiting, found.adopted, found.lost) == ((), (), ())


def test_a_caller_who_has_gone_ends_as_failed_with_every_attempt_closed() -> None:
    busy = replace(LEG, id=leg_id(2), seq=2, ended_at=1_700_000_002.0, result=Result.BUSY)
    found = recovered(ROW, LEG, busy)
    ((record, attempts),) = found.lost
    assert (record.outcome, record.ended_at, record.ring_seconds) == (Outcome.FAILED, WALL, 100.0)
    assert (record.hangup_by, record.talk_seconds) == (HangupBy.ROUTER, 0.0)
    assert attempts == (replace(LEG, ended_at=WALL, result=Result.FAILED), busy)


# --- A call that waits ------------------------------------------------------------------------------------

AT = 105.0
"""When the new run finds out what lives, on the clock on which the call began at 100."""


def dialled(seq: int, name: str, **more: Any) -> AttemptRecord:
    return AttemptRecord(leg_id(seq), seq, name, "main", 1_700_000_000.0 + seq, **more)


def waiting(plan: Plan | None, *attempts: AttemptRecord, refused: Outcome | None = None) -> Call:
    call = Call(CALL_ID, decision(plan, refused), "1700000000.1", 100.0, 1_700_000_000.0, "cafe", "node")
    return taken_up(call, attempts)


def found(ringing: Iterable[int] = (), up: Iterable[int] = (), bridged: Iterable[int] = ()) -> Found:
    return Found(AT, True, _legs(ringing), _legs(up), _legs(bridged))


def _legs(which: Iterable[int]) -> frozenset[str]:
    return frozenset(map(leg_id, which))


def dialled_now(commands: Iterable[Command]) -> list[str]:
    return [command.salesperson for command in commands if isinstance(command, Originate)]


def timers(commands: Iterable[Command]) -> dict[Timer, float]:
    return {command.timer: command.seconds for command in commands if isinstance(command, StartTimer)}


def test_a_phone_that_rings_rings_on_for_what_it_had_left() -> None:
    call, commands = take_up(waiting(plan("alice", "bob"), dialled(1, "alice")), found(ringing=[1]))
    assert commands[0] == Save(Stage.HUNTING)
    assert timers(commands) == {Timer.MAX_WAIT: 55.0, Timer.RING: 16.0}
    assert dialled_now(commands) == []
    call, commands = step(call, TimerFired(121.0, Timer.RING))
    assert call.legs[0].result is Result.NO_ANSWER
    assert dialled_now(commands) == ["bob"]


def test_a_human_who_answers_after_the_crash_is_connected() -> None:
    call, _ = take_up(waiting(plan("alice"), dialled(1, "alice")), found(ringing=[1]))
    _, commands = step(call, LegUp(106.0, leg_id(1)))
    assert Connect(leg_id(1)) in commands


def test_whoever_answered_meanwhile_is_connected_at_once() -> None:
    call, commands = take_up(waiting(plan("alice"), dialled(1, "alice")), found(up=[1]))
    assert Connect(leg_id(1)) in commands
    assert call.phase is Phase.CONNECTING


def test_whoever_was_listening_is_told_anew_and_has_the_whole_time_for_the_key() -> None:
    heard = dialled(1, "alice", answered_at=1_700_000_003.0)
    _, commands = take_up(waiting(gated("alice"), heard), found(up=[1]))
    assert Whisper(leg_id(1)) in commands
    assert timers(commands)[Timer.ACCEPT] == ACCEPT_TIMEOUT


def test_nobody_is_dialled_twice_and_the_others_are_still_to_come() -> None:
    """Today's order is another one than the earlier run's, as round-robin's is."""
    before = (dialled(1, "carol", result=Result.BUSY, ended_at=1_700_000_002.0), dialled(2, "alice"))
    call, commands = take_up(waiting(plan("alice", "bob", "carol"), *before), found())
    assert (call.legs[1].result, dialled_now(commands)) == (Result.FAILED, ["bob"])
    call, commands = step(call, LegDown(107.0, leg_id(3), sip_status=486))
    assert (call.phase, dialled_now(commands)) == (Phase.ENDED, [])


def test_all_were_dialled_and_none_is_left() -> None:
    over = dialled(1, "alice", result=Result.NO_ANSWER, ended_at=1_700_000_004.0)
    call, _ = take_up(waiting(plan("alice"), over), found())
    assert (call.phase, call.outcome) == (Phase.ENDED, Outcome.NO_ANSWER)


def test_steps_written_by_hand_keep_their_order() -> None:
    call, commands = take_up(waiting(plan("alice", "+bob", timeout=10.0), dialled(1, "alice")), found(ringing=[1]))
    assert (call.step, dialled_now(commands)) == (0, [])
    call, commands = step(call, TimerFired(111.0, Timer.RING))
    assert dialled_now(commands) == ["bob"]
    assert [leg.live for leg in call.legs] == [True, True]


def test_the_overflow_goes_on_where_it_was() -> None:
    over = dialled(1, "alice", result=Result.NO_ANSWER, ended_at=1_700_000_002.0)
    made = waiting(plan("alice", overflow=hunt("bob", max_wait=30.0)), over, dialled(2, "bob"))
    assert (made.hunt, made.hunt_at) == (1, 102.0)
    _, commands = take_up(made, found(ringing=[2]))
    assert timers(commands) == {Timer.MAX_WAIT: 27.0, Timer.RING: 17.0}


def test_a_person_who_is_no_longer_in_the_file_rings_on() -> None:
    call, commands = take_up(waiting(plan("alice"), dialled(1, "dave")), found(ringing=[1]))
    assert (call.step, dialled_now(commands)) == (-1, [])
    _, commands = step(call, TimerFired(121.0, Timer.RING))
    assert dialled_now(commands) == ["alice"]


def test_an_accepted_leg_is_connected_or_the_hunt_goes_on() -> None:
    took = dialled(1, "alice", answered_at=1_700_000_002.0, accepted_at=1_700_000_003.0, result=Result.ACCEPTED)
    made = waiting(gated("alice", "bob"), took)
    assert made.phase is Phase.CONNECTING
    _, commands = take_up(made, found(up=[1]))
    assert Connect(leg_id(1)) in commands
    talking, commands = take_up(made, found(up=[1], bridged=[1]))
    assert (talking.phase, talking.answered_at) == (Phase.TALKING, 103.0)
    assert commands == (Save(Stage.HUNTING), Save(Stage.ANSWERED))
    _, commands = take_up(made, found())
    assert dialled_now(commands) == ["bob"]


def test_a_call_that_today_nobody_is_rung_for_stops_ringing() -> None:
    made = waiting(None, dialled(1, "alice"), refused=Outcome.CLOSED)
    call, commands = take_up(made, found(ringing=[1]))
    assert HangUpLeg(leg_id(1)) in commands
    assert (call.outcome, call.legs[0].result) == (Outcome.CLOSED, Result.CANCELLED)


def test_the_way_that_was_dialled_is_known_again() -> None:
    again = dialled(1, "alice", caller_id="did", note="again")
    assert waiting(plan("alice"), again).legs[0].route.refused_only
    assert waiting(plan("alice"), dialled(1, "alice")).legs[0].route.endpoint == "PJSIP/alice@main"


@pytest.mark.parametrize(("end", "said"), [(1_700_000_050.0, 50.0), (1_600_000_000.0, 1.0), (WALL + 50.0, 100.0)])
def test_a_caller_who_has_gone_left_when_it_is_known_that_he_left(end: float, said: float) -> None:
    """But not before what is known of the call: the phone rang for him after a second."""
    lost = recovered(ROW, LEG, left=Departure(end))
    ((record, attempts),) = lost.lost
    assert (record.ring_seconds, record.ended_at) == (said, ROW.started_at + said)
    assert attempts[0].ended_at == record.ended_at


@pytest.mark.parametrize(
    ("caller", "up", "outcome", "talked"),
    [
        (ROW.caller, True, Outcome.ANSWERED, 45.0),
        (ROW.caller, False, Outcome.FAILED, 0.0),
        (Caller(None), True, Outcome.FAILED, 0.0),
    ],
    ids=["picked up", "never picked up", "perhaps for the challenge"],
)
def test_who_was_picked_up_for_somebody_who_accepted_has_talked(
    caller: Caller, up: bool, outcome: Outcome, talked: float
) -> None:
    """Killed between the request to connect them and its answer."""
    left = Departure(1_700_000_050.0, up)
    ((record, (attempt,)),) = recovered(replace(ROW, caller=caller), TAKEN, left=left).lost
    assert (record.outcome, record.talk_seconds, record.ended_at) == (outcome, talked, left.at)
    if outcome is Outcome.ANSWERED:
        assert (record.salesperson, record.answered_at, record.ring_seconds) == ("alice", TAKEN.accepted_at, 5.0)
        assert record.hangup_by is HangupBy.CALLER
        assert attempt == replace(TAKEN, ended_at=left.at)
    else:
        assert (record.salesperson, record.answered_at) == (None, None)
        assert attempt == replace(TAKEN, accepted_at=None, ended_at=left.at, result=Result.FAILED)


def test_who_may_have_been_picked_up_for_somebody_else_has_not_talked() -> None:
    lost_at_once = replace(LEG, id=leg_id(2), seq=2, answered_at=1_700_000_004.0, ended_at=1_700_000_004.5)
    earlier = replace(lost_at_once, result=Result.NOT_ACCEPTED)
    ((record, _),) = recovered(ROW, earlier, TAKEN, left=Departure(1_700_000_050.0, up=True)).lost
    assert record.outcome is Outcome.FAILED


def test_who_was_picked_up_to_hear_words_has_not_talked_to_whom_was_given_up_before() -> None:
    """A router that was started in between, with another configuration, had sent Alice away."""
    sent_away = replace(TAKEN, ended_at=1_700_000_006.0, result=Result.CANCELLED)
    ((record, attempts),) = recovered(ROW, sent_away, left=Departure(1_700_000_050.0, up=True)).lost
    assert (record.outcome, record.answered_at) == (Outcome.FAILED, None)
    assert attempts == (sent_away,)


def test_orphans_are_ours_and_of_no_call() -> None:
    other = call_id(1_700_000_000.0, 7)
    hunting = Driver(plan("alice")).call
    ended, _ = step(replace(hunting, id=other), CallerLeft(101.0))
    calls = {hunting.id: hunting, other: ended}
    stranger = call_id(1_700_000_000.0, 8)
    legs, bridges = orphans(
        [hunting.channel, leg_id(1), leg_id(9), attempt_id(stranger, 1), "1700000000.77"],
        [bridge_id(hunting.id), bridge_id(other), bridge_id(stranger), "somebody-elses"],
        calls,
    )
    assert legs == (leg_id(9), attempt_id(stranger, 1))
    assert bridges == (bridge_id(other), bridge_id(stranger))


def test_a_leg_id_is_never_used_twice() -> None:
    assert next_seq(CALL_ID, ["1700000000.1"]) == 1
    assert next_seq(CALL_ID, [leg_id(2), leg_id(1), attempt_id(call_id(1.0, 1), 9)]) == 3
