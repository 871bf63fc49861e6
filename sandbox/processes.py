"""Child processes that never outlive us, and what /proc says of them."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import TypeVar

from sandbox.errors import SandboxError

T = TypeVar("T")


@cache
def _spawner() -> ThreadPoolExecutor:
    """The one thread that starts children.

    PR_SET_PDEATHSIG fires when the *thread* that forked ends (prctl(2)): it has to live as long as we do.
    """
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawner")


def spawn(
    command: Sequence[str], *, output: Path, folder: Path, environment: dict[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Starts `command` in `folder`, its output appended to `output`.

    It gets SIGKILL when we die, however we die, and no Ctrl-C of the terminal: whoever started it stops it.
    """

    def start() -> subprocess.Popen[bytes]:
        with output.open("ab") as out:
            return subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *command],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=folder, env=environment,
                start_new_session=True,
            )  # fmt: skip

    return _spawner().submit(start).result()


def stop(process: subprocess.Popen[bytes], *, patience: float = 5.0) -> int:
    """SIGTERM, and SIGKILL after `patience` seconds; the exit status."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()


def wait_until(condition: Callable[[], T | None], timeout: float, what: str, *, every: float = 0.01) -> T:
    """The first true value of `condition`, asked every `every` s. Raises SandboxError after `timeout` s."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise SandboxError(f"{what}: not within {timeout:g} s")
        time.sleep(every)


def descriptors(pid: int) -> int:
    """How many file descriptors the process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def opened(pid: int, path: Path) -> int:
    """How many of them are of this file."""
    count = 0
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            count += entry.readlink() == path
    return count


def threads(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/task"))


def cpu_seconds(pid: int) -> float:
    """User and system time so far, of all its threads, in seconds (proc_pid_stat(5), fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid: int) -> int:
    """Resident bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        state = (
            Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[0]
        )
        return state != "Z"
    return False


def connected_to(port: int) -> int:
    """How many TCP connections to this port of the loopback interface are established."""
    established, there = "01", f"0100007F:{port:04X}"
    lines = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    return sum(fields[2] == there and fields[3] == established for fields in map(str.split, lines))


class Program(ABC):
    """A running program, and what /proc says of it."""

    @property
    @abstractmethod
    def pid(self) -> int:
        """Raises SandboxError when it does not run."""

    def descriptors(self) -> int:
        return descriptors(self.pid)

    def threads(self) -> int:
        return threads(self.pid)

    def cpu_seconds(self) -> float:
        return cpu_seconds(self.pid)

    def memory(self) -> int:
        """Resident bytes."""
        return memory(self.pid)
