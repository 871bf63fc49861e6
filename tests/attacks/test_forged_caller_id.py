"""A caller ID is a claim: what somebody gets who calls with a number that is not theirs. The menu of a salesperson,
somebody else's callback, a VIP's ring. Real Asterisk, and phones that press keys."""

from __future__ import annotations

import itertools
from typing import Any, Final

import pytest

from router.own_line import MOST_WRONG
from sandbox.behaviours import BUSY, Answer, RingOut
from tests.integration.recordings import prompts
from tests.integration.site import ALICE, BOB, CAROL, Call, Site, campaigns
from tests.integration.withheld import Nameless, withheld

pytestmark = pytest.mark.asterisk

DID, CLOSED, OTHERS, GATED = "+33184801061", "+33184801062", "+33184801063", "+33184801064"
PINS: Final = {"alice": "47118306", "bob": "90210447", "carol": "51500932"}
"""As long as may be: four digits stand in any log and any database by chance."""
VIP: Final = "+33140000009"
CAP: Final = 20
"""Calls of one number within a minute: the brute force below stays under it, and meets the lock alone."""
TONES: Final = {"enter-pin": 1100, "wrong-pin": 1200, "no-menu": 1300, "available": 1400, "goodbye": 1900}
"""Hz: what stands for each prompt."""
PARALLEL: Final = 12
"""Calls of a brute force at once."""


@pytest.fixture(scope="module", autouse=True)
def defended(site: Site) -> None:
    content = campaigns(site.asterisk, pins_file="secrets/pins")
    content["screening"] = {
        "max_per_minute": CAP,
        "vips": {"big-account": {"numbers": [VIP], "ring": {"to": ["carol"]}}},
    }
    content["campaigns"] = {
        "ours": {"numbers": [DID], "ring": {"to": ["alice"]}},
        "others": {"numbers": [OTHERS], "ring": {"to": ["carol"]}},
        "closed": {"numbers": [CLOSED], "hours": "never-now", "ring": {"to": ["alice"]}},
        "gated": {"numbers": [GATED], "accept": "press-1", "ring": {"to": ["alice"]}},
    }
    pins = site.config.parent / "secrets" / "pins"
    pins.parent.mkdir(exist_ok=True)
    pins.write_text("".join(f'{person}: "{pin}"\n' for person, pin in PINS.items()), encoding="utf-8")
    pins.chmod(0o600)
    prompts(site.config.parent, "fr", TONES)
    site.configure(content)


# --- The menu of a salesperson ----------------------------------------------------------------------------


def staff_calls(site: Site, person: str) -> list[dict[str, Any]]:
    return site.rows("SELECT * FROM staff_calls WHERE salesperson = ? ORDER BY id", person)


def wrong_pins(site: Site, person: str) -> int:
    """How often the log tells of one."""
    return site.said(f"event=wrong_pin salesperson={person}")


def test_a_forged_mobile_without_the_pin_gets_nothing(running: Site) -> None:
    """Every key of the menu, and no PIN: nobody is paused, no phone rings, and there is no call in the reports."""
    running.mobiles({CAROL: Answer(0.1)})
    before = len(running.rows("SELECT id FROM calls"))
    placed = running.stack.call(DID, CAROL, tone=700, keys="w1w2w3w9w", hang_up_after=4.0)
    placed.wait(20)
    row = running.until(lambda: staff_calls(running, "carol"), "the row")[-1]
    assert (row["verified"], row["actions"]) == (0, "")
    assert running.rows("SELECT * FROM pauses") == []
    assert running.carrier.calls() == ()
    assert len(running.rows("SELECT id FROM calls")) == before
    heard = placed.heard()
    assert heard.tone(TONES["available"]) == 0, "whether Carol is paused is not told either"


def test_many_calls_at_once_have_no_more_tries_than_one(running: Site) -> None:
    """A brute force with Bob's number: as many calls as come in, all of them typing."""
    guesses = (str(number) for number in itertools.count(11111111, 7))
    keys = ["w" * 4 + "".join(f"{next(guesses)}w" for _ in range(3)) for _ in range(PARALLEL)]
    placed = [running.stack.call(DID, BOB, tone=700, keys=each, hang_up_after=15.0) for each in keys]
    for each in placed:
        each.wait(40)
    running.until(lambda: len(staff_calls(running, "bob")) == PARALLEL, "all rows", 20)
    assert [row["verified"] for row in staff_calls(running, "bob")] == [0] * PARALLEL
    tried = wrong_pins(running, "bob")
    assert tried == MOST_WRONG, "not one try more, whatever number of calls makes them"
    right = running.stack.call(DID, BOB, tone=700, keys=f"w{PINS['bob']}w1", hang_up_after=4.0)
    right.wait(20)
    assert right.heard().tone(TONES["no-menu"]) > 0.2, "the line is closed, for the right PIN too"
    assert wrong_pins(running, "bob") == tried
    alice = running.stack.call(DID, ALICE, tone=700, keys=f"w{PINS['alice']}w9", hang_up_after=8.0)
    alice.wait(20)
    last = running.until(lambda: staff_calls(running, "alice"), "the row")[-1]
    assert last["verified"] == 1, "the others' lines are open"


def test_no_pin_is_in_the_log_the_database_or_a_listing(running: Site) -> None:
    """After the tests above: right ones and wrong ones have been typed."""
    running.stop_router()
    kept = [running.log, *(running.run(*words).stdout for words in (("people", "list"), ("doctor",)))]
    written = (file for file in running.database.parent.rglob("callrouter.db*") if file.is_file())
    kept += [file.read_bytes().decode("latin-1") for file in written]
    for secret in (*PINS.values(), "11111111", "11111118"):
        assert not any(secret in text for text in kept)


# --- Somebody else's callback -----------------------------------------------------------------------------


def missed(site: Site, number: str | None = None) -> Call:
    """Somebody is owed a call."""
    site.mobiles({ALICE: BUSY})
    call = site.call(DID, from_number=number)
    call.ended()
    assert [task["state"] for task in call.callbacks()] == ["open"]
    return call


def calls_of(site: Site, number: str, outcomes: int) -> list[str]:
    query = (
        "SELECT outcome FROM calls JOIN callers ON callers.id = caller_id "
        "WHERE number = ? AND outcome > '' ORDER BY started_at"
    )
    site.until(lambda: len(site.rows(query, number)) == outcomes, f"{outcomes} outcomes")
    return [row["outcome"] for row in site.rows(query, number)]


def test_a_forged_call_that_no_human_takes_closes_nobodys_callback(running: Site) -> None:
    victim = missed(running)
    running.mobiles({ALICE: Answer(0.1, talk=60), CAROL: BUSY})
    running.stack.call(GATED, victim.number).wait(30)
    running.mobiles({ALICE: RingOut()})
    running.stack.call(DID, victim.number, cancel_after=0.3).wait()
    running.mobiles({ALICE: BUSY})
    running.stack.call(DID, victim.number).wait()
    assert calls_of(running, victim.number, 4)[0] == "busy"
    assert "answered" not in calls_of(running, victim.number, 4)
    states = [(task["campaign"], task["state"]) for task in victim.callbacks()]
    assert sorted(states) == [("gated", "open"), ("ours", "open")], "open, and one a campaign"


def test_an_answer_in_another_campaign_closes_nobodys_callback(running: Site) -> None:
    victim = missed(running)
    running.mobiles({CAROL: Answer(0.1)})
    running.stack.call(OTHERS, victim.number, hang_up_after=0.2).wait()
    assert calls_of(running, victim.number, 2) == ["busy", "answered"]
    assert [task["state"] for task in victim.callbacks()] == ["open"]


def test_what_a_forger_can_do_is_talk_to_a_salesperson_and_it_stays_on_record(running: Site) -> None:
    """What a caller ID is worth: whoever is taken by a human in the victim's name is the victim, as far as anybody
    can tell. The task says why it was closed, the call is there, and the next missed call opens another."""
    victim = missed(running)
    running.mobiles({ALICE: Answer(0.1)})
    running.stack.call(DID, victim.number, hang_up_after=0.2).wait()
    assert calls_of(running, victim.number, 2) == ["busy", "answered"]
    (closed,) = running.until(
        lambda: [task for task in victim.callbacks() if task["state"] == "done"], "the task is done"
    )
    assert closed["close_reason"] == "caller reached us"
    running.mobiles({ALICE: BUSY})
    running.stack.call(DID, victim.number).wait()
    calls_of(running, victim.number, 3)
    assert sorted(task["state"] for task in victim.callbacks()) == ["done", "open"]


# --- A VIP's ring -----------------------------------------------------------------------------------------


def test_a_forged_vip_rings_whom_the_file_says_and_no_more_often_than_anybody(running: Site) -> None:
    running.mobiles({ALICE: Answer(0.1), CAROL: BUSY})
    outcomes = [Nameless(running, CLOSED, from_number=VIP).ended()["outcome"] for _ in range(CAP + 1)]
    assert outcomes == ["busy"] * CAP + ["blocked"]
    assert [dialog.number for dialog in running.carrier.calls()] == [CAROL] * CAP


def test_a_vips_number_that_is_withheld_is_nobodys(running: Site) -> None:
    running.mobiles({CAROL: Answer(0.1)})
    hidden = {"P-Asserted-Identity": f"<sip:{VIP}@carrier>", "Privacy": "id"}
    call = withheld(running, CLOSED, headers=hidden)
    assert call.ended()["outcome"] == "closed"
    assert running.carrier.calls() == ()
