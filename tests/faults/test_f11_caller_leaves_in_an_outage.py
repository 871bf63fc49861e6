"""F11: callers give up while the router is cut off from Asterisk. Their phones stop soon after it is back."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest

from tests.faults.conftest import Fault
from tests.faults.fleet import Fleet
from tests.faults.wire import Wire, wired
from tests.integration.site import Site

pytestmark = [pytest.mark.asterisk, pytest.mark.fault("F11", "caller leaves in an outage")]

STOPS = 1.0
"""Seconds from the moment when the router's connection is taken again."""
CALLS = 50


@pytest.fixture(scope="module")
def wire(site: Site) -> Iterator[Wire]:
    with wired(site) as made:
        yield made


def test_the_phones_stop_once_it_is_back(wire: Wire, running: Site, fault: Fault) -> None:
    fleet = Fleet(running, ringing=CALLS, ring=None, short_talk=None, cancel_after=5.0)
    assert not any(dialog.at("CANCEL") for dialog in fleet.ringing.dialogs().values()), "all still wait"
    with wire.proxy.down():
        fleet.wait()
        assert all(dialog.at("CANCEL") for dialog in fleet.ringing.dialogs().values())
        ups = wire.ups
    wire.back(ups, 5.0)
    legs = [leg for found in fleet.ringing.rung().values() for leg in found]
    assert len(legs) == CALLS
    running.until(lambda: all(leg_of(running, leg.call_id) for leg in legs), "every phone has stopped")
    stopped = max(leg_of(running, leg.call_id) for leg in legs) - wire.proxy.accepted_at
    fault.measured("last of 50 phones stops", max(0.0, stopped), "s after reconnecting")
    fleet.check()
    assert fleet.all.outcomes() == {"abandoned": CALLS}
    assert stopped < STOPS


def leg_of(site: Site, call_id: str) -> float:
    """When this mobile was told to stop; 0 while it rings."""
    ended = site.carrier.dialog(call_id).ended_at
    assert ended is None or math.isfinite(ended)
    return ended or 0.0
