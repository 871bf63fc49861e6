"""Pauses: the last word counts, in whatever order and however often the words arrive."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from router.model import Pause
from router.store.database import immediate, open_database
from router.store.operations import Operation, PauseCleared, PauseSet
from router.store.pauses import in_force, note, pause, pauses, resume
from tests.store_rows import START, dump, write


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(open_database(str(tmp_path / "calls.db"))) as opened:
        yield opened


def asked(at: float, until: float | None = None, *, person: str = "alice", by: str = "menu") -> Pause:
    return Pause(person, START + at, None if until is None else START + until, by)


def test_nobody_is_paused_at_first(connection: sqlite3.Connection) -> None:
    assert pauses(connection, START) == {}
    assert resume(connection, "alice", START, "root") is None


def test_a_pause_lasts_until_its_end(connection: sqlite3.Connection) -> None:
    pause(connection, asked(0.0, 60.0))
    pause(connection, asked(0.0, person="bob", by="root"))
    assert pauses(connection, START + 59.0) == {"alice": START + 60.0, "bob": None}
    assert pauses(connection, START + 60.0) == {"bob": None}
    assert in_force(connection, START + 60.0) == {"bob": asked(0.0, person="bob", by="root")}


def test_a_later_pause_replaces_an_earlier_one(connection: sqlite3.Connection) -> None:
    pause(connection, asked(0.0))
    pause(connection, asked(10.0, 60.0))
    assert pauses(connection, START + 20.0) == {"alice": START + 60.0}
    assert pauses(connection, START + 60.0) == {}


def test_resuming_says_what_was_in_force(connection: sqlite3.Connection) -> None:
    before = pause(connection, asked(0.0, 60.0))
    assert resume(connection, "alice", START + 10.0, "root") == before
    assert pauses(connection, START + 10.0) == {}
    assert resume(connection, "alice", START + 11.0, "root") is None


def test_a_command_counts_though_the_clock_was_set_back(connection: sqlite3.Connection) -> None:
    pause(connection, asked(3600.0))
    assert resume(connection, "alice", START, "root") is not None
    assert pauses(connection, START) == {}
    after = pause(connection, asked(1.0))
    assert after.since > START + 3600.0
    assert pauses(connection, START + 1.0) == {"alice": None}


WORDS: tuple[tuple[Operation, ...], ...] = (
    (PauseSet(asked(0.0)), PauseCleared("alice", START + 10.0)),
    (PauseSet(asked(0.0)), PauseCleared("alice", START + 10.0), PauseSet(asked(20.0, 900.0))),
    (PauseSet(asked(0.0, 900.0)), PauseSet(asked(10.0)), PauseCleared("alice", START + 20.0)),
    (PauseCleared("alice", START), PauseSet(asked(10.0))),
)


@pytest.mark.parametrize("words", WORDS)
def test_the_order_of_writing_does_not_matter(tmp_path: Path, words: tuple[Operation, ...]) -> None:
    """As after a crash: what the spool held is written late, and again."""
    wanted = str(tmp_path / "wanted.db")
    write(wanted, words)
    for place, order in enumerate(itertools.permutations(words)):
        path = str(tmp_path / f"{place}.db")
        write(path, [*order, *order])
        assert dump(path, ["pauses"]) == dump(wanted, ["pauses"])


def test_a_spooled_word_does_not_undo_a_later_command(connection: sqlite3.Connection) -> None:
    resume(connection, "alice", START + 60.0, "root")
    with immediate(connection):
        note(connection, asked(10.0))
    assert pauses(connection, START + 61.0) == {}


def test_a_refused_pause_leaves_nothing(connection: sqlite3.Connection) -> None:
    with pytest.raises(ValueError, match="no time between"):
        pause(connection, Pause("alice", START, -5.0, "root"))
    assert not connection.in_transaction
    assert pauses(connection, START) == {}
