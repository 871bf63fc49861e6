"""Terminal escapes, formulas and odd letters in what callers, carriers and colleagues wrote: harmless on every
screen, in every spreadsheet, and whole in JSON. What `render` does by itself stands in test_reports_render.py."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import io
import json
import os
import pty
import re
import sqlite3
import subprocess
import sys
import time
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.cells import cell_len

from router.commands import group
from router.live import Document, LiveServer, socket_path
from router.model import Pause
from router.store import pauses
from router.store.database import writing
from tests.campaign_file import GOOD
from tests.live_calls import document, several
from tests.store_rows import START, answered, dump, missed, voicemail, whole, write

ROOT = Path(__file__).parents[2]
HOSTILE = (
    "a\x1b[2Jb\x1b]0;title\x07c\x9b31md\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\e\x08\x08f"
    "\N{RIGHT-TO-LEFT OVERRIDE}g\N{POP DIRECTIONAL ISOLATE}h\N{ZERO WIDTH SPACE}i\N{ZERO WIDTH JOINER}j\r\nk\x7fl"
    "\N{LINE SEPARATOR}m\x85n\x90o\x00p\tq"
)
WIDE = "\N{FAMILY}\N{ROCKET}\N{CJK UNIFIED IDEOGRAPH-6C34}" * 20
FORMULAS = ["=1+1", "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(1)", "\t=1", "\r=1", " =1", "＝1", "x;=1"]
FORMULA = '=HYPERLINK("http://evil","click")'
ALLOWED = re.compile(r"\x1b\[[0-9;]*m|[\r\n]")
"""On a terminal: bold and colours, and the ends of lines."""

DAYS = ("--from", "2026-02-28", "--to", "2026-03-02")
YEARS = 100 * 365 * 86400.0
COMMANDS: dict[str, Sequence[str]] = {
    "calls list": ("calls", "list"),
    "calls list with numbers": ("calls", "list", "--numbers", "--reason", HOSTILE.replace("\0", "")),
    "calls show": ("calls", "show", "CALL"),
    "calls show a message": ("calls", "show", "MESSAGE"),
    "callbacks list": ("callbacks", "list", "--all"),
    "callbacks show": ("callbacks", "show", "TASK"),
    "people list": ("people", "list"),
    "report campaigns": ("report", "campaigns", *DAYS),
    "report missed": ("report", "missed", *DAYS),
    "report salespeople": ("report", "salespeople", *DAYS),
    "report hours": ("report", "hours", *DAYS),
}


class Site:
    """A database in which every text is hostile, and a campaigns.yaml with all that a name may hold."""

    def __init__(self, folder: Path, evil: str) -> None:
        self.database = str(folder / "calls.db")
        self.config = folder / "campaigns.yaml"
        text = GOOD.replace("data/calls.db", "calls.db").replace("Alice Martin", json.dumps(FORMULA))
        self.config.write_text(text.replace("Flyer printemps", json.dumps("=1+1")), encoding="utf-8")
        first = missed("first", campaign="spring-flyer", expire=YEARS)
        write(self.database, [first, voicemail("message", 30.0, campaign="spring-flyer")])
        write(self.database, whole(answered("taken", 60.0, number="+33145678902", campaign="poster")))
        with writing(self.database) as connection:
            pauses.pause(connection, Pause("alice", START, None, evil))
        self._spoil(evil)
        tables = dump(self.database, ("calls", "callbacks"))
        calls = [str(row[0]) for row in tables["calls"]]
        self.words = {"CALL": calls[0], "MESSAGE": calls[1], "TASK": str(tables["callbacks"][0][0])}

    def _spoil(self, evil: str) -> None:
        """Past everything that cleans texts on their way in: an older version, or another program, wrote them."""
        with contextlib.closing(sqlite3.connect(self.database)) as connection:
            connection.execute("UPDATE calls SET did = ?1, node = ?1, channel = ?1 || id", (evil,))
            connection.execute(
                "UPDATE calls SET campaign = ?1, salesperson = ?1 WHERE campaign = 'poster'", (evil,)
            )
            connection.execute("UPDATE calls SET recording = ?1 WHERE recording IS NOT NULL", (evil,))
            connection.execute(
                "UPDATE attempts SET salesperson = ?1, trunk = ?1, caller_id = ?1, note = ?1", (evil,)
            )
            connection.execute("UPDATE callbacks SET owner = ?1, close_reason = ?1", (evil,))
            connection.commit()

    def run(self, name: str, form: str) -> str:
        words = [self.words.get(word, word) for word in COMMANDS[name]]
        result = CliRunner().invoke(
            group, ["--config", str(self.config), *words, "--format", form], prog_name="callrouter"
        )
        assert result.exit_code == 0, result.output
        return result.stdout


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLROUTER_ARI_PASSWORD", "a")
    monkeypatch.setenv("CALLROUTER_AMI_PASSWORD", "b")
    monkeypatch.setattr(time, "time", lambda: START + 120)


@pytest.fixture
def site(tmp_path: Path, clock: None) -> Site:  # noqa: ARG001 - it is in force
    return Site(tmp_path, HOSTILE)


def kinds(text: str) -> set[str]:
    return {unicodedata.category(char) for char in text if char != "\n"}


# --- The terminal ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", COMMANDS)
def test_no_control_character_reaches_the_screen(site: Site, name: str) -> None:
    written = site.run(name, "table")
    assert not kinds(written) & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert written.count("\n") > 1


@pytest.mark.parametrize("name", ["calls list", "calls show", "callbacks show", "people list", "report missed"])
def test_nor_one_that_is_a_terminal(site: Site, name: str) -> None:
    """There, bold and colours are sent, and these are ours."""
    words = [site.words.get(word, word) for word in COMMANDS[name]]
    leader, follower = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "LANG": "C.UTF-8"}
    environment.pop("NO_COLOR", None)
    child = subprocess.Popen(
        [sys.executable, str(ROOT / "cli.py"), "--config", str(site.config), *words],
        stdin=subprocess.DEVNULL, stdout=follower, stderr=subprocess.PIPE, env=environment,
    )  # fmt: skip
    os.close(follower)
    shown = b""
    # Linux says EIO once nobody holds the other end.
    with contextlib.suppress(OSError), contextlib.closing(os.fdopen(leader, "rb", buffering=0)) as screen:
        while part := screen.read(65536):
            shown += part
    _, complaint = child.communicate(timeout=30)
    assert child.returncode == 0, complaint
    text = shown.decode()
    assert "\x1b[1m" in text, "it took us for a terminal"
    assert not kinds(ALLOWED.sub("", text)) & {"Cc", "Cf", "Cs", "Zl", "Zp"}


@pytest.mark.parametrize("name", COMMANDS)
def test_wide_letters_do_not_break_the_80_columns(tmp_path: Path, clock: None, name: str) -> None:  # noqa: ARG001
    written = Site(tmp_path, WIDE).run(name, "table")
    assert max(map(cell_len, written.splitlines())) <= 80


@pytest.mark.parametrize("form", ["table", "json"])
def test_the_live_view(tmp_path: Path, form: str) -> None:
    """What comes through the socket is as foreign as the rest."""
    path = str(tmp_path / "calls.db")
    told = document(*several())
    for row in told["calls"]:
        row |= {"campaign": HOSTILE, "caller": HOSTILE, "phase": HOSTILE}
        for leg in row["legs"]:
            leg |= {"salesperson": HOSTILE, "state": HOSTILE}

    written = asyncio.run(_shown(path, told, form))
    assert not kinds(written) & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    if form == "json":
        assert json.loads(written)["calls"][0]["campaign"] == HOSTILE


async def _shown(path: str, told: Document, form: str) -> str:
    server = LiveServer(socket_path(path), lambda: told)
    await server.start()
    try:
        words = ["--db", path, "calls", "live", "--once", "--format", form]
        result = await asyncio.to_thread(CliRunner().invoke, group, words)
        assert result.exit_code == 0, result.output
        return result.stdout
    finally:
        await server.close()


@pytest.mark.parametrize("form", ["table", "json"])
def test_explain_shows_what_is_asked_harmless(site: Site, form: str) -> None:
    asked = HOSTILE.replace("\0", "")
    words = ["--config", str(site.config), "explain", "--to", asked, "--from", asked, "--format", form]
    result = CliRunner().invoke(group, words)
    assert result.exit_code == 0, result.output
    assert not kinds(result.stdout) & {"Cc", "Cf", "Cs", "Zl", "Zp"}


@pytest.mark.parametrize(
    "words",
    [
        ("--db", "@", "calls", "list"),
        ("--config", "@", "check"),
        ("--config", "@", "report", "campaigns"),
        ("calls", "show", "@"),
        ("calls", "list", "--campaign", "@", "--outcome", "@"),
        ("callbacks", "claim", "@"),
        ("people", "pause", "@"),
        ("people", "pause", "alice", "--until", "@"),
        ("report", "missed", "--campaign", "@"),
        ("explain", "--to", "1", "--at", "@"),
        ("asterisk", "conf", "@"),
        ("backup", "no/@"),
        ("@",),
    ],
)
def test_what_is_refused_is_named_harmless_and_on_its_line(
    site: Site, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An argument may come out of a script, and a file name out of an archive."""
    monkeypatch.chdir(site.config.parent)
    evil = HOSTILE.replace("\0", "").replace("/", "_")
    asked = [word.replace("@", evil) for word in words]
    given = [] if words[0].startswith("--") else ["--config", str(site.config)]
    result = CliRunner().invoke(group, [*given, *asked], prog_name="callrouter", color=True)
    assert result.exit_code in (1, 2), result.output
    assert not kinds(result.output) & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    if result.exit_code == 1:
        assert result.output.count("\n") == 1


# --- The spreadsheet ------------------------------------------------------------------------------------------


def cells(text: str) -> list[str]:
    return [cell for row in csv.reader(io.StringIO(text, newline="")) for cell in row]


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("evil", FORMULAS)
def test_no_cell_begins_a_formula(tmp_path: Path, clock: None, name: str, evil: str) -> None:  # noqa: ARG001
    written = Site(tmp_path, evil).run(name, "csv")
    for cell in cells(written):
        for part in cell.split(";"):
            begins = unicodedata.normalize("NFKC", part.lstrip())[:1]
            number = re.fullmatch(r"[+-]?[0-9]{1,15}(\.[0-9]+)?", cell)
            assert number or begins not in ("=", "+", "-", "@"), cell
            assert part[:1] not in ("\t", "\r"), cell


@pytest.mark.parametrize("name", COMMANDS)
def test_a_csv_has_as_many_cells_as_its_head_whatever_is_in_it(site: Site, name: str) -> None:
    written = site.run(name, "csv")
    rows = list(csv.reader(io.StringIO(written, newline="")))
    assert len({len(row) for row in rows}) == 1
    # The runner makes one character of each line's end.
    assert written.count("\n") == len(rows), "no text breaks a line"
    assert not kinds(written) & {"Cc", "Cf", "Cs", "Zl", "Zp"}


def test_a_number_stays_one(site: Site) -> None:
    """`+33…` alone is no formula: as it stands, for dialling programs and for a spreadsheet that imports text."""
    write(site.database, [replace(missed("later", 90.0, number="+33145678909", campaign="poster"))])
    found = cells(site.run("calls list with numbers", "csv"))
    assert "+33145678909" in found
    assert "'+33145678909" not in found
    # Masked, it is a text with bullets: no longer a number, and kept from being taken for a sum.
    assert any(cell.startswith("'+33 ") and "•" in cell for cell in cells(site.run("calls list", "csv")))


# --- Programs -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", COMMANDS)
def test_json_stays_json_and_loses_nothing(site: Site, name: str) -> None:
    written = site.run(name, "json")
    assert written.isascii()
    assert not kinds(written) & {"Cc"}
    rows = json.loads(written)
    assert isinstance(rows, list)
    if name in ("calls list", "calls show"):
        assert rows[-1]["did"] == HOSTILE
