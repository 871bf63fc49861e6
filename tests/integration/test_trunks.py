"""Trunks that are down, and trunks that are full: what the next call tries first. Real Asterisk, two carriers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest

from sandbox.behaviours import BUSY, Answer, Refuse, RingOut
from tests.integration.site import ALICE, BOB, CAROL, Call, Site, campaigns

pytestmark = pytest.mark.asterisk

ONE, THREE = "+33184801061", "+33184801062"
PLACES: Final = 2
DEAD: Final = "dead"
"""An endpoint of the sandbox's carrier number two, whom Asterisk asks whether it lives."""


def configure(site: Site, **trunks: dict[str, Any]) -> None:
    """Run the router with these trunks, in this order."""
    content = campaigns(site.asterisk)
    content["asterisk"]["trunks"] = trunks
    content["campaigns"] = {
        "one": {"numbers": [ONE], "ring": {"to": ["alice"]}},
        "three": {"numbers": [THREE], "ring": {"strategy": "all", "to": ["alice", "bob", "carol"]}},
    }
    site.configure(content)
    site.stop_router()
    site.start_router()


MAIN: Final = {"dial": "PJSIP/{number}@trunk"}
SECOND: Final = {"dial": "PJSIP/{number}@backup"}


@pytest.fixture(autouse=True)
def left_alone(site: Site) -> Iterator[None]:
    yield
    site.quiet()


def tried(call: Call) -> list[tuple[str, int | None]]:
    return [(attempt["trunk"], attempt["sip_status"]) for attempt in call.attempts()]


# --- Down -------------------------------------------------------------------------------------------------


def test_a_trunk_that_fails_is_the_last_one_tried_by_the_next_call(site: Site) -> None:
    configure(site, main=MAIN, second=SECOND)
    site.mobiles({ALICE: Refuse(503)})
    site.stack.second_carrier.play({ALICE: Answer(0.1)})
    first = site.call(ONE, hang_up_after=0.1)
    assert first.ended()["outcome"] == "answered"
    assert tried(first) == [("main", 503), ("second", None)]
    assert site.said("event=trunk_down trunk=main") == 1
    # The trunk would take a call again; nobody knows yet.
    site.mobiles({ALICE: Answer(0.1)})
    second = site.call(ONE, hang_up_after=0.1)
    assert second.ended()["outcome"] == "answered"
    assert tried(second) == [("second", None)]
    assert site.carrier.calls() == ()


def test_a_trunk_that_is_down_is_tried_when_no_other_takes_it(site: Site) -> None:
    configure(site, main=MAIN, second=SECOND)
    site.mobiles({ALICE: Refuse(503)})
    site.stack.second_carrier.play({ALICE: BUSY})
    site.call(ONE).ended()
    site.mobiles({ALICE: Answer(0.1)})
    site.stack.second_carrier.play({ALICE: Refuse(404)})
    call = site.call(ONE, hang_up_after=0.1)
    assert call.ended()["outcome"] == "answered"
    assert tried(call) == [("second", 404), ("main", None)]
    # It rang: that it was down is over before its time.
    assert site.said("event=trunk_up trunk=main") == 1
    again = site.call(ONE, hang_up_after=0.1)
    assert again.ended()["outcome"] == "answered"
    assert tried(again) == [("main", None)]


def test_what_is_said_of_a_person_is_not_held_against_the_trunk(site: Site) -> None:
    configure(site, main=MAIN, second=SECOND)
    codes = (404, 486, 403, 501, 600)
    site.mobiles({ALICE: [*map(Refuse, codes), Answer(0.1)]})
    site.stack.second_carrier.play({ALICE: BUSY})
    for code in codes:
        call = site.call(ONE)
        assert call.ended()["outcome"] == "busy"
        assert tried(call)[0] == ("main", code)
    call = site.call(ONE, hang_up_after=0.1)
    assert call.ended()["outcome"] == "answered"
    assert tried(call) == [("main", None)]
    assert "event=trunk_down" not in site.log.rpartition("event=ready")[2]


def test_a_trunk_that_asterisk_calls_unreachable_is_passed_over(site: Site) -> None:
    second = site.stack.second_carrier
    second.play({ALICE: Answer(0.1)})
    # Nobody listens there from now on, and Asterisk asks once a second.
    second.stop()
    write_endpoint(site)
    site.until(lambda: "Unavail" in site.asterisk.cli("pjsip show contacts"), "Asterisk has noticed", 15)
    configure(site, main={"dial": f"PJSIP/{{number}}@{DEAD}"}, second=MAIN)
    site.until(lambda: site.said('event=trunk_down trunk=main why="AMI: unreachable"'), "the router has asked", 15)
    site.mobiles({ALICE: Answer(0.1)})
    call = site.call(ONE, hang_up_after=0.1)
    assert call.ended()["outcome"] == "answered"
    assert tried(call) == [("second", None)]
    second.play({ALICE: Answer(0.1)})
    site.until(lambda: site.said("event=trunk_up trunk=main why=AMI"), "the router hears that it is back", 25)
    back = site.call(ONE, hang_up_after=0.1)
    assert back.ended()["outcome"] == "answered"
    assert tried(back) == [("main", None)]


def write_endpoint(site: Site) -> None:
    """Add an endpoint that is asked once a second whether it lives."""
    file = site.asterisk.etc / "pjsip.conf"
    text = file.read_text(encoding="utf-8")
    if f"[{DEAD}]" not in text:
        port = site.asterisk.ports.second_carrier
        common = (
            f"[{DEAD}]\ntype = aor\ncontact = sip:127.0.0.1:{port}\nqualify_frequency = 1\nqualify_timeout = 0.5\n"
        )
        endpoint = f"[{DEAD}]\ntype = endpoint\ntransport = udp\naors = {DEAD}\ndisallow = all\nallow = ulaw\n"
        file.write_text(f"{text}\n{common}\n{endpoint}context = callrouter\n", encoding="utf-8")
        site.asterisk.cli("module reload res_pjsip.so")


# --- Full -------------------------------------------------------------------------------------------------


def test_a_full_trunk_is_passed_over_and_has_room_again(site: Site) -> None:
    configure(site, main={**MAIN, "max_calls": PLACES}, second=SECOND)
    site.mobiles({ALICE: RingOut(), BOB: RingOut(), CAROL: RingOut()})
    site.stack.second_carrier.play({CAROL: Answer(0.2)})
    call = site.call(THREE, hang_up_after=0.2)
    row = call.ended()
    assert (row["outcome"], row["salesperson"]) == ("answered", "carol")
    # Whoever finds no place there goes over the other, as if the carrier had said so.
    placed = [
        (attempt["salesperson"], attempt["trunk"])
        for attempt in call.attempts()
        if attempt["result"] != "unreachable"
    ]
    assert sorted(placed) == [("alice", "main"), ("bob", "main"), ("carol", "second")]
    assert {dialog.number for dialog in site.carrier.calls()} == {ALICE, BOB}
    site.quiet()
    assert "event=trunk_down" not in site.log.rpartition("event=ready")[2], "full is not down"
    site.mobiles({ALICE: Answer(0.1)})
    after = site.call(ONE, hang_up_after=0.1)
    assert after.ended()["outcome"] == "answered"
    assert tried(after) == [("main", None)]


def test_with_every_trunk_full_nobody_is_reached(site: Site) -> None:
    configure(site, main={**MAIN, "max_calls": 1})
    site.mobiles({ALICE: Answer(0.1)})
    talking = site.call(ONE, hang_up_after=2.0)
    site.until(lambda: talking.rows() and talking.rows()[0]["answered_at"], "they talk")
    call = site.call(ONE)
    assert call.ended()["outcome"] == "unreachable"
    assert len(site.carrier.calls()) == 1
    assert talking.ended()["outcome"] == "answered"
