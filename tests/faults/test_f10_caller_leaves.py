"""F10: the caller leaves at any moment, from the INVITE on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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
MANY = 400
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


def test_who_leaves_at_once_is_known(running: Site, fault: Fault) -> None:
    """The CANCEL comes with the INVITE: some of these have left before Asterisk takes their call's first step."""
    fleet = Fleet(running, mobiles={BOB: RingOut()})
    wave = fleet.place(MANY, PATIENT, rate=150, cancel_after=0.0)
    fleet.check()
    assert wave.outcomes() == {"abandoned": MANY}
    fault.measured("left at once", MANY)


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


GONE = (" same => n,Set(GONE=${GONE}x)", ' same => n,ExecIf($["${GONE}" = "x"]?Hangup())')
"""Hangs up where it stands, once: what has ended may still be asked by the hang-up handler."""


def steps(dialplan: str) -> list[int]:
    """The lines of the steps from a call's second one to the one that gives it to the router."""
    lines = dialplan.splitlines()
    into, arrival, asked = (lines.index(f"[callrouter{name}]") for name in ("", "-arrival", "-asked"))
    nowhere = next(n for n in range(into, arrival) if lines[n].startswith("exten => s,1,"))
    given = next(n for n in range(arrival, asked) if "Stasis(" in lines[n])
    parts = (into, nowhere), (arrival, given + 1), (asked, lines.index("", asked))
    return [n for begin, end in parts for n in range(begin, end) if lines[n].startswith(" same => n")]


def left_before(running: Site, dialplan: str, line: int) -> dict[str, Any]:
    """The row of a call that ends at the step before the one in this line. A header says which number it is for."""
    lines = dialplan.splitlines()
    running.asterisk.load_dialplan("\n".join((*lines[:line], *GONE, *lines[line:])))
    return running.call("pilot", headers={"P-Called-Party-ID": f"<sip:{PATIENT}@carrier>"}).ended()


def test_who_leaves_a_step_before_anybody_has_the_call_is_abandoned(running: Site, fault: Fault) -> None:
    """The router was not given it; or there is no router, and the fallback has not begun."""
    included = running.stack.generated_dialplan()
    dialplan = Path(included.split()[1]).read_text(encoding="utf-8")
    failed = next(
        n for n, line in enumerate(dialplan.splitlines()) if '"${STASISSTATUS}" = "FAILED"]?callr' in line
    )
    places = steps(dialplan)
    try:
        rows = [left_before(running, dialplan, line) for line in places]
        running.stop_router()
        rows.append(left_before(running, dialplan, failed))
    finally:
        running.asterisk.load_dialplan(included)
    for line, row in zip((*places, failed), rows, strict=True):
        assert (row["outcome"], row["did"], row["campaign"]) == ("abandoned", PATIENT, "patient"), line
    fault.measured("left before each of so many steps", len(rows))
