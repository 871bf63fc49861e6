"""A day's calls in small: most are taken, some by the second who is rung, some by nobody, some callers leave."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.behaviours import BUSY, Answer, Behaviour, RingOut
from sandbox.phones import Placed
from sandbox.stack import Stack

CALLERS = 500
"""Numbers that each kind of call comes from, in turns: a router that remembers callers shall not seem to leak."""
LAGGING, FEWEST = 3.0, 10
"""Where calls of less than a second pile up to so many seconds' worth of them, no more are placed for a while."""
MOBILES: Mapping[str, tuple[str, Behaviour]] = {
    "quick": ("+33612000001", Answer(ring=0.1)),
    "busy": ("+33612000002", BUSY),
    "away": ("+33612000003", RingOut()),
    "talker": ("+33612000004", Answer(ring=0.1, speak=True)),
}
"""Each person's mobile, and what it does."""


ODD = """
    SELECT
        calls.id, campaign, outcome, min(attempts.started_at) AS first, max(attempts.ended_at) AS last,
        group_concat(result || coalesce(' ' || sip_status, ''), ', ') AS tries
    FROM calls LEFT JOIN attempts ON call_id = calls.id
    GROUP BY calls.id
    HAVING NOT EXISTS (SELECT 1 FROM json_each(?) WHERE key = campaign AND value = outcome)
    ORDER BY calls.id LIMIT 5
"""
"""Calls that did not end as those of their campaign do: an object with an outcome for each campaign."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Calls of one kind: whom they ring, what the caller does, and how each of them must end."""

    name: str
    number: str
    to: tuple[str, ...]
    outcome: str
    attempts: int
    share: float
    how: Mapping[str, Any] = field(default_factory=dict)

    @property
    def fewest(self) -> int:
        """Attempts at the least: on a busy machine a caller may leave before anybody is rung."""
        return 0 if self.outcome == "abandoned" else self.attempts


KINDS = (
    Kind("taken", "+33184802001", ("quick",), "answered", 1, 0.5, {"hang_up_after": 0.3}),
    Kind("second", "+33184802002", ("busy", "quick"), "answered", 2, 0.2, {"hang_up_after": 0.3}),
    Kind("missed", "+33184802003", ("busy",), "busy", 1, 0.15),
    Kind("left", "+33184802004", ("away",), "abandoned", 1, 0.15, {"cancel_after": 0.3}),
)
TALK = Kind("talk", "+33184802005", ("talker",), "answered", 1, 0.0, {"speak": True})
"""Both sides send sound for as long as it lasts; `hang_up_after` is for whoever places it to say."""


def write(data: dict[str, Any]) -> None:
    """Puts these campaigns and people into the content of a campaigns.yaml."""
    data.pop("screening", None)
    data["salespeople"] = {name: {"mobile": mobile, "max_calls": 0} for name, (mobile, _) in MOBILES.items()}
    data["defaults"] = {
        "hours": "always",
        "accept": "none",
        "ring": {"strategy": "sequential", "timeout": "5s", "max_wait": "10s"},
        "callback": {"due": "15m", "retries": ["10m"], "expire": "5d"},
    }
    data["campaigns"] = {
        kind.name: {"numbers": [kind.number], "ring": {"to": list(kind.to)}} for kind in (*KINDS, TALK)
    }
    data["unknown_number"] = {"ring": {"to": ["quick"]}}


def play(stack: Stack) -> None:
    """Has the mobiles do it."""
    stack.play(dict(MOBILES.values()))


def split(calls: int) -> dict[str, int]:
    """How many there are of each kind."""
    parts = {kind.name: round(calls * kind.share) for kind in KINDS[1:]}
    return {KINDS[0].name: calls - sum(parts.values()), **parts}


def place(stack: Stack, kind: Kind, calls: int, rate: float, **how: Any) -> Placed:
    """Calls of one kind, `rate` a second, or fewer where the machine does not keep up; comes back at once."""
    first = 33150000000 + 1000 * ([*KINDS, TALK].index(kind))
    callers = [f"+{first + n}" for n in range(min(CALLERS, calls))]
    given = {"at_once": max(FEWEST, round(LAGGING * rate)), **kind.how, **how}
    return stack.caller.place(kind.number, callers, calls=calls, rate=rate, **given)


def ended(stack: Stack) -> int:
    """How many rows of calls have an outcome."""
    (row,) = stack.rows("SELECT count(*) AS n FROM calls WHERE outcome IS NOT NULL") or [{"n": 0}]
    return int(row["n"])


def complaints(stack: Stack, placed: Mapping[str, int]) -> list[str]:
    """What is wrong with the rows of so many calls of each kind: one too few or too many, another outcome, an
    attempt that is missing, a caller with two open callbacks."""
    kinds = {kind.name: kind for kind in (*KINDS, TALK)}
    wanted = Counter({(name, kinds[name].outcome): count for name, count in placed.items()})
    found = Counter(
        {
            (row["campaign"], row["outcome"]): row["n"]
            for row in stack.rows("SELECT campaign, outcome, count(*) AS n FROM calls GROUP BY campaign, outcome")
        }
    )
    attempts = {
        row["campaign"]: row["n"]
        for row in stack.rows(
            "SELECT campaign, count(attempts.result) AS n FROM calls LEFT JOIN attempts ON call_id = calls.id "
            "GROUP BY campaign"
        )
    }
    odd = stack.rows(ODD, (json.dumps({kind.name: kind.outcome for kind in kinds.values()}),))
    open_twice = stack.rows(
        "SELECT caller_id FROM callbacks WHERE state IN ('open', 'claimed') GROUP BY caller_id, campaign "
        "HAVING count(*) > 1"
    )
    return [
        *(f"{count} too few: {what}" for what, count in (wanted - found).items()),
        *(f"{count} too many: {what}" for what, count in (found - wanted).items()),
        *(
            f"{name}: {attempts.get(name, 0)} attempts with a result, {count * kinds[name].attempts} were dialled"
            for name, count in placed.items()
            if not kinds[name].fewest * count <= attempts.get(name, 0) <= kinds[name].attempts * count
        ),
        *("the call {id} of {campaign} is {outcome}: {tries}, from {first} to {last}".format(**row) for row in odd),
        *(_refused(stack) if odd else ()),
        *(f"the caller {row['caller_id']} has several open callbacks" for row in open_twice),
    ]


def _refused(stack: Stack) -> list[str]:
    """What the phones that always answer saw of calls that they did not."""
    return [
        f"the phone of {who} saw {' '.join(dialog.sequence)} at {dialog.invited_at:.3f}"
        for who in ("quick", "talker")
        for dialog in stack.carrier.calls(MOBILES[who][0])
        if dialog.final != 200
    ][:5]
