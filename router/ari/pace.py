"""How fast the link tries and gives up. Pure but for the dice."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """All in seconds."""

    first_retry: float = 0.1
    longest_retry: float = 5.0
    stable: float = 5.0
    """A connection that held this long starts the next retries from the first again."""
    connect: float = 5.0
    """For the websocket to open."""
    probe: float = 0.75
    """For Asterisk to show that it answers REST over the websocket."""
    tick: float = 0.5
    """How often deadlines and silence are looked at."""
    ping: float = 3.0
    """Silence after which Asterisk is asked for a sign of life."""
    dead: float = 8.0
    """Silence after which the connection is given up."""
    stall: float = 8.0
    """When this process stood still for longer, what waits in the socket is old news: the connection is made anew,
    so that the owner catches up before it acts."""


class Retries:
    """The pauses between connections: doubling, capped, never in step with those of other routers."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._failures = 0

    def next(self, held: float) -> float:
        """Seconds to wait, after a connection (or the try to make one) that `held` for so long."""
        if held >= self._pace.stable:
            self._failures = 0
        longest = min(self._pace.longest_retry, self._pace.first_retry * 2.0 ** min(self._failures, 30))
        self._failures += 1
        return longest * random.uniform(0.5, 1.0)  # noqa: S311 - nothing secret about it
