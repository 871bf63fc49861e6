"""Random scenarios: phones of every temper, rung in every way, by callers who leave at any moment."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle
from random import Random
from typing import Final

from tests.scenarios.model import Hunt, Phone, Scenario, Step

CODES: Final = (403, 404, 408, 410, 480, 484, 486, 487, 488, 500, 502, 503, 504, 600, 603, 604, 606, 607, 608)
ACCEPT_TIMEOUT: Final = 3.0
"""The least that campaigns.yaml takes."""
TEMPERS: Final = {
    "presses 1": 27,
    "presses 2": 11,
    "listens": 10,
    "hangs up": 6,
    "refuses": 24,
    "rings out": 15,
    "early media": 4,
    "dead": 3,
}
"""Of 100 phones, how many do what."""


def phones(seed: str, count: int) -> dict[str, Phone]:
    """`count` people and what their mobiles do; every fifth does what the one before does, to the moment."""
    chance, codes = Random(f"phones {seed}"), cycle(CODES)
    tempers = [temper for temper, share in TEMPERS.items() for _ in range(share)]
    chance.shuffle(tempers)
    made: list[Phone] = []
    for n in range(count):
        made.append(made[-1] if n % 5 == 4 else phone(tempers[n % len(tempers)], chance, codes))
    return {f"p{n:03d}": phone for n, phone in enumerate(made)}


def phone(temper: str, chance: Random, codes: Iterator[int]) -> Phone:
    answers = _between(chance, 0.1, 2.2)
    match temper:
        case "presses 1":
            return Phone(early=chance.random() < 0.1, after=answers, then=_between(chance, 0.3, 2.6), key="1")
        case "presses 2":
            return Phone(after=answers, then=_between(chance, 0.3, 1.5), key="2")
        case "listens":
            return Phone(after=answers, rings=chance.random() < 0.9)
        case "hangs up":
            return Phone(after=answers, then=_between(chance, 0.3, 2.0))
        case "refuses":
            after = chance.choice((0.0, _between(chance, 0.2, 1.8)))
            return Phone(rings=after > 0, after=after, refuses=next(codes))
        case "rings out":
            return Phone()
        case "early media":
            return Phone(early=True)
        case _:
            return Phone(rings=False)


def scenario(seed: str, number: int, people: dict[str, Phone]) -> Scenario:
    """The scenario of that number out of a run: any of them can be made again alone."""
    chance = Random(f"scenario {seed} {number}")
    hunts = [_hunt(chance, people)]
    if chance.random() < 0.25:
        # Whom the overflow rings has often been rung before: only who said no is spared.
        again = {person: people[person] for person in _rung(hunts)} if chance.random() < 0.5 else people
        hunts.append(_hunt(chance, again, ("sequential", "all"), most=2))
    return Scenario(
        name=f"{seed}:{number}",
        phones={person: people[person] for person in _rung(hunts)},
        hunts=tuple(hunts),
        accept_timeout=ACCEPT_TIMEOUT,
        gate=chance.random() < 0.9,
        leaves=_between(chance, 0.0, 6.0) if chance.random() < 0.22 else None,
    )


def _rung(hunts: list[Hunt]) -> list[str]:
    return sorted({person for hunt in hunts for step in hunt.steps for person in step.people})


def _hunt(
    chance: Random,
    people: dict[str, Phone],
    strategies: tuple[str, ...] = ("sequential", "all", "steps"),
    most: int = 4,
) -> Hunt:
    strategy = chance.choice(strategies)
    timeout, max_wait = _between(chance, 1.0, 2.2), _between(chance, 2.5, 9.0)
    to = _some(chance, people, chance.randint(1, min(most, 3) if strategy == "all" else most))
    if strategy == "all":
        return Hunt(strategy, (Step(to, timeout),), max_wait)
    if strategy == "sequential":
        return Hunt(strategy, tuple(Step((person,), timeout) for person in to), max_wait)
    steps: list[Step] = []
    while to:
        size = chance.randint(1, 2)
        add = bool(steps) and chance.random() < 0.6
        steps.append(Step(to[:size], _between(chance, 1.0, 2.0), add))
        to = to[size:]
    return Hunt(strategy, tuple(steps), max_wait)


def _some(chance: Random, people: dict[str, Phone], count: int) -> tuple[str, ...]:
    """Different people, sometimes with two among them who do the same at the same moment."""
    names = list(people)
    chosen = chance.sample(names, min(count, len(names)))
    if len(names) >= 5 and count > 1 and chance.random() < 0.08:
        twin = 5 * chance.randrange(len(names) // 5) + 3
        chosen[:2] = names[twin : twin + 2]
    return tuple(dict.fromkeys(chosen))


def _between(chance: Random, least: float, most: float) -> float:
    return round(chance.uniform(least, most), 2)
