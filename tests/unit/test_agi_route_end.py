"""The AGI script when a call is over: its end is written with its attempts, or left to the dialplan."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from router.config.compiled import routes_path, write
from tests.agi_script import LINE, database, decide, rows, script, talk
from tests.build import DID, make_config

__all__ = ["database", "script"]

TRIES = {
    "CALLROUTER_TRIES": "2",
    "CALLROUTER_TRY_1": "alice:main:1795000001.0::1795000005.0:NOANSWER:19:480::did",
    "CALLROUTER_TRY_2": "bob:main:1795000005.0:1795000006.0:1795000009.0:NOT_ACCEPTED::::did",
}


def test_the_end_is_written_with_its_attempts_and_its_callback(script: Path, database: str) -> None:
    write(make_config(database=database), routes_path(database))
    said = talk(script, "end", {"CALLROUTER_LINE": LINE, "CALLROUTER_OURS": DID, **TRIES})
    assert said.variables == {"CALLROUTER_RECORDED": "yes"}
    assert rows(database, "SELECT outcome, hangup_by, path, cause FROM calls") == [
        ("no_answer", "router", "agi", 19)
    ]
    assert rows(
        database, "SELECT salesperson, trunk, result, sip_status, caller_id FROM attempts ORDER BY seq"
    ) == [
        ("alice", "main", "no_answer", 480, "did"),
        ("bob", "main", "not_accepted", None, "did"),
    ]
    assert rows(database, "SELECT campaign, state FROM callbacks") == [("spring-flyer", "open")]


def test_the_end_after_the_first_second_is_the_same_row(script: Path, database: str) -> None:
    decide(script, make_config(database=database))
    talk(script, "end", {"CALLROUTER_LINE": LINE, "CALLROUTER_OURS": DID, **TRIES})
    assert rows(database, "SELECT outcome FROM calls") == [("no_answer",)]


def test_a_call_that_ended_before_it_was_decided_is_given_its_campaign(script: Path, database: str) -> None:
    write(make_config(database=database), routes_path(database))
    line = LINE.replace("campaign=spring-flyer", "campaign=").replace("did=%2B33184801001", "did=")
    answers = {
        "CALLROUTER_LINE": line.replace("dialstatus=NOANSWER", "dialstatus=").replace(
            "hangup_by=router", "hangup_by=caller"
        ),
        "CALLROUTER_ARGS": "did=0184801001,ep=trunk,pres=allowed",
        "CALLROUTER_OURS": DID,
    }
    assert talk(script, "end", answers).variables == {"CALLROUTER_RECORDED": "yes"}
    assert rows(database, "SELECT did, campaign, outcome FROM calls") == [(DID, "spring-flyer", "abandoned")]


def test_an_end_that_cannot_be_written_is_left_to_the_dialplan(script: Path, database: str) -> None:
    write(make_config(database=database), routes_path(database))
    os.rmdir(f"{database}.fallback")
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        said = talk(script, "end", {"CALLROUTER_LINE": LINE, "CALLROUTER_OURS": DID})
    assert said.variables == {}
    assert said.complaint.startswith("callrouter: ")
    assert "+33" not in said.complaint


def test_nonsense_from_the_dialplan_is_an_error_without_a_traceback(script: Path, database: str) -> None:
    write(make_config(database=database), routes_path(database))
    said = talk(script, "end", {"CALLROUTER_LINE": "nonsense"})
    assert (said.variables, said.status) == ({}, 1)
    assert "Traceback" not in said.complaint
