"""What calls do to callbacks, inside the transaction that writes the call.

The order in which calls are written does not matter: a missed call that is written late (out of the spool,
out of the fallback's folder) finds that the caller has since got through, and an answered one does not
close what a later missed call still asks for. An answered call settles every missed one that began before
the human took it.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from router.callbacks import REACHED_US, expire
from router.model import CallbackWish, CallRecord
from router.store.ids import callback_id
from router.store.task_rows import COLUMNS, save, task
from router.store.times import to_text

_OPEN: Final = (
    f"SELECT {COLUMNS}, opened_at FROM callbacks "  # noqa: S608 - constants
    "WHERE campaign = ? AND caller_id = ? AND state IN ('open', 'claimed')"
)
_LATER_MISSED: Final = """
    SELECT 1 FROM callback_calls JOIN calls ON calls.id = callback_calls.call_id
    WHERE callback_calls.callback_id = ? AND calls.id <> ? AND calls.started_at > ? LIMIT 1
"""
_GOT_THROUGH: Final = """
    SELECT min(answered_at) FROM calls
    WHERE caller_id = ? AND campaign = ? AND started_at >= ? AND answered_at >= ? AND id <> ?
      AND (outcome IS NULL OR outcome = 'answered')
"""
_LONGEST_HUNT: Final = 3600.0
"""How long before a missed call another one may have begun that was answered only after it, in seconds."""


def owe(connection: sqlite3.Connection, call: CallRecord, caller: str, wish: CallbackWish) -> None:
    """The missed call joins the caller's open callback of its campaign, or opens one.

    Does nothing when the call already belongs to one, or when its row has a better outcome than this.
    """
    if call.ended_at is None or _settled_before(connection, call):
        return
    through = _got_through(connection, call, caller)
    if through is not None:
        _insert(connection, call, caller, wish, closed_at=max(through, to_text(call.ended_at)))
        return
    row = connection.execute(_OPEN, (call.campaign, caller)).fetchone()
    if row is not None:
        held = task(row)
        after = expire(held, call.ended_at)
        if after is held:
            _join(connection, held.id, call.id)
            return
        save(connection, after)
    _insert(connection, call, caller, wish, closed_at=None)


def reached(connection: sqlite3.Connection, call_id: str, campaign: str, caller: str, answered_at: float) -> None:
    """The caller got through: the open callback of this campaign is done, whoever holds it."""
    row = connection.execute(_OPEN, (campaign, caller)).fetchone()
    if row is None:
        return
    at = to_text(answered_at)
    if connection.execute(_LATER_MISSED, (row["id"], call_id, at)).fetchone() is not None:
        return
    connection.execute(
        "UPDATE callbacks SET state = 'done', lease_until = NULL, closed_at = ?, close_reason = ? WHERE id = ?",
        (max(at, row["opened_at"]), REACHED_US, row["id"]),
    )


def write_expired(connection: sqlite3.Connection, now: float) -> int:
    """Put down as expired what is so at `now`; how many. To be run inside a transaction."""
    rows = connection.execute(
        f"SELECT {COLUMNS} FROM callbacks WHERE state IN ('open', 'claimed') AND expires_at <= ?",  # noqa: S608
        (to_text(now),),
    ).fetchall()
    changed = [after for before in map(task, rows) if (after := expire(before, now)) is not before]
    for each in changed:
        save(connection, each)
    return len(changed)


def _settled_before(connection: sqlite3.Connection, call: CallRecord) -> bool:
    joined = connection.execute("SELECT 1 FROM callback_calls WHERE call_id = ?", (call.id,)).fetchone()
    if joined is not None:
        return True
    row = connection.execute("SELECT outcome FROM calls WHERE id = ?", (call.id,)).fetchone()
    return bool(row["outcome"] != call.outcome)


def _got_through(connection: sqlite3.Connection, call: CallRecord, caller: str) -> str | None:
    began = to_text(call.started_at)
    earliest = to_text(max(call.started_at - _LONGEST_HUNT, 0.0))
    row = connection.execute(_GOT_THROUGH, (caller, call.campaign, earliest, began, call.id)).fetchone()
    return None if row[0] is None else str(row[0])


def _insert(
    connection: sqlite3.Connection, call: CallRecord, caller: str, wish: CallbackWish, *, closed_at: str | None
) -> None:
    identity = callback_id(call.id)
    connection.execute(
        "INSERT INTO callbacks (id, campaign, caller_id, state, opened_at, due_at, expires_at, closed_at, "
        "close_reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
        (
            identity,
            call.campaign,
            caller,
            "open" if closed_at is None else "done",
            to_text(call.ended_at or call.started_at),
            to_text(wish.due_at),
            to_text(wish.expires_at),
            closed_at,
            None if closed_at is None else REACHED_US,
        ),
    )
    _join(connection, identity, call.id)


def _join(connection: sqlite3.Connection, callback: str, call_id: str) -> None:
    connection.execute(
        "INSERT INTO callback_calls (callback_id, call_id) VALUES (?, ?) ON CONFLICT DO NOTHING",
        (callback, call_id),
    )
