"""The AGI script, talked to as Asterisk talks to it: over its pipes, with as little of an environment."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from router.commands.asterisk import _search_path
from router.config.compiled import routes_path, write
from router.fallback_plan import recording
from router.model import Campaign, Pause, Sound, Strategy
from router.shipped import share
from router.store.database import open_database
from router.store.pauses import pause
from tests.agi_script import LINE, START, database, decide, rows, script, talk
from tests.build import (
    ALICE,
    BOB,
    DID,
    make_campaign,
    make_config,
    make_hours,
    make_overflow,
    make_ring,
    make_salesperson,
    make_screening,
    make_trunk,
)

__all__ = ["database", "script"]


def test_it_tells_the_dialplan_whom_to_ring_and_its_last_word_comes_last(script: Path, database: str) -> None:
    trunks = [make_trunk(), make_trunk("second", "PJSIP/{number}@backup", number_format="plain")]
    config = make_config(database=database, trunks=trunks)
    spoken = recording(config, Sound("Spring flyer"), f"{database}.sounds")
    said = decide(script, config)
    assert said.variables == {
        "CALLROUTER_CAMPAIGN": "spring-flyer",
        "CALLROUTER_DID": DID,
        "CALLROUTER_VERSION": "0123456789ab",
        "__CALLROUTER_WHISPER": f"{spoken}&/prompts/press-1",
        "_CALLROUTER_WHO_1": "alice,none,1~PJSIP/+33612345678@trunk,2~PJSIP/33612345678@backup",
        "_CALLROUTER_WHO_2": "bob,none,1~PJSIP/+33687654321@trunk,2~PJSIP/33687654321@backup",
        "__CALLROUTER_DRESS_1": f"main^did^{DID}^{DID}^^",
        "__CALLROUTER_RETRY_1": "",
        "__CALLROUTER_DRESS_2": f"second^did^{DID}^{DID}^^",
        "__CALLROUTER_RETRY_2": "",
        "__CALLROUTER_ACCEPT": "15",
        "CALLROUTER_WAIT_1": "60",
        "CALLROUTER_STEP_1": "1,20,Local/1@callrouter-leg/n",
        "CALLROUTER_STEP_2": "1,20,Local/2@callrouter-leg/n",
        "CALLROUTER_LEGS": "2",
        "CALLROUTER_STEPS": "2",
        "CALLROUTER_DECIDED": "ring",
    }
    assert said.order[-1] == "CALLROUTER_DECIDED"
    assert (said.status, said.complaint) == (0, "")


def test_the_calls_row_is_there_while_it_rings(script: Path, database: str) -> None:
    decide(script, make_config(database=database))
    assert rows(database, "SELECT did, campaign, outcome, path, channel, config_version FROM calls") == [
        (DID, "spring-flyer", None, "agi", "1795000000.7", "0123456789ab")
    ]


def test_everybody_at_once_is_one_step(script: Path, database: str) -> None:
    campaign = make_campaign(ring=make_ring(strategy=Strategy.ALL, timeout=7))
    said = decide(script, make_config(database=database, campaigns=[campaign]))
    assert said.variables["CALLROUTER_STEP_1"] == "1,7,Local/1@callrouter-leg/n&Local/2@callrouter-leg/n"
    assert said.variables["CALLROUTER_STEPS"] == "1"


@pytest.mark.parametrize(
    ("campaign", "outcome", "words"),
    [
        (make_campaign(hours="never"), "closed", None),
        (
            make_campaign(hours="never", closed=make_overflow(announcement=Sound(file="/srv/shut.wav"))),
            "closed",
            "/srv/shut",
        ),
        (make_campaign(hours="never", closed=make_overflow(announcement=Sound(file="/srv/a b.wav"))), "closed", ""),
        (make_campaign(to=["bob"]), "unreachable", None),
    ],
)
def test_a_refusal_names_the_outcome_and_what_the_caller_hears(
    script: Path, database: str, campaign: Campaign, outcome: str, words: str | None
) -> None:
    people = [make_salesperson(), make_salesperson("bob", BOB, absent=["2000-01-01..2090-01-01"])]
    hours = [make_hours("never", weekly={})]
    config = make_config(database=database, campaigns=[campaign], hours=hours, salespeople=people)
    said = decide(script, config)
    assert said.variables["CALLROUTER_DECIDED"] == "refuse"
    assert (said.variables["CALLROUTER_OUTCOME"], said.variables.get("CALLROUTER_WORDS")) == (outcome, words)
    assert not any(name.startswith("CALLROUTER_STEP") for name in said.variables)


def test_an_unknown_number_rings_and_shows_the_first_of_ours(script: Path, database: str) -> None:
    said = decide(script, make_config(database=database), "did=%2B33999999999,ep=trunk,pres=allowed")
    assert said.variables["CALLROUTER_CAMPAIGN"] == "unknown"
    assert said.variables["__CALLROUTER_DRESS_1"] == f"main^did^{DID}^{DID}^^"


def test_a_salespersons_own_mobile_is_no_call(script: Path, database: str) -> None:
    said = decide(script, make_config(database=database), caller=ALICE)
    assert said.variables == {"CALLROUTER_DECIDED": "staff"}
    assert rows(database, "SELECT id FROM calls") == []
    answers = {
        "CALLROUTER_LINE": LINE.replace("campaign=spring-flyer", "campaign="),
        "CALLROUTER_ARGS": "did=0184801001,ep=trunk,pres=allowed",
        "CALLROUTER_OURS": DID,
    }
    assert talk(script, "end", answers, caller=ALICE).variables == {"CALLROUTER_RECORDED": "yes"}
    assert rows(database, "SELECT id FROM calls") == []


def test_who_has_paused_is_left_out(script: Path, database: str) -> None:
    with closing(open_database(database)) as connection:
        pause(connection, Pause("alice", time.time() - 60, None, "menu"))
        pause(connection, Pause("bob", time.time() - 60, time.time() - 30, "menu"))
    said = decide(script, make_config(database=database))
    assert said.variables["_CALLROUTER_WHO_1"].startswith("bob,")
    assert said.variables["CALLROUTER_LEGS"] == "1"


def test_a_caller_who_calls_too_often_is_blocked(script: Path, database: str) -> None:
    config = make_config(database=database, screening=make_screening(max_per_minute=2))
    began = f"{time.time():.3f}"
    write(config, routes_path(database))
    for uniqueid in ("1.1", "1.2"):
        answers = {
            "CALLROUTER_ARGS": "did=%2B33184801001,ep=trunk,pres=allowed",
            "CALLROUTER_START": began,
            "CALLROUTER_OURS": DID,
        }
        assert talk(script, "decide", answers, uniqueid=uniqueid).variables["CALLROUTER_DECIDED"] == "ring"
    assert decide(script, config).variables["CALLROUTER_OUTCOME"] == "blocked"
    assert decide(script, config, caller="+33140000002").variables["CALLROUTER_DECIDED"] == "ring"


def test_the_did_may_stand_in_a_header(script: Path, database: str) -> None:
    config = make_config(database=database, trunks=[make_trunk(did_from=["exten", "diversion"])])
    header = "%3Csip:x%40y%3E%2C%3Csip:0184801001%40z%3E"
    said = decide(script, config, f"did=account42,ep=trunk,pres=allowed,diversion={header}")
    assert (said.variables["CALLROUTER_CAMPAIGN"], said.variables["CALLROUTER_DID"]) == ("spring-flyer", DID)


@pytest.mark.parametrize(
    "exten",
    [
        'x" "y',
        "a%0d%0aEXEC%20System%20id",
        "%22%0aEXEC Dial PJSIP/0899",
        "%5C%22",
        "${SHELL(id)}",
        "%00",
        "é" * 50,
        "",
    ],
)
def test_nothing_that_a_caller_sends_becomes_a_command(script: Path, database: str, exten: str) -> None:
    said = decide(
        script, make_config(database=database), f"did={exten},ep=trunk,pres=allowed", name='"\\"', caller='"x'
    )
    assert said.variables["CALLROUTER_DECIDED"] == "ring"
    assert not any(command.startswith("EXEC") for command in said.commands)
    assert all(command.isprintable() for command in said.commands)


def test_no_number_reaches_asterisks_console(script: Path, database: str) -> None:
    """pyst2 copies everything to stderr by itself."""
    assert decide(script, make_config(database=database)).complaint == ""


@pytest.mark.parametrize("spoil", ["missing", "damaged", "folder"])
def test_without_readable_routes_it_says_why_and_decides_nothing(script: Path, database: str, spoil: str) -> None:
    routes = Path(routes_path(database))
    if spoil == "damaged":
        routes.write_bytes(b"no database" * 100)
    elif spoil == "folder":
        routes.mkdir()
    said = talk(script, "decide", {"CALLROUTER_ARGS": "did=1,ep=,pres=", "CALLROUTER_START": START})
    assert said.variables == {}
    assert said.status == 1
    assert said.complaint.startswith("callrouter: ")
    assert len(said.complaint.splitlines()) == 1


def test_a_caller_who_has_gone_ends_it(script: Path, database: str) -> None:
    write(make_config(database=database), routes_path(database))
    run = subprocess.run(
        [str(script), "decide"],
        input=b"agi_uniqueid: 1\n\nHANGUP\n",
        capture_output=True,
        env={},
        check=False,
        timeout=20,
    )
    assert run.returncode == 1
    assert b"Traceback" not in run.stderr


def test_routes_that_hang_end_the_script_and_not_the_call(script: Path, database: str) -> None:
    os.mkfifo(routes_path(database))
    began = time.monotonic()
    said = talk(script, "decide", {"CALLROUTER_ARGS": "did=1,ep=,pres=", "CALLROUTER_START": START})
    assert "CALLROUTER_DECIDED" not in said.variables
    assert time.monotonic() - began < 5
    assert said.status in (-signal.SIGALRM, 128 + signal.SIGALRM)


def test_a_locked_database_does_not_hold_up_the_decision(script: Path, database: str) -> None:
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        said = decide(script, make_config(database=database))
    assert said.variables["CALLROUTER_DECIDED"] == "ring"
    assert [name.endswith(".ops") for name in os.listdir(f"{database}.fallback")] == [True]


def test_the_doctor_can_ask_whether_it_runs(script: Path, database: str) -> None:
    command = [str(script), "check"]
    assert subprocess.run(command, env={}, check=False, capture_output=True).returncode == 1
    write(make_config(database=database), routes_path(database))
    assert subprocess.run(command, env={}, check=False, capture_output=True).returncode == 0


def test_it_imports_nothing_that_costs() -> None:
    program = (
        "import sys, runpy; sys.argv = ['route.py', 'x', 'y']; "
        f"runpy.run_path({str(share('agi_scripts') / 'route.py')!r}, run_name='imported'); "
        "print(*sorted({name.split('.')[0] for name in sys.modules}))"
    )
    paths = os.pathsep.join(_search_path())
    run = subprocess.run(
        [sys.executable, "-s", "-S", "-c", program],
        env={"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "asterisk" in run.stdout.split()
    dear = {"pydantic", "yaml", "phonenumbers", "holidays", "aiohttp", "click", "rich", "sqlite_utils", "asyncio"}
    assert not dear & set(run.stdout.split())


@pytest.fixture(scope="module", autouse=True)
def _no_alarm_here() -> Iterator[None]:
    """The script sets an alarm when it is imported: none must be left in the tests' own process."""
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)


def test_the_whole_answer_takes_less_than_a_second_on_a_busy_machine(script: Path, database: str) -> None:
    """Measured: 80 ms to the last word, 95 to the end, on two cores. The margin is for machines that do more."""
    fastest = min(decide(script, replace(make_config(), database=database)).seconds for _ in range(5))
    assert fastest < 1.0
