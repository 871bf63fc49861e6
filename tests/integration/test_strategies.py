"""Who rings when: every strategy on real calls, who is known, engaged or paused, and what a trunk can take."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.behaviours import BUSY, Answer, RingOut
from sandbox.sip_log import STAMP_SLACK
from tests.integration.site import ALICE, BOB, CAROL, Call, Site, campaigns
from tests.waiting import SOON

pytestmark = pytest.mark.asterisk

EVERYBODY = ["alice", "bob", "carol"]
PEOPLE = {f"p{n}": f"+336110000{n:02d}" for n in range(20)}
"""People of one test each: what was rung, said or taken elsewhere does not count."""
RING = 1.0
"""Seconds for which one person rings, unless it says otherwise."""
CAMPAIGNS: dict[str, dict[str, Any]] = {
    "sequential": {"ring": {"to": EVERYBODY}},
    "all": {"ring": {"strategy": "all", "to": EVERYBODY, "timeout": "3s"}},
    "round-robin": {"ring": {"strategy": "round-robin", "to": ["p0", "p1", "p2"]}},
    "weighted": {
        "ring": {"strategy": "weighted", "to": ["p3", "p4", "p5"], "weights": {"p3": 50, "p4": 50, "p5": 1}}
    },
    "least-recent": {"ring": {"strategy": "least-recent", "to": ["p6", "p7", "p8"]}},
    "longest-idle": {"ring": {"strategy": "longest-idle", "to": ["p9", "p10", "p11"]}},
    "steps": {"ring": {"steps": [{"to": ["alice"]}, {"add": ["bob"]}, {"to": ["carol"]}]}},
    "sticky": {"ring": {"to": ["p12", "p13"], "sticky": "1h"}},
    "engaged": {"accept": "press-1", "ring": {"to": ["p14", "bob"], "timeout": "8s"}},
    "paused": {"ring": {"to": ["p15", "p16"]}},
}
DID = {name: f"+331848021{n:02d}" for n, name in enumerate(CAMPAIGNS)}
FOLLOWED = 2.0
"""Seconds within which a pause is in force."""


def content(site: Site, **trunk: Any) -> dict[str, Any]:
    """`trunk`: more keys of the first one."""
    made = campaigns(site.asterisk)
    made["asterisk"]["trunks"]["main"] |= trunk
    made["salespeople"] |= {id: {"mobile": mobile, "max_calls": 50} for id, mobile in PEOPLE.items()}
    made["salespeople"]["p14"]["max_calls"] = 1
    made["defaults"]["ring"] = {"strategy": "sequential", "timeout": f"{RING:g}s", "max_wait": "20s"}
    made["campaigns"] = {name: {"numbers": [DID[name]], **keys} for name, keys in CAMPAIGNS.items()}
    return made


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Site(tmp_path_factory.mktemp("strategies")) as site:
        site.configure(content(site))
        yield site


def mobiles(*people: str) -> list[str]:
    return [PEOPLE[person] for person in people]


def rung(call: Call) -> list[str]:
    """Whom a call was tried with, in order, once it is over."""
    call.ended()
    return [person for person, _ in call.results()]


def latest(site: Site, number: str, calls: int) -> list[tuple[str, str]]:
    """The attempts of this caller's last call, once that many are over."""
    query = """SELECT calls.id FROM calls JOIN callers ON callers.id = caller_id
        WHERE number = ? AND outcome IS NOT NULL ORDER BY started_at"""
    site.until(lambda: len(site.rows(query, number)) == calls, f"{calls} calls are over")
    attempts = "SELECT salesperson, result FROM attempts WHERE call_id = ? ORDER BY seq"
    rows = site.rows(attempts, site.rows(query, number)[-1]["id"])
    return [(row["salesperson"], row["result"]) for row in rows]


# --- The order --------------------------------------------------------------------------------------------


def test_one_after_the_other(running: Site) -> None:
    running.mobiles({ALICE: RingOut(), BOB: RingOut(), CAROL: Answer(ring=0.1)})
    call = running.call(DID["sequential"], hang_up_after=0.1)
    assert rung(call) == EVERYBODY
    (alice,), (bob,), (carol,) = (running.carrier.calls(mobile) for mobile in (ALICE, BOB, CAROL))
    for before, after in ((alice, bob), (bob, carol)):
        assert before.took("INVITE", "CANCEL") == pytest.approx(RING, abs=0.5)
        assert after.invited_at > before.at("CANCEL") - STAMP_SLACK, "never two at once"


def test_everybody_at_once(running: Site) -> None:
    running.mobiles({ALICE: RingOut(), BOB: RingOut(), CAROL: RingOut()})
    call = running.call(DID["all"], cancel_after=0.8)
    assert call.ended()["outcome"] == "abandoned"
    invited = [leg.invited_at for leg in running.carrier.calls()]
    assert len(invited) == 3
    assert max(invited) - min(invited) < 0.8 * RING


def test_in_turn_and_on_where_it_was_when_the_router_starts_again(running: Site) -> None:
    people = ["p0", "p1", "p2"]
    running.mobiles(dict.fromkeys(mobiles(*people), BUSY))
    orders = []
    for number in range(6):
        if number == 4:
            running.stop_router()
            running.start_router()
        orders.append(rung(running.call(DID["round-robin"])))
    assert orders == [people[n % 3 :] + people[: n % 3] for n in range(6)]


def test_by_lot_everybody_comes_first_at_times(running: Site) -> None:
    people = ("p3", "p4", "p5")
    running.mobiles(dict.fromkeys(mobiles(*people), BUSY))
    numbers = [f"+331404{n:05d}" for n in range(20)]
    running.caller.place(DID["weighted"], numbers, calls=20, rate=50).wait(30)
    query = """SELECT calls.id FROM calls JOIN callers ON callers.id = caller_id
        WHERE number LIKE '+331404%' AND outcome = 'busy'"""
    running.until(lambda: len(running.rows(query)) == 20, "twenty calls are over")
    orders = [
        [each["salesperson"] for each in running.rows("SELECT * FROM attempts WHERE call_id = ? ORDER BY seq", id)]
        for id in (row["id"] for row in running.rows(query))
    ]
    assert {tuple(sorted(order)) for order in orders} == {people}, "each once in every call"
    assert {"p3", "p4"} <= {order[0] for order in orders}


def test_who_was_rung_longest_ago_rings_first(running: Site) -> None:
    people = ["p6", "p7", "p8"]
    running.mobiles(dict.fromkeys(mobiles(*people), Answer(ring=0.05)))
    orders = [rung(running.call(DID["least-recent"], hang_up_after=0.05)) for _ in range(4)]
    assert orders == [["p6"], ["p7"], ["p8"], ["p6"]]


def test_who_has_not_talked_for_longest_rings_first(running: Site) -> None:
    """To be rung is no talk: who was busy stays first."""
    quick = Answer(ring=0.05)
    running.mobiles(dict(zip(mobiles("p9", "p10", "p11"), ([BUSY, BUSY, quick], quick, quick), strict=True)))
    orders = [rung(running.call(DID["longest-idle"], hang_up_after=0.05)) for _ in range(4)]
    assert orders == [["p9", "p10"], ["p9", "p11"], ["p9"], ["p10"]]


def test_steps_add_people_and_send_them_away(running: Site) -> None:
    running.mobiles({ALICE: RingOut(), BOB: RingOut(), CAROL: RingOut()})
    call = running.call(DID["steps"])
    assert rung(call) == EVERYBODY
    assert {result for _, result in call.results()} == {"no_answer"}
    (alice,), (bob,), (carol,) = (running.carrier.calls(mobile) for mobile in (ALICE, BOB, CAROL))
    assert bob.invited_at - alice.invited_at == pytest.approx(RING, abs=0.4)
    assert alice.took("INVITE", "CANCEL") == pytest.approx(2 * RING, abs=0.5), "she rings on beside Bob"
    assert abs(alice.at("CANCEL") - bob.at("CANCEL")) < 0.8 * RING
    assert carol.invited_at > alice.at("CANCEL") - STAMP_SLACK
    assert carol.took("INVITE", "CANCEL") == pytest.approx(RING, abs=0.4)


# --- Who is known, engaged or paused ----------------------------------------------------------------------


def test_a_caller_gets_whom_they_spoke_with_first(running: Site) -> None:
    quick = Answer(ring=0.05)
    running.mobiles({PEOPLE["p12"]: [BUSY, quick], PEOPLE["p13"]: [quick, quick, RingOut()]})
    caller = running.call(DID["sticky"], hang_up_after=0.05)
    assert latest(running, caller.number, 1) == [("p12", "busy"), ("p13", "accepted")]
    running.call(DID["sticky"], from_number=caller.number, hang_up_after=0.05)
    assert latest(running, caller.number, 2) == [("p13", "accepted")]
    running.call(DID["sticky"], from_number=caller.number, hang_up_after=0.05)
    assert latest(running, caller.number, 3) == [("p13", "no_answer"), ("p12", "accepted")]
    rang_out = running.carrier.calls(PEOPLE["p13"])[-1]
    assert rang_out.took("INVITE", "CANCEL") == pytest.approx(RING, abs=0.5), "and the others in time"
    assert rung(running.call(DID["sticky"], hang_up_after=0.05)) == ["p12"], "a stranger as ever"


def test_who_talks_is_not_rung_and_stops_ringing_for_others(running: Site) -> None:
    person = PEOPLE["p14"]
    takes = Answer(ring=0.1, keys="1")
    running.mobiles({person: [Answer(ring=0.8, keys="1"), RingOut(), takes], BOB: takes})
    first = running.call(DID["engaged"])
    running.rings(person)
    second = running.call(DID["engaged"], hang_up_after=0.1)
    second.ended()
    assert second.results() == [("p14", "busy"), ("bob", "accepted")]
    _, stopped = running.carrier.calls(person)
    (bob,) = running.carrier.calls(BOB)
    assert first.dialog.live, "the first talks"
    assert abs(stopped.at("CANCEL") - first.dialog.at(200)) < SOON
    assert abs(bob.invited_at - first.dialog.at(200)) < SOON
    third = running.call(DID["engaged"], hang_up_after=0.1)
    third.ended()
    assert third.results() == [("p14", "busy"), ("bob", "accepted")]
    assert len(running.carrier.calls(person)) == 2, "not even dialled"
    running.asterisk.cli("channel request hangup all")
    assert first.ended()["salesperson"] == "p14"
    again = running.call(DID["engaged"], hang_up_after=0.1)
    assert rung(again) == ["p14"], "free again"


def test_a_pause_and_its_end_are_in_force_within_two_seconds(running: Site) -> None:
    running.mobiles(dict.fromkeys(mobiles("p15", "p16"), BUSY))

    def follows(people: list[str], since: float) -> None:
        """Calls until one rings just these."""
        while rung(call := running.call(DID["paused"])) != people:
            assert call.dialog.at("INVITE") - since < FOLLOWED, f"not yet {people}"

    assert rung(running.call(DID["paused"])) == ["p15", "p16"]
    assert running.run("people", "pause", "p15").returncode == 0
    follows(["p16"], time.time())
    assert running.run("people", "resume", "p15").returncode == 0
    follows(["p15", "p16"], time.time())


# --- What a trunk can take --------------------------------------------------------------------------------


@pytest.fixture
def narrow(site: Site) -> Iterator[Site]:
    """The first trunk takes one leg at once."""

    def reload(made: dict[str, Any]) -> None:
        before = site.said("event=reloaded")
        site.configure(made)
        site.signal_router(signal.SIGHUP)
        site.until(lambda: site.said("event=reloaded") > before, "the file is read again")

    if not site.router_runs():
        site.start_router()
    reload(content(site, max_calls=1))
    yield site
    reload(content(site))


def test_a_leg_too_many_goes_over_the_second_trunk(narrow: Site, running: Site) -> None:
    assert narrow is running
    running.mobiles({ALICE: RingOut(), CAROL: BUSY})
    second = running.stack.second_carrier
    second.play({BOB: Answer(ring=0.5), CAROL: RingOut()})
    call = running.call(DID["all"], hang_up_after=0.2)
    assert call.ended()["salesperson"] == "bob"
    assert [leg.number for leg in running.carrier.calls()] == [ALICE]
    assert {leg.number for leg in second.calls()} == {BOB, CAROL}
    reached = {(each["salesperson"], each["trunk"], each["result"]) for each in call.attempts()}
    assert {("alice", "main", "cancelled"), ("bob", "second", "accepted")} <= reached
    running.mobiles({ALICE: Answer(ring=0.1)})
    later = running.call(DID["sequential"], hang_up_after=0.1)
    assert later.ended()["salesperson"] == "alice"
    assert [each["trunk"] for each in later.attempts()] == ["main"], "its place is free again"
    second.play({})
