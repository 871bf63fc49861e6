"""What the listings of calls and callbacks share: whose numbers are shown to whom, and on which clock."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, tzinfo
from typing import Any, TypeVar

import click

from router.commands.context import Context
from router.reports.render import Column

_Command = TypeVar("_Command", bound=Callable[..., Any])
Row = dict[str, object]


def numbers_options(command: _Command) -> _Command:
    """Add `--numbers` and `--reason`, as the arguments `numbers` and `reason`."""
    return _numbers_of("callers'", command)


def mobiles_options(command: _Command) -> _Command:
    """The same for the numbers of salespeople."""
    return _numbers_of("the mobiles'", command)


def _numbers_of(whose: str, command: _Command) -> _Command:
    reason = click.option("--reason", metavar="TEXT", help="Why you need the numbers; kept with your name.")
    numbers = click.option("--numbers", is_flag=True, help=f"Show {whose} whole numbers; needs --reason.")
    return numbers(reason(command))


def check_reason(numbers: bool, reason: str | None) -> str | None:
    """The reason for showing numbers, None when they stay hidden. Raises UsageError for one without the
    other.
    """
    if not numbers:
        if reason is not None:
            raise click.UsageError("--reason says why you ask for --numbers; give both or neither")
        return None
    if reason is None or not reason.strip():
        raise click.UsageError('--numbers needs --reason "why you need them"')
    return reason.strip()


@contextmanager
def reading(context: Context) -> Iterator[sqlite3.Connection]:
    """The database, read only and as of one moment. Raises StoreError."""
    from router.store import database

    with database.reading(context.database()) as connection:
        connection.execute("BEGIN")
        yield connection


def show_callers(context: Context, found: list[sqlite3.Row], numbers: str | None, command: str) -> list[Row]:
    """The rows with `caller` as this user may see it: masked, or whole once that is on record in table
    `reveals`.

    `numbers` is the reason for showing them, None to hide them. Raises StoreError when it cannot be recorded.
    """
    if numbers is not None:
        record_reveal(context.database(), numbers, command, len(found))
    return [{**dict(row), "caller": _caller(row, whole=numbers is not None)} for row in found]


def warnings(context: Context) -> Callable[[str | None], str | None]:
    """A function that says why nobody should call a caller back, None where nothing speaks against it: a caller ID
    can be forged to have a premium number called."""
    from router.numbers import never_dialled

    config = None if context.db_override else context.config()

    def against(number: str | None) -> str | None:
        if number is None:
            return None
        if config is not None and number in config.by_number:
            return "is one of our own numbers"
        return never_dialled(number, config.country if config is not None else "") or None

    return against


def zone(context: Context) -> tzinfo:
    """The company's zone; UTC where `--db` stands in for the configuration."""
    if context.db_override:
        return UTC
    from zoneinfo import ZoneInfo

    return ZoneInfo(context.config().timezone)


def on_clock(clock: tzinfo, pattern: str = "%Y-%m-%d %H:%M:%S") -> Callable[[object], str]:
    """A table cell's format for a time of the database."""
    return lambda text: f"{datetime.fromisoformat(str(text)).astimezone(clock):{pattern}}"


def recent(clock: tzinfo) -> Callable[[object], str]:
    """A table cell's format, 12 characters wide: day and time, or the date of what is most of a year away."""
    now = time.time()

    def text(value: object) -> str:
        moment = datetime.fromisoformat(str(value)).astimezone(clock)
        near = abs(moment.timestamp() - now) < 300 * 86400
        return f"{moment:%d %b %H:%M}" if near else f"{moment:%d %b %Y}"

    return text


def short(identity: object) -> str:
    """The end of an id, which every command takes for the whole one."""
    return str(identity)[-8:]


def compact(number: object) -> str:
    """A masked number without its spaces, for a narrow column; words stay as they are."""
    text = str(number)
    return text.replace(" ", "") if text.startswith("+") else text


def length(seconds: object) -> str:
    """A duration for the eye: `8.2 s`, `3:05`, `1:02:03`."""
    value = float(str(seconds))
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def turned(row: Mapping[str, object], columns: tuple[Column, ...]) -> list[Row]:
    """One row stood upright, a line for each column, for `show`; formats are applied."""
    lines: list[Row] = []
    for column in columns:
        value = row.get(column.key)
        text = column.format(value) if column.format is not None and value is not None else value
        lines.append({"field": column.title, "value": text})
    return lines


UPRIGHT = (Column("field", ""), Column("value", ""))


def _caller(row: sqlite3.Row, *, whole: bool) -> str:
    """The number, the number masked, or the pseudonym of who withheld it or had it erased."""
    from router.numbers import masked

    number: str | None = row["caller"]
    if number is None:
        return str(row["pseudonym"])
    return number if whole else masked(number)


def record_reveal(path: str, reason: str, command: str, rows: int) -> None:
    """Put on record in the database that this user is shown the numbers of so many rows. Raises StoreError."""
    from router.numbers import safe_text
    from router.store.database import immediate, writing
    from router.store.reveals import os_user, write_reveal

    with writing(path) as connection, immediate(connection):
        write_reveal(
            connection,
            at=time.time(),
            user=os_user(),
            command=command,
            reason=safe_text(reason, 200),
            rows=rows,
        )
