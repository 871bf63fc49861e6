"""`callrouter callbacks`: who is owed a call, and who makes it."""

from __future__ import annotations

import re
import sys
import time
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

import click

from router.commands import shown
from router.commands.context import Context
from router.reports.render import Column, format_option, named, render, say

_STATES: Final = ("open", "claimed", "done", "expired", "cancelled")
_WAITING: Final = _STATES[:2]
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_LONGEST_LEASE: Final = 7 * 86400
_LIST = named(
    "id",
    "campaign",
    "caller",
    "pseudonym",
    "state",
    "opened_at",
    "due_at",
    "expires_at",
    "calls",
    "attempts",
    "owner",
    "lease_until",
    "closed_at",
    "close_reason",
    "do_not_call",
)

_MISSED: Final = ("id", "started_at", "did", "outcome", "ring_seconds", "recording", "recording_seconds")


class Lease(click.ParamType[float]):
    """A duration with its unit, such as `30m`; seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        found = re.fullmatch(r"([0-9]{1,6})([smhd])", str(value).strip())
        seconds = int(found[1]) * _UNITS[found[2]] if found else 0
        if not 0 < seconds <= _LONGEST_LEASE:
            self.fail(
                f"{value!r} is no lease; write a duration up to 7d with its unit, such as 30m or 2h", param, ctx
            )
        return float(seconds)


def _as_option(command: Any) -> Any:
    return click.option("--as", "who", metavar="NAME", help="Who does it. Default: your name on this machine.")(
        command
    )


@click.group()
def command() -> None:
    """Who is owed a call, and who makes it.

    A missed call opens one; further ones of the same caller and campaign join it; the caller getting
    through closes it. Claim one before you call, close it when you have talked. CALLBACK is its id,
    or the end of it as the table shows it.
    """


@command.command("list")
@click.option(
    "--state", "states", type=click.Choice(_STATES), multiple=True, help="May be repeated. Default: open, claimed."
)
@click.option("--all", "everything", is_flag=True, help="Whatever their state.")
@click.option("--campaign", metavar="ID", help="This campaign alone.")
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=200, show_default=True, help="At most so many.")
@shown.numbers_options
@format_option
@click.pass_obj
def list_(
    context: Context,
    states: tuple[str, ...],
    everything: bool,
    campaign: str | None,
    limit: int,
    numbers: bool,
    reason: str | None,
    output_format: str,
) -> None:
    """Those that wait, the one due first on top."""
    from router.store.queries import list_callbacks

    why = shown.check_reason(numbers, reason)
    if states and everything:
        raise click.UsageError("--all and --state exclude each other")
    wanted = _STATES if everything else states or _WAITING
    with shown.reading(context) as connection:
        found = list_callbacks(connection, time.time(), states=wanted, campaign=campaign, limit=limit)
    rows = shown.show_callers(context, found, why, "callbacks list")
    against = shown.warnings(context)
    for row, each in zip(rows, found, strict=True):
        row["do_not_call"] = against(each["caller"])
        if output_format == "table" and row["do_not_call"] is not None:
            row["state"] = "do not call"
    columns = _table(shown.zone(context)) if output_format == "table" else _LIST
    render(rows, columns, output_format, sys.stdout)


@command.command()
@click.argument("callback")
@shown.numbers_options
@format_option
@click.pass_obj
def show(context: Context, callback: str, numbers: bool, reason: str | None, output_format: str) -> None:
    """One callback with the missed calls behind it."""
    from router.store.queries import calls_of, find_id, get_callback

    why = shown.check_reason(numbers, reason)
    with shown.reading(context) as connection:
        callback = find_id(connection, "callback", callback)
        found = get_callback(connection, callback, time.time())
        missed = [{key: row[key] for key in _MISSED} for row in calls_of(connection, callback)]
    row = shown.show_callers(context, [found], why, f"callbacks show {callback}")[0]
    row["do_not_call"] = shown.warnings(context)(found["caller"])
    if output_format != "table":
        render([{**row, "missed": missed}], (*_LIST, *named("missed")), output_format, sys.stdout)
        return
    clock = shown.zone(context)
    render(shown.turned(row, _upright(clock)), shown.UPRIGHT, "table", sys.stdout)
    say("", sys.stdout)
    say("Missed calls", sys.stdout)
    render(missed, _missed_columns(clock), "table", sys.stdout)
    if messages := [each for each in missed if each["recording"] is not None]:
        say("", sys.stdout)
        say("Messages, by the name of Asterisk's recording", sys.stdout)
        render(messages, _message_columns(clock), "table", sys.stdout)


@command.command()
@click.argument("callback")
@click.option("--lease", type=Lease(), default="30m", show_default=True, help="How long nobody else may take it.")
@_as_option
@click.pass_obj
def claim(context: Context, callback: str, lease: float, who: str | None) -> None:
    """Take a callback, and see the number to call.

    Of many who claim at once one wins. Claiming again keeps it longer. When the lease has run out, anybody
    may take it. That you were shown the number is recorded.
    """
    from router import callbacks as rules
    from router.store import callbacks as store
    from router.store.database import writing
    from router.store.queries import find_id
    from router.store.reveals import os_user

    name, now = _who(who), time.time()
    with writing(context.database()) as connection:
        callback = find_id(connection, "callback", callback)
        task, number = store.claim(
            connection,
            callback,
            lambda task: rules.claim(task, name, lease, now),
            user=os_user(),
            now=now,
        )
    until = datetime.fromtimestamp(task.lease_until or now, UTC).astimezone(shown.zone(context))
    say(f"{callback}: yours ({name}) until {until:%Y-%m-%d %H:%M %Z}", sys.stdout)
    against = shown.warnings(context)(number)
    if number and against:
        say(f"do not call {number}: it {against}", sys.stdout)
        return
    say(f"call {number}" if number else "the number was erased: nobody can be called", sys.stdout)


@command.command()
@click.argument("callback")
@click.option("--not-reached", is_flag=True, help="You called and nobody answered: due again at the next retry.")
@_as_option
@click.pass_obj
def release(context: Context, callback: str, not_reached: bool, who: str | None) -> None:
    """Give a callback back that you have claimed.

    With --not-reached the attempt is counted and the due time moves on by the campaign's next retry; after
    the last retry the callback is expired.
    """
    from router import callbacks as rules
    from router.store import callbacks as store
    from router.store.database import writing
    from router.store.queries import find_id

    name, now = _who(who), time.time()
    config = context.config() if not_reached else None
    with writing(context.database()) as connection:
        callback = find_id(connection, "callback", callback)
        if config is None:
            task = store.move(connection, callback, lambda task: rules.release(task, name, now))
        else:
            campaign = config.campaigns.get(store.campaign_of(connection, callback), config.unknown)
            hours = None if campaign.hours is None else config.hours[campaign.hours]
            task = store.move(
                connection,
                callback,
                lambda task: rules.not_reached(task, name, now, campaign.callback, hours),
            )
    if task.state.over:
        say(f"{callback}: {task.state} after {task.attempts} attempts ({task.close_reason})", sys.stdout)
        return
    due = datetime.fromtimestamp(task.due_at, UTC).astimezone(shown.zone(context))
    say(f"{callback}: open again, due {due:%Y-%m-%d %H:%M %Z}", sys.stdout)


@command.command()
@click.argument("callback")
@click.option("--reason", default="done", show_default=True, metavar="TEXT", help="How it ended, in your words.")
@click.option("--cancelled", is_flag=True, help="Nobody is to call (a wrong number, a machine).")
@_as_option
@click.pass_obj
def close(context: Context, callback: str, reason: str, cancelled: bool, who: str | None) -> None:
    """End a callback: done, or cancelled. It need not be claimed first."""
    from router import callbacks as rules
    from router.numbers import safe_text
    from router.store import callbacks as store
    from router.store.database import writing
    from router.store.queries import find_id

    words = safe_text(reason, 200)
    if not words or (cancelled and words == "done"):
        raise click.UsageError('say how it ended: --reason "wrong number"')
    name, now = _who(who), time.time()
    with writing(context.database()) as connection:
        callback = find_id(connection, "callback", callback)
        task = store.move(
            connection, callback, lambda task: rules.close(task, name, words, now, cancelled=cancelled)
        )
    say(f"{callback}: {task.state} ({words})", sys.stdout)


def _who(given: str | None) -> str:
    """The name under which a callback is held."""
    from router.numbers import safe_text
    from router.store.reveals import os_user

    if given is None:
        return os_user()
    name = safe_text(given, 60)
    if not name:
        raise click.UsageError("--as needs a name")
    return name


def _table(clock: tzinfo) -> tuple[Column, ...]:
    return (
        Column("id", "Callback", format=shown.short),
        Column("campaign", "Campaign"),
        Column("caller", "Caller", format=shown.compact),
        Column("calls", "Calls", "right"),
        Column("due_at", "Due", format=shown.recent(clock)),
        Column("state", "State"),
        Column("owner", "Owner"),
    )


def _upright(clock: tzinfo) -> tuple[Column, ...]:
    at = shown.on_clock(clock)
    return (
        Column("id", "Callback"),
        Column("campaign", "Campaign"),
        Column("caller", "Caller"),
        Column("state", "State"),
        Column("opened_at", "Opened", format=at),
        Column("due_at", "Due", format=at),
        Column("expires_at", "Expires", format=at),
        Column("attempts", "Attempts"),
        Column("owner", "Owner"),
        Column("lease_until", "Claimed until", format=at),
        Column("closed_at", "Closed", format=at),
        Column("close_reason", "Why"),
        Column("do_not_call", "Do not call: it"),
    )


def _missed_columns(clock: tzinfo) -> tuple[Column, ...]:
    return (
        Column("id", "Call"),
        Column("started_at", "Started", format=shown.on_clock(clock)),
        Column("did", "Number called"),
        Column("outcome", "Outcome"),
        Column("ring_seconds", "Rang", "right", shown.length),
    )


def _message_columns(clock: tzinfo) -> tuple[Column, ...]:
    return (
        Column("id", "Call", format=shown.short),
        Column("started_at", "Started", format=shown.recent(clock)),
        Column("recording", "Recording"),
        Column("recording_seconds", "Length", "right", shown.length),
    )
