"""What becomes of an earlier run's calls, and of what Asterisk holds for nobody."""

from __future__ import annotations

from dataclasses import replace

from router.call import step
from router.events import CallerLeft, LegDown
from router.ids import attempt_id, bridge_id, call_id
from router.model import AttemptRecord, Caller, CallRecord, HangupBy, Outcome, Path, Result
from router.records import attempt_records, call_record
from router.recovery import next_seq, orphans, recover
from router.state import Phase
from tests.calls import CALL_ID, Driver, leg_id, plan

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


def test_a_talk_is_taken_over_and_its_row_ends_with_true_times() -> None:
    found = recover([(TALKING, [TAKEN])], channels=frozenset(), in_app=frozenset(), at=500.0, wall=WALL)
    (call,) = found.adopted
    assert (call.phase, call.started_at, call.answered_at) == (Phase.TALKING, 400.0, 405.0)
    assert call.winner is not None
    call, _ = step(call, CallerLeft(520.0, 16))
    record = call_record(call)
    assert (record.outcome, record.hangup_by, record.salesperson) == (Outcome.ANSWERED, HangupBy.CALLER, "alice")
    assert (record.ended_at, record.ring_seconds, record.talk_seconds) == (1_700_000_120.0, 5.0, 115.0)
    assert attempt_records(call) == (replace(TAKEN, ended_at=1_700_000_120.0),)


def test_a_talk_taken_over_ends_when_its_leg_does() -> None:
    found = recover([(TALKING, [TAKEN])], channels=frozenset(), in_app=frozenset(), at=500.0, wall=WALL)
    call, _ = step(found.adopted[0], LegDown(510.0, TAKEN.id, cause=16))
    assert (call.outcome, call.hangup_by) == (Outcome.ANSWERED, HangupBy.SALESPERSON)


def test_a_caller_who_still_waits_is_rung_for_again() -> None:
    here = frozenset({ROW.channel})
    found = recover([(ROW, [])], channels=here, in_app=here, at=500.0, wall=WALL)
    assert (found.waiting, found.adopted, found.lost) == ((ROW,), (), ())


def test_a_caller_in_the_fallbacks_hands_is_left_to_it() -> None:
    found = recover([(ROW, [])], channels=frozenset({ROW.channel}), in_app=frozenset(), at=500.0, wall=WALL)
    assert (found.waiting, found.adopted, found.lost) == ((), (), ())


def test_a_caller_who_has_gone_ends_as_failed_with_every_attempt_closed() -> None:
    busy = replace(LEG, id=leg_id(2), seq=2, ended_at=1_700_000_002.0, result=Result.BUSY)
    found = recover([(ROW, [LEG, busy])], channels=frozenset(), in_app=frozenset(), at=500.0, wall=WALL)
    ((record, attempts),) = found.lost
    assert (record.outcome, record.ended_at, record.ring_seconds) == (Outcome.FAILED, WALL, 100.0)
    assert (record.hangup_by, record.talk_seconds) == (HangupBy.ROUTER, 0.0)
    assert attempts == (replace(LEG, ended_at=WALL, result=Result.FAILED), busy)


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
