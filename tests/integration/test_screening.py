"""Who is not let in, who is let in at any hour, and who must press a key first. Real Asterisk and media."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from sandbox.behaviours import BUSY, Answer, RingOut
from tests.integration.recordings import in_order, prompts
from tests.integration.site import ALICE, CAROL, Site, campaigns
from tests.integration.withheld import Nameless, withheld

pytestmark = pytest.mark.asterisk

OPEN, CLOSED, OTHER = "+33184801041", "+33184801042", "+33184801043"
SPAM, HEAD_OFFICE, OFTEN = "+33899123456", "+33140000009", "+33140100777"
CAP: Final = 3
CHALLENGE, CALLER, MOBILE = 1500, 700, 1900
"""Hz: what the challenge says, and what the two sides say."""
RINGING: Final = 440
"""Hz: the ringing that Asterisk itself makes (indications.conf)."""


def screen(site: Site, withheld: str) -> None:
    """Run the router with this rule for those who withhold their number."""
    content = campaigns(site.asterisk)
    content["screening"] = {
        "block": [SPAM, "+33897*"],
        "vips": {"big-account": {"numbers": [HEAD_OFFICE], "ring": {"to": ["carol"]}}},
        "withheld": withheld,
        "max_per_minute": CAP,
    }
    content["campaigns"] = {
        "open": {"numbers": [OPEN], "ring": {"to": ["alice"]}},
        "other": {"numbers": [OTHER], "ring": {"to": ["alice"], "timeout": "5s"}},
        "closed": {"numbers": [CLOSED], "hours": "never-now", "ring": {"to": ["alice"]}},
    }
    prompts(site.config.parent, "fr", {"challenge": CHALLENGE})
    site.configure(content)
    site.stop_router()
    site.start_router()


@pytest.fixture(scope="module")
def challenges(site: Site) -> None:
    screen(site, "challenge")


def figures(site: Site) -> dict[str, Any]:
    """The line of the campaign `open` in the report."""
    said = site.run("report", "campaigns", "--format", "json")
    assert said.returncode == 0, said.stderr
    return next(row for row in json.loads(said.stdout) if row["campaign"] == "open")


# --- Numbers ----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("challenges")
@pytest.mark.parametrize("number", [SPAM, "0899123456", "+33897000001"])
def test_a_blocked_number_hears_busy_and_rings_nobody(running: Site, number: str) -> None:
    running.mobiles({ALICE: Answer(0.1)})
    before = figures(running)
    call = Nameless(running, OPEN, from_number=number)
    row = call.ended()
    assert (row["outcome"], row["hangup_by"], row["salesperson"]) == ("blocked", "router", None)
    assert call.dialog.final == 486
    assert running.carrier.calls() == ()
    assert running.rows("SELECT * FROM callback_calls WHERE call_id = ?", row["id"]) == []
    after = figures(running)
    assert after.pop("blocked") == before.pop("blocked") + 1
    assert after == before, "no other figure has moved"


@pytest.mark.usefixtures("challenges")
def test_a_vip_reaches_somebody_outside_hours(running: Site) -> None:
    running.mobiles({CAROL: Answer(0.2)})
    call = Nameless(running, CLOSED, from_number=HEAD_OFFICE, hang_up_after=0.1)
    row = call.ended()
    assert (row["campaign"], row["outcome"], row["salesperson"]) == ("closed", "answered", "carol")
    ordinary = running.call(CLOSED)
    assert ordinary.ended()["outcome"] == "closed"


@pytest.mark.usefixtures("challenges")
def test_a_number_that_calls_too_often_is_blocked(running: Site) -> None:
    running.mobiles({ALICE: BUSY})
    outcomes = [Nameless(running, OPEN, from_number=OFTEN).ended()["outcome"] for _ in range(CAP + 1)]
    assert outcomes == ["busy"] * CAP + ["blocked"]
    assert running.call(OPEN).ended()["outcome"] == "busy", "others are let in"


# --- Numbers withheld -------------------------------------------------------------------------------------


@pytest.mark.usefixtures("challenges")
def test_whoever_withholds_the_number_must_press_1(running: Site) -> None:
    running.mobiles({ALICE: Answer(ring=1.2, tone=MOBILE, talk=1.5)})
    # Nobody is there: it takes the 20 seconds that a caller is given, while the others call.
    nobody = withheld(running, OTHER, tone=CALLER)
    caller = withheld(running, OPEN, tone=CALLER)
    running.until(lambda: caller.placed.heard().tone(CHALLENGE) > 0.1, "the challenge is heard")
    caller.placed.press("2")
    running.until(lambda: caller.placed.heard().tone(CHALLENGE) > 0.25, "it goes on")
    assert running.carrier.calls() == (), "no phone rings for another key"
    caller.placed.press("1")
    running.until(lambda: caller.placed.heard().tone(RINGING) > 0.3, "the caller hears ringing")
    row = caller.ended()
    assert (row["outcome"], row["salesperson"], row["caller_id"]) == ("answered", "alice", "withheld")
    (mobile,) = running.carrier.calls(ALICE)
    assert running.carrier.heard(mobile).tone(CALLER) > 0.5
    heard = caller.placed.heard()
    assert in_order(heard, CHALLENGE, RINGING, MOBILE)
    assert heard.tone(MOBILE) > 0.5
    row = nobody.ended(30)
    assert (row["outcome"], row["hangup_by"], row["ring_seconds"]) == (
        "blocked",
        "router",
        pytest.approx(20, abs=2),
    )
    assert [dialog.number for dialog in running.carrier.calls()] == [ALICE]


@pytest.mark.usefixtures("challenges")
def test_the_challenged_caller_leaves(running: Site) -> None:
    running.mobiles({ALICE: Answer(0.1)})
    call = withheld(running, OPEN, tone=CALLER, hang_up_after=0.2)
    row = call.ended()
    assert (row["outcome"], row["hangup_by"]) == ("abandoned", "caller")
    assert running.carrier.calls() == ()


@pytest.mark.usefixtures("challenges")
def test_the_caller_leaves_while_ringing_is_heard(running: Site) -> None:
    running.mobiles({ALICE: RingOut()})
    call = withheld(running, OTHER, tone=CALLER, keys="1", keys_after=0.2, hang_up_after=1.5)
    row = call.ended()
    assert (row["outcome"], row["hangup_by"]) == ("abandoned", "caller")
    assert call.results() == [("alice", "cancelled")]
    assert call.placed.heard().tone(RINGING) > 0.3


def test_withheld_numbers_may_be_let_in(site: Site) -> None:
    screen(site, "allow")
    site.mobiles({ALICE: Answer(0.1)})
    call = withheld(site, OPEN, hang_up_after=0.1)
    assert call.ended()["outcome"] == "answered"
    site.quiet()


def test_withheld_numbers_may_be_refused(site: Site) -> None:
    screen(site, "block")
    site.mobiles({ALICE: Answer(0.1)})
    call = withheld(site, OPEN)
    assert call.ended()["outcome"] == "blocked"
    assert call.dialog.final == 486
    assert site.carrier.calls() == ()
    site.quiet()
