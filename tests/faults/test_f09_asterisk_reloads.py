"""F9: Asterisk reads its configuration again, or restarts when its calls have ended. Calls are kept."""

from __future__ import annotations

import time

import pytest

from tests.faults.conftest import Fault
from tests.faults.fleet import Fleet
from tests.integration.site import ALONE, Site

pytestmark = [pytest.mark.asterisk, pytest.mark.fault("F9", "Asterisk reloads")]

RELOADS = ("core reload", "module reload res_pjsip.so", "module reload res_ari.so", "dialplan reload")
LINK_BACK = 5.0


def test_reloads_amid_ringing_and_talking_cost_no_call(running: Site, fault: Fault) -> None:
    fleet = Fleet(running, ringing=25, talking=25, ring=6.0, talk=8.0)
    ready = running.said("event=ready")
    for command in RELOADS:
        running.asterisk.cli(command)
        fleet.place(5, ALONE, hang_up_after=0.3)
    fleet.check()
    outcomes = fleet.all.outcomes()
    fault.measured(f"{len(RELOADS)} reloads, answered of {len(fleet.all)}", outcomes["answered"])
    fault.measured("of them in the fallback", sum(row["path"] != "ari" for row in fleet.all.rows()))
    fault.measured("links lost", running.said("event=ready") - ready)
    assert outcomes == {"answered": len(fleet.all)}
    assert all(len(legs) == 1 for legs in fleet.ringing.rung().values()), "nobody is dialled twice"
    assert all(row["talk_seconds"] > 7.5 for row in fleet.talking.rows()), "no talk is cut"


def test_a_graceful_restart_waits_for_the_calls_and_the_link_comes_back(running: Site, fault: Fault) -> None:
    fleet = Fleet(running, ringing=25, talking=25, ring=4.0, talk=6.0)
    ready, booted = running.said("event=ready"), boots(running)
    running.asterisk.cli("core restart gracefully")
    # Asterisk says nothing to who comes now; the carrier asks again, and is heard once it is back: by the fallback
    # where that is before the router is.
    late = running.call(ALONE, hang_up_after=0.3)
    fleet.wait()
    ended = time.time()
    running.until(lambda: boots(running) > booted, "Asterisk has restarted", 40)
    again = time.time()
    running.until(lambda: running.said("event=ready") > ready, "the router is back", 15)
    fault.measured("restarted after the last call", again - ended, "s")
    fault.measured("link back", time.time() - again, "s")
    assert time.time() - again < LINK_BACK
    fleet.check()
    assert fleet.all.outcomes() == {"answered": 50}
    assert all(row["talk_seconds"] > 5.5 for row in fleet.talking.rows()), "no talk is cut"
    assert late.ended(40)["outcome"] == "answered"
    fault.measured("who came meanwhile was answered after", late.dialog.took("INVITE", 200), "s")


def boots(site: Site) -> int:
    return site.asterisk.log.read_text(encoding="utf-8", errors="replace").count("modules will be loaded")
