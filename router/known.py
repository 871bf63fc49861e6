"""Who has called before, kept small: what a decision asks of the past without asking the database. No I/O.

Two hundred thousand numbers are in memory at once, so the values are bare: an Acquaintance is made when somebody
asks, and Python's garbage collector has nothing to walk through.
"""

from __future__ import annotations

import sys
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from router.model import Acquaintance

MOST_KNOWN: Final = 200_000
"""Numbers that are remembered; beyond that the one that has not called for longest is forgotten."""
HORIZON: Final = 180 * 86_400.0
"""Seconds for which a caller is remembered over a restart."""
WINDOW: Final = 60.0
"""Seconds in which the calls of one number are counted."""
MOST_RECENT: Final = 20_000
"""Numbers that are counted at once."""
MOST_COUNTED: Final = 1_000
"""Calls of one number that are counted: the count stops there."""


class Known(Mapping[str, Acquaintance]):
    """Number -> who has called before, the latest caller last; at most `limit` of them."""

    __slots__ = ("_limit", "_numbers")

    def __init__(self, limit: int = MOST_KNOWN) -> None:
        self._limit = limit
        self._numbers: OrderedDict[str, float | tuple[float, str, float]] = OrderedDict()
        """The last call alone, or with who spoke last and when."""

    def __getitem__(self, number: str) -> Acquaintance:
        value = self._numbers[number]
        return Acquaintance(value) if isinstance(value, float) else Acquaintance(*value)

    def __contains__(self, number: object) -> bool:
        return number in self._numbers

    def __iter__(self) -> Iterator[str]:
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)

    def note(self, number: str, last_at: float, spoke_with: str = "", spoke_at: float = 0.0) -> None:
        """A call of this number, and with whom it spoke if it did (epoch seconds). The newer word wins."""
        before = self._numbers.get(number)
        if before is not None:
            known = Acquaintance(before) if isinstance(before, float) else Acquaintance(*before)
            last_at = max(last_at, known.last_at)
            if known.spoke_with and known.spoke_at > spoke_at:
                spoke_with, spoke_at = known.spoke_with, known.spoke_at
        self._numbers[number] = (float(last_at), sys.intern(spoke_with), spoke_at) if spoke_with else float(last_at)
        self._numbers.move_to_end(number)
        if len(self._numbers) > self._limit:
            self._numbers.popitem(last=False)

    def laid_over(self, older: Known) -> Known:
        """`older`, with what is known here on top of it. Takes as long as there are numbers here."""
        for number, known in self.items():
            older.note(number, known.last_at, known.spoke_with, known.spoke_at)
        return older


class Recent(Mapping[str, int]):
    """Number -> its calls of the last 60 seconds before `now`. Numbers without one are not in it."""

    __slots__ = ("_times", "now")

    def __init__(self) -> None:
        self.now = 0.0
        self._times: OrderedDict[str, list[float]] = OrderedDict()
        """Number -> when it called, oldest first; the number that called last is the last."""

    def __getitem__(self, number: str) -> int:
        count = self._count(self._times.get(number, []))
        if not count:
            raise KeyError
        return count

    def __iter__(self) -> Iterator[str]:
        return (number for number, times in self._times.items() if self._count(times))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def arrived(self, number: str, now: float) -> None:
        """One more call of this number."""
        times = self._times.setdefault(number, [])
        if times and times[-1] > now:
            # The clock was set back: what it said before would count for as long again.
            times.clear()
        # What can no longer count, and of a flood what no limit asks for.
        del times[: max(bisect_right(times, now - WINDOW), len(times) + 1 - MOST_COUNTED)]
        times.append(now)
        self._times.move_to_end(number)
        self._sweep(now)

    def _count(self, times: list[float]) -> int:
        return bisect_right(times, self.now) - bisect_right(times, self.now - WINDOW)

    def _sweep(self, now: float) -> None:
        """Forget two numbers at most: each arrival brings one, so none pile up, nor are many cleared at once.

        The one that has just called is the last, and stays.
        """
        for _ in range(2):
            number, times = next(iter(self._times.items()))
            if times[-1] > now - WINDOW and len(self._times) <= MOST_RECENT:
                return
            self._times.pop(number)


@dataclass(frozen=True, slots=True)
class History:
    """What the database knows when the router starts. Whoever is given it may keep it: it is nobody else's."""

    first: dict[str, str] = field(default_factory=dict)
    last_rung: dict[str, float] = field(default_factory=dict)
    last_talk: dict[str, float] = field(default_factory=dict)
    known: Known = field(default_factory=Known)
    owed: set[tuple[str, str]] = field(default_factory=set)
    pauses: dict[str, float | None] = field(default_factory=dict)
