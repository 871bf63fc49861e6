"""The order in which people ring: each strategy, steps written by hand, and who comes first for a caller who is
known. Pure: chance and the past arrive in the Situation.

Everything here speaks of people by their id, in RingSteps; people who are not present are left out by the way.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from router.model import Ring, RingStep, Situation, Strategy

_NEVER = float("-inf")


def arrange(ring: Ring, present: Collection[str], campaign: str, situation: Situation) -> tuple[RingStep, ...]:
    """Everybody of `ring` who is present, in steps; none when nobody is. `campaign` is whose turn it is about."""
    if ring.steps:
        return _by_hand(ring.steps, present)
    order = tuple(person for person in _ordered(ring, campaign, situation) if person in present)
    if ring.strategy is Strategy.ALL:
        return (RingStep(order, ring.timeout, keep=False),) if order else ()
    return tuple(RingStep((person,), ring.timeout, keep=False) for person in order)


def put_first(person: str, steps: tuple[RingStep, ...], timeout: float) -> tuple[RingStep, ...]:
    """`person` rings alone for `timeout` seconds, then the others as they stood.

    Whose own step stood first keeps on ringing where the steps say so.
    """
    others = steps[1:] if steps[0].to == (person,) else steps
    everybody = {each for step in others for each in step.to}
    return (RingStep((person,), timeout, keep=False), *_by_hand(others, everybody - {person}, begun=True))


def cut(steps: tuple[RingStep, ...], seconds: float) -> tuple[RingStep, ...]:
    """What of the steps lies within `seconds`, for what must have its turn after them."""
    kept = []
    for step in steps:
        if seconds <= 0:
            break
        kept.append(replace(step, timeout=min(step.timeout, seconds)))
        seconds -= step.timeout
    return tuple(kept)


def spell(ring: Ring, campaign: str, situation: Situation) -> str:
    """How it rings, in words."""
    if ring.steps:
        return f"{len(ring.steps)} steps; {ring.max_wait:g} s in all"
    if ring.strategy is Strategy.ALL:
        return f"everybody at once for {ring.timeout:g} s; {ring.max_wait:g} s in all"
    if ring.strategy is Strategy.ROUND_ROBIN:
        last = situation.first.get(campaign)
        how = f"in turn, behind {last}" if last in ring.to else "in turn"
    else:
        how = _WORDS[ring.strategy]
    return f"{how}, {ring.timeout:g} s each; {ring.max_wait:g} s in all"


_WORDS = {
    Strategy.SEQUENTIAL: "one after the other",
    Strategy.WEIGHTED: "drawn by lot, by their weights",
    Strategy.LEAST_RECENT: "rung longest ago first",
    Strategy.LONGEST_IDLE: "longest without a talk first",
}


def _ordered(ring: Ring, campaign: str, situation: Situation) -> tuple[str, ...]:
    """All of `ring.to` by its strategy."""
    if ring.strategy is Strategy.ROUND_ROBIN:
        return _in_turn(ring.to, situation.first.get(campaign))
    if ring.strategy is Strategy.WEIGHTED:
        return _by_lot(ring.to, ring.weights, situation.seed)
    if ring.strategy is Strategy.LEAST_RECENT:
        return _oldest_first(ring.to, situation.last_rung)
    if ring.strategy is Strategy.LONGEST_IDLE:
        return _oldest_first(ring.to, situation.last_talk)
    return ring.to


def _in_turn(people: tuple[str, ...], last: str | None) -> tuple[str, ...]:
    """Begins behind who stood first at the last call, whether or not that person is here today."""
    if last not in people:
        return people
    begin = people.index(last) + 1
    return people[begin:] + people[:begin]


def _by_lot(people: tuple[str, ...], weights: Mapping[str, int], seed: int) -> tuple[str, ...]:
    """Each place is drawn by weight among those who are left.

    One draw a person does it: sorting by u^(1/weight), u even on (0, 1], is drawing without replacement
    (Efraimidis and Spirakis, 2006). Leaving people out afterwards leaves the others' chances in proportion.
    """
    from random import Random  # imported here: it costs the AGI script a few milliseconds

    draw = Random(seed)  # noqa: S311 - who rings first is no secret
    lot = {person: (1.0 - draw.random()) ** (1.0 / weights.get(person, 1)) for person in people}
    return tuple(sorted(people, key=lot.__getitem__, reverse=True))


def _oldest_first(people: tuple[str, ...], times: Mapping[str, float]) -> tuple[str, ...]:
    """By when it last happened, those to whom it never did before all others; ties as in the file."""
    return tuple(sorted(people, key=lambda person: times.get(person, _NEVER)))


def _by_hand(steps: Collection[RingStep], present: Collection[str], *, begun: bool = False) -> tuple[RingStep, ...]:
    """The steps with those who are present; a step without any is dropped.

    A dropped step that would have sent the earlier people away still does: the next one then keeps nobody.
    `begun`: somebody rings before the first of them.
    """
    found: list[RingStep] = []
    keep = begun
    for step in steps:
        keep = keep and step.keep
        people = tuple(person for person in step.to if person in present)
        if people:
            found.append(RingStep(people, step.timeout, keep))
            keep = True
    return tuple(found)
