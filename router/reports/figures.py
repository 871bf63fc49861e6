"""The arithmetic of the reports, and how a figure reads in a table."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TypeVar

_Number = TypeVar("_Number", int, float)


def nearest_rank(ordered: Sequence[_Number], percent: int) -> _Number | None:
    """The exact percentile by nearest rank: the value at place ceil(percent / 100 * n), counted from 1.

    `ordered` ascends; `percent` is 1 to 100. Always a value that occurred, never one between two. None for none.
    """
    if not ordered:
        return None
    place = -(-percent * len(ordered) // 100)
    return ordered[place - 1]


def share(part: int, whole: int) -> float | None:
    """`part / whole` to four decimals; None where there is no whole."""
    return round(part / whole, 4) if whole else None


def seconds(milliseconds: int | None) -> float | None:
    """Milliseconds as seconds."""
    return None if milliseconds is None else milliseconds / 1000


def as_percent(value: float) -> str:
    """`0.256` as `25.6 %`."""
    return f"{value * 100:.1f} %"


def as_seconds(value: float) -> str:
    """`8.25` as `8.2 s`; from 100 seconds on as `2:05`."""
    return f"{value:.1f} s" if value < 100 else as_clock(value)


def as_clock(value: float) -> str:
    """Seconds as `M:SS`, from an hour on as `H:MM:SS`; hours do not turn into days."""
    whole = int(value + 0.5)
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"


def as_money(value: Decimal) -> str:
    """`1200` as `1200.00`."""
    return f"{value:.2f}"
