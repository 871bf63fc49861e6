"""What a call's legs mean to the other calls: who is rung, who talks, and how many places the trunks have left."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from router.events import Engaged, Event
from router.execute import Executor, Live
from router.standing import Standing
from router.state import Call, Leg
from router.trunks import Trunks


class Accounts:
    """Kept by the engine's steps. `calls` are those that are not settled, by id; `take` moves one of them on."""

    def __init__(
        self,
        calls: Mapping[str, Live],
        take: Callable[[Live, Event], None],
        executor: Executor,
        *,
        standing: Standing,
        trunks: Trunks,
        clock: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self._calls = calls
        self._take = take
        self._executor = executor
        self._standing = standing
        self._trunks = trunks
        self._clock = clock
        self._wall = wall
        self._loop = asyncio.get_running_loop()

    def stepped(self, live: Live, before: Call) -> None:
        """The call has moved on, and was `before` until then."""
        known = {leg.id: leg for leg in before.legs}
        for leg in live.call.legs:
            old = known.get(leg.id)
            if leg is old:
                continue
            if _rang(leg) and (old is None or not _rang(old)):
                self._trunks.heard(leg.route.trunk, None, True, self._clock(), rang=True)
            if leg.accepted_at is not None and (old is None or old.accepted_at is None):
                self._engage(live, leg)
            if not leg.live and (old is None or old.live):
                self._leg_ended(live, leg)
            if leg.gone and (old is None or not old.gone):
                self._executor.release(live, leg.id)

    def taken_over(self, call: Call) -> None:
        """An earlier run's call: whoever had accepted it is engaged."""
        if call.winner is not None:
            self._standing.took(call.id, call.winner.target.salesperson)

    def let_go(self, call: Call) -> None:
        """The fallback's from now on: whoever had accepted it is free."""
        if call.winner is not None:
            self._standing.left(call.id, call.winner.target.salesperson, self._wall(), talked=False)

    def _engage(self, live: Live, leg: Leg) -> None:
        """Somebody has taken a call: at as many as may be at once, no other call rings that person on."""
        person = leg.target.salesperson
        self._standing.took(live.call.id, person)
        if not 0 < leg.target.max_calls <= self._standing.engaged(person):
            return
        for other in self._calls.values():
            for rung in other.call.live_legs:
                if other is not live and rung.target.salesperson == person and rung.answered_at is None:
                    self._loop.call_soon(self._take, other, Engaged(self._clock(), rung.id))

    def _leg_ended(self, live: Live, leg: Leg) -> None:
        if leg.accepted_at is not None:
            talked = live.call.answered_at is not None
            self._standing.left(live.call.id, leg.target.salesperson, self._wall(), talked=talked)
        if not _rang(leg):
            self._trunks.heard(leg.route.trunk, leg.sip_status, True, self._clock())


def _rang(leg: Leg) -> bool:
    return leg.ringing_at is not None or leg.answered_at is not None
