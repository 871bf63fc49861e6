"""SIP at odd moments: what a caller or a mobile may send while a call goes on. One clean row, nobody rung but the
salespeople, and everything gone afterwards."""

from __future__ import annotations

import pytest

from sandbox.behaviours import BUSY, Answer, RingOut
from sandbox.raw_sip import SDP, RawCaller, RawMobile
from tests.integration.attack import PREMIUM, Seen, attack, expose, strike
from tests.integration.site import ALICE, ALONE, CAROL, IN_TURN, Site

pytestmark = pytest.mark.asterisk


@pytest.fixture(scope="module", autouse=True)
def exposed(site: Site) -> None:
    expose(site)


# --- What the caller may try ------------------------------------------------------------------------------


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


def test_a_refer_while_it_rings_leads_nowhere(running: Site) -> None:
    with attack(running, {ALICE: RingOut(), CAROL: BUSY}) as seen:
        caller = f"<sip:{seen.number}@127.0.0.1>"
        with RawCaller(running.asterisk.ports.sip, ALONE, caller=caller) as call:
            assert call.ringing() == 180
            running.rings(ALICE)
            assert call.refer(PREMIUM) >= 400
            call.cancel()
            assert call.status() == 487
    assert (seen.row["outcome"], seen.rung) == ("abandoned", [ALICE])


def test_a_refer_while_they_talk_leads_nowhere(running: Site) -> None:
    with attack(running, {ALICE: Answer(0.1), CAROL: BUSY}) as seen, talking(running, seen) as call:
        seen.status = call.refer(PREMIUM)
        assert call.request("BYE") == 200
    assert (seen.row["outcome"], seen.rung) == ("answered", [ALICE])
    assert seen.status >= 400


def talking(site: Site, seen: Seen) -> RawCaller:
    """A call that Alice has taken, and that the database says she has."""
    call = RawCaller(site.asterisk.ports.sip, ALONE, caller=f"<sip:{seen.number}@127.0.0.1>")
    assert call.status() == 200
    until_they_talk(site, seen)
    return call


def until_they_talk(site: Site, seen: Seen) -> None:
    query = "SELECT 1 FROM calls JOIN callers ON callers.id = caller_id WHERE number = ? AND answered_at > ''"
    site.until(lambda: site.rows(query, seen.number), "they talk")


# --- What the mobile's side may try -----------------------------------------------------------------------


def redirected(site: Site, contact: str) -> Seen:
    """Alice's phone answers 302."""
    site.carrier.stop()
    ports = site.asterisk.ports
    with attack(site, None) as seen:
        caller = f"<sip:{seen.number}@127.0.0.1>"
        with RawMobile(ports.sip, ports.carrier) as mobile, RawCaller(ports.sip, ALONE, caller=caller) as call:
            mobile.reply(mobile.invited(), "302 Moved Temporarily", f"Contact: <sip:{contact}>\r\n")
            seen.status = call.status()
            if mobile.dialled() != [ALICE]:
                mobile.refuse_all()
            assert mobile.dialled() == [ALICE], "nobody else is dialled"
    return seen


@pytest.mark.parametrize("contact", [f"{PREMIUM}@h", f"{ALONE}@h", f"{IN_TURN}@h", "127.0.0.1:9", "h@h", "s@h"])
def test_a_redirect_from_the_mobile_leads_nowhere(running: Site, contact: str) -> None:
    seen = redirected(running, contact)
    assert (seen.status, seen.row["outcome"], seen.row["campaign"]) == (503, "unreachable", "alone")


@pytest.mark.xfail(
    strict=True,
    reason="an originated channel follows a 302 to any technology it names, and ARI has no option against it: dial "
    "with channels/create and channels/{id}/dial instead, which follow nothing",
)
def test_a_redirect_to_a_technology_leads_nowhere(running: Site) -> None:
    seen = redirected(running, "PJSIP/%2B33899123456%40trunk@h")
    assert (seen.status, seen.row["outcome"]) == (503, "unreachable")


@pytest.mark.parametrize("target", [PREMIUM, IN_TURN])
def test_a_refer_from_the_mobile_leads_nowhere(running: Site, target: str) -> None:
    running.carrier.stop()
    ports = running.asterisk.ports
    with attack(running, None) as seen:
        caller = f"<sip:{seen.number}@127.0.0.1>"
        with RawMobile(ports.sip, ports.carrier) as mobile, RawCaller(ports.sip, ALONE, caller=caller) as call:
            invite = mobile.invited()
            mobile.answer(invite)
            assert call.status() == 200
            until_they_talk(running, seen)
            assert mobile.refer(invite, target) >= 400
            assert len(running.asterisk.channels()) == 2, "they talk on"
            call.request("BYE")
            mobile.hung_up()
            assert mobile.dialled() == [ALICE]
    assert len(seen.rows) == 1
