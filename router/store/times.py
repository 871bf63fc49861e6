"""Times as the database holds them: UTC ISO 8601 with milliseconds, so that text order is time order. Pure."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Final

LATEST: Final = 253_402_300_799.0
"""The last second of the year 9999: beyond it the text would no longer sort."""


def to_text(epoch: float) -> str:
    """Seconds since the Unix epoch as `2026-03-01T10:00:00.000Z`. Raises ValueError before 1970 or after
    9999.
    """
    if not 0 <= epoch < LATEST:
        raise ValueError(f"{epoch!r} is no time between 1970 and 9999")
    seconds, milliseconds = divmod(round(epoch * 1000), 1000)
    year, month, day, hour, minute, second = time.gmtime(seconds)[:6]
    return f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}.{milliseconds:03d}Z"


def from_text(text: str) -> float:
    """The reverse of `to_text`, in seconds. Raises ValueError for anything that carries no zone."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return moment.timestamp()


def optional_text(epoch: float | None) -> str | None:
    return None if epoch is None else to_text(epoch)


def optional_epoch(text: str | None) -> float | None:
    return None if text is None else from_text(text)
