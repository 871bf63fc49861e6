"""Calls for the tests of router.store, as the engine hands them to the writer; times in seconds after START."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence

from router.model import (
    AttemptRecord,
    CallbackWish,
    Caller,
    CallRecord,
    HangupBy,
    Outcome,
    Path,
    Result,
)
from router.store.database import immediate, open_database
from router.store.ids import attempt_id, new_call_id
from router.store.operations import CallAnswered, CallEnded, CallOpened, Operation
from router.store.pseudonym import load_key
from router.store.rows import Rows

START = 1_772_359_200.0
"""2026-03-01 10:00:00 UTC."""
CALLER = "+33145678901"
DUE, EXPIRE = 900.0, 86_400.0


def call(name: str, at: float = 0.0, *, number: str | None = CALLER, campaign: str = "spring") -> CallRecord:
    """A call that arrives `at` seconds after START; the same name gives the same id."""
    return CallRecord(
        id=new_call_id(START + at, hashlib.sha256(name.encode()).digest()),
        started_at=START + at,
        did="+33184801001",
        campaign=campaign,
        caller=Caller(number),
        path=Path.ARI,
        config_version="0123456789ab",
        node="test",
        channel=f"{START:.0f}.{name}",
    )


def ended(opened: CallRecord, outcome: Outcome, after: float, answered_after: float | None = None) -> CallRecord:
    """The call, over `after` seconds; `answered_after` seconds a human took it."""
    from dataclasses import replace

    answered = answered_after is not None
    return replace(
        opened,
        outcome=outcome,
        ended_at=opened.started_at + after,
        answered_at=opened.started_at + answered_after if answered_after is not None else None,
        salesperson="alice" if answered else None,
        ring_seconds=answered_after if answered_after is not None else after,
        talk_seconds=after - answered_after if answered_after is not None else 0.0,
        hangup_by=HangupBy.CALLER,
        cause=16,
    )


def attempt(opened: CallRecord, result: Result | None, seq: int = 1) -> AttemptRecord:
    return AttemptRecord(
        id=attempt_id(opened.id, seq),
        seq=seq,
        salesperson="alice",
        trunk="main",
        started_at=opened.started_at,
        ringing_at=opened.started_at + 1,
        answered_at=opened.started_at + 5 if result is Result.ACCEPTED else None,
        accepted_at=opened.started_at + 5 if result is Result.ACCEPTED else None,
        ended_at=opened.started_at + 20 if result not in (None, Result.ACCEPTED) else None,
        result=result,
    )


def missed(
    name: str,
    at: float = 0.0,
    *,
    number: str | None = CALLER,
    campaign: str = "spring",
    outcome: Outcome = Outcome.NO_ANSWER,
    expire: float = EXPIRE,
) -> CallEnded:
    """A missed call of 20 seconds, which asks for a callback."""
    opened = call(name, at, number=number, campaign=campaign)
    over = ended(opened, outcome, 20.0)
    wish = CallbackWish(START + at + 20 + DUE, START + at + 20 + DUE + expire)
    return CallEnded(over, (attempt(opened, Result.NO_ANSWER),), wish)


def voicemail(name: str, at: float = 0.0, *, seconds: float = 83.2, campaign: str = "spring") -> CallEnded:
    """A missed call whose caller left a message of so many seconds."""
    from dataclasses import replace

    end = missed(name, at, campaign=campaign, outcome=Outcome.VOICEMAIL)
    left = replace(end.call, recording=f"callrouter-{end.call.id}", recording_seconds=seconds)
    return replace(end, call=left)


def answered(name: str, at: float = 0.0, *, number: str | None = CALLER, campaign: str = "spring") -> CallEnded:
    """A call that Alice takes after 5 seconds and that lasts 65."""
    opened = call(name, at, number=number, campaign=campaign)
    over = ended(opened, Outcome.ANSWERED, 65.0, 5.0)
    return CallEnded(over, (attempt(opened, Result.ACCEPTED),), None)


def whole(end: CallEnded) -> list[Operation]:
    """All operations of the call that ends so, in their order."""
    from dataclasses import replace

    fresh = replace(
        end.call,
        outcome=None,
        ended_at=None,
        answered_at=None,
        salesperson=None,
        ring_seconds=None,
        talk_seconds=None,
        hangup_by=None,
        cause=None,
    )
    operations: list[Operation] = [CallOpened(fresh)]
    if end.call.answered_at is not None:
        taken = replace(
            fresh,
            answered_at=end.call.answered_at,
            salesperson=end.call.salesperson,
            ring_seconds=end.call.ring_seconds,
        )
        operations.append(CallAnswered(taken, end.attempts))
    return [*operations, end]


def write(path: str, operations: Iterable[Operation]) -> None:
    """Carry the operations out at once, each in a transaction of its own."""
    connection = open_database(path)
    rows = Rows(connection, load_key(path))
    for each in operations:
        with immediate(connection):
            rows.apply(each)
    connection.close()


def dump(
    path: str, tables: Sequence[str] = ("callers", "calls", "attempts", "callbacks", "callback_calls")
) -> dict[str, list[tuple[object, ...]]]:
    """Every row of these tables."""
    connection = sqlite3.connect(path)
    try:
        return {
            table: [tuple(row) for row in connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2")]  # noqa: S608
            for table in tables
        }
    finally:
        connection.close()


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 20.0) -> None:
    """Come back as soon as `condition` holds; fail loudly when it does not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:.0f} s in vain for: {what}")
        time.sleep(0.005)


def nobody_writes(path: str) -> sqlite3.Connection:
    """A connection that holds the write lock until it is closed: what another program may do to us."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=10, check_same_thread=False)
    connection.execute("BEGIN EXCLUSIVE")
    return connection


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))
