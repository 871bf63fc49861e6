"""F17: the disk is full. Calls go on; what was said is kept, and written when there is room again."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import yaml

from tests.faults import small_disk
from tests.faults.conftest import Fault
from tests.faults.fleet import Fleet
from tests.faults.small_disk import SmallDisk
from tests.faults.wire import Wire, wired
from tests.integration.site import TALKED, Site

pytestmark = [pytest.mark.asterisk, pytest.mark.fault("F17", "database on a full 2 MiB tmpfs")]

TOLD_IN = 10.0
WRITTEN_IN = 15.0


@pytest.fixture(scope="module")
def wire(site: Site) -> Iterator[Wire]:
    if why := small_disk.impossible():
        pytest.skip(f"NO DISK OF ITS OWN for the router (unshare -rm mount -t tmpfs): {why}")
    with wired(site) as made:
        yield made


@pytest.fixture(scope="module")
def disk(wire: Wire) -> SmallDisk:
    """Before `running` starts the router."""
    made = SmallDisk(wire.site, wire.site.folder / "disk", "2m")
    content = yaml.safe_load(wire.site.config.read_text(encoding="utf-8"))
    wire.site.configure({**content, "database": str(made.database)})
    return made


def test_calls_go_on_and_their_rows_are_written_once_there_is_room(
    disk: SmallDisk, wire: Wire, running: Site, fault: Fault
) -> None:
    fleet = Fleet(running, ringing=15, talking=15, ring=4.0, talk=6.0)
    disk.fill()
    late = fleet.place(20, TALKED, hang_up_after=0.3)
    fleet.wait()
    fault.measured("told", wire.told(503, TOLD_IN), "s")
    assert all(len(legs) == 1 and legs[0].at(200) for legs in late.rung().values()), "each call reaches a mobile"
    assert running.said("event=database_trouble")
    written = [row for row in fleet.all.rows() if row["outcome"]]
    kept = wire.metric("callrouter_writer_pending_rows")
    fault.measured("kept", int(kept), "rows")
    assert kept > 0
    assert len(written) < len(fleet.all)
    disk.make_room()
    began = time.monotonic()
    running.until(lambda: not wire.metric("callrouter_writer_pending_rows"), "all of them are written", WRITTEN_IN)
    fault.measured("written in", time.monotonic() - began, "s")
    fleet.check()
    assert fleet.all.outcomes() == {"answered": 50}
    running.until(lambda: running.said("event=database_mended"), "it says that all is well again")
    wire.told(200, TOLD_IN)
