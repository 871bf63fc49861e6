"""A call to a campaign's number reaches the salesperson's mobile: real Asterisk, SIPp on both sides."""

from __future__ import annotations

import pytest

from sandbox.behaviours import BUSY, Answer, EarlyMedia, RingOut
from tests.integration.site import ALICE, ALONE, BOB, CAROL, CLOSED, IN_TURN, NOBODYS, TOGETHER, Site
from tests.waiting import SOON

pytestmark = pytest.mark.asterisk


# --- Somebody takes it ------------------------------------------------------------------------------------


def test_a_call_is_answered_on_the_mobile_and_the_caller_hangs_up(running: Site) -> None:
    running.mobiles({ALICE: Answer(ring=0.5)})
    call = running.call(ALONE, hang_up_after=0.5)
    row = call.ended()
    assert (row["campaign"], row["did"], row["outcome"], row["salesperson"]) == (
        "alone",
        ALONE,
        "answered",
        "alice",
    )
    assert (row["hangup_by"], row["path"], row["node"]) == ("caller", "ari", "test")
    assert row["ring_seconds"] == pytest.approx(0.5, abs=0.4)
    assert row["talk_seconds"] == pytest.approx(0.5, abs=0.4)
    assert call.results() == [("alice", "accepted")]
    assert call.callbacks() == []
    (mobile,) = running.carrier.calls(ALICE)
    assert mobile.at("BYE") is not None
    assert mobile.at("BYE") - call.dialog.at("BYE") < SOON, "the other leg ends at once"


def test_the_caller_hears_ringing_at_once_and_is_answered_only_with_the_mobile(running: Site) -> None:
    running.mobiles({ALICE: Answer(ring=1.0)})
    call = running.call(ALONE, hang_up_after=0.2)
    call.ended()
    (mobile,) = running.carrier.calls(ALICE)
    assert call.dialog.took("INVITE", 180) < SOON
    assert call.dialog.at(180) < mobile.invited_at + 0.1
    assert call.dialog.codes[:2] == (100, 180)
    # (SIPp notes what it sends a moment after it has sent it.)
    assert -0.02 < call.dialog.at(200) - mobile.at(200) < SOON, "no 200 before a mobile's, and then at once"


def test_the_salesperson_hangs_up_and_the_caller_is_released_at_once(running: Site) -> None:
    running.mobiles({ALICE: Answer(ring=0.1, talk=0.4)})
    call = running.call(ALONE)
    row = call.ended()
    assert (row["outcome"], row["hangup_by"]) == ("answered", "salesperson")
    (mobile,) = running.carrier.calls(ALICE)
    assert call.dialog.hung_up_by_us is False
    assert call.dialog.at("BYE") - mobile.at("BYE") < SOON


def test_the_mobile_sees_the_campaigns_number(running: Site) -> None:
    running.mobiles({ALICE: Answer(ring=0.1)})
    call = running.call(ALONE, hang_up_after=0.1)
    call.ended()
    (mobile,) = running.carrier.calls(ALICE)
    assert f"sip:{ALONE}@" in mobile.invite.header("From")
    assert call.number.lstrip("+") not in str(mobile.invite), "the caller's number stays here"


def test_a_mobile_that_sends_no_provisional_at_all(running: Site) -> None:
    running.mobiles({ALICE: Answer(ring=0.3, provisional=False)})
    call = running.call(ALONE, hang_up_after=0.1)
    assert call.ended()["outcome"] == "answered"
    (attempt,) = call.attempts()
    assert attempt["ringing_at"] is None
    assert attempt["answered_at"] is not None


def test_ringing_with_early_media_counts_as_ringing(running: Site) -> None:
    running.mobiles({ALICE: EarlyMedia(answer=0.3)})
    call = running.call(ALONE, hang_up_after=0.1)
    assert call.ended()["outcome"] == "answered"
    assert call.attempts()[0]["ringing_at"] is not None


def test_everybody_rings_and_the_first_to_answer_wins(running: Site) -> None:
    running.mobiles({ALICE: RingOut(), BOB: Answer(ring=0.5), CAROL: RingOut()})
    call = running.call(TOGETHER, hang_up_after=0.2)
    row = call.ended()
    assert (row["outcome"], row["salesperson"]) == ("answered", "bob")
    assert sorted(call.results()) == [("alice", "cancelled"), ("bob", "accepted"), ("carol", "cancelled")]
    for loser in (ALICE, CAROL):
        (mobile,) = running.carrier.calls(loser)
        assert mobile.at("CANCEL") - call.dialog.at(200) < SOON, "the others stop ringing at once"


def test_two_answer_in_the_same_moment_and_one_is_connected(running: Site) -> None:
    running.mobiles({ALICE: Answer(ring=0.4), BOB: Answer(ring=0.4), CAROL: Answer(ring=0.4)})
    call = running.call(TOGETHER, hang_up_after=0.5)
    row = call.ended()
    results = [result for _, result in call.results()]
    assert row["outcome"] == "answered"
    assert sorted(results) == ["accepted", "cancelled", "cancelled"]


# --- Nobody takes it --------------------------------------------------------------------------------------


def test_nobody_answers_and_a_callback_opens(running: Site) -> None:
    running.mobiles({ALICE: RingOut(), BOB: RingOut(), CAROL: RingOut()})
    call = running.call(IN_TURN)
    row = call.ended()
    assert (row["outcome"], row["hangup_by"], row["answered_at"]) == ("no_answer", "router", None)
    assert call.results() == [("alice", "no_answer"), ("bob", "no_answer"), ("carol", "no_answer")]
    assert call.dialog.final == 480
    (task,) = call.callbacks()
    assert (task["campaign"], task["state"], task["attempts"]) == ("in-turn", "open", 0)
    assert running.rows("SELECT * FROM callback_calls WHERE call_id = ?", row["id"])


def test_further_missed_calls_join_the_task_and_getting_through_closes_it(running: Site) -> None:
    running.mobiles({ALICE: BUSY})
    first = running.call(ALONE)
    first.ended()
    second = running.call(ALONE, from_number=first.number)
    second.placed.wait()
    running.until(lambda: len([row for row in first.rows() if row["outcome"]]) == 2, "two missed calls")
    (task,) = first.callbacks()
    joined = running.rows("SELECT * FROM callback_calls WHERE callback_id = ?", task["id"])
    assert len(joined) == 2
    running.mobiles({ALICE: Answer(ring=0.1)})
    third = running.call(ALONE, from_number=first.number, hang_up_after=0.1)
    third.placed.wait()
    running.until(lambda: first.callbacks()[0]["state"] == "done", "the task is done")
    (task,) = first.callbacks()
    assert task["close_reason"] == "caller reached us"


# --- Where it does not ring -------------------------------------------------------------------------------


def test_a_closed_campaign_rings_nobody_and_owes_a_call(running: Site) -> None:
    running.mobiles({})
    call = running.call(CLOSED)
    assert call.ended()["outcome"] == "closed"
    assert call.dialog.final == 480
    assert running.carrier.calls() == ()
    assert len(call.callbacks()) == 1


@pytest.mark.parametrize("number", [NOBODYS, "0184809999", "whatever", "12"])
def test_an_unknown_number_is_never_hung_up_on(running: Site, number: str) -> None:
    running.mobiles({CAROL: Answer(ring=0.1)})
    call = running.call(number, hang_up_after=0.1)
    row = call.ended()
    assert (row["campaign"], row["outcome"], row["salesperson"]) == ("unknown", "answered", "carol")


@pytest.mark.parametrize("written", ["0033184801001", "33184801001", "0184801001"])
def test_the_did_is_read_however_the_carrier_writes_it(running: Site, written: str) -> None:
    running.mobiles({ALICE: Answer(ring=0.1)})
    row = running.call(written, hang_up_after=0.1).ended()
    assert (row["campaign"], row["did"]) == ("alone", ALONE)


def test_the_did_stands_in_another_header(running: Site) -> None:
    running.mobiles({ALICE: Answer(ring=0.1)})
    call = running.call("pilot", headers={"P-Called-Party-ID": f"<sip:{ALONE}@carrier>"}, hang_up_after=0.1)
    assert call.ended()["campaign"] == "alone"


def test_a_withheld_caller_is_counted_and_owed_nothing(running: Site) -> None:
    running.mobiles({ALICE: BUSY})
    before = len(running.rows("SELECT * FROM callbacks"))
    call = running.call(ALONE, from_header='"Anonymous" <sip:anonymous@anonymous.invalid>')
    call.placed.wait()
    rows = running.until(
        lambda: running.rows("SELECT * FROM calls WHERE caller_id = 'withheld' AND outcome = 'busy'"), "its row"
    )
    assert len(rows) == 1
    assert len(running.rows("SELECT * FROM callbacks")) == before
    assert running.rows("SELECT number FROM callers WHERE id = 'withheld'") == [{"number": None}]


# --- Beside the call --------------------------------------------------------------------------------------


def test_the_row_exists_while_it_rings_and_others_may_read(running: Site) -> None:
    running.mobiles({ALICE: RingOut()})
    call = running.call(ALONE, cancel_after=1.5)
    row = running.until(call.rows, "the row of a ringing call")[0]
    assert (row["outcome"], row["ended_at"], row["campaign"]) == (None, None, "alone")
    assert call.ended()["outcome"] == "abandoned"


def test_no_number_of_a_caller_and_no_password_is_in_the_log(running: Site) -> None:
    running.mobiles({ALICE: Answer(ring=0.1)})
    call = running.call(ALONE, hang_up_after=0.1)
    call.ended()
    log = running.log
    assert call.number.lstrip("+") not in log
    assert running.asterisk.ari_password not in log
    assert "Traceback" not in log


def test_twenty_calls_at_once(running: Site) -> None:
    running.mobiles({ALICE: Answer(ring=0.2)})
    numbers = [f"+3314020{n:04d}" for n in range(20)]
    placed = running.caller.place([ALONE], numbers, calls=20, rate=200, hang_up_after=0.5).wait(30)
    assert placed.status == 0
    query = "SELECT outcome FROM calls JOIN callers ON callers.id = caller_id WHERE number LIKE '+3314020%'"
    running.until(lambda: [row["outcome"] for row in running.rows(query)] == ["answered"] * 20, "twenty rows")
