"""The real database file, and a router that is killed: twice, late or in any order, the rows are the same."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from router import callbacks
from router.callbacks import State, Task
from router.errors import Refused
from router.store.callbacks import move
from router.store.database import immediate, open_database
from router.store.operations import Operation, from_line, to_line
from router.store.pseudonym import load_key
from router.store.rows import Rows
from router.store.task_rows import task
from router.store.tasks import write_expired
from tests.properties.histories import HISTORIES, LATEST, OUTCOMES, Happened, in_time, told
from tests.store_rows import DUE, EXPIRE, START, dump, write

Rowed = dict[str, list[tuple[object, ...]]]


# --- Killed, and carried out again ------------------------------------------------------------------------


def carry_out_killed(path: str, operations: Sequence[Operation], draw: st.DataObject) -> None:
    """In groups; now and then killed in the middle of one, and begun again with what was journalled before it."""
    done = 0
    lines = [to_line(each) for each in operations]
    killed = draw.draw(st.lists(st.tuples(st.integers(1, 6), st.integers(0, 6), st.integers(0, 12)), max_size=5))
    for committed, torn, again in killed:
        with closing(open_database(path)) as connection:
            rows = Rows(connection, load_key(path))
            with immediate(connection):
                for line in lines[done : done + committed]:
                    rows.apply(from_line(line))
            done = min(done + committed, len(lines))
            connection.execute("BEGIN IMMEDIATE")
            for line in lines[done : done + torn]:
                rows.apply(from_line(line))
        # The journal may still hold what the database has long had.
        done = max(0, done - again)
    write(path, [from_line(line) for line in lines[done:]])


@settings(deadline=None, max_examples=80)
@given(HISTORIES, st.data())
def test_killed_and_carried_out_again_the_rows_are_the_same(history: list[Happened], data: st.DataObject) -> None:
    operations = in_time(told(history))
    with TemporaryDirectory() as folder:
        plain, killed = f"{folder}/plain.db", f"{folder}/killed.db"
        write(plain, operations)
        same_key(plain, killed)
        carry_out_killed(killed, operations, data)
        assert dump(killed) == dump(plain)


@settings(deadline=None, max_examples=80)
@given(HISTORIES, st.data())
def test_carried_out_once_more_and_late_the_rows_are_the_same(history: list[Happened], data: st.DataObject) -> None:
    operations = in_time(told(history))
    late = list(operations)
    for nth in data.draw(st.lists(st.integers(0, len(operations) - 1), max_size=8)):
        late.insert(data.draw(st.integers(late.index(operations[nth]) + 1, len(late))), operations[nth])
    with TemporaryDirectory() as folder:
        plain, doubled = f"{folder}/plain.db", f"{folder}/doubled.db"
        write(plain, operations)
        same_key(plain, doubled)
        write(doubled, late)
        assert dump(doubled) == dump(plain)


def same_key(path: str, other: str) -> None:
    """The pseudonyms of both are made with one key."""
    with open(f"{path}.key", "rb") as key, open(f"{other}.key", "xb") as copy:
        copy.write(key.read())


# --- In any order -----------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=80)
@given(HISTORIES, st.data())
def test_in_any_order_each_call_has_its_outcome_and_at_most_one_callback_is_open(
    history: list[Happened], data: st.DataObject
) -> None:
    operations = in_time(told(history))
    again = data.draw(st.lists(st.sampled_from(operations), max_size=6))
    with TemporaryDirectory() as folder:
        path = f"{folder}/calls.db"
        write(path, data.draw(st.permutations(operations + again)))
        rows = dump(path)
        hold_rows(rows, history)
        owed = {(row[1], row[2]) for row in rows["callbacks"] if row[3] == "open"}
        assert owed == still_owed(rows["calls"])
        write(path, operations)
        assert dump(path) == rows, "once more in their own order they change nothing"


def hold_rows(rows: Rowed, history: Sequence[Happened]) -> None:
    outcomes = Counter(str(row[5]) for row in rows["calls"])
    assert outcomes == Counter(OUTCOMES[kind] for kind, *_ in history), (
        "one row a call, with the best that is known"
    )
    assert all(row[11] is not None for row in rows["attempts"]), "each attempt has its result"
    attempts = Counter((row[1], row[3]) for row in rows["attempts"])
    assert all(count == 1 for count in attempts.values()), "each attempt has its number"
    held = Counter((row[1], row[2]) for row in rows["callbacks"] if row[3] in ("open", "claimed"))
    assert all(count == 1 for count in held.values()), "at most one open callback a caller and campaign"
    joined = Counter(row[1] for row in rows["callback_calls"])
    assert all(count == 1 for count in joined.values())
    missed = {row[0] for row in rows["calls"] if row[5] != "answered" and row[4] != "withheld"}
    assert missed <= set(joined), "each missed call has its callback"


def still_owed(calls: Sequence[Sequence[object]]) -> set[tuple[object, object]]:
    """(campaign, caller) of every missed call that began after the last time a human took one of theirs."""
    return {
        (row[3], row[4])
        for row in calls
        if row[5] != "answered"
        and row[4] != "withheld"
        and not any(
            other[5] == "answered" and (other[3], other[4]) == (row[3], row[4]) and str(other[7]) >= str(row[1])
            for other in calls
        )
    }


# --- With people at work ----------------------------------------------------------------------------------

MOVES = st.lists(
    st.tuples(
        st.sampled_from(["claim", "release", "not reached", "close", "cancel", "expire"]),
        st.integers(0, 7),
        st.sampled_from(["alice", "bob"]),
    ),
    max_size=20,
)


def moved(task: Task, what: str, who: str, now: float) -> Task:
    match what:
        case "claim":
            return callbacks.claim(task, who, 1800.0, now)
        case "release":
            return callbacks.release(task, who, now)
        case "not reached":
            return callbacks.not_reached(task, who, now, None, None)
        case _:
            return callbacks.close(task, who, "spoke", now, cancelled=what == "cancel")


@settings(deadline=None, max_examples=80)
@given(HISTORIES, MOVES, st.data())
def test_whatever_calls_and_people_do_a_callback_that_is_over_stays_over_and_one_is_open(
    history: list[Happened], moves: list[tuple[str, int, str]], data: st.DataObject
) -> None:
    """The steps of both in any order, at times that only go on."""
    steps: list[Operation | tuple[str, int, str]] = data.draw(st.permutations([*in_time(told(history)), *moves]))
    over: dict[str, Task] = {}
    now = START
    with TemporaryDirectory() as folder, closing(open_database(path := f"{folder}/calls.db")) as connection:
        rows = Rows(connection, load_key(path))
        for step in steps:
            now += data.draw(st.sampled_from([1.0, DUE, EXPIRE / 2]))
            if not isinstance(step, tuple):
                with immediate(connection):
                    rows.apply(step)
            else:
                people_do(connection, step, now)
            tasks = [task(row) for row in connection.execute("SELECT * FROM callbacks ORDER BY id")]
            for each in tasks:
                assert over.get(each.id, each) == each, "what is over stays as it was"
            over |= {each.id: each for each in tasks if each.state.over}
        write_expired_all(connection)
        held = connection.execute(
            "SELECT count(*) FROM callbacks WHERE state IN ('open', 'claimed') GROUP BY campaign, caller_id"
        )
        assert all(row[0] == 1 for row in held)


def people_do(connection: sqlite3.Connection, step: tuple[str, int, str], now: float) -> None:
    what, nth, who = step
    if what == "expire":
        with immediate(connection):
            write_expired(connection, now)
        return
    ids = [row[0] for row in connection.execute("SELECT id FROM callbacks ORDER BY id")]
    if not ids:
        return
    try:
        after = move(connection, ids[nth % len(ids)], lambda task: moved(task, what, who, now))
    except Refused:
        return
    assert (after.state is State.CLAIMED) == (what == "claim")


def write_expired_all(connection: sqlite3.Connection) -> None:
    with immediate(connection):
        write_expired(connection, LATEST)
        assert write_expired(connection, LATEST) == 0, "what has run out is put down once"
