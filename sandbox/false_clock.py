"""A wall clock of its own for one process, stepped while it runs; its steady clock goes on as it was.

libfaketime stands between the process and the C library's time functions and reads the offset from a file at every
question. What else the machine runs is not touched, and no root is needed.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

from sandbox.errors import SandboxError
from sandbox.own_package import unpacked

LIBRARY = "libfaketimeMT.so.1"
SLEEP = """\
import select
import time


def sleep(seconds):
    select.select([], [], [], seconds)


time.sleep = sleep
"""
"""libfaketime takes a sleep until a moment of the steady clock, which is how Python sleeps, for one of the wall
clock's; select(2) it leaves alone. Python reads this at its start (the module sitecustomize)."""
TRUE = 60.0
"""Seconds by which the wall clock of a process may differ from ours and still count as right."""


class FalseClock:
    """Raises SandboxError when this machine cannot be given one."""

    def __init__(self, folder: Path) -> None:
        library = next(unpacked("libfaketime").glob(f"usr/lib/*/faketime/{LIBRARY}"), None)
        if library is None:
            raise SandboxError(f"the package libfaketime has no {LIBRARY}")
        python = folder / "python-under-a-false-clock"
        python.mkdir(parents=True, exist_ok=True)
        (python / "sitecustomize.py").write_text(SLEEP, encoding="ascii")
        self._file = folder / "clock"
        self.offset = 0.0
        self.environment = {
            "LD_PRELOAD": str(library),
            "PYTHONPATH": str(python),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            # Only the wall clock: not the steady one, and not the dates of files.
            "DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }
        self.right()
        self._prove()

    def step(self, seconds: float) -> None:
        """Puts the wall clock that much before (+) or behind (-) where it is."""
        self._set(self.offset + seconds)

    def at(self, moment: datetime) -> None:
        """Puts the wall clock there; it goes on from then."""
        self._set(moment.timestamp() - time.time())

    def right(self) -> None:
        """As the machine's."""
        self._set(0.0)

    def now(self) -> float:
        """What the process takes for the Unix time."""
        return time.time() + self.offset

    def _set(self, offset: float) -> None:
        # In one step: never half-written for who reads it meanwhile.
        new = self._file.with_suffix(".new")
        new.write_text(f"{offset:+f}\n", encoding="ascii")
        new.replace(self._file)
        self.offset = offset

    def _prove(self) -> None:
        """Have Python ask both clocks under it, before and after a step."""
        asked = "import time; print(time.time(), time.monotonic()); time.sleep(0.01)"
        self.step(-7200)
        with contextlib.ExitStack() as afterwards:
            afterwards.callback(self.right)
            done = subprocess.run(
                [sys.executable, "-c", asked], capture_output=True, text=True, check=False, timeout=30,
                env={**os.environ, **self.environment},
            )  # fmt: skip
            if done.returncode:
                raise SandboxError(f"{LIBRARY} does not load here: {done.stderr.strip()[-200:]}")
            wall, steady = map(float, done.stdout.split())
            if abs(wall - self.now()) > TRUE or abs(steady - time.monotonic()) > TRUE:
                raise SandboxError(f"{LIBRARY} does not step the wall clock alone")
