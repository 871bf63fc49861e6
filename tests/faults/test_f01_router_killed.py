"""F1: the router is killed while phones ring and people talk. No talk is broken, no phone rings twice, and
every call has its outcome."""

from __future__ import annotations

import time

import pytest

from sandbox.behaviours import Answer, Refuse, RingOut
from sandbox.sip_log import Dialog
from tests.faults.conftest import Fault
from tests.faults.fleet import Fleet, Wave
from tests.faults.streams import CALLER, MOBILE, streams, unbroken
from tests.integration.site import ALICE, BOB, PATIENT, Site

pytestmark = [pytest.mark.asterisk, pytest.mark.fault("F1", "router killed")]

PAUSE = 0.5
"""Seconds that systemd waits before it starts the router again (RestartSec= of its unit)."""


def test_talkers_talk_on_and_ringers_ring_on(running: Site, fault: Fault) -> None:
    later = 1300
    fleet = Fleet(
        running, ringing=25, talking=25, talk=18.0, short_talk=1.0, tone=CALLER,
        mobiles={ALICE: Answer(ring=0.1, tone=MOBILE), BOB: Answer(ring=13.0, tone=later)},
    )  # fmt: skip
    taken_up = running.said("event=taken_up")
    died = time.time()
    running.kill_router()
    running.until(lambda: time.time() - died > PAUSE, "systemd's pause before a restart")
    running.start_router()
    back = time.time()
    fault.measured("back after", back - died, "s")
    assert not any(leg.at(200) for legs in fleet.ringing.rung().values() for leg in legs), "they ring still"
    assert running.said("event=adopted") == 25
    assert running.said("event=taken_up") - taken_up == 25
    fleet.check()
    unbroken(fault, streams(fleet.talking, died - 0.5, back + 1.0), 50)
    assert fleet.all.outcomes() == {"answered": 50}
    assert_rung_once(fleet.all)
    assert all(row["talk_seconds"] > 17.0 for row in fleet.talking.rows()), "no talk is cut"
    rung = fleet.ringing.rung()
    for number, dialog in fleet.ringing.dialogs().items():
        (leg,) = rung[number]
        assert fleet.ringing.placed is not None
        assert fleet.ringing.placed.heard(dialog).tone(later) > 0.3, "who answered after the restart is heard"
        assert running.carrier.heard(leg).tone(CALLER) > 0.3
    fault.measured("ringing, answered after it", len(rung))


def test_what_happens_while_it_is_away_is_caught_up_with(running: Site, fault: Fault) -> None:
    """Ten answer, ten refuse and ten callers leave, and no router is there to hear of it."""
    moment = 4.0
    fleet = Fleet(
        running,
        mobiles={BOB: [*[Answer(ring=moment)] * 10, *[Refuse(486, ring=moment)] * 10, *[RingOut()] * 10]},
        up=False,
    )
    answered, refused, left = (
        placed_in_turn(fleet, {"hang_up_after": 3.0 + moment}),
        placed_in_turn(fleet, {}),
        placed_in_turn(fleet, {"cancel_after": moment}),
    )
    running.kill_router()
    assert not any(leg.at(200) or leg.ended_at for leg in legs_of(fleet.all)), "all of them ring"
    running.until(lambda: all(leg.at(200) for leg in legs_of(answered)), "ten mobiles have answered")
    running.until(lambda: all(leg.final for leg in legs_of(refused)), "ten have refused")
    running.until(lambda: all(dialog.at("CANCEL") for dialog in left.dialogs().values()), "ten callers have left")
    running.start_router()
    back = time.time()
    fleet.check()
    assert_rung_once(fleet.all)
    # Whoever answers while the router is away waits for it, and is connected then.
    fault.measured("answered meanwhile", told(answered))
    assert answered.outcomes() == {"answered": 10}
    fault.measured("refused meanwhile", told(refused))
    fault.measured("left meanwhile", told(left))
    assert set(left.outcomes()) <= {"abandoned", "failed"}
    assert set(refused.outcomes()) <= {"busy", "no_answer", "unreachable", "failed"}
    assert all(leg.ended_at for leg in legs_of(left))
    rang_on = max(leg.ended_at - back for leg in legs_of(left) if leg.ended_at)
    fault.measured("their mobiles stop after its return within", max(rang_on, 0.0), "s")
    assert rang_on < 2.0, "no phone rings on"


def placed_in_turn(fleet: Fleet, how: dict[str, float]) -> Wave:
    """Ten more calls, whose mobiles are those that come next on Bob's list: all ring when it comes back."""
    wave = fleet.place(10, PATIENT, **how)
    fleet.site.until(lambda: all(any(leg.at(180) for leg in legs) for legs in wave.rung().values()), "ten ring")
    return wave


def legs_of(wave: Wave) -> list[Dialog]:
    return [leg for legs in wave.rung().values() for leg in legs]


def told(wave: Wave) -> str:
    return ", ".join(f"{count} {outcome}" for outcome, count in wave.outcomes().items())


def assert_rung_once(wave: Wave) -> None:
    twice = {number: len(legs) for number, legs in wave.rung().items() if len(legs) != 1}
    assert not twice, f"not dialled exactly once: {twice}"
