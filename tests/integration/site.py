"""A whole site for integration tests: the sandbox's stack with campaigns of its own, and calls told apart."""

from __future__ import annotations

import itertools
import signal
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from sandbox import processes
from sandbox.asterisk import Asterisk
from sandbox.behaviours import Play
from sandbox.phones import Placed
from sandbox.stack import Stack

T = TypeVar("T")

KEPT_READERS = 4
"""Descriptors of the database that a router may have: its writer's, and one for each reader there was at once."""
POOLED_CONNECTIONS = 9
"""As many as a router may have to ARI: its websocket, and the pool that carries lists, and all else over HTTP."""
POOLED_THREADS = 16
"""As many as a router may have: itself, its writer, asyncio's pool for what blocks, and the event loop's own."""

ALICE, BOB, CAROL = "+33612345678", "+33687654321", "+33698765432"
ALONE, IN_TURN, TOGETHER, CLOSED, TWO_TRUNKS = (f"+3318480100{digit}" for digit in range(1, 6))
PATIENT, TALKED = "+33184801010", "+33184801011"
"""For faults that last: Bob is rung for a minute, Alice is talked to; both mobiles see the caller's own number."""
NOBODYS = "+33184809999"


def campaigns(asterisk: Asterisk, **more: Any) -> dict[str, Any]:
    """A campaigns.yaml for this Asterisk. Rings are short, so that tests are."""
    minute = {"timeout": "60s", "max_wait": "2m"}
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
            # As many calls at once as there are: a test of something else need not wait for the one before.
            "alice": {"name": "Alice Martin", "mobile": ALICE, "max_calls": 0},
            "bob": {"name": "Bob Durand", "mobile": BOB, "max_calls": 0},
            "carol": {"name": "Carol Petit", "mobile": CAROL, "max_calls": 0},
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
            "patient": {"numbers": [PATIENT], "caller_id": "caller", "ring": {"to": ["bob"], **minute}},
            "talked": {"numbers": [TALKED], "caller_id": "caller", "ring": {"to": ["alice"], **minute}},
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
    """A stack whose router is started and stopped by the tests. Use as a context manager."""

    numbers = itertools.count(33140100000)

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stack = Stack(folder, edit=self._edit, router=False)
        self._content: dict[str, Any] | None = None

    def __enter__(self) -> Site:
        self.stack.start()
        # The second trunk's far end answers too: an INVITE that nobody answers lingers in Asterisk for 32 s.
        self.stack.second_carrier.play({})
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.stop()

    def _edit(self, data: dict[str, Any]) -> None:
        data.clear()
        data.update(self._content or campaigns(self.asterisk))

    def configure(self, content: dict[str, Any]) -> None:
        """Write this campaigns.yaml; the router is not told."""
        self._content = content
        self.stack.write_config()

    @property
    def asterisk(self) -> Asterisk:
        return self.stack.asterisk

    @property
    def config(self) -> Path:
        return self.stack.config

    @property
    def database(self) -> Path:
        return self.stack.database

    @property
    def carrier(self) -> Any:
        return self.stack.carrier

    @property
    def caller(self) -> Any:
        return self.stack.caller

    # --- The router ---------------------------------------------------------------------------------------

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A command of `callrouter`, on this site's configuration."""
        return self.stack.callrouter(*words)

    def start_router(self) -> None:
        self.stack.router.start()

    def router_runs(self) -> bool:
        return self.stack.router.running

    def stop_router(self) -> int | None:
        return self.stack.router.stop()

    def signal_router(self, number: signal.Signals) -> None:
        self.stack.router.signal(number)

    def kill_router(self) -> None:
        self.stack.router.kill()

    @property
    def log(self) -> str:
        """What the router has said so far."""
        log = self.stack.router.log
        return log.read_text(encoding="utf-8") if log.exists() else ""

    def said(self, text: str) -> int:
        """How often the router's log says it."""
        return self.log.count(text)

    # --- Calls --------------------------------------------------------------------------------------------

    def mobiles(self, mobiles: Mapping[str, Play]) -> None:
        self.carrier.play(mobiles)
        self.carrier.forget()

    def call(self, to: str, **how: Any) -> Call:
        """Place one call from a number that no other call of this run has."""
        number = how.pop("from_number", None) or f"+{next(self.numbers)}"
        return Call(self, self.stack.call(to, number, **how), number)

    def rings(self, number: str, timeout: float = 5.0) -> None:
        """Wait until a mobile has been invited."""
        self.until(lambda: self.carrier.calls(number), f"{number[-4:]} rings", timeout)

    # --- What is there ------------------------------------------------------------------------------------

    def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        return self.stack.rows(query, values)

    def until(self, condition: Callable[[], T], what: str, timeout: float = 10.0) -> T:
        return processes.wait_until(condition, timeout, what)

    def quiet(self) -> None:
        """Wait until Asterisk holds no channel and no bridge."""
        self.until(self.asterisk.quiet, "no channel and no bridge is left", 10)

    def held(self) -> dict[str, int]:
        """What could leak: descriptors and threads of Asterisk and of the router."""
        held = {"asterisk fds": self.asterisk.descriptors(), "asterisk threads": self.asterisk.threads()}
        if self.router_runs():
            connections = processes.connected_to(self.asterisk.ports.http)
            pooled = max(connections, POOLED_CONNECTIONS) - connections
            held["asterisk fds"] += pooled
            # Each has a thread of Asterisk's.
            held["asterisk threads"] += pooled
            # SQLite keeps a closed reader's descriptor for the next: closing it would give up the writer's lock.
            kept = processes.opened(self.stack.router.pid, self.database)
            held["router fds"] = self.stack.router.descriptors() - kept + max(kept, KEPT_READERS) + pooled
            # Its pools fill up as they are needed; a thread a call would soon be more than they hold together.
            held["router threads"] = max(self.stack.router.threads(), POOLED_THREADS)
        return held
