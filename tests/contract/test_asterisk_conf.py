"""What `callrouter asterisk conf` writes, on the real Asterisk: it loads, it lets in who should be let in, and
nothing that a caller sends is carried out or dialled."""

from __future__ import annotations

import asyncio
import base64
import os
import stat
import time
import urllib.error
import urllib.request
import wave
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import aiohttp
import pytest
from click.testing import CliRunner, Result

from router import ami
from router.commands import group as main
from router.commands.asterisk import build, needed_modules
from router.dialplan import HANDOVER, Places, generate
from router.errors import RouterError
from router.inbound import read_inbound
from router.model import Accept, Ami, Ari, Config, Secret
from router.shipped import share
from sandbox.asterisk import Asterisk
from sandbox.behaviours import BUSY, Answer, Refuse
from sandbox.phones import Caller, Carrier
from sandbox.processes import wait_until
from tests.build import ALICE, BOB, DID, make_campaign, make_config, make_hours, make_salesperson, make_trunk
from tests.contract.invites import invite

CAROL = "+33698765432"
YAML = """
version: 1
company: {country: FR, timezone: Europe/Paris, language: fr}
asterisk:
  ari: {url: "http://127.0.0.1:8088/ari", username: callrouter, password_file: secrets/ari}
  ami: {host: 127.0.0.1, port: 5038, username: callrouter, password_file: secrets/ami}
  trunks: {main: {dial: "PJSIP/{number}@trunk"}}
database: callrouter.db
salespeople: {alice: {name: Alice, mobile: "+33612345678"}}
defaults: {hours: always, accept: none}
campaigns: {spring-flyer: {numbers: ["+33184801001"], ring: {to: [alice]}}}
unknown_number: {ring: {to: [alice]}}
"""


# --- The command --------------------------------------------------------------------------------------------


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "secrets").mkdir()
    for name in ("ari", "ami"):
        secret = tmp_path / "secrets" / name
        secret.write_text(f"secret-of-{name};1\n", encoding="utf-8")
        secret.chmod(0o600)
    (tmp_path / "campaigns.yaml").write_text(YAML, encoding="utf-8")
    return tmp_path


def run(site: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["--config", str(site / "campaigns.yaml"), "asterisk", "conf", *words])


def test_without_a_folder_it_says_which_files_there_are(site: Path) -> None:
    said = run(site)
    assert said.exit_code == 0
    for name in ("extensions", "pjsip", "ari", "http", "manager", "modules", "asterisk"):
        assert f"callrouter-{name}.conf" in said.output


def test_a_file_that_is_asked_for_by_name_is_printed_without_its_password(site: Path) -> None:
    said = run(site, "callrouter-ari.conf")
    assert said.exit_code == 0
    assert "[callrouter]" in said.output
    assert "secret-of" not in said.output
    assert "callrouter-manager.conf" in run(site, "nonsense.conf").output


def test_no_password_is_ever_printed(site: Path) -> None:
    outputs = [run(site).output, run(site, "--output", str(site / "out")).output]
    outputs += [run(site, name.name).output for name in (site / "out").iterdir()]
    assert not any("secret-of" in output for output in outputs)


def test_files_with_secrets_or_mobiles_are_for_their_group_alone(site: Path) -> None:
    said = run(site, "--output", str(site / "out"))
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in (site / "out").iterdir()}
    assert modes["callrouter-ari.conf"] == modes["callrouter-manager.conf"] == 0o640
    assert modes["callrouter-extensions.conf"] == 0o640
    assert modes["callrouter-agi"] == 0o755
    assert "password = secret-of-ari\\;1" in (site / "out" / "callrouter-ari.conf").read_text(encoding="utf-8")
    assert f"#include {site}/out/callrouter-extensions.conf" in said.output
    assert "callrouter doctor" in said.output


def test_writing_again_replaces_what_was_there(site: Path) -> None:
    run(site, "--output", str(site / "out"))
    (site / "out" / "callrouter-agi").write_text("old", encoding="utf-8")
    before = set(os.listdir(site / "out"))
    assert run(site, "--output", str(site / "out")).exit_code == 0
    assert set(os.listdir(site / "out")) == before
    assert "route.py" in (site / "out" / "callrouter-agi").read_text(encoding="utf-8")


def test_a_folder_that_cannot_be_made_is_one_line(site: Path) -> None:
    (site / "file").write_text("", encoding="utf-8")
    said = CliRunner().invoke(
        main, ["--config", str(site / "campaigns.yaml"), "asterisk", "conf", "--output", str(site / "file" / "x")]
    )
    assert said.exit_code == 1
    assert said.output.startswith(f"callrouter: {site}/file")
    assert len(said.output.splitlines()) == 1


# --- The dialplan, as Asterisk reads it -----------------------------------------------------------------------


@pytest.fixture(scope="module", autouse=True)
def warm(session_asterisk: Asterisk) -> None:
    """Asterisk makes threads when it first needs them, and keeps them: counting begins after that."""
    session_asterisk.load_dialplan(
        "[callrouter]\nexten => s,1,NoOp(${STRFTIME(,Europe/Paris,%F)})\n same => n,Wait(0.2)\n"
    )
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda _: invite(session_asterisk.ports.sip, None), range(60)))


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    folder = tmp_path / "db.fallback"
    folder.mkdir()
    return folder


def loaded(asterisk: Asterisk, config: Config, spool: Path, **how: float) -> None:
    """The third line alone: there is no AGI script."""
    places = Places("/nonexistent/callrouter-agi", str(spool))
    static = (share("asterisk_conf") / "extensions.conf").read_text(encoding="utf-8")
    asterisk.load_dialplan(generate(config, static, places, datetime.now(UTC), **how))


def ended(spool: Path, calls: int = 1) -> list[dict[str, str]]:
    """The records of the calls that have ended, each file's lines put together, once there are that many."""

    def complete() -> list[Path]:
        return [file for file in sorted(spool.iterdir()) if "&end=" in file.read_text(encoding="utf-8")]

    wait_until(lambda: len(complete()) >= calls, 10, f"{calls} calls are recorded")
    records = []
    for file in complete():
        pairs = (
            pair.partition("=")
            for line in file.read_text(encoding="utf-8").splitlines()
            for pair in line.split("&")
        )
        records.append({key: unquote(value) for key, _, value in pairs})
    return records


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


# --- The other files -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def included(runtime: Path) -> Iterator[tuple[Asterisk, Config]]:
    """An Asterisk with files as a package ships them, ours included in them; and no module but those we name."""
    asterisk = Asterisk(runtime / "included", verbose=3)
    asterisk.prepare()
    config = replace(
        make_config(),
        ari=Ari(asterisk.ari_url, "callrouter", "callrouter"),
        ari_password=Secret("ari;secret"),
        ami=Ami("127.0.0.1", asterisk.ports.ami, "callrouter"),
        ami_password=Secret("ami;secret"),
        database=str(runtime / "included.db"),
    )
    (runtime / "included.db.fallback").mkdir()
    folder = runtime / "included-files"
    folder.mkdir()
    for name, file in build(config, str(folder)).items():
        (folder / name).write_text(file.text, encoding="utf-8")
    stock = {
        "ari.conf": "[general]\nenabled = yes\n",
        "http.conf": "[general]\nservername = Asterisk\n",
        "manager.conf": "[general]\nenabled = no\n",
        "extensions.conf": "[globals]\nTRUNK = x\n\n[default]\nexten => 100,1,Hangup()\n",
    }
    for name, text in stock.items():
        (asterisk.etc / name).write_text(f"{text}\n#include {folder}/callrouter-{name}\n", encoding="utf-8")
    modules = (folder / "callrouter-modules.conf").read_text(encoding="utf-8")
    (asterisk.etc / "modules.conf").write_text(f"{modules}\nautoload = no\n", encoding="utf-8")
    with (asterisk.etc / "asterisk.conf").open("a", encoding="utf-8") as own:
        own.write(f"\n#include {folder}/callrouter-asterisk.conf\n")
    with asterisk:
        yield asterisk, config


def ask(config: Config, path: str, password: str = "", method: str = "GET") -> int:
    login = f"{config.ari.username}:{password or config.ari_password.reveal()}".encode()
    headers = {"Authorization": f"Basic {base64.b64encode(login).decode()}"}
    request = urllib.request.Request(f"{config.ari.url}/{path}", headers=headers, method=method)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def test_the_modules_that_are_named_are_enough(included: tuple[Asterisk, Config], tmp_path: Path) -> None:
    asterisk, config = included
    said = asterisk.log.read_text(encoding="utf-8", errors="replace")
    assert not [line for line in said.splitlines() if "ERROR" in line or ("pbx" in line and "WARNING" in line)]
    with Carrier(asterisk.ports, tmp_path / "phones") as carrier:
        carrier.play({ALICE: Refuse(486), BOB: BUSY})
        assert invite(asterisk.ports.sip, "0184801001") == 486
        assert [call.number for call in carrier.calls()] == [ALICE, BOB]
    said = asterisk.log.read_text(encoding="utf-8", errors="replace")
    assert set(needed_modules()) <= {line.split()[0] for line in asterisk.cli("module show").splitlines() if line}
    assert "No application" not in said
    assert "not registered" not in said
    record = ended(Path(f"{config.database}.fallback"))[-1]
    assert [":BUSY:17:486:" in record[leg] for leg in ("leg1", "leg2")] == [True, True]


def test_they_are_enough_for_a_key_and_for_a_recording(
    included: tuple[Asterisk, Config], spool: Path, tmp_path: Path
) -> None:
    asterisk, config = included
    with wave.open(str(tmp_path / "press-1.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(b"\0\0" * 1600)
    gated = replace(config, campaigns={}, by_number={DID: make_campaign(accept=Accept.PRESS_1, to=["alice"])})
    gated = replace(gated, campaigns={"spring-flyer": gated.by_number[DID]})
    static = (share("asterisk_conf") / "extensions.conf").read_text(encoding="utf-8")
    places = Places("/nonexistent/callrouter-agi", str(spool), sounds=str(tmp_path))
    before = asterisk.log.stat().st_size
    asterisk.load_dialplan(generate(gated, static, places, datetime.now(UTC)))
    with (
        Carrier(asterisk.ports, tmp_path / "phones") as carrier,
        Caller(asterisk.ports, tmp_path / "phones") as caller,
    ):
        carrier.play({ALICE: Answer(ring=0.1, keys="1", keys_after=0.5)})
        caller.place(DID, "+33140000001", hang_up_after=0.2).wait(20)
        (record,) = ended(spool)
    assert (record["salesperson"], record["dialstatus"]) == ("alice", "ANSWER")
    said = asterisk.log.read_bytes()[before:].decode(errors="replace")
    assert "<PJSIP/trunk-" in said
    assert f"Playing '{tmp_path}/press-1" in said
    assert "does not exist in any format" not in said


def test_the_ari_user_may_write_and_only_with_the_password(included: tuple[Asterisk, Config]) -> None:
    _, config = included
    assert ask(config, "asterisk/info") == 200
    assert ask(config, "bridges", method="POST") == 200
    assert ask(config, "asterisk/info", password="wrong") == 401


def test_the_http_server_holds_more_than_the_default_hundred(included: tuple[Asterisk, Config]) -> None:
    import socket

    asterisk, config = included
    lines = [socket.create_connection(("127.0.0.1", asterisk.ports.http)) for _ in range(120)]
    try:
        assert ask(config, "asterisk/info") == 200
    finally:
        for line in lines:
            line.close()


async def test_the_ami_user_may_ask_for_the_trunks_and_not_dial(included: tuple[Asterisk, Config]) -> None:
    _, config = included
    assert config.ami is not None
    assert config.ami_password is not None
    (health,) = await ami.trunk_health(config.ami, config.ami_password, config.trunks.values())
    assert health.contact is ami.Contact.UNQUALIFIED
    connection = await ami.Connection.open(config.ami)
    try:
        await connection.log_in(config.ami_password)
        for action, fields in (
            ("Originate", {"Channel": "Local/100@default", "Application": "NoOp"}),
            ("Command", {"Command": "core show version"}),
            ("UpdateConfig", {"SrcFilename": "ari.conf", "DstFilename": "ari.conf"}),
        ):
            with pytest.raises(RouterError, match="may not do"):
                await connection.ask(action, **fields)
    finally:
        connection.close()
