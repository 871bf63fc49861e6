"""F22: the link is cut between a request that dials a leg and its answer. The phone is dialled once, whatever was
lost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.conftest import Fault
from tests.faults.fleet import Fleet
from tests.faults.wire import Wire, wired
from tests.integration.site import PATIENT, Site

pytestmark = [pytest.mark.asterisk, pytest.mark.fault("F22", "cut in mid-originate")]

REQUESTS = {"create": "channelId", "dial": "/dial"}
"""What only that request holds: a leg's channel is created, and then dialled."""
ANSWERS = {"create": '"channels/create"', "dial": '/dial"'}
"""What only its answer holds, over the websocket."""
CALLS, CUTS = 50, 5


@pytest.fixture(scope="module", params=["websocket", "http"])
def wire(site: Site, request: pytest.FixtureRequest) -> Iterator[Wire]:
    with wired(site, transport=request.param) as made:
        yield made


@pytest.mark.parametrize("step", list(REQUESTS))
@pytest.mark.parametrize("carried_out", [True, False], ids=["after it was carried out", "as soon as it is sent"])
def test_the_phone_is_dialled_once(wire: Wire, running: Site, fault: Fault, step: str, carried_out: bool) -> None:
    fleet = Fleet(running, ring=2.0)
    answer = ("HTTP/1.1 20" if wire.site.said("rest=http") else ANSWERS[step]) if carried_out else ""
    wave = None
    for cut in range(CUTS):
        made = wire.proxy.cut(REQUESTS[step], answer)
        wave = fleet.place(CALLS // CUTS, PATIENT, hang_up_after=0.5)
        running.until(made, f"cut {cut} is made")
        wave.wait(30)
    fleet.check()
    invites = [len(legs) for legs in fleet.all.rung().values()]
    outcomes = fleet.all.outcomes()
    how = "carried out" if carried_out else "sent"
    fault.measured(f"{CUTS} cuts when a {step} is {how}: INVITEs a call at most", max(invites))
    fault.measured("answered of 50", outcomes["answered"])
    assert max(invites) == 1
    assert outcomes == {"answered": CALLS}
