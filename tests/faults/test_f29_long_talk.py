"""F29: a talk that lasts longer than every dead man's timer is never cut."""

from __future__ import annotations

import math
import time
from typing import Any

import pytest

from router.dialling import DEAD_MAN_SLACK
from router.hunt import ORIGINATE_MARGIN
from sandbox.behaviours import Answer
from tests.faults.conftest import Fault
from tests.faults.fleet import Fleet
from tests.faults.timers import dead_man
from tests.integration.site import ALICE, ALONE, Site, campaigns

pytestmark = [pytest.mark.asterisk, pytest.mark.fault("F29", "a talk longer than the timers")]

CALLERS = 4
"""Seconds of the caller's timer."""
RING, KEY = 2, 3
LEGS = math.ceil(RING + ORIGINATE_MARGIN + KEY + DEAD_MAN_SLACK)
"""Seconds of the leg's."""
CALLS = 20


def test_a_talk_outlives_the_timers_of_both_legs(running: Site, fault: Fault) -> None:
    site = running
    site.stop_router()
    site.configure(_short(site))
    site.start_router()
    try:
        talk = LEGS + 5.0
        with dead_man(site, CALLERS):
            mobiles = {ALICE: Answer(ring=0.2, speak=True)}
            fleet = Fleet(site, talking=CALLS, talk=talk, to_talking=ALONE, mobiles=mobiles, speak=True)
        began, before = time.monotonic(), site.asterisk.rtp_received()
        site.until(lambda: time.monotonic() - began > LEGS + 2, "every timer would have ended", LEGS + 5)
        after, seconds = site.asterisk.rtp_received(), time.monotonic() - began
        gained = [after[channel] - count for channel, count in before.items() if channel in after]
        fault.measured("talks past the timers", f"{len(gained) // 2} of {CALLS}, timers {CALLERS} and {LEGS} s")
        fault.measured("RTP a leg, at least", min(gained) / seconds, "packets/s")
        assert len(gained) == 2 * CALLS
        assert min(gained) / seconds > 25, "50 a second; a busy machine's phones send fewer"
        fleet.check()
        rows = fleet.all.rows()
        assert {row["hangup_by"] for row in rows} == {"caller"}
        assert min(row["talk_seconds"] for row in rows) > talk - 2
    finally:
        site.stop_router()
        site.configure(campaigns(site.asterisk))


def _short(site: Site) -> dict[str, Any]:
    made = campaigns(site.asterisk)
    made["defaults"] |= {"accept_timeout": f"{KEY}s"}
    made["defaults"]["ring"] = {"strategy": "sequential", "timeout": f"{RING}s", "max_wait": "6s"}
    return made
