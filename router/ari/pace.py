"""How fast the link tries and gives up. Pure but for the dice."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """All in seconds."""

    first_retry: float = 0.1
    longest_retry: float = 1.0
    """Asterisk must be found again within 2 s of the moment when it can be: a try costs it next to nothing."""
    stable: float = 5.0
    """A connection that held this long starts the next retries from the first again."""
    connect: float = 5.0
    """For the websocket to open."""
    probe: float = 0.75
    """For Asterisk to show that it answers REST over the websocket."""
    tick: float = 0.5
    """How often deadlines and silence are looked at."""
    ping: float = 2.0
    """Silence after which Asterisk is asked for a sign of life: a slow one has until `dead` to give it."""
    dead: float = 8.0
    """Silence after which the connection is given up."""
    late: float = 300.0
    """How long Asterisk may take to open a websocket that we no longer wait for."""
    stall: float = 8.0
    """When this process stood still for longer, what waits in the socket is old news: the connection is made anew,
    so that the owner catches up before it acts."""


class Retries:
    """The pauses between connections: doubling, capped, never in step with those of other routers."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._failures = 0

    def next(self, held: float) -> float:
        """Seconds to wait, after a connection (or the try to make one) that `held` for so long. None after one that
        was stable: a mobile that is answered meanwhile finds nobody."""
        if held >= self._pace.stable:
            self._failures = 0
            return 0.0
        longest = min(self._pace.longest_retry, self._pace.first_retry * 2.0 ** min(self._failures, 30))
        self._failures += 1
        return longest * random.uniform(0.5, 1.0)  # noqa: S311 - nothing secret about it
