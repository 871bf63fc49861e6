"""What /proc says of a process's memory and of its children."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

TICK = 1.0 / os.sysconf("SC_CLK_TCK")
"""Seconds in which the kernel gives CPU time: 10 ms as a rule, so a figure a call needs hundreds of calls."""


def reaped_cpu_seconds(pid: int) -> float:
    """User and system time of the children that have ended (proc_pid_stat(5), fields 16 and 17), in seconds."""
    fields = _stat(pid)
    return (int(fields[13]) + int(fields[14])) * TICK


def peak_memory(pid: int) -> int:
    """The most that the process ever had resident, in bytes."""
    return _status(pid, "VmHWM")


def own_memory(pid: int) -> int:
    """What the process has resident that comes from no file, in bytes."""
    return _status(pid, "RssAnon")


def _status(pid: int, name: str) -> int:
    """A line of proc_pid_status(5), in bytes; 0 where there is none."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace").splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:")), 0)


def children_memory(pid: int) -> int:
    """What all children that live hold now, in bytes; what they share is counted once (Pss)."""
    total = 0
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with contextlib.suppress(OSError):  # it may end while we look
                if int(_stat(int(entry.name))[1]) == pid:
                    total += proportional_memory(int(entry.name))
    return total


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat from the third (state) on."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()


def proportional_memory(pid: int) -> int:
    """What the process holds now, in bytes, with its part of what it shares (Pss)."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
