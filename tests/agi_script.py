"""The AGI script as Asterisk starts it, and the other end of its pipes: what it sets and says is kept."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from router.asterisk_files import launcher
from router.commands.asterisk import _search_path
from router.config.compiled import routes_path, write
from router.model import Config
from router.shipped import share
from router.store.database import open_database
from tests.build import DID

CALLER = "+33140000001"
START = "1795000000.250"
LINE = (
    "id=1795000000.7&start=1795000000.250&end=1795000009.5&answer=&did=%2B33184801001&campaign=spring-flyer"
    "&caller=%2B33140000001&pres=allowed&salesperson=&dialstatus=NOANSWER&outcome=&cause=19&hangup_by=router"
    "&path=agi&version=0123456789ab"
)


@dataclass
class Said:
    """What one run of the script sent: the variables that it set, in order, and how it ended."""

    variables: dict[str, str] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    status: int | None = None
    complaint: str = ""
    seconds: float = 0.0
    """From its start to its last word."""


@pytest.fixture
def database(tmp_path: Path) -> str:
    path = str(tmp_path / "callrouter.db")
    open_database(path).close()
    os.mkdir(f"{path}.fallback")
    return path


@pytest.fixture
def script(tmp_path: Path, database: str) -> Path:
    """The launcher, as `callrouter asterisk conf` writes it for this Python."""
    route = str(share("agi_scripts") / "route.py")
    path = tmp_path / "callrouter-agi"
    path.write_text(launcher(sys.executable, route, _search_path(), database, "/usr/bin/timeout"), encoding="utf-8")
    path.chmod(0o755)
    return path


def talk(
    script: Path,
    what: str,
    answers: Mapping[str, str],
    caller: str = CALLER,
    name: str = "unknown",
    uniqueid: str = "1795000000.7",
) -> Said:
    """Start the script as Asterisk does, and answer its questions out of `answers`."""
    began = time.monotonic()
    said = Said()
    with subprocess.Popen(
        [str(script), what], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={}, cwd="/"
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None

        def tell(text: str) -> None:
            assert process.stdin is not None
            try:
                process.stdin.write(text.encode())
                process.stdin.flush()
            except BrokenPipeError:
                said.complaint = "it does not listen"

        tell(f"agi_uniqueid: {uniqueid}\nagi_callerid: {caller}\nagi_calleridname: {name}\n\n")
        for line in process.stdout:
            command = line.decode().rstrip("\n")
            said.commands.append(command)
            words = command.split('"')
            if words[0] == "GET VARIABLE ":
                value = answers.get(words[1])
                tell(f"200 result=1 ({value})\n" if value is not None else "200 result=0\n")
                continue
            assert words[0] == "SET VARIABLE ", command
            assert len(words) == 5, "neither a quote nor a second command stands in what is sent"
            said.variables[words[1]] = words[3]
            said.order.append(words[1])
            tell("200 result=1\n")
            said.seconds = time.monotonic() - began
        said.complaint += process.stderr.read().decode()
        said.status = process.wait(20)
    return said


def decide(
    script: Path, config: Config, args: str = "did=%2B33184801001,ep=trunk,pres=allowed", **how: str
) -> Said:
    write(config, routes_path(config.database))
    answers = {
        "CALLROUTER_ARGS": args,
        "CALLROUTER_START": START,
        "CALLROUTER_OURS": DID,
        "CALLROUTER_SOUNDS": "/prompts",
    }
    return talk(script, "decide", answers, **how)


def rows(database: str, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(query).fetchall()
