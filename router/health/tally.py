"""What is counted at the end of each call. No I/O; event loop only.

Labels are bounded by campaigns.yaml: what it does not name is counted as `other`, and what it names no more is
forgotten. No caller and no salesperson is ever a label.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from router.model import AttemptRecord, CallRecord, Config, Outcome

OTHER: Final = "other"
MOST_CAMPAIGNS: Final = 1000
"""Campaigns with a label of their own, in the order of the file: each has nine outcomes, and Prometheus pays for
every one."""
BOUNDS: Final = (1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0, 180.0, 300.0)
"""Upper ends in seconds. A ring lasts 20 s and a hunt 60 s unless the file says otherwise."""


class Histogram:
    """How many lasted how long."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        """One for each of BOUNDS, not added up, and one for what is longer."""
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        seconds = max(seconds, 0.0)
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.total += seconds

    def copy(self) -> Histogram:
        copied = Histogram()
        copied.counts, copied.total = self.counts.copy(), self.total
        return copied


@dataclass(frozen=True, slots=True)
class Counts:
    """A copy that another thread may read."""

    calls: Mapping[tuple[str, str], int]
    """(campaign, outcome) -> calls."""
    attempts: Mapping[tuple[str, str], int]
    """(trunk, result) -> attempts."""
    ring: Histogram
    """Seconds until a human took it or it was over, of calls that rang somebody."""
    answer: Histogram
    """Seconds until a human took it, of calls that were answered."""


class Tally:
    """Since the start of this router."""

    def __init__(self) -> None:
        self._campaigns: frozenset[str] = frozenset()
        self._trunks: frozenset[str] = frozenset()
        self._calls: Counter[tuple[str, str]] = Counter()
        self._attempts: Counter[tuple[str, str]] = Counter()
        self._ring = Histogram()
        self._answer = Histogram()

    def configure(self, config: Config) -> None:
        """The campaigns and trunks that have labels are these now."""
        self._campaigns = frozenset((*islice(config.campaigns, MOST_CAMPAIGNS), config.unknown.id, OTHER))
        self._trunks = frozenset((*config.trunks, OTHER))
        for counted, known in ((self._calls, self._campaigns), (self._attempts, self._trunks)):
            for key in [key for key in counted if key[0] not in known]:
                del counted[key]

    def ended(self, call: CallRecord, attempts: Sequence[AttemptRecord]) -> None:
        """A call is over: microseconds."""
        if call.outcome is None:
            return
        campaign = call.campaign if call.campaign in self._campaigns else OTHER
        self._calls[campaign, call.outcome.value] += 1
        for attempt in attempts:
            if attempt.result is not None:
                trunk = attempt.trunk if attempt.trunk in self._trunks else OTHER
                self._attempts[trunk, attempt.result.value] += 1
        if call.ring_seconds is None:
            return
        if attempts:
            self._ring.observe(call.ring_seconds)
        if call.outcome is Outcome.ANSWERED:
            self._answer.observe(call.ring_seconds)

    def counts(self) -> Counts:
        return Counts(dict(self._calls), dict(self._attempts), self._ring.copy(), self._answer.copy())
