"""A callback's row as a router.callbacks.Task, and back."""

from __future__ import annotations

import sqlite3
from typing import Final

from router.callbacks import State, Task
from router.store.times import from_text, optional_epoch, optional_text, to_text

COLUMNS: Final = "id, state, due_at, expires_at, owner, lease_until, attempts, closed_at, close_reason"


def task(row: sqlite3.Row) -> Task:
    """Out of a row that has at least `COLUMNS`."""
    return Task(
        id=row["id"],
        state=State(row["state"]),
        due_at=from_text(row["due_at"]),
        expires_at=from_text(row["expires_at"]),
        owner=row["owner"],
        lease_until=optional_epoch(row["lease_until"]),
        attempts=row["attempts"],
        closed_at=optional_epoch(row["closed_at"]),
        close_reason=row["close_reason"],
    )


def save(connection: sqlite3.Connection, changed: Task) -> None:
    """Write what a move may change."""
    connection.execute(
        "UPDATE callbacks SET state = ?, due_at = ?, owner = ?, lease_until = ?, attempts = ?, closed_at = ?, "
        "close_reason = ? WHERE id = ?",
        (
            changed.state,
            to_text(changed.due_at),
            changed.owner,
            optional_text(changed.lease_until),
            changed.attempts,
            optional_text(changed.closed_at),
            changed.close_reason,
            changed.id,
        ),
    )
