"""Rows for listings, and for recovery after a restart. Read only; times are ISO 8601 UTC text as in the
tables.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from router.errors import NotFound, Refused
from router.model import AttemptRecord, Caller, CallRecord, HangupBy, Outcome, Path, Result
from router.store.schema import STATE_AT
from router.store.times import from_text, optional_epoch, to_text

LIVE: Final = "live"
MISSED: Final = "missed"
"""What a listing may ask for besides the outcomes themselves."""

LAST_CALLS: Final = 10_000
"""Calls of which it is asked whether their callers are still there: more than ring at once anywhere."""
SHORTEST_END: Final = 6
"""Characters (30 bits) by which an id may be called."""

_CALLS: Final = """
    SELECT calls.id, calls.started_at, calls.did, calls.campaign, callers.number AS caller, callers.pseudonym,
           coalesce(calls.outcome, 'live') AS outcome, calls.salesperson, calls.answered_at, calls.ended_at,
           calls.ring_seconds, calls.talk_seconds, calls.hangup_by, calls.cause, calls.path, calls.config_version,
           calls.node, calls.channel, calls.recording, calls.recording_seconds
    FROM calls JOIN callers ON callers.id = calls.caller_id
"""
_CALLBACKS: Final = f"""
    SELECT callbacks.id, callbacks.campaign, callers.number AS caller, callers.pseudonym, {STATE_AT} AS state,
           callbacks.opened_at, callbacks.due_at, callbacks.expires_at, callbacks.attempts,
           CASE WHEN {STATE_AT} = 'open' THEN NULL ELSE callbacks.owner END AS owner,
           CASE WHEN {STATE_AT} = 'claimed' THEN callbacks.lease_until END AS lease_until,
           coalesce(callbacks.closed_at,
                    CASE WHEN {STATE_AT} = 'expired' THEN callbacks.expires_at END) AS closed_at,
           callbacks.close_reason,
           (SELECT count(*) FROM callback_calls WHERE callback_id = callbacks.id) AS calls
    FROM callbacks JOIN callers ON callers.id = callbacks.caller_id
"""  # noqa: S608 - constants
_ATTEMPTS: Final = """
    SELECT id, seq, salesperson, trunk, started_at, ringing_at, answered_at, accepted_at, ended_at, result, cause,
           sip_status, caller_id, note
    FROM attempts WHERE call_id = ? ORDER BY started_at, id
"""


@dataclass(frozen=True, slots=True)
class CallFilter:
    """Which calls; None asks for nothing.

    `since` and `until` are epoch seconds, the latter excluded; `outcome` is one of the contract's, or `live`, or
    `missed`.
    """

    since: float | None = None
    until: float | None = None
    campaign: str | None = None
    outcome: str | None = None
    salesperson: str | None = None
    limit: int = 50


def list_calls(connection: sqlite3.Connection, wanted: CallFilter) -> list[sqlite3.Row]:
    """The newest first. `outcome` is `live` while the call goes on."""
    conditions = ["1"]
    values: list[str | int] = []

    def only(condition: str, *given: str) -> None:
        conditions.append(condition)
        values.extend(given)

    if wanted.since is not None:
        only("calls.started_at >= ?", to_text(wanted.since))
    if wanted.until is not None:
        only("calls.started_at < ?", to_text(wanted.until))
    if wanted.campaign is not None:
        only("calls.campaign = ?", wanted.campaign)
    if wanted.salesperson is not None:
        only("calls.salesperson = ?", wanted.salesperson)
    if wanted.outcome == LIVE:
        only("calls.outcome IS NULL")
    elif wanted.outcome == MISSED:
        missed = [outcome for outcome in Outcome if outcome.missed]
        only(f"calls.outcome IN ({', '.join('?' * len(missed))})", *missed)
    elif wanted.outcome is not None:
        only("calls.outcome = ?", wanted.outcome)
    sql = f"{_CALLS} WHERE {' AND '.join(conditions)} ORDER BY calls.started_at DESC, calls.id DESC LIMIT ?"
    return connection.execute(sql, (*values, wanted.limit)).fetchall()


def get_call(connection: sqlite3.Connection, call_id: str) -> sqlite3.Row:
    """One call. Raises NotFound."""
    row: sqlite3.Row | None = connection.execute(f"{_CALLS} WHERE calls.id = ?", (call_id,)).fetchone()
    if row is None:
        raise NotFound(f"no call has the id {call_id!r}; see: callrouter calls list")
    return row


def find_id(connection: sqlite3.Connection, kind: Literal["call", "callback"], given: str) -> str:
    """The whole id of which `given` is all, or an end of at least 6 characters that no other one has.

    Raises NotFound, and Refused when there are two.
    """
    table = f"{kind}s"
    if connection.execute(f"SELECT 1 FROM {table} WHERE id = ?", (given,)).fetchone() is not None:  # noqa: S608
        return given
    found: list[sqlite3.Row] = []
    if SHORTEST_END <= len(given) < 26:
        sql = f"SELECT id FROM {table} WHERE substr(id, -{len(given)}) = ? LIMIT 2"  # noqa: S608 - a number
        found = connection.execute(sql, (given,)).fetchall()
    if len(found) > 1:
        raise Refused(f"more than one {kind} has an id that ends so: {given!r}; give more of it")
    if not found:
        raise NotFound(f"no {kind} has the id {given!r}; see: callrouter {table} list")
    return str(found[0]["id"])


def attempts_of(connection: sqlite3.Connection, call_id: str) -> list[sqlite3.Row]:
    """The call's attempts in the order in which they rang."""
    return connection.execute(_ATTEMPTS, (call_id,)).fetchall()


def callback_of(connection: sqlite3.Connection, call_id: str) -> str | None:
    """The callback that this call opened or joined."""
    row = connection.execute("SELECT callback_id FROM callback_calls WHERE call_id = ?", (call_id,)).fetchone()
    return None if row is None else str(row[0])


def list_callbacks(
    connection: sqlite3.Connection, now: float, *, states: Sequence[str], campaign: str | None, limit: int
) -> list[sqlite3.Row]:
    """Callbacks that are in one of `states` at `now` (epoch seconds), the one due first on top."""
    marks = ", ".join(f":state{place}" for place in range(len(states)))
    where = f"{STATE_AT} IN ({marks}) AND (:campaign IS NULL OR callbacks.campaign = :campaign)"
    values: dict[str, str | int | None] = {"now": to_text(now), "campaign": campaign, "limit": limit}
    values.update({f"state{place}": state for place, state in enumerate(states)})
    sql = f"{_CALLBACKS} WHERE {where} ORDER BY callbacks.due_at, callbacks.id LIMIT :limit"
    return connection.execute(sql, values).fetchall()


def get_callback(connection: sqlite3.Connection, callback_id: str, now: float) -> sqlite3.Row:
    """One callback as it is at `now` (epoch seconds). Raises NotFound."""
    sql = f"{_CALLBACKS} WHERE callbacks.id = :id"
    row: sqlite3.Row | None = connection.execute(sql, {"id": callback_id, "now": to_text(now)}).fetchone()
    if row is None:
        raise NotFound(f"no callback has the id {callback_id!r}; see: callrouter callbacks list")
    return row


def calls_of(connection: sqlite3.Connection, callback_id: str) -> list[sqlite3.Row]:
    """The missed calls that the callback answers, oldest first."""
    sql = (
        f"{_CALLS} JOIN callback_calls ON callback_calls.call_id = calls.id "
        "WHERE callback_calls.callback_id = ? ORDER BY calls.started_at, calls.id"
    )
    return connection.execute(sql, (callback_id,)).fetchall()


def live_calls(connection: sqlite3.Connection, node: str) -> list[tuple[CallRecord, list[AttemptRecord]]]:
    """The node's calls without an outcome, oldest first, with the attempts written so far."""
    sql = f"{_CALLS} WHERE calls.outcome IS NULL AND calls.node = ? ORDER BY calls.id"
    rows = connection.execute(sql, (node,)).fetchall()
    return [(_call(row), [_attempt(each) for each in attempts_of(connection, row["id"])]) for row in rows]


def ended_channels(connection: sqlite3.Connection, node: str) -> frozenset[str]:
    """The callers' channels of the node's last calls that have an outcome."""
    sql = "SELECT channel FROM calls WHERE node = ? AND outcome IS NOT NULL ORDER BY id DESC LIMIT ?"
    return frozenset(row[0] for row in connection.execute(sql, (node, LAST_CALLS)))


def _call(row: sqlite3.Row) -> CallRecord:
    return CallRecord(
        id=row["id"],
        started_at=from_text(row["started_at"]),
        did=row["did"],
        campaign=row["campaign"],
        caller=Caller(row["caller"]),
        path=Path(row["path"]),
        config_version=row["config_version"],
        node=row["node"],
        channel=row["channel"],
        outcome=None if row["outcome"] == LIVE else Outcome(row["outcome"]),
        salesperson=row["salesperson"],
        answered_at=optional_epoch(row["answered_at"]),
        ended_at=optional_epoch(row["ended_at"]),
        ring_seconds=row["ring_seconds"],
        talk_seconds=row["talk_seconds"],
        hangup_by=None if row["hangup_by"] is None else HangupBy(row["hangup_by"]),
        cause=row["cause"],
        recording=row["recording"],
        recording_seconds=row["recording_seconds"],
    )


def _attempt(row: sqlite3.Row) -> AttemptRecord:
    return AttemptRecord(
        id=row["id"],
        seq=row["seq"],
        salesperson=row["salesperson"],
        trunk=row["trunk"],
        started_at=from_text(row["started_at"]),
        ringing_at=optional_epoch(row["ringing_at"]),
        answered_at=optional_epoch(row["answered_at"]),
        accepted_at=optional_epoch(row["accepted_at"]),
        ended_at=optional_epoch(row["ended_at"]),
        result=None if row["result"] is None else Result(row["result"]),
        cause=row["cause"],
        sip_status=row["sip_status"],
        caller_id=row["caller_id"],
        note=row["note"],
    )


def accepted_at(connection: sqlite3.Connection, version: str, node: str) -> str | None:
    """When this node last put a configuration of this version in force; None when it never did."""
    query = "SELECT max(accepted_at) FROM configs WHERE version = ? AND node = ?"
    row = connection.execute(query, (version, node)).fetchone()
    return None if row[0] is None else str(row[0])


@dataclass(frozen=True, slots=True)
class Taken:
    """What one salesperson took: the last call ever (ISO 8601), and how many since a moment."""

    last_at: str | None
    since: int


def taken_by(connection: sqlite3.Connection, people: Iterable[str], start: float) -> dict[str, Taken]:
    """The calls that each of `people` took, and is taking, counted from `start` (epoch seconds) on."""
    counted = {
        str(row[0]): int(row[1])
        for row in connection.execute(
            "SELECT salesperson, count(*) FROM calls WHERE started_at >= ? AND salesperson IS NOT NULL "
            "GROUP BY salesperson",
            (to_text(start),),
        )
    }
    return {each: Taken(_last_taken(connection, each), counted.get(each, 0)) for each in people}


def _last_taken(connection: sqlite3.Connection, salesperson: str) -> str | None:
    """Along the index of the person's attempts, from the newest back."""
    row = connection.execute(
        "SELECT calls.answered_at FROM attempts JOIN calls ON calls.id = attempts.call_id "
        "WHERE attempts.salesperson = ? AND attempts.result = 'accepted' AND calls.salesperson = ? "
        "ORDER BY attempts.started_at DESC LIMIT 1",
        (salesperson, salesperson),
    ).fetchone()
    return None if row is None or row[0] is None else str(row[0])
