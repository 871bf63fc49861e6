"""A whole site for integration tests: the private Asterisk, the router as a process, a carrier and callers."""

from __future__ import annotations

import itertools
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import yaml

from router.config import load
from router.dialplan import Places, generate
from router.store.fallback import folder
from sandbox import processes
from sandbox.asterisk import Asterisk
from sandbox.behaviours import Behaviour
from sandbox.phones import Caller, Carrier, Placed

T = TypeVar("T")
CHECKOUT = Path(__file__).parents[2]

ALICE, BOB, CAROL = "+33612345678", "+33687654321", "+33698765432"
ALONE, IN_TURN, TOGETHER, CLOSED, TWO_TRUNKS = (f"+3318480100{digit}" for digit in range(1, 6))
NOBODYS = "+33184809999"


def campaigns(asterisk: Asterisk, **more: Any) -> dict[str, Any]:
    """A campaigns.yaml for this Asterisk. Rings are short, so that tests are."""
    return {
        "version": 1,
        "company": {"country": "FR", "timezone": "Europe/Paris", "language": "fr"},
        "node": "test",
        "asterisk": {
            "ari": {
                "url": asterisk.ari_url,
                "username": asterisk.user,
                "password_file": str(asterisk.ari_password_file),
                "app": "callrouter",
            },
            "ami": {
                "host": "127.0.0.1",
                "port": asterisk.ports.ami,
                "username": asterisk.user,
                "password_file": str(asterisk.ami_password_file),
            },
            "trunks": {"main": {"dial": "PJSIP/{number}@trunk"}, "second": {"dial": "PJSIP/{number}@backup"}},
        },
        "database": "callrouter.db",
        "hours": {"never-now": {"weekly": {"mon": ["03:00-03:01"]}, "closed": ["2020-01-01..2026-12-31"]}},
        "salespeople": {
            "alice": {"name": "Alice Martin", "mobile": ALICE},
            "bob": {"name": "Bob Durand", "mobile": BOB},
            "carol": {"name": "Carol Petit", "mobile": CAROL},
        },
        "defaults": {
            "hours": "always",
            "accept": "none",
            "ring": {"strategy": "sequential", "timeout": "2s", "max_wait": "6s"},
            "callback": {"due": "15m", "retries": ["10m"], "expire": "5d"},
        },
        "campaigns": {
            "alone": {"numbers": [ALONE], "ring": {"to": ["alice"]}},
            "in-turn": {"numbers": [IN_TURN], "ring": {"to": ["alice", "bob", "carol"]}},
            "together": {"numbers": [TOGETHER], "ring": {"strategy": "all", "to": ["alice", "bob", "carol"]}},
            "closed": {"numbers": [CLOSED], "hours": "never-now", "ring": {"to": ["alice"]}},
        },
        "unknown_number": {"ring": {"to": ["carol"]}},
        **more,
    }


class Call:
    """One call that a test placed, told from all others by its caller's number."""

    def __init__(self, site: Site, placed: Placed, number: str) -> None:
        self.site = site
        self.placed = placed
        self.number = number

    @property
    def dialog(self) -> Any:
        """The caller's side as SIPp saw it."""
        return self.placed.dialog

    def rows(self) -> list[dict[str, Any]]:
        """Every row of `calls` for this caller."""
        return self.site.rows(
            "SELECT calls.* FROM calls JOIN callers ON callers.id = caller_id WHERE number = ?", self.number
        )

    def ended(self, timeout: float = 20.0) -> dict[str, Any]:
        """The call's row once it has an outcome, and no second one beside it."""
        self.placed.wait(timeout)
        row = processes.wait_until(
            lambda: next((row for row in self.rows() if row["outcome"]), None), 10, "the call's row has an outcome"
        )
        assert len(self.rows()) == 1, "one call is one row"
        return row

    def attempts(self) -> list[dict[str, Any]]:
        return self.site.rows("SELECT * FROM attempts WHERE call_id = ? ORDER BY seq", self.rows()[0]["id"])

    def results(self) -> list[tuple[str, str]]:
        return [(attempt["salesperson"], attempt["result"]) for attempt in self.attempts()]

    def callbacks(self) -> list[dict[str, Any]]:
        return self.site.rows(
            "SELECT callbacks.* FROM callbacks JOIN callers ON callers.id = caller_id WHERE number = ?", self.number
        )


class Site:
    """Use as a context manager. The router runs as its own process, started and stopped by the tests."""

    numbers = itertools.count(33140100000)

    def __init__(self, folder: Path, asterisk: Asterisk) -> None:
        self.folder = folder
        self.asterisk = asterisk
        self.carrier = Carrier(asterisk.ports, folder / "phones")
        self.caller = Caller.at(asterisk.ports, folder / "phones")
        self.config = folder / "campaigns.yaml"
        self.database = folder / "callrouter.db"
        self.log = folder / "router.log"
        self.router: subprocess.Popen[bytes] | None = None
        self.configure(campaigns(asterisk))
        asterisk.load_dialplan(self.dialplan())

    def configure(self, content: dict[str, Any]) -> None:
        self.config.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")

    def dialplan(self) -> str:
        config = load(str(self.config))
        static = (CHECKOUT / "asterisk_conf" / "extensions.conf").read_text(encoding="utf-8")
        places = Places(agi=str(self.folder / "route"), spool=folder(str(self.database)))
        return generate(config, static, places, datetime.now(UTC))

    # --- The router ---------------------------------------------------------------------------------------

    def command(self, *words: str) -> list[str]:
        return [sys.executable, str(CHECKOUT / "cli.py"), "--config", str(self.config), *words]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A command of `callrouter`, on this site's configuration."""
        return subprocess.run(self.command(*words), capture_output=True, text=True, check=False, timeout=60)

    def start_router(self) -> None:
        before = self.said("event=ready")
        self.router = processes.spawn(self.command("--debug", "run"), output=self.log, folder=self.folder)
        self.until(lambda: self.said("event=ready") > before or not self.router_runs(), "the router is ready")
        assert self.router_runs(), self.log.read_text(encoding="utf-8")[-2000:]

    def router_runs(self) -> bool:
        return self.router is not None and self.router.poll() is None

    def stop_router(self) -> int:
        assert self.router is not None
        status = processes.stop(self.router)
        self.router = None
        return status

    def signal_router(self, number: signal.Signals) -> None:
        assert self.router is not None
        os.kill(self.router.pid, number)

    def kill_router(self) -> None:
        self.signal_router(signal.SIGKILL)
        assert self.router is not None
        self.router.wait(10)
        self.router = None

    def said(self, text: str) -> int:
        """How often the router's log says it."""
        return self.log.read_text(encoding="utf-8").count(text) if self.log.exists() else 0

    # --- Calls --------------------------------------------------------------------------------------------

    def mobiles(self, mobiles: Mapping[str, Behaviour]) -> None:
        self.carrier.play(mobiles)
        self.carrier.forget()

    def call(self, to: str, **how: Any) -> Call:
        """Place one call from a number that no other call of this run has."""
        number = how.pop("from_number", None) or f"+{next(self.numbers)}"
        return Call(self, self.caller.place(to, number, **how), number)

    def rings(self, number: str, timeout: float = 5.0) -> None:
        """Wait until a mobile has been invited."""
        self.until(lambda: self.carrier.calls(number), f"{number[-4:]} rings", timeout)

    # --- What is there ------------------------------------------------------------------------------------

    def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        if not self.database.exists():
            return []
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=5)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(query, values)]

    def until(self, condition: Callable[[], T], what: str, timeout: float = 10.0) -> T:
        return processes.wait_until(condition, timeout, what)

    def quiet(self) -> None:
        """Wait until Asterisk holds no channel and no bridge."""
        self.until(self.asterisk.quiet, "no channel and no bridge is left", 10)

    def held(self) -> dict[str, int]:
        """What could leak: descriptors and threads of Asterisk and of the router."""
        held = {"asterisk fds": self.asterisk.descriptors(), "asterisk threads": self.asterisk.threads()}
        if self.router is not None:
            held["router fds"] = processes.descriptors(self.router.pid)
            held["router threads"] = processes.threads(self.router.pid)
        return held

    def close(self) -> None:
        if self.router_runs():
            self.stop_router()
        self.carrier.stop()
