"""Only a human's key takes a call: what the mobile hears before it, what the caller does not, and who wins."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from sandbox.behaviours import BUSY, VOICEMAIL, Answer, Dtmf, RingOut
from sandbox.sip_log import STAMP_SLACK
from tests.integration.recordings import record
from tests.integration.site import ALICE, BOB, CAROL, Call, Site, campaigns
from tests.waiting import SOON

pytestmark = pytest.mark.asterisk

ACCEPT = 3.0
"""Seconds of accept_timeout where it is to end: the shortest that a file may say."""
KEY_DOWN = 0.12
"""Seconds for which a phone holds a key: Asterisk tells of it when it is let go."""
CALLER, MOBILE = 700, 1900
"""Hz: what the two sides say."""
WHISPER, FLYER, NAME, SAID, TAKEN, CALLER_GONE, BEEP = 1300, 2300, 1100, 900, 1500, 1700, 1000
"""Hz: what stands for the words of each; the beep is Callrouter's own."""
SEVERAL = {f"m{n}": f"+336110000{n:02d}" for n in range(20)}
"""More people, so that calls that are about different things can be made at once."""
WAYS: tuple[Dtmf, ...] = ("rfc4733", "info", "info-plain", "inband")
STRATEGIES = ("sequential", "all", "round-robin", "weighted", "least-recent", "longest-idle", "steps")
SPEAKS = """
import math, re, struct, sys, wave
target, text = sys.argv[1:]
pitch = re.search(r"[0-9]+", text)
if pitch is None:
    sys.exit("these words cannot be spoken")
samples = (int(9000 * math.sin(2 * math.pi * int(pitch[0]) * n / 8000)) for n in range(4000))
with wave.open(target, "wb") as file:
    file.setparams((1, 2, 8000, 0, "NONE", ""))
    file.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))
"""
"""A speech program that speaks half a second of the frequency that it reads."""


def strategy(name: str) -> dict[str, Any]:
    """A ring of Alice and Bob."""
    if name == "steps":
        return {"steps": [{"to": ["alice"], "timeout": "1s"}, {"add": ["bob"], "timeout": "4s"}]}
    more = {"weights": {"alice": 50, "bob": 50}} if name == "weighted" else {}
    return {"strategy": name, "to": ["alice", "bob"], **more}


def rings(folder: Path) -> dict[str, dict[str, Any]]:
    """Each campaign without its number."""
    everybody = ["alice", "bob", "carol"]
    again = {"steps": [{"to": ["alice"]}, {"to": ["alice", "bob"]}]}
    return {
        "in-turn": {"ring": {"to": everybody}},
        "together": {"ring": {"strategy": "all", "to": everybody}},
        "again": {"ring": again, "overflow": {"ring": {"to": ["alice", "carol"]}}},
        "hurried": {"ring": {"to": ["alice"], "max_wait": "2s"}},
        "no-key": {"accept": "none", "ring": {"to": ["alice"]}},
        "desk": {"ring": {"strategy": "all", "to": ["alice", "desk"]}},
        **{f"machine-{n}": {"ring": {"to": [f"m{n}", "bob"]}} for n in (1, 2, 3)},
        "machine-only": {"ring": {"to": ["m4"]}},
        **{way: {"ring": {"to": [f"m{n}"]}} for n, way in enumerate(WAYS, 5)},
        **{f"by-{name}": {"ring": strategy(name)} for name in STRATEGIES},
        "played": {"ring": {"to": ["m9"]}, "whisper": {"play": "flyer.ulaw"}},
        "said": {"ring": {"to": ["m10"]}, "whisper": {"say": f"{SAID} Hz"}},
        "named": {"ring": {"to": ["m11"]}, "whisper": "none", "name": f"{NAME} Hz"},
        "unsaid": {"ring": {"to": ["m12"]}, "whisper": {"say": "Nothing"}},
        "vanished": {"ring": {"to": ["m13"]}, "whisper": {"play": str(folder / "vanished.ulaw")}},
    }


DID = {name: f"+331848020{n:02d}" for n, name in enumerate(rings(Path()))}


def content(site: Site) -> dict[str, Any]:
    folder = site.config.parent
    (folder / "speaks.py").write_text(SPEAKS, encoding="utf-8")
    record(folder / "flyer.ulaw", FLYER)
    record(folder / "vanished.ulaw", FLYER)
    record(folder / "sounds" / "fr" / "taken.wav", TAKEN)
    record(folder / "sounds" / "fr" / "caller-gone.wav", CALLER_GONE)
    made = campaigns(site.asterisk)
    made["speech"] = {"command": f"{sys.executable} {folder / 'speaks.py'} {{file}} {{text}}"}
    made["salespeople"] |= {id: {"mobile": mobile, "max_calls": 50} for id, mobile in SEVERAL.items()}
    made["salespeople"]["desk"] = {"mobile": "+33145000010", "accept": "none", "max_calls": 50}
    made["defaults"] |= {
        "accept": "press-1",
        "accept_timeout": "8s",
        "whisper": {"say": f"{WHISPER} Hz"},
        "ring": {"strategy": "sequential", "timeout": "4s", "max_wait": "20s"},
    }
    made["campaigns"] = {name: {"numbers": [DID[name]], **keys} for name, keys in rings(folder).items()}
    for name in filter(re.compile("machine-|by-").match, DID):
        made["campaigns"][name]["accept_timeout"] = f"{ACCEPT:g}s"
    return made


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """All campaigns of this module, with everything spoken that is to be."""
    with Site(tmp_path_factory.mktemp("gate")) as site:
        site.configure(content(site))
        site.start_router()
        site.until(lambda: site.said("event=sound"), "the words are spoken, but those that cannot be")
        yield site


def at_once(site: Site, names: Mapping[str, str] | tuple[str, ...] | list[str], **how: Any) -> dict[str, Call]:
    return {name: site.call(DID[name], **how) for name in names}


def only_rang(call: Call) -> None:
    """The caller heard nothing but that it rings."""
    assert call.dialog.codes[:2] == (100, 180)
    assert not {183, 200} & set(call.dialog.codes)


# --- The whisper ------------------------------------------------------------------------------------------


def test_the_mobile_hears_a_whisper_and_the_caller_only_that_it_rings(running: Site) -> None:
    running.mobiles({ALICE: Answer(ring=0.3, keys="1", keys_after=1.5, tone=MOBILE)})
    call = running.call(DID["in-turn"], tone=CALLER, hang_up_after=1.2)
    row = call.ended()
    assert (row["outcome"], row["salesperson"]) == ("answered", "alice")
    (leg,) = running.carrier.calls(ALICE)
    pressed, answered = leg.at("ACK") + 1.5, call.dialog.at(200)
    assert call.dialog.codes == (100, 180, 200)
    assert call.dialog.took("INVITE", 180) < 1
    assert pressed < answered < pressed + KEY_DOWN + 0.7, "answered with the key, and not before"

    mobile, caller = running.carrier.heard(leg), call.placed.heard()
    assert leg.at(200) < mobile.first_at(WHISPER) < pressed
    assert mobile.tone(WHISPER) == pytest.approx(0.5, abs=0.15)
    assert mobile.speech(CALLER, WHISPER) > 0.3, "and words after it"
    assert max(end for _, end in mobile.speech_spans(CALLER)) < answered + 0.1, "the whisper stops at the key"
    assert caller.speech(MOBILE) == 0, "nothing but the mobile itself is heard by the caller"
    assert caller.first_at(MOBILE) > answered - STAMP_SLACK
    assert caller.tone(MOBILE) > 0.6
    assert mobile.tone(CALLER) > 0.6


def test_what_is_whispered(running: Site) -> None:
    """A recording, words, the campaign's name; a beep for what cannot be spoken; and the call goes on without a
    recording that is there no more."""
    (running.config.parent / "vanished.ulaw").unlink()
    names = {"played": "m9", "said": "m10", "named": "m11", "unsaid": "m12", "vanished": "m13"}
    running.mobiles({SEVERAL[one]: Answer(keys="1", keys_after=2.0, listen=True) for one in names.values()})
    calls = at_once(running, names, listen=True, hang_up_after=0.3)
    heard = {}
    for name, call in calls.items():
        assert call.ended()["outcome"] == "answered", name
        assert call.placed.heard().speech() == 0
        (leg,) = running.carrier.calls(SEVERAL[names[name]])
        heard[name] = running.carrier.heard(leg)
    for name, frequency in (("played", FLYER), ("said", SAID), ("named", NAME)):
        assert heard[name].tone(frequency) > 0.35, name
        assert heard[name].speech(frequency) > 0.3, f"{name}: the words of which key to press"
    begin, end = heard["unsaid"].spans(BEEP)[0]
    assert end - begin == pytest.approx(0.2, abs=0.06)
    assert begin < heard["unsaid"].speech_spans(BEEP)[0][0], "the beep stands for the first words"
    assert heard["vanished"].tone(FLYER) == 0
    assert heard["vanished"].speech() > 0.3


def test_it_is_whispered_again_until_a_key(running: Site) -> None:
    running.mobiles({SEVERAL["m4"]: Answer(ring=0, listen=True)})
    call = running.call(DID["machine-only"])
    assert call.ended()["outcome"] == "no_answer"
    (leg,) = running.carrier.calls(SEVERAL["m4"])
    spans = running.carrier.heard(leg).speech_spans()
    assert spans[-1][1] > leg.at(200) + ACCEPT - 0.8, "there is something to hear to the end"


# --- The key ----------------------------------------------------------------------------------------------


def test_every_way_of_sending_a_key(running: Site) -> None:
    people = {way: SEVERAL[f"m{n}"] for n, way in enumerate(WAYS, 5)}
    running.mobiles(
        {mobile: Answer(keys="1", keys_after=0.6, dtmf=way, tone=MOBILE) for way, mobile in people.items()}
    )
    calls = at_once(running, WAYS, tone=CALLER, hang_up_after=0.6)
    for way, call in zip(WAYS, calls.values(), strict=True):
        assert call.ended()["outcome"] == "answered", way
        (leg,) = running.carrier.calls(people[way])
        assert leg.at("ACK") + 0.6 < call.dialog.at(200) < leg.at("ACK") + 0.6 + 1.0, way
        assert call.placed.heard().tone(MOBILE) > 0.2
        assert running.carrier.heard(leg).tone(CALLER) > 0.2


def test_who_declines_is_not_rung_again_by_any_step_or_overflow(running: Site) -> None:
    running.mobiles({ALICE: Answer(keys="2"), BOB: BUSY, CAROL: Answer(keys="1")})
    call = running.call(DID["again"], hang_up_after=0.2)
    assert call.ended()["salesperson"] == "carol"
    assert call.results() == [("alice", "declined"), ("bob", "busy"), ("carol", "accepted")]
    (declined,) = running.carrier.calls(ALICE)
    assert declined.at("BYE") - declined.at("ACK") < 0.3 + KEY_DOWN + SOON, "let go with the key"


def test_everybody_who_declines_is_busy(running: Site) -> None:
    running.mobiles({ALICE: Answer(keys="2"), BOB: Answer(keys="2"), CAROL: Answer(keys="2")})
    call = running.call(DID["together"])
    assert call.ended()["outcome"] == "busy"
    only_rang(call)
    assert call.dialog.final == 486
    assert {result for _, result in call.results()} == {"declined"}


def test_of_two_who_press_at_once_one_has_it_and_the_other_hears_that_it_is_taken(running: Site) -> None:
    quick = Answer(ring=0.3, keys="1", keys_after=0.8, listen=True)
    running.mobiles({ALICE: quick, BOB: quick, CAROL: RingOut()})
    call = running.call(DID["together"], tone=CALLER, hang_up_after=1.5)
    row = call.ended()
    assert row["outcome"] == "answered"
    results = dict(call.results())
    assert sorted(results.values()) == ["accepted", "cancelled", "cancelled"]
    assert results[row["salesperson"]] == "accepted"
    assert results["carol"] == "cancelled"
    won, lost = (ALICE, BOB) if results["alice"] == "accepted" else (BOB, ALICE)
    (winner,), (loser,) = running.carrier.calls(won), running.carrier.calls(lost)
    assert running.carrier.heard(winner).tone(CALLER) > 0.8
    assert running.carrier.heard(winner).tone(TAKEN) == 0
    told = running.carrier.heard(loser)
    assert told.tone(TAKEN) == pytest.approx(0.5, abs=0.15)
    assert told.tone(CALLER) == 0
    assert told.last_at(TAKEN) - 0.1 < loser.at("BYE") < told.last_at(TAKEN) + 1.0
    (carol,) = running.carrier.calls(CAROL)
    assert carol.at("CANCEL") - call.dialog.at(200) < SOON


# --- Machines ---------------------------------------------------------------------------------------------


def test_a_machine_that_answers_has_not_taken_the_call(running: Site) -> None:
    """A mailbox, a robot that asks who is calling, and one that presses keys: the next person rings."""
    machines = {
        "m1": VOICEMAIL,
        "m2": Answer(ring=0, provisional=False, tone=850, talk=60),
        "m3": Answer(ring=0, keys="30#w9", tone=850, talk=60),
        "m4": VOICEMAIL,
    }
    running.mobiles({SEVERAL[id]: each for id, each in machines.items()} | {BOB: Answer(keys="1")})
    calls = at_once(running, [f"machine-{n}" for n in (1, 2, 3)], hang_up_after=0.2)
    alone = running.call(DID["machine-only"])
    for id, call in zip(machines, calls.values(), strict=False):
        row = call.ended()
        assert (row["outcome"], row["salesperson"]) == ("answered", "bob"), id
        assert call.results() == [(id, "not_accepted"), ("bob", "accepted")]
        (leg,) = running.carrier.calls(SEVERAL[id])
        assert leg.hung_up_by_us is False
        assert ACCEPT - 0.1 < leg.at("BYE") - leg.at(200) < ACCEPT + 0.8, "it ends at accept_timeout"
        assert call.dialog.at(200) > leg.at("BYE")
    row = alone.ended()
    assert (row["outcome"], row["answered_at"], row["salesperson"]) == ("no_answer", None, None)
    assert alone.results() == [("m4", "not_accepted")]
    only_rang(alone)
    assert alone.dialog.final == 480
    assert len(alone.callbacks()) == 1


def test_a_mailbox_that_answers_at_once_does_not_stop_the_others_from_ringing(running: Site) -> None:
    running.mobiles({ALICE: Answer(ring=0, listen=True), BOB: RingOut(), CAROL: Answer(ring=1.2, keys="1")})
    call = running.call(DID["together"], hang_up_after=1.0)
    row = call.ended()
    assert (row["outcome"], row["salesperson"]) == ("answered", "carol")
    assert sorted(call.results()) == [("alice", "cancelled"), ("bob", "cancelled"), ("carol", "accepted")]
    (mailbox,), (bob,), (carol,) = (running.carrier.calls(mobile) for mobile in (ALICE, BOB, CAROL))
    assert mailbox.at(200) < carol.at(200) < bob.at("CANCEL")
    assert abs(bob.at("CANCEL") - call.dialog.at(200)) < SOON
    assert running.carrier.heard(mailbox).tone(TAKEN) > 0.35


def test_no_strategy_takes_a_mailbox_for_a_human(running: Site) -> None:
    running.mobiles({ALICE: Answer(ring=0, speak=True), BOB: Answer(ring=0.4, keys="1")})
    calls = at_once(running, [f"by-{name}" for name in STRATEGIES], hang_up_after=0.2)
    for name, call in calls.items():
        row = call.ended()
        assert (row["outcome"], row["salesperson"]) == ("answered", "bob"), name
        results = dict(call.results())
        assert results.pop("bob") == "accepted"
        assert set(results.items()) <= {("alice", "not_accepted"), ("alice", "cancelled")}, name
    assert dict(calls["by-sequential"].results())["alice"] == "not_accepted"
    assert dict(calls["by-steps"].results())["alice"] == "cancelled", "she listens while Bob is added"


# --- It ends before a key ---------------------------------------------------------------------------------


def test_the_caller_leaves_during_the_whisper(running: Site) -> None:
    running.mobiles({ALICE: Answer(ring=0.1, listen=True)})
    call = running.call(DID["in-turn"], cancel_after=1.2)
    row = call.ended()
    assert (row["outcome"], row["hangup_by"], row["answered_at"]) == ("abandoned", "caller", None)
    assert call.results() == [("alice", "cancelled")]
    running.quiet()
    (leg,) = running.carrier.calls(ALICE)
    heard = running.carrier.heard(leg)
    assert heard.tone(CALLER_GONE) == pytest.approx(0.5, abs=0.15)
    assert call.dialog.at("CANCEL") - STAMP_SLACK < heard.first_at(CALLER_GONE) < call.dialog.at("CANCEL") + 0.7
    assert leg.at("BYE") < heard.last_at(CALLER_GONE) + 1.0


def test_the_mobile_hangs_up_during_the_whisper(running: Site) -> None:
    running.mobiles({ALICE: Answer(ring=0.1, talk=0.6, listen=True), BOB: Answer(keys="1")})
    call = running.call(DID["in-turn"], hang_up_after=0.2)
    assert call.ended()["salesperson"] == "bob"
    assert call.results() == [("alice", "not_accepted"), ("bob", "accepted")]
    (alice,), (bob,) = running.carrier.calls(ALICE), running.carrier.calls(BOB)
    assert alice.hung_up_by_us
    assert bob.invited_at - alice.at("BYE") < SOON, "the next rings at once"


def test_the_longest_wait_ends_during_the_whisper(running: Site) -> None:
    running.mobiles({ALICE: Answer(ring=0.5, listen=True)})
    call = running.call(DID["hurried"])
    row = call.ended()
    assert (row["outcome"], row["answered_at"], row["hangup_by"]) == ("no_answer", None, "router")
    assert call.results() == [("alice", "not_accepted")]
    only_rang(call)
    (leg,) = running.carrier.calls(ALICE)
    assert leg.at("BYE") - call.dialog.at("INVITE") == pytest.approx(2.0, abs=0.6)
    assert abs(leg.at("BYE") - call.dialog.ended_at) < SOON


# --- No key is wanted -------------------------------------------------------------------------------------


def test_a_campaign_without_the_gate_connects_whoever_picks_up(running: Site) -> None:
    running.mobiles({ALICE: Answer(ring=0.2, tone=MOBILE)})
    call = running.call(DID["no-key"], tone=CALLER, hang_up_after=0.6)
    assert call.ended()["outcome"] == "answered"
    (leg,) = running.carrier.calls(ALICE)
    assert call.dialog.at(200) - leg.at(200) < SOON
    assert running.carrier.heard(leg).speech(CALLER) == 0, "no whisper"
    assert running.carrier.heard(leg).tone(CALLER) > 0.2
    assert call.placed.heard().tone(MOBILE) > 0.2


def test_a_desk_phone_needs_no_key_beside_mobiles_that_do(running: Site) -> None:
    desk = "+33145000010"
    running.mobiles({ALICE: Answer(ring=0, listen=True), desk: Answer(ring=0.8, listen=True)})
    call = running.call(DID["desk"], tone=CALLER, hang_up_after=0.8)
    assert call.ended()["salesperson"] == "desk"
    assert sorted(call.results()) == [("alice", "cancelled"), ("desk", "accepted")]
    (mobile,), (phone,) = running.carrier.calls(ALICE), running.carrier.calls(desk)
    assert running.carrier.heard(phone).speech(CALLER) == 0
    assert running.carrier.heard(phone).tone(CALLER) > 0.4
    told = running.carrier.heard(mobile)
    assert (told.tone(CALLER), told.tone(TAKEN) > 0.35) == (0, True)
