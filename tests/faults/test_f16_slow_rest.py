"""F16: Asterisk takes 5 s for each request. Callers hear ringing, requests do not pile up, monitoring is told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox import processes
from tests.faults.conftest import Fault
from tests.faults.fleet import Fleet
from tests.faults.wire import Wire, wired
from tests.integration.site import PATIENT, TALKED, Site

pytestmark = [pytest.mark.asterisk, pytest.mark.fault("F16", "slow REST")]

SLOW = 5.0
RINGING = 1.0
"""Seconds within which a caller hears that it rings."""
REQUESTS_A_CALL = 8
TOLD = 10.0


@pytest.fixture(scope="module")
def wire(site: Site) -> Iterator[Wire]:
    with wired(site) as made:
        yield made


def test_callers_hear_ringing_and_each_call_has_its_end(wire: Wire, running: Site, fault: Fault) -> None:
    fleet = Fleet(running, ring=1.0)
    waves = [fleet.place(25, to, hang_up_after=0.5) for to in (PATIENT, TALKED)]
    wire.proxy.delay = SLOW
    try:
        told = wire.said_slow(TOLD)
        pending = [0.0]

        def over() -> bool:
            pending.append(wire.metric("callrouter_ari_pending_requests"))
            return all(wave.placed is None or not wave.placed.running for wave in waves)

        processes.wait_until(over, 60, "the calls are over", every=0.25)
    finally:
        wire.proxy.delay = 0.0
    fleet.check()
    dialogs = [dialog for wave in waves for dialog in wave.dialogs().values()]
    ringing = max(dialog.took("INVITE", 180) for dialog in dialogs)
    fault.measured("caller hears ringing within", ringing, "s")
    fault.measured("monitoring is told after", told, "s")
    fault.measured("requests waiting at most", round(max(pending)))
    fault.measured("answered of 50", fleet.all.outcomes()["answered"])
    assert ringing < RINGING
    assert max(pending) <= 50 * REQUESTS_A_CALL
    assert wire.told(200, TOLD) < TOLD
