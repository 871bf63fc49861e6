"""Whom a call rings: each rule in its turn, the hunts, their overflow, and what explain reads."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from router.model import (
    OVERFLOW,
    Accept,
    Acquaintance,
    Caller,
    Campaign,
    Config,
    Decision,
    Did,
    Ending,
    Outcome,
    Prompt,
    Ring,
    Salesperson,
    Screening,
    Situation,
    Sound,
    Strategy,
    Target,
    Voicemail,
    Withheld,
)
from router.routing import decide
from tests.build import (
    ALICE,
    BOB,
    CALLER,
    CAROL,
    DID,
    VIP,
    make_campaign,
    make_config,
    make_hours,
    make_inbound,
    make_overflow,
    make_ring,
    make_salesperson,
    make_screening,
    make_step,
    make_trunk,
    make_vip,
)

OPEN = datetime(2026, 11, 24, 10, 0, tzinfo=ZoneInfo("Europe/Paris"))
NIGHT = datetime(2026, 11, 24, 23, 0, tzinfo=ZoneInfo("Europe/Paris"))
NOW = OPEN.timestamp()
OTHER = "+33184801002"
SWITCHBOARD = "+33145000000"
PEOPLE = (make_salesperson(), make_salesperson("bob", BOB), make_salesperson("carol", CAROL))
GONE = "2026-11-24"


def config(
    campaign: Campaign | None = None,
    *,
    people: tuple[Salesperson, ...] = PEOPLE,
    screening: Screening | None = None,
) -> Config:
    return make_config(campaigns=[campaign or make_campaign()], salespeople=people, screening=screening)


def absent(*gone: str) -> tuple[Salesperson, ...]:
    days = make_salesperson(absent=[GONE]).absent
    return tuple(replace(one, absent=days) if one.id in gone else one for one in PEOPLE)


def rules(decision: Decision) -> dict[str, str]:
    return {reason.rule: reason.text for reason in decision.reasons}


def rung(decision: Decision, hunt: int = 0) -> list[list[str]]:
    assert decision.plan is not None
    return [[target.salesperson for target in step.targets] for step in decision.plan.hunts[hunt].steps]


def waits(decision: Decision) -> list[float]:
    assert decision.plan is not None
    return [hunt.max_wait for hunt in decision.plan.hunts]


def targets(decision: Decision) -> list[Target]:
    assert decision.plan is not None
    return [target for hunt in decision.plan.hunts for step in hunt.steps for target in step.targets]


# --- The campaign's own hunt --------------------------------------------------------------------------------


def test_one_after_the_other_is_a_step_each_and_every_step_has_its_timeout() -> None:
    decision = decide(make_config(), make_inbound(), OPEN)
    assert (decision.campaign, decision.did, decision.caller) == ("spring-flyer", Did(DID, "exten"), Caller(CALLER))
    assert (decision.refused, decision.ending, decision.challenge, decision.staff) == (None, None, False, None)
    assert rung(decision) == [["alice"], ["bob"]]
    assert waits(decision) == [60.0]
    assert decision.plan is not None
    assert [step.timeout for step in decision.plan.hunts[0].steps] == [20.0, 20.0]
    assert targets(decision)[0].name == "Alice"


def test_all_is_one_step_with_everybody() -> None:
    decision = decide(
        config(make_campaign(ring=make_ring(strategy=Strategy.ALL, timeout=30))), make_inbound(), OPEN
    )
    assert rung(decision) == [["alice", "bob"]]
    assert rules(decision)["campaigns.spring-flyer.ring"] == "everybody at once for 30 s; 60 s in all"


def test_steps_by_hand_keep_those_who_ring_already() -> None:
    steps = [make_step(["alice"], 15), make_step(["bob"], 10, keep=True), make_step(["carol"], keep=True)]
    decision = decide(config(make_campaign(ring=make_ring(steps=steps))), make_inbound(), OPEN)
    assert decision.plan is not None
    assert [(step.timeout, step.keep) for step in decision.plan.hunts[0].steps] == [
        (15, False),
        (10, True),
        (20, True),
    ]
    assert rung(decision) == [["alice"], ["bob"], ["carol"]]


def test_the_turn_and_the_lot_come_out_of_the_situation() -> None:
    turn = config(make_campaign(ring=make_ring(("alice", "bob", "carol"), strategy=Strategy.ROUND_ROBIN)))
    decision = decide(turn, make_inbound(), OPEN, Situation(first={"spring-flyer": "alice"}))
    assert rung(decision) == [["bob"], ["carol"], ["alice"]]
    assert rules(decision)["campaigns.spring-flyer.ring"] == "in turn, behind alice, 20 s each; 60 s in all"
    lot = config(make_campaign(ring=make_ring(strategy=Strategy.WEIGHTED, weights={"alice": 1, "bob": 1})))
    firsts = {rung(decide(lot, make_inbound(), OPEN, Situation(seed=seed)))[0][0] for seed in range(20)}
    assert firsts == {"alice", "bob"}


def test_steps_beyond_the_longest_wait_stay_in_the_plan() -> None:
    decision = decide(config(make_campaign(ring=make_ring(timeout=50, max_wait=40))), make_inbound(), OPEN)
    assert rung(decision) == [["alice"], ["bob"]]


def test_a_did_that_no_campaign_owns_takes_the_unknown_numbers_route() -> None:
    decision = decide(make_config(), make_inbound(SWITCHBOARD), OPEN)
    assert (decision.campaign, decision.did.number) == ("unknown", SWITCHBOARD)
    assert rung(decision) == [["alice"]]
    assert rules(decision)["unknown_number"] == "no campaign owns this number"


def test_what_is_a_yes_and_how_many_calls_at_once_is_the_persons_own() -> None:
    people = (make_salesperson(accept=Accept.NONE, max_calls=3), make_salesperson("bob", BOB))
    campaign = make_campaign(accept=Accept.PRESS_1, accept_timeout=9.0)
    decision = decide(config(campaign, people=people), make_inbound(), OPEN)
    assert [(one.accept, one.max_calls) for one in targets(decision)] == [(Accept.NONE, 3), (Accept.PRESS_1, 1)]
    assert decision.plan is not None
    assert decision.plan.accept_timeout == 9.0


def test_trunks_that_are_down_are_tried_last() -> None:
    both = make_config(trunks=[make_trunk(), make_trunk("spare", endpoint="spare")])
    decision = decide(both, make_inbound(), OPEN, Situation(trunks_down={"main"}))
    assert [[route.trunk for route in one.routes] for one in targets(decision)] == [["spare", "main"]] * 2
    assert rules(decision)["asterisk.trunks.main"] == "down: tried last"


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


# --- The person whom the caller knows -----------------------------------------------------------------------

MONTH = 30 * 86400.0


def sticky(ring: Ring, known: Acquaintance | None, *, people: tuple[Salesperson, ...] = PEOPLE) -> Decision:
    situation = Situation(known={CALLER: known} if known else {})
    return decide(config(make_campaign(ring=ring), people=people), make_inbound(), OPEN, situation)


def spoke(person: str, ago: float) -> Acquaintance:
    return Acquaintance(NOW - ago, person, NOW - ago)


AWAY = "who spoke with this caller last is not among them today"
TRIO = make_ring(("alice", "bob", "carol"), timeout=12, sticky=MONTH)


@pytest.mark.parametrize(
    ("known", "people", "order", "said"),
    [
        (spoke("bob", 60), PEOPLE, ["bob", "alice", "carol"], "Bob first, who spoke with this caller last"),
        (spoke("bob", MONTH), PEOPLE, ["bob", "alice", "carol"], "Bob first, who spoke with this caller last"),
        (spoke("alice", 60), PEOPLE, ["alice", "bob", "carol"], "Alice first, who spoke with this caller last"),
        (spoke("bob", MONTH + 1), PEOPLE, None, "the last talk with this caller is too long ago"),
        (spoke("bob", 60), absent("bob"), ["alice", "carol"], AWAY),
        (spoke("zoe", 60), PEOPLE, None, AWAY),
        (spoke(OVERFLOW, 60), PEOPLE, None, AWAY),
        (Acquaintance(NOW - 60), PEOPLE, None, "nobody has spoken with this caller"),
        (None, PEOPLE, None, "nobody has spoken with this caller"),
    ],
)
def test_a_caller_reaches_first_whom_they_spoke_with_last(
    known: Acquaintance | None, people: tuple[Salesperson, ...], order: list[str] | None, said: str
) -> None:
    decision = sticky(TRIO, known, people=people)
    assert rung(decision) == [[one] for one in order or ["alice", "bob", "carol"]]
    assert rules(decision)["campaigns.spring-flyer.ring.sticky"] == said


def test_without_stickiness_nobody_comes_first_and_nothing_is_said() -> None:
    decision = sticky(replace(TRIO, sticky=0.0), spoke("bob", 60))
    assert rung(decision) == [["alice"], ["bob"], ["carol"]]
    assert "campaigns.spring-flyer.ring.sticky" not in rules(decision)


def test_a_withheld_caller_knows_nobody() -> None:
    ring = config(make_campaign(ring=TRIO))
    decision = decide(ring, make_inbound(withheld=True), OPEN, Situation(known={CALLER: spoke("bob", 60)}))
    assert rung(decision)[0] == ["alice"]
    assert "campaigns.spring-flyer.ring.sticky" not in rules(decision)


def test_behind_the_known_person_all_the_others_ring_at_once() -> None:
    assert rung(sticky(replace(TRIO, strategy=Strategy.ALL), spoke("bob", 60))) == [["bob"], ["alice", "carol"]]
    alone = sticky(replace(TRIO, strategy=Strategy.ALL), spoke("bob", 60), people=absent("alice", "carol"))
    assert rung(alone) == [["bob"]]


# --- Overflow -----------------------------------------------------------------------------------------------


def test_the_overflow_is_a_second_hunt_its_people_and_then_the_number() -> None:
    over = make_overflow(["carol"], number=SWITCHBOARD, timeout=25.0)
    people = (*PEOPLE[:2], replace(PEOPLE[2], accept=Accept.PRESS_1))
    decision = decide(config(make_campaign(overflow=over), people=people), make_inbound(), OPEN)
    assert (rung(decision), rung(decision, 1)) == ([["alice"], ["bob"]], [["carol"], [OVERFLOW]])
    assert waits(decision) == [60.0, 85.0]
    last = targets(decision)[-1]
    assert (last.name, last.accept, last.max_calls) == ("overflow number", Accept.NONE, 0)
    assert [route.endpoint for route in last.routes] == [f"PJSIP/{SWITCHBOARD}@trunk"]
    assert decision.plan is not None
    assert decision.plan.hunts[1].steps[-1].timeout == 25.0
    assert rules(decision)["campaigns.spring-flyer.overflow.number"] == "then a number, for 25 s"


def test_a_number_alone_has_its_own_time() -> None:
    decision = decide(config(make_campaign(overflow=make_overflow(number=SWITCHBOARD))), make_inbound(), OPEN)
    assert (rung(decision, 1), waits(decision)) == ([[OVERFLOW]], [60.0, 30.0])


def test_a_number_whose_people_are_away_has_its_own_time() -> None:
    over = make_overflow(["carol"], number=SWITCHBOARD)
    decision = decide(config(make_campaign(overflow=over), people=absent("carol")), make_inbound(), OPEN)
    assert (rung(decision, 1), waits(decision)) == ([[OVERFLOW]], [60.0, 30.0])


def test_the_number_has_its_turn_though_its_people_would_ring_longer_than_they_may() -> None:
    ring = make_ring(("alice", "bob", "carol"), timeout=20, max_wait=30)
    over = make_overflow(ring=ring, number=SWITCHBOARD)
    decision = decide(config(make_campaign(to=["bob"], overflow=over)), make_inbound(), OPEN)
    assert decision.plan is not None
    hunt = decision.plan.hunts[1]
    assert rung(decision, 1) == [["alice"], ["bob"], [OVERFLOW]]
    assert [step.timeout for step in hunt.steps] == [20, 10, 30]
    assert sum(step.timeout for step in hunt.steps) == hunt.max_wait


def test_with_nobody_of_the_first_hunt_present_the_overflow_rings_at_once() -> None:
    campaign = make_campaign(overflow=make_overflow(["carol"]))
    decision = decide(config(campaign, people=absent("alice", "bob")), make_inbound(), OPEN)
    assert decision.plan is not None
    assert (len(decision.plan.hunts), rung(decision), decision.refused) == (1, [["carol"]], None)


def test_with_nobody_anywhere_it_is_unreachable_and_the_ending_is_kept() -> None:
    campaign = make_campaign(overflow=make_overflow(["carol"], voicemail="Speak."))
    decision = decide(config(campaign, people=absent("alice", "bob", "carol")), make_inbound(), OPEN)
    assert (decision.plan, decision.refused) == (None, Outcome.UNREACHABLE)
    assert decision.ending == Ending(voicemail=Voicemail(Sound("Speak."), 120.0))
    assert rules(decision)["campaigns.spring-flyer.overflow.ring.to"] == "nobody is left to ring"


def test_people_and_a_number_are_no_ending() -> None:
    campaign = make_campaign(overflow=make_overflow(["carol"], number=SWITCHBOARD))
    assert decide(config(campaign), make_inbound(), OPEN).ending is None


def test_what_comes_at_the_end_names_its_keys() -> None:
    campaign = make_campaign(overflow=make_overflow(announcement="Sorry.", voicemail="Speak.", longest=60.0))
    decision = decide(config(campaign), make_inbound(), OPEN)
    assert decision.ending == Ending(Sound("Sorry."), Voicemail(Sound("Speak."), 60.0))
    assert rules(decision)["campaigns.spring-flyer.overflow.announcement"] == "then words for the caller"
    assert rules(decision)["campaigns.spring-flyer.overflow.voicemail"] == "then a message, 60 s at most"


def test_the_overflows_own_number_is_not_rung_when_it_is_the_caller() -> None:
    campaign = make_campaign(overflow=make_overflow(["carol"], number=SWITCHBOARD))
    decision = decide(config(campaign), make_inbound(caller=SWITCHBOARD), OPEN)
    assert rung(decision, 1) == [["carol"]]
    assert rules(decision)["campaigns.spring-flyer.overflow.number"] == "is the caller, and not rung"


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
