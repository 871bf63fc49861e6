"""A million steps of calls to which everything happens that may, and some of what may not.

PROPERTY_SEED=<seed> makes a run again, PROPERTY_SEED=<seed>:<walk> one walk of it; PROPERTY_STEPS says how many
events the calls take in all.
"""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Callable

import pytest

from tests.properties.decisions import DECISIONS, ENDS
from tests.properties.lines import Fate, Person
from tests.properties.world import World

STEPS = 1_000_000
LONGEST = 120
"""Moves of one walk, at most."""
TROUBLE = tuple(Fate)[1:]


class Walk:
    """Moves at random; a move for which there is no occasion is none."""

    def __init__(self, seed: str, story: list[str] | None = None) -> None:
        self.rng = random.Random(seed)
        self.world = World(self.rng.choice(DECISIONS), story)

    def run(self) -> int:
        """The number of events that the call took."""
        world, rng = self.world, self.rng
        # A rough walk loses much, a quiet one goes far.
        moves = QUIET if rng.random() < 0.5 else ROUGH
        for _ in range(rng.randrange(LONGEST)):
            rng.choice(moves)(self)
            if world.over:
                break
        world.settle()
        return world.steps

    def arrives(self) -> None:
        if self.world.flight:
            self.world.deliver(int(self.rng.random() ** 2 * len(self.world.flight)))

    def arrives_twice(self) -> None:
        if self.world.flight:
            self.world.deliver(self.rng.randrange(len(self.world.flight)), again=True)

    def is_lost(self) -> None:
        if self.world.flight:
            self.world.lose(self.rng.randrange(len(self.world.flight)))

    def leg_moves(self) -> None:
        """A mobile rings, answers, presses a key or hangs up."""
        world, rng = self.world, self.rng
        if not world.legs:
            return
        leg = rng.choice(list(world.legs))
        chance = rng.random()
        if world.legs[leg] is Person.UP:
            if chance < 0.7:
                world.press(leg, rng.choice("1112#"))
            else:
                world.gone(leg, cause=16)
        elif chance < 0.15:
            world.tries(leg)
        elif chance < 0.45:
            world.rings(leg)
        elif chance < 0.75:
            world.answers(leg)
        else:
            dialstatus, cause, sip = rng.choice(ENDS)
            world.gone(leg, dialstatus=dialstatus, cause=cause, sip=sip)

    def caller_moves(self) -> None:
        world, rng = self.world, self.rng
        if not world.caller:
            return
        if rng.random() < 0.3:
            world.leave(rng.choice((0, 16, 127)))
        else:
            world.press("", rng.choice("1112"))

    def words_end(self) -> None:
        self.world.heard()
        self.world.recorded(self.rng.choice((None, 0.4, 12.0)))

    def clock_runs_out(self) -> None:
        if self.world.timers:
            self.world.fire(self.rng.randrange(len(self.world.timers)))

    def time_passes(self) -> None:
        self.world.now += self.rng.random() * 8.0

    def farewell_ends(self) -> None:
        self.world.farewell_over()

    def is_engaged(self) -> None:
        if self.world.call is not None and self.world.call.legs:
            self.world.engaged(self.rng.choice(self.world.call.legs).id)

    def stray_word(self) -> None:
        """What was not to be told now, or of this leg."""
        world, rng = self.world, self.rng
        if world.call is not None and world.call.legs:
            world.stray(rng.choice(world.call.legs).id, rng.randrange(8))

    def router_asks(self) -> None:
        self.world.ask(meanwhile=self.rng.random() < 0.3)

    def request_fails(self) -> None:
        self.world.fate = self.rng.choice(TROUBLE)

    def router_dies(self) -> None:
        if self.world.call is not None:
            self.world.life = self.rng.randrange(6)

    def router_is_killed(self) -> None:
        self.world.die()

    def router_starts(self) -> None:
        if self.world.call is None:
            if self.rng.random() < 0.2:
                self.world.decision = self.rng.choice(DECISIONS)
            self.world.restart()


def weighed(**weights: int) -> tuple[Callable[[Walk], None], ...]:
    return tuple(getattr(Walk, name) for name, weight in weights.items() for _ in range(weight))


COMMON = {
    "arrives": 40, "leg_moves": 16, "caller_moves": 2, "words_end": 3, "clock_runs_out": 4, "time_passes": 4,
    "farewell_ends": 3, "router_starts": 6,
}  # fmt: skip
QUIET = weighed(**COMMON, arrives_twice=1, router_asks=1, router_dies=1)
ROUGH = weighed(
    **COMMON, arrives_twice=6, is_lost=4, is_engaged=2, stray_word=6, router_asks=4, request_fails=4, router_dies=2,
    router_is_killed=1,
)  # fmt: skip


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("unmeasured")
def test_a_million_steps_of_anything_end_every_call_once_and_leave_nothing() -> None:
    seed, _, only = os.environ.get("PROPERTY_SEED", "").partition(":")
    seed = seed or str(random.SystemRandom().randrange(10**6))
    left = int(os.environ.get("PROPERTY_STEPS", STEPS))
    number = int(only or 0)
    while left > 0:
        left -= walk(f"{seed}:{number}")
        if only:
            break
        number += 1
    print(f"PROPERTY_SEED={seed}: {number} calls")


def walk(seed: str) -> int:
    """One walk, and when it fails its story: the same walk once more."""
    try:
        return Walk(seed).run()
    except AssertionError as error:
        told: list[str] = []
        with contextlib.suppress(AssertionError):
            Walk(seed, told).run()
        error.add_note("\n".join([*told, f"PROPERTY_SEED={seed}"]))
        raise
