"""F12: the answer comes as its time runs out: accepted or not, never both, and everybody who took part agrees."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.behaviours import Answer
from sandbox.sip_log import Dialog
from tests.faults.conftest import Fault
from tests.faults.fleet import Fleet, Wave
from tests.integration.site import ALICE, BOB, Site, campaigns

pytestmark = [pytest.mark.asterisk, pytest.mark.fault("F12", "answer against timeout")]

RING, KEY = "+33184801031", "+33184801032"
RINGS = 2.0
"""Seconds of the ring's timeout."""
ACCEPT = 3.0
"""Seconds of accept_timeout: the shortest that a file may say."""
ANSWER_TOLD, KEY_TOLD = 0.012, 0.075
"""Seconds from when the answer or the key is due to when the router has it, less what the INVITE or the answer
takes to get there (measured)."""
WIDTH = 0.04
"""Seconds from the earliest to the latest: the timeout, and 20 ms to either side."""
CLEAR = (-0.5, 0.5)
"""Two besides that are in time, and too late."""
CALLS = 200
RATE = 30.0
LET_GO = 2.0
"""Seconds within which a phone that came too late is let go."""


def content(site: Site) -> dict[str, Any]:
    made = campaigns(site.asterisk)
    ring = {"to": ["alice"], "timeout": f"{RINGS:g}s", "max_wait": "20s"}
    made["campaigns"] |= {
        "ring": {"numbers": [RING], "caller_id": "caller", "ring": ring},
        "key": {
            "numbers": [KEY],
            "caller_id": "caller",
            "accept": "press-1",
            "accept_timeout": f"{ACCEPT:g}s",
            "ring": {"to": ["bob"], "timeout": "10s", "max_wait": "20s"},
        },
    }
    return made


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Site(tmp_path_factory.mktemp("site")) as site:
        site.configure(content(site))
        yield site


def offsets() -> list[float]:
    """Around the timeout in even steps, the clear ones first."""
    return [*CLEAR, *((n / (CALLS - 3) - 0.5) * WIDTH for n in range(CALLS - 2))]


def check(fleet: Fleet, wave: Wave, late: str) -> int:
    """That each call is `accepted` or `late`, and the same for its row, its caller and its mobile; how many were
    in time."""
    fleet.check()
    dialogs, rung = wave.dialogs(), wave.rung()
    attempts = {attempt["call_id"]: attempt for attempt in wave.attempts()}
    assert len(attempts) == len(wave.attempts()) == CALLS, "one attempt a call"
    in_time = 0
    for row in wave.rows():
        attempt = attempts[row["id"]]
        accepted = attempt["result"] == "accepted"
        in_time += accepted
        assert attempt["result"] in ("accepted", late)
        assert row["outcome"] == ("answered" if accepted else "no_answer")
        assert accepted == (attempt["accepted_at"] is not None) == (row["answered_at"] is not None)
        assert dialogs[row["number"]].final == (200 if accepted else 480), "the caller agrees"
        (leg,) = rung[row["number"]]
        assert agrees(leg, accepted), f"the mobile agrees: {leg.sequence} of a call that is {row['outcome']}"
    return in_time


def agrees(leg: Dialog, accepted: bool) -> bool:
    """A mobile of a talk is hung up on after it; one that came too late soon after its 200, if it got that far."""
    if leg.hung_up_by_us is not False:
        return False
    if accepted:
        return leg.final == 200 and leg.at("BYE") is not None and leg.at("CANCEL") is None
    ended = leg.at("BYE") or leg.at("CANCEL")
    answered = leg.at(200)
    return ended is not None and (answered is None or ended - answered < LET_GO + ACCEPT)


def test_an_answer_as_the_ring_ends(running: Site, fault: Fault) -> None:
    plays = [Answer(ring=RINGS - ANSWER_TOLD + offset) for offset in offsets()]
    fleet = Fleet(running, mobiles={ALICE: plays})
    wave = fleet.place(CALLS, RING, rate=RATE, hang_up_after=0.2)
    in_time = check(fleet, wave, "no_answer")
    assert 0 < in_time < CALLS
    fault.measured(f"answered in time {in_time} of", CALLS)


def test_a_key_as_the_time_to_accept_ends(running: Site, fault: Fault) -> None:
    plays = [Answer(ring=0.1, keys="1", keys_after=ACCEPT - KEY_TOLD + offset) for offset in offsets()]
    fleet = Fleet(running, mobiles={BOB: plays})
    wave = fleet.place(CALLS, KEY, rate=RATE, hang_up_after=0.2)
    in_time = check(fleet, wave, "not_accepted")
    assert 0 < in_time < CALLS
    fault.measured(f"pressed in time {in_time} of", CALLS)
