"""Rows on their way out: a table for eyes, JSON and CSV for programs. Every listing command ends here.

Whatever a caller or a carrier managed to get into a text, the output is harmless: control characters, escape
sequences and bidirectional overrides never reach a terminal (JSON carries them escaped, so nothing is lost),
and no spreadsheet takes a cell for a formula.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import math
import os
import re
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Literal, TextIO, TypeVar

import click

from router.errors import RouterError
from router.numbers import safe_text

if TYPE_CHECKING:
    from rich.table import Table

FORMATS: Final = ("table", "json", "csv")
_NARROWEST: Final = 12
"""A text column is folded down to this many cells before the table gives way to one block a row."""
_GAP: Final = 2
_WIDTH: Final = 80
"""Columns where there is no terminal to ask."""
_WIDTH_LEAST: Final = 20
_FORMULA: Final = re.compile(r"(^|;)(\s*)(?=[=+\-@＝＋－＠])")
"""Where a spreadsheet would begin a formula. `;` because a French Excel splits cells there, quoted or not."""
_PLAIN_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,15}(\.[0-9]+)?", re.ASCII)
"""A text that is only a number (a DID, say): no formula can hide in it, and programs want it as it is."""

_Command = TypeVar("_Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Column:
    """One column: `key` into the row, and its name in JSON and CSV; `title` heads the table.

    `format` makes the table's text out of a value that is not None; JSON and CSV carry the value itself.
    """

    key: str
    title: str
    align: Literal["left", "right"] = "left"
    format: Callable[[Any], str] | None = None


def format_option(command: _Command) -> _Command:
    """Add `--format table|json|csv` (default: table) to a click command, as the argument `output_format`."""
    option = click.option(
        "--format",
        "output_format",
        type=click.Choice(FORMATS),
        default="table",
        show_default=True,
        help="A table for eyes, JSON or CSV for programs.",
    )
    return option(command)


def render(rows: Sequence[Mapping[str, object]], columns: Sequence[Column], format: str, file: TextIO) -> None:
    """Write `rows` to `file` and flush it.

    table: fits the terminal, 80 columns where there is none; escape codes only on a terminal; rows that cannot
    fit side by side are written as blocks of lines. None is shown as a dash.
    json: one array with an object a row: ISO 8601 times, numbers, null. ASCII only: it survives every locale.
    csv: RFC 4180 with a header of keys, UTF-8 whatever the locale; None is an empty cell.

    Raises BrokenPipeError when the reader has gone (the command line ends quietly on it), RouterError when the
    file takes no more (a full disk), ValueError for another format. What the file's encoding lacks
    becomes `?`.
    """
    if format == "json":
        _write(file, _as_json(rows, columns))
    elif format == "csv":
        _write(file, _as_csv(rows, columns), utf8=True)
    elif format == "table":
        _write(file, _as_table(rows, columns, file))
    else:
        raise ValueError(f"unknown format {format!r}")


def say(text: str, file: TextIO) -> None:
    """One line of text around the tables, made harmless; indentation is kept."""
    bare = text.lstrip(" ")
    _write(file, " " * (len(text) - len(bare)) + harmless(bare) + "\n")


def named(*keys: str) -> tuple[Column, ...]:
    """Columns for JSON and CSV alone, where a key is all there is to say."""
    return tuple(Column(key, key) for key in keys)


def harmless(text: str) -> str:
    """`text` on one line, without control, format and unassigned characters; white space collapsed."""
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    return safe_text(text, max(len(text), 1))


def _as_json(rows: Sequence[Mapping[str, object]], columns: Sequence[Column]) -> str:
    if not rows:
        return "[]\n"
    objects = ({column.key: _json_value(row.get(column.key)) for column in columns} for row in rows)
    lines = (json.dumps(each, ensure_ascii=True, allow_nan=False) for each in objects)
    return "[\n  " + ",\n  ".join(lines) + "\n]\n"


def _json_value(value: object) -> object:
    """What json.dumps takes: a Decimal becomes a number, a float that is not finite null."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, float | Decimal):
        number = float(value)
        return number if math.isfinite(number) else None
    if isinstance(value, Mapping):
        return {str(key): _json_value(each) for key, each in value.items()}
    if isinstance(value, Iterable):
        return [_json_value(each) for each in value]
    return _text(value)


def _as_csv(rows: Sequence[Mapping[str, object]], columns: Sequence[Column]) -> str:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow([column.key for column in columns])
    for row in rows:
        writer.writerow([_csv_cell(row.get(column.key)) for column in columns])
    return buffer.getvalue()


def _csv_cell(value: object) -> str:
    """A number as it is; a text made harmless, with `'` before what a spreadsheet would calculate."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = harmless(_text(value))
    if isinstance(value, int | float | Decimal) or _PLAIN_NUMBER.fullmatch(text):
        return text
    return _FORMULA.sub(r"\1\2'", text)


def _text(value: object) -> str:
    """A value as programs read it: times in ISO 8601 (UTC with Z), decimals without an exponent."""
    if isinstance(value, datetime):
        if value.tzinfo is None:
            return value.isoformat(timespec="milliseconds")
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else ""
    if isinstance(value, list | tuple):
        return ", ".join(_text(each) for each in value)
    return str(value)


def _as_table(rows: Sequence[Mapping[str, object]], columns: Sequence[Column], file: TextIO) -> str:
    """Through rich, into a string: what cannot be encoded is then ours to replace."""
    if not rows:
        return "Nothing to show.\n"
    encoding = getattr(file, "encoding", None) or "utf-8"
    unicode = encoding.lower().startswith("utf")
    dash = "–" if unicode else "-"
    cells = [[_table_cell(row.get(column.key), column, dash) for column in columns] for row in rows]
    terminal = _is_terminal(file)
    room = max(shutil.get_terminal_size((_WIDTH, 24)).columns, _WIDTH_LEAST) if terminal else _WIDTH
    widths = _widths(cells, columns, room)
    if widths is None:
        return _blocks(cells, columns, room)
    return _grid(cells, columns, widths, unicode=unicode, terminal=terminal)


def _table_cell(value: object, column: Column, dash: str) -> str:
    if value is None:
        return dash
    if column.format is not None:
        return harmless(column.format(value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return harmless(_text(value))


def _widths(cells: Sequence[Sequence[str]], columns: Sequence[Column], room: int) -> list[int] | None:
    """How wide each column is, so that all fit in `room`; None where they cannot.

    Figures are never cut or folded. Texts are folded to `_NARROWEST` at most and titles at spaces; what room is
    left goes to the texts first, then to the titles, to whichever lacks most.
    """
    from rich.cells import cell_len

    least, texts, titles = [], [], []
    for index, column in enumerate(columns):
        widest = max(cell_len(row[index]) for row in cells)
        word = max(map(cell_len, column.title.split()), default=0)
        least.append(max(word, widest if column.align == "right" else min(widest, _NARROWEST)))
        texts.append(max(word, widest))
        titles.append(max(cell_len(column.title), widest))
    left = room - sum(least) - _GAP * (len(columns) - 1)
    if left < 0:
        return None
    widths = least
    for wanted in (texts, titles):
        while left and any(now < want for now, want in zip(widths, wanted, strict=True)):
            lacking = [want - now for now, want in zip(widths, wanted, strict=True)]
            widths[lacking.index(max(lacking))] += 1
            left -= 1
    return widths


def _grid(
    cells: Sequence[Sequence[str]],
    columns: Sequence[Column],
    widths: Sequence[int],
    *,
    unicode: bool,
    terminal: bool,
) -> str:
    from rich.box import Box
    from rich.table import Table
    from rich.text import Text

    line = "─" if unicode else "-"
    box = Box("    \n    \n" + f" {line}{line} \n" + "    \n" * 5, ascii=not unicode)
    table = Table(box=box, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for column, width in zip(columns, widths, strict=True):
        table.add_column(Text(column.title), justify=column.align, vertical="top", width=width, overflow="fold")
    for row in cells:
        table.add_row(*map(Text, row))
    return _printed(table, sum(widths) + _GAP * len(widths), terminal=terminal)


def _blocks(cells: Sequence[Sequence[str]], columns: Sequence[Column], width: int) -> str:
    """One block a row, a line a field: for what is too wide for a table."""
    from rich.table import Table
    from rich.text import Text

    label = min(max(len(column.title) for column in columns), width // 2)
    blocks = []
    for row in cells:
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, _GAP, 0, 0))
        table.add_column(width=label, overflow="fold")
        table.add_column(width=width - label - _GAP, overflow="fold")
        for column, cell in zip(columns, row, strict=True):
            table.add_row(Text(column.title), Text(cell))
        blocks.append(_printed(table, width + _GAP, terminal=False))
    return "\n".join(blocks)


def _printed(table: Table, width: int, *, terminal: bool) -> str:
    from rich.console import Console

    buffer = io.StringIO()
    console = Console(file=buffer, width=width, force_terminal=terminal, highlight=False, emoji=False)
    console.print(table)
    return "".join(row.rstrip() + "\n" for row in buffer.getvalue().splitlines())


def _is_terminal(file: TextIO | None) -> bool:
    return file is not None and not file.closed and file.isatty()


def _write(file: TextIO | None, text: str, *, utf8: bool = False) -> None:
    """Write and flush. `utf8` goes past the file's own encoding and line endings, where it has bytes below it.

    A file is None where the program was started with its output closed: then nobody wants it.
    """
    if file is None:
        return
    encoding = getattr(file, "encoding", None) or "utf-8"
    try:
        if utf8 and hasattr(file, "buffer"):
            file.flush()
            file.buffer.write(text.encode("utf-8", "replace"))
        else:
            file.write(text.encode(encoding, "replace").decode(encoding))
        file.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        _discard(file)
        raise RouterError(f"cannot write the output: {error.strerror or error}") from error


def _discard(file: TextIO) -> None:
    """Send what is still buffered nowhere: Python would try it again on its way out, and complain."""
    with contextlib.suppress(OSError, ValueError), open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), file.fileno())
