"""`callrouter calls live`: who rings, who talks and who waits, as the running router says."""

from __future__ import annotations

import json
import re
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import click

from router.commands.context import Context
from router.errors import Unhealthy
from router.numbers import safe_text

if TYPE_CHECKING:
    from rich.console import Console, JustifyMethod, OverflowMethod, RenderableType

_EVERY: Final = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,3})?)(s|m)", re.ASCII)
_LEAST, _MOST = 0.5, 3600.0
_WIDTH: Final = 80
"""Columns where there is no terminal to ask."""
_AROUND: Final = 5
"""Lines of the terminal that are not calls: the summary, the heading, what is left out, the prompt."""
_GAP: Final = 2
_TITLES: Final = ("Campaign", "Caller", "Call", "Waited", "Who", "Does", "For")
_FIXED: Final = (10, 6, 7, 7)
"""How wide Call, Waited, Does and For are, so that nothing jumps about."""
_NUMBER: Final = 16
"""The longest number of E.164."""
_PHASES: Final = ("ringing", "connecting", "talking", "challenge", "ending", "menu")
_STYLES: Final = {"talking": "green", "ringing": "yellow", "rings": "yellow", "talks": "green", "listens": "cyan"}


def _seconds(_context: click.Context, _option: click.Parameter, value: str) -> float:
    """A duration with its unit, as campaigns.yaml has them. Raises BadParameter."""
    found = _EVERY.fullmatch(value)
    seconds = float(found[1]) * (60 if found[2] == "m" else 1) if found else 0.0
    if not _LEAST <= seconds <= _MOST:
        raise click.BadParameter(f"{safe_text(value)!r} is no time from 0.5s to 60m, such as 1s")
    return seconds


@click.command()
@click.option("--once", is_flag=True, help="Say it once, and end.")
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="A table for eyes, or one JSON document.",
)
@click.option(
    "--every", callback=_seconds, metavar="TIME", default="1s", show_default=True, help="How often to look."
)
@click.pass_obj
def live(context: Context, once: bool, output_format: str, every: float) -> None:
    """Calls that go on now: who rings, who talks, who waits.

    In a terminal it goes on until Ctrl-C; elsewhere, with --once and as JSON it is said once. Numbers are masked.
    """
    database = context.database()
    if output_format == "json":
        click.echo(json.dumps(_ask(database), indent=2))
    elif once or not sys.stdout.isatty():
        console = _console(sys.stdout.isatty())
        console.print(_view(_ask(database), console, None))
    else:
        _watch(database, every)


def _watch(database: str, every: float) -> None:
    from rich.live import Live

    console = _console(terminal=True)
    try:
        with Live(_view(_ask(database), console, console.height), console=console, auto_refresh=False) as screen:
            while True:
                time.sleep(every)
                screen.update(_view(_ask(database), console, console.height), refresh=True)
    except KeyboardInterrupt:
        # How one leaves it.
        return


def _ask(database: str) -> dict[str, Any]:
    """What the router says. Raises Unhealthy."""
    from router.live import NoRouter, ask, socket_path
    from router.lock import holder

    path = socket_path(database)
    try:
        return ask(path)
    except NoRouter as error:
        why = str(error)
        if holder(database) is None and not why:
            raise Unhealthy(f"no router is running on {database}; start it: callrouter run") from error
        raise Unhealthy(
            f"the router does not answer at {path}: {why or 'nobody listens there'}; "
            "ask as the account that it runs as, and see its log"
        ) from error


# --- For eyes ---------------------------------------------------------------------------------------------


def _console(terminal: bool) -> Console:
    from rich.console import Console

    if terminal:
        return Console(file=sys.stdout, highlight=False)
    return Console(file=sys.stdout, highlight=False, width=_WIDTH, force_terminal=False, color_system=None)


def _view(document: dict[str, Any], console: Console, height: int | None) -> RenderableType:
    """The summary and the table; of more calls than `height` lines can show, the first ones."""
    from rich.console import Group
    from rich.table import Table

    lines = [line for call in document["calls"] for line in _lines(call, float(document["now"]))]
    room = len(lines) if height is None else max(1, height - _AROUND)
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
    overflow: OverflowMethod = "ellipsis" if console.encoding.startswith("utf") else "crop"
    for title, width in zip(_TITLES, _widths(lines, console.width), strict=True):
        justify: JustifyMethod = "right" if title in ("Waited", "For") else "left"
        table.add_column(title, justify=justify, width=width, no_wrap=True, overflow=overflow)
    for line in lines[:room]:
        table.add_row(*(_cell(text, console) for text in line))
    parts: list[RenderableType] = [_summary(document, console)]
    if lines:
        parts.append(table)
    if len(lines) > room:
        parts.append(_cell(f"and {len(lines) - room} more lines", console))
    return Group(*parts)


def _widths(lines: list[tuple[str, ...]], width: int) -> tuple[int, ...]:
    """What each column is given: what it needs, but the campaign and the person share what is left."""
    needs = [max(map(len, column)) for column in zip(_TITLES, *lines, strict=True)]
    needs[1] = min(needs[1], _NUMBER)
    needs[2:4], needs[5:] = _FIXED[:2], _FIXED[2:]
    room = max(2 * _GAP, width - sum(needs) + needs[0] + needs[4] - _GAP * (len(_TITLES) - 1))
    needs[4] = min(needs[4], max(room - needs[0], room // 2))
    needs[0] = min(needs[0], room - needs[4])
    return tuple(needs)


def _summary(document: dict[str, Any], console: Console) -> RenderableType:
    counts = Counter(str(call["phase"]) for call in document["calls"])
    phases = ", ".join(f"{counts[phase]} {phase}" for phase in _PHASES if counts[phase])
    total = len(document["calls"])
    calls = f"{total} call{'' if total == 1 else 's'}" if total else "No calls"
    link = "" if document["link"] == "up" else "; THE LINK TO ASTERISK IS DOWN"
    return _cell(f"{calls}{': ' if phases else ''}{phases}{link}", console)


def _lines(call: dict[str, Any], now: float) -> list[tuple[str, ...]]:
    """A line for each leg, the first with what is said of the call; one line where there is none."""
    caller = str(call["caller"] or "–")
    # Masked numbers do without their spaces; words keep them.
    short = caller.replace(" ", "") if caller.startswith("+") else caller
    head = (str(call["campaign"] or "–"), short, str(call["phase"]), _clock(call["waiting"]))
    legs = [(str(leg["salesperson"]), str(leg["state"]), _clock(now - leg["since"])) for leg in call["legs"]]
    first, *others = legs or [("–", "", "")]
    return [(*head, *first), *(("", "", "", "", *leg) for leg in others)]


def _cell(text: str, console: Console) -> RenderableType:
    """`text` made harmless, in letters that the terminal has."""
    from rich.text import Text

    encoding = console.encoding
    plain = safe_text(text, 200).encode(encoding, "replace").decode(encoding)
    return Text(plain, style=_STYLES.get(plain, ""))


def _clock(seconds: float) -> str:
    """`0:08`, `12:34`, `1:02:03`."""
    minutes, rest = divmod(int(max(0.0, seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
