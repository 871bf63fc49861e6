"""What a decision is told of the moment: right, bounded, and without a caller who withholds the number."""

from __future__ import annotations

import random
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.known import MOST_COUNTED, MOST_RECENT, WINDOW, History, Known, Recent
from router.model import (
    Accept,
    Acquaintance,
    Caller,
    CallRecord,
    Decision,
    Did,
    Hunt,
    Outcome,
    Path,
    Pause,
    Plan,
    Step,
    Target,
)
from router.standing import Standing

NOW = 1_772_359_200.0
NUMBER = "+33145678901"
OTHER = "+33145678902"


def standing() -> Standing:
    return Standing(random.Random(7))


def record(
    number: str | None = NUMBER,
    outcome: Outcome = Outcome.NO_ANSWER,
    *,
    at: float = NOW,
    salesperson: str | None = None,
    campaign: str = "flyer",
) -> CallRecord:
    answered = at + 10 if outcome is Outcome.ANSWERED else None
    return CallRecord(
        "c", at, "+33184801001", campaign, Caller(number), Path.ARI, "cafe", "node", "ch", outcome, salesperson,
        answered, at + 60,
    )  # fmt: skip


def decision(*hunts: tuple[str, ...], campaign: str = "flyer") -> Decision:
    """A plan with one step a person; no hunt: nobody is rung."""
    made = tuple(
        Hunt(tuple(Step((Target(name, name, (), Accept.NONE),), 20.0) for name in people), 60.0) for people in hunts
    )
    plan = Plan(made, 15.0, ()) if hunts else None
    return Decision(campaign, Did("+33184801001", "exten"), Caller(NUMBER), plan, None)


# --- Turns ------------------------------------------------------------------------------------------------


def test_whoever_stands_first_has_had_the_turn_at_once() -> None:
    one = standing()
    one.decided(decision(("alice", "bob")), NOW)
    assert one.situation(NOW).first == {"flyer": "alice"}
    one.decided(decision(("bob",), ("carol",), campaign="press"), NOW)
    assert one.situation(NOW).first == {"flyer": "alice", "press": "bob"}


@pytest.mark.parametrize("nobody", [decision(), decision(("overflow",)), decision(())])
def test_a_call_that_rings_no_person_takes_nobodys_turn(nobody: Decision) -> None:
    one = standing()
    one.decided(decision(("alice",)), NOW)
    one.decided(nobody, NOW)
    assert one.situation(NOW).first == {"flyer": "alice"}


def test_every_situation_has_its_own_chance() -> None:
    one, same = standing(), standing()
    seeds = [one.situation(NOW).seed for _ in range(100)]
    assert len(set(seeds)) == 100
    assert seeds == [same.situation(NOW).seed for _ in range(100)]
    assert max(seeds).bit_length() > 60


def test_trunks_that_are_down_are_passed_on() -> None:
    assert standing().situation(NOW, frozenset({"main"})).trunks_down == {"main"}
    assert standing().situation(NOW).trunks_down == set()


# --- On the phone -----------------------------------------------------------------------------------------


def test_a_person_is_engaged_from_the_answer_to_the_end() -> None:
    one = standing()
    assert one.engaged("alice") == 0
    one.took("c1", "alice")
    one.took("c1", "alice")
    one.took("c2", "alice")
    assert (one.engaged("alice"), one.engaged("bob")) == (2, 0)
    one.left("c1", "alice", NOW, talked=False)
    one.left("c1", "alice", NOW, talked=True)
    assert one.engaged("alice") == 1
    one.left("c2", "alice", NOW + 5, talked=True)
    assert one.engaged("alice") == 0
    assert one.situation(NOW).last_talk == {"alice": NOW + 5}


def test_who_has_only_listened_has_not_talked() -> None:
    one = standing()
    one.rung("alice", NOW)
    one.took("c1", "alice")
    one.left("c1", "alice", NOW + 5, talked=False)
    assert one.situation(NOW).last_talk == {}
    assert one.situation(NOW).last_rung == {"alice": NOW}


# --- Callers ----------------------------------------------------------------------------------------------


def test_a_caller_is_known_when_the_call_has_ended() -> None:
    one = standing()
    one.arrived(Caller(NUMBER), NOW)
    assert NUMBER not in one.situation(NOW).known
    one.ended(record(), owed=True)
    situation = one.situation(NOW)
    assert situation.known[NUMBER] == Acquaintance(NOW)
    assert situation.owed == {("flyer", NUMBER)}


def test_the_person_spoken_with_is_remembered_over_calls_that_nobody_took() -> None:
    one = standing()
    one.ended(record(outcome=Outcome.ANSWERED, salesperson="alice"), owed=False)
    one.ended(record(at=NOW + 100), owed=True)
    one.ended(record(at=NOW + 200, outcome=Outcome.ANSWERED, salesperson="overflow"), owed=False)
    assert one.situation(NOW).known[NUMBER] == Acquaintance(NOW + 200, "alice", NOW + 60)


def test_an_answer_settles_what_its_own_campaign_owes() -> None:
    one = standing()
    for campaign in ("flyer", "press"):
        one.ended(record(campaign=campaign), owed=True)
    one.ended(record(outcome=Outcome.ABANDONED), owed=False)
    one.ended(record(outcome=Outcome.ANSWERED, salesperson="alice"), owed=False)
    assert one.situation(NOW).owed == {("press", NUMBER)}


@pytest.mark.parametrize(
    "unheard",
    [
        record(None, Outcome.ANSWERED, salesperson="alice"),
        record(None, Outcome.NO_ANSWER),
        record(outcome=Outcome.BLOCKED),
        replace(record(), outcome=None, ended_at=None),
    ],
)
def test_who_is_never_known(unheard: CallRecord) -> None:
    one = standing()
    one.arrived(unheard.caller, NOW)
    one.ended(unheard, owed=True)
    situation = one.situation(NOW)
    assert (dict(situation.known), situation.owed) == ({}, set())
    assert list(situation.recent) == ([] if unheard.caller.withheld else [NUMBER])


# --- Calls a minute ---------------------------------------------------------------------------------------


def test_calls_of_the_last_minute() -> None:
    one = standing()
    for after in (0.0, 10.0, 59.0):
        one.arrived(Caller(NUMBER), NOW + after)
    one.arrived(Caller(OTHER), NOW + 59)
    assert dict(one.situation(NOW + 59).recent) == {NUMBER: 3, OTHER: 1}
    assert dict(one.situation(NOW + 60).recent) == {NUMBER: 2, OTHER: 1}
    assert one.situation(NOW + 119).recent.get(NUMBER, 0) == 0
    assert len(one.situation(NOW + 119).recent) == 0


def test_a_clock_that_is_set_back_keeps_nobody_out() -> None:
    one = standing()
    for _ in range(9):
        one.arrived(Caller(NUMBER), NOW + 3600)
    assert one.situation(NOW).recent.get(NUMBER, 0) == 0
    one.arrived(Caller(NUMBER), NOW)
    assert one.situation(NOW).recent[NUMBER] == 1
    assert one.situation(NOW + 3600).recent.get(NUMBER, 0) == 0


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 50)), max_size=60))
def test_the_count_is_what_a_plain_count_says(steps: list[tuple[str, float]]) -> None:
    recent, now = Recent(), NOW
    log: list[tuple[str, float]] = []
    for number, wait in steps:
        now += wait
        recent.now = now
        expected = {name: sum(who == name and at > now - WINDOW for who, at in log) for name in "abc"}
        assert {name: recent.get(name, 0) for name in "abc"} == expected
        recent.arrived(number, now)
        log.append((number, now))


def test_a_flood_of_numbers_and_of_one_number_is_bounded() -> None:
    recent = Recent()
    for index in range(MOST_RECENT + 500):
        recent.arrived(f"+{index}", NOW)
    recent.now = NOW
    assert len(recent) == MOST_RECENT
    assert f"+{MOST_RECENT + 499}" in recent
    for _ in range(MOST_COUNTED * 2):
        recent.arrived(NUMBER, NOW)
    assert recent[NUMBER] == MOST_COUNTED
    for index in range(MOST_RECENT):
        recent.arrived(f"+{index % 3}", NOW + 2 * WINDOW)
    assert len(recent._times) == 3


# --- Pauses -----------------------------------------------------------------------------------------------


def test_pauses_are_set_ended_and_replaced() -> None:
    one = standing()
    one.pause(Pause("alice", NOW, None, "menu"))
    one.pause(Pause("bob", NOW, NOW + 60, "menu"))
    assert one.situation(NOW).paused == {"alice": None, "bob": NOW + 60}
    one.resume("alice")
    one.resume("carol")
    assert one.situation(NOW).paused == {"bob": NOW + 60}


def test_what_was_asked_while_the_database_was_read_holds_until_the_next_reading() -> None:
    one = standing()
    one.set_pauses({"alice": None})
    one.resume("alice")
    one.pause(Pause("bob", NOW, None, "menu"))
    one.set_pauses({"alice": None, "carol": 5.0})
    assert one.situation(NOW).paused == {"bob": None, "carol": 5.0}
    one.set_pauses({"carol": 5.0})
    assert one.situation(NOW).paused == {"carol": 5.0}


def test_callbacks_likewise() -> None:
    one = standing()
    one.ended(record(), owed=True)
    one.ended(record(OTHER, Outcome.ANSWERED, salesperson="alice"), owed=False)
    one.set_owed({("flyer", OTHER), ("press", OTHER)})
    assert one.situation(NOW).owed == {("flyer", NUMBER), ("press", OTHER)}
    one.set_owed(set())
    assert one.situation(NOW).owed == set()


# --- The past ---------------------------------------------------------------------------------------------


def past() -> History:
    known = Known()
    known.note(NUMBER, NOW - 500, "bob", NOW - 400)
    known.note(OTHER, NOW - 300)
    return History(
        first={"flyer": "bob", "press": "carol"},
        last_rung={"alice": NOW - 50, "bob": NOW - 60},
        last_talk={"alice": NOW - 40},
        known=known,
        owed={("flyer", OTHER)},
        pauses={"dave": None},
    )


def test_the_past_is_there_after_loading() -> None:
    one = standing()
    one.load(past())
    situation = one.situation(NOW)
    assert situation.first == {"flyer": "bob", "press": "carol"}
    assert situation.last_rung == {"alice": NOW - 50, "bob": NOW - 60}
    assert situation.last_talk == {"alice": NOW - 40}
    assert dict(situation.known) == {
        NUMBER: Acquaintance(NOW - 500, "bob", NOW - 400),
        OTHER: Acquaintance(NOW - 300),
    }
    assert (situation.owed, situation.paused) == ({("flyer", OTHER)}, {"dave": None})


def test_what_happened_before_the_past_was_read_is_newer() -> None:
    one = standing()
    one.decided(decision(("alice",)), NOW)
    one.rung("alice", NOW)
    one.took("c1", "alice")
    one.left("c1", "alice", NOW, talked=True)
    one.ended(record(at=NOW - 1), owed=True)
    one.ended(record(OTHER, Outcome.ANSWERED, salesperson="alice", at=NOW - 100), owed=False)
    one.resume("dave")
    one.load(past())
    situation = one.situation(NOW)
    assert situation.first == {"flyer": "alice", "press": "carol"}
    assert situation.last_rung == {"alice": NOW, "bob": NOW - 60}
    assert situation.last_talk == {"alice": NOW}
    assert situation.known[NUMBER] == Acquaintance(NOW - 1, "bob", NOW - 400)
    assert situation.known[OTHER] == Acquaintance(NOW - 100, "alice", NOW - 40)
    assert (situation.owed, situation.paused) == ({("flyer", NUMBER)}, {})


def test_the_past_may_come_twice() -> None:
    one = standing()
    one.load(past())
    one.load(past())
    assert len(one.situation(NOW).known) == 2
    assert one.situation(NOW).first["flyer"] == "bob"


# --- Bounds -----------------------------------------------------------------------------------------------


def test_whoever_has_not_called_for_longest_is_forgotten() -> None:
    known = Known(limit=3)
    for number in ("a", "b", "c", "a", "d"):
        known.note(number, NOW)
    assert list(known) == ["c", "a", "d"]
    assert "b" not in known
    assert known.get("b") is None
    assert len(known) == 3


def test_the_older_word_changes_nothing() -> None:
    known = Known()
    known.note("a", NOW, "alice", NOW)
    known.note("a", NOW - 50, "bob", NOW - 40)
    assert known["a"] == Acquaintance(NOW, "alice", NOW)


def test_a_number_takes_little_memory() -> None:
    """Measured: 176 bytes a number, its text included, and 264 where somebody was spoken with."""
    count = 50_000
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        known = Known()
        for index in range(count):
            spoke = ("alice", NOW + index) if index % 2 else ("", 0.0)
            known.note(f"+336{index:08d}", NOW + index, *spoke)
        each = (tracemalloc.get_traced_memory()[0] - before) / count
    finally:
        tracemalloc.stop()
    assert len(known) == count
    assert each < 400


def test_no_method_takes_long() -> None:
    """10 microseconds each (measured: 0.1 to 7); a busy machine is given five times as much, and five tries."""
    one = standing()
    known = Known()
    for index in range(200_000):
        known.note(f"+336{index:08d}", NOW)
    one.load(History(known=known))
    plan, fresh = decision(("alice", "bob")), iter(range(10**9))
    methods: dict[str, Callable[[], object]] = {
        "situation": lambda: one.situation(NOW),
        "arrived": lambda: one.arrived(Caller(f"+1{next(fresh)}"), NOW + next(fresh) / 100),
        "decided": lambda: one.decided(plan, NOW),
        "took": lambda: one.took("c1", "alice"),
        "left": lambda: one.left("c1", "alice", NOW, talked=True),
        "ended": lambda: one.ended(record(f"+1{next(fresh)}"), owed=bool(next(fresh) % 2)),
        "known": lambda: one.situation(NOW).known.get("+33600100000"),
    }
    slow = {name: each for name, run in methods.items() if (each := _fastest(run)) > 50e-6}
    assert not slow


def _fastest(run: Callable[[], object], times: int = 2000) -> float:
    """Seconds a run takes, of the best of five rounds."""
    rounds = []
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(times):
            run()
        rounds.append((time.perf_counter() - start) / times)
    return min(rounds)
