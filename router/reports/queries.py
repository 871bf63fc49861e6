"""The reports' SQL: what is counted, grouped by SQLite; what it means is for the report's module.

Every query takes the period's bounds, a call belonging to the period in which it began, and `only`: one campaign,
or None for all of them. Times in the database sort as text (router.store.times).
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from typing import Final, TypeAlias

from router.errors import NotFound
from router.model import Config
from router.reports.period import Period
from router.store.schema import STATE_AT, WITHHELD

Parameters: TypeAlias = dict[str, str | None]

_OUTCOMES: Final = """
    SELECT campaign, outcome, count(*), sum(caller_id = :withheld), total(talk_seconds)
    FROM calls
    WHERE started_at >= :start AND started_at < :end AND (:only IS NULL OR campaign = :only)
    GROUP BY campaign, outcome
"""
_WAITS: Final = """
    SELECT campaign,
           CAST(round((julianday(answered_at) - julianday(started_at)) * 86400000) AS INTEGER)
    FROM calls
    WHERE started_at >= :start AND started_at < :end AND (:only IS NULL OR campaign = :only)
      AND outcome = 'answered' AND answered_at IS NOT NULL
"""
"""SQLite reads a time into whole milliseconds, so that rounding the difference of two days gives them back."""
_CALLERS: Final = """
    SELECT campaign, count(DISTINCT caller_id)
    FROM calls
    WHERE started_at >= :start AND started_at < :end AND (:only IS NULL OR campaign = :only)
      AND outcome IS NOT 'blocked' AND caller_id <> :withheld
    GROUP BY campaign
"""
_FIRST_CALLS: Final = """
    WITH first_calls AS (
        SELECT caller_id, campaign, min(started_at)
        FROM calls
        WHERE started_at >= :start AND started_at < :end
          AND outcome IS NOT 'blocked' AND caller_id <> :withheld
        GROUP BY caller_id
    )
    SELECT campaign, count(*),
           sum(callers.first_seen_at >= :start
               AND NOT EXISTS (SELECT 1 FROM calls AS earlier
                               WHERE earlier.caller_id = first_calls.caller_id AND earlier.started_at < :start))
    FROM first_calls JOIN callers ON callers.id = first_calls.caller_id
    WHERE :only IS NULL OR campaign = :only
    GROUP BY campaign
"""
"""With min(), SQLite takes the bare column `campaign` from the row that holds the minimum. Both are asked, when the
caller was first seen and whether there are earlier calls: a purge takes the calls but not the caller, and calls of
the second and third line are imported after they happened."""
_QUARTERS: Final = """
    SELECT substr(started_at, 1, 14) || (CAST(substr(started_at, 15, 2) AS INTEGER) / 15) AS quarter,
           count(*),
           sum(outcome IS NOT NULL AND outcome <> 'answered'),
           count(outcome)
    FROM calls
    WHERE started_at >= :start AND started_at < :end AND (:only IS NULL OR campaign = :only)
      AND outcome IS NOT 'blocked'
    GROUP BY quarter
"""
_ATTEMPTS: Final = """
    SELECT salesperson, result, count(*)
    FROM attempts
    WHERE started_at >= :start AND started_at < :end
    GROUP BY salesperson, result
"""
_RINGS: Final = """
    SELECT salesperson,
           CAST(round((julianday(accepted_at) - julianday(ringing_at)) * 86400000) AS INTEGER)
    FROM attempts
    WHERE started_at >= :start AND started_at < :end
      AND result = 'accepted' AND accepted_at IS NOT NULL AND ringing_at IS NOT NULL
"""
_TALKS: Final = """
    SELECT salesperson, total(talk_seconds)
    FROM calls
    WHERE started_at >= :start AND started_at < :end AND salesperson IS NOT NULL AND outcome = 'answered'
    GROUP BY salesperson
"""
_WAITING: Final = f"""
    WITH asked AS (
        SELECT callbacks.*, {STATE_AT} AS state_now FROM callbacks WHERE state IN ('open', 'claimed')
    )
    SELECT asked.id, asked.campaign, asked.opened_at, asked.due_at, asked.state_now, asked.owner,
           callers.number, callers.pseudonym,
           (SELECT count(*) FROM callback_calls WHERE callback_id = asked.id)
    FROM asked JOIN callers ON callers.id = asked.caller_id
    WHERE state_now IN ('open', 'claimed') AND (:only IS NULL OR campaign = :only)
      AND opened_at >= :start AND opened_at < :end
    ORDER BY opened_at, asked.id
"""  # noqa: S608 - a constant of ours
_UNCALLED: Final = """
    SELECT campaign, caller_id = :withheld AS hidden, count(*), min(started_at)
    FROM calls
    WHERE started_at >= :start AND started_at < :end AND (:only IS NULL OR campaign = :only)
      AND outcome NOT IN ('answered', 'blocked')
      AND NOT EXISTS (SELECT 1 FROM callback_calls WHERE call_id = calls.id)
    GROUP BY campaign, hidden
    ORDER BY min(started_at), campaign
"""


@contextlib.contextmanager
def one_moment(conn: sqlite3.Connection) -> Iterator[None]:
    """All queries within see the database as it was at the first: figures that belong together agree."""
    conn.execute("BEGIN")
    try:
        yield
    finally:
        if conn.in_transaction:
            conn.execute("ROLLBACK")


def outcomes(
    conn: sqlite3.Connection, period: Period, only: str | None
) -> Iterator[tuple[str, str | None, int, int, float]]:
    """Campaign, outcome (None while live), calls, how many withheld their number, seconds of talk."""
    return conn.execute(_OUTCOMES, _parameters(period, only))


def waits(conn: sqlite3.Connection, period: Period, only: str | None) -> Iterator[tuple[str, int]]:
    """Campaign and milliseconds to a human of each answered call, in no order."""
    return conn.execute(_WAITS, _parameters(period, only))


def callers(conn: sqlite3.Connection, period: Period, only: str | None) -> Iterator[tuple[str, int]]:
    """Campaign and how many distinct callers it had; those who withheld their number are left out."""
    return conn.execute(_CALLERS, _parameters(period, only))


def first_calls(conn: sqlite3.Connection, period: Period, only: str | None) -> Iterator[tuple[str, int, int]]:
    """Campaign, how many callers called it first in the period, and how many of those nobody had seen before it.

    Each caller stands under one campaign, so that the sum over all campaigns is the number of distinct callers.
    """
    return conn.execute(_FIRST_CALLS, _parameters(period, only))


def quarters(conn: sqlite3.Connection, period: Period, only: str | None) -> Iterator[tuple[str, int, int, int]]:
    """Quarter of an hour in UTC (`2026-03-01T10:2` is 10:30 to 10:45), calls, missed, ended."""
    return conn.execute(_QUARTERS, _parameters(period, only))


def attempts(conn: sqlite3.Connection, period: Period) -> Iterator[tuple[str, str | None, int]]:
    """Salesperson, result (None while it lasts), attempts."""
    return conn.execute(_ATTEMPTS, _parameters(period, None))


def rings(conn: sqlite3.Connection, period: Period) -> Iterator[tuple[str, int]]:
    """Salesperson and milliseconds from ringing to the human's yes, of each accepted attempt, in no order."""
    return conn.execute(_RINGS, _parameters(period, None))


def talks(conn: sqlite3.Connection, period: Period) -> Iterator[tuple[str, float]]:
    """Salesperson and seconds of talk."""
    return conn.execute(_TALKS, _parameters(period, None))


def waiting(
    conn: sqlite3.Connection, period: Period | None, only: str | None, now: str
) -> Iterator[tuple[str, str, str, str, str, str | None, str | None, str, int]]:
    """Callbacks open or claimed at `now`, opened in the period (None: ever), oldest first.

    Id, campaign, opened_at, due_at, state, owner, the caller's number and pseudonym, how many missed calls.
    """
    bounds = period.bounds if period else {"start": "", "end": "~"}
    return conn.execute(_WAITING, {**bounds, "only": only, "now": now})


def uncalled(conn: sqlite3.Connection, period: Period, only: str | None) -> Iterator[tuple[str, int, int, str]]:
    """Missed calls that opened and joined no callback: campaign, 1 for withheld numbers, how many, the first."""
    return conn.execute(_UNCALLED, _parameters(period, only))


def first_call(conn: sqlite3.Connection, campaign: str) -> str | None:
    """When the campaign's first call ever began; None where there was none."""
    found = conn.execute("SELECT min(started_at) FROM calls WHERE campaign = ?", (campaign,)).fetchone()[0]
    return None if found is None else str(found)


def known_campaign(conn: sqlite3.Connection, config: Config, campaign: str) -> None:
    """Raises NotFound for a campaign that neither campaigns.yaml nor any call has."""
    if campaign in config.campaigns or campaign == config.unknown.id or first_call(conn, campaign):
        return
    raise NotFound(f"no campaign {campaign!r}: neither campaigns.yaml nor any call has it")


def _parameters(period: Period, only: str | None) -> Parameters:
    return {**period.bounds, "only": only, "withheld": WITHHELD}
