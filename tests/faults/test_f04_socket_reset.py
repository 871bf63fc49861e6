"""F4: the connection between router and Asterisk is reset. It is back within 2 s, and no call is lost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox.sip_log import Dialog
from tests.faults.conftest import Fault
from tests.faults.fleet import Fleet
from tests.faults.wire import Wire, wired
from tests.integration.site import PATIENT, TALKED, Site

pytestmark = [pytest.mark.asterisk, pytest.mark.fault("F4", "socket reset")]

BACK = 2.0


@pytest.fixture(scope="module")
def wire(site: Site) -> Iterator[Wire]:
    with wired(site) as made:
        yield made


def test_a_reset_costs_no_call_that_rings_or_talks(wire: Wire, running: Site, fault: Fault) -> None:
    fleet = Fleet(running, ringing=25, talking=25, ring=6.0, talk=6.0)
    ups = wire.ups
    assert wire.proxy.reset() >= 1
    took = wire.back(ups, BACK)
    fault.measured("link back", took, "s")
    fleet.check()
    assert fleet.all.outcomes() == {"answered": 50}
    assert all(len(legs) == 1 for legs in fleet.all.rung().values()), "nobody is dialled twice"
    assert all(row["talk_seconds"] > 5.5 for row in fleet.talking.rows()), "no talk is cut"
    assert took < BACK


def test_resets_while_calls_arrive_cost_none_of_them(wire: Wire, running: Site, fault: Fault) -> None:
    fleet = Fleet(running, ring=1.0)
    waves = [fleet.place(25, to, rate=10.0, hang_up_after=0.5) for to in (PATIENT, TALKED)]
    resets = 0
    for part in (5, 12, 20):
        running.until(lambda part=part: len(waves[0].dialogs()) >= part, f"{part} calls are placed")  # type: ignore[misc]
        ups = wire.ups
        resets += wire.proxy.reset() > 0
        wire.back(ups, 5.0)
    fleet.check()
    outcomes, paths = fleet.all.outcomes(), [row["path"] for row in fleet.all.rows()]
    fault.measured(f"{resets} resets amid 50 arrivals, answered", outcomes["answered"])
    fault.measured("of them in the fallback", sum(path != "ari" for path in paths))
    assert outcomes == {"answered": 50}


def test_who_answers_while_the_link_is_away_is_connected_once_it_is_back(
    wire: Wire, running: Site, fault: Fault
) -> None:
    fleet = Fleet(running, ringing=25, ring=4.0, hang_up_after=0.5)
    legs = [leg for found in fleet.ringing.rung().values() for leg in found]
    with wire.proxy.down():
        running.until(lambda: all(leg.at(200) for leg in answered(running, legs)), "every mobile was answered")
        ups = wire.ups
    wire.back(ups, 5.0)
    fleet.check()
    connected = [at for dialog in fleet.ringing.dialogs().values() if (at := dialog.at(200))]
    assert min(connected) > wire.proxy.accepted_at, "no caller before there is a router"
    late = max(connected) - wire.proxy.accepted_at
    fault.measured("25 answered meanwhile, the last connected after its return", late, "s")
    assert fleet.all.outcomes() == {"answered": 25}
    assert all(len(found) == 1 for found in fleet.ringing.rung().values()), "nobody is dialled twice"


def answered(site: Site, legs: list[Dialog]) -> list[Dialog]:
    """The same legs as their phones' logs have them now."""
    return [site.carrier.dialog(leg.call_id) for leg in legs]
