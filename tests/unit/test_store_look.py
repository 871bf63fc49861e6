"""The look from outside the writer: it sees at once what would stop a row, and changes nothing."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from router.model import Pause
from router.store import look as module
from router.store import pauses
from router.store.database import open_database
from router.store.look import Owed, look
from tests.store_rows import START

PEOPLE = ("alice", "bob")
OPENED = "2026-03-01T08:00:00.000Z"


@pytest.fixture
def database(tmp_path: Path) -> str:
    path = str(tmp_path / "c.db")
    open_database(path).close()
    return path


@pytest.fixture
def connection(database: str) -> Iterator[sqlite3.Connection]:
    with closing(open_database(database)) as opened:
        yield opened


def callback(
    connection: sqlite3.Connection, name: str, state: str, due: str, expires: str, lease: str = ""
) -> None:
    connection.execute("INSERT INTO callers (id, pseudonym, first_seen_at) VALUES (?, ?, ?)", (name, name, due))
    closed = due if state == "done" else None
    connection.execute(
        "INSERT INTO callbacks (id, campaign, caller_id, state, opened_at, due_at, expires_at, owner, lease_until, "
        "closed_at) VALUES (?, 'spring', ?, ?, ?, ?, ?, ?, ?, ?)",
        (name, name, state, OPENED, due, expires, "x" if lease else None, lease or None, closed),
    )


def test_a_database_that_takes_rows(database: str) -> None:
    before = os.stat(database).st_mtime_ns
    found = look(database, START, PEOPLE, count=True)
    assert found.trouble == ""
    assert found.owed == Owed(0, 0, 0)
    assert found.free is not None
    assert found.free > 0
    assert os.stat(database).st_mtime_ns == before
    assert look(database, START, PEOPLE, count=False).owed is None


def test_the_lock_is_given_back(database: str, connection: sqlite3.Connection) -> None:
    look(database, START, PEOPLE, count=True)
    connection.execute("PRAGMA busy_timeout = 0")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("ROLLBACK")


def test_a_locked_database_is_seen_within_seconds(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.1)
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        began = time.monotonic()
        found = look(database, START, PEOPLE, count=True)
        assert time.monotonic() - began < 2
        assert "lock" in found.trouble
        assert found.owed is None
    assert look(database, START, PEOPLE, count=True).trouble == ""


@pytest.mark.parametrize("damage", ["gone", "a folder", "not a database"])
def test_whatever_is_wrong_is_said_and_nothing_is_raised(database: str, damage: str) -> None:
    os.unlink(database)
    if damage == "a folder":
        os.mkdir(database)
    elif damage == "not a database":
        Path(database).write_bytes(b"no, not at all" * 1000)
    found = look(database, START, PEOPLE, count=True)
    assert found.trouble.startswith(database)
    assert found.owed is None
    assert os.path.exists(database) == (damage != "gone"), "it makes no database"


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    found = look(str(tmp_path / "gone" / "c.db"), START, PEOPLE, count=True)
    assert found.trouble
    assert found.free is None


def test_callbacks_that_are_owed_and_those_whose_time_has_come(
    database: str, connection: sqlite3.Connection
) -> None:
    early, late, far = "2026-03-01T09:00:00.000Z", "2026-03-01T11:00:00.000Z", "2026-03-05T10:00:00.000Z"
    callback(connection, "a", "open", early, far)
    callback(connection, "b", "open", late, far)
    callback(connection, "c", "claimed", early, far, lease=late)
    callback(connection, "d", "done", early, far)
    callback(connection, "e", "open", OPENED, early)  # has expired, and nobody has put it down
    assert look(database, START, PEOPLE, count=True).owed == Owed(open=3, overdue=2, paused=0)


def test_people_who_are_paused_and_stand_in_the_file(database: str, connection: sqlite3.Connection) -> None:
    for person in ("alice", "bob", "gone"):
        pauses.pause(connection, Pause(person, START - 60, None, "root"))
    pauses.resume(connection, "bob", START - 30, "root")
    found = look(database, START, PEOPLE, count=True).owed
    assert found is not None
    assert found.paused == 1
