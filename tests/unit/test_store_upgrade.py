"""A database of the release before: opened, brought up to date once, and everything in it still there."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from router.errors import StoreError
from router.model import Outcome, Pause, StaffCall
from router.store import database, migrations
from router.store.database import open_database, reader
from router.store.operations import PauseSet, StaffCallEnded
from router.store.pauses import pauses
from router.store.queries import CallFilter, attempts_of, callback_of, get_call, list_calls, live_calls
from router.store.schema import V1, VERSIONS
from tests.store_rows import START, answered, dump, voicemail, write

AT = "2026-02-01T10:00:00.000Z"
LATER = "2027-01-01T00:00:00.000Z"
CALLER = "n01jikdeb80aaaaaaaaaaaaaaa"
DID, VERSION = "+33184801001", "0123456789ab"
MISSED = ("no_answer", None, None, AT, 20.0, 0.0, "router", 19)
ROWS: tuple[tuple[str, tuple[object, ...]], ...] = (
    ("callers", (CALLER, "+33145678901", "ppvu8p9iat9kj44n", AT)),
    ("calls", ("c1", AT, DID, "spring", CALLER, *MISSED, "ari", VERSION, "test", "1.1")),
    ("calls", ("c2", AT, DID, "spring", CALLER, *[None] * 8, "ari", VERSION, "test", "1.2")),
    ("callbacks", ("k1", "spring", CALLER, "open", AT, AT, LATER, None, None, 0, None, None)),
    ("callback_calls", ("k1", "c1")),
    ("attempts", ("c1-01", "c1", None, 1, "alice", "main", AT, None, None, None, AT, "unreachable", 38, 503)),
    ("configs", (VERSION, "test", AT, "campaigns.yaml")),
    ("reveals", (1, AT, "root", "calls list", "why", 2)),
)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """As release 0.1 made it and left it."""
    path = str(tmp_path / "calls.db")
    with monkeypatch.context() as before:
        before.setattr(database, "VERSIONS", (V1,))
        before.setattr(migrations, "VERSIONS", (V1,))
        with closing(open_database(path)) as connection:
            for table, row in ROWS:
                marks = ", ".join("?" * len(row))
                connection.execute(f"INSERT INTO {table} VALUES ({marks})", row)  # noqa: S608 - ours
            assert connection.execute("PRAGMA user_version").fetchone()[0] == 1
    return path


def test_its_rows_are_all_there(path: str) -> None:
    tables = ("callers", "calls", "attempts", "callbacks", "callback_calls", "configs", "reveals")
    before = dump(path, tables)
    open_database(path).close()
    after = dump(path, tables)
    assert all(before.values())
    for table in tables:
        added = 2 if table in ("calls", "attempts") else 0
        assert after[table] == [(*row, *[None] * added) for row in before[table]]


def test_it_is_read_like_any_other(path: str) -> None:
    open_database(path).close()
    with closing(reader(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone()[0] == len(VERSIONS)
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        assert [row["id"] for row in list_calls(connection, CallFilter())] == ["c2", "c1"]
        assert get_call(connection, "c1")["recording"] is None
        assert attempts_of(connection, "c1")[0]["note"] is None
        assert callback_of(connection, "c1") == "k1"
        assert [record.id for record, _ in live_calls(connection, "test")] == ["c2"]
        assert pauses(connection, START) == {}


def test_it_is_written_like_any_other(path: str) -> None:
    staff = StaffCall("c9", "test", "alice", "+33184801001", START, START + 9.5, verified=True, actions=("pause",))
    message = voicemail("message")
    write(
        path,
        [message, answered("later", 600.0), StaffCallEnded(staff), PauseSet(Pause("bob", START, None, "menu"))],
    )
    with closing(reader(path)) as connection:
        row = get_call(connection, message.call.id)
        assert (row["outcome"], row["recording_seconds"]) == (Outcome.VOICEMAIL, 83.2)
        assert pauses(connection, START + 1) == {"bob": None}


def test_it_is_not_read_before_it_is_up_to_date(path: str) -> None:
    with pytest.raises(StoreError, match="has schema 1, this Callrouter reads 2; starting the router brings it up"):
        reader(path)
    with pytest.raises(StoreError, match="has schema 1"):
        open_database(path, migrate=False)
