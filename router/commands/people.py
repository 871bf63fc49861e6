"""`callrouter people`: who can be rung, who is paused, and until when. Works whether or not the router runs."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import click

from router.commands import shown
from router.commands.context import Context
from router.errors import NotFound, Refused
from router.reports.render import Column, format_option, named, render, say

if TYPE_CHECKING:
    from router.model import Config, Pause, Salesperson
    from router.store.queries import Taken

_UNITS: Final = {"m": 60, "h": 3600, "d": 86400}
_LONGEST: Final = 366 * 86400
_LIST: Final = named(
    "id",
    "name",
    "mobile",
    "state",
    "paused_since",
    "paused_until",
    "paused_by",
    "absent_until",
    "last_taken_at",
    "calls_today",
)


@click.group()
def command() -> None:
    """Say who is paused, pause people and let them be rung again.

    A paused person is not rung by any campaign. NAME is an id of campaigns.yaml. People can pause
    themselves, too: by ringing one of the campaign numbers from their mobile.
    """


@command.command("list")
@shown.mobiles_options
@format_option
@click.pass_obj
def list_(context: Context, numbers: bool, reason: str | None, output_format: str) -> None:
    """Everybody of campaigns.yaml: available, paused or absent, and the calls they took.

    Absence stands in campaigns.yaml, a pause in the database. Today is the company's day.
    """
    from router.store.database import reading
    from router.store.pauses import in_force
    from router.store.queries import taken_by

    why = shown.check_reason(numbers, reason)
    config = context.config()
    now = datetime.fromtimestamp(time.time(), ZoneInfo(config.timezone))
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    with reading(config.database) as connection:
        connection.execute("BEGIN")
        pauses = in_force(connection, now.timestamp())
        taken = taken_by(connection, config.salespeople, midnight.timestamp())
    if why is not None:
        shown.record_reveal(config.database, why, "people list", len(config.salespeople))
    rows = [
        _row(each, pauses.get(each.id), taken[each.id], now, whole=why is not None)
        for each in config.salespeople.values()
    ]
    if output_format != "table":
        render(rows, _LIST, output_format, sys.stdout)
        return
    lines = [{**row, "now": _in_words(row, now)} for row in rows]
    render(lines, _table(now.tzinfo or UTC), "table", sys.stdout)


@command.command()
@click.argument("name")
@click.option(
    "--until",
    metavar="TIME",
    help="'2026-12-24 10:00' in the company's time zone, or for how long: 30m, 2h, 3d. Default: until resumed.",
)
@click.pass_obj
def pause(context: Context, name: str, until: str | None) -> None:
    """Ring NAME no more, until a time or until resumed.

    A later pause replaces an earlier one. Calls that ring already go on.
    """
    from router.model import Pause
    from router.store import pauses
    from router.store.database import writing
    from router.store.reveals import os_user

    config, now = context.config(), time.time()
    person = _person(config, name)
    end = None if until is None else _end(until, config.timezone, now)
    with writing(config.database) as connection:
        pauses.pause(connection, Pause(person.id, now, None if end is None else end.timestamp(), os_user()))
    words = "until resumed" if end is None else f"until {end:%Y-%m-%d %H:%M %Z}"
    say(f"{person.id} ({person.name}): paused {words}", sys.stdout)


@command.command()
@click.argument("name")
@click.pass_obj
def resume(context: Context, name: str) -> None:
    """Ring NAME again."""
    from router.schedule import is_absent
    from router.store import pauses
    from router.store.database import writing
    from router.store.reveals import os_user

    config, now = context.config(), time.time()
    person = _person(config, name)
    with writing(config.database) as connection:
        before = pauses.resume(connection, person.id, now, os_user())
    words = "was not paused" if before is None else "is rung again"
    moment = datetime.fromtimestamp(now, UTC)
    if is_absent(person, moment):
        words += f"; absent until {_absent_until(person, moment)} in campaigns.yaml"
    say(f"{person.id} ({person.name}): {words}", sys.stdout)


def _person(config: Config, name: str) -> Salesperson:
    """Raises NotFound, which names the nearest."""
    from router.config.refusal import nearest
    from router.config.refusal import shown as quoted

    found = config.salespeople.get(name)
    if found is None:
        raise NotFound(f"no salesperson has the id {quoted(name)}; {nearest(name, config.salespeople.keys())}")
    return found


def _end(text: str, timezone: str, now: float) -> datetime:
    """When a pause ends. Raises click.BadParameter for what is no time, Refused for one that has passed."""
    from router.commands.explain import read_time

    zone = ZoneInfo(timezone)
    duration = re.fullmatch(r"([0-9]{1,6})([mhd])", text.strip(), re.ASCII)
    if duration:
        seconds = int(duration[1]) * _UNITS[duration[2]]
        if not 0 < seconds <= _LONGEST:
            raise click.BadParameter("a pause lasts from 1m to 366d", param_hint="--until")
        return datetime.fromtimestamp(now + seconds, zone)
    try:
        end = read_time(text, timezone)
    except click.BadParameter as error:
        # It speaks of `--at`, as the command that it was written for.
        wrong = f"{error.message}, or for how long: 30m, 2h, 3d" if "write" in error.message else error.message
        raise click.BadParameter(wrong, param_hint="--until") from None
    if end.timestamp() <= now:
        raise Refused(f"{end:%Y-%m-%d %H:%M %Z} has passed; give --until a time to come")
    return end


def _row(
    person: Salesperson, pause: Pause | None, taken: Taken, now: datetime, *, whole: bool
) -> dict[str, object]:
    from router.numbers import masked
    from router.store.times import optional_text, to_text

    absent = _absent_until(person, now)
    state = "absent" if absent else "paused" if pause else "available"
    return {
        "id": person.id,
        "name": person.name,
        "mobile": person.mobile if whole else masked(person.mobile),
        "state": state,
        "paused_since": to_text(pause.since) if pause else None,
        "paused_until": optional_text(pause.until) if pause else None,
        "paused_by": pause.by if pause else None,
        "absent_until": absent,
        "last_taken_at": taken.last_at,
        "calls_today": taken.since,
    }


def _absent_until(person: Salesperson, at: datetime) -> date | None:
    """The last day of the absence in which `at` lies, on the person's calendar; None when there is none."""
    today = day = at.astimezone(ZoneInfo(person.timezone)).date()
    while covered := [span.last for span in person.absent if day in span]:
        day = max(covered) + timedelta(days=1)
    return day - timedelta(days=1) if day > today else None


def _in_words(row: Mapping[str, object], now: datetime) -> str:
    """The state for eyes: who is absent may be paused as well."""
    words = []
    absent = row["absent_until"]
    if isinstance(absent, date):
        words.append(f"absent until {absent:{'%d %b' if absent.year == now.year else '%d %b %Y'}}")
    if row["paused_since"] is not None:
        words.append("paused" + _until(row["paused_until"], now))
    return ", ".join(words) or "available"


def _until(text: object, now: datetime) -> str:
    """The end of a pause, as short as it can be said at `now`."""
    if text is None:
        return ""
    end = datetime.fromisoformat(str(text)).astimezone(now.tzinfo)
    if end.date() == now.date():
        return f" until {end:%H:%M}"
    return f" until {end:{'%d %b %H:%M' if end.year == now.year else '%d %b %Y'}}"


def _table(clock: tzinfo) -> tuple[Column, ...]:
    """For 80 columns."""
    return (
        Column("id", "Id"),
        Column("name", "Name"),
        Column("mobile", "Mobile", format=shown.compact),
        Column("now", "State"),
        Column("last_taken_at", "Last call", format=shown.recent(clock)),
        Column("calls_today", "Today", "right"),
    )
