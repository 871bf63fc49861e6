"""F28: the event loop is blocked. systemd's watchdog, fed by the loop alone, ends and restarts the router."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator

import pytest

from sandbox.behaviours import Answer
from tests.faults.conftest import Fault
from tests.faults.fleet import Fleet
from tests.faults.supervisor import Supervisor, told
from tests.integration.site import ALICE, BOB, TALKED, Site

pytestmark = [pytest.mark.asterisk, pytest.mark.fault("F28", "a blocked event loop, under a watchdog")]

BLOCKED = 15.0
RINGS_IN = 2.0


@pytest.fixture
def supervised(site: Site) -> Iterator[Site]:
    """The site with its router under a supervisor that does what the unit asks of systemd."""
    if site.router_runs():
        site.stop_router()
    usual = site.stack.router
    site.stack.router = Supervisor(usual.config, usual.log, block=BLOCKED)
    try:
        yield site
    finally:
        site.stop_router()
        site.stack.router = usual


@pytest.mark.usefixtures("supervised")
def test_a_blocked_loop_is_restarted_and_nothing_is_lost(running: Site, fault: Fault) -> None:
    site = running
    router = site.stack.router
    assert isinstance(router, Supervisor)
    mobiles = {ALICE: Answer(ring=0.1, speak=True), BOB: Answer(ring=20)}
    fleet = Fleet(site, ringing=15, talking=15, talk=30, mobiles=mobiles, speak=True)
    heard = _received(site)
    assert len(heard) >= 30
    began = time.monotonic()
    site.signal_router(signal.SIGUSR1)
    site.until(lambda: router.aborted_at, "the watchdog ends it", told("WatchdogSec") + 8)
    ended = router.aborted_at[0] - began
    fault.measured("ended by the watchdog", ended, "s")
    assert ended < BLOCKED
    site.until(lambda: len(router.ready_at) == 2, "it is ready again", 20)
    away = router.ready_at[1] - router.aborted_at[0]
    fault.measured("ready again", away, "s")
    more = {channel: count - heard[channel] for channel, count in _received(site).items() if channel in heard}
    packets = [count for count in more.values() if count]
    fault.measured("RTP a talker meanwhile, at least", min(packets), "packets")
    # 50 a second; a busy machine's phones send fewer.
    assert len(packets) >= 30
    assert min(packets) > (ended + away) * 25
    later = fleet.place(20, TALKED, rate=10, hang_up_after=0.3)
    fleet.check(90)
    assert fleet.talking.outcomes() == {"answered": 15}
    assert later.outcomes() == {"answered": 20}
    assert fleet.ringing.outcomes() == {"answered": 15}
    again = [number for number, legs in fleet.ringing.rung().items() if len(legs) > 1]
    assert not again, "nobody is rung twice for one call"


@pytest.mark.usefixtures("supervised")
def test_calls_that_come_while_it_is_blocked_reach_the_fallback(running: Site, fault: Fault) -> None:
    site = running
    router = site.stack.router
    assert isinstance(router, Supervisor)
    site.mobiles({ALICE: Answer(ring=0.1, talk=0.3)})
    began = time.monotonic()
    site.signal_router(signal.SIGUSR1)
    site.until(lambda: time.monotonic() - began > 5, "its sign of life is old", 6)
    call = site.call(TALKED)
    (leg,) = site.until(lambda: site.carrier.calls(ALICE), "the mobile rings", 5)
    rings = leg.invited_at - call.dialog.invited_at
    fault.measured("a call meanwhile rings after", rings, "s")
    assert rings < RINGS_IN
    assert not router.aborted_at
    assert call.ended()["path"] == "agi"
    site.until(lambda: len(router.ready_at) == 2, "it is ready again", 25)


def _received(site: Site) -> dict[str, int]:
    return site.asterisk.rtp_received()
