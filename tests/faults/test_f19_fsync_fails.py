"""F19: the disk takes what is written and fails to keep it. Nothing is said to be stored, and everybody is told."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.strace import Strace
from tests.faults import tracing
from tests.faults.conftest import Fault
from tests.faults.fleet import Fleet, Wave
from tests.faults.wire import Wire, wired
from tests.integration.site import TALKED, Site

pytestmark = [pytest.mark.asterisk, pytest.mark.fault("F19", "EIO from every fsync")]

TOLD_IN = 10.0
WRITTEN_IN = 15.0
INJECTED = f"inject={tracing.SYNC}:error=EIO"


@pytest.fixture(scope="module")
def wire(site: Site) -> Iterator[Wire]:
    tracing.needed()
    with wired(site) as made:
        yield made


def told(site: Site, before: int) -> list[str]:
    """The calls whose outcome the router's log tells since, one for each line."""
    return re.findall(r"call=(\S+) [^\n]*event=ended outcome=", site.log[before:])


def whose(site: Site, before: int, wave: Wave) -> set[str]:
    """The ids of the wave's calls: the only ones in the log since."""
    found = set(re.findall(r"call=(\S+)", site.log[before:]))
    assert len(found) == len(wave), f"{len(found)} calls in the log"
    return found


def test_nothing_is_said_to_be_stored_while_the_disk_fails(
    wire: Wire, running: Site, fault: Fault, tmp_path: Path
) -> None:
    fleet = Fleet(running, ring=1.0)
    fleet.place(10, TALKED, hang_up_after=0.3).wait(30)
    fleet.check()
    running.until(lambda: running.said("event=ended") >= len(fleet.all), "their outcomes are told")
    before = len(running.log)
    with Strace(
        running.stack.router.pid, tmp_path / "trace", "-e", f"trace={tracing.SYNC}", "-e", INJECTED
    ) as trace:
        late = fleet.place(40, TALKED, rate=10.0, hang_up_after=0.3)
        fault.measured("told", wire.told(503, TOLD_IN), "s")
        late.wait(60)
        assert all(len(legs) == 1 and legs[0].at(200) for legs in late.rung().values()), (
            "each call reaches a mobile"
        )
        calls = whose(running, before, late)
        assert not told(running, before), "an outcome is told that is not on disk"
        assert not late.rows(), "a reader sees what is not on disk"
        assert running.said("event=database_trouble")
        failed = [line for line in trace.lines() if "EIO" in line]
        assert failed, "the fault was injected"
        fault.measured("calls that went on, untold", len(late))
    began = time.monotonic()
    running.until(lambda: calls <= set(told(running, before)), "every outcome is told", WRITTEN_IN)
    fault.measured("stored and told in", time.monotonic() - began, "s")
    assert len([row for row in late.rows() if row["outcome"]]) == len(late)
    running.until(lambda: running.said("event=database_mended"), "it says that all is well again")
    wire.told(200, TOLD_IN)
    fleet.check()
    assert sorted(told(running, before)) == sorted(calls), "each is told once"
