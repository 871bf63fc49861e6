"""F18: another program holds the database for a minute. Calls go on as ever; rows are written after it."""

from __future__ import annotations

import math
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox import processes
from sandbox.sip_log import Dialog
from tests.faults.conftest import Fault
from tests.faults.fleet import Fleet
from tests.faults.wire import Wire, wired
from tests.integration.site import ALICE, TALKED, Site

pytestmark = [pytest.mark.asterisk, pytest.mark.fault("F18", "BEGIN EXCLUSIVE 60 s")]

LOCKED = 60.0
TOLD_IN = 10.0
WRITTEN_IN = 15.0
HANDLED_IN = 0.2
LOCK = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=10)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
time.sleep(float(sys.argv[2]))
connection.execute("ROLLBACK")
"""


@pytest.fixture(scope="module")
def wire(site: Site) -> Iterator[Wire]:
    with wired(site) as made:
        yield made


def lock(database: Path, seconds: float, log: Path) -> subprocess.Popen[bytes]:
    """Another program that holds it so long; comes back once it does."""
    log.unlink(missing_ok=True)
    words = [sys.executable, "-c", LOCK, str(database), str(seconds)]
    process = processes.spawn(words, output=log, folder=log.parent)
    processes.wait_until(lambda: "locked" in log.read_text(encoding="utf-8"), 15, "another program locks it")
    return process


def handled(caller: Dialog, mobile: Dialog) -> list[float]:
    """Seconds from what one phone sent to what the router made the other one receive."""
    told, answered = caller.at(200), mobile.at(200)
    assert told is not None
    assert answered is not None
    return [max(0.0, mobile.invited_at - caller.invited_at), max(0.0, told - answered)]


def test_calls_do_not_notice(wire: Wire, running: Site, fault: Fault, tmp_path: Path) -> None:
    fleet = Fleet(running, ringing=25, talking=25, ring=8.0, talk=10.0)
    process = lock(running.database, LOCKED, tmp_path / "lock.log")
    began = time.monotonic()
    try:
        late = [fleet.place(50, TALKED, rate=4.0, hang_up_after=0.3)]
        fault.measured("told", wire.told(503, TOLD_IN), "s")
        fleet.wait()
        lag = wire.metric("callrouter_loop_lag_seconds")
        late.append(fleet.place(50, TALKED, rate=2.0, hang_up_after=0.3))
        fleet.wait()
        lag = max(lag, wire.metric("callrouter_loop_lag_seconds"))
        assert not any(wave.rows() for wave in late), "it was locked all the while"
        kept = int(wire.metric("callrouter_writer_pending_rows"))
        process.wait(LOCKED)
        assert time.monotonic() - began >= LOCKED - 1
    finally:
        processes.stop(process)
    took = sorted(
        each
        for wave in late
        for number, legs in wave.rung().items()
        for each in handled(wave.dialogs()[number], legs[0])
    )
    unlocked = time.monotonic()
    running.until(lambda: not wire.metric("callrouter_writer_pending_rows"), "all of them are written", WRITTEN_IN)
    fault.measured(f"{kept} operations kept, written in", time.monotonic() - unlocked, "s")
    most = took[math.ceil(len(took) * 0.99) - 1]
    fault.measured("99 % handled in", most * 1000, "ms")
    fault.measured("loop late at most", lag * 1000, "ms")
    fleet.check()
    assert fleet.all.outcomes() == {"answered": 150}
    assert all(len(legs) == 1 for wave in late for legs in wave.rung().values())
    wire.told(200, TOLD_IN)
    assert most <= HANDLED_IN, f"of {len(took)} events the slowest took {took[-5:]} s"
    assert running.carrier.calls(ALICE)
