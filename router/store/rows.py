"""Operations as rows. Each may come twice, late, or after a better one, and the tables end up the same.

A channel of Asterisk is one call, whichever line of defence writes of it, so it is one row.

A call's row is opened, perhaps answered, and ended once; a second end only counts when its outcome is
better in the contract's order (the router, killed, can at best say `failed`; the fallback that took over
knows who answered). What an attempt's row has said, a later writing does not take back, but for a yes that never
became a talk.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from router.model import AttemptRecord, Caller, CallRecord, Outcome, StaffCall
from router.store import pauses, tasks
from router.store.ids import caller_id
from router.store.operations import (
    CallAnswered,
    CallEnded,
    CallOpened,
    ConfigAccepted,
    Operation,
    PauseCleared,
    PauseSet,
    StaffCallEnded,
)
from router.store.pseudonym import pseudonym
from router.store.schema import WITHHELD
from router.store.times import from_text, optional_text, to_text

_CALL_COLUMNS: Final = (
    "id, started_at, did, campaign, caller_id, outcome, salesperson, answered_at, ended_at, ring_seconds, "
    "talk_seconds, hangup_by, cause, path, config_version, node, channel, recording, recording_seconds"
)
_NEW_CALL: Final = f"INSERT INTO calls ({_CALL_COLUMNS}) VALUES ({', '.join('?' * 19)}) ON CONFLICT (id) DO "  # noqa: S608 - constants
_OPENED: Final = _NEW_CALL + "NOTHING"
_ANSWERED: Final = (
    _NEW_CALL + "UPDATE SET salesperson = excluded.salesperson, answered_at = excluded.answered_at, "
    "ring_seconds = excluded.ring_seconds WHERE calls.outcome IS NULL"
)


def _rank(column: str) -> str:
    whens = " ".join(f"WHEN '{outcome}' THEN {place}" for place, outcome in enumerate(Outcome))
    return f"CASE {column} {whens} ELSE {len(Outcome)} END"


_ENDED: Final = (
    _NEW_CALL + "UPDATE SET outcome = excluded.outcome, salesperson = excluded.salesperson, "
    "answered_at = excluded.answered_at, ended_at = excluded.ended_at, ring_seconds = excluded.ring_seconds, "
    "talk_seconds = excluded.talk_seconds, hangup_by = excluded.hangup_by, cause = excluded.cause, "
    "path = excluded.path, recording = excluded.recording, recording_seconds = excluded.recording_seconds "
    f"WHERE {_rank('excluded.outcome')} < {_rank('calls.outcome')}"
)
_ATTEMPT: Final = """
    INSERT INTO attempts (id, call_id, seq, salesperson, trunk, started_at, ringing_at, answered_at, accepted_at,
                          ended_at, result, cause, sip_status, caller_id, note)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET
        ringing_at = coalesce(attempts.ringing_at, excluded.ringing_at),
        answered_at = coalesce(attempts.answered_at, excluded.answered_at),
        accepted_at = CASE WHEN attempts.ended_at IS NULL AND excluded.ended_at IS NOT NULL
            THEN excluded.accepted_at ELSE coalesce(attempts.accepted_at, excluded.accepted_at) END,
        ended_at = coalesce(attempts.ended_at, excluded.ended_at),
        result = CASE WHEN attempts.result = 'accepted' AND attempts.ended_at IS NULL
            THEN coalesce(excluded.result, attempts.result) ELSE coalesce(attempts.result, excluded.result) END,
        cause = coalesce(attempts.cause, excluded.cause),
        sip_status = coalesce(attempts.sip_status, excluded.sip_status),
        caller_id = coalesce(attempts.caller_id, excluded.caller_id),
        note = coalesce(attempts.note, excluded.note)
"""
_UNTOLD: Final = "SELECT id FROM attempts WHERE call_id = ? AND result IS NULL"
_LOST: Final = """
    UPDATE attempts SET ended_at = coalesce(ended_at, ?),
        result = CASE WHEN accepted_at IS NULL THEN 'failed' ELSE 'accepted' END
    WHERE id = ?
"""
_STAFF: Final = """
    INSERT INTO staff_calls (id, node, salesperson, did, started_at, ended_at, verified, actions)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING
"""
_CALLER: Final = """
    INSERT INTO callers (id, number, pseudonym, first_seen_at) VALUES (?, ?, ?, ?)
    ON CONFLICT (pseudonym) DO UPDATE SET number = excluded.number RETURNING id
"""
_BY_CHANNEL: Final = "SELECT id, started_at FROM calls WHERE channel = ? ORDER BY id"
_SAME_CALL: Final = 3600.0
"""How far apart, in seconds, two starts of one call may lie; a channel's name may come again after years."""
_REMEMBERED: Final = 10_000
"""Callers whose id is kept at hand."""


class Rows:
    """Carries operations out on one connection, inside the transaction that its owner has begun."""

    def __init__(self, connection: sqlite3.Connection, key: bytes) -> None:
        self._connection = connection
        self._key = key
        self._callers: dict[str | None, str] = {}

    def apply(self, operation: Operation) -> None:
        """Write one operation. Raises sqlite3.Error, and ValueError for a value that no row can hold."""
        if isinstance(operation, CallOpened | CallAnswered | CallEnded):
            self._of_a_call(operation)
        elif isinstance(operation, StaffCallEnded):
            self._connection.execute(_STAFF, _staff_row(operation.staff))
        elif isinstance(operation, PauseSet):
            pauses.note(self._connection, operation.pause)
        elif isinstance(operation, PauseCleared):
            pauses.note_end(self._connection, operation.salesperson, operation.at, pauses.MENU)
        else:
            self._config(operation)

    def forget(self) -> None:
        """To be called after a rollback: callers that it took back are no longer known."""
        self._callers.clear()

    def _of_a_call(self, operation: CallOpened | CallAnswered | CallEnded) -> None:
        known = self._known(operation.call)
        if known is not None:
            operation = _renamed(operation, known)
        if isinstance(operation, CallOpened):
            self._opened(operation.call, operation.attempts)
        elif isinstance(operation, CallAnswered):
            self._answered(operation.call, operation.attempts)
        else:
            self._ended(operation)

    def _known(self, call: CallRecord) -> str | None:
        """The id of the row that this call already has under another one: the router opened it and was killed, and
        the second or third line, which carried it on, knows its channel only.
        """
        found = self._connection.execute(_BY_CHANNEL, (clean(call.channel),)).fetchall()
        if any(row[0] == call.id for row in found):
            return None
        near = (row[0] for row in found if abs(from_text(row[1]) - call.started_at) < _SAME_CALL)
        return next(near, None)

    def _opened(self, call: CallRecord, attempts: Sequence[AttemptRecord]) -> None:
        self._connection.execute(_OPENED, self._call(call))
        if attempts and self._is_live(call.id):
            self._attempts(call.id, attempts)

    def _is_live(self, call_id: str) -> bool:
        row = self._connection.execute("SELECT outcome FROM calls WHERE id = ?", (call_id,)).fetchone()
        return row[0] is None

    def _answered(self, call: CallRecord, attempts: Sequence[AttemptRecord]) -> None:
        row = self._call(call)
        self._connection.execute(_ANSWERED, row)
        self._attempts(call.id, attempts)
        if call.answered_at is not None:
            tasks.reached(self._connection, call.id, call.campaign, row[4], call.answered_at)

    def _ended(self, operation: CallEnded) -> None:
        call = operation.call
        row = self._call(call)
        self._connection.execute(_ENDED, row)
        self._attempts(call.id, operation.attempts)
        self._close_attempts(call, operation.attempts)
        if call.outcome is Outcome.ANSWERED and call.answered_at is not None:
            tasks.reached(self._connection, call.id, call.campaign, row[4], call.answered_at)
        elif operation.callback is not None and row[4] != WITHHELD:
            tasks.owe(self._connection, call, row[4], operation.callback)

    def _config(self, operation: ConfigAccepted) -> None:
        self._connection.execute(
            "INSERT INTO configs (version, node, accepted_at, file) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (operation.version, operation.node, to_text(operation.at), clean(operation.file)),
        )

    def _attempts(self, call_id: str, attempts: Sequence[AttemptRecord]) -> None:
        if attempts:
            self._connection.executemany(_ATTEMPT, [_attempt_row(call_id, each) for each in attempts])

    def _close_attempts(self, call: CallRecord, told: Sequence[AttemptRecord]) -> None:
        """Attempts that this end does not know of: dialled by a router that was killed, before another line of
        defence took the call over. Nobody will come to tell how they went.
        """
        known = {each.id for each in told}
        rows = self._connection.execute(_UNTOLD, (call.id,)).fetchall()
        lost = [(to_text(call.ended_at or call.started_at), row[0]) for row in rows if row[0] not in known]
        self._connection.executemany(_LOST, lost)

    def _call(self, call: CallRecord) -> tuple[str, str, str, str, str, *tuple[str | float | None, ...]]:
        started_at = to_text(call.started_at)
        return (
            call.id,
            started_at,
            clean(call.did),
            call.campaign,
            self._caller(call.caller, call.id, started_at),
            call.outcome,
            call.salesperson,
            optional_text(call.answered_at),
            optional_text(call.ended_at),
            call.ring_seconds,
            call.talk_seconds,
            call.hangup_by,
            call.cause,
            call.path,
            call.config_version,
            call.node,
            clean(call.channel),
            None if call.recording is None else clean(call.recording),
            call.recording_seconds,
        )

    def _caller(self, caller: Caller, call_id: str, seen_at: str) -> str:
        """The caller's id: one for each number, and one for all who withhold theirs."""
        number = None if caller.number is None else clean(caller.number)
        known = self._callers.get(number)
        if known is None:
            known = self._find_caller(number) or self._new_caller(number, call_id, seen_at)
            if len(self._callers) >= _REMEMBERED:
                self._callers.clear()
            self._callers[number] = known
        return known

    def _find_caller(self, number: str | None) -> str | None:
        row = self._connection.execute("SELECT id FROM callers WHERE number = ?", (number,)).fetchone()
        return None if row is None else str(row[0])

    def _new_caller(self, number: str | None, call_id: str, seen_at: str) -> str:
        name = pseudonym(self._key, number)
        identity = WITHHELD if number is None else caller_id(call_id, name)
        # fetchall: a statement that still has a row to give would hold up the commit.
        rows = self._connection.execute(_CALLER, (identity, number, name, seen_at)).fetchall()
        return str(rows[0][0])


def _renamed(operation: CallOpened | CallAnswered | CallEnded, known: str) -> CallOpened | CallAnswered | CallEnded:
    """The operation on the row `known`; attempts keep the end of their id."""
    call = replace(operation.call, id=known)
    length = len(operation.call.id)
    attempts = tuple(replace(each, id=known + each.id[length:]) for each in operation.attempts)
    return replace(operation, call=call, attempts=attempts)


def clean(text: str) -> str:
    """`text` as UTF-8 can hold it: what came in as half a character becomes `?`."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _attempt_row(call_id: str, attempt: AttemptRecord) -> tuple[str | int | None, ...]:
    return (
        attempt.id,
        call_id,
        attempt.seq,
        attempt.salesperson,
        attempt.trunk,
        to_text(attempt.started_at),
        optional_text(attempt.ringing_at),
        optional_text(attempt.answered_at),
        optional_text(attempt.accepted_at),
        optional_text(attempt.ended_at),
        attempt.result,
        attempt.cause,
        attempt.sip_status,
        attempt.caller_id,
        None if attempt.note is None else clean(attempt.note),
    )


def _staff_row(staff: StaffCall) -> tuple[str | bool, ...]:
    return (
        staff.id,
        staff.node,
        staff.salesperson,
        clean(staff.did),
        to_text(staff.started_at),
        to_text(staff.ended_at),
        staff.verified,
        " ".join(staff.actions),
    )
