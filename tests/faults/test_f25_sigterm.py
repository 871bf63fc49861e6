"""F25: the router is told to end while fifty talk: it lets go of them, and the next one takes them over."""

from __future__ import annotations

import time

import pytest

from sandbox.behaviours import Answer
from tests.faults.conftest import Fault
from tests.faults.fleet import Fleet
from tests.faults.streams import CALLER, MOBILE, streams, unbroken
from tests.integration.site import ALICE, ALONE, Site

pytestmark = [pytest.mark.asterisk, pytest.mark.fault("F25", "SIGTERM")]

GONE_WITHIN = 5.0
FALLBACK_WITHIN = 5.0


def test_it_lets_go_of_fifty_talks_and_takes_them_over_again(running: Site, fault: Fault) -> None:
    fleet = Fleet(running, talking=50, talk=16.0, tone=CALLER, mobiles={ALICE: Answer(ring=0.1, tone=MOBILE)})
    adopted = running.said("event=adopted")
    told = time.time()
    assert running.stop_router() == 0
    gone = time.time() - told
    fault.measured("gone after", gone, "s")
    meanwhile = fleet.place(5, ALONE, hang_up_after=0.5)
    meanwhile.wait(20)
    rang = max(dialog.took("INVITE", 200) for dialog in meanwhile.dialogs().values())
    fault.measured("new calls answered in the fallback within", rang, "s")
    running.start_router()
    back = time.time()
    assert running.said("event=adopted") - adopted == 50
    fleet.check()
    unbroken(fault, streams(fleet.talking, told - 0.5, back + 1.0), 100)
    assert gone < GONE_WITHIN
    assert rang < FALLBACK_WITHIN
    assert fleet.all.outcomes() == {"answered": 55}
    assert all(row["path"] in ("agi", "dialplan") for row in meanwhile.rows())
    rows = fleet.talking.rows()
    assert all(row["path"] == "ari" and row["hangup_by"] == "caller" for row in rows)
    assert all(15.0 < row["talk_seconds"] < 18.0 for row in rows), "no talk is cut, and each is as long as it was"
    assert all(len(legs) == 1 for legs in fleet.talking.rung().values()), "nobody is dialled twice"
