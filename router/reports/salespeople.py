"""How each salesperson's phone was answered.

An attempt belongs to the period in which it was dialled, talk to the period in which its call began.

attempts          legs dialled to this person
accepted          a human took the call
not_answered      it rang out, or something answered and nobody accepted (a mobile's voicemail)
busy              busy or declined
unreachable       the leg could not be placed, or failed
cancelled         somebody else took the call, or the caller left: no fault of this person
in_progress       no result yet
accepted_rate     accepted / (accepted + not_answered + busy): of the chances that were this person's to take
ring_seconds_p50  from the first ring to the human's yes (accepted_at - ringing_at), of the accepted attempts that
                  were heard to ring; nearest rank
talk_seconds      talk of the answered calls that this person took
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from typing import Final

from router.model import Config, Result
from router.reports import queries
from router.reports.figures import as_clock, as_percent, as_seconds, nearest_rank, seconds, share
from router.reports.period import Period
from router.reports.render import Column, named

Row = dict[str, object]

_FIGURES: Final = {
    Result.ACCEPTED: "accepted",
    Result.NO_ANSWER: "not_answered",
    Result.NOT_ACCEPTED: "not_answered",
    Result.BUSY: "busy",
    Result.DECLINED: "busy",
    Result.UNREACHABLE: "unreachable",
    Result.FAILED: "unreachable",
    Result.CANCELLED: "cancelled",
}
"""Which figure each result counts towards."""
TABLE_COLUMNS: Final = (
    Column("salesperson", "Salesperson"),
    Column("attempts", "Rung", "right"),
    Column("accepted", "Took", "right"),
    Column("not_answered", "No answer", "right"),
    Column("busy", "Busy", "right"),
    Column("unreachable", "Not reached", "right"),
    Column("cancelled", "Called off", "right"),
    Column("accepted_rate", "Rate", "right", as_percent),
    Column("ring_seconds_p50", "Rings p50", "right", as_seconds),
    Column("talk_seconds", "Talk", "right", as_clock),
)
COLUMNS: Final = named(
    "salesperson",
    "name",
    "attempts",
    "accepted",
    "not_answered",
    "busy",
    "unreachable",
    "cancelled",
    "in_progress",
    "accepted_rate",
    "ring_seconds_p50",
    "talk_seconds",
)
"""JSON and CSV."""


def rows(conn: sqlite3.Connection, config: Config, period: Period) -> list[Row]:
    """The report, in the order of campaigns.yaml; then people whom the file no longer has."""
    counted: dict[str, Counter[str]] = {}
    for person, result, attempts in queries.attempts(conn, period):
        figure = "in_progress" if result is None else _FIGURES[Result(result)]
        counted.setdefault(person, Counter())[figure] += attempts
    rings: dict[str, list[int]] = {}
    for person, ring in queries.rings(conn, period):
        rings.setdefault(person, []).append(ring)
    talks = dict(queries.talks(conn, period))
    others = sorted((set(counted) | set(talks)) - set(config.salespeople))
    return [
        _row(config, person, counted.get(person, Counter()), rings.get(person, []), talks.get(person, 0.0))
        for person in (*config.salespeople, *others)
    ]


def _row(config: Config, person: str, count: Counter[str], rings: list[int], talk: float) -> Row:
    known = config.salespeople.get(person)
    row: Row = {"salesperson": person, "name": known.name if known else None, "attempts": count.total()}
    row |= {figure: count[figure] for figure in (*dict.fromkeys(_FIGURES.values()), "in_progress")}
    chances = count["accepted"] + count["not_answered"] + count["busy"]
    row["accepted_rate"] = share(count["accepted"], chances)
    row["ring_seconds_p50"] = seconds(nearest_rank(sorted(rings), 50))
    row["talk_seconds"] = round(talk, 3)
    return row
