"""F2: the router is killed and does not come back. New calls are in the fallback at once, and those that it had are
taken back by their dead man's timers, legs too."""

from __future__ import annotations

import time
from typing import Any

import pytest

from router.dialling import DEAD_MAN_SLACK
from router.hunt import ORIGINATE_MARGIN
from sandbox.behaviours import Answer
from tests.conftest import SETTLE
from tests.faults.conftest import Fault
from tests.faults.fleet import Fleet
from tests.faults.timers import dead_man, detours, watched
from tests.integration.site import ALICE, ALONE, BOB, TALKED, Site, campaigns

pytestmark = [pytest.mark.asterisk, pytest.mark.fault("F2", "SIGKILL, and no restart")]

TAKEN_IN = 0.5
RINGS_IN = 2.0
RESCUED_AFTER = 10
LEGS = 2 + ORIGINATE_MARGIN + 3 + DEAD_MAN_SLACK
"""Seconds of a leg's timer, with rings of 2 s and keys within 3."""
RING = 5.0
"""Seconds that Bob's phone rings before it answers."""


def test_new_calls_are_in_the_fallback_at_once(running: Site, fault: Fault) -> None:
    site = running
    site.mobiles({ALICE: Answer(ring=0.1, talk=0.3)})
    site.kill_router()
    with watched(site) as steps:
        call = site.call(TALKED)
        (taken,) = site.until(lambda: detours(steps), "it is in the fallback")
        (leg,) = site.until(lambda: site.carrier.calls(ALICE), "the mobile rings")
    rings = leg.invited_at - call.dialog.invited_at
    fault.measured("in the fallback", taken * 1000, "ms")
    fault.measured("rings a mobile", rings, "s")
    assert taken < TAKEN_IN
    assert rings < RINGS_IN
    row = call.ended()
    assert (row["path"], row["outcome"], row["salesperson"]) == ("agi", "answered", "alice")


def test_whom_the_router_left_behind_is_rescued(running: Site, fault: Fault) -> None:
    site = running
    with watched(site) as steps:
        with dead_man(site, RESCUED_AFTER):
            mobiles = {ALICE: Answer(ring=0.1), BOB: Answer(ring=RING)}
            fleet = Fleet(site, ringing=20, talking=20, talk=25, mobiles=mobiles)
        site.kill_router()
        late = fleet.place(10, TALKED, rate=2, hang_up_after=0.3)
        late.wait(40)
        fleet.ringing.wait(RESCUED_AFTER + RING + 30)
        into_fallback = detours(steps)
    taken, rescued = into_fallback[:10], into_fallback[10:]
    fault.measured("10 more in the fallback, the last", max(taken) * 1000, "ms")
    assert max(taken) < TAKEN_IN
    fault.measured(f"20 rescued, timer {RESCUED_AFTER} s", f"{min(rescued):.1f} to {max(rescued):.1f} s")
    assert len(rescued) == 20
    assert all(abs(seconds - RESCUED_AFTER) < 1.5 for seconds in rescued)
    # The router's own legs answered nobody.
    legs = [leg for legs in fleet.ringing.rung().values() for leg in legs]
    site.until(
        lambda: not any(site.carrier.dialog(leg.call_id).live for leg in legs), "their phones are on the hook"
    )
    fleet.talking.wait(40)
    # The bridges of their talks stay behind, empty, for a next run to remove.
    site.until(lambda: not site.asterisk.channels(), "no channel is left without any router", SETTLE)
    # Only a next run can write how the talks ended.
    site.start_router()
    fleet.check()
    assert late.outcomes() == {"answered": 10}
    # A script that is too slow on a busy machine gives way to the dialplan.
    assert {row["path"] for row in late.rows()} <= {"agi", "dialplan"}
    assert fleet.ringing.outcomes() == {"answered": 20}
    assert fleet.talking.outcomes() == {"answered": 20}


def test_a_leg_that_answered_nobody_is_ended(running: Site, fault: Fault) -> None:
    """It hears what is to be heard before a key is pressed, when the router dies."""
    site = running
    site.stop_router()
    site.configure(_with_keys(site))
    site.start_router()
    try:
        site.mobiles({ALICE: Answer(ring=0.1)})
        with dead_man(site, RESCUED_AFTER):
            call = site.call(ALONE)
            site.rings(ALICE)
            (leg,) = site.carrier.calls(ALICE)
            site.until(lambda: site.carrier.dialog(leg.call_id).at("ACK"), "it has answered")
            site.kill_router()
        began = time.monotonic()
        site.until(lambda: not site.carrier.dialog(leg.call_id).live, "the leg is ended", LEGS + 3)
        fault.measured("leg without a router ended", time.monotonic() - began, "s")
        call.placed.wait(40)
        site.until(site.asterisk.quiet, "nothing is left in Asterisk without any router", SETTLE)
        site.start_router()
        assert call.ended()["outcome"] == "no_answer", "nobody pressed a key, in the fallback either"
        assert len(call.callbacks()) == 1
    finally:
        site.stop_router()
        site.configure(campaigns(site.asterisk))


def _with_keys(site: Site) -> dict[str, Any]:
    made = campaigns(site.asterisk)
    made["defaults"] |= {"accept": "press-1", "accept_timeout": "3s"}
    return made
