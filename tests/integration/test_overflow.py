"""Nobody took the call, or it is closed: a second list, another number, words, a message. Real Asterisk."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Final

import pytest

from sandbox.behaviours import BUSY, Answer, Redirect, RingOut
from sandbox.sip_log import STAMP_SLACK
from tests.integration.recordings import BEEP, heard_in, in_order, record
from tests.integration.site import ALICE, BOB, CAROL, Call, Site, campaigns

pytestmark = pytest.mark.asterisk

SECOND, NUMBER, WORDS, MESSAGE, BOTH, MUTE, CLOSED, ON_CALL, CLOSED_MESSAGE, NEXT = (
    f"+3318480103{digit}" for digit in range(10)
)
AGENCY: Final = "+33145000000"
PREMIUM: Final = "+33899123456"
SORRY, LEAVE, CALLER, MOBILE = 900, 1300, 700, 1900
"""Hz: what the announcements say, and what the two sides say."""


@pytest.fixture(scope="module", autouse=True)
def overflows(site: Site) -> None:
    for name, frequency in (("sorry", SORRY), ("leave", LEAVE)):
        record(site.folder / f"{name}.wav", frequency)
    sorry, leave = {"play": "sorry.wav"}, {"play": "leave.wav"}
    message = {"announcement": leave, "longest": "5s"}
    content = campaigns(site.asterisk, speech={"command": "false {text} {file}"})
    content["defaults"]["ring"] = {"strategy": "sequential", "timeout": "1s", "max_wait": "6s"}
    overflow: dict[str, tuple[str, dict[str, Any]]] = {
        "second": (SECOND, {"ring": {"to": ["bob", "carol"]}}),
        "number": (NUMBER, {"ring": {"to": ["bob"]}, "number": AGENCY, "timeout": "2s"}),
        "words": (WORDS, {"announcement": sorry}),
        "message": (MESSAGE, {"voicemail": message}),
        "both": (BOTH, {"announcement": sorry, "voicemail": message}),
        "mute": (MUTE, {"voicemail": {"announcement": {"say": "Nobody can speak this."}}}),
    }
    content["campaigns"] = {
        name: {"numbers": [did], "ring": {"to": ["alice"]}, "overflow": after}
        for name, (did, after) in overflow.items()
    }
    # The gate is for people; another company's switchboard presses no key.
    content["campaigns"]["number"] |= {"accept": "press-1", "accept_timeout": "3s"}
    content["campaigns"]["next"] = {"numbers": [NEXT], "ring": {"to": ["alice", "bob"]}}
    closed = {"closed": (CLOSED, {"announcement": sorry}), "on-call": (ON_CALL, {"ring": {"to": ["carol"]}})}
    closed["closed-message"] = (CLOSED_MESSAGE, {"voicemail": message})
    for name, (did, after) in closed.items():
        shut = {"numbers": [did], "hours": "never-now", "ring": {"to": ["alice"]}, "closed": after}
        content["campaigns"][name] = shut
    site.configure(content)


def message_file(site: Site, name: str) -> Path:
    return site.asterisk.folder / "spool" / "recording" / f"{name}.wav"


def messages(site: Site) -> set[str]:
    return {file.name for file in (site.asterisk.folder / "spool" / "recording").rglob("*")}


def speaks(site: Site, call: Call, seconds: float) -> None:
    """Wait until the caller has spoken for so long behind the tone."""
    site.until(lambda: time.time() - (call.placed.heard().first_at(BEEP) or time.time()) > seconds, "has spoken")


# --- Others ring ------------------------------------------------------------------------------------------


def test_the_second_list_rings_when_the_first_is_through(running: Site) -> None:
    running.mobiles({ALICE: RingOut(), BOB: BUSY, CAROL: Answer(ring=0.2)})
    call = running.call(SECOND, hang_up_after=0.1)
    row = call.ended()
    assert (row["outcome"], row["salesperson"]) == ("answered", "carol")
    assert call.results() == [("alice", "no_answer"), ("bob", "busy"), ("carol", "accepted")]
    (alice,), (bob,) = running.carrier.calls(ALICE), running.carrier.calls(BOB)
    assert bob.invited_at > alice.at("CANCEL") - STAMP_SLACK


def test_nobody_on_either_list_is_the_outcome_of_both(running: Site) -> None:
    running.mobiles({ALICE: RingOut(), BOB: BUSY, CAROL: BUSY})
    call = running.call(SECOND)
    assert call.ended()["outcome"] == "no_answer"
    assert len(call.callbacks()) == 1


def test_the_other_number_needs_no_key(running: Site) -> None:
    running.mobiles({ALICE: BUSY, BOB: BUSY, AGENCY: Answer(ring=0.2, tone=MOBILE)})
    call = running.call(NUMBER, tone=CALLER, hang_up_after=2.0)
    row = call.ended()
    assert (row["outcome"], row["salesperson"]) == ("answered", "overflow")
    assert call.results() == [("alice", "busy"), ("bob", "busy"), ("overflow", "accepted")]
    (agency,) = running.carrier.calls(AGENCY)
    heard = running.carrier.heard(agency)
    assert call.placed.heard().tone(MOBILE) > 0.5
    assert heard.tone(CALLER) > 0.5
    assert heard.speech(CALLER) == 0, "no whisper"


def test_a_person_on_the_second_list_needs_a_key(running: Site) -> None:
    running.mobiles({ALICE: BUSY, BOB: Answer(ring=0.1), AGENCY: BUSY})
    call = running.call(NUMBER)
    assert call.ended()["outcome"] == "no_answer"
    assert call.results() == [("alice", "busy"), ("bob", "not_accepted"), ("overflow", "busy")]


def test_a_redirect_is_refused_and_the_next_person_rings(running: Site) -> None:
    running.mobiles({ALICE: Redirect(PREMIUM), PREMIUM: Answer(ring=0.1), BOB: Answer(ring=0.3)})
    call = running.call(NEXT, hang_up_after=0.2)
    row = call.ended()
    assert (row["outcome"], row["salesperson"]) == ("answered", "bob")
    assert running.carrier.calls(PREMIUM) == ()
    results = dict(call.results())
    assert results == {"alice": "unreachable", "bob": "accepted"}
    running.quiet()
    assert {dialog.number for dialog in running.carrier.calls()} == {ALICE, BOB}


# --- Words ------------------------------------------------------------------------------------------------


def test_an_announcement_is_heard_and_changes_no_outcome(running: Site) -> None:
    running.mobiles({ALICE: RingOut()})
    call = running.call(WORDS, listen=True)
    row = call.ended()
    assert (row["outcome"], row["hangup_by"], row["answered_at"]) == ("no_answer", "router", None)
    assert call.placed.heard().tone(SORRY) == pytest.approx(0.6, abs=0.1)
    assert call.dialog.final == 200
    assert row["ring_seconds"] == pytest.approx(1.0, abs=0.7), "the announcement is no ringing"
    assert row["talk_seconds"] == 0
    assert len(call.callbacks()) == 1


def test_the_caller_leaves_during_the_announcement(running: Site) -> None:
    running.mobiles({ALICE: BUSY})
    call = running.call(WORDS, listen=True, hang_up_after=0.2)
    row = call.ended()
    assert (row["outcome"], row["hangup_by"]) == ("busy", "caller")
    assert len(call.callbacks()) == 1


def test_outside_hours_an_announcement_is_heard(running: Site) -> None:
    running.mobiles({})
    call = running.call(CLOSED, listen=True)
    row = call.ended()
    assert (row["outcome"], row["hangup_by"]) == ("closed", "router")
    assert call.placed.heard().tone(SORRY) == pytest.approx(0.6, abs=0.1)
    assert running.carrier.calls() == ()
    assert len(call.callbacks()) == 1


def test_outside_hours_whoever_is_on_call_rings(running: Site) -> None:
    running.mobiles({CAROL: Answer(ring=0.2)})
    call = running.call(ON_CALL, hang_up_after=0.1)
    row = call.ended()
    assert (row["outcome"], row["salesperson"]) == ("answered", "carol")


# --- Messages ---------------------------------------------------------------------------------------------


def test_a_message_ends_with_the_hash_key_and_is_kept(running: Site) -> None:
    running.mobiles({ALICE: BUSY})
    call = running.call(BOTH, tone=CALLER)
    speaks(running, call, 2.4)
    call.placed.press("#")
    row = call.ended()
    assert (row["outcome"], row["hangup_by"], row["recording"]) == (
        "voicemail",
        "router",
        f"callrouter-{row['id']}",
    )
    assert row["recording_seconds"] >= 1
    heard = call.placed.heard()
    assert in_order(heard, SORRY, LEAVE, BEEP)
    assert heard.tone(LEAVE) == pytest.approx(0.6, abs=0.1)
    kept = heard_in(message_file(running, row["recording"]))
    assert kept.tone(CALLER) > 1.5
    assert (kept.tone(LEAVE), kept.tone(BEEP)) == (0, 0), "we are not in it"
    (task,) = call.callbacks()
    for words in (("callbacks", "show", task["id"]), ("calls", "show", row["id"])):
        shown = running.run(*words)
        assert shown.returncode == 0, shown.stderr
        assert row["recording"] in shown.stdout


def test_the_caller_who_hangs_up_behind_the_tone_has_left_a_message(running: Site) -> None:
    running.mobiles({ALICE: BUSY})
    call = running.call(MESSAGE, tone=CALLER, hang_up_after=4.5)
    row = call.ended()
    assert (row["outcome"], row["hangup_by"]) == ("voicemail", "caller")
    assert heard_in(message_file(running, row["recording"])).tone(CALLER) > 1.0
    assert len(call.callbacks()) == 1


def test_the_longest_message_and_silence_both_end(running: Site) -> None:
    running.mobiles({ALICE: BUSY})
    silent = running.call(MESSAGE, listen=True)
    speaker = running.call(CLOSED_MESSAGE, tone=CALLER)
    row = speaker.ended()
    assert (row["outcome"], row["hangup_by"]) == ("voicemail", "router")
    assert row["recording_seconds"] == pytest.approx(5, abs=1)
    row = silent.ended()
    assert (row["outcome"], row["hangup_by"], row["recording"]) == ("busy", "router", None)
    running.until(lambda: f"callrouter-{row['id']}.wav" not in messages(running), "its file is gone")
    assert len(silent.callbacks()) == len(speaker.callbacks()) == 1


def test_at_the_tone_or_before_it_no_message_is_left(running: Site) -> None:
    running.mobiles({ALICE: BUSY})
    before = messages(running)
    early = running.call(MESSAGE, tone=CALLER, hang_up_after=0.2)
    at_the_tone = running.call(MESSAGE, tone=CALLER, hang_up_after=1.0)
    for call in (early, at_the_tone):
        row = call.ended()
        assert (row["outcome"], row["hangup_by"], row["recording"]) == ("busy", "caller", None)
        assert len(call.callbacks()) == 1
    running.until(lambda: messages(running) == before, "no file is left")


def test_without_the_words_that_say_so_nothing_is_recorded(running: Site) -> None:
    running.mobiles({ALICE: BUSY})
    before = messages(running)
    call = running.call(MUTE, tone=CALLER)
    row = call.ended()
    assert (row["outcome"], row["hangup_by"], row["recording"]) == ("busy", "router", None)
    assert messages(running) == before
    assert "cannot be spoken" in running.log or "a beep is heard instead" in running.log
