"""What the past says to a decision: for the router's memory when it starts, and for `explain`. Read only.

Everything goes through the indexes: one look for each campaign and salesperson, and one pass over the calls that
are asked about, however many there are besides.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from router.known import HORIZON, MOST_KNOWN, WINDOW, History, Known
from router.model import OVERFLOW, Situation
from router.store.pauses import pauses
from router.store.schema import STATE_AT
from router.store.times import from_text, to_text

#: Every campaign that has had a call, by leaps through the index.
_FIRST: Final = """
    WITH RECURSIVE campaigns (id) AS (
        SELECT min(campaign) FROM calls
        UNION ALL
        SELECT (SELECT min(campaign) FROM calls WHERE campaign > campaigns.id) FROM campaigns WHERE id IS NOT NULL
    )
    SELECT id, (
        SELECT attempts.salesperson FROM calls JOIN attempts ON attempts.call_id = calls.id
        WHERE calls.campaign = campaigns.id AND calls.started_at >= :since AND attempts.salesperson <> :overflow
        ORDER BY calls.started_at DESC, calls.id DESC, attempts.started_at, attempts.id LIMIT 1
    ) AS salesperson
    FROM campaigns WHERE id IS NOT NULL
"""

#: Every salesperson likewise. An attempt that failed without a word of the phone's or the carrier's was never sent:
#: the person was engaged, or the trunk took no more.
_PEOPLE: Final = """
    WITH RECURSIVE people (id) AS (
        SELECT min(salesperson) FROM attempts
        UNION ALL
        SELECT (SELECT min(salesperson) FROM attempts WHERE salesperson > people.id)
        FROM people WHERE id IS NOT NULL
    )
    SELECT id, (
        SELECT started_at FROM attempts
        WHERE salesperson = people.id AND started_at >= :since
            AND (coalesce(ringing_at, answered_at, sip_status) IS NOT NULL OR result IS NULL
                 OR result NOT IN ('busy', 'unreachable', 'failed'))
        ORDER BY started_at DESC LIMIT 1
    ) AS last_rung, (
        SELECT coalesce(ended_at, accepted_at) FROM attempts
        WHERE salesperson = people.id AND started_at >= :since AND accepted_at IS NOT NULL
        ORDER BY started_at DESC LIMIT 1
    ) AS last_talk
    FROM people WHERE id IS NOT NULL
"""

#: Calls that make a caller known, the latest first: so the table is read from its end on, page by page. A live call
#: knows itself.
_CALLS: Final = """
    SELECT caller_id, started_at, CASE WHEN outcome = 'answered' THEN nullif(salesperson, :overflow) END, ended_at
    FROM calls
    WHERE {which} AND started_at >= :since AND outcome <> 'blocked' ORDER BY started_at DESC
"""
_ALL_CALLERS: Final = "caller_id <> 'withheld'"
_ONE_CALLER: Final = "caller_id = (SELECT id FROM callers WHERE number = :number)"
_NUMBER: Final = "SELECT number FROM callers WHERE id = ?"

_OWED: Final = f"""
    SELECT callbacks.campaign, callers.number FROM callbacks JOIN callers ON callers.id = callbacks.caller_id
    WHERE callbacks.state IN ('open', 'claimed') AND ({STATE_AT}) <> 'expired' AND {{which}}
"""  # noqa: S608 - constants
_EVERYBODY: Final = "callers.number IS NOT NULL"
_THIS_ONE: Final = "callers.number = :number"

_RECENT: Final = """
    SELECT count(*) FROM callers JOIN calls ON calls.caller_id = callers.id
    WHERE callers.number = :number AND calls.started_at > :since AND calls.started_at <= :now
"""


def history(connection: sqlite3.Connection, now: float, since: float) -> History:
    """What Standing.load takes, of the calls since `since` (epoch seconds; router.known.HORIZON before `now`): the
    latest 200,000 callers at most. Takes seconds: for a thread. Raises sqlite3.Error.
    """
    last_rung, last_talk = _people(connection, since)
    return History(
        first=_first(connection, since),
        last_rung=last_rung,
        last_talk=last_talk,
        known=_known(connection, since, None),
        owed=owed(connection, now),
        pauses=pauses(connection, now),
    )


def situation(connection: sqlite3.Connection, now: float, number: str | None) -> Situation:
    """The situation as the database has it, for a call of `number` (None: withheld), which alone it knows of.

    Chance and the trunks' health are not in a database: `seed` is 0 and no trunk is down. Raises sqlite3.Error.
    """
    since = max(0.0, now - HORIZON)
    last_rung, last_talk = _people(connection, since)
    return Situation(
        paused=pauses(connection, now),
        first=_first(connection, since),
        last_rung=last_rung,
        last_talk=last_talk,
        known={} if number is None else _known(connection, since, number),
        owed=set() if number is None else owed(connection, now, number),
        recent={} if number is None else recent(connection, now, number),
    )


def owed(connection: sqlite3.Connection, now: float, number: str | None = None) -> set[tuple[str, str]]:
    """(campaign, number) of every callback that is open or claimed at `now`; only this number's where one is given.
    Raises sqlite3.Error.
    """
    sql = _OWED.format(which=_EVERYBODY if number is None else _THIS_ONE)
    rows = connection.execute(sql, {"now": to_text(now), "number": number})
    return {(row["campaign"], row["number"]) for row in rows}


def _first(connection: sqlite3.Connection, since: float) -> dict[str, str]:
    """Campaign -> who was dialled first in its last call that dialled anybody."""
    rows = connection.execute(_FIRST, {"since": to_text(since), "overflow": OVERFLOW})
    return {row["id"]: row["salesperson"] for row in rows if row["salesperson"] is not None}


def _people(connection: sqlite3.Connection, since: float) -> tuple[dict[str, float], dict[str, float]]:
    """Salesperson -> when last rung, and -> when the last talk ended."""
    rows = connection.execute(_PEOPLE, {"since": to_text(since)}).fetchall()
    last_rung = {row["id"]: from_text(row["last_rung"]) for row in rows if row["last_rung"] is not None}
    last_talk = {row["id"]: from_text(row["last_talk"]) for row in rows if row["last_talk"] is not None}
    return last_rung, last_talk


def _known(connection: sqlite3.Connection, since: float, number: str | None) -> Known:
    """Callers since `since`, or the one; the latest comes last."""
    sql = _CALLS.format(which=_ALL_CALLERS if number is None else _ONE_CALLER)
    cursor = connection.cursor()
    cursor.row_factory = None
    last_at: dict[str, str] = {}
    talks: dict[str, tuple[str, str]] = {}
    given = {"since": to_text(since), "number": number, "overflow": OVERFLOW}
    for caller, at, person, ended_at in cursor.execute(sql, given):
        if caller not in last_at:
            if len(last_at) >= MOST_KNOWN:
                continue
            last_at[caller] = at
        if person is not None and caller not in talks:
            talks[caller] = (person, ended_at)
    found = Known()
    for caller in reversed(last_at):
        (named,) = cursor.execute(_NUMBER, (caller,)).fetchone()
        if named is not None:
            person, ended_at = talks.get(caller, ("", ""))
            found.note(named, from_text(last_at[caller]), person, from_text(ended_at) if ended_at else 0.0)
    return found


def recent(connection: sqlite3.Connection, now: float, number: str) -> dict[str, int]:
    """How often a number has called within the minute before `now`; empty when it has not."""
    given = {"number": number, "since": to_text(max(0.0, now - WINDOW)), "now": to_text(now)}
    count = int(connection.execute(_RECENT, given).fetchone()[0])
    return {number: count} if count else {}
