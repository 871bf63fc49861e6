"""Dial strings, expressions and line breaks in every field of an INVITE, on all three lines of defence: nothing is
dialled beyond campaigns.yaml, nothing is carried out, and a call is one clean row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from sandbox.raw_sip import SDP, RawCaller
from tests.attacks.lines import Line
from tests.integration.attack import PREMIUM, SHOWN, Seen, attack, bait, strike
from tests.integration.site import ALICE, ALONE, CAROL, Site

pytestmark = [pytest.mark.asterisk, pytest.mark.usefixtures("exposed")]

SILENCE = 0.3
"""Seconds in which a message that Asterisk throws away has had its answer, if it were to get one."""
HERE = "@FILE@"
"""Stands for the file that is there once something was carried out."""
EVIL = (
    f"{PREMIUM}&Local/s@callrouter-arrival",
    f"&PJSIP/{PREMIUM}@trunk",
    f"PJSIP/{PREMIUM}@trunk,30",
    f"PJSIP/backup/sip:{PREMIUM}@127.0.0.1",
    "${SHELL(touch @FILE@)}",
    "$[${SHELL(touch @FILE@)}]",
    "${EVAL(${SHELL(touch @FILE@)})}",
    "`touch @FILE@`$(touch @FILE@);touch @FILE@|touch @FILE@",
    "x)=System(touch @FILE@)",
    "s,1,System(touch @FILE@)^s^1",
    '"a" = "a" | "1',
    "a\\,b\\;c;d=e&f?g",
    "a\r\nX-Evil: 1",
    "a\0b",
    "\x1b[2J\u202e",
)
"""As they stand, and percent-encoded: what cannot stand in a URI comes through in that form."""


@pytest.fixture
def here(site: Site) -> Path:
    return bait(site)


def fill(text: str, here: Path) -> str:
    return text.replace(HERE, str(here))


def header(name: str) -> Callable[[str], dict[str, Any]]:
    """In a header of its own: as its address, and where it holds no address, as it stands."""
    address = name in ("P-Asserted-Identity", "Diversion", "Remote-Party-ID", "P-Called-Party-ID", "History-Info")
    return lambda evil: {"user": "pilot", "headers": f"{name}: {f'<sip:{evil}@h>' if address else evil}\r\n"}


FIELDS: Mapping[str, Callable[[str], dict[str, Any]]] = {
    "request URI, user": lambda evil: {"user": evil},
    "request URI, parameter": lambda evil: {"user": f"{ALONE};npdi={evil}"},
    "request URI, password": lambda evil: {"user": f"{ALONE}:{evil}"},
    "To, user": lambda evil: {"user": "pilot", "to": f"<sip:{evil}@h>"},
    "To, name": lambda evil: {"user": "pilot", "to": f'"{evil}" <sip:{ALONE}@h>'},
    "From, user": lambda evil: {"user": SHOWN, "caller": f"<sip:{evil}@h>"},
    "From, name": lambda evil: {"user": SHOWN, "caller": f'"{evil}" <sip:+33149000001@h>'},
    "Contact": lambda evil: {"user": ALONE, "contact": f"<sip:{evil}@127.0.0.1:9>"},
    "SDP, name": lambda evil: {"user": ALONE, "body": SDP.format(port=9).replace("s=-", f"s={evil}")},
    "SDP, owner": lambda evil: {"user": ALONE, "body": SDP.format(port=9).replace("o=-", f"o={evil}")},
    "SDP, attribute": lambda evil: {"user": ALONE, "body": f"{SDP.format(port=9)}a={evil}\r\n"},
    **{
        name: header(name)
        for name in (
            "P-Asserted-Identity",
            "Remote-Party-ID",
            "P-Called-Party-ID",
            "Diversion",
            "History-Info",
            "X-Did",
            "X-Evil",
            "Call-Info",
            "Subject",
            "User-Agent",
            "Reason",
        )
    },
}


READ = (
    "request URI, user",
    "request URI, parameter",
    "To, user",
    "To, name",
    "From, user",
    "From, name",
    "P-Asserted-Identity",
    "Diversion",
    "X-Did",
)
"""What the two lines behind the router read at all (as did_from has it here)."""
CASES = [("ari", field) for field in FIELDS] + [(path, field) for path in ("agi", "dialplan") for field in READ]


def test_the_bait_would_be_taken(exposed: Site, here: Path) -> None:
    """SHELL() works in this Asterisk: that no file appears in the tests below is our doing."""
    assert exposed.asterisk.cli(f'dialplan eval function "SHELL(touch {here})"')
    assert here.exists()
    here.unlink()


@pytest.mark.parametrize(("line", "field"), CASES, indirect=["line"])
def test_no_field_is_dialled_or_carried_out(line: Line, here: Path, field: str) -> None:
    written = [fill(evil, here) for evil in EVIL]
    written += [quote(evil, safe="") for evil in written]
    # Of the AGI script each call is a process of its own.
    written = written[::4] if line.path == "agi" else written
    statuses = line.call_all([FIELDS[field](evil) for evil in written])
    # Once in about a thousand refusals Asterisk does not tell why a leg ended (docs/resilience.md).
    untold = statuses.count(480) + statuses.count(503)
    assert untold <= 1, statuses
    taken = statuses.count(486) + untold
    assert taken >= len(written) // 3, f"most are calls: {statuses}"
    # Nobody reads it, or Asterisk refuses it; no phone rings for those.
    assert set(statuses) <= {486, 480, 503, 0, 400, 416, 488}
    rows = line.held(taken)
    assert [row["outcome"] for row in rows].count("busy") == taken - untold
    assert len(line.invites()) >= taken


# --- With the router, in detail ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        '"a\\"b\\\\"',
        '"<sip:+33899123456@127.0.0.1>"',
        '"%0d%0aX-Evil: 1"',
        '"a\0b"',
        '"\x1b[2J\x07"',
        '"\u202eecila"',
        '"\N{PILE OF POO}\N{VARIATION SELECTOR-16}"',
        '"\udcff\udcfe"',
        f'"{"N" * 10_000}"',
        '"=HYPERLINK(\\"http://x\\")"',
        '"\'; DROP TABLE calls; --"',
        '"${SHELL(touch @FILE@)}"',
        "Unquoted Name",
    ],
)
def test_a_callers_name_ends_at_the_router(running: Site, here: Path, name: str) -> None:
    with attack(running) as seen:
        caller = fill(f"{name} <sip:{seen.number}@127.0.0.1>", here)
        with RawCaller(running.asterisk.ports.sip, SHOWN, caller=caller) as call:
            seen.status = call.status()
        with RawCaller(running.asterisk.ports.sip, ALONE, caller=caller) as call:
            assert call.status() == 486
    assert (seen.status, seen.rung) == (486, [ALICE, ALICE])
    assert [row["number"] for row in seen.rows] == [seen.number] * 2
    assert shown(seen) == [seen.number, ALONE]


@pytest.mark.parametrize("name", ['"a"b"', '"a\r\n b"', '"a\r\nX-Evil: 1\r\nb"'])
def test_a_name_that_breaks_its_header_is_refused(running: Site, name: str) -> None:
    seen = strike(running, caller=f"{name} <sip:+33149000001@127.0.0.1>", patience=SILENCE)
    assert (seen.status, seen.rows, seen.rung) == (0, [], [])


def shown(seen: Seen) -> list[str]:
    """Whom each mobile that rang sees: the user part of From."""
    headers = (mobile.invite.header("From") for mobile in seen.invites)
    return [header.partition("<sip:")[2].partition("@")[0] for header in headers]


HOSTILE = [
    '"%00%0d%0aX-Evil: 1" <sip:%00@h>',
    '"\x1b[2J" <sip:\x1b[2J@h>',
    '"\u202e" <sip:\u202e@h>',
    "\udcff\udcfe",
    '=HYPERLINK("http://x")',
    "'; DROP TABLE calls;--",
    "${SHELL(touch @FILE@)}",
    "<sip:$%7BSHELL(touch%20@FILE@)%7D@h>",
    "<sip:PJSIP/%2B33899123456%40trunk@h>",
    "a,b=c&d;e|f)(",
    "%%%zz%2",
    "x" * 10_000,
    "<sip:" + "9" * 4000 + "@h>",
    ",".join(["<sip:1@h>"] * 500),
    "",
    "<>",
    "<sip:>",
]


@pytest.mark.parametrize("value", HOSTILE)
def test_hostile_headers_that_say_what_was_dialled_and_who_calls(running: Site, here: Path, value: str) -> None:
    dialled = ("P-Called-Party-ID", "Diversion", "X-Did", "X-Other", "History-Info", "Subject")
    calling = ("P-Asserted-Identity", "Remote-Party-ID", "Privacy", "Call-Info", "X-Evil")
    with attack(running) as seen:
        for user, names in (("pilot", dialled), (SHOWN, calling)):
            headers = "".join(f"{name}: {fill(value, here)}\r\n" for name in names)
            caller = f"<sip:{seen.number}@127.0.0.1>"
            with RawCaller(running.asterisk.ports.sip, user, caller=caller, headers=headers) as call:
                assert call.status() == 486
    assert [(row["campaign"], row["did"]) for row in seen.rows] == [("unknown", "pilot"), ("shown", SHOWN)]
    assert seen.rung == [CAROL, ALICE]


def test_a_forged_diversion_picks_a_campaign_and_nothing_more(running: Site) -> None:
    forged = f'Diversion: "Evil" <sip:{ALONE}@h>;reason=unconditional\r\nDiversion: <sip:{PREMIUM}@h>\r\n'
    seen = strike(running, "pilot", headers=forged)
    assert (seen.row["did"], seen.row["campaign"], seen.rung) == (ALONE, "alone", [ALICE])
    beside = strike(running, SHOWN, headers=forged)
    assert (beside.row["did"], beside.row["campaign"]) == (SHOWN, "shown"), "the number dialled goes first"
    assert not any(mobile.invite.header("Diversion") for mobile in (*seen.invites, *beside.invites))
