"""A consistent copy of a database in use."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from router.errors import Refused, StoreError
from router.store import backup as module
from router.store.backup import back_up
from router.store.database import open_database, reading
from router.store.writer import Writer
from tests.store_rows import START, call, dump, missed, whole, write


@pytest.fixture
def path(tmp_path: Path) -> str:
    path = str(tmp_path / "calls.db")
    write(path, [missed(str(number), number, number=f"+33{number:09}") for number in range(50)])
    return path


def test_the_copy_holds_the_same_rows(path: str, tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    size = back_up(path, str(target))
    assert size == target.stat().st_size
    assert dump(str(target)) == dump(path)
    assert target.stat().st_mode & 0o777 == 0o600
    assert sorted(each.name for each in tmp_path.iterdir() if each.name.startswith("copy")) == ["copy.db"]


def test_the_copy_works_in_the_databases_place(path: str, tmp_path: Path) -> None:
    target = str(tmp_path / "copy.db")
    back_up(path, target)
    with closing(open_database(target)) as connection:
        assert connection.execute("SELECT count(*) FROM calls").fetchone()[0] == 50


def test_while_the_router_writes_it_is_of_one_moment(path: str, tmp_path: Path) -> None:
    """Calls go on being written between the copy's parts: none of them is in it by half, and none waits for it."""
    target = str(tmp_path / "copy.db")
    writer = Writer(path, node="test", on_trouble=pytest.fail, clock=lambda: START)
    writer.start()
    seen: list[int] = []

    def meanwhile(_done: int, _total: int) -> None:
        seen.append(_done)
        for each in whole(missed(f"new{len(seen)}", 1000.0 + len(seen), number=f"+34{len(seen):09}")):
            writer.write(each)
        assert writer.flush(10)

    old = module.PAGES_AT_ONCE
    module.PAGES_AT_ONCE = 5  # type: ignore[misc]
    try:
        back_up(path, target, meanwhile)
    finally:
        module.PAGES_AT_ONCE = old  # type: ignore[misc]
    assert writer.close(10)
    assert len(seen) > 3
    rows = dump(target)
    assert len(rows["calls"]) == len(rows["callbacks"]) == len(rows["attempts"]) == 50
    assert len(dump(path)["calls"]) == 50 + len(seen)


def test_nothing_is_overwritten(path: str, tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    target.write_text("mine")
    with pytest.raises(Refused, match="exists and is not overwritten; give another name"):
        back_up(path, str(target))
    assert target.read_text() == "mine"


def test_a_link_to_nowhere_is_not_followed(path: str, tmp_path: Path) -> None:
    (tmp_path / "copy.db").symlink_to(tmp_path / "elsewhere.db")
    with pytest.raises(Refused, match="exists"):
        back_up(path, str(tmp_path / "copy.db"))


def test_what_is_made_meanwhile_is_not_overwritten_either(path: str, tmp_path: Path) -> None:
    target = tmp_path / "copy.db"

    def meanwhile(_done: int, _total: int) -> None:
        target.write_text("mine")

    with pytest.raises(Refused, match="exists"):
        back_up(path, str(target), meanwhile)
    assert target.read_text() == "mine"
    assert not list(tmp_path.glob("*.unfinished*"))


def test_the_live_database_is_no_target(path: str) -> None:
    with pytest.raises(Refused, match="exists"):
        back_up(path, path)
    with pytest.raises(Refused, match="a name that SQLite itself uses"):
        back_up(path, f"{path}-journal")


def test_a_missing_folder(path: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"does not exist; make it: mkdir -p"):
        back_up(path, str(tmp_path / "away" / "copy.db"))


def test_a_missing_database(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no database yet"):
        back_up(str(tmp_path / "none.db"), str(tmp_path / "copy.db"))
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_database_makes_no_copy(path: str, tmp_path: Path) -> None:
    """Rows that the table's own rules forbid: SQLite copies them as they are, the integrity check finds them."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_schema SET sql = replace(sql, 'salesperson TEXT,', 'salesperson TEXT NOT NULL,') "
            "WHERE name = 'calls'"
        )
        connection.commit()
    with pytest.raises(StoreError, match=r"is damaged \(NULL value in calls\.salesperson\); no copy was made"):
        back_up(path, str(tmp_path / "copy.db"))
    assert not os.path.exists(tmp_path / "copy.db")
    assert not list(tmp_path.glob("*.unfinished*"))


def test_a_full_disk_leaves_nothing_half_made(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(sqlite3.OperationalError):
        sqlite_errorname = "SQLITE_FULL"

    def full(*_: object) -> None:
        raise Full("database or disk is full")

    monkeypatch.setattr(module, "_copy", full)
    with pytest.raises(StoreError, match="the disk is full"):
        back_up(path, str(tmp_path / "copy.db"))
    assert not list(tmp_path.glob("copy*"))
    with reading(path) as connection:
        assert connection.execute("SELECT 1 FROM calls WHERE id = ?", (call("0").id,)).fetchone()
