"""A look at the database from outside the writer: whether it would take a row, and how much is owed.

The writer hears of a full disk or a lock when it next has something to write, which may be a minute away.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Collection
from contextlib import closing
from dataclasses import dataclass
from typing import Final

from router.errors import RouterError
from router.store.database import open_database
from router.store.faults import explain
from router.store.pauses import pauses
from router.store.schema import STATE_AT
from router.store.times import to_text

PATIENCE: Final = 1.0
"""Seconds to wait for another program's lock: commits take milliseconds."""

_OWED: Final = f"""
    SELECT count(*), coalesce(sum(due_at <= :now), 0) FROM callbacks
    WHERE state IN ('open', 'claimed') AND ({STATE_AT}) <> 'expired'
"""  # noqa: S608 - constants


@dataclass(frozen=True, slots=True)
class Owed:
    """`open`: callbacks that somebody owes, claimed or not; `overdue`: those whose time has come; `paused`: people
    who are not rung."""

    open: int
    overdue: int
    paused: int


@dataclass(frozen=True, slots=True)
class Look:
    """`trouble`: why the database takes no row, empty while it does; `free`: bytes on its disk, where known;
    `owed`: where it was asked for and could be read."""

    trouble: str
    free: int | None
    owed: Owed | None


def look(path: str, now: float, people: Collection[str], *, count: bool) -> Look:
    """Ask; `now` in epoch seconds. With `count`, what is owed too, with the pauses of `people`. Raises nothing."""
    try:
        free = shutil.disk_usage(os.path.dirname(path)).free
    except OSError:
        free = None
    try:
        with closing(open_database(path, create=False, migrate=False, busy=PATIENCE)) as connection:
            # Takes the lock, and writes nothing.
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
            return Look("", free, _owed(connection, now, people) if count else None)
    except RouterError as error:
        return Look(str(error), free, None)
    except (sqlite3.Error, OSError) as error:
        return Look(str(explain(path, error)), free, None)


def _owed(connection: sqlite3.Connection, now: float, people: Collection[str]) -> Owed:
    is_open, overdue = connection.execute(_OWED, {"now": to_text(now)}).fetchone()
    return Owed(is_open, overdue, sum(person in people for person in pauses(connection, now)))
