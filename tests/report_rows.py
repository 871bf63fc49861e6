"""Rows for the tests of the reports, written straight into a real database of ours.

ledger = Ledger(path)
ledger.call("2026-03-01T10:00:00+01:00", campaign="spring", caller="k1", answered_after=8.2, talk=60.0)
with ledger.reading() as conn: ...
"""

from __future__ import annotations

import itertools
import random
import sqlite3
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime

from router.model import Outcome, Result
from router.store.database import open_database, reading
from router.store.schema import WITHHELD
from router.store.times import to_text

ENDED = tuple(Outcome)
CAMPAIGNS = ("spring", "poster", "website", "unknown", "removed")
PEOPLE = ("alice", "bob", "left-us")


@dataclass(frozen=True)
class Rung:
    """A call as the naive computations see it. Times are epoch milliseconds."""

    id: str
    at: int
    campaign: str
    caller: str
    outcome: str | None
    wait: int | None
    talk: float
    salesperson: str | None


@dataclass(frozen=True)
class Leg:
    """An attempt as the naive computations see it; `ring` is milliseconds from ringing to the yes."""

    at: int
    salesperson: str
    result: str | None
    ring: int | None


def epoch(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


class Ledger:
    """A database with the rows that a test puts into it."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.calls: list[Rung] = []
        self.legs: list[Leg] = []
        self._count = itertools.count()
        self._callers: set[str] = set()
        self._conn = open_database(path)

    def reading(self) -> AbstractContextManager[sqlite3.Connection]:
        return reading(self.path)

    def close(self) -> None:
        self._conn.close()

    def caller(self, id: str, seen_at: float, number: str | None = "") -> None:
        """A caller's row; its number is made out of the row's count unless given. A known one is left as it is."""
        if id in self._callers:
            return
        self._callers.add(id)
        if number == "":
            number = None if id == WITHHELD else f"+336{len(self._callers):08}"
        self._conn.execute("INSERT INTO callers VALUES (?, ?, ?, ?)", (id, number, f"anon-{id}", to_text(seen_at)))

    def call(
        self,
        at: str | float,
        *,
        campaign: str = "spring",
        caller: str = "k1",
        outcome: str | None = "answered",
        answered_after: float | None = None,
        talk: float = 0.0,
        salesperson: str | None = None,
    ) -> str:
        """A call that began at `at` (ISO text with its offset, or epoch seconds); gives its id."""
        begun = at if isinstance(at, float) else epoch(at)
        if outcome == "answered":
            answered_after = 5.0 if answered_after is None else answered_after
            salesperson = salesperson or "alice"
        self.caller(caller, begun)
        id = f"c{next(self._count):025}"
        answered = None if answered_after is None else to_text(begun + answered_after)
        ended = None if outcome is None else to_text(begun + (answered_after or 0.0) + talk)
        self._conn.execute(
            "INSERT INTO calls (id, started_at, did, campaign, caller_id, outcome, salesperson, answered_at, "
            "ended_at, talk_seconds, path, config_version, node, channel) "
            "VALUES (?, ?, '+33184801001', ?, ?, ?, ?, ?, ?, ?, 'ari', 'v', 'n', ?)",
            (id, to_text(begun), campaign, caller, outcome, salesperson, answered, ended, talk, id),
        )
        wait = None if answered_after is None else round(answered_after * 1000)
        self.calls.append(Rung(id, round(begun * 1000), campaign, caller, outcome, wait, talk, salesperson))
        return id

    def attempt(
        self,
        call: str,
        at: str | float,
        result: str | None,
        *,
        salesperson: str = "alice",
        rings_for: float | None = 6.0,
    ) -> None:
        """A leg dialled at `at`, which rang a second later and, accepted, was so `rings_for` seconds after that."""
        begun = at if isinstance(at, float) else epoch(at)
        ringing = None if rings_for is None else to_text(begun + 1)
        accepted = to_text(begun + 1 + (rings_for or 0.0)) if result == "accepted" else None
        self._conn.execute(
            "INSERT INTO attempts (id, call_id, seq, salesperson, trunk, started_at, ringing_at, accepted_at, "
            "result) VALUES (?, ?, 1, ?, 'main', ?, ?, ?, ?)",
            (f"a{next(self._count):025}", call, salesperson, to_text(begun), ringing, accepted, result),
        )
        ring = round(rings_for * 1000) if accepted and rings_for is not None else None
        self.legs.append(Leg(round(begun * 1000), salesperson, result, ring))

    def callback(
        self,
        calls: list[str],
        *,
        campaign: str = "spring",
        caller: str = "k1",
        opened_at: str,
        due_at: str,
        state: str = "open",
        owner: str | None = None,
        lease_until: str | None = None,
        expires_at: str = "2099-01-01T00:00:00+00:00",
    ) -> str:
        """A callback for these calls, with its times in ISO text; gives its id."""
        id = f"t{next(self._count):025}"
        over = state not in ("open", "claimed")
        lease = to_text(epoch(lease_until)) if lease_until else None
        times = [to_text(epoch(time)) for time in (opened_at, due_at, expires_at)]
        self._conn.execute(
            "INSERT INTO callbacks (id, campaign, caller_id, state, opened_at, due_at, expires_at, owner, "
            "lease_until, closed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (id, campaign, caller, state, *times, owner, lease, times[1] if over else None),
        )
        self._conn.executemany("INSERT INTO callback_calls VALUES (?, ?)", [(id, call) for call in calls])
        return id

    def at_random(self, seed: int, calls: int, first: str, last: str) -> None:
        """`calls` calls of every outcome between two moments, each with up to three attempts; times all differ."""
        rng = random.Random(seed)
        begins, ends = int(epoch(first) * 1000), int(epoch(last) * 1000)
        self._conn.execute("BEGIN")
        for at in sorted(rng.sample(range(begins, ends), calls)):
            outcome = rng.choice((*ENDED, "answered", "answered", "answered", None))
            answered = outcome == "answered"
            wait = rng.randrange(0, 90_000) / 1000 if answered else None
            call = self.call(
                at / 1000,
                campaign=rng.choice(CAMPAIGNS),
                caller=WITHHELD if rng.random() < 0.15 else f"k{rng.randrange(calls // 3 + 1)}",
                outcome=outcome,
                answered_after=wait,
                talk=rng.randrange(0, 600_000) / 1000 if answered else 0.0,
                salesperson=rng.choice(PEOPLE) if answered else None,
            )
            for _ in range(rng.randrange(4)):
                result = rng.choice((*Result, "accepted", None))
                rings = None if rng.random() < 0.1 else rng.randrange(0, 25_000) / 1000
                self.attempt(call, at / 1000, result, salesperson=rng.choice(PEOPLE), rings_for=rings)
        self._conn.execute("COMMIT")
