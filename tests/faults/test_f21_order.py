"""F21: what somebody is told is on disk before. Read from the system calls of the programs that tell it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox import strace
from sandbox.asterisk import CHECKOUT
from sandbox.behaviours import RingOut
from sandbox.strace import Strace
from tests.faults import tracing
from tests.faults.conftest import Fault
from tests.faults.fleet import Fleet
from tests.integration.site import ALICE, ALONE, PATIENT, TALKED, Site

pytestmark = [pytest.mark.asterisk, pytest.mark.fault("F21", "system calls in order")]

SYNCS = tracing.SYNC.split(",")
TRACED = ("-y", "-s", "8192", "-e", f"trace={tracing.SYNC},write,pwrite64")


@pytest.fixture(scope="module", autouse=True)
def traceable() -> None:
    tracing.needed()


ROW = re.compile(
    r"(c[0-9a-v]{25})\d{4}-\d\d-\d\dT[0-9:.]{12}Z\+\d{8,15}[a-z-]+n[0-9a-v]{25}("
    r"answered|voicemail|abandoned|no_answer|busy|unreachable|closed|blocked|failed)"
)
TOLD = re.compile(r"call=(\S+)[^\n]*? event=ended outcome=(\w+)")


def told(site: Site) -> set[str]:
    """The calls whose outcome the router's log tells."""
    return {call for call, _ in re.findall(TOLD, site.log)}


def stored_before(calls: list[tuple[str, str, str]], log: str, wal: str) -> tuple[set[str], set[str]]:
    """The calls whose outcome the log tells: those whose row was on disk by then, and those whose was not.

    In a page of the database a call's row has its id, its beginning, its DID, its campaign, its caller's id and its
    outcome side by side (sqlite.org/fileformat.html, section 2.1).
    """
    written: set[tuple[str, str]] = set()
    synced: set[tuple[str, str]] = set()
    good: set[str] = set()
    bad: set[str] = set()
    for name, path, rest in calls:
        if path == wal and name == "pwrite64" and tracing.succeeded(rest):
            written |= set(re.findall(ROW, rest))
        elif path == wal and name in SYNCS and tracing.succeeded(rest):
            synced |= written
        elif path == log and name == "write":
            for call, outcome in re.findall(TOLD, rest):
                (good if (call, outcome) in synced else bad).add(call)
    return good, bad


def test_an_outcome_is_on_disk_before_the_log_tells_it(running: Site, fault: Fault, tmp_path: Path) -> None:
    site = running
    fleet = Fleet(site, ring=1.0)
    with Strace(site.stack.router.pid, tmp_path / "trace", *TRACED) as trace:
        waves = [fleet.place(25, to, rate=10.0, hang_up_after=0.3) for to in (TALKED, PATIENT)]
        for wave in waves:
            wave.wait(60)
        fleet.check()
        ids = {row["id"] for row in fleet.all.rows()}
        site.until(lambda: ids <= told(site), "every outcome is told", 15)
    good, bad = stored_before(tracing.finished(trace.lines()), str(site.stack.router.log), f"{site.database}-wal")
    assert not bad, f"{len(bad)} outcomes are told before they are on disk"
    assert good == ids
    fault.measured("outcomes told, each on disk before", len(good))


def test_a_claim_is_on_disk_before_its_owner_is_told(running: Site, fault: Fault, tmp_path: Path) -> None:
    site = running
    site.mobiles({ALICE: RingOut()})
    call = site.call(ALONE)
    assert call.ended()["outcome"] == "no_answer"
    (callback,) = call.callbacks()
    trace = tmp_path / "claim"
    said = subprocess.run(
        [
            *(*strace.command(), "-f", "-q", "-o", str(trace), *TRACED),
            *(sys.executable, str(CHECKOUT / "cli.py"), "--config", str(site.config)),
            *("callbacks", "claim", callback["id"], "--as", "bob"),
        ],
        capture_output=True, text=True, timeout=60, check=False, cwd=CHECKOUT,
    )  # fmt: skip
    assert said.returncode == 0, said.stderr
    assert call.number in said.stdout
    calls = tracing.finished(trace.read_text(encoding="utf-8", errors="replace").splitlines())
    wal = f"{site.database}-wal"
    written = [at for at, (name, path, rest) in enumerate(calls) if path == wal and "claimed" in rest]
    synced = [at for at, (name, path, _) in enumerate(calls) if path == wal and name in SYNCS]
    (told,) = [at for at, (name, _, rest) in enumerate(calls) if name == "write" and "yours (bob)" in rest]
    assert written[-1] < max(at for at in synced if at < told)
    assert max(written) < told
    assert tracing.succeeded(calls[synced[-1]][2])
    fault.measured("a claim is on disk before it is told", "yes")
