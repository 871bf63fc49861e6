"""`callrouter calls`: look at calls. Callers' numbers are masked unless asked for with a reason."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, tzinfo

import click

from router.commands import shown
from router.commands.context import Context
from router.commands.live import live
from router.model import Outcome
from router.reports.render import Column, format_option, named, render, say

_DAY = click.DateTime(formats=["%Y-%m-%d"])
_OUTCOMES = click.Choice([*(outcome.value for outcome in Outcome), "missed", "live"])
_LIST = named(
    "id",
    "started_at",
    "did",
    "campaign",
    "caller",
    "pseudonym",
    "outcome",
    "salesperson",
    "answered_at",
    "ended_at",
    "ring_seconds",
    "talk_seconds",
    "hangup_by",
    "cause",
    "path",
    "recording",
    "recording_seconds",
)
_SHOW = (*_LIST, *named("config_version", "node", "channel", "callback", "attempts"))


@click.group()
def command() -> None:
    """Look at calls.

    Callers' numbers are masked. --numbers with --reason shows them, and records who looked and why.
    """


command.add_command(live)


@command.command("list")
@click.option("--from", "first", type=_DAY, metavar="DATE", help="First day, included.")
@click.option("--to", "last", type=_DAY, metavar="DATE", help="Last day, included.")
@click.option("--campaign", metavar="ID", help="This campaign alone.")
@click.option("--outcome", type=_OUTCOMES, metavar="OUTCOME", help="Calls that ended so; `missed` and `live` too.")
@click.option("--salesperson", metavar="ID", help="Calls that this person took.")
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=50, show_default=True, help="At most so many.")
@shown.numbers_options
@format_option
@click.pass_obj
def list_(
    context: Context,
    first: datetime | None,
    last: datetime | None,
    campaign: str | None,
    outcome: str | None,
    salesperson: str | None,
    limit: int,
    numbers: bool,
    reason: str | None,
    output_format: str,
) -> None:
    """The newest calls first.

    Dates are YYYY-MM-DD on the company's calendar (UTC with --db).
    """
    from router.store.queries import CallFilter, list_calls

    why = shown.check_reason(numbers, reason)
    if first and last and first > last:
        raise click.UsageError(f"--from {first:%Y-%m-%d} is after --to {last:%Y-%m-%d}")
    clock = shown.zone(context)
    wanted = CallFilter(
        since=_midnight(first, clock),
        until=_midnight(last + timedelta(days=1) if last else None, clock),
        campaign=campaign,
        outcome=outcome,
        salesperson=salesperson,
        limit=limit,
    )
    with shown.reading(context) as connection:
        found = list_calls(connection, wanted)
    _show(shown.show_callers(context, found, why, "calls list"), clock, output_format)


@command.command()
@click.argument("call")
@shown.numbers_options
@format_option
@click.pass_obj
def show(context: Context, call: str, numbers: bool, reason: str | None, output_format: str) -> None:
    """One call with its attempts. CALL is its id, or the end of it as the table shows it."""
    from router.store.queries import attempts_of, callback_of, find_id, get_call

    why = shown.check_reason(numbers, reason)
    with shown.reading(context) as connection:
        call = find_id(connection, "call", call)
        found = get_call(connection, call)
        attempts = [dict(each) for each in attempts_of(connection, call)]
        callback = callback_of(connection, call)
    row = shown.show_callers(context, [found], why, f"calls show {call}")[0]
    row |= {"callback": callback, "attempts": attempts}
    if output_format != "table":
        render([row], _SHOW, output_format, sys.stdout)
        return
    clock = shown.zone(context)
    render(shown.turned(row, _upright(clock)), shown.UPRIGHT, "table", sys.stdout)
    say("", sys.stdout)
    say("Attempts", sys.stdout)
    render(attempts, _attempt_columns(clock), "table", sys.stdout)


def _show(rows: Sequence[Mapping[str, object]], clock: tzinfo, output_format: str) -> None:
    if output_format != "table":
        render(rows, _LIST, output_format, sys.stdout)
        return
    lines = [{**row, "length": row["recording_seconds"] or row["talk_seconds"]} for row in rows]
    render(lines, _table(clock), "table", sys.stdout)


def _midnight(day: datetime | None, clock: tzinfo) -> float | None:
    return None if day is None else day.replace(tzinfo=clock).timestamp()


def _table(clock: tzinfo) -> tuple[Column, ...]:
    """For 80 columns. A length is that of the talk, or of the message that was left."""
    return (
        Column("id", "Call", format=shown.short),
        Column("started_at", "Started", format=shown.recent(clock)),
        Column("campaign", "Campaign"),
        Column("caller", "Caller", format=shown.compact),
        Column("outcome", "Outcome"),
        Column("salesperson", "Taken by"),
        Column("length", "Length", "right", shown.length),
    )


def _upright(clock: tzinfo) -> tuple[Column, ...]:
    return (
        Column("id", "Call"),
        Column("started_at", "Started", format=shown.on_clock(clock)),
        Column("did", "Number called"),
        Column("campaign", "Campaign"),
        Column("caller", "Caller"),
        Column("outcome", "Outcome"),
        Column("salesperson", "Taken by"),
        Column("answered_at", "Answered", format=shown.on_clock(clock)),
        Column("ended_at", "Ended", format=shown.on_clock(clock)),
        Column("ring_seconds", "Rang", format=shown.length),
        Column("talk_seconds", "Talked", format=shown.length),
        Column("recording", "Message"),
        Column("recording_seconds", "Message lasts", format=shown.length),
        Column("hangup_by", "Hung up by"),
        Column("cause", "Cause (Q.850)"),
        Column("path", "Path"),
        Column("callback", "Callback"),
        Column("config_version", "Configuration"),
        Column("node", "Node"),
        Column("channel", "Channel"),
    )


def _attempt_columns(clock: tzinfo) -> tuple[Column, ...]:
    return (
        Column("seq", "#", "right"),
        Column("salesperson", "Salesperson"),
        Column("trunk", "Trunk"),
        Column("started_at", "Dialled", format=shown.on_clock(clock, "%H:%M:%S")),
        Column("ringing_at", "Rang", format=shown.on_clock(clock, "%H:%M:%S")),
        Column("accepted_at", "Accepted", format=shown.on_clock(clock, "%H:%M:%S")),
        Column("ended_at", "Ended", format=shown.on_clock(clock, "%H:%M:%S")),
        Column("result", "Result"),
        Column("sip_status", "SIP", "right"),
        Column("cause", "Cause", "right"),
        Column("caller_id", "Showed"),
        Column("note", "Note"),
    )
