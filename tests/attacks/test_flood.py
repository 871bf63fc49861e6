"""A flood as an attack, kept short: one number that calls without end is turned away and counted apart; with
hundreds of numbers nobody is left in silence, no more legs go out than the trunks may carry, and what is remembered
is bounded."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

import pytest

from router.known import MOST_KNOWN, MOST_RECENT, Known, Recent
from sandbox import processes
from sandbox.behaviours import BUSY, RingOut
from sandbox.raw_sip import RawCaller
from sandbox.sip_log import Dialog
from tests.integration.site import ALICE, ALONE, BOB, CAROL, Site, campaigns

pytestmark = pytest.mark.asterisk

CAP: Final = 10
LEGS: Final = 6
"""Of both trunks together, `max_calls`."""
ONE: Final = "+33140100666"
CALLS: Final = 200
SLACK: Final = 2
"""Legs that are being cancelled while the next are dialled: the trunk's place is free once Asterisk lets go of one,
the mobile's last word comes a moment later."""


@pytest.fixture(scope="module", autouse=True)
def capped(site: Site) -> None:
    content = campaigns(site.asterisk)
    for trunk in content["asterisk"]["trunks"].values():
        trunk["max_calls"] = LEGS // 2
    content["screening"] = {"max_per_minute": CAP}
    content["campaigns"] = {
        "alone": {"numbers": [ALONE], "ring": {"to": ["alice", "bob", "carol"], "timeout": "1s"}}
    }
    site.configure(content)
    site.asterisk.load_dialplan(site.stack.generated_dialplan())


def figures(site: Site) -> dict[str, Any]:
    said = site.run("report", "campaigns", "--format", "json")
    assert said.returncode == 0, said.stderr
    found: list[dict[str, Any]] = json.loads(said.stdout)
    return next(row for row in found if row["campaign"] == "alone")


def outcomes(site: Site, number: str) -> list[str]:
    query = "SELECT outcome FROM calls JOIN callers ON callers.id = caller_id WHERE number = ? AND outcome > ''"
    return [row["outcome"] for row in site.rows(query, number)]


def wait_for_rows(site: Site, many: int) -> None:
    site.until(lambda: len(outcomes(site, ONE)) >= many, "every row so far")


def test_one_caller_two_hundred_times_a_minute(running: Site) -> None:
    running.mobiles({ALICE: BUSY, BOB: BUSY, CAROL: BUSY})
    before = figures(running)
    for turn in range(1, CALLS // 20 + 1):
        batch = [RawCaller(running.asterisk.ports.sip, ALONE, caller=f"<sip:{ONE}@127.0.0.1>") for _ in range(20)]
        assert {call.status(20) for call in batch} <= {486, 503}, "each is told so"
        for call in batch:
            call.close()
        # An Asterisk that has too much to do says nothing to an INVITE, and a raw caller asks only once.
        wait_for_rows(running, 20 * turn)
    told = outcomes(running, ONE)
    assert len(told) == CALLS
    assert told.count("blocked") == CALLS - CAP
    assert len(running.carrier.calls()) <= 3 * CAP, "no phone rings for the others"
    after = figures(running)
    assert after["blocked"] - before["blocked"] == CALLS - CAP
    assert after["calls"] - before["calls"] in (CAP, CALLS)
    (task,) = running.rows(
        "SELECT callbacks.id FROM callbacks JOIN callers ON callers.id = caller_id WHERE number = ?", ONE
    )
    joined = running.rows("SELECT count(*) AS n FROM callback_calls WHERE callback_id = ?", task["id"])
    assert joined == [{"n": CAP}], "those turned away are owed nothing"


def most_at_once(dialogs: Sequence[Dialog]) -> int:
    """The most legs of a trunk that there were at one moment."""
    moments = [(dialog.invited_at, 1) for dialog in dialogs]
    moments += [(dialog.ended_at, -1) for dialog in dialogs if dialog.ended_at is not None]
    most = now = 0
    for _, step in sorted(moments):
        now += step
        most = max(most, now)
    return most


def test_two_hundred_callers_twenty_a_second(running: Site) -> None:
    """More than the trunks carry: who cannot be put through is told at once, and nobody hears nothing."""
    running.mobiles({ALICE: RingOut(), BOB: RingOut(), CAROL: RingOut()})
    running.stack.second_carrier.play({ALICE: RingOut(), BOB: RingOut(), CAROL: RingOut()})
    running.stack.second_carrier.forget()
    memory = processes.memory(running.stack.router.pid)
    numbers = [f"+3314022{number:04d}" for number in range(CALLS)]
    placed = running.caller.place(ALONE, numbers, calls=CALLS, rate=20)
    dialogs = placed.wait(60).dialogs()
    assert len(dialogs) == CALLS
    for dialog in dialogs:
        assert dialog.took("INVITE", 180) < 2, "ringing is heard at once"
        assert dialog.final >= 400
    query = "SELECT count(*) AS n FROM calls JOIN callers ON callers.id = caller_id WHERE number LIKE '+3314022%' "
    running.until(lambda: running.rows(query + "AND outcome > ''") == [{"n": CALLS}], "every row", 30)
    assert running.rows(query + "AND outcome NOT IN ('no_answer', 'unreachable')") == [{"n": 0}]
    for carrier in (running.carrier, running.stack.second_carrier):
        assert 1 <= most_at_once(carrier.calls()) <= LEGS // 2 + SLACK
        assert {dialog.number for dialog in carrier.calls()} <= {ALICE, BOB, CAROL}
    assert processes.memory(running.stack.router.pid) < memory + 30 * 2**20
    assert running.said("Traceback") == 0
    running.stack.second_carrier.play({})


def test_what_is_remembered_of_callers_is_bounded() -> None:
    """A quarter of a million forged numbers in a minute."""
    recent, known = Recent(), Known()
    for number in range(250_000):
        at = number / 5_000
        recent.arrived(f"+33{number:09d}", at)
        known.note(f"+33{number:09d}", at)
    recent.now = 50.0
    assert len(recent) <= MOST_RECENT
    assert len(known) == MOST_KNOWN
    assert recent.get("+33000249999") == 1, "the latest are those that are kept"
