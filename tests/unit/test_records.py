"""A call as rows."""

from __future__ import annotations

from router.events import CallerLeft, Connected, LegDown, LegRinging, LegUp, Timer, TimerFired
from router.model import Outcome, Path, Result
from router.records import attempt_records, call_record
from tests.calls import CALL_ID, Driver, leg_id, plan

START = 1_700_000_000.0


def test_a_call_that_has_just_arrived() -> None:
    record = call_record(Driver(plan("alice")).call)
    assert (record.id, record.started_at, record.did, record.campaign) == (CALL_ID, START, "+33184801001", "flyer")
    assert (record.path, record.config_version, record.node, record.channel) == (
        Path.ARI,
        "cafe",
        "node",
        "1700000000.1",
    )
    assert record.outcome is None
    assert record.ended_at is record.answered_at is record.ring_seconds is record.talk_seconds is None


def test_a_talk_in_progress_has_its_human_and_no_end() -> None:
    hunt = Driver(plan("alice"))
    hunt.take(LegUp(105.0, leg_id(1)), Connected(105.2, leg_id(1)))
    record = call_record(hunt.call)
    assert (record.salesperson, record.answered_at, record.ring_seconds) == ("alice", START + 5, 5.0)
    assert record.talk_seconds is record.ended_at is None


def test_an_answered_call() -> None:
    hunt = Driver(plan("alice", "bob"))
    hunt.take(LegRinging(101.0, leg_id(1)), TimerFired(120.0, Timer.RING), LegRinging(121.0, leg_id(2)))
    hunt.take(LegUp(125.0, leg_id(2)), Connected(125.1, leg_id(2)), LegDown(185.0, leg_id(2), cause=16))
    record = call_record(hunt.call)
    assert (record.outcome, record.salesperson, record.cause) == (Outcome.ANSWERED, "bob", 16)
    assert (record.ring_seconds, record.talk_seconds, record.ended_at) == (25.0, 60.0, START + 85)
    alice, bob = attempt_records(hunt.call)
    assert (alice.seq, alice.salesperson, alice.trunk, alice.result) == (1, "alice", "main", Result.NO_ANSWER)
    assert (alice.started_at, alice.ringing_at, alice.ended_at) == (START, START + 1, START + 20)
    assert (bob.answered_at, bob.accepted_at, bob.ended_at) == (START + 25, START + 25, START + 85)


def test_an_abandoned_call_was_answered_by_nobody() -> None:
    hunt = Driver(plan("alice"))
    hunt.take(LegUp(105.0, leg_id(1)), CallerLeft(105.1))
    record = call_record(hunt.call)
    assert (record.outcome, record.salesperson, record.answered_at) == (Outcome.ABANDONED, None, None)
    assert (round(record.ring_seconds or 0, 3), record.talk_seconds) == (5.1, 0.0)
