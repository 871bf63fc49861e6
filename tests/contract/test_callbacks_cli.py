"""`callrouter callbacks` as a user types it."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from router.commands import group
from router.store import reveals
from tests.campaign_file import GOOD
from tests.store_rows import CALLER, START, dump, missed, voicemail, write

HIDDEN = "45678901"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Retries after 10 minutes, 1 hour and 4 hours, always open; the clock stands a minute after the call."""
    monkeypatch.setenv("CALLROUTER_ARI_PASSWORD", "a")
    monkeypatch.setenv("CALLROUTER_AMI_PASSWORD", "b")
    always = GOOD.replace("data/calls.db", "calls.db").replace(
        "    ring: {to: [alice, bob]}", "    hours: always\n    ring: {to: [alice, bob]}"
    )
    (tmp_path / "campaigns.yaml").write_text(always)
    write(
        str(tmp_path / "calls.db"),
        [missed("first", campaign="spring-flyer"), missed("second", 30.0, campaign="spring-flyer")],
    )
    monkeypatch.setattr(time, "time", lambda: START + 60)
    monkeypatch.setattr(reveals, "os_user", lambda: "tester")
    return tmp_path


def run(folder: Path, *args: str) -> Result:
    return CliRunner().invoke(
        group, ["--config", str(folder / "campaigns.yaml"), "callbacks", *args], prog_name="callrouter"
    )


def records(folder: Path, *args: str) -> list[dict[str, object]]:
    result = run(folder, *args, "--format", "json")
    assert result.exit_code == 0, result.output
    found: list[dict[str, object]] = json.loads(result.stdout)
    return found


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


@pytest.fixture
def task(folder: Path) -> str:
    return str(records(folder, "list")[0]["id"])


def later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    monkeypatch.setattr(time, "time", lambda: START + 60 + seconds)


def test_who_waits(folder: Path) -> None:
    (row,) = records(folder, "list")
    assert (row["campaign"], row["state"], row["calls"], row["attempts"]) == ("spring-flyer", "open", 2, 0)
    assert row["due_at"] == "2026-03-01T10:15:20.000Z"
    table = done(folder, "list")
    assert "01 Mar 11:15" in table
    assert max(map(len, table.splitlines())) <= 80


def test_a_message_is_named_where_it_was_left(folder: Path, task: str) -> None:
    assert "Messages" not in done(folder, "show", task)
    message = voicemail("message", 40.0, campaign="spring-flyer")
    write(str(folder / "calls.db"), [message])
    name = f"callrouter-{message.call.id}"
    shown = done(folder, "show", task)
    assert re.search(rf"{message.call.id[-8:]} +01 Mar 11:00 +{name} +1:23$", shown, re.MULTILINE)
    assert max(map(len, shown.splitlines())) <= 80
    missed_calls = records(folder, "show", task)[0]["missed"]
    assert isinstance(missed_calls, list)
    assert [each["recording"] for each in missed_calls] == [None, None, name]
    assert missed_calls[2]["recording_seconds"] == 83.2


@pytest.mark.parametrize("output", ["table", "json", "csv"])
def test_numbers_are_masked(folder: Path, task: str, output: str) -> None:
    for what in (["list"], ["show", task]):
        assert HIDDEN not in done(folder, *what, "--format", output).replace(" ", "")
    assert dump(str(folder / "calls.db"), ["reveals"])["reveals"] == []


def test_numbers_are_shown_for_a_reason_that_is_kept(folder: Path, task: str) -> None:
    (row,) = records(folder, "show", task, "--numbers", "--reason", "court order")
    assert row["caller"] == CALLER
    (reveal,) = dump(str(folder / "calls.db"), ["reveals"])["reveals"]
    assert reveal[1:] == ("2026-03-01T10:01:00.000Z", "tester", f"callbacks show {task}", "court order", 1)


def test_numbers_need_a_reason(folder: Path) -> None:
    assert run(folder, "list", "--numbers").exit_code == 2


def test_one_with_the_calls_behind_it(folder: Path, task: str) -> None:
    (row,) = records(folder, "show", task)
    assert [each["outcome"] for each in row["missed"]] == ["no_answer", "no_answer"]  # type: ignore[attr-defined]
    assert "Missed calls" in done(folder, "show", task)


def test_claiming_shows_the_number_and_records_it(folder: Path, task: str) -> None:
    said = done(folder, "claim", task, "--as", "alice")
    assert said == f"{task}: yours (alice) until 2026-03-01 11:31 CET\ncall {CALLER}\n"
    (row,) = records(folder, "list")
    assert (row["state"], row["owner"], row["lease_until"]) == ("claimed", "alice", "2026-03-01T10:31:00.000Z")
    (reveal,) = dump(str(folder / "calls.db"), ["reveals"])["reveals"]
    assert reveal[2:4] == ("tester", f"callbacks claim {task}")


def test_the_owner_is_who_is_logged_in_unless_said(folder: Path, task: str) -> None:
    done(folder, "claim", task)
    assert records(folder, "list")[0]["owner"] == "tester"


def test_a_second_claim_is_refused_until_the_lease_has_run_out(
    folder: Path, task: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    done(folder, "claim", task, "--as", "alice", "--lease", "10m")
    line = refused(folder, "claim", task, "--as", "bob")
    assert line == f"callrouter: callback {task} is claimed by alice until 2026-03-01 10:11 UTC\n"
    assert HIDDEN not in line
    later(monkeypatch, 600)
    assert records(folder, "list")[0]["state"] == "open"
    done(folder, "claim", task, "--as", "bob")


@pytest.mark.parametrize("lease", ["0m", "-5m", "30", "8d", "1e3s", "nan", "m", ""])
def test_a_lease_that_is_none(folder: Path, task: str, lease: str) -> None:
    result = run(folder, "claim", task, f"--lease={lease}")
    assert result.exit_code == 2
    assert "is no lease; write a duration up to 7d" in result.output
    assert records(folder, "list")[0]["state"] == "open"


def test_the_tables_short_id_is_enough(folder: Path, task: str) -> None:
    end = done(folder, "list").splitlines()[-1].split()[0]
    assert done(folder, "claim", end).startswith(f"{task}: yours")
    assert done(folder, "close", end) == f"{task}: done (done)\n"


def test_releasing_gives_it_back(folder: Path, task: str) -> None:
    assert "is not claimed; claim it first" in refused(folder, "release", task)
    done(folder, "claim", task, "--as", "alice")
    assert "is claimed by alice" in refused(folder, "release", task, "--as", "bob")
    assert done(folder, "release", task, "--as", "alice") == f"{task}: open again, due 2026-03-01 11:15 CET\n"


def test_not_reached_moves_the_due_time_by_the_retries_and_then_expires(folder: Path, task: str) -> None:
    for due in ("11:11", "12:01", "15:01"):
        done(folder, "claim", task)
        assert done(folder, "release", task, "--not-reached") == f"{task}: open again, due 2026-03-01 {due} CET\n"
    done(folder, "claim", task)
    assert done(folder, "release", task, "--not-reached") == f"{task}: expired after 4 attempts (not reached)\n"
    assert records(folder, "list") == []
    (row,) = records(folder, "list", "--state", "expired")
    assert (row["attempts"], row["close_reason"]) == (4, "not reached")


def test_closing(folder: Path, task: str) -> None:
    assert done(folder, "close", task) == f"{task}: done (done)\n"
    assert f"callback {task} is done (done): nothing is owed any more" in refused(folder, "claim", task)
    assert records(folder, "list", "--all")[0]["state"] == "done"


def test_closing_in_your_own_words(folder: Path, task: str) -> None:
    done(folder, "close", task, "--cancelled", "--reason", "a fax\x1b[31m machine")
    (row,) = records(folder, "list", "--state", "cancelled")
    assert row["close_reason"] == "a fax[31m machine"


@pytest.mark.parametrize("given", [["--cancelled"], ["--reason", " \x00 "]])
def test_closing_wants_to_know_how_it_ended(folder: Path, task: str, given: list[str]) -> None:
    result = run(folder, "close", task, *given)
    assert result.exit_code == 2
    assert "say how it ended" in result.output


def test_nobody_closes_what_another_one_holds(folder: Path, task: str) -> None:
    done(folder, "claim", task, "--as", "alice")
    assert "is claimed by alice" in refused(folder, "close", task, "--as", "bob")


@pytest.mark.parametrize("move", ["show", "claim", "release", "close"])
def test_an_unknown_id(folder: Path, move: str) -> None:
    assert "no callback has the id 'k-none'" in refused(folder, move, "k-none")


def test_an_unknown_id_is_not_retried_either(folder: Path) -> None:
    assert "no callback has the id 'k-none'" in refused(folder, "release", "k-none", "--not-reached")


@pytest.mark.parametrize(
    "given",
    [
        ["list", "--state", "lost"],
        ["list", "--all", "--state", "open"],
        ["claim"],
        ["claim", "k1", "--as", "\x07"],
        ["dance"],
    ],
)
def test_wrong_usage(folder: Path, given: list[str]) -> None:
    result = run(folder, *given)
    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_a_command_makes_no_database(tmp_path: Path) -> None:
    result = CliRunner().invoke(group, ["--db", str(tmp_path / "none.db"), "callbacks", "claim", "k1"])
    assert result.exit_code == 1
    assert "there is no database yet" in result.output
    assert list(tmp_path.iterdir()) == []


def test_an_erased_caller_cannot_be_called(folder: Path, task: str) -> None:
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(folder / "calls.db")) as connection:
        connection.execute("UPDATE callers SET number = NULL")
        connection.commit()
    assert str(records(folder, "list")[0]["caller"]).startswith("p")
    assert "the number was erased" in done(folder, "claim", task)
