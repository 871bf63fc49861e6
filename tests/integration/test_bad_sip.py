"""Bad SIP on the real Asterisk: routed or refused, one clean row or none, nothing carried out, and nobody dialled
but the salespeople of campaigns.yaml. What every attack must leave standing is checked by attack.py."""

from __future__ import annotations

import re

import pytest

from sandbox.raw_sip import RawCaller
from tests.integration.attack import HIDDEN, PREMIUM, SHOWN, Seen, attack, expose, strike
from tests.integration.site import ALICE, ALONE, CAROL, IN_TURN, NOBODYS, Site

pytestmark = pytest.mark.asterisk

SILENCE = 0.3
"""Seconds in which a message that Asterisk throws away has had its answer, if it were to get one."""


@pytest.fixture(scope="module", autouse=True)
def exposed(site: Site) -> None:
    expose(site)


# --- The number that is dialled ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "user",
    [
        "+33184801001;npdi=yes;rn=+33199999999",
        "+33184801001;phone-context=+33",
        "%2B33184801001",
        "+33184801001:password",
        "%E2%80%AE%2B33184801001",
    ],
)
def test_a_did_is_found_in_what_a_carrier_puts_around_it(running: Site, user: str) -> None:
    seen = strike(running, user)
    assert seen.status == 486
    assert (seen.row["did"], seen.row["campaign"], seen.row["number"]) == (ALONE, "alone", seen.number)
    assert seen.rung == [ALICE]


@pytest.mark.parametrize(
    ("user", "did"),
    [
        (NOBODYS, NOBODYS),
        ("letters", "letters"),
        ("12", "12"),
        ("s", "s"),
        ("T", "T"),
        ("%", "%"),
        ("%zz", "%zz"),
        ("9" * 4000, "9" * 39 + "…"),
        ("x" * 10_000, "x" * 39 + "…"),
        ("*31%23+33184801001", "*31#+33184801001"),
        ("a%00b", "a"),
        ("%0d%0aX-Evil:1", "X-Evil"),
        ("%1b%5b2J", "[2J"),
        ("%F0%9F%93%9E", "\N{TELEPHONE RECEIVER}"),
        ("%FF%FE", "\ufffd\ufffd"),
        ("=HYPERLINK(%22http%3a//x%22)", "=HYPERLINK()"),
        ("'%3B%20DROP%20TABLE%20calls%3B--", "'"),
        ("%22%20=%20%22%22", '"'),
        ("%2e%2e/%2e%2e/etc/passwd", "../../etc/passwd"),
        ("a,b,c", "a"),
        ("$%5B1+1%5D", "$[1+1]"),
    ],
)
def test_whatever_is_dialled_takes_the_unknown_numbers_route(running: Site, user: str, did: str) -> None:
    seen = strike(running, user)
    assert seen.status == 486
    assert seen.row["campaign"] == "unknown"
    assert seen.row["did"] == did
    assert seen.rung == [CAROL]


@pytest.mark.parametrize("user", [None, "%00"])
def test_no_number_at_all_takes_the_unknown_numbers_route(running: Site, user: str | None) -> None:
    seen = strike(running, user)
    assert (seen.status, seen.row["did"], seen.row["campaign"], seen.rung) == (486, "unknown", "unknown", [CAROL])


@pytest.mark.parametrize(
    ("user", "status"),
    [
        ("", 0),
        ("+33 1", 0),
        ("'; DROP TABLE calls", 0),
        ("=HYPERLINK(\"http://x\")", 0),
        ("a\r\nX-Evil: 1", 0),
        ("a\0b", 0),
        ("\udcff\udcfe", 0),
        ("h", 603),  # Asterisk's own word for a call that is over
    ],
)  # fmt: skip
def test_what_is_no_uri_is_refused_and_leaves_no_row(running: Site, user: str, status: int) -> None:
    seen = strike(running, user, patience=SILENCE if not status else 5)
    assert (seen.status, seen.rows, seen.rung) == (status, [], [])


# --- Who calls --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("uri", "number"),
    [
        ("sip:anonymous@anonymous.invalid", None),
        ("sip:unavailable@unknown.invalid", None),
        ("sip:invalid", None),
        ("sip:letters@h", None),
        ("sip:0000@h", None),
        ("sip:%22%3e%0d%0aX-Evil:1@h", None),
        ("sip:+33149000001%3e%0d%0aX@h", None),
        ("sip:=HYPERLINK(1)@h", None),
        ("sip:'%3B%20DROP%20TABLE%20calls@h", None),
        ("tel:+33149000002", "+33149000002"),
        (f"sip:{PREMIUM}@h", PREMIUM),
        ("sip:" + "7" * 4000 + "@h", "7" * 32),
    ],
)
def test_whoever_calls_the_call_is_routed_and_the_mobile_sees_a_number_or_none(
    running: Site, uri: str, number: str | None
) -> None:
    seen = strike(running, SHOWN, caller=f"<{uri}>")
    assert (seen.status, seen.row["number"], seen.rung) == (486, number, [ALICE])
    whole = number is not None and re.fullmatch(r"\+[0-9]{8,15}", number)
    assert shown(seen) == [number if whole else SHOWN if number else "anonymous"]


def test_an_anonymous_campaign_shows_nobody(running: Site) -> None:
    seen = strike(running, HIDDEN)
    assert shown(seen) == ["anonymous"]
    (mobile,) = seen.invites
    assert seen.number[1:] not in str(mobile.invite)
    assert HIDDEN in mobile.invite.header("P-Asserted-Identity"), "the carrier is told whose call it is"


def test_a_withheld_callers_number_reaches_neither_the_mobile_nor_the_database(running: Site) -> None:
    with attack(running) as seen:
        asserted = f'P-Asserted-Identity: "Real Name" <sip:{seen.number}@h>\r\nPrivacy: id\r\n'
        caller = '"Anonymous" <sip:anonymous@anonymous.invalid>'
        with RawCaller(running.asterisk.ports.sip, SHOWN, caller=caller, headers=asserted) as call:
            seen.status = call.status()
    assert (seen.status, seen.row["number"], shown(seen)) == (486, None, ["anonymous"])
    (mobile,) = seen.invites
    assert seen.number[1:] not in str(mobile.invite)


@pytest.mark.parametrize("caller", ["", "not a header", "<sip:@h>", "<sip:a@h>,<sip:b@h>"])
def test_an_invite_whose_from_is_absent_or_unreadable_is_refused(running: Site, caller: str) -> None:
    seen = strike(running, caller=caller, patience=SILENCE)
    assert (seen.status, seen.rows, seen.rung) == (0, [], [])


def test_our_own_number_as_caller_is_a_caller_like_any_other(running: Site) -> None:
    seen = strike(running, caller=f"<sip:{ALONE}@127.0.0.1>")
    assert (seen.status, seen.row["outcome"], seen.row["number"]) == (486, "busy", ALONE)


def test_a_salespersons_mobile_as_caller_reaches_the_menu_and_is_no_lead(running: Site) -> None:
    for number in (ALONE, IN_TURN):
        # Nobody here has a PIN, so the menu says so and hangs up.
        seen = strike(running, number, caller=f"<sip:{ALICE}@127.0.0.1>", patience=SILENCE)
        assert (seen.status, seen.rows, seen.rung) == (200, [], [])


def shown(seen: Seen) -> list[str]:
    """Whom each mobile that rang sees: the user part of From."""
    headers = (mobile.invite.header("From") for mobile in seen.invites)
    return [header.partition("<sip:")[2].partition("@")[0] for header in headers]


# --- Where the number dialled may stand ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("to", "did"),
    [
        ("<sip:+33184801001@h>", ALONE),
        ("<sip:%2B33184801001;npdi@h;user=phone>", ALONE),
        ("sip:0033184801001@h", ALONE),
        ("<tel:+33-1-84-80-10-01>", ALONE),
        (f"<sip:{PREMIUM}@h>", PREMIUM),
        ('"%00%0d%0aX-Evil: 1" <sip:%00@h>', "pilot"),
        ('"\x1b[2J" <sip:=HYPERLINK(1)@h>', "pilot"),
        ("<sip:" + "9" * 4000 + "@h>", "pilot"),
        ("\"'; DROP TABLE calls;--\" <sip:'%3B@h>", "pilot"),
    ],
)
def test_the_did_in_to(running: Site, to: str, did: str) -> None:
    seen = strike(running, "pilot", to=to)
    assert (seen.status, seen.row["did"]) == (486, did)
    assert seen.rung == [ALICE if did == ALONE else CAROL]


@pytest.mark.parametrize(
    ("to", "status"),
    [
        (" ", 0),
        ("<>", 0),
        ("letters", 0),
        ("'; DROP TABLE calls;--", 0),
        ("\udcff\udcfe", 0),
        ("<sip:+33184801001@h>;tag=forged", 481),
    ],
)
def test_a_to_that_is_none_is_refused(running: Site, to: str, status: int) -> None:
    seen = strike(running, to=to, patience=SILENCE if not status else 5)
    assert (seen.status, seen.rows, seen.rung) == (status, [], [])


# --- What reaches eyes and spreadsheets -------------------------------------------------------------------


def test_listings_of_hostile_calls_are_harmless(running: Site) -> None:
    for user in ("=HYPERLINK(%22http%3a//x%22)", "%1b%5b2J%1b%5d0;x%07", "'%3B%20DROP%20TABLE%20calls%3B--"):
        strike(running, user)
    call = running.rows("SELECT id FROM calls WHERE did = '=HYPERLINK()'")[0]["id"]
    for words in (("calls", "list"), ("calls", "show", call), ("report", "missed")):
        for form in ("table", "csv"):
            done = running.run(*words, "--format", form)
            assert (done.returncode, done.stderr) == (0, ""), words
            assert all(line.isprintable() for line in done.stdout.splitlines()), words
            if form == "csv":
                cells = [cell.strip('"') for cell in done.stdout.replace("\n", ",").split(",")]
                assert not [cell for cell in cells if cell.startswith(("=", "@", "-", "\t"))], words
    assert "'=HYPERLINK()" in running.run("calls", "show", call, "--format", "csv").stdout
