"""F26: a flood from many callers, and one from a single number: every caller hears something, and the caps hold."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from sandbox.behaviours import Answer
from sandbox.sip_log import STAMP_SLACK, Dialog
from tests.faults.conftest import Fault
from tests.faults.fleet import Fleet
from tests.integration.site import ALICE, BOB, Site, campaigns

pytestmark = [pytest.mark.asterisk, pytest.mark.fault("F26", "flood")]

FLOODED = "+33184801041"
RATE, SECONDS = 20.0, 60.0
TRUNK_CALLS = 12
"""Legs that the first trunk carries at once, less than the flood wants: the second takes the others."""
PER_MINUTE = 6
"""Calls of one number that are let in within a minute."""
ONE_CALLER = 200
HEARD = 1.0
"""Seconds within which a caller hears ringing, or is told no."""
RUNG = 2.0
"""Seconds within which the first phone rings."""
LAG = 0.5
"""Seconds by which the event loop may be late: more is told as degraded."""


def content(site: Site) -> dict[str, Any]:
    made = campaigns(site.asterisk)
    made["health"] = {"listen": f"127.0.0.1:{site.asterisk.ports.spare[90]}"}
    made["screening"] = {"max_per_minute": PER_MINUTE}
    made["asterisk"]["trunks"]["main"]["max_calls"] = TRUNK_CALLS
    # She takes them all: the trunks' caps are to be reached, and not hers.
    ring = {"to": ["alice"], "timeout": "10s", "max_wait": "20s"}
    made["campaigns"]["flooded"] = {"numbers": [FLOODED], "caller_id": "caller", "ring": ring}
    return made


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Site(tmp_path_factory.mktemp("site")) as site:
        site.configure(content(site))
        yield site


class Lag:
    """The worst lag that `/health/live` tells while it is looked at."""

    def __init__(self, site: Site) -> None:
        self._address = f"http://127.0.0.1:{site.asterisk.ports.spare[90]}/health/live"
        self.worst = 0.0
        self.looks = 0

    @contextmanager
    def watched(self) -> Iterator[None]:
        done = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(done,))
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()

    def _watch(self, done: threading.Event) -> None:
        while not done.wait(1.0):
            with urllib.request.urlopen(self._address, timeout=10) as answer:  # noqa: S310 - our own router
                self.worst = max(self.worst, float(json.load(answer)["lag_seconds"]))
                self.looks += 1


def first_sound(dialog: Dialog) -> float:
    """Seconds until the caller hears that it rings, or is answered, or refused. Raises StopIteration when never."""
    heard = next(m.at for m in dialog.messages if m.method == "INVITE" and (m.code or 0) >= 180)
    return heard - dialog.invited_at


def at_most(legs: Iterable[Dialog]) -> int:
    """The most of these that were up at once."""
    moments = [
        (at, change)
        for leg in legs
        for at, change in ((leg.invited_at + STAMP_SLACK, 1), ((leg.ended_at or float("inf")) - STAMP_SLACK, -1))
    ]
    up = most = 0
    for _, change in sorted(moments):
        up += change
        most = max(most, up)
    return most


@pytest.mark.timeout(300)
def test_twenty_calls_a_second_for_a_minute(running: Site, fault: Fault) -> None:
    """Nobody waits in silence, nobody is lost, and no more calls are on a trunk than it may carry."""
    answers = {ALICE: Answer(ring=0.2)}
    second = running.stack.second_carrier
    second.play(answers)
    second.forget()
    fleet, lag = Fleet(running, mobiles=answers), Lag(running)
    cpu, began = running.stack.router.cpu_seconds(), time.monotonic()
    with lag.watched():
        wave = fleet.place(round(RATE * SECONDS), FLOODED, rate=RATE, hang_up_after=0.5)
        fleet.check(SECONDS + 60)
    spent = running.stack.router.cpu_seconds() - cpu
    took = time.monotonic() - began
    dialogs = wave.dialogs().values()
    assert wave.outcomes() == {"answered": len(wave)}
    on_main, on_second = running.carrier.calls(ALICE), second.calls(ALICE)
    assert len(on_main) + len(on_second) == len(wave), "one phone rings for each, once"
    assert at_most(on_main) <= TRUNK_CALLS
    assert on_second, "the cap was reached"
    sounds, rings = [first_sound(dialog) for dialog in dialogs], [dialog.took("INVITE", 180) for dialog in dialogs]
    assert max(sounds) < HEARD
    assert max(rings) < RUNG
    assert lag.looks > SECONDS / 2
    assert lag.worst < LAG
    began_at = sorted(dialog.invited_at for dialog in dialogs)
    fault.measured("calls a second", (len(wave) - 1) / (began_at[-1] - began_at[0]))
    fault.measured("slowest first ring", max(rings) * 1000, "ms")
    fault.measured("loop late by at most", lag.worst * 1000, "ms")
    fault.measured("CPU", 100 * spent / took, "%")


def test_one_caller_two_hundred_times(running: Site, fault: Fault) -> None:
    """Beyond the cap a caller is told no and rings nobody; everybody else gets through meanwhile."""
    fleet = Fleet(running, mobiles={ALICE: Answer(ring=0.1), BOB: Answer(ring=0.1)})
    number = f"+{next(Site.numbers)}"
    placed = running.stack.call(FLOODED, number, calls=ONE_CALLER, rate=RATE, hang_up_after=0.1)
    others = fleet.place(20, FLOODED, rate=2.0, hang_up_after=0.1)
    placed.wait(60)
    fleet.check()
    query = """SELECT outcome FROM calls JOIN callers ON callers.id = caller_id WHERE number = ?"""
    running.until(
        lambda: len([row for row in running.rows(query, number) if row["outcome"]]) == ONE_CALLER, "every row"
    )
    assert others.outcomes() == {"answered": 20}
    outcomes = Counter(row["outcome"] for row in running.rows(query, number))
    assert outcomes == {"answered": PER_MINUTE, "blocked": ONE_CALLER - PER_MINUTE}
    dialogs = placed.dialogs()
    assert len(dialogs) == ONE_CALLER
    assert max(map(first_sound, dialogs)) < HEARD
    rung = [leg for leg in running.carrier.calls(ALICE) if number in leg.invite.header("From")]
    assert len(rung) <= PER_MINUTE
    assert running.rows("SELECT count(*) AS n FROM callbacks JOIN callers ON callers.id = caller_id "
                        "WHERE number = ?", number) == [{"n": 0}]  # fmt: skip
    fault.measured(f"let in of {ONE_CALLER}", outcomes["answered"])
