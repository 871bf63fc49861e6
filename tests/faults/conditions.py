"""What must hold after every fault, as questions to rows: each answers with complaints, none when it holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

Row = Mapping[str, Any]


def one_row_each(numbers: Iterable[str], calls: Iterable[Row]) -> list[str]:
    """Every caller's call is one row. `calls` are rows of `calls` with the caller's `number`."""
    count = Counter(row["number"] for row in calls)
    return [f"the call from {number} has {count[number]} rows" for number in numbers if count[number] != 1]


def one_outcome_each(calls: Iterable[Row]) -> list[str]:
    """Every call has ended with an outcome."""
    return [f"the call {row['id']} from {row['number']} has no outcome" for row in calls if not row["outcome"]]


def attempts_have_results(attempts: Iterable[Row]) -> list[str]:
    """Nobody is still being rung for a call that has ended."""
    return [f"the attempt {row['id']} has no result" for row in attempts if not row["result"]]


def answered_once(calls: Iterable[Row], attempts: Iterable[Row]) -> list[str]:
    """No call is accepted by two, and who talked is known. (Somebody may accept one that ends before the two hear
    each other.)"""
    accepted = Counter(row["call_id"] for row in attempts if row["result"] == "accepted")
    return [
        f"the call {row['id']} is {row['outcome']} with {accepted[row['id']]} accepted attempts"
        for row in calls
        if accepted[row["id"]] > 1 or (row["outcome"] == "answered" and not accepted[row["id"]])
    ]


def one_open_callback_each(callbacks: Iterable[Row]) -> list[str]:
    """At most one callback a caller and campaign is open."""
    live = Counter((row["number"], row["campaign"]) for row in callbacks if row["state"] in ("open", "claimed"))
    return [
        f"{number} has {count} open callbacks in {campaign}"
        for (number, campaign), count in live.items()
        if count > 1
    ]


def the_missed_are_owed_a_call(calls: Iterable[Row], callbacks: Iterable[Row]) -> list[str]:
    """Who called and reached nobody has a callback, unless a later call of theirs was answered."""
    has = {(row["number"], row["campaign"]) for row in callbacks}
    return [
        f"the caller {row['number']} of the {row['outcome']} call {row['id']} is not owed a call"
        for row in calls
        if row["outcome"] in ("abandoned", "no_answer", "busy", "unreachable", "failed")
        and (row["number"], row["campaign"]) not in has
    ]
