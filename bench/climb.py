"""The search for the calls a second that are held without a failure: a bounded climb, then halving. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

UP = 1.35
DOWN = 0.7
NEAR = 1.08
"""Held and failed rates this close together: the search is over."""
LATE = 500.0
"""Milliseconds to the mobile's INVITE at p99 that count as a collapse: a caller repeats an INVITE that nobody has
answered after T1 = 500 ms (RFC 3261, section 17.1.1.1)."""
SLACK = 0.9
"""A rate counts as tried when at least this share of it was really placed."""


@dataclass(frozen=True, slots=True)
class Climb:
    """`held`: the highest rate that went well; `failed`: the lowest above it that did not."""

    start: float
    steps: int
    held: float | None = None
    failed: float | None = None

    @property
    def next(self) -> float | None:
        """The rate to try, None when the search is over."""
        if self.steps <= 0:
            return None
        if self.held is None:
            return self.start if self.failed is None else self.failed * DOWN
        if self.failed is None:
            return self.held * UP
        return None if self.failed / self.held < NEAR else math.sqrt(self.failed * self.held)

    def after(self, rate: float, *, well: bool) -> Climb:
        """With one more rate tried."""
        left = self.steps - 1
        if well:
            return replace(self, steps=left, held=max(rate, self.held or 0.0))
        return replace(self, steps=left, failed=min(rate, self.failed or math.inf))


def went_well(*, failed: int, asked: float, placed_at: float, p99: float) -> bool:
    """Whether a rate was held: every call went as it should, as fast as asked, and none of them late."""
    return failed == 0 and placed_at >= asked * SLACK and p99 < LATE


def first_rate(cpu: float, *, phones: float, cores: int) -> float:
    """Where to begin: four fifths of what the cores could do at `cpu` + `phones` milliseconds a call."""
    return 0.8 * cores * 1000 / (cpu + phones)
