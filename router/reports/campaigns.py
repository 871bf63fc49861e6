"""What each campaign brought, and what it cost.

A row a campaign; one that cost money in several currencies has a further row for each of them, which repeats
none of the figures of calls: so every column can be summed, the cost within its currency. Figures, beyond the
words of `router.reports`:

seconds_to_human_p50, _p90  from the call's first second to the human's yes (answered_at - started_at), of the
                            answered calls, by nearest rank: a value that occurred
talk_seconds                sum of the answered calls' talk
callers                     distinct callers of `calls`; withheld numbers cannot be told apart and are left out
first_time_callers          those whom no number of ours had seen before the period, each counted once, for the
                            campaign that they called first in it
withheld_calls              those of `calls` that hid their number
cost                        what the period bears of the campaign's costs (router.reports.costs)
cost_per_call               cost / calls, cost_per_answered: cost / answered; none where there was no such call
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Final

from router.model import Campaign, Config, Outcome
from router.reports import costs, queries
from router.reports.figures import as_clock, as_money, as_percent, as_seconds, nearest_rank, seconds, share
from router.reports.period import Period, local
from router.reports.render import Column, named

Row = dict[str, object]

CALL_COLUMNS: Final = (
    Column("campaign", "Campaign"),
    Column("calls", "Calls", "right"),
    Column("answered", "Answered", "right"),
    Column("missed", "Missed", "right"),
    Column("missed_rate", "Missed rate", "right", as_percent),
    Column("seconds_to_human_p50", "To a human p50", "right", as_seconds),
    Column("seconds_to_human_p90", "p90", "right", as_seconds),
    Column("talk_seconds", "Talk", "right", as_clock),
)
"""The table's first half."""
WORTH_COLUMNS: Final = (
    Column("campaign", "Campaign"),
    Column("callers", "Callers", "right"),
    Column("first_time_callers", "First time", "right"),
    Column("in_progress", "In progress", "right"),
    Column("blocked", "Blocked", "right"),
    Column("cost", "Cost", "right", as_money),
    Column("cost_per_call", "A call", "right", as_money),
    Column("cost_per_answered", "Answered call", "right", as_money),
    Column("currency", ""),
)
"""The table's second half."""
COLUMNS: Final = named(
    "campaign",
    "name",
    "medium",
    "calls",
    "answered",
    "missed",
    "missed_rate",
    "in_progress",
    "blocked",
    "seconds_to_human_p50",
    "seconds_to_human_p90",
    "talk_seconds",
    "callers",
    "first_time_callers",
    "withheld_calls",
    "currency",
    "cost",
    "cost_per_call",
    "cost_per_answered",
)
"""JSON and CSV."""


@dataclass(slots=True)
class Tally:
    """What was counted for one campaign."""

    answered: int = 0
    missed: int = 0
    in_progress: int = 0
    blocked: int = 0
    talk: float = 0.0
    callers: int = 0
    brought: int = 0
    """Callers who called this campaign before any other in the period: each caller under one campaign."""
    first_time: int = 0
    withheld: int = 0
    waits: list[int] = field(default_factory=list)
    """Milliseconds to a human, ascending."""

    @property
    def calls(self) -> int:
        return self.answered + self.missed + self.in_progress

    def figures(self) -> Row:
        """The columns that are about calls."""
        return {
            "calls": self.calls,
            "answered": self.answered,
            "missed": self.missed,
            "missed_rate": share(self.missed, self.answered + self.missed),
            "in_progress": self.in_progress,
            "blocked": self.blocked,
            "seconds_to_human_p50": seconds(nearest_rank(self.waits, 50)),
            "seconds_to_human_p90": seconds(nearest_rank(self.waits, 90)),
            "talk_seconds": round(self.talk, 3),
            "callers": self.callers,
            "first_time_callers": self.first_time,
            "withheld_calls": self.withheld,
        }


def tallies(conn: sqlite3.Connection, period: Period, only: str | None = None) -> dict[str, Tally]:
    """Each campaign that had a call in the period, with what was counted; `only` restricts to one campaign."""
    counted: dict[str, Tally] = {}
    for campaign, outcome, calls, withheld, talk in queries.outcomes(conn, period, only):
        tally = counted.setdefault(campaign, Tally())
        if outcome == Outcome.BLOCKED:
            tally.blocked = calls
            continue
        tally.withheld += withheld
        if outcome is None:
            tally.in_progress = calls
        elif Outcome(outcome).missed:
            tally.missed += calls
        else:
            tally.answered = calls
            tally.talk = talk
    for campaign, wait in queries.waits(conn, period, only):
        counted[campaign].waits.append(wait)
    for campaign, callers in queries.callers(conn, period, only):
        counted[campaign].callers = callers
    for campaign, brought, new in queries.first_calls(conn, period, only):
        counted[campaign].brought = brought
        counted[campaign].first_time = new
    for tally in counted.values():
        tally.waits.sort()
    return counted


def rows(
    conn: sqlite3.Connection,
    config: Config,
    period: Period,
    counted: Mapping[str, Tally],
    today: date,
    only: str | None = None,
) -> list[Row]:
    """The report of what `tallies` counted, in the order of campaigns.yaml; then unknown numbers and campaigns that
    the file no longer has, where the period has calls of theirs. `today` is the company's.

    Raises NotFound for an `only` that neither the file nor the database knows.
    """
    if only is not None:
        queries.known_campaign(conn, config, only)
    named: Mapping[str, Campaign] = {**config.campaigns, config.unknown.id: config.unknown}
    listed = [only] if only is not None else _in_order(config, counted)
    found: list[Row] = []
    for campaign_id in listed:
        campaign = named.get(campaign_id)
        row: Row = {
            "campaign": campaign_id,
            "name": campaign.name if campaign else None,
            "medium": campaign.medium if campaign else None,
        }
        borne = _borne(conn, campaign, period, today) if campaign else {}
        found += _with_costs(row, counted.get(campaign_id, Tally()), borne)
    return found


def total(counted: Mapping[str, Tally], listed: Sequence[Row]) -> list[Row]:
    """All that was counted as one row, and what the rows `listed` cost, a row for each further currency.

    Who called several campaigns is one caller in it. There is no cost a call: not every campaign has a cost.
    """
    every = Tally()
    for tally in counted.values():
        every.answered += tally.answered
        every.missed += tally.missed
        every.in_progress += tally.in_progress
        every.blocked += tally.blocked
        every.talk += tally.talk
        every.callers += tally.brought
        every.first_time += tally.first_time
        every.withheld += tally.withheld
        every.waits += tally.waits
    every.waits.sort()
    spent: dict[object, Decimal] = {}
    for row in listed:
        if isinstance(row["cost"], Decimal) and row["cost"]:
            spent[row["currency"]] = spent.get(row["currency"], Decimal(0)) + row["cost"]
    rest: list[Row] = [{"campaign": "all", "cost": cost, "currency": currency} for currency, cost in spent.items()]
    head: Row = {"campaign": "all", **every.figures()}
    return [{**head, **rest[0]}, *rest[1:]] if rest else [head]


def _in_order(config: Config, counted: Mapping[str, Tally]) -> list[str]:
    others = sorted(set(counted) - set(config.campaigns) - {config.unknown.id})
    unknown = [config.unknown.id] if config.unknown.id in counted else []
    return [*config.campaigns, *unknown, *others]


def _borne(conn: sqlite3.Connection, campaign: Campaign, period: Period, today: date) -> dict[str, Fraction]:
    """What the period bears of the campaign's costs, a sum a currency."""
    began = today
    if any(cost.first is None for cost in campaign.cost):
        first_call = queries.first_call(conn, campaign.id)
        began = local(first_call, period.zone).date() if first_call else today
    return costs.by_currency(campaign.cost, period.first, period.last, began=began, today=today)


def _with_costs(row: Row, tally: Tally, borne: Mapping[str, Fraction]) -> list[Row]:
    """The campaign's row, and one more for each further currency."""
    figures = tally.figures()
    if not borne:
        none: Row = dict.fromkeys(("currency", "cost", "cost_per_call", "cost_per_answered"))
        return [{**row, **figures, **none}]
    priced: list[Row] = []
    for place, (currency, amount) in enumerate(borne.items()):
        cost: Row = {
            "currency": currency,
            "cost": costs.money(amount),
            "cost_per_call": costs.money_each(amount, tally.calls),
            "cost_per_answered": costs.money_each(amount, tally.answered),
        }
        priced.append({**row, **(dict.fromkeys(figures) if place else figures), **cost})
    return priced
