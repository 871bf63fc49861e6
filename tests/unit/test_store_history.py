"""What the database says of the past: the right rows, through the indexes alone, and fast enough."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from router.model import Acquaintance, AttemptRecord, Outcome, Pause, Result
from router.store import history as queries
from router.store.database import open_database, reading
from router.store.history import history, owed, situation
from router.store.ids import attempt_id
from router.store.operations import CallEnded, CallOpened, Operation, PauseSet
from router.store.times import to_text
from tests.store_rows import CALLER, DUE, EXPIRE, START, answered, attempt, call, ended, missed, write

NOW = START + 5000.0
SINCE = START - 1.0
OTHER = "+33145678902"


@pytest.fixture
def db(tmp_path: Path) -> str:
    return str(tmp_path / "calls.db")


@contextmanager
def written(path: str, *operations: Operation) -> Iterator[sqlite3.Connection]:
    write(path, operations)
    with reading(path) as connection:
        yield connection


def hunt(
    name: str,
    at: float,
    *people: str,
    taken: bool = False,
    number: str | None = CALLER,
    campaign: str = "spring",
    result: Result = Result.NO_ANSWER,
    outcome: Outcome = Outcome.NO_ANSWER,
) -> CallEnded:
    """A call that rang these one after the other, 20 seconds each; the last one took it, or nobody did."""
    opened = call(name, at, number=number, campaign=campaign)
    legs = [_leg(opened.id, seq, who, START + at + 20 * (seq - 1), result) for seq, who in enumerate(people, 1)]
    if taken:
        last = replace(legs[-1], accepted_at=legs[-1].started_at + 5, result=Result.ACCEPTED)
        legs[-1] = replace(last, ended_at=START + at + 300)
        over = replace(ended(opened, Outcome.ANSWERED, 300.0, 5.0), salesperson=people[-1])
        return CallEnded(over, tuple(legs), None)
    return CallEnded(ended(opened, outcome, 100.0), tuple(legs), None)


def _leg(call_id: str, seq: int, who: str, at: float, result: Result) -> AttemptRecord:
    rang = at + 1 if result is Result.NO_ANSWER else None
    return AttemptRecord(attempt_id(call_id, seq), seq, who, "main", at, rang, ended_at=at + 20, result=result)


# --- People -----------------------------------------------------------------------------------------------


def test_who_stood_first_at_the_last_call_of_each_campaign(db: str) -> None:
    operations = [
        hunt("a", 0, "alice", "bob"),
        hunt("b", 100, "bob", "alice", taken=True),
        hunt("c", 200),
        hunt("d", 50, "carol", campaign="autumn"),
        hunt("e", 60, "overflow", campaign="autumn"),
        hunt("f", 60, "overflow", campaign="winter"),
        hunt("g", 60, "overflow", "dave", campaign="press"),
    ]
    with written(db, *operations) as connection:
        assert history(connection, NOW, SINCE).first == {"spring": "bob", "autumn": "carol", "press": "dave"}
        assert history(connection, NOW, START + 150).first == {}


def test_when_each_person_was_last_rung_and_last_talked(db: str) -> None:
    operations = [
        hunt("a", 0, "alice", "bob", taken=True),
        hunt("b", 1000, "bob", "carol"),
        hunt("c", 2000, "alice", result=Result.BUSY),
        hunt("d", 3000, "bob", result=Result.UNREACHABLE),
    ]
    with written(db, *operations) as connection:
        past = history(connection, NOW, SINCE)
    assert past.last_rung == {"alice": START, "bob": START + 1000, "carol": START + 1020}
    assert past.last_talk == {"bob": START + 300}


@pytest.mark.parametrize("word", [{"ringing_at": START + 2001}, {"sip_status": 486}, {"answered_at": START + 2002}])
def test_a_busy_person_of_whom_the_carrier_told_was_rung(db: str, word: dict[str, float]) -> None:
    busy = hunt("a", 2000, "alice", result=Result.BUSY)
    told = replace(busy, attempts=(replace(busy.attempts[0], **word),))  # type: ignore[arg-type]
    with written(db, told) as connection:
        assert history(connection, NOW, SINCE).last_rung == {"alice": START + 2000}


def test_a_live_talk_counts_from_the_key(db: str) -> None:
    opened = call("a")
    with written(
        db, CallEnded(ended(opened, Outcome.ANSWERED, 65, 5), (attempt(opened, Result.ACCEPTED),), None)
    ) as c:
        assert history(c, NOW, SINCE).last_talk == {"alice": START + 5}


# --- Callers ----------------------------------------------------------------------------------------------


def test_callers_with_the_person_they_spoke_with_last(db: str) -> None:
    operations = [
        hunt("a", 0, "bob", taken=True),
        hunt("b", 400, "alice", taken=True),
        hunt("c", 800, "overflow", taken=True),
        hunt("d", 1200, "alice"),
        hunt("e", 600, "alice", number=OTHER),
    ]
    with written(db, *operations) as connection:
        known = history(connection, NOW, SINCE).known
        assert list(known) == [OTHER, CALLER]
        assert known[CALLER] == Acquaintance(START + 1200, "alice", START + 700)
        assert known[OTHER] == Acquaintance(START + 600)
        later = history(connection, NOW, START + 700).known
        assert dict(later) == {CALLER: Acquaintance(START + 1200)}


def test_who_is_not_known(db: str) -> None:
    operations: list[Operation] = [
        hunt("hidden", 0, "alice", taken=True, number=None),
        hunt("blocked", 0, number=OTHER, outcome=Outcome.BLOCKED),
        CallOpened(call("live", 0, number="+33145678903")),
    ]
    with written(db, *operations) as connection:
        assert dict(history(connection, NOW, SINCE).known) == {}
        assert situation(connection, NOW, None).known == {}


def test_only_the_latest_callers_are_taken(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "MOST_KNOWN", 2)
    operations = [hunt(f"c{index}", index * 100, number=f"+3314567890{index}") for index in (3, 1, 2, 0)]
    with written(db, *operations) as connection:
        assert list(history(connection, NOW, SINCE).known) == ["+33145678902", "+33145678903"]


# --- Callbacks and pauses ---------------------------------------------------------------------------------


def test_callbacks_that_are_open_or_claimed(db: str) -> None:
    operations = [
        missed("a"),
        missed("b", number=OTHER),
        missed("c", campaign="autumn"),
        missed("d", number=OTHER, campaign="autumn"),
        missed("hidden", number=None),
        answered("e", 100.0, number=OTHER),
        missed("f", campaign="old", expire=60.0),
    ]
    write(db, operations)
    with open_database(db) as connection:
        connection.execute(
            "UPDATE callbacks SET state = 'claimed', owner = 'bob', lease_until = ? WHERE campaign = 'autumn'",
            (to_text(NOW - 10),),
        )
    connection.close()
    with reading(db) as connection:
        mine, theirs = {("spring", CALLER), ("autumn", CALLER)}, {("autumn", OTHER)}
        assert history(connection, NOW, SINCE).owed == mine | theirs
        assert owed(connection, NOW, OTHER) == theirs
        assert situation(connection, NOW, CALLER).owed == mine
        assert owed(connection, START + 20 + DUE + EXPIRE) == set()


def test_pauses(db: str) -> None:
    operations = [
        PauseSet(Pause("alice", START, None, "menu")),
        PauseSet(Pause("bob", START, NOW + 60, "menu")),
        PauseSet(Pause("carol", START, NOW - 60, "menu")),
    ]
    with written(db, *operations) as connection:
        assert history(connection, NOW, SINCE).pauses == {"alice": None, "bob": NOW + 60}
        assert situation(connection, NOW, None).paused == {"alice": None, "bob": NOW + 60}


# --- One number, for explain ------------------------------------------------------------------------------


def test_the_situation_of_one_number(db: str) -> None:
    operations: list[Operation] = [
        hunt("a", 0, "bob", taken=True),
        missed("b", 4950.0),
        missed("c", 4980.0, number=OTHER),
        CallOpened(call("d", 4990.0)),
        CallOpened(call("e", 5010.0)),
    ]
    with written(db, *operations) as connection:
        found = situation(connection, NOW, CALLER)
        assert found.known == {CALLER: Acquaintance(START + 4950, "bob", START + 300)}
        assert found.owed == {("spring", CALLER)}
        assert found.recent == {CALLER: 2}
        assert found.first == {"spring": "alice"}
        assert found.last_talk == {"bob": START + 300}
        assert (found.seed, found.trunks_down) == (0, frozenset())
        unheard_of = situation(connection, NOW, "+33145678999")
        assert (unheard_of.known, unheard_of.recent, unheard_of.owed) == ({}, {}, set())


def test_an_empty_database(db: str) -> None:
    with written(db) as connection:
        past = history(connection, NOW, SINCE)
        assert (past.first, past.last_rung, past.last_talk, dict(past.known)) == ({}, {}, {}, {})
        assert situation(connection, NOW, CALLER).recent == {}


# --- Speed ------------------------------------------------------------------------------------------------

STATEMENTS = {
    "first": queries._FIRST,
    "people": queries._PEOPLE,
    "known": queries._CALLS.format(which=queries._ALL_CALLERS),
    "known, one": queries._CALLS.format(which=queries._ONE_CALLER),
    "number": queries._NUMBER.replace("?", ":id"),
    "owed": queries._OWED.format(which=queries._EVERYBODY),
    "owed, one": queries._OWED.format(which=queries._THIS_ONE),
    "recent": queries._RECENT,
}


@pytest.mark.parametrize("statement", STATEMENTS.values(), ids=STATEMENTS)
def test_every_table_is_read_through_an_index(db: str, statement: str) -> None:
    with written(db) as connection:
        given = dict.fromkeys(re.findall(r":(\w+)", statement), "")
        plan = [row["detail"] for row in connection.execute("EXPLAIN QUERY PLAN " + statement, given)]
    assert plan
    # The index of what is due holds open callbacks alone.
    scans = r"SCAN (calls|callers|attempts)\b|SCAN callbacks\b(?! USING INDEX callbacks_due)"
    whole = [line for line in plan if re.match(scans, line)]
    assert not whole


def test_many_calls_are_read_in_a_moment(db: str) -> None:
    """1,000,000 calls of 400,000 callers take 5 s (measured); these 20,000 are given as long as that."""
    write(db, [])
    connection = open_database(db)
    connection.execute("BEGIN")
    connection.executemany(
        "INSERT INTO callers VALUES (?, ?, ?, ?)",
        ((f"n{index}", f"+336{index:08d}", f"p{index}", to_text(START)) for index in range(5000)),
    )
    connection.executemany(
        "INSERT INTO calls (id, started_at, did, campaign, caller_id, outcome, salesperson, ended_at, path, "
        "config_version, node, channel) VALUES (?, ?, 'd', ?, ?, 'answered', 'alice', ?, 'ari', 'v', 'n', ?)",
        _many(20_000),
    )
    connection.execute("COMMIT")
    connection.close()
    with reading(db) as connection:
        start = time.perf_counter()
        past = history(connection, NOW, SINCE)
        assert time.perf_counter() - start < 5.0
    assert len(past.known) == 5000
    assert past.known["+33600004999"].spoke_with == "alice"


def _many(count: int) -> Iterable[tuple[str, ...]]:
    for index in range(count):
        at = to_text(START + index)
        yield f"c{index}", at, f"campaign-{index % 40}", f"n{index % 5000}", at, f"ch{index}"
