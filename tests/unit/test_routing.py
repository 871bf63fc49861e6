"""Whom a call rings: who is there, who calls, the hours, the whisper, and what explain reads."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from router.model import (
    OVERFLOW,
    Acquaintance,
    Ending,
    Outcome,
    Prompt,
    Screening,
    Situation,
    Sound,
    Strategy,
    Voicemail,
    Withheld,
)
from router.routing import decide
from tests.build import (
    ALICE,
    CALLER,
    VIP,
    make_campaign,
    make_config,
    make_hours,
    make_inbound,
    make_overflow,
    make_ring,
    make_screening,
    make_vip,
)
from tests.decisions import MONTH, NIGHT, NOW, OPEN, PEOPLE, SWITCHBOARD, absent, config, rules, rung, spoke, waits

# --- Who is there -------------------------------------------------------------------------------------------


def test_absent_people_are_left_out() -> None:
    decision = decide(config(people=absent("alice")), make_inbound(), OPEN)
    assert rung(decision) == [["bob"]]
    assert rules(decision)["salespeople.alice.absent"] == "Alice is absent"


@pytest.mark.parametrize(
    ("until", "said"),
    [
        (None, "resumed"),
        (NOW + 1, "2026-11-24 10:00"),
        (NOW + 14 * 3600.0, "2026-11-25 00:00"),
        (datetime(9999, 12, 31, 23, 59, tzinfo=UTC).timestamp(), "more than a year from now"),
    ],
)
def test_paused_people_are_left_out_until_their_pause_is_over(until: float | None, said: str) -> None:
    decision = decide(make_config(), make_inbound(), OPEN, Situation(paused={"alice": until}))
    assert rung(decision) == [["bob"]]
    assert rules(decision)["salespeople.alice"] == f"Alice is paused until {said}"


@pytest.mark.parametrize("until", [0.0, NOW - 1, NOW])
def test_a_pause_that_is_over_counts_no_more(until: float) -> None:
    decision = decide(make_config(), make_inbound(), OPEN, Situation(paused={"alice": until}))
    assert rung(decision) == [["alice"], ["bob"]]
    assert "salespeople.alice" not in rules(decision)


def test_with_everybody_away_the_call_is_unreachable() -> None:
    decision = decide(config(people=absent("alice")), make_inbound(), OPEN, Situation(paused={"bob": None}))
    assert (decision.plan, decision.refused, decision.ending) == (None, Outcome.UNREACHABLE, None)
    assert rules(decision)["campaigns.spring-flyer.ring.to"] == "nobody is left to ring"


# --- A salesperson's own line -------------------------------------------------------------------------------


@pytest.mark.parametrize("caller", [ALICE, "0612345678", "33612345678"])
def test_a_salesperson_who_calls_from_the_own_mobile_is_no_lead(caller: str) -> None:
    screening = make_screening([ALICE], max_per_minute=3)
    campaign = make_campaign(hours="office")
    for at in (OPEN, NIGHT):
        situation = Situation(recent={ALICE: 2})
        decision = decide(config(campaign, screening=screening), make_inbound(caller=caller), at, situation)
        assert (decision.staff, decision.plan, decision.refused) == ("alice", None, None)
        assert (decision.ending, decision.challenge) == (None, False)
        rules = [reason.rule for reason in decision.reasons[2:]]
        assert rules == ["salespeople.alice.mobile", "screening.max_per_minute"]


def test_the_own_line_is_no_way_around_the_cap() -> None:
    screening = make_screening(max_per_minute=3)
    decision = decide(
        config(make_campaign(), screening=screening), make_inbound(caller=ALICE), OPEN, Situation(recent={ALICE: 3})
    )
    assert (decision.staff, decision.refused) == (None, Outcome.BLOCKED)


def test_a_salesperson_who_withholds_the_number_is_a_caller() -> None:
    decision = decide(make_config(), make_inbound(caller=ALICE, withheld=True), OPEN)
    assert decision.staff is None
    assert rung(decision) == [["alice"], ["bob"]]


# --- Screening ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("screening", "caller", "rule"),
    [
        (make_screening([CALLER]), CALLER, "screening.block[0]"),
        (make_screening(["+3389*", "+331*"]), CALLER, "screening.block[1]"),
        (make_screening(max_per_minute=2), CALLER, "screening.max_per_minute"),
        (make_screening(withheld=Withheld.BLOCK), "", "screening.withheld"),
        (make_screening(["+3314000*"], vips=[make_vip()]), VIP, "screening.block[0]"),
    ],
)
def test_whoever_is_screened_out_is_blocked_and_hears_nothing(screening: Screening, caller: str, rule: str) -> None:
    campaign = make_campaign(hours="office", overflow=make_overflow(announcement="Nobody."))
    for at in (OPEN, NIGHT):
        situation = Situation(recent={CALLER: 2})
        decision = decide(config(campaign, screening=screening), make_inbound(caller=caller), at, situation)
        assert (decision.plan, decision.refused, decision.ending) == (None, Outcome.BLOCKED, None)
        assert decision.reasons[-1].rule == rule


def test_a_withheld_caller_is_challenged_only_before_somebody_rings() -> None:
    screening = make_screening(withheld=Withheld.CHALLENGE)
    challenged = config(make_campaign(hours="office"), screening=screening)
    assert decide(challenged, make_inbound(caller=""), OPEN).challenge
    assert not decide(challenged, make_inbound(), OPEN).challenge
    closed = decide(challenged, make_inbound(caller=""), NIGHT)
    assert (closed.refused, closed.challenge) == (Outcome.CLOSED, False)


def test_a_vip_reaches_other_people_whatever_the_hour() -> None:
    screening = make_screening(vips=[make_vip(to=["carol"])])
    vips = config(make_campaign(hours="office", overflow=make_overflow(["bob"])), screening=screening)
    for at in (OPEN, NIGHT):
        decision = decide(vips, make_inbound(caller=VIP), at)
        assert (rung(decision), rung(decision, 1)) == ([["carol"]], [["bob"]])
        assert "hours.office.weekly" not in rules(decision)
        assert "screening.vips.big-account.ring" in rules(decision)
    assert decide(vips, make_inbound(), NIGHT).refused is Outcome.CLOSED
    assert rung(decide(vips, make_inbound(), OPEN)) == [["alice"], ["bob"]]


def test_a_vip_whose_people_are_away_reaches_the_overflow() -> None:
    screening = make_screening(vips=[make_vip(to=["carol"])])
    campaign = make_campaign(overflow=make_overflow(["bob"]))
    decision = decide(config(campaign, people=absent("carol"), screening=screening), make_inbound(caller=VIP), OPEN)
    assert rung(decision) == [["bob"]]
    assert rules(decision)["screening.vips.big-account.ring.to"] == "nobody is left to ring"


# --- Hours --------------------------------------------------------------------------------------------------


def test_outside_opening_hours_the_call_is_closed_and_nobody_rings() -> None:
    office = config(make_campaign(hours="office", overflow=make_overflow(["carol"], announcement="Nobody.")))
    assert decide(office, make_inbound(), OPEN).refused is None
    decision = decide(office, make_inbound(), NIGHT)
    assert (decision.plan, decision.refused, decision.ending) == (None, Outcome.CLOSED, None)
    assert rules(decision)["hours.office.weekly"] == "closed: Tuesday 09:00-12:30, 14:00-18:30"


def test_without_hours_it_is_always_open() -> None:
    assert rules(decide(make_config(), make_inbound(), NIGHT))["campaigns.spring-flyer.hours"] == "always open"


def test_outside_hours_the_on_call_list_rings_and_its_own_ending_comes_behind() -> None:
    closed = make_overflow(["carol"], number=SWITCHBOARD, announcement="We are closed.")
    campaign = make_campaign(hours="office", closed=closed, overflow=make_overflow(["bob"], voicemail="Speak."))
    decision = decide(config(campaign), make_inbound(), NIGHT)
    assert decision.refused is None
    assert (rung(decision), waits(decision)) == ([["carol"], [OVERFLOW]], [90.0])
    assert decision.ending == Ending(announcement=Sound("We are closed."))
    assert "campaigns.spring-flyer.closed.ring" in rules(decision)
    by_day = decide(config(campaign), make_inbound(), OPEN)
    assert (rung(by_day), rung(by_day, 1)) == ([["alice"], ["bob"]], [["bob"]])


def test_outside_hours_with_nobody_on_call_it_is_closed_and_the_ending_is_kept() -> None:
    closed = make_overflow(["carol"], announcement="We are closed.", voicemail="Speak.", longest=90.0)
    campaign = make_campaign(hours="office", closed=closed)
    for away, situation in ((absent("carol"), Situation()), (PEOPLE, Situation(paused={"carol": None}))):
        decision = decide(config(campaign, people=away), make_inbound(), NIGHT, situation)
        assert (decision.plan, decision.refused) == (None, Outcome.CLOSED)
        assert decision.ending == Ending(Sound("We are closed."), Voicemail(Sound("Speak."), 90.0))
    words = make_campaign(hours="office", closed=make_overflow(announcement="We are closed."))
    decision = decide(config(words), make_inbound(), NIGHT)
    assert (decision.plan, decision.refused) == (None, Outcome.CLOSED)
    assert decision.ending == Ending(Sound("We are closed."))


# --- The whisper --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("situation", "said"),
    [
        (Situation(), Prompt.NEW_CALLER),
        (Situation(known={CALLER: Acquaintance(1.0)}), Prompt.REPEAT_CALLER),
        (
            Situation(known={CALLER: Acquaintance(1.0)}, owed={("spring-flyer", CALLER)}),
            Prompt.OWED_CALLBACK,
        ),
        (Situation(owed={("poster", CALLER), ("spring-flyer", VIP)}), Prompt.NEW_CALLER),
    ],
)
def test_the_whisper_names_the_campaign_and_what_is_known_of_the_caller(situation: Situation, said: Prompt) -> None:
    decision = decide(make_config(), make_inbound(), OPEN, situation)
    assert decision.plan is not None
    assert decision.plan.whisper == (Sound(text="Spring flyer"), said, Prompt.PRESS_1)


def test_a_withheld_caller_is_neither_new_nor_known_and_a_campaign_may_bring_its_own_words() -> None:
    own = config(make_campaign(whisper=Sound(file="/srv/flyer.wav")))
    decision = decide(own, make_inbound(withheld=True), OPEN, Situation(known={CALLER: Acquaintance(1.0)}))
    assert decision.plan is not None
    assert decision.plan.whisper == (Sound(file="/srv/flyer.wav"), Prompt.PRESS_1)


# --- What explain reads -------------------------------------------------------------------------------------


def test_reasons_stand_in_the_order_in_which_the_rules_were_looked_at() -> None:
    full = make_config(
        campaigns=[
            make_campaign(
                hours="office",
                name="Flyer printemps",
                ring=make_ring(("alice", "bob", "carol"), sticky=MONTH),
                overflow=make_overflow(["alice", "carol"], number=SWITCHBOARD, voicemail="Speak."),
            )
        ],
        salespeople=absent("alice"),
        hours=[make_hours()],
        screening=make_screening(["+3389*"], vips=[make_vip()], max_per_minute=6),
    )
    situation = Situation(paused={"bob": None}, trunks_down={"main"})
    decision = decide(full, make_inbound(), OPEN, situation)
    assert [(reason.rule, reason.text) for reason in decision.reasons] == [
        ("asterisk.trunks.main.did_from", "+33184801001, from exten"),
        ("campaigns.spring-flyer", "Flyer printemps"),
        ("screening.block", "the caller is not on it"),
        ("screening.max_per_minute", "call 1 in a minute, 6 are let in"),
        ("screening.vips", "the caller is none of them"),
        ("hours.office.weekly", "open: Tuesday 09:00-12:30"),
        ("salespeople.alice.absent", "Alice is absent"),
        ("salespeople.bob", "Bob is paused until resumed"),
        ("campaigns.spring-flyer.ring", "one after the other, 20 s each; 60 s in all"),
        ("campaigns.spring-flyer.ring.sticky", "nobody has spoken with this caller"),
        ("campaigns.spring-flyer.overflow.ring", "one after the other, 20 s each; 60 s in all"),
        ("campaigns.spring-flyer.overflow.number", "then a number, for 30 s"),
        ("campaigns.spring-flyer.overflow.voicemail", "then a message, 120 s at most"),
        ("campaigns.spring-flyer.caller_id", "the number dialled"),
        ("asterisk.trunks.main", "down: tried last"),
    ]


def test_a_decision_is_a_value_that_the_same_call_gives_again() -> None:
    ring = make_ring(strategy=Strategy.WEIGHTED, weights={"alice": 7, "bob": 3}, sticky=MONTH)
    again = config(make_campaign(ring=ring, overflow=make_overflow(["carol"])))
    situation = Situation(seed=11, known={CALLER: spoke("bob", 60)})
    first = decide(again, make_inbound(), OPEN, situation)
    assert first == decide(again, make_inbound(), OPEN.astimezone(UTC), situation)
    assert first != decide(again, make_inbound(), OPEN + timedelta(days=40), situation)
