"""SIP at odd moments: what a caller may send while a call goes on. One clean row, nobody rung but the
salespeople, and everything gone afterwards."""

from __future__ import annotations

import pytest

from sandbox.behaviours import Answer, RingOut
from sandbox.raw_sip import SDP, RawCaller
from tests.integration.attack import attack, expose, strike, talking, until_they_talk
from tests.integration.site import ALICE, ALONE, Site

pytestmark = pytest.mark.asterisk


@pytest.fixture(scope="module", autouse=True)
def exposed(site: Site) -> None:
    expose(site)


def test_an_invite_without_a_session_description_is_a_call(running: Site) -> None:
    with attack(running, {ALICE: Answer(0.1)}) as seen:
        caller = f"<sip:{seen.number}@127.0.0.1>"
        with RawCaller(running.asterisk.ports.sip, ALONE, caller=caller, body="") as call:
            seen.status = call.status()
            call.request("BYE")
    assert (seen.status, seen.rung) == (200, [ALICE])
    # Asterisk ends a call whose ACK brings no session description either; it may be before the bridge stands.
    assert seen.row["outcome"] in ("answered", "abandoned")


@pytest.mark.parametrize(
    ("body", "status"),
    [("garbage", 400), (SDP.format(port=9).replace("audio", "video"), 488)],
)
def test_a_session_description_that_is_none_or_unusable_is_refused(running: Site, body: str, status: int) -> None:
    seen = strike(running, body=body)
    assert (seen.status, seen.rung) == (status, [])
    assert seen.rows == []


def test_the_same_invite_three_times_is_one_call(running: Site) -> None:
    with attack(running, {ALICE: Answer(0.3)}) as seen:
        caller = f"<sip:{seen.number}@127.0.0.1>"
        with RawCaller(running.asterisk.ports.sip, ALONE, caller=caller) as call:
            call.again()
            assert call.ringing() == 180
            call.again()
            assert call.status() == 200
            until_they_talk(running, seen)
            assert call.request("BYE") == 200
    assert (seen.row["outcome"], seen.rung) == ("answered", [ALICE])


def test_a_reinvite_while_it_rings_changes_nothing(running: Site) -> None:
    with attack(running, {ALICE: RingOut()}) as seen:
        caller = f"<sip:{seen.number}@127.0.0.1>"
        with RawCaller(running.asterisk.ports.sip, ALONE, caller=caller) as call:
            assert call.ringing() == 180
            running.rings(ALICE)
            assert call.reinvite() in (491, 500), "RFC 3261, 14.2: the first one is not answered yet"
            call.cancel()
            assert call.status() == 487
    assert (seen.row["outcome"], seen.rung) == ("abandoned", [ALICE])


def test_a_reinvite_while_they_talk_is_answered(running: Site) -> None:
    with attack(running, {ALICE: Answer(0.1)}) as seen, talking(running, seen) as call:
        assert call.reinvite() == 200
        assert call.request("BYE") == 200
    assert (seen.row["outcome"], seen.rung) == ("answered", [ALICE])
