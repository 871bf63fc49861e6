"""A SIP scanner on the files that are shipped: whoever is not the carrier reaches no dialplan, whatever is sent."""

from __future__ import annotations

import re
import socket
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from router.commands.asterisk import build
from router.model import Ami, Ari, Secret
from sandbox.asterisk import Asterisk
from sandbox.phones import Carrier
from sandbox.processes import wait_until
from sandbox.raw_sip import RawCaller
from tests.attacks.test_dial_string_injection import EVIL
from tests.build import make_config

pytestmark = pytest.mark.asterisk

STRANGER = "127.0.0.66"
"""An address that no trunk comes from; all of 127.0.0.0/8 is this machine."""
REFUSED = {401, 403, 404, 405, 481, 489, 501}


@pytest.fixture(scope="module")
def asterisk(runtime: Path) -> Iterator[Asterisk]:
    """Its pjsip.conf is the shipped one, with a transport and the carrier's address filled in, as its notes say."""
    started = Asterisk(runtime / "scanned", verbose=3)
    started.prepare()
    ports = started.ports
    config = replace(
        make_config(),
        ari=Ari(started.ari_url, "callrouter", "callrouter"),
        ari_password=Secret("ari-secret"),
        ami=Ami("127.0.0.1", ports.ami, "callrouter"),
        ami_password=Secret("ami-secret"),
        database=str(runtime / "scanned.db"),
    )
    folder = runtime / "scanned-files"
    folder.mkdir()
    for name, file in build(config, str(folder)).items():
        (folder / name).write_text(file.text, encoding="utf-8")
    shipped = (folder / "callrouter-pjsip.conf").read_text(encoding="utf-8")
    assert "anonymous" not in shipped
    assert not re.search(r"^type *= *identify", shipped, re.MULTILINE)
    ours = shipped.replace("sip.carrier.example", f"127.0.0.1:{ports.carrier}")
    transport = f"[transport-udp]\ntype = transport\nprotocol = udp\nbind = 127.0.0.1:{ports.sip}\n"
    (started.etc / "pjsip.conf").write_text(f"{transport}\n{ours}", encoding="utf-8")
    (started.etc / "extensions.conf").write_text(
        f"#include {folder}/callrouter-extensions.conf\n", encoding="utf-8"
    )
    with started:
        yield started


@pytest.fixture(autouse=True)
def nothing_came_of_it(asterisk: Asterisk, tmp_path: Path) -> Iterator[None]:
    """No call has reached the dialplan, no channel is there, and no phone has been dialled."""
    said = asterisk.log.stat().st_size
    with Carrier(asterisk.ports, tmp_path / "phones") as carrier:
        carrier.play({})
        yield
        assert asterisk.running
        assert asterisk.channels() == ()
        assert "@callrouter" not in asterisk.log.read_bytes()[said:].decode(errors="replace")
        assert carrier.calls() == ()


def test_the_shipped_endpoints_are_there(asterisk: Asterisk) -> None:
    shown = asterisk.cli("pjsip show endpoints")
    assert "trunk" in shown
    assert "anonymous" not in shown


def test_a_call_that_reaches_the_dialplan_would_be_seen(runtime: Path, asterisk: Asterisk) -> None:
    """The measure of the other tests, on an Asterisk whose files let this machine in."""
    with Asterisk(runtime / "open", verbose=3) as open_door, RawCaller(open_door.ports.sip, "1") as call:
        assert call.status() >= 400
        assert "@callrouter" in open_door.log.read_text(encoding="utf-8", errors="replace")
    assert asterisk.running


@pytest.mark.parametrize("caller", ["<sip:100@127.0.0.1>", "<sip:trunk@127.0.0.1>", "<sip:anonymous@127.0.0.1>"])
@pytest.mark.parametrize(
    "user", ["+33184801001", "100", "s", "h", "*97", "00972599123456", "+33899123456", "PJSIP%2Ftrunk"]
)
def test_an_invite_of_a_stranger_is_no_call(asterisk: Asterisk, user: str, caller: str) -> None:
    with RawCaller(asterisk.ports.sip, user, caller=caller, address=STRANGER) as call:
        assert call.status() in REFUSED


def test_a_stranger_with_every_evil_text_is_no_call(asterisk: Asterisk) -> None:
    for evil in EVIL:
        with RawCaller(asterisk.ports.sip, evil, headers=f"X-Did: {evil}\r\n", address=STRANGER) as call:
            assert call.status(0.3) in {*REFUSED, 0, 400, 416}


def scan(asterisk: Asterisk, message: str) -> int:
    """The final status of a request, 0 for none within a moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.bind((STRANGER, 0))
        line.settimeout(2)
        text = message.format(
            here=f"{STRANGER}:{line.getsockname()[1]}", port=asterisk.ports.sip, id=uuid.uuid4().hex
        )
        line.sendto(text.encode(errors="surrogateescape"), ("127.0.0.1", asterisk.ports.sip))
        try:
            while True:
                answer = line.recv(65536).decode(errors="replace")
                status = int(answer.split(" ", 2)[1]) if answer.startswith("SIP/2.0 ") else 0
                if status >= 200:
                    return status
        except TimeoutError:
            return 0


COMMON = (
    "Via: SIP/2.0/UDP {here};branch=z9hG4bK{id}\r\nMax-Forwards: 70\r\nFrom: <sip:trunk@127.0.0.1>;tag=x\r\n"
    "To: <sip:trunk@127.0.0.1>\r\nCall-ID: {id}\r\nContact: <sip:x@{here}>\r\n"
)
REQUESTS = {
    "OPTIONS": "",
    "REGISTER": "Expires: 3600\r\n",
    "SUBSCRIBE": "Event: presence\r\nExpires: 3600\r\n",
    "NOTIFY": "Event: check-sync\r\nSubscription-State: active\r\n",
    "PUBLISH": "Event: presence\r\nExpires: 3600\r\n",
    "MESSAGE": "Content-Type: text/plain\r\n",
    "INFO": "Content-Type: application/dtmf-relay\r\n",
    "REFER": "Refer-To: <sip:+33899123456@127.0.0.1>\r\n",
    "UPDATE": "",
    "BYE": "",
    "PRACK": "",
    "NONSENSE": "",
}


@pytest.mark.parametrize("method", REQUESTS)
@pytest.mark.parametrize("user", ["", "trunk@", "100@"])
def test_no_other_request_of_a_stranger_is_obeyed(asterisk: Asterisk, method: str, user: str) -> None:
    line = f"{method} sip:{user}127.0.0.1:{{port}} SIP/2.0\r\n"
    body = f"CSeq: 1 {method}\r\n{REQUESTS[method]}Content-Length: 0\r\n\r\n"
    assert scan(asterisk, line + COMMON + body) in {*REFUSED, 0}


def test_a_stranger_registers_as_nobody(asterisk: Asterisk) -> None:
    """With a user and a password too: no trunk of ours takes registrations."""
    login = 'Authorization: Digest username="trunk",realm="asterisk",nonce="0",uri="sip:x",response="0"\r\n'
    line = "REGISTER sip:127.0.0.1:{port} SIP/2.0\r\n"
    assert scan(asterisk, f"{line}{COMMON}CSeq: 1 REGISTER\r\n{login}Content-Length: 0\r\n\r\n") in {*REFUSED, 0}
    assert STRANGER not in asterisk.cli("pjsip show contacts")


MALFORMED = [
    b"",
    b"\0" * 2000,
    b"\r\n\r\n",
    b"INVITE",
    b"INVITE sip:+33184801001@127.0.0.1 SIP/2.0\r\n\r\n",
    b"INVITE sip:+33184801001@127.0.0.1 SIP/3.0\r\nVia: x\r\n\r\n",
    b"SIP/2.0 200 OK\r\n\r\n",
    b"SIP/2.0 302 Moved\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKx\r\nContact: <sip:+33899123456@h>\r\n\r\n",
    b"INVITE " + b"a" * 60_000 + b" SIP/2.0\r\n\r\n",
    b"INVITE sip:x@127.0.0.1 SIP/2.0\r\n" + b"Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\n" * 1500 + b"\r\n",
    b"INVITE sip:x@127.0.0.1 SIP/2.0\r\nContent-Length: -1\r\nContent-Length: 99999999999\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    bytes(range(256)) * 8,
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\xff" * 500,
]


def test_malformed_datagrams_by_the_thousand_disturb_nobody(asterisk: Asterisk) -> None:
    memory, descriptors = asterisk.memory(), asterisk.descriptors()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.bind((STRANGER, 0))
        for number in range(2000):
            line.sendto(MALFORMED[number % len(MALFORMED)], ("127.0.0.1", asterisk.ports.sip))
    login = f"OPTIONS sip:127.0.0.1:{{port}} SIP/2.0\r\n{COMMON}CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    wait_until(lambda: scan(asterisk, login) in REFUSED, 20, "it answers as before")
    assert asterisk.descriptors() <= descriptors
    assert asterisk.memory() < memory + 30 * 2**20
