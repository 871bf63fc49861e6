"""F8: Asterisk is killed while phones ring and people talk, and comes back: every call is closed as what it was,
who was not served is owed a call, and the router serves again."""

from __future__ import annotations

import time

import pytest

from sandbox.behaviours import Answer
from tests.faults.conftest import Fault
from tests.faults.fleet import Fleet
from tests.integration.site import ALICE, ALONE, Site

pytestmark = [pytest.mark.asterisk, pytest.mark.fault("F8", "Asterisk killed")]

REGISTERED_WITHIN = 5.0


@pytest.mark.settle(40)
def test_every_call_is_closed_and_the_router_serves_again(running: Site, fault: Fault) -> None:
    fleet = Fleet(running, ringing=25, talking=25, ring=None, talk=None)
    talked = time.time() - min(row["answered_at_epoch"] for row in epochs(fleet))
    ready = running.said("event=ready")
    running.asterisk.kill()
    running.until(lambda: running.said("event=link_down"), "the router notices")
    # Nobody is there to end these calls: the phones' own side of them is over.
    for wave in fleet.waves:
        assert wave.placed is not None
        wave.placed.stop()
    running.asterisk.start()
    back = time.time()
    running.until(lambda: running.said("event=ready") > ready, "the router is registered again", 15)
    registered = time.time() - back
    fault.measured("registered again after", registered, "s")
    fleet.check()
    outcomes = fleet.ringing.outcomes()
    fault.measured("who rang", ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items()))
    assert fleet.talking.outcomes() == {"answered": 25}, "who had talked has talked"
    assert set(outcomes) <= {"failed", "abandoned"}
    assert all(row["talk_seconds"] < talked + 3.0 for row in fleet.talking.rows()), "no longer than Asterisk lived"
    assert [task["state"] for task in fleet.ringing.callbacks()] == ["open"] * 25
    assert fleet.talking.callbacks() == []
    assert registered < REGISTERED_WITHIN
    running.mobiles({ALICE: Answer(ring=0.1)})
    assert running.call(ALONE, hang_up_after=0.1).ended()["outcome"] == "answered"


def epochs(fleet: Fleet) -> list[dict[str, float]]:
    """When each talk began, as Unix time."""
    return fleet.site.rows(
        "SELECT (julianday(answered_at) - 2440587.5) * 86400.0 AS answered_at_epoch FROM calls"
        " WHERE answered_at IS NOT NULL AND outcome IS NULL"
    )
