"""Without the router a human's key is still the only answer: each test on both lines, the AGI script's and the
dialplan's alone."""

from __future__ import annotations

import time
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from router.config import load
from router.store.fallback_import import import_fallback
from router.store.writer import Writer
from sandbox.behaviours import BUSY, Answer, Refuse, RingOut
from tests.integration.site import ALICE, BOB, CAROL, Call, Site, campaigns

IN_TURN, TOGETHER, AGAIN, ONWARD, SHUT, ON_CALL, SHOWN, KEPT = (f"+3318480101{digit}" for digit in range(1, 9))
SWITCHBOARD = "+33145000000"
BLOCKED, VIP = "+33899123456", "+33140000009"
FAR = 3.0
"""Seconds of accept_timeout."""
HUMAN = Answer(ring=0.2, keys="1", keys_after=0.4)
DIAL_TONE = 440
MAILBOX = Answer(ring=0)
"""Answers at once, and presses nothing."""


def content(site: Site, words: Path) -> dict[str, Any]:
    everybody = ["alice", "bob", "carol"]
    made = campaigns(site.asterisk)
    made["asterisk"]["trunks"] = {"main": {"dial": "PJSIP/{number}@trunk"}}
    made["defaults"] |= {"accept": "press-1", "accept_timeout": f"{FAR:g}s"}
    made["defaults"]["ring"] = {"strategy": "sequential", "timeout": "4s", "max_wait": "20s"}
    shut = {"hours": "never-now", "ring": {"to": ["alice"]}}
    made["screening"] = {"block": ["+33899*"], "vips": {"big": {"numbers": [VIP], "ring": {"to": ["carol"]}}}}
    made["campaigns"] = {
        "in-turn": {"numbers": [IN_TURN], "ring": {"to": everybody}},
        "together": {"numbers": [TOGETHER], "ring": {"strategy": "all", "to": everybody}},
        "again": {
            "numbers": [AGAIN],
            "ring": {"steps": [{"to": ["alice"], "timeout": "4s"}, {"to": ["alice", "bob"], "timeout": "4s"}]},
        },
        "kept": {
            "numbers": [KEPT],
            "ring": {"steps": [{"to": ["alice"], "timeout": "2s"}, {"add": ["bob"], "timeout": "2s"}]},
        },
        "onward": {
            "numbers": [ONWARD],
            "ring": {"to": ["alice"]},
            "overflow": {"ring": {"to": ["bob"]}, "number": SWITCHBOARD, "timeout": "5s"},
        },
        "shut": {"numbers": [SHUT], **shut, "closed": {"announcement": {"play": str(words)}}},
        "on-call": {"numbers": [ON_CALL], **shut, "closed": {"ring": {"to": ["bob"]}}},
        "shown": {"numbers": [SHOWN], "caller_id": "caller", "ring": {"to": ["alice"]}},
    }
    return made


@pytest.fixture(scope="module")
def away(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The router has run once, and is gone."""
    folder = tmp_path_factory.mktemp("gate")
    words = folder / "closed.wav"
    with wave.open(str(words), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(b"\x00\x10" * 4000)
    with Site(folder / "site") as site:
        site.configure(content(site, words))
        site.start_router()
        site.stop_router()
        yield site


@dataclass
class Line:
    """One of the two lines that route a call without the router."""

    site: Site
    path: str

    def call(self, to: str, **how: Any) -> Call:
        return self.site.call(to, **how)

    def over(self, call: Call) -> dict[str, Any]:
        """The call's row, once it has ended and what was left beside the database has been taken in."""
        call.placed.wait(40)
        self.site.quiet()
        self.take_in()
        row = call.ended()
        assert row["path"] == self.path
        return row

    def take_in(self) -> None:
        config = load(str(self.site.config))
        writer = Writer(config.database, node=config.node, on_trouble=lambda _: None)
        writer.start()
        try:
            import_fallback(writer, config, now=time.time())
        finally:
            assert writer.close(20)


@pytest.fixture(params=["agi", "dialplan"])
def line(request: pytest.FixtureRequest, away: Site) -> Iterator[Line]:
    folder = away.folder / "asterisk-files"
    written = away.run("asterisk", "conf", "--output", str(folder))
    assert written.returncode == 0, written.stderr
    if request.param == "dialplan":
        (folder / "callrouter-agi").unlink()
    away.asterisk.load_dialplan(f"#include {folder}/callrouter-extensions.conf\n")
    yield Line(away, request.param)
    away.quiet()


def heard_nothing_but_ringing(call: Call) -> None:
    """Never answered, and told of ringing at once."""
    assert 200 not in call.dialog.codes
    assert call.dialog.took("INVITE", 180) < 1


# --- The gate -------------------------------------------------------------------------------------------------


def test_whoever_picks_up_hears_which_key_is_wanted(line: Line) -> None:
    line.site.mobiles({ALICE: Answer(ring=0.2, keys="1", keys_after=2.0, listen=True)})
    call = line.call(IN_TURN, hang_up_after=0.5)
    assert line.over(call)["outcome"] == "answered"
    (mobile,) = line.site.carrier.calls(ALICE)
    assert line.site.carrier.heard(mobile).speech(DIAL_TONE) > 0.7, "words, and not only a tone"


def test_a_mailbox_that_answers_is_no_answer(line: Line) -> None:
    line.site.mobiles({ALICE: MAILBOX, BOB: BUSY, CAROL: BUSY})
    call = line.call(IN_TURN)
    row = line.over(call)
    heard_nothing_but_ringing(call)
    assert (row["outcome"], row["salesperson"], row["answered_at"]) == ("no_answer", None, None)
    assert call.results() == [("alice", "not_accepted"), ("bob", "busy"), ("carol", "busy")]
    (mailbox, *_) = line.site.carrier.calls(ALICE)
    assert FAR - 1 < mailbox.at("BYE") - mailbox.at(200) < FAR + 2.5
    assert len(call.callbacks()) == 1


def test_the_hunt_goes_on_behind_a_mailbox_and_a_key_connects(line: Line) -> None:
    line.site.mobiles({ALICE: MAILBOX, BOB: Answer(ring=0.2, keys="1", keys_after=0.4, talk=1.6)})
    call = line.call(IN_TURN)
    row = line.over(call)
    assert (row["outcome"], row["salesperson"], row["hangup_by"]) == ("answered", "bob", "salesperson")
    assert call.results() == [("alice", "not_accepted"), ("bob", "accepted")]
    mailbox, accepted = call.attempts()
    assert (mailbox["accepted_at"], mailbox["caller_id"]) == (None, "did")
    assert accepted["answered_at"] < accepted["accepted_at"] == row["answered_at"]
    (human,) = line.site.carrier.calls(BOB)
    assert call.dialog.at(200) > human.at(200) + 0.3


def test_a_mobile_that_hangs_up_before_the_key_has_accepted_nothing(line: Line) -> None:
    line.site.mobiles({ALICE: Answer(ring=0.1, talk=0.5), BOB: BUSY, CAROL: BUSY})
    call = line.call(IN_TURN)
    assert line.over(call)["outcome"] == "no_answer"
    heard_nothing_but_ringing(call)
    assert call.results()[0] == ("alice", "not_accepted")


def test_who_declines_is_not_rung_again(line: Line) -> None:
    line.site.mobiles({ALICE: Answer(ring=0.1, keys="2"), BOB: HUMAN})
    call = line.call(AGAIN, hang_up_after=0.3)
    assert line.over(call)["salesperson"] == "bob"
    assert call.results() == [("alice", "declined"), ("bob", "accepted")]
    assert len(line.site.carrier.calls(ALICE)) == 1


def test_everybody_who_declines_is_busy(line: Line) -> None:
    line.site.mobiles({ALICE: Answer(ring=0.1, keys="2"), BOB: Answer(ring=0.1, keys="2"), CAROL: BUSY})
    call = line.call(TOGETHER)
    assert line.over(call)["outcome"] == "busy"
    assert call.dialog.codes[-1] == 486


def test_a_mailbox_does_not_stop_the_others_from_ringing(line: Line) -> None:
    line.site.mobiles({ALICE: MAILBOX, BOB: RingOut(), CAROL: Answer(ring=1.0, keys="1", keys_after=0.5)})
    call = line.call(TOGETHER, hang_up_after=0.5)
    row = line.over(call)
    assert (row["outcome"], row["salesperson"]) == ("answered", "carol")
    assert sorted(call.results()) == [("alice", "cancelled"), ("bob", "cancelled"), ("carol", "accepted")]
    (mailbox,) = line.site.carrier.calls(ALICE)
    assert mailbox.at("BYE") > mailbox.at(200) + 1


def test_of_two_who_press_at_once_one_has_it(line: Line) -> None:
    line.site.mobiles({ALICE: HUMAN, BOB: HUMAN, CAROL: BUSY})
    call = line.call(TOGETHER, hang_up_after=1.0)
    row = line.over(call)
    assert row["outcome"] == "answered"
    results = dict(call.results())
    assert sorted((results["alice"], results["bob"])) == ["accepted", "cancelled"]
    assert results[row["salesperson"]] == "accepted"
    assert call.dialog.codes.count(200) == 1


def test_who_listens_is_let_go_when_the_caller_leaves(line: Line) -> None:
    line.site.mobiles({ALICE: MAILBOX})
    call = line.call(IN_TURN, cancel_after=0.8)
    row = line.over(call)
    assert (row["outcome"], row["hangup_by"]) == ("abandoned", "caller")
    assert call.results() == [("alice", "cancelled")]
    (mailbox,) = line.site.carrier.calls(ALICE)
    # It hears the words that have begun to their end, and then that the caller has left.
    assert mailbox.at("BYE") - mailbox.at(200) < FAR + 6


# --- Plans ----------------------------------------------------------------------------------------------------


def test_the_overflows_people_and_then_its_number(line: Line) -> None:
    line.site.mobiles({ALICE: BUSY, BOB: MAILBOX, SWITCHBOARD: Answer(ring=0.2)})
    call = line.call(ONWARD, hang_up_after=0.4)
    row = line.over(call)
    assert (row["outcome"], row["salesperson"]) == ("answered", "overflow")
    assert call.results() == [("alice", "busy"), ("bob", "not_accepted"), ("overflow", "accepted")]


def test_steps_that_keep_the_earlier_people_ring_all_of_them(line: Line) -> None:
    line.site.mobiles({ALICE: RingOut(), BOB: RingOut()})
    call = line.call(KEPT)
    assert line.over(call)["outcome"] == "no_answer"
    assert sorted(call.results()) == [("alice", "no_answer"), ("bob", "no_answer")]
    assert {2.5 < leg.took("INVITE", "CANCEL") < 6 for leg in line.site.carrier.calls()} == {True}


def test_outside_hours_the_caller_hears_why(line: Line) -> None:
    line.site.mobiles({ALICE: HUMAN})
    call = line.call(SHUT)
    row = line.over(call)
    assert (row["outcome"], row["hangup_by"], row["answered_at"], call.results()) == ("closed", "router", None, [])
    assert call.dialog.codes[-1] == 200
    assert len(call.callbacks()) == 1
    assert line.site.carrier.calls() == ()


def test_outside_hours_somebody_is_on_call(line: Line) -> None:
    line.site.mobiles({ALICE: HUMAN, BOB: HUMAN})
    call = line.call(ON_CALL, hang_up_after=0.3)
    assert line.over(call)["salesperson"] == "bob"
    assert line.site.carrier.calls(ALICE) == ()


# --- Callers --------------------------------------------------------------------------------------------------


def test_a_blocked_caller_reaches_nobody(line: Line) -> None:
    line.site.mobiles({ALICE: HUMAN})
    before = len(line.site.rows("SELECT id FROM calls"))
    call = line.call(IN_TURN, from_number=BLOCKED)
    call.placed.wait(20)
    line.site.quiet()
    line.take_in()
    line.site.until(lambda: len(line.site.rows("SELECT id FROM calls")) > before, "the call is written")
    assert {row["outcome"] for row in call.rows()} == {"blocked"}
    assert call.callbacks() == []
    assert line.site.carrier.calls() == ()


def test_a_vip_reaches_other_people_whatever_the_hour(line: Line) -> None:
    line.site.mobiles({ALICE: HUMAN, CAROL: HUMAN})
    call = line.call(SHUT, from_number=VIP, hang_up_after=0.3)
    call.placed.wait(20)
    line.site.quiet()
    assert [leg.number for leg in line.site.carrier.calls()] == [CAROL]
    assert 200 in call.dialog.codes


def test_a_salespersons_own_mobile_is_no_lead(line: Line) -> None:
    line.site.mobiles({ALICE: HUMAN, BOB: HUMAN})
    call = line.call(IN_TURN, from_number=BOB)
    call.placed.wait(20)
    line.site.quiet()
    line.take_in()
    assert call.rows() == []
    assert call.dialog.codes[-1] == 200
    assert line.site.carrier.calls() == ()


# --- What a mobile shows --------------------------------------------------------------------------------------


def test_nothing_of_the_caller_reaches_a_mobile_that_shows_our_number(line: Line) -> None:
    line.site.mobiles({ALICE: HUMAN})
    call = line.call(IN_TURN, hang_up_after=0.3)
    line.over(call)
    (leg,) = line.site.carrier.calls(ALICE)
    assert leg.invite.header("From").startswith(f"<sip:{IN_TURN}@")
    assert call.number.lstrip("+") not in str(leg.invite.headers)


def test_a_refused_caller_id_is_tried_once_more_as_our_number(line: Line) -> None:
    line.site.mobiles({ALICE: Refuse(403)})
    call = line.call(SHOWN)
    assert line.over(call)["outcome"] == "unreachable"
    tried = [(each["caller_id"], each["result"], each["sip_status"]) for each in call.attempts()]
    assert tried == [("caller", "unreachable", 403), ("did", "unreachable", 403)]
    shown = [leg.invite.header("From").split("@")[0] for leg in line.site.carrier.calls(ALICE)]
    assert shown == [f"<sip:{call.number}", f"<sip:{SHOWN}"]
