"""How things stand this moment: who is on the phone, who was rung last, who is calling again. No I/O.

Lives on the event loop; every method takes microseconds. What it hands to a decision are its own live mappings:
a decision reads them at once, and nothing is copied for it. Times are epoch seconds.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Set
from typing import Final

from router.known import MOST_KNOWN, History, Known, Recent
from router.model import OVERFLOW, Caller, CallRecord, Decision, Outcome, Pause, Situation

_NONE_DOWN: Final[frozenset[str]] = frozenset()


class Standing:
    """For each call, in this order: `situation`, the decision on it, `arrived` and `decided`; `rung`, `took` and
    `left` as its legs go; `ended`.
    """

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._first: dict[str, str] = {}
        self._last_rung: dict[str, float] = {}
        self._last_talk: dict[str, float] = {}
        self._known = Known()
        self._recent = Recent()
        self._engaged: dict[str, set[str]] = {}
        """Salesperson -> the calls of which they have answered a leg; nobody without one."""
        self._owed: set[tuple[str, str]] = set()
        self._owed_since: dict[tuple[str, str], bool] = {}
        """What has changed in `_owed` since the database was last believed."""
        self._paused: dict[str, float | None] = {}
        self._paused_since: dict[str, Pause | None] = {}
        """Likewise; None is a person who is to be rung again."""

    # --- What is known ------------------------------------------------------------------------------------

    def situation(self, now: float, trunks_down: Set[str] = _NONE_DOWN) -> Situation:
        """What a decision may know now. Its mappings live on: read them before the next call changes them."""
        self._recent.now = now
        return Situation(
            seed=self._chance.getrandbits(64),
            paused=self._paused,
            first=self._first,
            last_rung=self._last_rung,
            last_talk=self._last_talk,
            known=self._known,
            owed=self._owed,
            recent=self._recent,
            trunks_down=trunks_down,
        )

    def engaged(self, salesperson: str) -> int:
        """How many forwarded calls this person is on: those that wait for the key count too."""
        return len(self._engaged.get(salesperson, ()))

    # --- A call's way -------------------------------------------------------------------------------------

    def arrived(self, caller: Caller, now: float) -> None:
        """A call came in. To be told behind its decision, which is not to count the call itself."""
        if caller.number is not None:
            self._recent.arrived(caller.number, now)

    def decided(self, decision: Decision, now: float) -> None:  # noqa: ARG002 - when does not matter yet
        """Whoever stands first has had the turn, whether or not it rings: the next call begins behind them."""
        if decision.plan is None:
            return
        targets = (target for hunt in decision.plan.hunts for step in hunt.steps for target in step.targets)
        first = next(targets, None)
        if first is not None and first.salesperson != OVERFLOW:
            self._first[decision.campaign] = first.salesperson

    def rung(self, salesperson: str, now: float) -> None:
        """A leg to this person was dialled."""
        self._last_rung[salesperson] = now

    def took(self, call: str, salesperson: str) -> None:
        """A leg of this call was answered on the person's phone. Twice is once."""
        self._engaged.setdefault(salesperson, set()).add(call)

    def left(self, call: str, salesperson: str, now: float, talked: bool) -> None:
        """The person's leg of this call is over; `talked`: with the caller. Twice is once."""
        calls = self._engaged.get(salesperson)
        if calls is None or call not in calls:
            return
        calls.remove(call)
        if not calls:
            del self._engaged[salesperson]
        if talked:
            self._last_talk[salesperson] = now

    def ended(self, record: CallRecord, owed: bool) -> None:
        """The call is over; `owed`: a callback was asked for. A caller who withholds the number stays unknown, and
        so does one who was blocked.
        """
        number = record.caller.number
        if number is None or record.outcome in (None, Outcome.BLOCKED):
            return
        if owed:
            self._owe((record.campaign, number), owed=True)
        if record.answered_at is None or record.salesperson in (None, OVERFLOW):
            self._known.note(number, record.started_at)
        else:
            spoke_at = record.answered_at if record.ended_at is None else record.ended_at
            self._known.note(number, record.started_at, str(record.salesperson), spoke_at)
        if record.outcome is Outcome.ANSWERED:
            self._owe((record.campaign, number), owed=False)

    # --- What others know ---------------------------------------------------------------------------------

    def load(self, history: History) -> None:
        """Add what the database knew at the start; what has happened since is newer and stays. Keeps `history`."""
        for campaign, first in history.first.items():
            self._first.setdefault(campaign, first)
        for mine, theirs in ((self._last_rung, history.last_rung), (self._last_talk, history.last_talk)):
            for person, at in theirs.items():
                mine[person] = max(at, mine.get(person, 0.0))
        self._known = self._known.laid_over(history.known)
        self.set_owed(history.owed)
        self.set_pauses(history.pauses)

    def set_owed(self, owed: set[tuple[str, str]]) -> None:
        """Every (campaign, number) of an open callback, as the database had it. Keeps `owed`.

        What ended since the last time may not have been in the database when it was asked: it holds until the next.
        """
        self._owed = owed
        changes, self._owed_since = self._owed_since, {}
        for key, is_owed in changes.items():
            (owed.add if is_owed else owed.discard)(key)

    def set_pauses(self, pauses: Mapping[str, float | None]) -> None:
        """Everybody who is paused, as the database had it; what was asked for since the last time holds."""
        self._paused = dict(pauses)
        changes, self._paused_since = self._paused_since, {}
        for person, asked in changes.items():
            self._set_pause(person, asked)

    def pause(self, asked: Pause) -> None:
        """A person is not to be rung, from now on."""
        self._paused_since[asked.salesperson] = asked
        self._set_pause(asked.salesperson, asked)

    def resume(self, salesperson: str) -> None:
        """A person is to be rung again."""
        self._paused_since[salesperson] = None
        self._set_pause(salesperson, None)

    def _set_pause(self, salesperson: str, asked: Pause | None) -> None:
        if asked is None:
            self._paused.pop(salesperson, None)
        else:
            self._paused[salesperson] = asked.until

    def _owe(self, key: tuple[str, str], *, owed: bool) -> None:
        # Should the database be away for very long: nobody is owed more callbacks than are remembered.
        if len(self._owed_since) < MOST_KNOWN or key in self._owed_since:
            self._owed_since[key] = owed
        if not owed:
            self._owed.discard(key)
        elif len(self._owed) < MOST_KNOWN:
            self._owed.add(key)
