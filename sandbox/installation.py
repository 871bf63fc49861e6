"""Where Asterisk and SIPp are: unpacked in the user's cache, or already on the machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sandbox import fetch
from sandbox.errors import SandboxError

PRIVATE_VARIABLE = "CALLROUTER_SANDBOX_PRIVATE"
"""Set to 1, the machine's own Asterisk and SIPp are left alone even when they are new enough."""


SIPP_NEEDED = (3, 7)
"""Before 3.7 SIPp sends no telephone events without root (see media), and everything else works."""


@dataclass(frozen=True, slots=True)
class Installation:
    """The two programs as command lines (a private one starts through its own loader), and Asterisk's files."""

    asterisk: tuple[str, ...]
    sipp: tuple[str, ...]
    modules: Path
    data: Path
    """Holds `documentation` and `sounds`."""
    version: tuple[int, ...]
    """Asterisk's: (22, 10, 1)."""
    origin: str


@cache
def find() -> Installation:
    """The machine's own when new enough, else the private ones, fetched if need be. Raises SandboxError."""
    if os.environ.get(PRIVATE_VARIABLE, "0") in ("", "0"):
        own = _on_this_machine()
        if own is not None:
            return own
    return _unpacked(fetch.fetch())


def _on_this_machine() -> Installation | None:
    path = os.environ.get("PATH", "") + os.pathsep + "/usr/sbin"
    asterisk, sipp = shutil.which("asterisk", path=path), shutil.which("sipp", path=path)
    if asterisk is None or sipp is None or _sipp_version((sipp,)) < SIPP_NEEDED:
        return None
    modules = _modules(Path("/"))
    data = next(
        (Path(d) for d in ("/usr/share/asterisk", "/var/lib/asterisk") if (Path(d) / "documentation").exists()),
        None,
    )
    version = _asterisk_version((asterisk,))
    if modules is None or data is None or version < (20,):
        return None
    return Installation((asterisk,), (sipp,), modules, data, version, "this machine's own")


def _modules(root: Path) -> Path | None:
    """Asterisk's modules: beside the machine's libraries in Asterisk 22's package, above them in older ones."""
    for pattern in ("usr/lib/*/asterisk/modules/res_ari.so", "usr/lib/asterisk/modules/res_ari.so"):
        for found in root.glob(pattern):
            return found.parent
    return None


def _unpacked(folder: Path) -> Installation:
    root = folder / "root"
    modules = _modules(root)
    if modules is None:
        raise SandboxError(f"{folder} holds no Asterisk; remove that folder and type: make setup")
    start = fetch.start(root)
    asterisk = (*start, str(root / "usr/sbin/asterisk"))
    sipp = (*start, str(root / "usr/bin/sipp"))
    data = root / "usr/share/asterisk"
    return Installation(asterisk, sipp, modules, data, _asterisk_version(asterisk), str(folder))


def _asterisk_version(command: tuple[str, ...]) -> tuple[int, ...]:
    said = subprocess.run([*command, "-V"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"Asterisk\D*(\d+(?:\.\d+)*)", said)
    if found is None:
        raise SandboxError(f"{command[-1]} does not start; remove its folder and type: make setup")
    return tuple(int(part) for part in found[1].split("."))


def _sipp_version(command: tuple[str, ...]) -> tuple[int, ...]:
    said = subprocess.run([*command, "-v"], capture_output=True, text=True, check=False)
    found = re.search(r"SIPp v(\d+)\.(\d+)", said.stdout + said.stderr)
    return (int(found[1]), int(found[2])) if found else (0, 0)
