"""The tables are those of the contract, and refuse what does not belong in them."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from router.callbacks import State, Task, state_at
from router.model import HangupBy, Outcome, Result
from router.model import Path as Line
from router.store.database import open_database, reader
from router.store.schema import APPLICATION_ID, STATE_AT, V1, VERSIONS
from router.store.times import to_text
from tests.store_rows import answered, missed, write

ROOT = Path(__file__).parents[2]
CONTRACT = {
    "calls": "id, started_at, did, campaign, caller_id, outcome, salesperson, answered_at, ended_at, ring_seconds, "
    "talk_seconds, hangup_by, cause, path, config_version, node, recording, recording_seconds",
    "attempts": "id, call_id, callback_id, seq, salesperson, trunk, started_at, ringing_at, answered_at, "
    "accepted_at, ended_at, result, cause, sip_status, caller_id, note",
    "callers": "id, number, pseudonym, first_seen_at",
    "callbacks": "id, campaign, caller_id, state, opened_at, due_at, owner, lease_until, attempts, closed_at, "
    "close_reason",
    "callback_calls": "callback_id, call_id",
    "pauses": "salesperson, since, until, by",
    "staff_calls": "id, node, salesperson, did, started_at, ended_at, verified, actions",
}


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    path = str(tmp_path / "calls.db")
    write(path, [missed("first"), answered("second", 100.0)])
    with closing(open_database(path)) as opened:
        yield opened


@pytest.mark.parametrize("table", CONTRACT)
def test_the_contracts_columns_are_there(connection: sqlite3.Connection, table: str) -> None:
    found = [row["name"] for row in connection.execute(f"PRAGMA table_info({table})")]
    wanted = CONTRACT[table].split(", ")
    assert [name for name in found if name in wanted] == wanted


@pytest.mark.parametrize(
    ("table", "column", "values"),
    [
        ("calls", "outcome", list(Outcome)),
        ("calls", "hangup_by", list(HangupBy)),
        ("calls", "path", list(Line)),
        ("attempts", "result", list(Result)),
        ("callbacks", "state", list(State)),
    ],
)
def test_the_closed_lists_are_those_of_the_model(table: str, column: str, values: list[str]) -> None:
    statement = next(each for each in V1 if f"CREATE TABLE {table} " in each)
    check = re.search(rf"CHECK \({column} IN \(([^)]*)\)", statement)
    assert check is not None
    assert re.findall(r"'(\w+)'", check[1]) == values


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE calls SET outcome = 'engaged'",
        "UPDATE calls SET outcome = NULL",
        "UPDATE calls SET started_at = NULL",
        "UPDATE calls SET ring_seconds = 'long'",
        "UPDATE calls SET caller_id = 'nobody'",
        "UPDATE calls SET path = 'pigeon'",
        "UPDATE attempts SET result = 'eaten'",
        "UPDATE attempts SET call_id = NULL",
        "UPDATE callbacks SET state = 'claimed'",
        "UPDATE callbacks SET state = 'open'",
        "UPDATE callbacks SET closed_at = NULL",
        "INSERT INTO callback_calls SELECT callback_id, 'no call' FROM callback_calls",
        "DELETE FROM callers",
        "DELETE FROM calls",
        "UPDATE calls SET recording_seconds = -1",
        "INSERT INTO pauses VALUES ('alice', NULL, NULL, 'menu')",
        "INSERT INTO staff_calls VALUES ('c9', 'test', 'alice', '+33', '2026', '2026', 2, '')",
    ],
)
def test_a_row_that_breaks_the_rules_is_refused(connection: sqlite3.Connection, statement: str) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute(statement)


def test_one_open_callback_a_caller_and_campaign(connection: sqlite3.Connection) -> None:
    insert = (
        "INSERT INTO callbacks (id, campaign, caller_id, state, opened_at, due_at, expires_at, owner, lease_until) "
        "SELECT ?, campaign, caller_id, ?, opened_at, due_at, expires_at, ?, ? FROM callbacks LIMIT 1"
    )
    connection.execute(insert, ("k-new", "open", None, None))
    with pytest.raises(sqlite3.IntegrityError, match=r"callbacks\.campaign, callbacks\.caller_id"):
        connection.execute(insert, ("k-newer", "claimed", "bob", "2026-03-01T11:00:00.000Z"))


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("SELECT 1 FROM calls WHERE started_at >= '2026' AND started_at < '2027'", "calls_started"),
        ("SELECT 1 FROM calls WHERE campaign = 'x' AND started_at >= '2026'", "calls_campaign"),
        ("SELECT 1 FROM calls WHERE outcome IS NULL AND node = 'x'", "calls_live"),
        ("SELECT 1 FROM attempts WHERE call_id = 'x'", "attempts_call"),
        ("SELECT 1 FROM attempts WHERE salesperson = 'x' AND started_at >= '2026'", "attempts_salesperson"),
        ("SELECT 1 FROM callback_calls WHERE call_id = 'x'", "callback_calls_call"),
    ],
)
def test_the_usual_questions_are_answered_by_an_index(
    connection: sqlite3.Connection, query: str, index: str
) -> None:
    plan = " ".join(str(row["detail"]) for row in connection.execute(f"EXPLAIN QUERY PLAN {query}"))
    assert index in plan


def test_the_file_is_marked_as_ours_and_journalled_ahead(connection: sqlite3.Connection) -> None:
    pragma = {
        name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
    }
    assert pragma == {"application_id": APPLICATION_ID, "user_version": len(VERSIONS)}
    assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert connection.execute("PRAGMA synchronous").fetchone()[0] == 2
    assert connection.execute("PRAGMA foreign_keys").fetchone()[0] == 1


def test_only_the_daemon_checkpoints(tmp_path: Path) -> None:
    path = str(tmp_path / "calls.db")
    with closing(open_database(path, checkpoints=True)) as daemon, closing(open_database(path)) as command:
        assert daemon.execute("PRAGMA wal_autocheckpoint").fetchone()[0] == 1000
        assert command.execute("PRAGMA wal_autocheckpoint").fetchone()[0] == 0


def test_eight_programs_that_make_it_at_once_make_one(tmp_path: Path) -> None:
    path = str(tmp_path / "calls.db")
    script = f"from router.store.database import open_database; open_database({path!r}).close()"
    started = [subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stderr=subprocess.PIPE) for _ in range(8)]
    said = [process.communicate(timeout=60)[1].decode() for process in started]
    assert [process.returncode for process in started] == [0] * 8, said
    with closing(reader(path)) as connection:
        assert connection.execute("SELECT count(*) FROM _sqlite_migrations").fetchone()[0] == len(VERSIONS)


def test_a_migration_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from router.store import database, migrations

    path = str(tmp_path / "calls.db")
    open_database(path).close()
    broken = (*VERSIONS, ("CREATE TABLE added (id TEXT) STRICT", "CREATE TABLE calls (id TEXT) STRICT"))
    monkeypatch.setattr(migrations, "VERSIONS", broken)
    monkeypatch.setattr(database, "VERSIONS", broken)
    with pytest.raises(Exception, match="table calls already exists"):
        open_database(path)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone()[0] == len(VERSIONS)
        assert not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'added'").fetchall()


def test_a_new_version_is_applied_to_an_old_database_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from router.store import database, migrations

    path = str(tmp_path / "calls.db")
    write(path, [missed("first")])
    longer = (*VERSIONS, ("ALTER TABLE calls ADD COLUMN note TEXT",))
    monkeypatch.setattr(migrations, "VERSIONS", longer)
    monkeypatch.setattr(database, "VERSIONS", longer)
    for _ in range(2):
        with closing(open_database(path)) as connection:
            assert connection.execute("SELECT note FROM calls").fetchall()[0]["note"] is None
            assert connection.execute("PRAGMA user_version").fetchone()[0] == len(longer)


def test_readers_see_the_state_that_the_rules_give(connection: sqlite3.Connection) -> None:
    """STATE_AT in SQL and state_at in Python agree on every state, lease and expiry."""
    connection.execute("DELETE FROM callback_calls")
    for state in State:
        for lease in (None, 50.0, 150.0):
            for expires in (50.0, 150.0):
                held = state is State.CLAIMED
                if held is (lease is None):
                    continue
                closed = to_text(10.0) if state.over else None
                connection.execute(
                    "UPDATE callbacks SET state = ?, owner = 'bob', lease_until = ?, expires_at = ?, closed_at = ?",
                    (state, to_text(lease) if lease else None, to_text(expires), closed),
                )
                task = Task("k", state, 0.0, expires, "bob", lease)
                sql = f"SELECT {STATE_AT} FROM callbacks"  # noqa: S608 - a constant
                row = connection.execute(sql, {"now": to_text(100.0)}).fetchone()
                assert row[0] == state_at(task, 100.0), (state, lease, expires)


def test_the_store_needs_nothing_heavy(tmp_path: Path) -> None:
    """The AGI script pays for every import, on every call."""
    path = str(tmp_path / "calls.db")
    open_database(path).close()
    script = (
        "import sys\n"
        "import router.store.writer, router.store.fallback, router.store.queries, router.store.callbacks\n"
        f"router.store.fallback.open_database({path!r}, migrate=False).close()\n"
        "heavy = {'sqlite_utils', 'pydantic', 'yaml', 'phonenumbers', 'click', 'holidays', 'rich', 'asyncio'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    said = subprocess.run([sys.executable, "-c", script], env=environ, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
