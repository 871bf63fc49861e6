"""`callrouter report`: what the calls were worth. Each report's module says what its figures mean."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, TypeVar
from zoneinfo import ZoneInfo

import click

from router.commands.context import Context
from router.reports.render import Column, format_option, render, say

if TYPE_CHECKING:
    from router.model import Config
    from router.reports.period import Period

_Command = TypeVar("_Command", bound=Callable[..., Any])
_DAY = click.DateTime(formats=["%Y-%m-%d"])


@dataclass(frozen=True, slots=True)
class Asked:
    """One invocation: the configuration, the open database, the period, and the company's clock."""

    config: Config
    conn: sqlite3.Connection
    period: Period
    now: datetime

    @property
    def today(self) -> date:
        """The company's day."""
        return self.now.astimezone(self.period.zone).date()


def period_options(command: _Command) -> _Command:
    """Add `--from` and `--to`: days of the company's calendar, both included."""
    last = click.option("--to", "last", type=_DAY, metavar="DATE", help="Last day, included. Default: today.")
    first = click.option(
        "--from", "first", type=_DAY, metavar="DATE", help="First day, included. Default: 30 days, up to --to."
    )
    return first(last(command))


def campaign_option(command: _Command) -> _Command:
    """Add `--campaign`: one campaign's figures alone."""
    return click.option("--campaign", "only", metavar="ID", help="This campaign alone.")(command)


@click.group()
def command() -> None:
    """What the calls were worth.

    Dates are YYYY-MM-DD on the company's calendar. Blocked calls are in no figure but their own, and a call that is
    still going on is neither answered nor missed.
    """


@command.command()
@period_options
@campaign_option
@format_option
@click.pass_obj
def campaigns(
    context: Context, first: datetime | None, last: datetime | None, only: str | None, output_format: str
) -> None:
    """What each campaign brought, and what it cost."""
    from router.reports import campaigns as report

    with _asked(context, first, last) as asked:
        counted = report.tallies(asked.conn, asked.period, only)
        rows = report.rows(asked.conn, asked.config, asked.period, counted, asked.today, only)
    if output_format != "table":
        _show(rows, report.COLUMNS, output_format)
        return
    calls = [row for row in rows if row["calls"] is not None]
    totals = report.total(counted, rows) if len(calls) > 1 else []
    say(f"Calls, {asked.period}", sys.stdout)
    _show([*calls, *totals[:1]], report.CALL_COLUMNS)
    say("", sys.stdout)
    say("Callers and cost", sys.stdout)
    _show([*rows, *totals], report.WORTH_COLUMNS)


@command.command()
@period_options
@campaign_option
@format_option
@click.pass_obj
def missed(
    context: Context, first: datetime | None, last: datetime | None, only: str | None, output_format: str
) -> None:
    """Who waits for a call back, oldest first.

    All who wait now; with --from or --to, those whose first missed call was in the period.
    """
    from router.reports import missed as report
    from router.reports import queries
    from router.store.times import to_text

    with _asked(context, first, last) as asked:
        if only is not None:
            queries.known_campaign(asked.conn, asked.config, only)
        now = to_text(asked.now.timestamp())
        everyone = first is None and last is None
        rows = report.rows(asked.conn, asked.period, now, only, everyone=everyone)
    if output_format != "table":
        _show(rows, report.COLUMNS, output_format)
        return
    waiting = [row for row in rows if row["callback"] is not None]
    late = sum(bool(row["overdue"]) for row in waiting)
    zone = asked.period.zone
    say(f"{len(waiting)} waiting for a call back, {late} overdue ({zone.key} time)", sys.stdout)
    if waiting:
        _show(waiting, report.table_columns(zone, asked.now))
    for line in report.summary(rows, asked.period):
        say(line, sys.stdout)


@command.command()
@period_options
@format_option
@click.pass_obj
def salespeople(context: Context, first: datetime | None, last: datetime | None, output_format: str) -> None:
    """How each salesperson's phone was answered."""
    from router.reports import salespeople as report

    with _asked(context, first, last) as asked:
        rows = report.rows(asked.conn, asked.config, asked.period)
    if output_format != "table":
        _show(rows, report.COLUMNS, output_format)
        return
    say(f"Salespeople, {asked.period}", sys.stdout)
    _show(rows, report.TABLE_COLUMNS)


@command.command()
@period_options
@campaign_option
@format_option
@click.pass_obj
def hours(
    context: Context, first: datetime | None, last: datetime | None, only: str | None, output_format: str
) -> None:
    """When the calls come: by weekday and hour."""
    from router.reports import hours as report
    from router.reports import queries

    with _asked(context, first, last) as asked:
        if only is not None:
            queries.known_campaign(asked.conn, asked.config, only)
        rows = report.rows(asked.conn, asked.period, only)
    if output_format != "table":
        _show(rows, report.COLUMNS, output_format)
        return
    say(f"Calls by hour, {asked.period}", sys.stdout)
    _show(report.grid(rows, "calls"), report.TABLE_COLUMNS)
    if any(row["calls"] for row in rows):
        say("", sys.stdout)
        say("Missed", sys.stdout)
        _show(report.grid(rows, "missed"), report.TABLE_COLUMNS)


@contextmanager
def _asked(context: Context, first: datetime | None, last: datetime | None) -> Iterator[Asked]:
    """All that a report reads, as of one moment; closed before anything is shown, so that no pager holds it up.

    Raises UsageError for a period that is none.
    """
    from router.reports.queries import one_moment
    from router.store.database import reading

    if first and last and first > last:
        raise click.UsageError(f"--from {first:%Y-%m-%d} is after --to {last:%Y-%m-%d}")
    config = context.config()
    now = datetime.now(UTC)
    period = _period(first, last, now, ZoneInfo(config.timezone))
    with reading(config.database) as conn, one_moment(conn):
        yield Asked(config, conn, period, now)


def _period(first: datetime | None, last: datetime | None, now: datetime, zone: ZoneInfo) -> Period:
    from router.reports.period import choose

    begins = first.date() if first else None
    ends = last.date() if last else None
    try:
        return choose(begins, ends, now.astimezone(zone).date(), zone)
    except ValueError as error:
        raise click.UsageError(f"--from, --to: {error}") from error


def _show(rows: Sequence[Mapping[str, object]], columns: Sequence[Column], output_format: str = "table") -> None:
    render(rows, columns, output_format, sys.stdout)
