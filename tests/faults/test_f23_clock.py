"""F23: the wall clock jumps. Durations go by the steady clock, and opening hours by the zone, in DST nights too."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from sandbox.behaviours import Answer, Play, RingOut
from sandbox.errors import SandboxError
from sandbox.false_clock import FalseClock
from sandbox.router_process import RouterProcess
from tests.faults.conftest import Fault
from tests.faults.fleet import Fleet, Wave
from tests.integration.site import ALICE, BOB, CAROL, NOBODYS, Site, campaigns

pytestmark = [pytest.mark.asterisk, pytest.mark.fault("F23", "clock")]

HOUR = 3600.0
NEAR = 3.0
"""Seconds by which a duration may differ from what the phones saw: by as much a busy machine may pause. The mistake
that is looked for makes it an hour."""
RINGS = 2.0
EARLY = 0.2
SPRING, AUTUMN, LEAP = "+33184801021", "+33184801022", "+33184801023"

# Paris: 02:00 becomes 03:00 on 28 March 2027 at 01:00 UTC, 03:00 becomes 02:00 on 31 October 2027 at 01:00 UTC.
MOMENTS = (
    (SPRING, "2027-03-28T00:29:30", "closed"),  # 01:29:30, and it opens at 01:30
    (SPRING, "2027-03-28T00:30:30", "answered"),
    (SPRING, "2027-03-28T00:59:30", "answered"),  # 01:59:30
    (SPRING, "2027-03-28T01:00:30", "answered"),  # 03:00:30, a minute later
    (SPRING, "2027-03-28T01:29:30", "answered"),  # 03:29:30
    (SPRING, "2027-03-28T01:30:30", "closed"),
    (AUTUMN, "2027-10-31T00:29:30", "closed"),  # 02:29:30 in summer
    (AUTUMN, "2027-10-31T00:30:30", "answered"),
    (AUTUMN, "2027-10-31T01:00:30", "closed"),  # 02:00:30 in winter
    (AUTUMN, "2027-10-31T01:30:30", "answered"),  # 02:30:30 for the second time
    (AUTUMN, "2027-10-31T02:00:30", "closed"),
    (LEAP, "2028-02-28T08:30:00", "closed"),
    (LEAP, "2028-02-29T08:30:00", "answered"),
    (LEAP, "2028-03-01T08:30:00", "closed"),
)
DUE = {"2027-03-28T00:29:30": "2027-03-28T00:45:00", "2027-10-31T01:00:30": "2027-10-31T01:45:00"}
"""A quarter of an hour of open time later: from 01:30, and from the second 02:30."""


def content(site: Site) -> dict[str, Any]:
    made = campaigns(site.asterisk)
    made["hours"] |= {
        "spring": {"weekly": {"sun": ["01:30-03:30"]}},
        "autumn": {"weekly": {"sun": ["02:30-03:00"]}},
        "leap": {"weekly": {"mon": ["03:00-03:01"]}, "open": ["2028-02-29 09:00-10:00"]},
    }
    for name, number in (("spring", SPRING), ("autumn", AUTUMN), ("leap", LEAP)):
        made["campaigns"][name] = {"numbers": [number], "hours": name, "ring": {"to": ["alice"]}}
    return made


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> FalseClock:
    try:
        return FalseClock(tmp_path_factory.mktemp("clock"))
    except SandboxError as error:
        pytest.skip(f"F23 IS NOT RUN: this machine can give the router no clock of its own: {error}")


@pytest.fixture(scope="module")
def site(clock: FalseClock, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Site(tmp_path_factory.mktemp("site")) as site:
        site.stack.router = RouterProcess(site.config, site.folder / "router.log", clock.environment)
        site.configure(content(site))
        yield site


@pytest.fixture
def stepped(clock: FalseClock) -> Iterator[FalseClock]:
    """Right again afterwards."""
    yield clock
    clock.right()


def worst(wave: Wave) -> float:
    """The largest difference of a duration in the rows from what the phones saw, over all calls."""
    dialogs = wave.dialogs()
    differences: list[float] = []
    for row in wave.rows():
        dialog = dialogs[row["number"]]
        differences += [
            abs(row["ring_seconds"] - dialog.took("INVITE", 200)),
            abs(row["talk_seconds"] - dialog.took(200, "BYE")),
            abs(moment(row["ended_at"]) - moment(row["started_at"]) - row["ring_seconds"] - row["talk_seconds"]),
        ]
    assert len(differences) == 3 * len(wave)
    return max(differences)


def rang_out(seconds: float) -> bool:
    """Whether it was the ring timeout that ended it."""
    return RINGS - EARLY < seconds < RINGS + NEAR


def moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def test_durations_are_right_though_the_clock_jumps(running: Site, stepped: FalseClock, fault: Fault) -> None:
    """Fifty calls ring and talk while it goes an hour ahead and then an hour behind."""
    mobiles: dict[str, Play] = {ALICE: Answer(ring=0.1), BOB: Answer(ring=5.0), CAROL: RingOut()}
    fleet = Fleet(running, ringing=25, talking=25, talk=8.0, mobiles=mobiles)
    rung_out = running.call(NOBODYS)
    running.rings(CAROL)
    stepped.step(HOUR)
    ahead = fleet.place(5, NOBODYS, hang_up_after=0.1)
    running.until(lambda: len(ahead.rows()) == 5, "calls that came while it was ahead have their rows")
    stepped.step(-2 * HOUR)
    late = fleet.place(5, NOBODYS, hang_up_after=0.1)
    fleet.check()
    assert rung_out.ended()["outcome"] == "no_answer"
    carol = running.carrier.calls(CAROL)[0]
    assert rang_out(carol.took("INVITE", "CANCEL")), "the ring timeout is two real seconds"
    found = max(worst(fleet.ringing), worst(fleet.talking))
    assert found < NEAR
    for wave, offset in ((ahead, HOUR), (late, -HOUR)):
        for row in wave.rows():
            dialog = wave.dialogs()[row["number"]]
            assert abs(moment(row["started_at"]) - dialog.invited_at - offset) < NEAR, "when it was, by the clock"
            assert row["outcome"] == "no_answer"
            assert rang_out(row["ring_seconds"])
    fault.measured("durations off by at most", found * 1000, "ms")


def test_hours_go_by_the_zone(running: Site, stepped: FalseClock, fault: Fault) -> None:
    """Both nights in which Paris changes its clocks, and a 29 February."""
    running.mobiles({ALICE: Answer(ring=0.1)})
    for number, at, outcome in MOMENTS:
        stepped.at(datetime.fromisoformat(at).replace(tzinfo=UTC))
        call = running.call(number, hang_up_after=0.1)
        row = call.ended()
        assert (row["outcome"], row["started_at"][:16]) == (outcome, at[:16]), at
        assert len(call.callbacks()) == (outcome == "closed")
        if at in DUE:
            assert call.callbacks()[0]["due_at"][:19] == DUE[at]
    assert not running.said("Traceback")
    fault.measured("moments of opening hours", len(MOMENTS))
