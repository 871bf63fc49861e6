"""F3: the router hangs while its connection stays. New calls go to the fallback once its sign of life is old; those
that it had are rescued; when it wakes it looks at what is before it acts on what was."""

from __future__ import annotations

import re
import signal
import time

import pytest

from router.ari.pace import Pace
from router.dialplan import LONGEST_SILENCE
from sandbox.behaviours import Answer, RingOut
from tests.faults.conftest import Fault
from tests.faults.fleet import Fleet
from tests.faults.timers import dead_man, detours, watched
from tests.integration.site import ALICE, BOB, CAROL, IN_TURN, TALKED, Site

pytestmark = [pytest.mark.asterisk, pytest.mark.fault("F3", "SIGSTOP 30 s, SIGCONT")]

HANGS = 30.0
TAKEN_IN = 0.5
RESCUED_AFTER = 8


def silent(site: Site) -> bool:
    """Whether the sign of life is as old as the dialplan bears no longer."""
    found = re.search(r"CALLROUTER_ALIVE=(\d+)", site.asterisk.cli("dialplan show globals"))
    return found is not None and time.time() - int(found[1]) >= LONGEST_SILENCE + 1


def wake(site: Site) -> str:
    """SIGCONT; what the router says from then on, until it is ready again."""
    before = len(site.log)
    site.signal_router(signal.SIGCONT)
    site.until(lambda: "event=ready" in site.log[before:], "it is ready again", 20)
    return site.log[before:]


def test_a_router_that_hangs_costs_the_first_seconds_calls_a_detour_and_nobody_anything(
    running: Site, fault: Fault
) -> None:
    site = running
    with watched(site) as steps, dead_man(site, RESCUED_AFTER):
        mobiles = {ALICE: Answer(ring=0.1), BOB: Answer(ring=5)}
        fleet = Fleet(site, ringing=15, talking=20, talk=HANGS + 6, mobiles=mobiles)
        began = time.monotonic()
        site.signal_router(signal.SIGSTOP)
        try:
            stranded = fleet.place(5, TALKED, hang_up_after=0.3)
            site.until(lambda: silent(site), "its sign of life is old", 10)
            fault.measured("sign of life old", time.monotonic() - began, "s")
            late = fleet.place(10, TALKED, rate=4, hang_up_after=0.3)
            for wave in (late, stranded, fleet.ringing):
                wave.wait(40)
            into_fallback = detours(steps)
            site.until(lambda: time.monotonic() - began >= HANGS, f"{HANGS:g} s are over", HANGS)
        finally:
            woken = time.time()
            said = wake(site)
    taken = [seconds for seconds in into_fallback if seconds < RESCUED_AFTER / 2]
    rescued = [seconds for seconds in into_fallback if seconds >= RESCUED_AFTER / 2]
    assert (len(taken), len(rescued)) == (10, 20)
    fault.measured("10 new calls in the fallback, the last", max(taken) * 1000, "ms")
    assert max(taken) < TAKEN_IN
    fault.measured(f"20 rescued, timer {RESCUED_AFTER} s", f"{min(rescued):.1f} to {max(rescued):.1f} s")
    assert all(abs(seconds - RESCUED_AFTER) < 1.5 for seconds in rescued)
    fault.measured("ready again after SIGCONT", time.time() - woken, "s")
    _looked_before_it_acted(said)
    fleet.check()
    assert {number: legs for number, legs in fleet.all.rung().items() if legs[-1].invited_at > woken} == {}
    assert fleet.all.outcomes() == {"answered": 50}
    # A script that is too slow on a busy machine gives way to the dialplan.
    assert {row["path"] for row in late.rows()} <= {"agi", "dialplan"}
    assert not [task for task in fleet.all.callbacks() if task["state"] == "open"], "everybody reached somebody"


def test_what_was_due_meanwhile_is_not_done(running: Site, fault: Fault) -> None:
    """Its timers would ring Bob, whom the fallback has rung by then."""
    site = running
    with dead_man(site, RESCUED_AFTER - 3):
        mobiles = {ALICE: RingOut(), BOB: RingOut(), CAROL: RingOut()}
        fleet = Fleet(site, ringing=10, to_ringing=IN_TURN, mobiles=mobiles, up=False)
        site.until(lambda: len(site.carrier.calls(ALICE)) == 10, "Alice's phone rings for each", 10)
        site.signal_router(signal.SIGSTOP)
        began = time.monotonic()
        try:
            site.until(lambda: len(site.carrier.calls(BOB)) == 10, "the fallback rings Bob for each", 20)
            # So long that the link is given up on waking.
            site.until(lambda: time.monotonic() - began > Pace().stall + 1, "it has stood still", 20)
        finally:
            woken = time.time()
            said = wake(site)
    _looked_before_it_acted(said)
    fleet.check()
    rung = len(site.carrier.calls(BOB))
    fault.measured("Bob rung for 10 calls by the fallback alone", rung, "times")
    assert rung == 10
    assert all(leg.invited_at < woken for leg in site.carrier.calls(ALICE))
    assert fleet.all.outcomes() == {"no_answer": 10}


def _looked_before_it_acted(said: str) -> None:
    """What the router said on waking: it gives its connection up, and no call moves before it has caught up."""
    lines = said.splitlines()
    lost = next(n for n, line in enumerate(lines) if "event=link_down" in line)
    caught_up = next(n for n, line in enumerate(lines) if "event=ready" in line)
    assert "stood still" in "".join(lines[: caught_up + 1])
    assert lost < caught_up
    early = [line for line in lines[:lost] if "call=" in line]
    assert not early, early
