"""A backup made while calls go on, restored as the manual says; and a database of the first release, taken over."""

from __future__ import annotations

import getpass
import grp
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from router.store.schema import VERSIONS
from sandbox.asterisk import CHECKOUT
from sandbox.behaviours import BUSY, Answer
from tests.integration.site import ALICE, ALONE, BOB, IN_TURN, Site
from tests.store_rows import dump

pytestmark = pytest.mark.asterisk

HERE = Path(__file__).parent
MANUAL = CHECKOUT / "docs" / "operation.md"
CALLS = 30
TABLES = ("callers", "calls", "attempts", "callbacks", "callback_calls", "configs", "reveals")
REPORTS: tuple[tuple[str, ...], ...] = (
    ("report", "campaigns", "--format", "csv"),
    ("report", "salespeople", "--format", "csv"),
    ("report", "hours", "--format", "csv"),
    ("calls", "list", "--limit", "1000", "--format", "csv"),
    ("callbacks", "list", "--all", "--limit", "1000", "--format", "csv"),
)


@pytest.fixture
def calls(running: Site) -> Iterator[list[str]]:
    """Thirty calls that are being made: taken at once, or by the second who is rung; and their callers' numbers."""
    running.mobiles({ALICE: BUSY, BOB: Answer(ring=0.3)})
    numbers = [f"+{next(Site.numbers)}" for _ in range(CALLS)]
    placed = running.caller.place([ALONE, IN_TURN], numbers, calls=CALLS, rate=12, hang_up_after=0.3)
    yield numbers
    placed.wait(30)
    query = "SELECT count(outcome) AS n FROM calls JOIN callers ON callers.id = caller_id WHERE number IN ({})"
    marks = ", ".join("?" * CALLS)
    running.until(lambda: running.rows(query.format(marks), *numbers) == [{"n": CALLS}], "thirty rows")


def rows(database: Path, query: str) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(query)]


def reports(config: Path) -> dict[tuple[str, ...], bytes]:
    """What each of them says, byte by byte."""
    said = {}
    for command in REPORTS:
        done = subprocess.run(
            [str(CHECKOUT / ".venv/bin/python"), str(CHECKOUT / "cli.py"), "--config", str(config), *command],
            capture_output=True, timeout=60, check=True,
        )  # fmt: skip
        said[command] = done.stdout
    return said


def first(known: Sequence[Any], later: Sequence[Any], what: str) -> None:
    """That what is known was the beginning of what came later."""
    assert list(known) == list(later[: len(known)]), what


def test_a_backup_during_load_is_what_was_there_at_one_moment(
    running: Site, calls: list[str], tmp_path: Path
) -> None:
    half = (
        "SELECT count(*) AS n FROM calls JOIN callers ON callers.id = caller_id WHERE number >= ? AND outcome <> ''"
    )
    running.until(lambda: running.rows(half, calls[0])[0]["n"] >= CALLS // 4, "a quarter of them has ended", 30)
    copy = tmp_path / "copy.db"
    done = running.run("backup", str(copy))
    assert (done.returncode, done.stderr) == (0, "")
    running.until(lambda: running.rows(half, calls[0])[0]["n"] == CALLS, "all of them have ended", 30)
    assert rows(copy, "PRAGMA integrity_check") == [{"integrity_check": "ok"}]
    assert rows(copy, "PRAGMA foreign_key_check") == []
    arrived = "SELECT id FROM calls ORDER BY started_at, id"
    first(rows(copy, arrived), rows(running.database, arrived), "calls as they came, without a gap")
    over = "SELECT * FROM calls WHERE outcome IS NOT NULL ORDER BY ended_at, id"
    first(rows(copy, over), rows(running.database, over), "ends as they came, each as it was to stay")
    assert CALLS // 4 <= len(rows(copy, over)) <= len(rows(running.database, over))
    of_these = (
        "SELECT * FROM attempts WHERE call_id IN (SELECT id FROM calls WHERE outcome IS NOT NULL) ORDER BY id"
    )
    there = {row["id"]: row for row in rows(running.database, of_these)}
    known = rows(copy, of_these)
    assert all(there[row["id"]] == row for row in known)
    assert {row["call_id"] for row in known} == {row["id"] for row in rows(copy, over)}, "none without its attempts"
    missed = {row["id"] for row in rows(copy, "SELECT id FROM calls WHERE outcome = 'busy'")}
    assert {row["call_id"] for row in rows(copy, "SELECT call_id FROM callback_calls")} == missed


def restored(site: Site, copy: Path, place: Path) -> Path:
    """The copy and the key in the place of another machine; its campaigns.yaml."""
    place.mkdir()
    shutil.copy2(site.config, place)
    shutil.copy2(copy, place / site.database.name)
    shutil.copy2(f"{site.database}.key", place)
    return place / site.config.name


@pytest.mark.usefixtures("calls")
def test_what_was_busy_is_restored(running: Site, tmp_path: Path) -> None:
    """Made while calls go on, put into a fresh place: it reads like any other there."""
    copy = tmp_path / "copy.db"
    assert running.run("backup", str(copy)).returncode == 0
    before = dump(str(copy), TABLES)
    config = restored(running, copy, tmp_path / "elsewhere")
    assert all(reports(config).values())
    assert dump(str(config.parent / running.database.name), TABLES) == before


def test_the_reports_of_a_backup_at_rest_are_the_originals(running: Site, tmp_path: Path) -> None:
    running.mobiles({ALICE: Answer(ring=0.1)})
    running.call(ALONE, hang_up_after=0.1).ended()
    copy = tmp_path / "copy.db"
    assert running.run("backup", str(copy)).returncode == 0
    assert dump(str(copy), TABLES) == dump(str(running.database), TABLES)
    config = restored(running, copy, tmp_path / "elsewhere")
    assert reports(config) == reports(running.config)


def console(heading: str) -> list[list[str]]:
    """The commands of each console block under this heading of the manual."""
    _, _, section = MANUAL.read_text(encoding="utf-8").partition(f"\n## {heading}\n")
    blocks = section.partition("\n## ")[0].split("```console\n")[1:]
    return [
        [line[2:] for line in block.partition("```")[0].splitlines() if line.startswith(("# ", "$ "))]
        for block in blocks
    ]


def test_the_manual_restores_as_it_says(running: Site, tmp_path: Path) -> None:
    """Each command of "Back up and restore" as it is written, in this site's folders."""
    running.mobiles({ALICE: Answer(ring=0.1)})
    running.call(ALONE, hang_up_after=0.1).ended()
    kept = tmp_path / "backups"
    kept.mkdir()
    whose = f"-o {getpass.getuser()} -g {grp.getgrgid(os.getgid()).gr_name}"
    here = {
        "/var/backups": str(kept),
        "/var/lib/callrouter": str(running.database.parent),
        "-o asterisk -g asterisk": whose,
        "callrouter-2026-03-01.db": f"callrouter-{datetime.now(UTC).astimezone():%Y-%m-%d}.db",
        "callrouter backup": f"{CHECKOUT}/.venv/bin/python {CHECKOUT}/cli.py --config {running.config} backup",
        "systemctl stop callrouter": "exit 101",
        "systemctl start callrouter": "exit 102",
    }
    backup, restore = console("Back up and restore")
    assert any("callrouter backup" in line for line in backup)
    typed(running, backup, here)
    rows_then = dump(str(running.database), TABLES)
    lost = running.call(ALONE, hang_up_after=0.1)
    lost.ended()
    typed(running, restore, here)
    assert running.router_runs(), "the manual starts it again"
    held = dump(str(running.database), TABLES)
    for table in set(TABLES) - {"configs"}:
        assert held[table] == rows_then[table], "what was there then, and nothing else"
    assert lost.rows() == []
    assert running.database.stat().st_mode & 0o777 == 0o600
    assert (running.database.parent / "aside" / running.database.name).exists()
    assert running.call(ALONE, hang_up_after=0.1).ended()["outcome"] == "answered"


def typed(site: Site, lines: Sequence[str], here: dict[str, str]) -> None:
    """Has a shell do each line, one after another in the folder that they go to."""
    folder = site.folder
    for written in lines:
        line = written
        for theirs, ours in here.items():
            line = line.replace(theirs, ours)
        if line == "exit 101":
            site.stop_router()
        elif line == "exit 102":
            site.start_router()
        elif line.startswith("cd "):
            folder = Path(line[3:])
        else:
            done = subprocess.run(["sh", "-c", line], cwd=folder, capture_output=True, text=True, check=False)
            # `mv` may miss -wal and -shm, as the manual says.
            others = [said for said in done.stderr.splitlines() if "-wal" not in said and "-shm" not in said]
            assert others == [], line


# --- The first release ------------------------------------------------------------------------------------


@pytest.fixture
def first_release(site: Site) -> dict[str, list[tuple[object, ...]]]:
    """Its database, and rows that waited in its spool, where the router will find them; its rows."""
    site.stop_router()
    for left in site.folder.glob(f"{site.database.name}*"):
        if left.is_dir():
            shutil.rmtree(left)
        else:
            left.unlink()
    with closing(sqlite3.connect(site.database)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript((HERE / "first_release.sql").read_text(encoding="utf-8"))
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    shutil.copy(HERE / "first_release.spool", f"{site.database}.spool")
    return dump(str(site.database), TABLES)


def test_a_database_of_the_first_release_is_taken_over(
    first_release: dict[str, list[tuple[object, ...]]], running: Site
) -> None:
    """The router starts on it, keeps every row, writes down what had waited, and ends the call that it lost."""
    assert all(first_release.values()), "a row of each kind"
    running.mobiles({ALICE: Answer(ring=0.1)})
    assert running.call(ALONE, hang_up_after=0.1).ended()["outcome"] == "answered"
    waited = "SELECT outcome FROM calls WHERE id = 'c01jikdeb80h538lp2mg5cnn0i'"
    running.until(lambda: running.rows(waited) == [{"outcome": "no_answer"}], "what had waited is written")
    lost = "SELECT outcome FROM calls WHERE channel = '1772359200.live'"
    running.until(lambda: running.rows(lost) == [{"outcome": "failed"}], "the call of its last run has ended")
    assert rows(running.database, "PRAGMA user_version") == [{"user_version": len(VERSIONS)}]
    assert rows(running.database, "PRAGMA integrity_check") == [{"integrity_check": "ok"}]
    now = dump(str(running.database), TABLES)
    for table, then in first_release.items():
        live = [row for row in then if table == "calls" and row[-1] == "1772359200.live"]
        there = {row[: len(then[0])] for row in now[table]}
        assert set(then) - set(live) <= there, f"{table}: every row as it was"
    assert len(running.rows("SELECT 1 FROM callbacks WHERE state = 'open' AND campaign = 'spring'")) >= 2
    assert not running.said("Traceback")
    for command in REPORTS:
        assert running.run(*command).returncode == 0
