"""Callbacks as people move them: each move is one transaction that holds the write lock from before it reads.

So of fifty who claim at once, one wins; and what a move returns is on disk before anybody is told.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from router.callbacks import Task
from router.errors import NotFound
from router.store.database import immediate
from router.store.reveals import write_reveal
from router.store.task_rows import COLUMNS, save, task


def campaign_of(connection: sqlite3.Connection, callback_id: str) -> str:
    """The id of the campaign that owes the callback. Raises NotFound."""
    return str(_row(connection, callback_id)["campaign"])


def move(connection: sqlite3.Connection, callback_id: str, change: Callable[[Task], Task]) -> Task:
    """Read the task, let `change` (one of router.callbacks) make the next one of it, write that.

    Raises NotFound, and the Refused of `change`; nothing is written then.
    """
    with immediate(connection):
        after = change(task(_row(connection, callback_id)))
        save(connection, after)
    return after


def claim(
    connection: sqlite3.Connection, callback_id: str, change: Callable[[Task], Task], *, user: str, now: float
) -> tuple[Task, str | None]:
    """`move`, and the number to call, whose showing is recorded in the same transaction. None: it was
    erased.
    """
    with immediate(connection):
        row = _row(connection, callback_id)
        after = change(task(row))
        save(connection, after)
        write_reveal(
            connection, at=now, user=user, command=f"callbacks claim {callback_id}", reason="claimed", rows=1
        )
    return after, row["number"]


def _row(connection: sqlite3.Connection, callback_id: str) -> sqlite3.Row:
    sql = (
        f"SELECT callbacks.{', callbacks.'.join(COLUMNS.split(', '))}, campaign, number "  # noqa: S608 - constants
        "FROM callbacks JOIN callers ON callers.id = callbacks.caller_id WHERE callbacks.id = ?"
    )
    row: sqlite3.Row | None = connection.execute(sql, (callback_id,)).fetchone()
    if row is None:
        raise NotFound(f"no callback has the id {callback_id!r}; see: callrouter callbacks list")
    return row
