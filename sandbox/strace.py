"""strace(1) on a running process: to see its system calls in order, to let one fail, to end it at a chosen one.

The machine's own strace, else Debian's package unpacked beside the private Asterisk. Faults are injected from
outside: nothing of the traced program knows of it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from sandbox import fetch, processes
from sandbox.errors import SandboxError

PACKAGE: Final = "strace"
WRITES: Final = "write,writev,pwrite64,pwritev"
"""The system calls that put something into a file."""
FOR_GOOD: Final = "3600s"
"""Longer than any test: who is held that long is ended by the test."""


@cache
def command() -> tuple[str, ...]:
    """strace as a command line. Raises SandboxError when there is none and none can be had."""
    own = shutil.which(PACKAGE)
    return (own,) if own else fetch.program(PACKAGE)


def kill_before(pid: int, log: Path, nth: int, *files: Path) -> Strace:
    """The process gets SIGKILL instead of its `nth` write to these files, counted from now by each thread."""
    return Strace(pid, log, *only(files), "-e", f"inject={WRITES}:signal=KILL:when={nth}")


def hold_after(pid: int, log: Path, nth: int, *files: Path) -> Strace:
    """The thread that does its `nth` write to these files goes no further: what is written is there, and nothing
    that would have followed happens. The other threads go on. `Strace.kill` ends it."""
    return Strace(pid, log, *only(files), "-e", f"inject={WRITES}:delay_exit={FOR_GOOD}:when={nth}")


def only(files: Iterable[Path]) -> list[str]:
    """The options that leave out what is done to other files."""
    return [word for file in files for word in ("-P", str(file))]


class Strace:
    """`with Strace(router.pid, log, "-e", "inject=fsync:error=EIO"):` follows the process and all its threads.

    `options` are strace's own. What it sees goes to `log`, one call a line, each behind its thread's id. Leaving it
    lets go of the process, which runs on. Raises SandboxError when this user may not trace the process.
    """

    def __init__(self, pid: int, log: Path, *options: str) -> None:
        self.pid = pid
        self.log = log
        self._words = log.with_name(f"{log.name}.words")
        self._words.unlink(missing_ok=True)
        self._process = processes.spawn(
            [*command(), "-f", "-q", "-o", str(log), *options, "-p", str(pid)],
            output=self._words,
            folder=log.parent,
        )
        try:
            processes.wait_until(lambda: self._attached() or not self.running, 10, "strace has attached")
        except SandboxError:
            self.stop()
            raise
        if not self.running:
            raise SandboxError(f"strace does not follow {pid}: {self._words.read_text(encoding='utf-8').strip()}")

    def _attached(self) -> bool:
        """Whether every thread that there is now is traced (proc_pid_status(5), TracerPid)."""
        try:
            statuses = [task.joinpath("status").read_text() for task in Path(f"/proc/{self.pid}/task").iterdir()]
        except OSError:
            return False  # one ended while we looked
        return bool(statuses) and all("\nTracerPid:\t0\n" not in status for status in statuses)

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def lines(self) -> list[str]:
        """What it has seen so far."""
        return self.log.read_text(encoding="utf-8", errors="replace").splitlines() if self.log.exists() else []

    def kill(self) -> None:
        """SIGKILL for the process, wherever it is held: strace has to die too, or it would be asked first."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """Lets the process go on by itself; a thread that was held goes on too."""
        processes.stop(self._process)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
