"""`callrouter backup` as a user types it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from router.commands import group
from tests.store_rows import dump, missed, write


@pytest.fixture
def db(tmp_path: Path) -> str:
    path = str(tmp_path / "calls.db")
    write(path, [missed("first")])
    return path


def run(db: str, *args: str) -> Result:
    return CliRunner().invoke(group, ["--db", db, "backup", *args], prog_name="callrouter")


def test_a_copy(db: str, tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    result = run(db, str(target))
    assert result.exit_code == 0
    assert result.output == f"{target}: {target.stat().st_size:,} bytes, checked\n"
    assert dump(str(target)) == dump(db)


def test_nothing_is_overwritten(db: str, tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    target.write_text("mine")
    result = run(db, str(target))
    assert result.exit_code == 1
    assert result.output == f"callrouter: {target}: exists and is not overwritten; give another name\n"
    assert target.read_text() == "mine"


def test_a_missing_folder(db: str, tmp_path: Path) -> None:
    result = run(db, str(tmp_path / "away" / "copy.db"))
    assert result.exit_code == 1
    assert f"make it: mkdir -p {tmp_path}/away" in result.output
    assert result.output.count("\n") == 1


def test_no_file_named(db: str) -> None:
    assert run(db).exit_code == 2


def test_a_missing_database(tmp_path: Path) -> None:
    result = run(str(tmp_path / "none.db"), str(tmp_path / "copy.db"))
    assert result.exit_code == 1
    assert "there is no database yet" in result.output
    assert list(tmp_path.iterdir()) == []
