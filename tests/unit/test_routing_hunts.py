"""The hunts of a call: the campaign's own, whom the caller knows first, and the overflow behind it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from router.model import (
    OVERFLOW,
    Accept,
    Acquaintance,
    Caller,
    Decision,
    Did,
    Ending,
    Outcome,
    Ring,
    Salesperson,
    Situation,
    Sound,
    Strategy,
    Voicemail,
)
from router.routing import decide
from tests.build import (
    BOB,
    CALLER,
    DID,
    make_campaign,
    make_config,
    make_inbound,
    make_overflow,
    make_ring,
    make_salesperson,
    make_step,
    make_trunk,
)
from tests.decisions import (
    MONTH,
    NOW,
    OPEN,
    PEOPLE,
    SWITCHBOARD,
    absent,
    config,
    rules,
    rung,
    spoke,
    targets,
    waits,
)

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


# --- The person whom the caller knows -----------------------------------------------------------------------


def sticky(ring: Ring, known: Acquaintance | None, *, people: tuple[Salesperson, ...] = PEOPLE) -> Decision:
    situation = Situation(known={CALLER: known} if known else {})
    return decide(config(make_campaign(ring=ring), people=people), make_inbound(), OPEN, situation)


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
