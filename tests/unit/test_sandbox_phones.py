"""What the phones are told to do, and how their messages are read back."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from sandbox import audio, keys, media, scenarios
from sandbox.audio import ALAW, ULAW, Heard, Packet
from sandbox.behaviours import (
    BUSY,
    VOICEMAIL,
    Answer,
    EarlyMedia,
    Play,
    Redirect,
    Refuse,
    RingOut,
    Screened,
    Silent,
)
from sandbox.ears import Ears
from sandbox.elements import Media
from sandbox.errors import SandboxError
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


BEHAVIOURS: dict[str, Play] = {
    "+33600000001": Answer(),
    "+33600000002": Answer(talk=2.0, keys="1#", speak=True),
    "+33600000003": BUSY,
    "+33600000004": Refuse(603, ring=1.0),
    "+33600000005": RingOut(),
    "+33600000006": EarlyMedia(answer=1.0),
    "+33600000007": EarlyMedia(),
    "+33600000008": Silent(),
    "+33600000009": Answer(provisional=False, keys="5"),
    "+33600000010": [BUSY, Answer(keys="1"), Answer(keys="2", dtmf="info"), RingOut()],
    "+33600000011": [BUSY, RingOut()],
    "+33600000012": Screened(("+33184801001",), then=Answer(tone=700, talk=2.0), otherwise=Refuse(433)),
    "+33600000013": Redirect("+33899123456"),
    "+33600000014": Answer(dtmf="inband", keys="1*", early=True),
    "+33600000015": [VOICEMAIL],
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
    media = Media(keys="1", keys_after=0.1, dtmf="info", speak=True, talk=1.0)
    return scenarios.caller(headers={"X-Did": "1"}, cancel_after=2.0, media=media, offer=True)


def test_each_of_many_mobiles_is_found_in_few_steps() -> None:
    mobiles = {f"+3361200{n:04}": Refuse(486, ring=n / 1000) for n in range(1, 129)}
    tree = ET.fromstring(scenarios.carrier(mobiles, BUSY))  # noqa: S314 - our own text
    tests = [element.get("regexp", "") for element in tree.iter("ereg")]
    assert max(sum(f"\\{number}" in test for test in tests) for number in mobiles) <= 8


def test_mobiles_that_do_the_same_share_a_part() -> None:
    alone = scenarios.carrier({"+331": VOICEMAIL}, BUSY)
    both = scenarios.carrier({"+331": VOICEMAIL, "+332": VOICEMAIL}, BUSY)
    assert both.count("BYE [next_url]") == alone.count("BYE [next_url]") == 1


# --- Keys -------------------------------------------------------------------------------------------------


def test_a_key_is_a_telephone_event(tmp_path: Path) -> None:
    media.write_files(tmp_path)
    for code, key in enumerate(keys.KEYS):
        packets = (tmp_path / f"key{code}.events").read_bytes()
        assert len(packets) % media.PACKET == 0
        assert media.stream(key, inband=False).startswith(f"key{code}.events,1,101,")
        events = [packets[n : n + 4] for n in range(0, len(packets), media.PACKET)]
        assert {event[0] for event in events} == {code}
        assert [event[1] >> 7 for event in events] == [0] * (len(events) - 1) + [1]
        lengths = [int.from_bytes(event[2:], "big") for event in events]
        assert lengths == sorted(set(lengths))


def test_a_key_as_sound_is_its_two_tones_and_a_silence(tmp_path: Path) -> None:
    media.write_files(tmp_path)
    heard = received((tmp_path / "key5.ulaw").read_bytes())
    assert heard.tone(770) == pytest.approx(keys.DOWN)
    assert heard.tone(1336) == pytest.approx(keys.DOWN)
    assert heard.speech(770, 1336) == 0
    assert heard.silence == pytest.approx(keys.KEY_SECONDS - keys.DOWN)


def test_keys_are_pressed_one_by_one_with_pauses_and_never_after_the_end() -> None:
    assert [(round(at, 3), key) for at, key in keys.presses("1w#a", 0.3)] == [(0.3, "1"), (1.0, "#"), (1.2, "A")]
    assert keys.presses("123", 0.3, until=0.5) == [(0.3, "1")]
    with pytest.raises(SandboxError, match="'Z' is no key"):
        keys.presses("1Z", 0.3, until=0.1)


@pytest.mark.parametrize(
    ("how", "offered"),
    [
        (Media(), True),
        (Media(keys="1", dtmf="info"), False),
        (Media(keys="1", dtmf="inband"), False),
        (Media(keys="1", dtmf="inband", events=True), True),
    ],
)
def test_telephone_events_are_offered_where_they_are_used(how: Media, offered: bool) -> None:
    assert ("telephone-event" in how.sdp()) is offered


# --- What is heard ----------------------------------------------------------------------------------------

WORDS = bytes(audio.ulaw(7000 * (((n * n * 31) >> 4) % 200 - 100) / 100) for n in range(8000))
"""A second of noise."""


def received(sound: bytes, begin: float = 100.0, kind: int = ULAW) -> Heard:
    packets = [sound[n : n + audio.SAMPLES] for n in range(0, len(sound), audio.SAMPLES)]
    return Heard(tuple(Packet(begin + n * 0.02, kind, packet) for n, packet in enumerate(packets)))


def test_a_tone_is_found_and_told_from_others() -> None:
    heard = received(audio.tone(700) + audio.SILENCE * 25)
    assert heard.seconds == pytest.approx(1.5)
    assert heard.tone(700) == pytest.approx(1.0)
    assert heard.tone_share(700) == pytest.approx(2 / 3)
    assert heard.tone(600) == heard.tone(800) == heard.tone(1000) == 0
    assert heard.silence == pytest.approx(0.5)
    assert heard.speech(700) == 0
    assert heard.speech(1000) == pytest.approx(1.0)
    assert heard.first_at(700) == pytest.approx(100.0)
    assert heard.last_at(700) == pytest.approx(100.98)
    assert heard.first_at(1000) is heard.last_at(1000) is None


def test_two_tones_at_once_are_both_found_and_are_no_speech() -> None:
    heard = received(audio.tone(700, 1000))
    assert heard.tone(700) == heard.tone(1000) == pytest.approx(1.0)
    assert heard.speech(700, 1000) == 0


def test_words_between_tones_are_found_where_they_were() -> None:
    heard = received(audio.tone(700) + WORDS + audio.tone(700))
    assert heard.speech(700) == pytest.approx(1.0)
    ((begin, end),) = heard.speech_spans(700)
    assert (begin, end) == pytest.approx((101.0, 102.0))
    assert [moment for span in heard.spans(700) for moment in span] == pytest.approx([100.0, 101.0, 102.0, 103.0])


def test_a_click_is_neither_speech_nor_a_tone() -> None:
    assert received(audio.SILENCE * 10 + WORDS[:320] + audio.SILENCE * 10).speech() == 0
    assert received(audio.SILENCE * 10 + audio.tone(700)[:320] + audio.SILENCE * 10).tone(700) == 0


def test_a_law_is_read_as_well() -> None:
    # 0xD5 and 0x55 are A-law's smallest steps up and down (ITU-T G.711, table 1), 0xAA and 0x2A its largest.
    assert received(b"\xd5\x55" * 800, kind=ALAW).silence == pytest.approx(0.2)
    loud = received(b"\xaa\xaa\x2a\x2a" * 400, kind=ALAW)
    assert loud.silence == 0
    assert loud.tone(2000) == pytest.approx(0.2)


def test_events_are_no_sound() -> None:
    assert received(b"\x01\x0a\x00\xa0", kind=keys.EVENT_PAYLOAD).seconds == 0


def test_nothing_received_is_nothing_heard() -> None:
    heard = Heard(())
    assert (heard.seconds, heard.tone_share(700), heard.speech(), heard.spans(700)) == (0, 0, 0, ())


def test_a_phone_that_was_not_asked_to_listen_says_so(log: Path) -> None:
    ears = Ears(log, 1)
    try:
        with pytest.raises(SandboxError, match="give it a tone or listen=True"):
            ears.heard(CALL)
        with pytest.raises(SandboxError, match="give it a tone or listen=True"):
            ears.press(CALL, "1")
    finally:
        ears.close()
