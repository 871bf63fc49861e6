"""What the figures were taken on, without names of hosts, people or folders."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bench.site import CHECKOUT
from sandbox.installation import Installation

PACKAGES = ("aiohttp", "uvloop", "orjson", "pyst2", "sqlite-utils")


def machine() -> str:
    """Processor, cores, memory, kernel."""
    names = re.findall(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    kernel = ".".join(re.findall(r"\d+", platform.release())[:2])
    return (
        f"{names[0].strip() if names else platform.machine()}, {cores()} cores, {pages / 2**30:.0f} GiB, "
        f"Linux {kernel} {platform.machine()}"
    )


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0))


def versions(installation: Installation) -> str:
    """Asterisk, SIPp, Python, and the packages that matter here, as far as they are installed."""
    said = subprocess.run([*installation.sipp, "-v"], capture_output=True, text=True, check=False)
    sipp = re.search(r"SIPp v([\d.]+\d)", said.stdout + said.stderr)
    parts = [
        f"Asterisk {'.'.join(map(str, installation.version))}",
        f"SIPp {sipp[1] if sipp else 'unknown'}",
        f"Python {'.'.join(map(str, sys.version_info[:3]))}",
    ]
    for package in PACKAGES:
        try:
            parts.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            parts.append(f"no {package}")
    return ", ".join(parts)


def commit() -> str:
    """The checkout's commit, and whether it was changed since; `unknown` outside of git."""
    try:
        head = subprocess.run(
            ["git", "rev-parse", "--short=12", "HEAD"], cwd=CHECKOUT, capture_output=True, text=True, check=False
        )
        changed = subprocess.run(
            ["git", "status", "--porcelain"], cwd=CHECKOUT, capture_output=True, text=True, check=False
        )
    except OSError:
        return "unknown"
    if head.returncode != 0:
        return "unknown"
    # The results themselves are written by every run.
    others = [line for line in changed.stdout.splitlines() if not line[3:].startswith("bench/results.")]
    return head.stdout.strip() + (" with changes" if others else "")
