"""What the tests that trace system calls share: whether this machine lets them, and how its lines are read."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from typing import Final

import pytest

from sandbox import strace
from sandbox.errors import SandboxError

SYNC: Final = "fsync,fdatasync"
_CALL = re.compile(r"^\d+ +(\w+)\(\d+<([^>]*)>(.*)$")
_UNFINISHED = re.compile(r"^(\d+) +(.*) <unfinished \.\.\.>$")
_RESUMED = re.compile(r"^(\d+) +<\.\.\. \w+ resumed>(.*)$")


@cache
def impossible() -> str:
    """Why nobody may trace here; empty when one may."""
    try:
        said = subprocess.run(
            [*strace.command(), "-f", "-o", "/dev/null", "true"],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    except SandboxError as error:
        return str(error)
    return said.stderr.strip() if said.returncode else ""


def needed() -> None:
    """Skip the test where nobody may trace."""
    if why := impossible():
        pytest.skip(f"NO TRACING OF SYSTEM CALLS (strace, ptrace(2)) on this machine: {why}")


def finished(lines: list[str]) -> list[tuple[str, str, str]]:
    """Each call as its name, the file's path, and the rest of the line, in the order in which they *ended*.

    A call that another thread's comes between is two lines; it counts where its second one stands.
    """
    begun: dict[str, str] = {}
    calls: list[tuple[str, str, str]] = []
    for line in lines:
        if unfinished := _UNFINISHED.match(line):
            begun[unfinished[1]] = f"{unfinished[1]} {unfinished[2]}"
            continue
        resumed = _RESUMED.match(line)
        if call := _CALL.match(begun.pop(resumed[1], "") + resumed[2] if resumed else line):
            calls.append((call[1], call[2], call[3]))
    return calls


def succeeded(rest: str) -> bool:
    return not re.search(r"= -1 E[A-Z]+", rest)
