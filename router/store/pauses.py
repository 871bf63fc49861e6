"""Who is not to be rung, and until when: one row a person, which the later word replaces.

Being rung again is a row too, one whose end is its beginning. So it does not matter in which order the words
of the own line and of the command line reach the table, nor whether one of them reaches it twice.
"""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from typing import Final

from router.model import Pause
from router.store.database import immediate
from router.store.times import from_text, optional_epoch, optional_text, to_text

MENU: Final = "menu"
"""`by` of what was asked for on the own line."""
_TICK: Final = 0.001
"""The least that two times of the database differ by, in seconds."""
_NOTE: Final = """
    INSERT INTO pauses (salesperson, since, until, by) VALUES (:salesperson, :since, :until, :by)
    ON CONFLICT (salesperson) DO UPDATE SET since = excluded.since, until = excluded.until, by = excluded.by
    WHERE excluded.since > pauses.since
"""
_IN_FORCE: Final = """
    SELECT salesperson, since, until, by FROM pauses
    WHERE until IS NULL OR (until > :now AND until > since)
"""


def pauses(connection: sqlite3.Connection, now: float) -> dict[str, float | None]:
    """Salesperson -> until when (epoch seconds; None: until resumed), of those who are paused at `now`."""
    return {person: each.until for person, each in in_force(connection, now).items()}


def in_force(connection: sqlite3.Connection, now: float) -> dict[str, Pause]:
    """The pauses at `now` (epoch seconds), by salesperson."""
    rows = connection.execute(_IN_FORCE, {"now": to_text(now)})
    return {row["salesperson"]: _pause(row) for row in rows}


def pause(connection: sqlite3.Connection, asked: Pause) -> Pause:
    """Pause a person, whatever was asked for before; the pause as it now stands. Raises sqlite3.Error."""
    with immediate(connection):
        after = replace(asked, since=_behind_the_last(connection, asked.salesperson, asked.since))
        note(connection, after)
    return after


def resume(connection: sqlite3.Connection, salesperson: str, now: float, by: str) -> Pause | None:
    """End a person's pause; the one that was in force, None when there was none. Raises sqlite3.Error."""
    with immediate(connection):
        before = in_force(connection, now).get(salesperson)
        note_end(connection, salesperson, _behind_the_last(connection, salesperson, now), by)
    return before


def note(connection: sqlite3.Connection, asked: Pause) -> None:
    """Write a pause, unless a later word is there already. To be called inside a transaction."""
    connection.execute(
        _NOTE,
        {
            "salesperson": asked.salesperson,
            "since": to_text(asked.since),
            "until": optional_text(asked.until),
            "by": asked.by,
        },
    )


def note_end(connection: sqlite3.Connection, salesperson: str, at: float, by: str) -> None:
    """Write that a pause ended at `at`, unless a later word is there already. To be called inside a transaction."""
    note(connection, Pause(salesperson, at, at, by))


def _behind_the_last(connection: sqlite3.Connection, salesperson: str, now: float) -> float:
    """`now`, or the moment after the last word, should the clock have been set back since: who types a command
    means it.
    """
    row = connection.execute("SELECT since FROM pauses WHERE salesperson = ?", (salesperson,)).fetchone()
    return now if row is None else max(now, from_text(row["since"]) + _TICK)


def _pause(row: sqlite3.Row) -> Pause:
    return Pause(row["salesperson"], from_text(row["since"]), optional_epoch(row["until"]), row["by"])
