"""Whole days of the company's calendar, and the instants where they begin and end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from router.store.times import to_text

DEFAULT_DAYS: Final = 30
EARLIEST: Final = date(1990, 1, 1)
LATEST: Final = date(2199, 12, 31)


@dataclass(frozen=True, slots=True)
class Period:
    """From the first instant of `first` to the last of `last`, in `zone`.

    Raises ValueError for a reversed one, and for days far from any call.
    """

    first: date
    last: date
    zone: ZoneInfo

    def __post_init__(self) -> None:
        if self.first > self.last:
            raise ValueError(f"the period ends ({self.last}) before it begins ({self.first})")
        if self.first < EARLIEST or self.last > LATEST:
            raise ValueError(f"dates go from {EARLIEST} to {LATEST}")

    @property
    def start(self) -> str:
        """The first instant, as the database writes it; times in the period are >= it."""
        return _instant(self.first, self.zone)

    @property
    def end(self) -> str:
        """The first instant after the period, as the database writes it; times in the period are < it."""
        return _instant(self.last + timedelta(days=1), self.zone)

    @property
    def bounds(self) -> dict[str, str]:
        """`start` and `end` as parameters of a query."""
        return {"start": self.start, "end": self.end}

    def __str__(self) -> str:
        return f"{self.first} to {self.last} ({self.zone.key})"


def choose(first: date | None, last: date | None, today: date, zone: ZoneInfo) -> Period:
    """The period asked for. It ends today unless told otherwise, and lasts 30 days unless told when it begins.

    `today` is the company's. Raises ValueError as Period does.
    """
    if last is None:
        last = today if first is None else max(today, first)
    if first is None:
        first = last - min(timedelta(days=DEFAULT_DAYS - 1), last - date.min)
    return Period(first, last, zone)


def local(instant: str, zone: ZoneInfo) -> datetime:
    """A time of the database on the company's clock."""
    return datetime.fromisoformat(instant).astimezone(zone)


def _instant(day: date, zone: ZoneInfo) -> str:
    """The day's first instant. A midnight that a clock change skips is the change itself; of two, the first."""
    return to_text(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp())
