"""`callrouter people` as a user types it."""

from __future__ import annotations

import csv
import io
import json
import re
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from router.commands import group
from router.model import Pause
from router.store import reveals
from router.store.database import reading
from router.store.operations import CallOpened, Operation, PauseSet
from router.store.pauses import pauses
from tests.campaign_file import GOOD
from tests.store_rows import START, answered, call, dump, missed, write

NOW = START + 1800
"""11:30 in Paris on 1 March 2026."""
HIDDEN = "12345678"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Alice took a call 40 minutes ago and one yesterday; the router is not running."""
    monkeypatch.setenv("CALLROUTER_ARI_PASSWORD", "a")
    monkeypatch.setenv("CALLROUTER_AMI_PASSWORD", "b")
    (tmp_path / "campaigns.yaml").write_text(GOOD.replace("data/calls.db", "calls.db"))
    rows: list[Operation] = [
        answered("yesterday", -86400.0),
        answered("today", -600.0),
        missed("missed"),
        CallOpened(call("live", 9.0)),
    ]
    write(str(tmp_path / "calls.db"), rows)
    at(monkeypatch, NOW)
    monkeypatch.setattr(reveals, "os_user", lambda: "tester")
    return tmp_path


def at(monkeypatch: pytest.MonkeyPatch, epoch: float) -> None:
    monkeypatch.setattr(time, "time", lambda: epoch)


def epoch(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def run(folder: Path, *args: str) -> Result:
    return CliRunner().invoke(
        group, ["--config", str(folder / "campaigns.yaml"), "people", *args], prog_name="callrouter"
    )


def done(folder: Path, *args: str) -> str:
    result = run(folder, *args)
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(folder: Path, *args: str) -> str:
    """The one line with which it is refused."""
    result = run(folder, *args)
    assert result.exit_code == 1, result.output
    assert result.output.count("\n") == 1
    return result.output


def people(folder: Path, *args: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(done(folder, "list", "--format", "json", *args))
    return found


def paused(folder: Path, now: float = NOW) -> dict[str, float | None]:
    """What the router reads."""
    with reading(str(folder / "calls.db")) as connection:
        return pauses(connection, now)


# --- list -------------------------------------------------------------------------------------------------


def test_everybody_in_the_order_of_the_file(folder: Path) -> None:
    alice, bob = people(folder)
    assert (alice["id"], alice["name"], alice["state"]) == ("alice", "Alice Martin", "available")
    assert (alice["last_taken_at"], alice["calls_today"]) == ("2026-03-01T09:50:05.000Z", 1)
    assert (bob["id"], bob["last_taken_at"], bob["calls_today"]) == ("bob", None, 0)
    assert {bob[key] for key in ("paused_since", "paused_until", "paused_by", "absent_until")} == {None}


def test_today_is_the_companys_day(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """23:30 UTC is half past midnight in Paris: the day's calls were yesterday's."""
    at(monkeypatch, epoch("2026-03-01T22:30:00+00:00"))
    assert people(folder)[0]["calls_today"] == 1
    at(monkeypatch, epoch("2026-03-01T23:30:00+00:00"))
    assert people(folder)[0]["calls_today"] == 0


def test_the_table_fits_80_columns(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done(folder, "pause", "alice", "--until", "2026-12-24 10:00")
    at(monkeypatch, epoch("2026-08-20T10:00:00+02:00"))
    done(folder, "pause", "bob", "--until", "2h")
    table = done(folder, "list")
    assert max(map(len, table.splitlines())) <= 80
    words = " ".join(table.split())
    assert "alice Alice Martin +33•••••••78 paused until 24 Dec 01 Mar 10:50 0 10:00" in words
    assert "absent until 21 Aug" in words
    assert "paused until 12:00" in words


def test_a_pause_that_ends_another_year_has_its_year(folder: Path) -> None:
    done(folder, "pause", "alice", "--until", "2027-01-04 09:00")
    assert "paused until 04 Jan 2027" in " ".join(done(folder, "list").split())


def test_csv_has_the_same_columns_as_json(folder: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(done(folder, "list", "--format", "csv"))))
    assert list(rows[0]) == list(people(folder)[0])


@pytest.mark.parametrize("output", ["table", "json", "csv"])
def test_mobiles_are_masked(folder: Path, output: str) -> None:
    assert HIDDEN not in done(folder, "list", "--format", output).replace(" ", "")
    assert dump(str(folder / "calls.db"), ["reveals"])["reveals"] == []


def test_mobiles_are_shown_for_a_reason_that_is_kept(folder: Path) -> None:
    assert people(folder, "--numbers", "--reason", "new SIM cards")[0]["mobile"] == "+33612345678"
    (reveal,) = dump(str(folder / "calls.db"), ["reveals"])["reveals"]
    assert reveal[2:] == ("tester", "people list", "new SIM cards", 2)


@pytest.mark.parametrize("given", [["--numbers"], ["--reason", "why"]])
def test_numbers_and_a_reason_go_together(folder: Path, given: list[str]) -> None:
    assert run(folder, "list", *given).exit_code == 2


def test_a_person_is_absent_by_the_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for now, state, until in (
        ("2026-07-31T23:59:00+02:00", "available", None),
        ("2026-08-01T00:00:00+02:00", "absent", "2026-08-21"),
        ("2026-08-21T23:59:00+02:00", "absent", "2026-08-21"),
        ("2026-08-22T00:00:00+02:00", "available", None),
    ):
        at(monkeypatch, epoch(now))
        bob = people(folder)[1]
        assert (bob["state"], bob["absent_until"]) == (state, until), now


def test_absences_that_follow_each_other_are_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (folder / "campaigns.yaml").read_text()
    longer = text.replace('["2026-08-01..2026-08-21"]', '["2026-08-01..2026-08-21", "2026-08-22..2026-08-23"]')
    (folder / "campaigns.yaml").write_text(longer)
    at(monkeypatch, epoch("2026-08-10T10:00:00+02:00"))
    assert people(folder)[1]["absent_until"] == "2026-08-23"
    done(folder, "pause", "bob")
    assert people(folder)[1]["state"] == "absent", "the file goes first"
    assert re.search(r"absent until 23 Aug, .*\n +paused$", done(folder, "list"), re.MULTILINE)
    assert done(folder, "resume", "bob") == (
        "bob (Bob Durand): is rung again; absent until 2026-08-23 in campaigns.yaml\n"
    )


# --- pause, resume ----------------------------------------------------------------------------------------


def test_paused_until_resumed(folder: Path) -> None:
    assert done(folder, "pause", "alice") == "alice (Alice Martin): paused until resumed\n"
    assert paused(folder) == {"alice": None}
    alice = people(folder)[0]
    assert (alice["state"], alice["paused_since"], alice["paused_until"], alice["paused_by"]) == (
        "paused",
        "2026-03-01T10:30:00.000Z",
        None,
        "tester",
    )
    assert done(folder, "resume", "alice") == "alice (Alice Martin): is rung again\n"
    assert paused(folder) == {}
    assert done(folder, "resume", "alice") == "alice (Alice Martin): was not paused\n"


@pytest.mark.parametrize(
    ("until", "shown", "end"),
    [
        ("2026-12-24 10:00", "2026-12-24 10:00 CET", "2026-12-24T09:00:00+00:00"),
        ("2026-07-14T10:00", "2026-07-14 10:00 CEST", "2026-07-14T08:00:00+00:00"),
        ("2026-12-24T10:00:00+00:00", "2026-12-24 11:00 CET", "2026-12-24T10:00:00+00:00"),
        ("2026-03-02", "2026-03-02 00:00 CET", "2026-03-01T23:00:00+00:00"),
        ("30m", "2026-03-01 12:00 CET", "2026-03-01T11:00:00+00:00"),
        ("2h", "2026-03-01 13:30 CET", "2026-03-01T12:30:00+00:00"),
        (" 3d ", "2026-03-04 11:30 CET", "2026-03-04T10:30:00+00:00"),
    ],
)
def test_paused_until_a_time(folder: Path, until: str, shown: str, end: str) -> None:
    assert done(folder, "pause", "bob", "--until", until) == f"bob (Bob Durand): paused until {shown}\n"
    assert paused(folder) == {"bob": epoch(end)}
    assert paused(folder, epoch(end)) == {}


def test_a_later_pause_replaces_an_earlier_one(folder: Path) -> None:
    done(folder, "pause", "bob")
    done(folder, "pause", "bob", "--until", "2h")
    assert paused(folder) == {"bob": NOW + 7200}


def test_a_pause_of_the_own_line_is_shown_and_ended(folder: Path) -> None:
    write(str(folder / "calls.db"), [PauseSet(Pause("alice", NOW - 60, None, "menu"))])
    assert people(folder)[0]["paused_by"] == "menu"
    done(folder, "resume", "alice")
    assert paused(folder) == {}


# --- Bad input --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["pause", "resume"])
def test_an_unknown_person_and_the_nearest(folder: Path, what: str) -> None:
    assert refused(folder, what, "alce") == ('callrouter: no salesperson has the id "alce"; did you mean alice?\n')
    assert "write one of: alice, bob" in refused(folder, what, "\x1b[2J+33612345678901")
    assert paused(folder) == {}


@pytest.mark.parametrize("until", ["2026-03-01 11:30", "2020-01-01", "2026-03-01T10:29:59Z"])
def test_a_time_that_has_passed(folder: Path, until: str) -> None:
    assert "has passed; give --until a time to come" in refused(folder, "pause", "bob", "--until", until)
    assert paused(folder) == {}


@pytest.mark.parametrize(
    "until",
    [
        "soon",
        "",
        "2026-02-30 10:00",
        "2026-03-29 02:30",
        "1999-01-01",
        "9999-12-31",
        "0h",
        "367d",
        "2 h",
        "2w",
        "-1h",
        "٣h",
    ],
)
def test_what_is_no_end(folder: Path, until: str) -> None:
    result = run(folder, "pause", "bob", "--until", until)
    assert result.exit_code == 2, result.output
    assert "--until" in result.output
    assert "--at" not in result.output
    assert paused(folder) == {}


@pytest.mark.parametrize("given", [["pause"], ["resume"], ["pause", "a", "b"], ["list", "alice"], ["erase"]])
def test_wrong_usage(folder: Path, given: list[str]) -> None:
    assert run(folder, *given).exit_code == 2


@pytest.mark.parametrize("given", [["list"], ["pause", "bob"], ["resume", "bob"]])
def test_a_database_that_is_not_there(folder: Path, given: list[str]) -> None:
    for file in folder.glob("calls.db*"):
        file.unlink()
    assert "there is no database yet" in refused(folder, *given)
    assert not list(folder.glob("calls.db*"))


def test_the_time_of_the_tests_is_what_it_says() -> None:
    assert datetime.fromtimestamp(NOW, UTC).isoformat() == "2026-03-01T10:30:00+00:00"
