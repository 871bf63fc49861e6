"""The independent model, held against the contract's words one by one, and what the generator makes."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.scenarios.make import CODES, TEMPERS, phones, scenario
from tests.scenarios.model import Ending, Hunt, Phone, Scenario, Step, predict

TAKES_IT = Phone(after=1.0, then=0.5, key="1")
SAYS_NO = Phone(after=1.0, then=0.5, key="2")
MAILBOX = Phone(after=1.0)
LATE = Phone(after=1.9, then=1.0, key="1")
SLOW = Phone(after=1.9, then=2.0, key="1")
LATER = Phone(after=2.5, then=0.5, key="1")
RINGS = Phone()
DEAD = Phone(rings=False)

A, B, B_TOO = Step(("a",), 2.0), Step(("b",), 2.0), Step(("b",), 2.0, add=True)


def refuses(code: int, after: float = 0.5, *, rings: bool = True) -> Phone:
    return Phone(rings=rings, after=after, refuses=code)


def in_turn(*people: str, timeout: float = 2.0, max_wait: float = 60.0) -> Hunt:
    return Hunt("sequential", tuple(Step((person,), timeout) for person in people), max_wait)


def at_once(*people: str, timeout: float = 2.0, max_wait: float = 60.0) -> Hunt:
    return Hunt("all", (Step(people, timeout),), max_wait)


def by_steps(*steps: Step, max_wait: float = 60.0) -> Hunt:
    return Hunt("steps", steps, max_wait)


def call(
    *hunts: Hunt, gate: bool = True, leaves: float | None = None, accept_timeout: float = 3.0, **phones: Phone
) -> Scenario:
    return Scenario("here", phones, hunts, accept_timeout, gate, leaves)


def told(scenario: Scenario) -> str:
    """The one ending there is, in a line."""
    (ending,) = predict(scenario)
    by = f" by {ending.winner}" if ending.winner else ""
    return f"{ending.outcome}{by}: " + " ".join(f"{person}:{result}" for person, result in ending.attempts)


BRIEF, THREE = in_turn("a", max_wait=1.0), at_once("a", "b", "c")
SURE = [
    # Who presses 1 has it; who only answers has not.
    (call(in_turn("a"), a=TAKES_IT), "answered by a: a:accepted"),
    (call(in_turn("a"), a=MAILBOX), "no_answer: a:not_accepted"),
    (call(in_turn("a"), a=MAILBOX, gate=False), "answered by a: a:accepted"),
    (call(in_turn("a"), a=Phone(after=1.0, then=3.5, key="1")), "no_answer: a:not_accepted"),
    (call(in_turn("a"), a=Phone(after=1.0, then=0.5)), "no_answer: a:not_accepted"),
    (call(in_turn("a", "b"), a=MAILBOX, b=TAKES_IT), "answered by b: a:not_accepted b:accepted"),
    (call(in_turn("a", "b"), a=SAYS_NO, b=refuses(404)), "busy: a:declined b:unreachable"),
    # Everybody at once: the first 1 wins, whoever rings or listens is cancelled.
    (call(THREE, a=RINGS, b=TAKES_IT, c=MAILBOX), "answered by b: a:cancelled b:accepted c:cancelled"),
    (call(at_once("a", "b"), a=SAYS_NO, b=LATE), "answered by b: a:declined b:accepted"),
    # The ring timeout gives up who rings, not who listens; the next people wait for that.
    (call(in_turn("a", "b"), a=RINGS, b=TAKES_IT), "answered by b: a:no_answer b:accepted"),
    (call(in_turn("a", "b"), a=SLOW, b=TAKES_IT), "answered by a: a:accepted"),
    (call(at_once("a", "b"), a=RINGS, b=LATE), "answered by b: a:no_answer b:accepted"),
    # Steps that add: who rang before rings on, and the others begin at the timeout in any case.
    (call(by_steps(A, B_TOO), a=LATER, b=RINGS), "answered by a: a:accepted b:cancelled"),
    (call(by_steps(A, B), a=LATER, b=RINGS), "no_answer: a:no_answer b:no_answer"),
    (call(by_steps(A, B_TOO), a=MAILBOX, b=refuses(486), leaves=2.7), "abandoned: a:cancelled b:busy"),
    (call(by_steps(A, B), a=MAILBOX, b=refuses(486), leaves=2.7), "abandoned: a:cancelled"),
    (call(by_steps(A, B_TOO), a=SAYS_NO, b=RINGS, leaves=1.8), "abandoned: a:declined b:cancelled"),
    # max_wait ends a hunt, the listeners with it.
    (call(in_turn("a", "b", max_wait=3.0), a=RINGS, b=RINGS), "no_answer: a:no_answer b:no_answer"),
    (call(in_turn("a", max_wait=1.2), a=TAKES_IT), "no_answer: a:not_accepted"),
    # Then the overflow, with a max_wait of its own; who said no is not rung again, and everybody else may be.
    (call(in_turn("a"), in_turn("b"), a=RINGS, b=TAKES_IT), "answered by b: a:no_answer b:accepted"),
    (call(in_turn("a"), in_turn("a", "b"), a=SAYS_NO, b=refuses(486)), "busy: a:declined b:busy"),
    (call(in_turn("a"), in_turn("a"), a=refuses(603)), "busy: a:declined"),
    (call(in_turn("a"), in_turn("a"), a=RINGS), "no_answer: a:no_answer a:no_answer"),
    (call(BRIEF, in_turn("b", max_wait=2.0), a=RINGS, b=TAKES_IT), "answered by b: a:no_answer b:accepted"),
    # The caller leaves.
    (call(in_turn("a"), a=TAKES_IT, leaves=0.5), "abandoned: a:cancelled"),
    (call(in_turn("a"), a=TAKES_IT, leaves=1.2), "abandoned: a:cancelled"),
    (call(in_turn("a", "b"), a=RINGS, b=MAILBOX, leaves=3.5), "abandoned: a:no_answer b:cancelled"),
    (call(in_turn("a"), a=TAKES_IT, leaves=1.6), "answered by a: a:accepted"),
    # What is worth more names the call.
    (call(in_turn("a", "b"), a=refuses(404), b=refuses(500)), "unreachable: a:unreachable b:unreachable"),
    (call(in_turn("a", "b"), a=refuses(486), b=refuses(500)), "busy: a:busy b:unreachable"),
    (call(THREE, a=refuses(486), b=refuses(404), c=RINGS), "no_answer: a:busy b:unreachable c:no_answer"),
    (call(in_turn("a"), a=DEAD), "unreachable: a:unreachable"),
    (call(in_turn("a"), a=Phone(early=True)), "no_answer: a:no_answer"),
]  # fmt: skip


@pytest.mark.parametrize(("scenario", "ending"), SURE)
def test_what_the_contract_says(scenario: Scenario, ending: str) -> None:
    assert told(scenario) == ending


@pytest.mark.parametrize(
    ("code", "result"),
    [
        *[(code, "unreachable") for code in (403, 404, 484, 488, 500, 503, 606)],
        *[(code, "declined") for code in (603, 607, 608)],
        *[(code, "busy") for code in (486, 600)],
        *[(code, "no_answer") for code in (408, 480, 487)],
    ],
)
def test_what_a_phone_that_rang_and_refused_was(code: int, result: str) -> None:
    (ending,) = predict(call(in_turn("a"), a=refuses(code)))
    assert ending.attempts == (("a", result),)


@pytest.mark.parametrize("code", [408, 487])
def test_a_phone_that_never_rang_was_not_reached(code: int) -> None:
    (ending,) = predict(call(in_turn("a"), a=refuses(code, 0.0, rings=False)))
    assert ending == Ending("unreachable", "", (("a", "unreachable"),))


def test_two_who_press_at_the_same_moment_may_both_win_but_not_together() -> None:
    assert predict(call(at_once("a", "b"), a=TAKES_IT, b=TAKES_IT)) == {
        Ending("answered", "a", (("a", "accepted"), ("b", "cancelled"))),
        Ending("answered", "b", (("a", "cancelled"), ("b", "accepted"))),
    }


@pytest.mark.parametrize(("leaves", "outcomes"), [(1.7, {"answered", "abandoned"}), (1.8, {"answered"})])
def test_two_moments_within_the_margin_come_in_either_order(leaves: float, outcomes: set[str]) -> None:
    endings = predict(call(in_turn("a"), a=TAKES_IT, leaves=leaves), margin=0.25)
    assert {ending.outcome for ending in endings} == outcomes


def test_a_wider_margin_only_adds_to_what_may_happen() -> None:
    people = phones("wider", 50)
    for number in range(300):
        made = scenario("wider", number, people)
        sure, possible = predict(made), predict(made, margin=0.25)
        assert sure <= possible, made


def test_the_same_seed_makes_the_same_scenarios_and_another_others() -> None:
    def some(seed: str) -> list[Scenario]:
        return [scenario(seed, number, phones(seed, 40)) for number in range(20)]

    assert some("1") == some("1")
    assert some("1") != some("2")


def test_a_thousand_scenarios_have_everything_in_them_and_are_seldom_ambiguous() -> None:
    people = phones("all", 200)
    made = [scenario("all", number, people) for number in range(1000)]
    assert {hunt.strategy for each in made for hunt in each.hunts} == {"sequential", "all", "steps"}
    assert any(step.add for each in made for hunt in each.hunts for step in hunt.steps)
    assert {phone.refuses for each in made for phone in each.phones.values()} >= set(CODES)
    foreseen = [predict(each) for each in made]
    outcomes = Counter(min(endings).outcome for endings in foreseen)
    assert set(outcomes) == {"answered", "abandoned", "no_answer", "busy", "unreachable"}
    assert min(outcomes.values()) >= 20
    results = {result for endings in foreseen for ending in endings for _, result in ending.attempts}
    assert results == {
        "accepted", "not_accepted", "no_answer", "busy", "declined", "unreachable", "cancelled",
    }  # fmt: skip
    unsure = [each for each in made if len({(e.outcome, e.winner) for e in predict(each, margin=0.25)}) > 1]
    assert len(unsure) < 200
    assert sum(TEMPERS.values()) == 100
