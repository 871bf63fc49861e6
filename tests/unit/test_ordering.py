"""Who rings first: every strategy, steps by hand, the person a caller knows, and the lot that must be fair."""

from __future__ import annotations

from collections import Counter

import pytest

from router.model import Ring, RingStep, Situation, Strategy
from router.ordering import arrange, cut, put_first, spell
from tests.build import make_ring, make_step

EVERYBODY = ("alice", "bob", "carol", "dave")


def ring(strategy: Strategy, **more: object) -> Ring:
    return make_ring(EVERYBODY, strategy=strategy, **more)  # type: ignore[arg-type]


def order(
    ring: Ring, situation: Situation | None = None, present: tuple[str, ...] = EVERYBODY, campaign: str = "spring"
) -> list[str]:
    return [person for step in arrange(ring, present, campaign, situation or Situation()) for person in step.to]


def shape(steps: tuple[RingStep, ...]) -> list[tuple[tuple[str, ...], float, bool]]:
    return [(step.to, step.timeout, step.keep) for step in steps]


# --- Strategies ---------------------------------------------------------------------------------------------


def test_sequential_is_the_order_of_the_file_a_step_each() -> None:
    steps = arrange(ring(Strategy.SEQUENTIAL, timeout=15), ("carol", "alice"), "spring", Situation())
    assert shape(steps) == [(("alice",), 15, False), (("carol",), 15, False)]


def test_all_is_one_step_and_none_when_nobody_is_present() -> None:
    steps = arrange(ring(Strategy.ALL, timeout=30), ("bob", "alice"), "spring", Situation())
    assert shape(steps) == [(("alice", "bob"), 30, False)]
    assert arrange(ring(Strategy.ALL), (), "spring", Situation()) == ()


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        (None, ["alice", "bob", "carol", "dave"]),
        ("alice", ["bob", "carol", "dave", "alice"]),
        ("dave", ["alice", "bob", "carol", "dave"]),
        ("somebody-who-left", ["alice", "bob", "carol", "dave"]),
    ],
)
def test_round_robin_begins_behind_who_stood_first(last: str | None, expected: list[str]) -> None:
    first = {"spring": last} if last else {}
    assert order(ring(Strategy.ROUND_ROBIN), Situation(first=first)) == expected


def test_round_robin_begins_behind_the_place_of_somebody_who_is_absent() -> None:
    present = ("alice", "carol", "dave")
    assert order(ring(Strategy.ROUND_ROBIN), Situation(first={"spring": "bob"}), present) == [
        "carol",
        "dave",
        "alice",
    ]


def test_the_turn_is_the_campaigns_own() -> None:
    situation = Situation(first={"spring": "alice"})
    assert order(ring(Strategy.ROUND_ROBIN), situation, campaign="poster")[0] == "alice"
    assert order(ring(Strategy.ROUND_ROBIN), situation, campaign="spring")[0] == "bob"


def test_round_robin_is_fair_over_calls_restarts_and_an_absence() -> None:
    """All it remembers is who stood first, as the database has it: a restart changes nothing."""
    firsts: list[str] = []
    for call in range(400):
        present = tuple(one for one in EVERYBODY if one != "bob" or call >= 200)
        situation = Situation(first={"spring": firsts[-1]} if firsts else {})
        firsts.append(order(ring(Strategy.ROUND_ROBIN), situation, present)[0])
    without, with_bob = Counter(firsts[:200]), Counter(firsts[200:])
    assert max(without.values()) - min(without.values()) <= 1
    assert set(without) == {"alice", "carol", "dave"}
    assert with_bob == dict.fromkeys(EVERYBODY, 50)


def test_weighted_seventy_thirty_within_two_points_over_ten_thousand_calls() -> None:
    weighted = make_ring(("alice", "bob"), strategy=Strategy.WEIGHTED, weights={"alice": 70, "bob": 30})
    firsts = Counter(order(weighted, Situation(seed=seed), ("alice", "bob"))[0] for seed in range(10_000))
    assert 0.68 <= firsts["alice"] / 10_000 <= 0.72


def test_the_second_place_is_drawn_by_weight_among_those_left() -> None:
    """5:3:2 without replacement: behind Alice, Bob comes second 3 times in 5; and Carol is first 1 time in 5."""
    weighted = make_ring(EVERYBODY[:3], strategy=Strategy.WEIGHTED, weights={"alice": 5, "bob": 3, "carol": 2})
    drawn = [order(weighted, Situation(seed=seed), EVERYBODY[:3]) for seed in range(10_000)]
    behind_alice = Counter(one[1] for one in drawn if one[0] == "alice")
    assert 0.58 <= behind_alice["bob"] / behind_alice.total() <= 0.62
    assert 0.18 <= Counter(one[0] for one in drawn)["carol"] / 10_000 <= 0.22


def test_weights_are_in_proportion_among_those_present() -> None:
    weighted = make_ring(EVERYBODY[:3], strategy=Strategy.WEIGHTED, weights={"alice": 60, "bob": 30, "carol": 10})
    firsts = Counter(order(weighted, Situation(seed=seed), ("bob", "carol"))[0] for seed in range(10_000))
    assert 0.73 <= firsts["bob"] / 10_000 <= 0.77


def test_one_seed_is_one_order() -> None:
    weighted = ring(Strategy.WEIGHTED, weights=dict.fromkeys(EVERYBODY, 1))
    orders = {tuple(order(weighted, Situation(seed=seed))) for seed in range(500)}
    assert len(orders) == 24
    assert order(weighted, Situation(seed=2**64 - 1)) == order(weighted, Situation(seed=2**64 - 1))


def test_least_recent_rings_who_was_rung_longest_ago_and_never_rung_first() -> None:
    situation = Situation(last_rung={"alice": 300.0, "bob": 100.0, "dave": 200.0}, last_talk={"alice": 1.0})
    assert order(ring(Strategy.LEAST_RECENT), situation) == ["carol", "bob", "dave", "alice"]


def test_longest_idle_rings_who_talked_longest_ago_and_never_talked_first() -> None:
    situation = Situation(last_talk={"alice": 300.0, "bob": 100.0, "carol": 200.0}, last_rung={"dave": 9e9})
    assert order(ring(Strategy.LONGEST_IDLE), situation) == ["dave", "bob", "carol", "alice"]


@pytest.mark.parametrize("strategy", [Strategy.LEAST_RECENT, Strategy.LONGEST_IDLE])
def test_ties_are_settled_by_the_file(strategy: Strategy) -> None:
    times = {"bob": 5.0, "alice": 5.0}
    situation = Situation(last_rung=times, last_talk=times)
    assert order(ring(strategy), situation) == ["carol", "dave", "alice", "bob"]


@pytest.mark.parametrize("strategy", list(Strategy))
def test_every_strategy_rings_everybody_present_once(strategy: Strategy) -> None:
    situation = Situation(seed=7, first={"spring": "carol"}, last_rung={"bob": 1.0}, last_talk={"dave": 1.0})
    one = ring(strategy, weights=dict.fromkeys(EVERYBODY, 3))
    assert sorted(order(one, situation)) == sorted(EVERYBODY)
    assert sorted(order(one, situation, ("bob", "dave"))) == ["bob", "dave"]
    assert order(one, situation, ()) == []


# --- Steps by hand ------------------------------------------------------------------------------------------

GROWING = (make_step(["alice"], 15), make_step(["bob"], 10, keep=True), make_step(["carol", "dave"], 20, keep=True))


def by_hand(steps: tuple[RingStep, ...], present: tuple[str, ...]) -> list[tuple[tuple[str, ...], float, bool]]:
    return shape(arrange(make_ring(steps=steps), present, "spring", Situation()))


def test_steps_by_hand_stand_as_they_are_written() -> None:
    assert by_hand(GROWING, EVERYBODY) == shape(GROWING)


def test_who_is_not_present_is_left_out_and_an_empty_step_is_dropped() -> None:
    assert by_hand(GROWING, ("alice", "dave")) == [(("alice",), 15, False), (("dave",), 20, True)]
    assert by_hand(GROWING, ()) == []


def test_the_first_who_ring_keep_nobody() -> None:
    assert by_hand(GROWING, ("bob", "carol")) == [(("bob",), 10, False), (("carol",), 20, True)]


def test_a_dropped_step_that_sends_the_earlier_away_still_does() -> None:
    steps = (
        make_step(["alice"]),
        make_step(["bob"]),
        make_step(["carol"], keep=True),
        make_step(["dave"], keep=True),
    )
    assert by_hand(steps, ("alice", "carol", "dave")) == [
        (("alice",), 20, False),
        (("carol",), 20, False),
        (("dave",), 20, True),
    ]


# --- Who comes first ----------------------------------------------------------------------------------------


def test_the_person_whom_the_caller_knows_rings_alone_and_then_the_others_in_their_order() -> None:
    steps = arrange(ring(Strategy.SEQUENTIAL), EVERYBODY, "spring", Situation())
    assert [step.to for step in put_first("carol", steps, 12)] == [("carol",), ("alice",), ("bob",), ("dave",)]
    assert put_first("carol", steps, 12)[0] == RingStep(("carol",), 12, keep=False)
    assert [step.to for step in put_first("alice", steps, 20)] == [(one,) for one in EVERYBODY]


def test_behind_the_known_person_all_the_others_ring_at_once() -> None:
    steps = arrange(ring(Strategy.ALL, timeout=30), EVERYBODY, "spring", Situation())
    assert shape(put_first("bob", steps, 30)) == [(("bob",), 30, False), (("alice", "carol", "dave"), 30, False)]


def test_when_nobody_else_is_left_the_known_person_rings_once() -> None:
    for strategy in (Strategy.ALL, Strategy.SEQUENTIAL):
        steps = arrange(ring(strategy), ("bob",), "spring", Situation())
        assert shape(put_first("bob", steps, 20)) == [(("bob",), 20, False)]


def test_behind_the_known_person_the_steps_follow_without_him() -> None:
    assert shape(put_first("bob", GROWING, 12)) == [
        (("bob",), 12, False),
        (("alice",), 15, False),
        (("carol", "dave"), 20, True),
    ]


def test_who_stood_first_by_hand_anyway_rings_on_beside_those_who_are_added() -> None:
    assert shape(put_first("alice", GROWING, 12)) == [
        (("alice",), 12, False),
        (("bob",), 10, True),
        (("carol", "dave"), 20, True),
    ]


# --- Cut, and said ------------------------------------------------------------------------------------------


def test_cut_keeps_what_lies_within_the_seconds() -> None:
    assert shape(cut(GROWING, 60)) == shape(GROWING)
    assert shape(cut(GROWING, 25)) == shape(GROWING[:2])
    assert shape(cut(GROWING, 20)) == [(("alice",), 15, False), (("bob",), 5, True)]


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (ring(Strategy.SEQUENTIAL), "one after the other, 20 s each; 60 s in all"),
        (ring(Strategy.ALL, timeout=7.5), "everybody at once for 7.5 s; 60 s in all"),
        (ring(Strategy.ROUND_ROBIN), "in turn, behind bob, 20 s each; 60 s in all"),
        (make_ring(("alice",), strategy=Strategy.ROUND_ROBIN), "in turn, 20 s each; 60 s in all"),
        (ring(Strategy.WEIGHTED), "drawn by lot, by their weights, 20 s each; 60 s in all"),
        (ring(Strategy.LEAST_RECENT), "rung longest ago first, 20 s each; 60 s in all"),
        (ring(Strategy.LONGEST_IDLE), "longest without a talk first, 20 s each; 60 s in all"),
        (make_ring(steps=GROWING), "3 steps; 60 s in all"),
    ],
)
def test_how_it_rings_is_said_in_words(one: Ring, said: str) -> None:
    assert spell(one, "spring", Situation(first={"spring": "bob"})) == said
