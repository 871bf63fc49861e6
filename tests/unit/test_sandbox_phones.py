"""What the phones are told to do, and how their messages are read back."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from sandbox import media, scenarios
from sandbox.behaviours import BUSY, Answer, Behaviour, EarlyMedia, Refuse, RingOut, Silent
from sandbox.sip_log import MessageLog

CALL = "call-1@caller"


def entry(direction: str, second: float, text: str) -> bytes:
    body = text.replace("\n", "\r\n").encode() + b"\r\n\r\n"
    head = f"----------------------------------------------- 2026-11-22T10:00:{second:09.6f}Z\n"
    return f"{head}UDP message {direction} [{len(body)}] bytes:\n\n".encode() + body + b"\n"


def request(method: str, cseq: int = 1, uri: str = "sip:+33612345678@127.0.0.1:10003;transport=UDP") -> str:
    return f'{method} {uri} SIP/2.0\nFrom: "Zoé" <sip:+33145678901@x>;tag=1\nCall-ID: {CALL}\nCSeq: {cseq} {method}'


def response(status: str, method: str = "INVITE") -> str:
    return f"SIP/2.0 {status}\nCall-ID: {CALL}\nCSeq: 1 {method}"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "messages"


def write(log: Path, *entries: bytes) -> MessageLog:
    log.write_bytes(b"".join(entries))
    return MessageLog(log)


def test_a_dialog_is_read_in_order(log: Path) -> None:
    (dialog,) = write(
        log,
        entry("received", 1.0, request("INVITE")),
        entry("sent", 1.25, response("180 Ringing")),
        entry("sent", 2.0, response("200 OK")),
        entry("received", 2.001, request("ACK")),
        entry("received", 3.5, request("BYE", 2)),
        entry("sent", 3.5001, response("200 OK", "BYE")),
    ).dialogs()
    assert dialog.sequence == ("<INVITE", ">180", ">200", "<ACK", "<BYE", ">200/BYE")
    assert dialog.number == "+33612345678"
    assert dialog.codes == (180, 200)
    assert dialog.final == 200
    assert dialog.took("INVITE", 180) == pytest.approx(0.25, abs=1e-5)
    assert dialog.took(200, "BYE") == pytest.approx(1.5, abs=1e-5)
    assert dialog.hung_up_by_us is False
    assert not dialog.live
    assert dialog.ended_at == dialog.at("BYE")
    assert dialog.invite.header("from") == '"Zoé" <sip:+33145678901@x>;tag=1'
    assert dialog.invited_at == pytest.approx(1795341601.0)


def test_a_call_that_goes_on_has_no_end(log: Path) -> None:
    (dialog,) = write(
        log, entry("sent", 1, request("INVITE")), entry("received", 2, response("100 Trying"))
    ).dialogs()
    assert dialog.final is None
    assert dialog.hung_up_by_us is None
    assert dialog.live


@pytest.mark.parametrize(
    "last", [entry("received", 2, response("486 Busy Here")), entry("sent", 2, request("CANCEL"))]
)
def test_a_refusal_or_a_cancel_is_an_end(last: bytes, log: Path) -> None:
    (dialog,) = write(log, entry("sent", 1, request("INVITE")), last).dialogs()
    assert not dialog.live


def test_what_was_not_seen_is_named(log: Path) -> None:
    (dialog,) = write(log, entry("sent", 1, request("INVITE"))).dialogs()
    with pytest.raises(LookupError, match=r"200 was not seen; seen: >INVITE"):
        dialog.took("INVITE", 200)
    with pytest.raises(LookupError, match="BYE was not seen"):
        dialog.took("BYE", "INVITE")


def test_a_half_written_message_is_read_when_it_is_whole(log: Path) -> None:
    whole = entry("sent", 1, request("INVITE")) + entry("received", 2, response("180 Ringing"))
    for cut in range(1, len(whole), 7):
        log.write_bytes(whole[:cut])
        reader = MessageLog(log)
        reader.dialogs()
        log.write_bytes(whole)
        assert [dialog.sequence for dialog in reader.dialogs()] == [(">INVITE", "<180")]


def test_messages_out_of_any_call_are_no_dialog(log: Path) -> None:
    assert write(log, entry("received", 1, request("OPTIONS"))).dialogs() == ()


def test_no_file_yet_is_no_dialog(log: Path) -> None:
    assert MessageLog(log).dialogs() == ()


def test_forget_drops_what_was_read(log: Path) -> None:
    reader = write(log, entry("sent", 1, request("INVITE")))
    reader.forget()
    assert reader.dialogs() == ()


BEHAVIOURS: dict[str, Behaviour] = {
    "+33600000001": Answer(),
    "+33600000002": Answer(talk=2.0, keys="1#", speak=True),
    "+33600000003": BUSY,
    "+33600000004": Refuse(603, ring=1.0),
    "+33600000005": RingOut(),
    "+33600000006": EarlyMedia(answer=1.0),
    "+33600000007": EarlyMedia(),
    "+33600000008": Silent(),
    "+33600000009": Answer(provisional=False, keys="5"),
}


def test_every_label_that_is_jumped_to_stands_once() -> None:
    for text in (scenarios.carrier(BEHAVIOURS, BUSY), scenarios.carrier({}, RingOut()), caller_scenario()):
        tree = ET.fromstring(text)  # noqa: S314 - our own text
        labels = [label.get("id") for label in tree.iter("label")]
        wanted = {element.get("next") for element in tree.iter() if element.get("next")}
        assert len(labels) == len(set(labels))
        assert wanted <= set(labels)


def test_the_longer_of_two_numbers_is_not_taken_for_the_shorter() -> None:
    text = scenarios.carrier({"+331": BUSY, "+3312": RingOut()}, Silent())
    assert r"sip:\+331[;@]" in text


def test_a_mute_phone_opens_no_media_port() -> None:
    assert "rtpstream" not in scenarios.carrier({"+331": Answer()}, BUSY)
    assert "rtpstream" in scenarios.carrier({"+331": Answer(speak=True)}, BUSY)


def caller_scenario() -> str:
    return scenarios.caller(
        headers={"X-Did": "1"},
        hang_up_after=1.0,
        cancel_after=2.0,
        keys="1",
        keys_after=0.1,
        speak=True,
        offer=True,
    )


def test_a_key_is_a_telephone_event(tmp_path: Path) -> None:
    media.write_files(tmp_path)
    for code, key in enumerate(media.KEYS):
        packets = (tmp_path / media.key_file(key)).read_bytes()
        assert len(packets) % media.PACKET == 0
        events = [packets[n : n + 4] for n in range(0, len(packets), media.PACKET)]
        assert {event[0] for event in events} == {code}
        assert [event[1] >> 7 for event in events] == [0] * (len(events) - 1) + [1]
        lengths = [int.from_bytes(event[2:], "big") for event in events]
        assert lengths == sorted(set(lengths))


def test_the_tone_is_a_second_of_sound(tmp_path: Path) -> None:
    media.write_files(tmp_path)
    tone = (tmp_path / "tone.ulaw").read_bytes()
    assert len(tone) == 8000
    assert len(set(tone)) > 20
