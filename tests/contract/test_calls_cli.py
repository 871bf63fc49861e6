"""`callrouter calls` as a user types it."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from router.commands import group
from router.model import StaffCall
from router.store.operations import CallOpened, StaffCallEnded
from router.store.queries import CallFilter
from tests.campaign_file import GOOD
from tests.store_rows import START, answered, call, dump, missed, voicemail, write

ROOT = Path(__file__).parents[2]
NUMBER = "+33145678901"
HIDDEN = "45678901"
"""What no output may hold unless it was asked for with a reason."""
STAFF = StaffCall("c9", "test", "alice", "+33184801001", START, START + 9, verified=True, actions=("pause",))


@pytest.fixture
def db(tmp_path: Path) -> str:
    """Four calls: missed, answered, withheld and one that goes on."""
    path = str(tmp_path / "calls.db")
    ringing = CallOpened(call("ringing", 7200.0))
    write(path, [missed("missed"), answered("answered", 600.0), missed("hidden", 900.0, number=None), ringing])
    return path


def run(*args: str) -> Result:
    return CliRunner().invoke(group, args, prog_name="callrouter")


def records(*args: str) -> list[dict[str, object]]:
    result = run(*args, "--format", "json")
    assert result.exit_code == 0, result.output
    found: list[dict[str, object]] = json.loads(result.stdout)
    return found


def test_the_newest_calls_first(db: str) -> None:
    rows = records("--db", db, "calls", "list")
    assert [row["outcome"] for row in rows] == ["live", "no_answer", "answered", "no_answer"]
    assert [row["started_at"] for row in rows][-1] == "2026-03-01T10:00:00.000Z"
    assert (rows[2]["salesperson"], rows[2]["ring_seconds"], rows[2]["talk_seconds"]) == ("alice", 5.0, 60.0)


def test_a_table_for_eyes_fits_80_columns(db: str) -> None:
    result = run("--db", db, "calls", "list")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) == 2 + 4
    assert "+33•••••••01" in result.stdout
    assert "1:00" in result.stdout


def test_the_tables_short_id_is_enough(db: str) -> None:
    end = run("--db", db, "calls", "list").stdout.splitlines()[-1].split()[0]
    assert len(end) == 8
    assert records("--db", db, "calls", "show", end)[0]["id"] == call("missed").id


def test_csv_has_the_same_columns_as_json(db: str) -> None:
    result = run("--db", db, "calls", "list", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert list(rows[0]) == list(records("--db", db, "calls", "list")[0])
    assert len(rows) == 4


@pytest.mark.parametrize("output", ["table", "json", "csv"])
@pytest.mark.parametrize("what", [["list"], ["show", call("missed").id]])
def test_numbers_are_masked(db: str, what: list[str], output: str) -> None:
    result = run("--db", db, "calls", *what, "--format", output)
    assert result.exit_code == 0, result.output
    assert HIDDEN not in result.output.replace(" ", "")
    assert dump(db, ["reveals"])["reveals"] == []


def test_a_withheld_number_is_said_to_be_one(db: str) -> None:
    assert records("--db", db, "calls", "list")[1]["caller"] == "withheld"


def test_numbers_are_shown_for_a_reason_that_is_kept(db: str) -> None:
    rows = records("--db", db, "calls", "list", "--numbers", "--reason", "complaint\x1b[2J of Ms X")
    assert rows[0]["caller"] == NUMBER
    (reveal,) = dump(db, ["reveals"])["reveals"]
    assert reveal[3:] == ("calls list", "complaint[2J of Ms X", 4)
    assert reveal[2]
    assert HIDDEN not in str(reveal)


@pytest.mark.parametrize("given", [["--numbers"], ["--numbers", "--reason", "  "], ["--reason", "why"]])
def test_numbers_and_a_reason_go_together(db: str, given: list[str]) -> None:
    result = run("--db", db, "calls", "list", *given)
    assert result.exit_code == 2
    assert HIDDEN not in result.output
    assert dump(db, ["reveals"])["reveals"] == []


@pytest.mark.parametrize(
    ("given", "count"),
    [
        (["--outcome", "missed"], 2),
        (["--outcome", "live"], 1),
        (["--outcome", "answered"], 1),
        (["--campaign", "spring"], 4),
        (["--campaign", "none"], 0),
        (["--salesperson", "alice"], 1),
        (["--limit", "3"], 3),
        (["--from", "2026-03-01", "--to", "2026-03-01"], 4),
        (["--from", "2026-03-02"], 0),
        (["--to", "2026-02-28"], 0),
    ],
)
def test_what_is_asked_for(db: str, given: list[str], count: int) -> None:
    assert len(records("--db", db, "calls", "list", *given)) == count


def test_days_are_those_of_the_companys_zone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """23:30 UTC on 1 March is 00:30 on 2 March in Paris."""
    monkeypatch.setenv("CALLROUTER_ARI_PASSWORD", "a")
    monkeypatch.setenv("CALLROUTER_AMI_PASSWORD", "b")
    (tmp_path / "campaigns.yaml").write_text(GOOD.replace("data/calls.db", "calls.db"))
    write(str(tmp_path / "calls.db"), [missed("late", 13.5 * 3600)])
    config = ("--config", str(tmp_path / "campaigns.yaml"))
    assert len(records(*config, "calls", "list", "--from", "2026-03-02")) == 1
    assert len(records(*config, "calls", "list", "--to", "2026-03-01")) == 0
    assert "2026-03-02 00:30:00" in run(*config, "calls", "show", call("late", 13.5 * 3600).id).stdout


def test_one_call_with_its_attempts(db: str) -> None:
    (row,) = records("--db", db, "calls", "show", call("missed").id)
    assert row["outcome"] == "no_answer"
    assert row["channel"] == call("missed").channel
    (leg,) = row["attempts"]  # type: ignore[misc]
    assert (leg["salesperson"], leg["result"]) == ("alice", "no_answer")  # type: ignore[has-type]
    assert str(row["callback"]).startswith("k")
    shown = run("--db", db, "calls", "show", call("missed").id).stdout
    assert "Number called" in shown
    assert "Attempts" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_a_message_and_how_each_phone_was_rung(tmp_path: Path) -> None:
    path = str(tmp_path / "calls.db")
    end = voicemail("message")
    note = "refused as caller (SIP 403), rung again as did"
    noted = replace(end.attempts[0], caller_id="caller", note=note)
    write(path, [replace(end, attempts=(noted,)), StaffCallEnded(STAFF)])
    (row,) = records("--db", path, "calls", "list")
    assert (row["outcome"], row["recording"], row["recording_seconds"]) == (
        "voicemail",
        f"callrouter-{end.call.id}",
        83.2,
    )
    assert "1:23" in run("--db", path, "calls", "list").stdout
    assert len(records("--db", path, "calls", "list", "--outcome", "missed")) == 1
    (row,) = records("--db", path, "calls", "show", end.call.id)
    (leg,) = row["attempts"]  # type: ignore[misc]
    assert (leg["caller_id"], leg["note"]) == ("caller", note)  # type: ignore[has-type]
    shown = run("--db", path, "calls", "show", end.call.id).stdout
    for words in (f"Message        callrouter-{end.call.id}\n", "Message lasts  1:23\n", f"Note         {note}\n"):
        assert words in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_a_staff_call_is_in_no_listing(tmp_path: Path) -> None:
    path = str(tmp_path / "calls.db")
    write(path, [StaffCallEnded(STAFF)])
    assert records("--db", path, "calls", "list") == []
    assert run("--db", path, "calls", "show", STAFF.id).exit_code == 1


def test_calls_that_go_on(db: str) -> None:
    assert [row["id"] for row in records("--db", db, "calls", "list", "--outcome", "live")] == [
        call("ringing", 7200.0).id
    ]


# --- Bad input, command line ------------------------------------------------------------------------------


def test_an_unknown_id(db: str) -> None:
    result = run("--db", db, "calls", "show", "c'; DROP TABLE calls")
    assert result.exit_code == 1
    assert result.output.count("\n") == 1
    assert "no call has the id" in result.output
    assert len(dump(db)["calls"]) == 4


@pytest.mark.parametrize(
    "given",
    [
        ["list", "--from", "2026-03-02", "--to", "2026-03-01"],
        ["list", "--from", "yesterday"],
        ["list", "--to", "2026-02-30"],
        ["list", "--outcome", "engaged"],
        ["list", "--limit", "0"],
        ["list", "--limit", "many"],
        ["list", "--format", "xml"],
        ["list", "more"],
        ["show"],
        ["erase"],
    ],
)
def test_wrong_usage(db: str, given: list[str]) -> None:
    result = run("--db", db, "calls", *given)
    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_reversed_dates_are_named(db: str) -> None:
    result = run("--db", db, "calls", "list", "--from", "2026-03-02", "--to", "2026-03-01")
    assert "--from 2026-03-02 is after --to 2026-03-01" in result.output


@pytest.mark.parametrize("command", [["calls", "list"], ["calls", "show", "c1"], ["callbacks", "list"]])
def test_a_database_that_is_not_there(tmp_path: Path, command: list[str]) -> None:
    result = run("--db", str(tmp_path / "none.db"), *command)
    assert result.exit_code == 1
    assert result.output == (
        f"callrouter: {tmp_path}/none.db: there is no database yet; the router makes it: callrouter run\n"
    )
    assert list(tmp_path.iterdir()) == []


def shell(*command: str, **environ: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        command, cwd=ROOT, env={"PATH": os.environ["PATH"], **environ}, capture_output=True, check=False
    )


def test_a_closed_pipe_is_quiet(db: str) -> None:
    cli = f"{sys.executable} cli.py --db {db} calls list --format json"
    done = shell("bash", "-c", f"{cli} | head -c 1; exit ${{PIPESTATUS[0]}}")
    assert done.stdout == b"["
    assert done.stderr == b""


@pytest.mark.parametrize("locale", ["C", "POSIX", "en_US.ISO-8859-1"])
def test_a_locale_that_is_not_utf_8(db: str, locale: str) -> None:
    done = shell(
        sys.executable,
        "cli.py",
        "--db",
        db,
        "calls",
        "list",
        LC_ALL=locale,
        PYTHONUTF8="0",
        PYTHONCOERCECLOCALE="0",
    )
    assert done.returncode == 0
    assert done.stderr == b""
    assert b"spring" in done.stdout


def test_the_limit_of_a_listing_is_the_documented_one() -> None:
    assert CallFilter().limit == 50
