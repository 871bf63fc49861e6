"""The generated dialplan on the real Asterisk: it loads, and nothing a caller sends is carried out or dialled."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from router.dialplan import HANDOVER, Places, generate
from router.inbound import read_inbound
from router.model import Config
from router.shipped import share
from sandbox.asterisk import Asterisk
from sandbox.behaviours import BUSY, Answer, Refuse
from sandbox.phones import Carrier
from sandbox.processes import wait_until
from tests.build import ALICE, BOB, DID, make_campaign, make_config, make_hours, make_salesperson, make_trunk
from tests.contract.invites import invite
from tests.dialplan_records import ended, spool

__all__ = ["spool"]


# --- The dialplan, as Asterisk reads it -----------------------------------------------------------------------


@pytest.fixture(scope="module", autouse=True)
def warm(session_asterisk: Asterisk) -> None:
    """Asterisk makes threads when it first needs them, and keeps them: counting begins after that."""
    session_asterisk.load_dialplan(
        "[callrouter]\nexten => s,1,NoOp(${STRFTIME(,Europe/Paris,%F)})\n same => n,Wait(0.2)\n"
    )
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda _: invite(session_asterisk.ports.sip, None), range(60)))


def loaded(asterisk: Asterisk, config: Config, spool: Path, **how: float) -> None:
    """The third line alone: there is no AGI script."""
    places = Places("/nonexistent/callrouter-agi", str(spool))
    static = (share("asterisk_conf") / "extensions.conf").read_text(encoding="utf-8")
    asterisk.load_dialplan(generate(config, static, places, datetime.now(UTC), **how))


def test_asterisk_loads_it_without_a_word(asterisk: Asterisk, spool: Path) -> None:
    config = make_config(
        campaigns=[make_campaign(hours="office")],
        trunks=[make_trunk(did_from=["to", "exten", "diversion"])],
        hours=[make_hours(holidays={"2026-12-25": "Noël"})],
    )
    before = len(asterisk.log.read_text(encoding="utf-8", errors="replace"))
    loaded(asterisk, config, spool)
    said = asterisk.log.read_text(encoding="utf-8", errors="replace")[before:]
    assert not [line for line in said.splitlines() if "WARNING" in line or "ERROR" in line]
    assert "CALLROUTER_DIALPLAN=0123456789ab" in asterisk.cli("dialplan show globals")


ODD = [
    "%24%7BSHELL(touch%20HERE)%7D",
    "%24%7BEVAL(%24%7BSHELL(touch%20HERE)%7D)%7D",
    "$%5B1+1%5D",
    "%22%20=%20%22%22%5D%7C%22",
    "a,b;c,s,1(x)",
    "x&PJSIP%2F%2B33899000000%40trunk",
    "%C3%A9t%C3%A9",
    "%FF%FE",
    "%20leading",
    "a%0d%0aX-Evil:1",
    "a%00b",
    "9" * 4000,
    "h", "i", "t", "T", "s", "fallback", "_X.", "!", "~", "%5C", ")", "'", "%7B%7B%7B", "33;npdi=yes;rn=%2B33",
]  # fmt: skip


def test_whatever_is_dialled_is_taken_and_nothing_of_it_is_carried_out(
    asterisk: Asterisk, carrier: Carrier, spool: Path, tmp_path: Path
) -> None:
    here = tmp_path / "touched"
    unknown = make_campaign("unknown", (), to=["alice"])
    loaded(asterisk, make_config(unknown=unknown, trunks=[make_trunk(did_from=["exten", "to"])]), spool)
    carrier.play({ALICE: BUSY})
    taken = [user.replace("HERE", str(here).replace("/", "%2F")) for user in ODD if user != "h"]
    for user in taken:
        assert invite(asterisk.ports.sip, user) == 486, user
    # `h` is Asterisk's own word for a call that is over: nobody's number, and the one that is not taken.
    assert invite(asterisk.ports.sip, "h") == 603
    assert invite(asterisk.ports.sip, None) == 486
    records = ended(spool, len(taken) + 1)
    assert {record["campaign"] for record in records} == {"unknown"}
    assert {call.number for call in carrier.calls()} == {ALICE}
    assert not here.exists()
    assert all(record["did"] and record["did"].isprintable() for record in records)


@pytest.mark.parametrize(
    "hostile",
    [
        '"${SHELL(touch HERE)}" <sip:%24%7BSHELL(touch%20HERE)%7D@127.0.0.1>',
        '"\\" = \\"\\" | \\"1\\"=\\"1" <sip:+33140000001@127.0.0.1>',
        '"a,b)&c=d" <sip:a%22%2C%29%26b@127.0.0.1>',
        '"%0d%0aAction: Originate" <sip:%0d%0aid=1@127.0.0.1>',
        '"=HYPERLINK(1)\x1b[2J" <sip:+33140000001@127.0.0.1>',
        "<sip:" + "7" * 4000 + "@127.0.0.1>",
    ],
)
def test_a_caller_cannot_write_more_than_his_own_number_into_the_record(
    asterisk: Asterisk, carrier: Carrier, spool: Path, tmp_path: Path, hostile: str
) -> None:
    here = tmp_path / "touched"
    hostile = hostile.replace("HERE", str(here), 1).replace("HERE", str(here).replace("/", "%2F"))
    loaded(asterisk, make_config(trunks=[make_trunk(did_from=["exten", "to", "x-did"])]), spool)
    carrier.play({ALICE: BUSY, BOB: BUSY})
    asserted = f"P-Asserted-Identity: {hostile}\r\nX-Did: {hostile}\r\n"
    status = invite(asterisk.ports.sip, "0184801001", caller=hostile, headers=asserted, to=hostile)
    assert status == 486
    record = ended(spool)[0]
    assert (record["did"], record["campaign"]) == (DID, "spring-flyer")
    assert set(record) <= {
        "id", "start", "end", "answer", "did", "campaign", "caller", "pres", "salesperson", "dialstatus", "outcome",
        "cause", "hangup_by", "path", "version", "leg1", "leg2",
    }  # fmt: skip
    assert record["caller"].isalnum() or record["caller"].strip("+*#").isalnum() or record["caller"] == ""
    assert {call.number for call in carrier.calls()} == {ALICE, BOB}
    assert {call.invite.header("From").split(">")[0] for call in carrier.calls()} == {f"<sip:{DID}@127.0.0.1"}
    assert not here.exists()


@pytest.mark.parametrize(
    "written", ["+33184801001", "0033184801001", "33184801001", "0184801001", "+330184801001", "+33(0)184801001"]
)
def test_every_way_to_write_a_number_finds_its_campaign(
    asterisk: Asterisk, carrier: Carrier, spool: Path, written: str
) -> None:
    loaded(asterisk, make_config(), spool)
    carrier.play({ALICE: BUSY, BOB: BUSY})
    assert invite(asterisk.ports.sip, written) == 486
    assert (ended(spool)[0]["did"], ended(spool)[0]["campaign"]) == (DID, "spring-flyer")


def test_a_country_without_a_national_prefix(asterisk: Asterisk, carrier: Carrier, spool: Path) -> None:
    loaded(asterisk, make_config(country="ES", campaigns=[make_campaign(numbers=["+34910000001"])]), spool)
    carrier.play({ALICE: BUSY, BOB: BUSY})
    assert invite(asterisk.ports.sip, "910000001") == 486
    assert ended(spool)[0]["did"] == "+34910000001"


@pytest.mark.parametrize(
    ("headers", "to"),
    [
        ("", '"a:b@c <d>" <sip:+33184801001;npdi@host;user=phone>'),
        ("", "<sip:%2B33184801001@host>"),
        ("", "<tel:+33-1-84-80-10-01>"),
        ("Diversion: <sip:+33199999999@x>;reason=unconditional\r\nDiversion: <sip:0184801001@y>\r\n", ""),
        ("X-Did: +33184801001\r\n", ""),
    ],
)
def test_the_did_is_found_where_the_trunk_says_it_stands(
    asterisk: Asterisk, carrier: Carrier, spool: Path, headers: str, to: str
) -> None:
    loaded(asterisk, make_config(trunks=[make_trunk(did_from=["exten", "to", "diversion", "x-did"])]), spool)
    carrier.play({ALICE: BUSY, BOB: BUSY})
    invite(asterisk.ports.sip, "account42", headers=headers, to=to)
    assert ended(spool)[0]["campaign"] == "spring-flyer"


def test_a_redirect_from_the_mobiles_side_is_not_followed(
    asterisk: Asterisk, carrier: Carrier, spool: Path
) -> None:
    loaded(asterisk, make_config(campaigns=[make_campaign(to=["alice"])]), spool)
    carrier.play({ALICE: Refuse(302)})
    invite(asterisk.ports.sip, DID)
    ended(spool)
    assert [call.number for call in carrier.calls()] == [ALICE]


@pytest.mark.parametrize(
    ("minute", "opened"), [("12:29", True), ("12:30", False), ("08:59", False), ("09:00", True)]
)
def test_asterisk_counts_the_last_minute_of_a_window_in(asterisk: Asterisk, minute: str, opened: bool) -> None:
    """The fact on which the generated hours stand, in another zone than this machine's."""
    asterisk.load_dialplan(f"""
[measure]
exten => s,1,Set(TESTTIME()=2026/11/23 {minute}:59 Asia/Kolkata)
 same => n,GotoIfTime(09:00-12:29,mon,*,*,Asia/Kolkata?open)
 same => n,Set(GLOBAL(MEASURED)=closed)
 same => n,Hangup()
 same => n(open),Set(GLOBAL(MEASURED)=open)
""")
    asterisk.cli("dialplan set global MEASURED none")
    asterisk.cli("channel originate Local/s@measure application NoOp")
    wait_until(lambda: "MEASURED=none" not in asterisk.cli("dialplan show globals"), 5, "it was measured")
    assert f"MEASURED={'open' if opened else 'closed'}" in asterisk.cli("dialplan show globals")


def test_outside_hours_nobody_rings_and_the_caller_is_told(
    asterisk: Asterisk, carrier: Carrier, spool: Path
) -> None:
    config = make_config(campaigns=[make_campaign(hours="never")], hours=[make_hours("never", weekly={})])
    loaded(asterisk, config, spool)
    carrier.play({ALICE: Answer()})
    assert invite(asterisk.ports.sip, DID) == 480
    assert ended(spool)[0]["outcome"] == "closed"
    assert carrier.calls() == ()


def test_when_everybody_is_absent_it_says_so(asterisk: Asterisk, carrier: Carrier, spool: Path) -> None:
    people = [make_salesperson(absent=["2000-01-01..2090-12-31"])]
    config = make_config(salespeople=people, campaigns=[make_campaign(to=["alice"])])
    loaded(asterisk, config, spool)
    carrier.play({ALICE: Answer()})
    assert invite(asterisk.ports.sip, DID) == 503
    assert ended(spool)[0]["outcome"] == "unreachable"
    assert carrier.calls() == ()


@pytest.mark.parametrize(
    ("policy", "caller", "shown"),
    [
        ("did", "+33140000001", f"<sip:{DID}@"),
        ("caller", "+33140000001", "<sip:+33140000001@"),
        ("caller", "0140000001", "<sip:+33140000001@"),
        ("caller", "0044140000001", "<sip:+44140000001@"),
        ("caller", "8800", f"<sip:{DID}@"),
        ("anonymous", "+33140000001", '"Anonymous" <sip:anonymous@anonymous.invalid'),
        ("+33184809999", "+33140000001", "<sip:+33184809999@"),
    ],
)
def test_the_mobile_shows_what_the_campaign_says(
    asterisk: Asterisk, carrier: Carrier, spool: Path, policy: str, caller: str, shown: str
) -> None:
    loaded(asterisk, make_config(campaigns=[make_campaign(caller_id=policy, to=["alice"])]), spool)
    carrier.play({ALICE: BUSY})
    invite(asterisk.ports.sip, DID, caller=f'"Some Body" <sip:{caller}@127.0.0.1>')
    ended(spool)
    (leg,) = carrier.calls()
    assert leg.invite.header("From").startswith(shown)
    assert "Some Body" not in str(leg.invite.headers)


@pytest.mark.parametrize(
    ("policy", "over", "trunk", "headers"),
    [
        ("caller", "bare", {"asserts": "did"}, {"P-Asserted-Identity": f"<tel:{DID}>", "Diversion": ""}),
        ("anonymous", "bare", {"asserts": "did"}, {"P-Asserted-Identity": f"<tel:{DID}>", "Privacy": "id"}),
        (
            "anonymous",
            "bare",
            {"asserts": "did", "identity": "rpid"},
            {"Remote-Party-ID": f"<tel:{DID}>;party=calling;privacy=full;screen=no"},
        ),
        ("did", "pai-diversion", {"diversion": True}, {"Diversion": f"<sip:{DID}@127.0.0.1>;reason=unconditional"}),
        ("did", "pai-diversion", {}, {"Diversion": "", "Privacy": ""}),
    ],
)
def test_what_is_asserted_is_what_the_trunk_wants(
    asterisk: Asterisk,
    carrier: Carrier,
    spool: Path,
    policy: str,
    over: str,
    trunk: dict[str, Any],
    headers: dict[str, str],
) -> None:
    """As router.dress does it for the router: the same headers, and nothing of a Diversion that the caller sent."""
    campaign = make_campaign(caller_id=policy, to=["alice"])
    way = make_trunk(dial=f"PJSIP/{{number}}@{over}", **trunk)
    loaded(asterisk, make_config(campaigns=[campaign], trunks=[way]), spool)
    carrier.play({ALICE: BUSY})
    invite(asterisk.ports.sip, DID, headers="Diversion: <sip:+33199999999@x>;reason=unconditional\r\n")
    ended(spool)
    (leg,) = carrier.calls()
    assert {name: leg.invite.header(name) or "" for name in headers} == headers
    assert "199999999" not in str(leg.invite.headers)


def test_a_hundred_thousand_numbers_load_and_are_found(asterisk: Asterisk, carrier: Carrier, spool: Path) -> None:
    numbers = [f"+3318{index:07d}" for index in range(100_000)]
    began = time.monotonic()
    loaded(asterisk, make_config(campaigns=[make_campaign(numbers=numbers, to=["alice"])]), spool)
    assert time.monotonic() - began < 20
    carrier.play({ALICE: BUSY})
    assert invite(asterisk.ports.sip, "0180077777") == 486
    assert ended(spool)[0]["did"] == "+33180077777"


# --- The router's side of it ----------------------------------------------------------------------------------


@asynccontextmanager
async def listening(
    asterisk: Asterisk,
) -> AsyncIterator[tuple[aiohttp.ClientSession, aiohttp.ClientWebSocketResponse]]:
    """The application is connected, and does nothing by itself."""
    login = {"Authorization": aiohttp.encode_basic_auth(asterisk.user, asterisk.ari_password)}
    async with aiohttp.ClientSession(headers=login) as session:
        events = await session.ws_connect(f"{asterisk.ari_url}/events?app=callrouter")
        try:
            yield session, events
        finally:
            await events.close()


async def test_a_call_that_the_router_hands_over_is_taken_by_the_fallback(
    asterisk: Asterisk, carrier: Carrier, spool: Path
) -> None:
    """And what the router is told of a call: each value wrapped, headers only where they can matter."""
    loaded(asterisk, make_config(trunks=[make_trunk(did_from=["exten", "to"])]), spool)
    carrier.play({ALICE: BUSY, BOB: BUSY})
    async with listening(asterisk) as (session, events):
        to = '"a, b=c" <sip:+33184801001@host>'
        call = asyncio.create_task(asyncio.to_thread(invite, asterisk.ports.sip, "account,42", to=to))
        event = await events.receive_json(timeout=5)
        inbound = read_inbound(tuple(event["args"]), "", "")
        assert event["args"][0] == "in"
        assert (inbound.exten, inbound.endpoint, inbound.headers) == ("account,42", "trunk", {"to": to})
        where = {"context": HANDOVER[0], "extension": HANDOVER[1], "priority": str(HANDOVER[2])}
        channel = event["channel"]["id"]
        async with session.post(f"{asterisk.ari_url}/channels/{channel}/continue", params=where) as answer:
            assert answer.status == 204
        assert await call == 486
    assert ended(spool)[0]["campaign"] == "spring-flyer"


async def test_headers_do_not_travel_when_the_extension_is_one_of_our_numbers(
    asterisk: Asterisk, spool: Path
) -> None:
    loaded(asterisk, make_config(trunks=[make_trunk(did_from=["exten", "to", "diversion"])]), spool)
    async with listening(asterisk) as (session, events):
        call = asyncio.create_task(asyncio.to_thread(invite, asterisk.ports.sip, "0184801001"))
        event = await events.receive_json(timeout=5)
        assert event["args"] == ["in", "did=0184801001", "ep=trunk", "pres=allowed_not_screened"]
        async with session.delete(f"{asterisk.ari_url}/channels/{event['channel']['id']}") as answer:
            assert answer.status == 204
        await call


async def test_a_channel_whose_router_died_is_taken_back_by_the_dead_mans_timer(
    asterisk: Asterisk, carrier: Carrier, spool: Path
) -> None:
    loaded(asterisk, make_config(), spool, dead_man=1)
    carrier.play({ALICE: BUSY, BOB: BUSY})
    async with listening(asterisk) as (_, events):
        call = asyncio.create_task(asyncio.to_thread(invite, asterisk.ports.sip, DID))
        assert (await events.receive_json(timeout=5))["type"] == "StasisStart"
    assert await call == 486
    assert ended(spool)[0]["campaign"] == "spring-flyer"
