"""Who waits for a call back, oldest first, and the missed calls that nobody can be called back for.

A row a callback that is open or claimed now. After them, a row a campaign for the missed calls of the period that
neither opened nor joined a callback: their caller withheld the number (`caller` is `withheld`), or the campaign
asks for no callback. These rows have no callback id and the state `none`; `since` is the first of them.

since         when the callback was opened: the missed call that asked for it
due_at        when the call is owed, on the opening hours' clock
overdue       whether that moment has come and nobody has done it
missed_calls  missed calls that the callback stands for
owner         who claimed it and still may: a claim whose lease has run out is none
caller        the number with its middle hidden; a pseudonym once it was erased
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from router.numbers import masked
from router.reports import queries
from router.reports.period import Period, local
from router.reports.render import Column, named

Row = dict[str, object]

COLUMNS: Final = named(
    "callback",
    "campaign",
    "caller",
    "state",
    "since",
    "due_at",
    "overdue",
    "missed_calls",
    "owner",
)
"""JSON and CSV."""


def table_columns(zone: ZoneInfo, now: datetime) -> tuple[Column, ...]:
    """The table's columns; times on the company's clock."""
    return (
        Column("since", "Since", format=_on_clock(zone)),
        Column("campaign", "Campaign"),
        Column("caller", "Caller"),
        Column("missed_calls", "Missed", "right"),
        Column("due_at", "Due", format=_against(now)),
        Column("owner", "Owner"),
    )


def rows(
    conn: sqlite3.Connection,
    period: Period,
    now: str,
    only: str | None = None,
    *,
    everyone: bool = True,
) -> list[Row]:
    """The report as at `now`, a time of the database.

    With `everyone`, all who wait now, however long; else those whose callback was opened in the period.
    """
    found: list[Row] = []
    for callback, campaign, since, due, state, owner, number, pseudonym, missed in queries.waiting(
        conn, None if everyone else period, only, now
    ):
        row: Row = {"callback": callback, "campaign": campaign, "caller": masked(number) if number else pseudonym}
        row |= {"state": state, "since": since, "due_at": due, "overdue": due <= now, "missed_calls": missed}
        row["owner"] = owner if state == "claimed" else None
        found.append(row)
    return found + [
        {
            "callback": None,
            "campaign": campaign,
            "caller": "withheld" if hidden else None,
            "state": "none",
            "since": since,
            "due_at": None,
            "overdue": False,
            "missed_calls": missed,
            "owner": None,
        }
        for campaign, hidden, missed, since in queries.uncalled(conn, period, only)
    ]


def summary(found: list[Row], period: Period) -> list[str]:
    """The lines below the table: the period's missed calls without a callback."""
    uncalled = [row for row in found if row["callback"] is None]
    if not uncalled:
        return []
    lines = ["", f"Missed with nobody to call back, {period}:"]
    for row in uncalled:
        why = "number withheld" if row["caller"] else "no callback was asked for"
        lines.append(f"  {row['campaign']}: {row['missed_calls']} ({why})")
    return lines


def _on_clock(zone: ZoneInfo) -> Callable[[object], str]:
    return lambda instant: f"{local(str(instant), zone):%Y-%m-%d %H:%M}"


def _against(now: datetime) -> Callable[[object], str]:
    """A due time as how far it is: `in 12 min`, `3 h late`."""

    def text(instant: object) -> str:
        away = (datetime.fromisoformat(str(instant)) - now).total_seconds()
        length = _length(abs(away))
        return f"in {length}" if away > 0 else f"{length} late"

    return text


def _length(seconds: float) -> str:
    """The largest unit of which there is at least one and a half."""
    for unit, size in (("d", 86400), ("h", 3600)):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 60:.0f} min"
