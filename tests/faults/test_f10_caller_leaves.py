"""F10: the caller leaves at any moment, from the INVITE on."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.behaviours import Answer, RingOut
from tests.faults.conftest import Fault
from tests.faults.fleet import Fleet, Wave
from tests.integration.site import BOB, PATIENT, Site

pytestmark = [pytest.mark.asterisk, pytest.mark.fault("F10", "caller leaves at any moment")]

MOMENTS = [n * 10 for n in range(201)]
"""Milliseconds from the INVITE to the CANCEL: 0 to 2,000 in steps of 10."""
AT_ONCE = 21
"""Calls up together; each has a SIPp process of its own, with two ports."""
RINGS_ON = 0.5
"""Seconds for which a phone may still ring when its caller has left."""
ANSWERED_AT = 0.4


def leave(fleet: Fleet, moments: list[int], hang_up_after: float | None = None) -> dict[int, Wave]:
    """A call for each of the moments at which it is cancelled, in milliseconds; all have ended."""
    waves: dict[int, Wave] = {}
    turns = -(-len(moments) // AT_ONCE)
    for turn in range(turns):
        # Each turn has moments from all over the two seconds: not twenty callers who leave in the same instant.
        now = {
            at: fleet.place(1, PATIENT, cancel_after=at / 1000, hang_up_after=hang_up_after)
            for at in moments[turn::turns]
        }
        for wave in now.values():
            wave.wait(20)
        waves |= now
    return waves


def test_who_leaves_is_abandoned_and_no_phone_rings_on(running: Site, fault: Fault) -> None:
    fleet = Fleet(running, mobiles={BOB: RingOut()})
    waves = leave(fleet, MOMENTS)
    fleet.check()
    running.quiet()
    rung, longest, none = fleet.all.rung(), 0.0, 0
    for at, wave in waves.items():
        (row,), (dialog,) = wave.rows(), wave.dialogs().values()
        assert (row["outcome"], row["hangup_by"], row["answered_at"]) == ("abandoned", "caller", None), at
        assert [attempt["result"] for attempt in wave.attempts()] in ([], ["cancelled"]), at
        left = dialog.at("CANCEL")
        assert left is not None
        legs = rung[row["number"]]
        assert len(legs) <= 1
        none += not legs
        for leg in legs:
            assert leg.ended_at is not None, f"{at} ms: a phone rings for nobody"
            longest = max(longest, leg.ended_at - left)
    assert longest < RINGS_ON
    fault.measured("calls", len(waves))
    fault.measured("rang on at most", longest * 1000, "ms")
    fault.measured("left before a phone rang", none)


def test_who_leaves_as_the_phone_is_picked_up_has_one_outcome(running: Site, fault: Fault) -> None:
    """The CANCEL crosses the mobile's 200: it is one or the other, and all who took part saw the same."""
    fleet = Fleet(running, mobiles={BOB: Answer(ring=ANSWERED_AT)})
    picked_up = round(ANSWERED_AT * 1000)
    waves = leave(fleet, list(range(picked_up - 15, picked_up + 105, 3)), hang_up_after=0.2)
    fleet.check()
    running.quiet()
    rung, answered = fleet.all.rung(), 0
    for at, wave in waves.items():
        (row,), (dialog,) = wave.rows(), wave.dialogs().values()
        legs = rung[row["number"]]
        results = [attempt["result"] for attempt in wave.attempts()]
        assert row["hangup_by"] == "caller"
        # A caller whose CANCEL crossed our 200 has seen both; one who left at once has rung no phone.
        if row["outcome"] == "answered":
            assert (results, dialog.final) == (["accepted"], 200), at
        else:
            assert row["outcome"] == "abandoned", at
            assert results in ([], ["cancelled"]), at
        assert all(leg.ended_at is not None for leg in legs), "no phone is left in a call"
        answered += row["outcome"] == "answered"
    assert 0 < answered < len(waves), "both happened"
    fault.measured(f"answered {answered} of", len(waves))


@pytest.mark.parametrize("step", ["Stasis(", 'GotoIf($["${STASISSTATUS}" = "FAILED"]?callrouter-fallback,s,1)'])
def test_who_leaves_a_step_before_anybody_has_the_call_is_abandoned(running: Site, fault: Fault, step: str) -> None:
    """The router was not given it; or there is no router, and the fallback has not begun."""
    included, line = running.stack.generated_dialplan(), f" same => n,{step}"
    dialplan = Path(included.split()[1]).read_text(encoding="utf-8")
    assert dialplan.count(line) == 1
    if not step.startswith("Stasis"):
        running.stop_router()
    running.asterisk.load_dialplan(dialplan.replace(line, f" same => n,Hangup()\n{line}"))
    try:
        row = running.call(PATIENT).ended()
    finally:
        running.asterisk.load_dialplan(included)
    assert (row["outcome"], row["did"], row["campaign"]) == ("abandoned", PATIENT, "patient")
    fault.measured("a step before anybody has the call", row["outcome"])
