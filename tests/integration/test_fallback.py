"""The second and third line: with the router away a call rings the right mobile, and is in the database after."""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.behaviours import BUSY, DECLINE, Answer, Refuse, RingOut
from tests.integration.site import (
    ALICE,
    ALONE,
    BOB,
    CAROL,
    CLOSED,
    IN_TURN,
    NOBODYS,
    TOGETHER,
    Call,
    Site,
)

SOON = 2.0
"""Seconds from the caller's INVITE to the mobile's: what the contract promises without a router."""


def without_router(site: Site) -> None:
    """The router has run once, and is gone: it left its database and its routes."""
    if not site.database.exists():
        site.start_router()
    if site.router_runs():
        site.stop_router()
    site.quiet()


def generated(site: Site) -> Path:
    """What `callrouter asterisk conf` writes, loaded."""
    folder = site.folder / "asterisk-files"
    written = site.run("asterisk", "conf", "--output", str(folder))
    assert written.returncode == 0, written.stderr
    site.asterisk.load_dialplan(f"#include {folder}/callrouter-extensions.conf\n")
    return folder


@pytest.fixture
def second_line(site: Site) -> Iterator[Site]:
    """No router."""
    without_router(site)
    generated(site)
    yield site
    site.quiet()


@pytest.fixture
def third_line(site: Site) -> Iterator[Site]:
    """No router, and the AGI script is missing."""
    without_router(site)
    (generated(site) / "callrouter-agi").unlink()
    yield site
    site.quiet()


def taken_in(call: Call) -> dict[str, Any]:
    """The call's row, once a router that has come back has taken in what the fallback left."""
    call.placed.wait(30)
    call.site.quiet()
    call.site.start_router()
    try:
        return call.ended()
    finally:
        call.site.stop_router()


def rang_after(site: Site, call: Call, number: str) -> float:
    """Seconds from the caller's INVITE to this mobile's."""
    (leg, *_) = site.until(lambda: site.carrier.calls(number), "the mobile rings")
    return float(leg.invited_at - call.dialog.invited_at)


# --- The second line ------------------------------------------------------------------------------------------


def test_the_agi_script_rings_the_right_mobile_at_once_and_writes_the_call(second_line: Site) -> None:
    site = second_line
    site.mobiles({ALICE: Answer(ring=0.3, talk=0.5)})
    call = site.call(ALONE)
    assert rang_after(site, call, ALICE) < SOON
    row = call.ended()
    assert (row["path"], row["campaign"], row["did"]) == ("agi", "alone", ALONE)
    assert (row["outcome"], row["salesperson"], row["hangup_by"]) == ("answered", "alice", "salesperson")
    assert 0.4 < row["talk_seconds"] < 2
    assert call.results() == [("alice", "accepted")]
    assert call.callbacks() == []
    assert list(Path(f"{site.database}.fallback").iterdir()) == []


def test_no_process_stays_for_the_talk(second_line: Site) -> None:
    site = second_line
    site.mobiles({ALICE: Answer(ring=0)})
    call = site.call(ALONE, hang_up_after=1.0)
    site.until(lambda: call.dialog.at(200), "the call is answered")
    site.until(lambda: not _children(site.asterisk.pid), "no child of Asterisk is left", 1.0)
    assert call.ended()["hangup_by"] == "caller"


def _children(pid: int) -> list[str]:
    found: list[str] = []
    for task in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(OSError):  # that thread has just ended
            found += Path(f"/proc/{pid}/task/{task}/children").read_text(encoding="ascii").split()
    return found


def test_a_call_that_nobody_takes_opens_a_callback_and_further_ones_join_it(second_line: Site) -> None:
    site = second_line
    site.mobiles({ALICE: BUSY, BOB: DECLINE, CAROL: RingOut()})
    first = site.call(IN_TURN)
    assert first.ended()["outcome"] == "no_answer"
    assert first.results() == [("alice", "busy"), ("bob", "declined"), ("carol", "no_answer")]
    assert first.dialog.codes[-1] == 480
    site.mobiles({ALICE: BUSY, BOB: BUSY, CAROL: BUSY})
    site.call(IN_TURN, from_number=first.number).placed.wait()
    site.until(lambda: len(first.rows()) == 2 and all(row["outcome"] for row in first.rows()), "both are written")
    (task,) = first.callbacks()
    joined = site.rows("SELECT call_id FROM callback_calls WHERE callback_id = ?", task["id"])
    assert {each["call_id"] for each in joined} == {row["id"] for row in first.rows()}


def test_of_several_that_ring_together_the_one_who_took_it_is_named(second_line: Site) -> None:
    site = second_line
    site.mobiles({ALICE: RingOut(), BOB: Answer(ring=0.4, talk=0.3), CAROL: RingOut()})
    call = site.call(TOGETHER)
    assert call.ended()["salesperson"] == "bob"
    assert sorted(call.results()) == [("alice", "cancelled"), ("bob", "accepted"), ("carol", "cancelled")]


def test_a_caller_who_leaves_is_abandoned_at_every_moment(second_line: Site) -> None:
    site = second_line
    site.mobiles({ALICE: RingOut()})
    for moment in (0.02, 0.1, 0.5):
        call = site.call(ALONE, cancel_after=moment)
        row = call.ended()
        assert (row["outcome"], row["hangup_by"], row["campaign"]) == ("abandoned", "caller", "alone"), moment
        assert len(call.callbacks()) == 1
        site.quiet()


def test_outside_hours_nobody_rings(second_line: Site) -> None:
    site = second_line
    site.mobiles({ALICE: Answer()})
    call = site.call(CLOSED)
    assert (call.ended()["outcome"], call.results()) == ("closed", [])
    assert site.carrier.calls() == ()


def test_a_number_that_no_campaign_owns_is_never_hung_up_on(second_line: Site) -> None:
    site = second_line
    site.mobiles({CAROL: Answer(ring=0.1, talk=0.2)})
    call = site.call(NOBODYS)
    row = call.ended()
    assert (row["campaign"], row["outcome"], row["salesperson"]) == ("unknown", "answered", "carol")
    # Shown is the first of our numbers, as with the router: not one that the caller could choose.
    assert site.carrier.calls()[0].invite.header("From").startswith(f"<sip:{ALONE}@")


def test_the_next_trunk_is_tried_when_the_first_cannot_place_the_call(second_line: Site) -> None:
    site = second_line
    site.mobiles({ALICE: Refuse(503)})
    site.stack.second_carrier.play({ALICE: Answer(ring=0.1, talk=0.2)})
    call = site.call(ALONE)
    assert call.ended()["outcome"] == "answered"
    site.stack.second_carrier.play({})
    trunks = [(attempt["trunk"], attempt["result"], attempt["sip_status"]) for attempt in call.attempts()]
    assert trunks == [("main", "unreachable", 503), ("second", "accepted", None)]


def test_a_locked_database_holds_up_no_call_and_loses_none(second_line: Site) -> None:
    site = second_line
    site.mobiles({ALICE: Answer(ring=0.1, talk=0.2)})
    with contextlib.closing(sqlite3.connect(site.database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        call = site.call(ALONE)
        assert rang_after(site, call, ALICE) < SOON
        call.placed.wait()
        site.until(lambda: list(Path(f"{site.database}.fallback").glob("*.ops")), "it is left beside the database")
        site.until(lambda: not _children(site.asterisk.pid), "the script has ended")
    row = taken_in(call)
    assert (row["outcome"], row["path"]) == ("answered", "agi")


def test_a_script_that_hangs_gives_way_to_the_dialplan(second_line: Site) -> None:
    """The routes are a pipe that nobody writes to: opening it never returns."""
    site = second_line
    routes = Path(f"{site.database}.routes")
    kept = routes.read_bytes()
    routes.unlink()
    os.mkfifo(routes)
    try:
        site.mobiles({ALICE: Answer(ring=0.1, talk=0.2)})
        call = site.call(ALONE)
        assert rang_after(site, call, ALICE) < SOON + 0.5
        call.placed.wait()
        site.quiet()
    finally:
        routes.unlink()
        routes.write_bytes(kept)
    row = taken_in(call)
    assert (row["outcome"], row["path"]) == ("answered", "dialplan")


# --- The third line ------------------------------------------------------------------------------------------


def test_the_dialplan_alone_rings_the_right_mobile_at_once_and_the_router_learns_of_it(third_line: Site) -> None:
    site = third_line
    site.mobiles({ALICE: BUSY, BOB: Answer(ring=0.3, talk=0.5)})
    call = site.call(IN_TURN)
    assert rang_after(site, call, ALICE) < SOON
    row = taken_in(call)
    assert (row["path"], row["campaign"], row["did"]) == ("dialplan", "in-turn", IN_TURN)
    assert (row["outcome"], row["salesperson"], row["hangup_by"]) == ("answered", "bob", "salesperson")
    assert call.results() == [("alice", "busy"), ("bob", "accepted")]
    assert list(Path(f"{site.database}.fallback").iterdir()) == []


def test_a_call_missed_by_the_dialplan_alone_is_owed_a_callback(third_line: Site) -> None:
    site = third_line
    site.mobiles({ALICE: RingOut(), BOB: RingOut(), CAROL: RingOut()})
    call = site.call(TOGETHER)
    assert taken_in(call)["outcome"] == "no_answer"
    assert sorted(call.results()) == [("alice", "no_answer"), ("bob", "no_answer"), ("carol", "no_answer")]
    assert len(call.callbacks()) == 1


def test_a_call_whose_router_dies_is_rescued_and_stays_one_call(third_line: Site) -> None:
    site = third_line
    text = (site.folder / "asterisk-files" / "callrouter-extensions.conf").read_text(encoding="utf-8")
    site.asterisk.load_dialplan(re.sub("CALLROUTER_DEAD_MAN=.*", "CALLROUTER_DEAD_MAN=2", text))
    site.mobiles({ALICE: RingOut(), BOB: RingOut(), CAROL: Answer(ring=0.2, talk=0.3)})
    site.start_router()
    call = site.call(IN_TURN)
    site.rings(ALICE)
    site.until(call.rows, "the router has written the call")
    site.kill_router()
    began = time.monotonic()
    site.rings(CAROL, 15)
    assert time.monotonic() - began < 10
    row = taken_in(call)
    assert (row["outcome"], row["salesperson"]) == ("answered", "carol")
