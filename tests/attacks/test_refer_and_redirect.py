"""REFER and 302: neither the caller nor a mobile's side can have Asterisk call somebody else, on any of the three
lines of defence."""

from __future__ import annotations

from typing import Final

import pytest

from sandbox.behaviours import BUSY, Answer, RingOut
from sandbox.raw_sip import RawCaller, RawMobile
from tests.attacks.lines import Line
from tests.integration.attack import PREMIUM, Seen, attack, talking, until_they_talk
from tests.integration.site import ALICE, ALONE, CAROL, IN_TURN, Site

pytestmark = [pytest.mark.asterisk, pytest.mark.usefixtures("exposed")]

TECHNOLOGY: Final = "PJSIP/%2B33899123456%40trunk@h"
"""A Contact that names a channel technology of Asterisk and what it is to dial."""
CONTACTS: Final = (
    f"{PREMIUM}@h",
    f"{ALONE}@h",
    f"{IN_TURN}@h",
    "127.0.0.1:9",
    "h@h",
    "s@h",
    "Local%2Fs%40callrouter@h",
)


# --- What the caller may try ------------------------------------------------------------------------------


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


@pytest.mark.parametrize("contact", [*CONTACTS, TECHNOLOGY])
def test_a_redirect_from_the_mobile_leads_nowhere(running: Site, contact: str) -> None:
    seen = redirected(running, contact)
    assert (seen.status, seen.row["outcome"], seen.row["campaign"]) == (503, "unreachable", "alone")


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


# --- Without the router -----------------------------------------------------------------------------------


@pytest.mark.parametrize("line", ["agi", "dialplan"], indirect=True)
@pytest.mark.parametrize("contact", [*CONTACTS, TECHNOLOGY])
def test_a_redirect_leads_nowhere_without_the_router(line: Line, contact: str) -> None:
    ports = line.site.asterisk.ports
    line.site.carrier.stop()
    number = f"+{next(line.site.numbers)}"
    with (
        RawMobile(ports.sip, ports.carrier) as mobile,
        RawCaller(ports.sip, ALONE, caller=f"<sip:{number}@127.0.0.1>") as call,
    ):
        mobile.reply(mobile.invited(), "302 Moved Temporarily", f"Contact: <sip:{contact}>\r\n")
        status = call.status(15)
        dialled = mobile.dialled()
        mobile.refuse_all()
    assert dialled == [ALICE], "nobody else is dialled"
    assert status >= 400
    line.site.mobiles({})
    (row,) = line.ended(1)
    assert (row["campaign"], row["number"]) == ("alone", number)
    assert row["outcome"] in ("unreachable", "no_answer", "busy")


@pytest.mark.parametrize("line", ["agi", "dialplan"], indirect=True)
@pytest.mark.parametrize("side", ["caller", "mobile"])
def test_a_refer_leads_nowhere_without_the_router(line: Line, side: str) -> None:
    """Dial() takes the word of neither side for where the other one goes."""
    ports = line.site.asterisk.ports
    line.site.carrier.stop()
    number = f"+{next(line.site.numbers)}"
    with (
        RawMobile(ports.sip, ports.carrier) as mobile,
        RawCaller(ports.sip, ALONE, caller=f"<sip:{number}@127.0.0.1>") as call,
    ):
        invite = mobile.invited()
        mobile.answer(invite)
        assert call.status(10) == 200
        assert (call.refer(PREMIUM) if side == "caller" else mobile.refer(invite, PREMIUM)) >= 400
        call.request("BYE")
        mobile.hung_up()
        assert mobile.dialled() == [ALICE], "nobody else is dialled"
    line.site.mobiles({})
    (row,) = line.ended(1)
    assert (row["outcome"], row["number"]) == ("answered", number)
