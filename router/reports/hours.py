"""When the calls come: by weekday and hour of the company's clock.

SQLite counts by quarter of an hour in UTC; each quarter then falls whole into one local hour, as every zone's
offset has been a multiple of fifteen minutes since long before the first call. The hour that a clock change
repeats is one hour here, and the one that it skips has none.
"""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from router.reports import queries
from router.reports.figures import share
from router.reports.period import Period
from router.reports.render import Column, named

Row = dict[str, object]

WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
COLUMNS: Final = named("weekday", "hour", "calls", "missed", "missed_rate")
"""JSON and CSV. `weekday` counts from 1, Monday, as ISO 8601 does; `hour` from 0 to 23."""
TABLE_COLUMNS: Final = (
    Column("hour", "Hour", format=lambda hour: hour if isinstance(hour, str) else f"{hour:02}:00"),
    *(Column(day, day, "right", lambda count: str(count or ".")) for day in WEEKDAYS),
    Column("week", "Week", "right"),
)


def rows(conn: sqlite3.Connection, period: Period, only: str | None = None) -> list[Row]:
    """All 168 hours of the week, Monday first; an hour without calls stands with 0."""
    calls = [[0] * 24 for _ in WEEKDAYS]
    missed = [[0] * 24 for _ in WEEKDAYS]
    ended = [[0] * 24 for _ in WEEKDAYS]
    for quarter, begun, lost, over in queries.quarters(conn, period, only):
        moment = _local(quarter, period.zone)
        calls[moment.weekday()][moment.hour] += begun
        missed[moment.weekday()][moment.hour] += lost
        ended[moment.weekday()][moment.hour] += over
    return [
        {
            "weekday": day + 1,
            "hour": hour,
            "calls": calls[day][hour],
            "missed": missed[day][hour],
            "missed_rate": share(missed[day][hour], ended[day][hour]),
        }
        for day in range(7)
        for hour in range(24)
    ]


def grid(found: list[Row], figure: str) -> list[Row]:
    """One figure as the table shows it: a line an hour, from the first with a call to the last, and the sums."""
    value = {(int(str(row["weekday"])), int(str(row["hour"]))): int(str(row[figure])) for row in found}
    busy = [int(str(row["hour"])) for row in found if row["calls"]]
    lines: list[Row] = []
    for hour in range(min(busy, default=0), max(busy, default=-1) + 1):
        week = [value[day, hour] for day in range(1, 8)]
        lines.append({"hour": hour, **dict(zip(WEEKDAYS, week, strict=True)), "week": sum(week)})
    if lines:
        sums = [sum(value[day, hour] for hour in range(24)) for day in range(1, 8)]
        lines.append({"hour": "all", **dict(zip(WEEKDAYS, sums, strict=True)), "week": sum(sums)})
    return lines


def _local(quarter: str, zone: ZoneInfo) -> datetime:
    """When a quarter of an hour (`2026-03-01T10:2`) begins on the company's clock."""
    hour = datetime.fromisoformat(quarter[:13] + ":00").replace(tzinfo=UTC)
    return (hour + timedelta(minutes=15 * int(quarter[14:]))).astimezone(zone)
