"""A disk of a few megabytes for the router's database: a tmpfs that only the router's process sees, and that nobody
needs to be root for."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from tests.integration.site import Site

MOUNTED = 'mount -t tmpfs -o size="$1" callrouter "$2" && shift 2 && exec setpriv --pdeathsig KILL -- "$@"'
"""The death signal is set anew: a change of user namespace forgets it."""
ASKED = """
import json, sqlite3, sys
connection = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True, timeout=10)
connection.row_factory = sqlite3.Row
print(json.dumps([dict(row) for row in connection.execute(sys.argv[2], json.loads(sys.argv[3]))]))
"""


@cache
def impossible() -> str:
    """Why this machine gives an ordinary process no disk of its own; empty when it does."""
    command = ["unshare", "-rm", "mount", "-t", "tmpfs", "-o", "size=1m", "callrouter", "/mnt"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except FileNotFoundError:
        return "this machine lacks unshare(1)"
    return said.stderr.strip() if said.returncode else ""


class SmallDisk:
    """From the router's next start on its database lies on a tmpfs of `size` at `folder`; gone when it ends."""

    def __init__(self, site: Site, folder: Path, size: str) -> None:
        folder.mkdir()
        self.site = site
        self.database = folder / "callrouter.db"
        self._folder = folder
        site.stack.database = self.database
        site.stack.router.within = ("unshare", "-rm", "sh", "-c", MOUNTED, "sh", size, str(folder))
        # SQLite follows the links of /proc by their text, which leads out of the router's mounts again.
        site.stack.rows = self._rows  # type: ignore[method-assign]

    def _rows(self, sql: str, parameters: Sequence[object] = ()) -> list[dict[str, Any]]:
        inside = [
            "nsenter",
            f"--target={self.site.stack.router.pid}",
            "--user",
            "--mount",
            "--preserve-credentials",
        ]
        said = subprocess.run(
            [*inside, sys.executable, "-c", ASKED, str(self.database), sql, json.dumps(list(parameters))],
            capture_output=True, text=True, timeout=30, check=True,
        )  # fmt: skip
        rows: list[dict[str, Any]] = json.loads(said.stdout)
        return rows

    @property
    def inside(self) -> Path:
        """The disk as the router sees it."""
        return Path(f"/proc/{self.site.stack.router.pid}/root{self._folder}")

    def free(self) -> int:
        """Bytes."""
        state = os.statvfs(self.inside)
        return state.f_bavail * state.f_frsize

    def fill(self) -> int:
        """Take what is left of it, to the last byte; how much that was."""
        taken = 0
        with (self.inside / "filler").open("ab", buffering=0) as file:
            for block in (65536, 4096, 1):
                try:
                    while True:
                        taken += file.write(bytes(block)) or 0
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
        return taken

    def make_room(self) -> None:
        (self.inside / "filler").unlink()
