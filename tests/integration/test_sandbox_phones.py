"""What the phones press, say and hear, and how mobiles differ from call to call, on the private Asterisk."""

from __future__ import annotations

import time

import pytest

from sandbox import processes
from sandbox.asterisk import Asterisk
from sandbox.behaviours import BUSY, VOICEMAIL, Answer, Dtmf, EarlyMedia, Redirect, Refuse, RingOut, Screened
from sandbox.errors import SandboxError
from sandbox.phones import Caller, Carrier
from tests.waiting import SOON

pytestmark = pytest.mark.asterisk

MOBILE, OTHER = "+33612345678", "+33687654321"
DID = "+33184801001"
WHISPERED = "+33184801002"
MENU = "+33184801003"
PLAIN = f"""\
[callrouter]
exten => {DID},1,Dial(PJSIP/{MOBILE}@trunk,10)
 same => n,Hangup(${{HANGUPCAUSE}})
exten => {WHISPERED},1,Dial(PJSIP/{MOBILE}@trunk,10,U(keys))
exten => {MENU},1,Answer()
 same => n,Read(KEYS,,4,,,3)
 same => n,Set(GLOBAL(PRESSED)=${{KEYS}})
 same => n,Hangup()
exten => _+336.,1,Dial(PJSIP/${{EXTEN}}@trunk,10)
 same => n,Hangup(${{HANGUPCAUSE}})
[keys]
exten => s,1,Read(KEYS,demo-thanks,4,,,3)
 same => n,Set(GLOBAL(PRESSED)=${{KEYS}})
 same => n,Return()
"""
WAYS: list[Dtmf] = ["rfc4733", "info", "info-plain", "inband"]
TO_CALLER, TO_MOBILE = 700, 1000
"""The mobile's tone and the caller's, in Hz."""


@pytest.fixture(autouse=True)
def plain_dial(asterisk: Asterisk) -> None:
    asterisk.load_dialplan(PLAIN)
    asterisk.cli("dialplan set global PRESSED none")


def pressed(asterisk: Asterisk) -> str:
    lines = asterisk.cli("dialplan show globals").splitlines()
    return {name.strip(): value for name, _, value in (line.partition("=") for line in lines)}["PRESSED"]


# --- Keys -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtmf", WAYS)
@pytest.mark.parametrize("tone", [0, TO_CALLER])
def test_a_mobile_presses_keys(dtmf: Dtmf, tone: int, asterisk: Asterisk, carrier: Carrier, caller: Caller) -> None:
    carrier.play({MOBILE: Answer(ring=0.1, keys="0*9A", dtmf=dtmf, tone=tone)})
    placed = caller.place(WHISPERED)
    processes.wait_until(lambda: pressed(asterisk) != "none", 5, "keys are read")
    placed.stop()
    asterisk.cli("channel request hangup all")
    assert pressed(asterisk) == "0*9A"


@pytest.mark.parametrize("dtmf", WAYS)
@pytest.mark.parametrize("listen", [False, True])
def test_a_caller_presses_keys(dtmf: Dtmf, listen: bool, asterisk: Asterisk, caller: Caller) -> None:
    caller.place(MENU, keys="47w11", dtmf=dtmf, listen=listen).wait(10)
    assert pressed(asterisk) == "4711"


@pytest.mark.parametrize("dtmf", ["info", "info-plain"])
def test_a_phone_may_agree_on_events_and_send_info(dtmf: Dtmf, asterisk: Asterisk, caller: Caller) -> None:
    caller.place(MENU, keys="4711", dtmf=dtmf, events=True).wait(10)
    assert pressed(asterisk) == "4711"


def test_tones_from_a_phone_that_agreed_on_events_are_not_heard(asterisk: Asterisk, caller: Caller) -> None:
    """Such a carrier needs `dtmf_mode = inband` (asterisk_conf/trunk.conf)."""
    caller.place(MENU, keys="4711", dtmf="inband", events=True).wait(10)
    assert pressed(asterisk) == ""


def test_dtmf_mode_inband_hears_tones_whatever_the_phone_offers(asterisk: Asterisk, caller: Caller) -> None:
    file = asterisk.etc / "pjsip.conf"
    before = file.read_text(encoding="utf-8")

    def configured(text: str, mode: str) -> None:
        file.write_text(text, encoding="utf-8")
        asterisk.cli("module reload res_pjsip.so")
        processes.wait_until(lambda: mode in _mode(asterisk), 10, f"the trunk has dtmf_mode {mode}")

    configured(before.replace("dtmf_mode = auto", "dtmf_mode = inband"), "inband")
    try:
        for dtmf in ("inband", "info"):
            asterisk.cli("dialplan set global PRESSED none")
            caller.place(MENU, keys="4711", dtmf=dtmf, events=True).wait(10)
            assert pressed(asterisk) == "4711"
    finally:
        configured(before, "auto")


def _mode(asterisk: Asterisk) -> str:
    lines = asterisk.cli("pjsip show endpoint trunk").splitlines()
    return next((line for line in lines if line.strip().startswith("dtmf_mode")), "")


def test_a_phone_that_is_heard_presses_keys_at_will(asterisk: Asterisk, caller: Caller) -> None:
    placed = caller.place(MENU, listen=True)
    processes.wait_until(lambda: placed.dialog.final, 5, "the menu answers")
    placed.press("47")
    placed.press("11")
    processes.wait_until(lambda: pressed(asterisk) == "4711", 5, "keys are read")
    placed.wait(5)


def test_who_hangs_up_early_presses_no_more_keys(caller: Caller) -> None:
    for dtmf in WAYS:
        placed = caller.place(MENU, keys="1111", keys_after=0.1, dtmf=dtmf, hang_up_after=0.35).wait(10)
        assert 0.35 <= placed.dialog.took(200, "BYE") < 0.35 + SOON
        infos = [message for message in placed.dialog.messages if message.method == "INFO" and message.sent]
        assert len(infos) == (2 if dtmf.startswith("info") else 0)


# --- What is heard ----------------------------------------------------------------------------------------


def test_each_side_hears_the_others_tone_and_nothing_else(carrier: Carrier, caller: Caller) -> None:
    carrier.play({MOBILE: Answer(ring=0.1, tone=TO_CALLER)})
    placed = caller.place(DID, tone=TO_MOBILE, hang_up_after=1.0).wait(10)
    mobile = carrier.calls(MOBILE)[0]
    for heard, wanted, own in (
        (placed.heard(), TO_CALLER, TO_MOBILE),
        (carrier.heard(mobile), TO_MOBILE, TO_CALLER),
    ):
        assert heard.tone(wanted) > 0.7
        assert heard.tone(own) == 0
        assert heard.speech(wanted) == 0
        first, last = heard.first_at(wanted), heard.last_at(wanted)
        assert first is not None
        assert last is not None
        assert 0 <= first - (mobile.at(200) or 0) < SOON
        assert last <= (placed.dialog.at("BYE") or 0) + 0.1


def test_only_the_mobile_hears_the_whisper(carrier: Carrier, caller: Caller) -> None:
    carrier.play({MOBILE: Answer(ring=0.1, tone=TO_CALLER, keys="1234", keys_after=1.5)})
    placed = caller.place(WHISPERED, tone=TO_MOBILE, hang_up_after=0.5).wait(20)
    whispered, heard = carrier.heard(carrier.calls(MOBILE)[0]), placed.heard()
    assert whispered.speech(TO_MOBILE) > 0.8
    assert heard.speech(TO_CALLER) == 0
    assert heard.tone(TO_CALLER) > 0.2
    assert whispered.speech_spans(TO_MOBILE)[-1][1] <= (heard.first_at(TO_CALLER) or 0)
    assert (heard.first_at(TO_CALLER) or 0) >= (placed.dialog.at(200) or 0) - 0.05


def test_early_media_is_heard_before_the_answer(carrier: Carrier, caller: Caller) -> None:
    carrier.play({MOBILE: EarlyMedia(answer=0.6, tone=TO_CALLER)})
    placed = caller.place(DID, listen=True, hang_up_after=0.1).wait(10)
    assert (placed.heard().first_at(TO_CALLER) or 0) < (placed.dialog.at(200) or 0) - 0.3


def test_twenty_calls_at_once_are_each_heard(carrier: Carrier, caller: Caller) -> None:
    tones = [600 + 100 * n for n in range(20)]
    mobiles = [f"+336111100{n:02}" for n in range(20)]
    carrier.play({number: Answer(ring=0.1, tone=tone) for number, tone in zip(mobiles, tones, strict=True)})
    calls = [caller.place(number, listen=True, hang_up_after=1.0) for number in mobiles]
    for number, tone, placed in zip(mobiles, tones, calls, strict=True):
        heard = placed.wait(20).heard()
        assert heard.tone(tone) > 0.6, number
        assert heard.speech(tone) == 0, number


def test_a_phone_that_does_not_listen_says_so(carrier: Carrier, caller: Caller) -> None:
    carrier.play({MOBILE: Answer(ring=0.1, tone=TO_CALLER), OTHER: Answer(ring=0.1)})
    caller.place(OTHER, hang_up_after=0.1).wait(10)
    with pytest.raises(SandboxError, match="not asked to listen"):
        carrier.heard(carrier.calls(OTHER)[0])


# --- Mobiles that change, look and redirect ---------------------------------------------------------------


def test_a_mobile_does_something_else_each_time(carrier: Carrier, caller: Caller) -> None:
    carrier.play({MOBILE: [BUSY, Answer(ring=0.1), Refuse(603)], OTHER: [Refuse(480), BUSY]})
    for _ in range(4):
        caller.place(MOBILE, hang_up_after=0.1).wait(10)
        caller.place(OTHER).wait(10)
    assert [dialog.final for dialog in carrier.calls(MOBILE)] == [486, 200, 603, 603]
    assert [dialog.final for dialog in carrier.calls(OTHER)] == [480, 486, 486, 486]


def test_a_hundred_mobiles_each_do_their_own(carrier: Carrier, caller: Caller) -> None:
    codes = (404, 480, 486, 503, 603)
    mobiles = {f"+33611110{n:03}": Refuse(codes[n % 5], ring=0.1 + n / 1000) for n in range(100)}
    carrier.play(mobiles)
    caller.place(list(mobiles), calls=100, rate=60).wait(30)
    for number, behaviour in mobiles.items():
        (dialog,) = carrier.calls(number)
        assert dialog.final == behaviour.code
        assert behaviour.ring <= dialog.took("INVITE", behaviour.code) < behaviour.ring + 0.2
        assert carrier.dialog(dialog.call_id) == dialog


def test_a_carrier_refuses_a_caller_id_that_is_not_ours(carrier: Carrier, caller: Caller) -> None:
    carrier.play({MOBILE: Screened(("+33184801001", "+33184801002"), Answer(ring=0.1), Refuse(433))})
    finals = {}
    for shown in ("+33184801002", "+33145678901", "anonymous", "+331848010020"):
        caller.place(MOBILE, shown, hang_up_after=0.1).wait(10)
        finals[shown] = carrier.calls(MOBILE)[-1].final
    assert finals == {"+33184801002": 200, "+33145678901": 433, "anonymous": 433, "+331848010020": 433}


def test_a_mobile_redirects(carrier: Carrier, caller: Caller) -> None:
    carrier.play({MOBILE: Redirect("+33899123456")})
    caller.place(MOBILE).wait(10)
    dialog = carrier.calls(MOBILE)[0]
    assert dialog.sequence == ("<INVITE", ">302", "<ACK")
    assert dialog.messages[1].header("Contact").startswith("<sip:+33899123456@127.0.0.1")


def test_a_mobile_may_ring_with_early_media_and_answer(carrier: Carrier, caller: Caller) -> None:
    carrier.play({MOBILE: Answer(ring=0.3, early=True)})
    caller.place(MOBILE, hang_up_after=0.1).wait(10)
    assert carrier.calls(MOBILE)[0].codes == (183, 200)


def test_a_mailbox_talks_and_presses_nothing(asterisk: Asterisk, carrier: Carrier, caller: Caller) -> None:
    carrier.play({MOBILE: VOICEMAIL})
    with caller.place(WHISPERED, tone=TO_MOBILE) as placed:
        processes.wait_until(lambda: pressed(asterisk) == "", 20, "no key was read")
        processes.wait_until(lambda: placed.dialog.final == 200, 5, "a plain Dial takes it for an answer")
        assert carrier.calls(MOBILE)[0].live
    asterisk.cli("channel request hangup all")


def test_a_trunk_has_mobiles_of_its_own(asterisk: Asterisk, carrier: Carrier, second_carrier: Carrier) -> None:
    carrier.play({MOBILE: BUSY})
    second_carrier.play({MOBILE: RingOut()})
    for trunk in ("trunk", "backup"):
        asterisk.cli(f"channel originate PJSIP/{MOBILE}@{trunk} application Wait 1")
    processes.wait_until(lambda: carrier.calls(MOBILE) and carrier.calls(MOBILE)[0].final, 5, "the first is busy")
    processes.wait_until(
        lambda: second_carrier.calls(MOBILE) and second_carrier.calls(MOBILE)[0].at(180), 5, "the second rings"
    )
    asterisk.cli("channel request hangup all")
    processes.wait_until(lambda: second_carrier.calls(MOBILE)[0].at("ACK"), 5, "the second is cancelled to its end")
    assert carrier.calls(MOBILE)[0].final == 486


def test_who_leaves_at_a_moment_leaves_at_that_moment(carrier: Carrier, caller: Caller) -> None:
    carrier.play({MOBILE: Answer(ring=0.5)})
    began = time.time()
    for cancel_after, hang_up_after in ((0.11, 5), (0.37, 5), (5, 0.05), (5, 0.23)):
        dialog = caller.place(MOBILE, cancel_after=cancel_after, hang_up_after=hang_up_after).wait(10).dialog
        if cancel_after < 1:
            assert cancel_after <= dialog.took("INVITE", "CANCEL") < cancel_after + 0.05
        else:
            assert hang_up_after <= dialog.took(200, "BYE") < hang_up_after + 0.05
        assert dialog.invited_at > began
