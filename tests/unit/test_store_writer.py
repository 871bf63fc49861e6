"""The writer: groups, never blocks its caller, loses nothing when the database is in trouble."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from router.model import Outcome, Pause, StaffCall
from router.store import commits as module
from router.store.database import open_database, reader
from router.store.fallback import folder
from router.store.operations import to_line
from router.store.spool import Spool
from router.store.writer import Writer
from tests.store_rows import (
    START,
    answered,
    call,
    descriptors,
    dump,
    ended,
    missed,
    nobody_writes,
    voicemail,
    wait_until,
    whole,
    write,
)

ROOT = Path(__file__).parents[2]


class Told:
    """What the writer said."""

    def __init__(self) -> None:
        self.trouble: list[str] = []
        self.mended: list[str] = []


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "calls.db")


@pytest.fixture
def start(path: str, told: Told) -> Iterator[Callable[[], Writer]]:
    """Makes and starts writers; stops what a test leaves running."""
    started: list[Writer] = []

    def make() -> Writer:
        writer = Writer(
            path,
            node="test",
            on_trouble=told.trouble.append,
            on_mended=told.mended.append,
            clock=lambda: START,
        )
        writer.start()
        started.append(writer)
        return writer

    before = threading.active_count(), descriptors()
    yield make
    for each in started:
        each.close(10)
    assert (threading.active_count(), descriptors()) == before


def outcomes(path: str) -> list[str | None]:
    return [None if row[5] is None else str(row[5]) for row in dump(path)["calls"]]


def test_a_calls_row_is_there_while_the_call_goes_on(path: str, start: Callable[[], Writer]) -> None:
    writer = start()
    writer.call_opened(call("first"))
    assert writer.flush(10)
    with closing(reader(path)) as connection:
        row = connection.execute("SELECT * FROM calls").fetchone()
    assert (row["outcome"], row["ended_at"], row["started_at"]) == (None, None, "2026-03-01T10:00:00.000Z")
    assert (row["did"], row["campaign"], row["path"], row["node"]) == ("+33184801001", "spring", "ari", "test")


def test_its_end_has_all_that_is_known(path: str, start: Callable[[], Writer]) -> None:
    writer = start()
    over = answered("first")
    writer.call_opened(call("first"))
    writer.call_answered(over.call, over.attempts)
    writer.call_ended(over.call, over.attempts, None)
    assert writer.flush(10)
    with closing(reader(path)) as connection:
        row = dict(connection.execute("SELECT * FROM calls").fetchone())
        leg = dict(connection.execute("SELECT * FROM attempts").fetchone())
        caller = dict(connection.execute("SELECT * FROM callers").fetchone())
    assert (row["outcome"], row["salesperson"], row["hangup_by"], row["cause"]) == (
        "answered",
        "alice",
        "caller",
        16,
    )
    assert (row["answered_at"], row["ended_at"]) == ("2026-03-01T10:00:05.000Z", "2026-03-01T10:01:05.000Z")
    assert (row["ring_seconds"], row["talk_seconds"]) == (5.0, 60.0)
    assert (leg["call_id"], leg["result"], leg["accepted_at"]) == (
        row["id"],
        "accepted",
        "2026-03-01T10:00:05.000Z",
    )
    assert (caller["id"], caller["number"]) == (row["caller_id"], "+33145678901")
    assert caller["pseudonym"].startswith("p")


def test_the_configuration_in_use_is_on_record(path: str, start: Callable[[], Writer]) -> None:
    writer = start()
    for _ in range(2):
        writer.config_accepted("0123456789ab", START, "/etc/callrouter/campaigns.yaml")
    assert writer.flush(10)
    assert dump(path, ["configs"])["configs"] == [
        ("0123456789ab", "test", "2026-03-01T10:00:00.000Z", "/etc/callrouter/campaigns.yaml")
    ]


def test_the_staffs_own_calls_and_pauses_are_on_record(path: str, start: Callable[[], Writer]) -> None:
    writer = start()
    staff = StaffCall(
        "c9", "test", "alice", "+33184801001", START, START + 9.5, verified=True, actions=("pause", "x")
    )
    writer.pause_set(Pause("alice", START + 5, None, "menu"))
    writer.pause_set(Pause("bob", START + 5, START + 60, "menu"))
    writer.pause_cleared("bob", START + 6)
    writer.staff_call_ended(staff)
    writer.staff_call_ended(staff)
    assert writer.flush(10)
    tables = dump(path, ["pauses", "staff_calls", "calls"])
    assert tables["pauses"] == [
        ("alice", "2026-03-01T10:00:05.000Z", None, "menu"),
        ("bob", "2026-03-01T10:00:06.000Z", "2026-03-01T10:00:06.000Z", "menu"),
    ]
    times = ("2026-03-01T10:00:00.000Z", "2026-03-01T10:00:09.500Z")
    assert tables["staff_calls"] == [("c9", "test", "alice", "+33184801001", *times, 1, "pause x")]
    assert tables["calls"] == [], "no lead"


def test_a_message_and_what_is_noted_of_a_leg(path: str, start: Callable[[], Writer]) -> None:
    """A leg's note is known at its end, its caller ID from the start: a late writing takes back neither."""
    end = voicemail("message")
    (leg,) = end.attempts
    writer = start()
    writer.call_opened(call("message"))
    writer.call_ended(end.call, [replace(leg, caller_id="caller", note="refused")], end.callback)
    writer.call_ended(end.call, [leg], end.callback)
    assert writer.flush(10)
    with closing(reader(path)) as connection:
        row = connection.execute("SELECT outcome, recording, recording_seconds FROM calls").fetchone()
        assert tuple(row) == ("voicemail", f"callrouter-{end.call.id}", 83.2)
        assert tuple(connection.execute("SELECT caller_id, note FROM attempts").fetchone()) == ("caller", "refused")
        assert connection.execute("SELECT count(*) FROM callback_calls").fetchone()[0] == 1, "a callback is owed"


def test_what_comes_together_shares_a_commit(
    path: str, start: Callable[[], Writer], monkeypatch: pytest.MonkeyPatch
) -> None:
    commits: list[str] = []

    def counting(*args: Any, **options: Any) -> sqlite3.Connection:
        connection = open_database(*args, **options)
        connection.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None)
        return connection

    monkeypatch.setattr(module, "open_database", counting)
    writer = start()
    assert writer.flush(10)
    commits.clear()
    for number in range(200):
        writer.call_opened(call(str(number), number))
    assert writer.flush(10)
    assert len(outcomes(path)) == 200
    assert 1 <= len(commits) <= 5


def test_readers_never_wait_for_the_writer(path: str, start: Callable[[], Writer]) -> None:
    writer = start()
    writer.call_opened(call("first"))
    assert writer.flush(10)
    with closing(nobody_writes(path)), closing(reader(path)) as connection:
        connection.execute("PRAGMA busy_timeout = 0")
        assert connection.execute("SELECT count(*) FROM calls").fetchone()[0] == 1


def test_a_reader_never_holds_up_the_writer(path: str, start: Callable[[], Writer]) -> None:
    writer = start()
    writer.call_opened(call("first"))
    assert writer.flush(10)
    with closing(reader(path)) as connection:
        connection.execute("BEGIN")
        assert connection.execute("SELECT count(*) FROM calls").fetchone()[0] == 1
        writer.call_opened(call("second"))
        assert writer.flush(10)
        assert connection.execute("SELECT count(*) FROM calls").fetchone()[0] == 1
    assert len(outcomes(path)) == 2


def test_an_end_stays_when_its_beginning_is_written_again(path: str, start: Callable[[], Writer]) -> None:
    writer = start()
    over = missed("first")
    writer.call_ended(over.call, over.attempts, over.callback)
    assert writer.flush(10)
    before = dump(path)
    for each in whole(over):
        writer.write(each)
    assert writer.flush(10)
    assert dump(path) == before


def test_a_better_outcome_replaces_a_worse_and_never_the_other_way(path: str, start: Callable[[], Writer]) -> None:
    """Killed and back, the router can but say `failed`; the fallback that carried the call knows better."""
    writer = start()
    opened = call("first")
    for outcome in (Outcome.FAILED, Outcome.NO_ANSWER, Outcome.ANSWERED, Outcome.BUSY, Outcome.FAILED):
        writer.call_ended(ended(opened, outcome, 30.0, 5.0 if outcome is Outcome.ANSWERED else None), (), None)
    assert writer.flush(10)
    assert outcomes(path) == ["answered"]


# --- Trouble ----------------------------------------------------------------------------------------------


def test_locked_the_caller_does_not_wait_and_nothing_is_lost(
    path: str, start: Callable[[], Writer], told: Told
) -> None:
    writer = start()
    assert writer.flush(10)
    lock = nobody_writes(path)
    slowest = 0.0
    operations = [
        each for number in range(50) for each in whole(missed(str(number), number, number=f"+3314{number}"))
    ]
    for each in operations:
        began = time.perf_counter()
        writer.write(each)
        slowest = max(slowest, time.perf_counter() - began)
    wait_until(lambda: writer.health().spooled == len(operations), "all operations journalled")
    assert slowest < 0.2
    health = writer.health()
    assert (health.pending, health.refused) == (len(operations), 0)
    assert health.last_error is not None
    assert "is locked by another program" in health.last_error
    assert not writer.flush(0.05)
    lock.close()
    assert writer.flush(20)
    assert outcomes(path) == ["no_answer"] * 50
    assert writer.health().pending == 0
    assert writer.health().last_error is None
    assert not os.path.exists(f"{path}.spool")
    assert len(told.trouble) == 1
    assert len(told.mended) == 1


def test_trouble_is_told_again_after_it_was_mended(path: str, start: Callable[[], Writer], told: Told) -> None:
    writer = start()
    for count in (1, 2):
        assert writer.flush(10)
        lock = nobody_writes(path)
        writer.call_opened(call(str(count)))
        wait_until(lambda: bool(told.trouble), "being told of the trouble")
        assert len(told.trouble) == 1
        told.trouble.clear()
        lock.close()
        assert writer.flush(20)
        assert len(told.mended) == count


def test_stopped_while_locked_it_leaves_a_journal_that_the_next_start_takes_in(
    path: str, start: Callable[[], Writer]
) -> None:
    open_database(path).close()
    with closing(nobody_writes(path)):
        writer = start()
        for each in whole(missed("first")):
            writer.write(each)
        assert not writer.close(5)
        lines = Path(f"{path}.spool").read_text().splitlines()
        assert lines == [to_line(each) for each in whole(missed("first"))]
    again = start()
    wait_until(lambda: not os.path.exists(f"{path}.spool"), "the journal taken in")
    again.call_opened(call("second", 1.0))
    assert again.flush(10)
    assert outcomes(path) == ["no_answer", None]


def test_closing_is_bounded_though_the_disk_hangs(path: str, told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()

    def hangs(*_: Any, **__: Any) -> sqlite3.Connection:
        released.wait(30)
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(module, "open_database", hangs)
    writer = Writer(path, node="test", on_trouble=told.trouble.append)
    writer.start()
    writer.call_opened(call("first"))
    began = time.monotonic()
    assert not writer.close(0.2)
    assert time.monotonic() - began < 2
    released.set()
    wait_until(lambda: threading.active_count() == 1 or not writer._thread.is_alive(), "the thread's end")
    assert Path(f"{path}.spool").read_text().count("\n") == 1


def test_a_full_database_spools_and_then_takes_everything(
    path: str, start: Callable[[], Writer], told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite's own SQLITE_FULL, by a limit on the number of pages."""
    pages = [40]

    def small(*args: Any, **options: Any) -> sqlite3.Connection:
        connection = open_database(*args, **options)
        connection.execute(f"PRAGMA max_page_count = {pages[0]}")
        return connection

    monkeypatch.setattr(module, "open_database", small)
    writer = start()
    for number in range(600):
        writer.call_opened(call(str(number), number))
    wait_until(lambda: writer.health().spooled > 0, "the database full")
    assert any("the disk is full" in line for line in told.trouble)
    pages[0] = 1 << 30
    assert writer.flush(30)
    assert len(outcomes(path)) == 600


def test_where_the_journal_cannot_be_written_either_rows_wait_in_memory(
    path: str, start: Callable[[], Writer], told: Told
) -> None:
    open_database(path).close()
    os.mkdir(f"{path}.spool")  # stands for a full disk: nothing can be appended to it
    lock = nobody_writes(path)
    writer = start()
    for number in range(20):
        writer.call_opened(call(str(number), number))
    wait_until(lambda: any("rows are kept in memory only" in line for line in told.trouble), "being told")
    health = writer.health()
    assert (health.pending, health.spooled) == (20, 0)
    os.rmdir(f"{path}.spool")
    lock.close()
    assert writer.flush(20)
    assert len(outcomes(path)) == 20


class Failing:
    """A connection whose COMMIT fails as SQLite reports a failed fsync, while `broken` is set."""

    broken = False
    name = "SQLITE_IOERR_FSYNC"
    made = 0

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        Failing.made += 1

    def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
        if sql == "COMMIT" and Failing.broken:
            self.connection.execute("ROLLBACK")
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorname = Failing.name
            raise error
        return self.connection.execute(sql, *args)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)


@pytest.mark.parametrize("name", ["SQLITE_IOERR_FSYNC", "SQLITE_IOERR_WRITE"])
def test_a_failing_disk_is_never_reported_as_stored(
    path: str, start: Callable[[], Writer], told: Told, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """What an fsync could not keep is written again by the connection that knows: another one would find it in the
    log, and take it for committed."""
    monkeypatch.setattr(Failing, "name", name)
    monkeypatch.setattr(Failing, "made", 0)
    monkeypatch.setattr(module, "open_database", lambda *a, **o: Failing(open_database(*a, **o)))
    monkeypatch.setattr(Failing, "broken", True)
    writer = start()
    writer.call_opened(call("first"))
    assert not writer.flush(0.5)
    assert outcomes(path) == []
    assert any(f"the disk fails ({name}" in line for line in told.trouble)
    monkeypatch.setattr(Failing, "broken", False)
    assert writer.flush(20)
    assert outcomes(path) == [None]
    assert (Failing.made == 1) == (name == "SQLITE_IOERR_FSYNC")


def make_newer(path: str) -> None:
    open_database(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
        connection.execute("PRAGMA journal_mode = DELETE")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: Path(path).mkdir(), "is a folder"),
        (lambda path: Path(path).write_text("hello " * 99), "is not an SQLite database"),
        (make_newer, "newer Callrouter"),
    ],
    ids=["folder", "text", "newer"],
)
def test_a_database_that_cannot_be_used_is_told_left_alone_and_taken_up_once_mended(
    path: str, start: Callable[[], Writer], told: Told, spoil: Callable[[str], Any], said: str
) -> None:
    spoil(path)
    before = Path(path).read_bytes() if os.path.isfile(path) else None
    writer = start()
    writer.call_opened(call("first"))
    wait_until(lambda: writer.health().spooled == 1, "the call journalled")
    assert any(said in line for line in told.trouble)
    assert (Path(path).read_bytes() if os.path.isfile(path) else None) == before
    os.rename(path, f"{path}.aside")
    assert writer.flush(20)
    assert outcomes(path) == [None]


def test_a_missing_folder_is_trouble_until_it_is_made(tmp_path: Path, told: Told) -> None:
    path = tmp_path / "away" / "calls.db"
    writer = Writer(str(path), node="test", on_trouble=told.trouble.append)
    writer.start()
    writer.call_opened(call("first"))
    wait_until(lambda: any("mkdir -p" in line for line in told.trouble), "being told")
    path.parent.mkdir(exist_ok=True)
    assert writer.flush(20)
    assert writer.close(5)
    assert outcomes(str(path)) == [None]


def test_a_database_moved_away_while_running_is_made_anew_but_not_over_its_log(
    path: str, start: Callable[[], Writer], told: Told
) -> None:
    writer = start()
    writer.call_opened(call("first"))
    assert writer.flush(10)
    os.rename(path, f"{path}.old")
    writer.call_opened(call("second", 1.0))
    wait_until(lambda: any("without its log" in line for line in told.trouble), "being told")
    os.rename(f"{path}-wal", f"{path}.old-wal")
    assert writer.flush(20)
    assert len(outcomes(path)) == 1
    assert len(outcomes(f"{path}.old")) == 1


def test_a_row_that_no_table_can_hold_is_set_aside_and_holds_up_nothing(
    path: str, start: Callable[[], Writer], told: Told
) -> None:
    from dataclasses import replace

    writer = start()
    for number in range(10):
        opened = call(str(number), number)
        writer.call_opened(replace(opened, cause=1 << 70) if number == 5 else opened)
    assert writer.flush(10)
    assert len(outcomes(path)) == 9
    assert writer.health().refused == 1
    assert Path(f"{path}.refused").read_text().count("\n") == 1
    assert any(f"was set aside in {path}.refused" in line for line in told.trouble)


@pytest.mark.parametrize("did", ["\ud800\udc80", "a\x00b", "'; DROP TABLE calls; --", "+33" + "1" * 4000, "🐈‍⬛"])
def test_odd_text_makes_one_clean_row(path: str, start: Callable[[], Writer], did: str) -> None:
    from dataclasses import replace

    writer = start()
    writer.call_opened(replace(call("first", number=did), did=did))
    assert writer.flush(10)
    assert writer.health().refused == 0
    assert outcomes(path) == [None]


def test_the_end_of_a_torn_journal_is_dropped_and_the_rest_taken(path: str, start: Callable[[], Writer]) -> None:
    lines = [to_line(each) for each in whole(missed("first"))]
    Path(f"{path}.spool").write_text(lines[0] + "\n" + "no operation\n" + lines[1] + "\n" + lines[1][:50])
    writer = start()
    wait_until(lambda: not os.path.exists(f"{path}.spool"), "the journal taken in")
    assert writer.flush(10)
    assert outcomes(path) == ["no_answer"]
    assert Path(f"{path}.refused").read_text() == "no operation\n"
    assert writer.health().refused == 1


def test_callbacks_past_their_end_are_put_down_as_expired(path: str, told: Told) -> None:
    write(path, [missed("first"), missed("second", 10.0, number="+33145678902", expire=10 * 86400.0)])
    writer = Writer(path, node="test", on_trouble=told.trouble.append, clock=lambda: START + 5 * 86400)
    writer.start()
    assert writer.flush(10)
    assert writer.close(10)
    rows = dump(path)["callbacks"]
    assert sorted(str(row[3]) for row in rows) == ["expired", "open"]


def test_the_folder_of_the_fallback_is_there(path: str, start: Callable[[], Writer]) -> None:
    writer = start()
    assert writer.flush(10)
    assert os.stat(folder(path)).st_mode & 0o7777 == 0o770


def test_killed_at_any_moment_each_call_is_whole_or_not_there(path: str) -> None:
    """SIGKILL while it writes: no row without its attempts and callback, and the next start goes on from there."""
    script = (
        "import sys\n"
        "from router.store.writer import Writer\n"
        "from tests.store_rows import missed, whole\n"
        f"writer = Writer({path!r}, node='test', on_trouble=print)\n"
        "writer.start()\n"
        "for number in range(100000):\n"
        "    for each in whole(missed(str(number), number, number=f'+33{number:09}')):\n"
        "        writer.write(each)\n"
        "    if number % 100 == 99:\n"
        "        writer.flush(10)\n"
        "        print(number, flush=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": "."},
    )
    assert process.stdout is not None
    stored = [int(process.stdout.readline()) for _ in range(3)][-1]
    process.kill()
    process.communicate()
    rows = dump(path)
    over = [row for row in rows["calls"] if row[5] is not None]
    assert len(over) >= stored
    assert len(rows["attempts"]) == len(rows["callbacks"]) == len(rows["callback_calls"]) == len(over)
    again = Writer(path, node="test", on_trouble=print)
    again.start()
    again.call_opened(call("after"))
    assert again.flush(20)
    assert again.close(10)


def test_what_could_be_written_nowhere_is_said_to_be_lost(path: str, told: Told) -> None:
    open_database(path).close()
    for name in ("spool", "journal.0"):
        os.mkdir(f"{path}.{name}")
    with closing(nobody_writes(path)):
        writer = Writer(path, node="test", on_trouble=told.trouble.append)
        writer.start()
        writer.call_opened(call("first"))
        assert not writer.close(10)
    assert f"{path}: 1 operations could be written nowhere and are lost with this process" in told.trouble


def test_a_disk_that_fills_in_mid_line_leaves_no_half_line(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(path)
    assert spool.add(whole(missed("first"))) is None
    kept = Path(spool.path).read_bytes()
    whole_write = os.write

    def cut_short(descriptor: int, data: memoryview) -> int:
        if len(data) < 100:
            raise OSError(28, "No space left on device")
        return whole_write(descriptor, data[: len(data) // 2])

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", cut_short)
        error = spool.add(whole(missed("second")))
    assert error is not None
    assert Path(spool.path).read_bytes() == kept
    assert (len(spool), spool.on_disk) == (4, 2)
    assert spool.add([]) is None
    assert (len(spool), spool.on_disk) == (4, 4)
    operations, unread, _ = spool.head(10)
    assert operations == [*whole(missed("first")), *whole(missed("second"))]
    assert unread == []


def test_a_journal_that_cannot_be_read_is_not_lost(path: str, start: Callable[[], Writer], told: Told) -> None:
    open_database(path).close()
    lock = nobody_writes(path)
    writer = start()
    writer.call_opened(call("first"))
    wait_until(lambda: writer.health().spooled == 1, "the call journalled")
    os.rename(f"{path}.spool", f"{path}.away")
    lock.close()
    wait_until(lambda: any("No such file" in line for line in told.trouble), "being told")
    os.rename(f"{path}.away", f"{path}.spool")
    assert writer.flush(20)
    assert outcomes(path) == [None]


def test_trouble_while_a_bad_row_is_sorted_out_loses_nothing(path: str, start: Callable[[], Writer]) -> None:
    """The row cannot be set aside either: all of its group waits until it can."""
    from dataclasses import replace

    open_database(path).close()
    os.mkdir(f"{path}.refused")
    writer = start()
    for number in range(3):
        opened = call(str(number), number)
        writer.call_opened(replace(opened, cause=1 << 70) if number == 1 else opened)
    wait_until(lambda: writer.health().spooled == 3, "all three journalled")
    os.rmdir(f"{path}.refused")
    assert writer.flush(20)
    assert len(outcomes(path)) == 2
    assert writer.health().refused == 1
