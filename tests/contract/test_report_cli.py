"""`callrouter report` as a user types it: usage, exit codes, formats, 80 columns, odd terminals."""

from __future__ import annotations

import csv
import functools
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from rich.cells import cell_len

from router.commands import group
from router.store.schema import WITHHELD
from tests.report_rows import Ledger

ROOT = Path(__file__).parents[2]
YAML = """\
version: 1
company: {country: FR, timezone: Europe/Paris, language: fr}
asterisk:
  ari: {url: "http://127.0.0.1:8088/ari", username: callrouter, app: callrouter}
  trunks:
    main: {dial: "PJSIP/{number}@trunk", identity: pai}
database: calls.db
hours:
  office: {weekly: {mon-fri: ["09:00-18:00"]}}
salespeople:
  alice: {name: Alice Martin, mobile: "+33612345678"}
  bob: {name: "=Bob Dürand", mobile: "+33687654321"}
defaults: {hours: office, accept: none, caller_id: did}
campaigns:
  spring-flyer:
    name: "=HYPERLINK(\\"http://x\\")"
    medium: flyer
    numbers: ["+33184801001"]
    ring: {to: [alice, bob]}
    cost:
      - {amount: 1200 EUR, from: 2026-03-01, to: 2026-05-31}
      - {amount: 93 CHF, from: 2026-03-31, to: 2026-04-02}
  autumn-card:
    name: Carte
    medium: card
    numbers: ["+33184801002"]
    ring: {to: [alice]}
    cost: [{amount: 62 EUR, from: 2026-03-01, to: 2026-03-31}]
unknown_number: {ring: {to: [alice]}}
"""
MARCH = ("--from", "2026-03-01", "--to", "2026-03-31")
REPORTS = ("campaigns", "missed", "salespeople", "hours")
CAMPAIGNS = """\
Calls, 2026-03-01 to 2026-03-31 (Europe/Paris)
                                           Missed     To a human
Campaign      Calls  Answered  Missed        rate            p50    p90     Talk
────────────────────────────────────────────────────────────────────────────────
spring-flyer      5         3       1      25.0 %          6.0 s  9.5 s  1:10:30
autumn-card       0         0       0           –              –      –     0:00
removed           1         0       1     100.0 %              –      –     0:00
all               6         3       2      40.0 %          6.0 s  9.5 s  1:10:30

Callers and cost
                         First        In                       A   Answered
Campaign      Callers     time  progress  Blocked    Cost   call       call
────────────────────────────────────────────────────────────────────────────────
spring-flyer        4        2         1        1  404.35  80.87     134.78  EUR
spring-flyer        –        –         –        –   31.00   6.20      10.33  CHF
autumn-card         0        0         0        0   62.00      –          –  EUR
removed             0        0         0        0       –      –          –  –
all                 4        2         1        1  466.35      –          –  EUR
all                 –        –         –        –   31.00      –          –  CHF
"""


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:
    (tmp_path / "campaigns.yaml").write_text(YAML, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CALLROUTER_ARI_PASSWORD", "not-a-secret")
    monkeypatch.delenv("CALLROUTER_CONFIG", raising=False)
    made = Ledger(str(tmp_path / "calls.db"))
    yield made
    made.close()


@pytest.fixture
def march(ledger: Ledger) -> Ledger:
    """Six calls and a blocked one in March 2026, one waiting caller, and a call in February."""
    ledger.caller("k1", 0.0, "+33612345999")
    call = functools.partial(ledger.call, campaign="spring-flyer")
    call("2026-02-28T23:59:59.999+01:00", caller="k2")
    call("2026-03-01T00:00:00+01:00", caller="k2", answered_after=4.0, talk=30.0)
    call("2026-03-10T10:00:00+01:00", caller="k3", answered_after=6.0, talk=4200.0, salesperson="bob")
    took = call("2026-03-31T23:59:59.999+02:00", caller="k4", answered_after=9.5, talk=0.0)
    lost = call("2026-03-11T10:00:00+01:00", caller="k1", outcome="abandoned")
    call("2026-03-12T10:00:00+01:00", caller=WITHHELD, outcome=None)
    call("2026-03-12T11:00:00+01:00", caller="k5", outcome="blocked")
    ledger.call("2026-03-12T12:00:00+01:00", caller=WITHHELD, outcome="busy", campaign="removed")
    ledger.attempt(took, "2026-03-31T12:00:00+02:00", "accepted", rings_for=7.0)
    times = {"opened_at": "2026-03-11T10:01:00+01:00", "due_at": "2026-03-11T10:15:00+01:00"}
    ledger.callback([lost], campaign="spring-flyer", caller="k1", **times)
    return ledger


def report(*args: str) -> Result:
    return CliRunner().invoke(group, ["report", *args])


def rows(*args: str) -> list[dict[str, object]]:
    found = report(*args, "--format", "json")
    assert (found.exit_code, found.stderr) == (0, "")
    read: list[dict[str, object]] = json.loads(found.stdout)
    return read


def as_program(*args: str, **environ: str) -> subprocess.CompletedProcess[bytes]:
    env = {**os.environ, "PYTHONPATH": str(ROOT), **environ}
    return subprocess.run(
        [sys.executable, str(ROOT / "cli.py"), "report", *args], env=env, capture_output=True, check=False
    )


@pytest.mark.usefixtures("march")
def test_campaigns_at_80_columns() -> None:
    shown = report("campaigns", *MARCH)
    assert shown.exit_code == 0
    assert shown.stdout == CAMPAIGNS


@pytest.mark.usefixtures("march")
@pytest.mark.parametrize("name", REPORTS)
def test_every_report_fits_80_columns_and_is_plain_without_a_terminal(name: str) -> None:
    for args in ((), MARCH):
        shown = as_program(name, *args, COLUMNS="200", TERM="xterm-256color")
        assert (shown.returncode, shown.stderr) == (0, b"")
        assert b"\x1b" not in shown.stdout
        assert max(map(cell_len, shown.stdout.decode().splitlines())) <= 80


@pytest.mark.usefixtures("march")
@pytest.mark.parametrize("name", REPORTS)
def test_json_and_csv_say_the_same(name: str) -> None:
    read = rows(name, *MARCH)
    written = report(name, *MARCH, "--format", "csv").stdout
    table = list(csv.DictReader(io.StringIO(written, newline="")))
    assert len(read) == len(table) > 0
    assert [list(row) for row in table] == [list(row) for row in read]
    for raw, cell in zip(read, table, strict=True):
        for key, value in raw.items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                assert float(cell[key]) == value


@pytest.mark.usefixtures("march")
def test_campaigns_in_json() -> None:
    first, second, *others = rows("campaigns", *MARCH)
    assert first == {
        "campaign": "spring-flyer",
        "name": '=HYPERLINK("http://x")',
        "medium": "flyer",
        "calls": 5,
        "answered": 3,
        "missed": 1,
        "missed_rate": 0.25,
        "in_progress": 1,
        "blocked": 1,
        "seconds_to_human_p50": 6.0,
        "seconds_to_human_p90": 9.5,
        "talk_seconds": 4230.0,
        "callers": 4,
        "first_time_callers": 2,
        "withheld_calls": 1,
        "currency": "EUR",
        "cost": 404.35,
        "cost_per_call": 80.87,
        "cost_per_answered": 134.78,
    }
    assert (second["currency"], second["cost"], second["calls"]) == ("CHF", 31.0, None)
    assert [(row["campaign"], row["name"], row["calls"]) for row in others] == [
        ("autumn-card", "Carte", 0),
        ("removed", None, 1),
    ]
    assert rows("campaigns", *MARCH, "--campaign", "removed") == others[1:]


@pytest.mark.usefixtures("march")
def test_missed() -> None:
    waiting, uncalled = rows("missed", *MARCH)
    assert waiting["caller"] == "+33 • •• •• •• 99"
    assert (waiting["since"], waiting["overdue"], waiting["missed_calls"]) == ("2026-03-11T09:01:00.000Z", True, 1)
    assert (uncalled["campaign"], uncalled["caller"], uncalled["missed_calls"]) == ("removed", "withheld", 1)
    assert [row["callback"] for row in rows("missed")] == [waiting["callback"]]
    assert rows("missed", "--from", "2026-03-12", "--to", "2026-03-31") == [uncalled]
    shown = report("missed", *MARCH).stdout
    assert shown.startswith("1 waiting for a call back, 1 overdue (Europe/Paris time)\n")
    assert "2026-03-11 10:01  spring-flyer" in shown
    assert shown.endswith("  removed: 1 (number withheld)\n")


@pytest.mark.usefixtures("march")
def test_no_number_of_a_caller_is_shown() -> None:
    for name in REPORTS:
        for format in ("table", "json", "csv"):
            assert "345999" not in report(name, *MARCH, "--format", format).stdout.replace(" ", "")


@pytest.mark.parametrize("name", REPORTS)
def test_formulas_and_escapes_are_harmless(march: Ledger, name: str) -> None:
    nasty = "=cmd()\x1b[2J\u202e"
    call = march.call("2026-03-05T10:00:00+01:00", campaign=nasty, salesperson=nasty)
    march.call("2026-03-05T10:00:00+01:00", campaign=nasty, outcome="busy")
    march.attempt(call, "2026-03-05T10:00:00+01:00", "busy", salesperson=nasty)
    written = {format: report(name, *MARCH, "--format", format).stdout for format in ("table", "json", "csv")}
    for text in written.values():
        assert not {"\x1b", "\u202e"} & set(text)
    if name != "hours":
        assert "'=cmd()[2J" in written["csv"]
        assert "=cmd()\\u001b[2J\\u202e" in written["json"]
        assert "=cmd()[2J" in written["table"]


@pytest.mark.usefixtures("march")
@pytest.mark.parametrize("format", ["table", "json", "csv"])
def test_a_locale_that_is_not_utf_8(format: str) -> None:
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "latin-1"}
    shown = as_program("missed", *MARCH, "--format", format, **plain)
    assert (shown.returncode, shown.stderr) == (0, b"")
    assert b"spring-flyer" in shown.stdout
    shown.stdout.decode("utf-8")


@pytest.mark.usefixtures("march")
@pytest.mark.parametrize("format", ["table", "json", "csv"])
def test_a_closed_pipe_is_quiet(format: str) -> None:
    read, write = os.pipe()
    os.close(read)
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(ROOT / "cli.py"), "report", "hours", *MARCH, "--format", format]
    try:
        ended = subprocess.run(command, env=env, stdout=write, stderr=subprocess.PIPE, check=False)
    finally:
        os.close(write)
    assert ended.stderr == b""


@pytest.mark.usefixtures("march")
def test_a_full_disk_is_one_line() -> None:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with open("/dev/full", "w", encoding="utf-8") as full:
        command = [sys.executable, str(ROOT / "cli.py"), "report", "hours"]
        ended = subprocess.run(command, env=env, stdout=full, stderr=subprocess.PIPE, check=False)
    assert ended.returncode == 1
    assert ended.stderr.decode().splitlines() == ["callrouter: cannot write the output: No space left on device"]


@pytest.mark.usefixtures("march")
def test_a_closed_output_is_quiet() -> None:
    shown = subprocess.run(
        ["/bin/sh", "-c", f"{sys.executable} {ROOT / 'cli.py'} report hours >&-"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        check=False,
    )
    assert (shown.returncode, shown.stderr) == (0, b"")


@pytest.mark.parametrize("name", REPORTS)
@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--from", "2026-03-31", "--to", "2026-03-01"), "--from 2026-03-31 is after --to 2026-03-01"),
        (("--from", "31/03/2026"), "31/03/2026"),
        (("--from", "2026-02-30"), "2026-02-30"),
        (("--to", "0001-01-01"), "dates go from"),
        (("--to", "9999-12-31"), "dates go from"),
        (("--format", "xml"), "xml"),
    ],
)
@pytest.mark.usefixtures("ledger")
def test_wrong_usage(name: str, args: tuple[str, ...], said: str) -> None:
    ended = report(name, *args)
    assert ended.exit_code == 2
    assert said in ended.stderr
    assert ended.stdout == ""


@pytest.mark.usefixtures("ledger")
@pytest.mark.parametrize("name", ["campaigns", "missed", "hours"])
def test_an_unknown_campaign(name: str) -> None:
    ended = report(name, "--campaign", "sprin-flyer")
    assert ended.exit_code == 1
    assert ended.stderr.count("\n") == 1
    assert "no campaign 'sprin-flyer'" in ended.stderr


@pytest.mark.usefixtures("ledger")
@pytest.mark.parametrize("name", REPORTS)
def test_an_empty_database(name: str) -> None:
    for format in ("table", "json", "csv"):
        ended = report(name, "--format", format)
        assert (ended.exit_code, ended.stderr) == (0, "")
        assert ended.stdout.endswith("\n")


@pytest.mark.usefixtures("ledger")
@pytest.mark.parametrize("name", REPORTS)
def test_no_database(name: str, tmp_path: Path) -> None:
    ended = CliRunner().invoke(group, ["--db", str(tmp_path / "nowhere.db"), "report", name])
    assert ended.exit_code == 1
    assert ended.stderr.count("\n") == 1
    assert "nowhere.db" in ended.stderr
    assert not (tmp_path / "nowhere.db").exists()


def test_help_says_what_each_report_is() -> None:
    shown = report("--help").stdout
    for name in REPORTS:
        assert f"\n  {name} " in shown
