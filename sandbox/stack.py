"""Everything together: Asterisk, the carrier, a caller and the router, with a campaigns.yaml made for them."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import yaml

from sandbox import folders, processes
from sandbox.asterisk import CHECKOUT, Asterisk
from sandbox.behaviours import Play
from sandbox.errors import SandboxError
from sandbox.phones import Caller, Carrier, Placed
from sandbox.router_process import RouterProcess

Edit = Callable[[dict[str, Any]], None]
"""Changes the campaigns file, as plain data, before it is written."""


class Stack:
    """`with Stack() as stack:` has a router ready for calls to the campaigns of the repository's campaigns.yaml.

    `asterisk`: an Asterisk that runs already (it is left running); else one of its own in `folder`. `edit` changes
    the campaigns. `dialplan` replaces the generated one. `router` False leaves the router to be started later.
    `environment` is added to the router's.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        name: str = "stack",
        asterisk: Asterisk | None = None,
        edit: Edit | None = None,
        dialplan: str | None = None,
        router: bool = True,
        environment: Mapping[str, str] | None = None,
        verbose: int = 0,
    ) -> None:
        self.folder = (folder or CHECKOUT / ".sandbox" / name).resolve()
        self._own = asterisk is None
        self.asterisk = asterisk or Asterisk(self.folder / "asterisk", verbose=verbose)
        self._edit = edit
        self._dialplan = dialplan
        self._start_router = router
        self.config = self.folder / "campaigns.yaml"
        self.database = self.folder / "callrouter.db"
        self.router = RouterProcess(self.config, self.folder / "router.log", dict(environment or {}))
        self._lock: IO[str] | None = None
        self.carrier: Carrier
        self.second_carrier: Carrier
        self.caller: Caller

    # --- running -----------------------------------------------------------------------------------------

    def start(self) -> Self:
        """Raises SandboxError when a part of it does not come up; nothing is left running then."""
        self._lock = folders.take(self.folder)
        try:
            if self._own:
                self.asterisk.start()
            ports, phones = self.asterisk.ports, self.folder / "phones"
            self.carrier = Carrier(ports, phones)
            self.second_carrier = Carrier(ports, phones, port=ports.second_carrier)
            self.caller = Caller(ports, phones)
            self.write_config()
            self.carrier.play({})
            self.asterisk.load_dialplan(self._dialplan or self.generated_dialplan())
            if self._start_router:
                self.router.start()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Ends the phones and the router, and Asterisk when it is our own."""
        self.router.stop()
        for phone in ("caller", "carrier", "second_carrier"):
            if hasattr(self, phone):
                getattr(self, phone).stop()
        if self._own:
            self.asterisk.stop()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def write_config(self, edit: Edit | None = None) -> None:
        """Writes campaigns.yaml: the repository's, with this Asterisk's ports and secrets, and with `edit`."""
        data = yaml.safe_load((CHECKOUT / "campaigns.yaml").read_text(encoding="utf-8"))
        data["asterisk"]["ari"] |= {
            "url": self.asterisk.ari_url,
            "password_file": str(self.asterisk.ari_password_file),
        }
        data["asterisk"]["ami"] |= {
            "port": self.asterisk.ports.ami,
            "password_file": str(self.asterisk.ami_password_file),
        }
        data["database"] = str(self.database)
        for change in (self._edit, edit):
            if change is not None:
                change(data)
        text = yaml.safe_dump(data, allow_unicode=True, sort_keys=False)
        self.config.write_text(text, encoding="utf-8")

    def generated_dialplan(self) -> str:
        """What `callrouter asterisk conf` makes of the campaigns. Raises SandboxError when it refuses."""
        folder = self.folder / "generated"
        said = self.callrouter("asterisk", "conf", "--output", str(folder))
        if said.returncode:
            raise SandboxError(f"callrouter asterisk conf failed: {said.stderr.strip()}")
        return f"#include {folder}/callrouter-extensions.conf\n"

    # --- acting and asking --------------------------------------------------------------------------------

    def play(self, mobiles: Mapping[str, Play]) -> None:
        """Says what each mobile does; see Carrier.play."""
        self.carrier.play(mobiles)

    def call(
        self, to: str | Sequence[str], from_number: str | Sequence[str] = "+33140000001", **how: Any
    ) -> Placed:
        """Places a call; see Caller.place for what it takes."""
        return self.caller.place(to, from_number, **how)

    def wait_until(
        self, condition: Callable[[], processes.T | None], timeout: float = 10.0, what: str = "it happens"
    ) -> processes.T:
        """The first true value of `condition`. Raises SandboxError after `timeout` seconds."""
        return processes.wait_until(condition, timeout, what)

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[dict[str, Any]]:
        """Asks the database, read-only; no rows before it exists."""
        try:
            with contextlib.closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as connection:
                connection.row_factory = sqlite3.Row
                return [dict(row) for row in connection.execute(sql, parameters)]
        except sqlite3.OperationalError:
            return []

    def calls(self) -> list[dict[str, Any]]:
        """Rows of `calls`, oldest first."""
        return self.rows("SELECT * FROM calls ORDER BY id")

    def callrouter(self, *arguments: str, timeout: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Runs the command line on this configuration."""
        return subprocess.run(
            [sys.executable, str(CHECKOUT / "cli.py"), "--config", str(self.config), *arguments],
            capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip
