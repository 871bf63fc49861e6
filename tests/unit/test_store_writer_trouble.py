"""The writer when its database is in trouble: nobody waits for it, nothing is lost, and what is wrong is told."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from router.store import commits as module
from router.store.database import open_database
from router.store.operations import to_line
from router.store.spool import Spool
from router.store.writer import Writer
from tests.store_rows import call, missed, nobody_writes, wait_until, whole
from tests.writer_fixtures import Told, outcomes, path, start, told

__all__ = ["path", "start", "told"]


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
    assert slowest < 1
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


def test_the_end_of_a_torn_journal_is_dropped_and_the_rest_taken(path: str, start: Callable[[], Writer]) -> None:
    lines = [to_line(each) for each in whole(missed("first"))]
    Path(f"{path}.spool").write_text(lines[0] + "\n" + "no operation\n" + lines[1] + "\n" + lines[1][:50])
    writer = start()
    wait_until(lambda: not os.path.exists(f"{path}.spool"), "the journal taken in")
    assert writer.flush(10)
    assert outcomes(path) == ["no_answer"]
    assert Path(f"{path}.refused").read_text() == "no operation\n"
    assert writer.health().refused == 1


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
