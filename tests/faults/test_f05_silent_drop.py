"""F5: every packet between router and Asterisk is lost for a minute. Monitoring is told, and no call is lost."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from sandbox.asterisk import CHECKOUT
from tests.faults import silent_drop
from tests.faults.conftest import Fault
from tests.integration.site import Site

pytestmark = [
    pytest.mark.asterisk,
    pytest.mark.fault("F5", "silent drop"),
    pytest.mark.timeout(300),
]

PROBE = "ip link set lo up && ip route replace blackhole 127.0.0.3/32 table local"


def lacking() -> str:
    """What this machine has not for a namespace that loses packets; empty when it can."""
    if not shutil.which("unshare") or not shutil.which("ip"):
        return "no unshare or ip (util-linux, iproute2)"
    tried = subprocess.run(["unshare", "-rn", "sh", "-c", PROBE], capture_output=True, text=True, check=False)
    return tried.stderr.strip().splitlines()[-1] if tried.returncode else ""


LACKING = lacking()


def test_silence(site: Site, tmp_path: Path, fault: Fault) -> None:
    if LACKING:
        warnings.warn(pytest.PytestWarning(f"no packet is lost, a proxy holds all back: {LACKING}"), stacklevel=1)
        fault.measured("a proxy stood in for the loss, as", LACKING)
        figures = silent_drop.behind_a_proxy(site)
    else:
        figures = lost_for_real(tmp_path)
    for what, value, unit in figures:
        fault.measured(what, value, unit)


def lost_for_real(folder: Path) -> list[silent_drop.Figure]:
    """The same story in a network namespace of its own, where the kernel loses the packets."""
    command = ["unshare", "-rn", sys.executable, "-m", "tests.faults.silent_drop", str(folder)]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    figures: list[silent_drop.Figure] = json.loads((folder / "figures.json").read_text(encoding="utf-8"))
    return figures
