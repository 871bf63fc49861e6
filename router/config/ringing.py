"""`ring`: whom to ring, and how; the merge with what the defaults say."""

from __future__ import annotations

from types import MappingProxyType
from typing import Annotated, Final

from pydantic import AfterValidator, PlainValidator, model_validator

from router.config import fields as kinds
from router.config.keys import Keys, at_most, each_once, filled
from router.config.refusal import refuse
from router.model import Ring, RingStep, Strategy

TIMEOUT: Final = 20.0
MAX_WAIT: Final = 60.0
MOST_STEPS: Final = 20

Timeout = Annotated[float, PlainValidator(kinds.duration("1s", "120s"))]
MaxWait = Annotated[float, PlainValidator(kinds.duration("1s", "600s"))]
Sticky = Annotated[float, PlainValidator(kinds.unless_none(kinds.duration("1m", "180d"), 0.0))]
Weight = Annotated[int, PlainValidator(kinds.whole(1, 1000))]
People = Annotated[tuple[kinds.Person, ...], AfterValidator(each_once)]


class StepKeys(Keys):
    """One of `ring.steps`."""

    to: People | None = None
    add: People | None = None
    timeout: Timeout | None = None

    @model_validator(mode="after")
    def _either_or(self) -> StepKeys:
        if (self.to is None) == (self.add is None):
            wrong = "has neither to nor add" if self.to is None else "has both to and add"
            raise refuse(wrong, "write to: and who rings instead, or add: and who rings as well")
        return self

    def people(self) -> tuple[str, ...]:
        return self.to or self.add or ()


def _in_order(steps: tuple[StepKeys, ...]) -> tuple[StepKeys, ...]:
    """Refuses steps that add to nobody, or somebody who rings already."""
    if filled(steps)[0].add is not None:
        raise refuse("begin with add, and nobody rings yet", "write to: in the first step")
    ringing: set[str] = set()
    for number, step in enumerate(steps, 1):
        if step.to is not None:
            ringing = set(step.to)
            continue
        for person in step.people():
            if person in ringing:
                raise refuse(f"add {person} in step {number}, who rings already", "name those who join in")
            ringing.add(person)
    return steps


Steps = Annotated[tuple[StepKeys, ...], at_most(MOST_STEPS, "steps"), AfterValidator(_in_order)]


class RingKeys(Keys):
    """`ring`; what a campaign leaves out comes from `defaults.ring`."""

    strategy: kinds.StrategyWord | None = None
    to: People | None = None
    weights: Annotated[dict[kinds.Person, Weight], AfterValidator(filled)] | None = None
    steps: Steps | None = None
    timeout: Timeout | None = None
    max_wait: MaxWait | None = None
    sticky: Sticky | None = None

    @model_validator(mode="after")
    def _by_hand_or_by_rule(self) -> RingKeys:
        if self.steps is not None:
            for key in ("strategy", "to", "weights"):
                if getattr(self, key) is not None:
                    raise refuse(f"has both steps and {key}", f"write either steps or {key}: steps name the people")
        return self

    def by_rule(self) -> bool:
        """Whether it says anything that steps written by hand exclude."""
        return any(value is not None for value in (self.strategy, self.to, self.weights))


def ring(own: RingKeys, defaults: RingKeys) -> Ring:
    """`own` completed from `defaults`, key by key; steps and a strategy replace each other."""
    timeout = own.timeout or defaults.timeout or TIMEOUT
    max_wait = own.max_wait or defaults.max_wait or MAX_WAIT
    sticky = next((one.sticky for one in (own, defaults) if one.sticky is not None), 0.0)
    by_hand = own.steps or (None if own.by_rule() else defaults.steps)
    if by_hand:
        steps = tuple(RingStep(one.people(), one.timeout or timeout, one.add is not None) for one in by_hand)
        everybody = tuple(dict.fromkeys(person for step in steps for person in step.to))
        return Ring(Strategy.SEQUENTIAL, everybody, timeout, max_wait, steps=steps, sticky=sticky)
    strategy = own.strategy or defaults.strategy or Strategy.SEQUENTIAL
    to = own.to or defaults.to or ()
    weights = own.weights or defaults.weights or {}
    if strategy is not Strategy.WEIGHTED:
        return Ring(strategy, to, timeout, max_wait, sticky=sticky)
    kept = MappingProxyType({person: weights[person] for person in to})
    return Ring(strategy, to, timeout, max_wait, weights=kept, sticky=sticky)


def times_of(defaults: RingKeys) -> RingKeys:
    """What a ring beside the campaign's own (overflow, closed, VIPs) takes from the defaults: the two times."""
    return RingKeys.model_construct(timeout=defaults.timeout, max_wait=defaults.max_wait)
