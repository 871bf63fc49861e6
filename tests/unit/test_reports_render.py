"""What leaves through `render` is harmless, complete and fits."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import subprocess
import sys
import unicodedata
from datetime import UTC, date, datetime
from decimal import Decimal

import click
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from router.reports.render import Column, format_option, named, render, say

COLUMNS = (Column("name", "Name"), Column("count", "Count", "right"))
NASTY = [
    '=HYPERLINK("http://x")',
    "+1+1",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(1)",
    "\t=1",
    "\r=1",
    "  =1",
    "＝1+1",
    "＋1+1",
    "－1+1",
    "＠SUM(1)",
    "Dupont;=1+1",
]
HOSTILE = "a\x1b[2Jb\x07c\u202ed\u200be\x9bf\x00g\u2028h\udc80i"


def text(rows: list[dict[str, object]], columns: tuple[Column, ...], format: str) -> str:
    file = io.StringIO(newline="")
    render(rows, columns, format, file)
    return file.getvalue()


def cells(rows: list[dict[str, object]], columns: tuple[Column, ...] = COLUMNS) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text(rows, columns, "csv"), newline="")))


@pytest.mark.parametrize("nasty", NASTY)
def test_no_text_in_csv_begins_a_formula(nasty: str) -> None:
    (row,) = cells([{"name": nasty, "count": 1}])
    for part in row["name"].split(";"):
        assert unicodedata.normalize("NFKC", part.lstrip())[:1] not in tuple("=+-@\t\r")


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (-5, "-5"),
        (-0.25, "-0.25"),
        (Decimal("-1200.50"), "-1200.50"),
        (Decimal("1E+3"), "1000"),
        ("+33184801001", "+33184801001"),
        (None, ""),
        (True, "true"),
        (float("nan"), ""),
        (date(2026, 3, 1), "2026-03-01"),
        (datetime(2026, 3, 1, 10, tzinfo=UTC), "2026-03-01T10:00:00.000Z"),
        (["a", "b"], "a, b"),
    ],
)
def test_csv_keeps_what_is_no_formula(value: object, written: str) -> None:
    (row,) = cells([{"name": "x", "count": value}])
    assert row["count"] == written


def test_csv_is_rfc_4180() -> None:
    written = text([{"name": 'a "b", c', "count": 1}], COLUMNS, "csv")
    assert written == 'name,count\r\n"a ""b"", c",1\r\n'


def test_json_is_one_array_with_raw_values() -> None:
    written = text([{"name": None, "count": Decimal("12.50"), "more": 1}, {"name": HOSTILE}], COLUMNS, "json")
    assert json.loads(written) == [{"name": None, "count": 12.5}, {"name": HOSTILE, "count": None}]
    assert written.isascii()
    assert all(char.isprintable() or char == "\n" for char in written)
    assert text([], COLUMNS, "json") == "[]\n"


def test_json_has_null_where_there_is_no_number() -> None:
    rows: list[dict[str, object]] = [{"name": {"k": [float("inf")]}, "count": float("nan")}]
    assert json.loads(text(rows, COLUMNS, "json")) == [{"name": {"k": [None]}, "count": None}]


@pytest.mark.parametrize("format", ["table", "csv"])
def test_no_control_character_reaches_the_output(format: str) -> None:
    written = text([{"name": HOSTILE, "count": 1}], COLUMNS, format)
    assert "a[2Jbcdefg hi" in written
    kinds = {unicodedata.category(char) for char in written if char not in "\r\n"}
    assert not kinds & {"Cc", "Cf", "Cs", "Zl", "Zp"}


def test_markup_is_text() -> None:
    assert "[bold]x[/bold] :smile:" in text([{"name": "[bold]x[/bold] :smile:", "count": 1}], COLUMNS, "table")


WORDS = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=60)
TABLES = st.lists(
    st.fixed_dictionaries(
        {f"t{i}": WORDS for i in range(3)} | {f"n{i}": st.integers(-(10**20), 10**20) for i in range(6)}
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=60, deadline=None)
@given(rows=TABLES, figures=st.integers(1, 6))
def test_a_table_fits_in_80_columns_and_loses_no_figure(rows: list[dict[str, object]], figures: int) -> None:
    columns = (
        *(Column(f"t{i}", f"Some text {i}") for i in range(3)),
        *(Column(f"n{i}", f"Figure {i}", "right") for i in range(figures)),
    )
    written = text(rows, columns, "table")
    assert max(map(cell_len, written.splitlines())) <= 80
    shown = written.split()
    for row in rows:
        assert {str(row[f"n{i}"]) for i in range(figures)} <= set(shown)


def test_a_row_that_cannot_fit_is_a_block() -> None:
    columns = tuple(Column(f"n{i}", f"Figure {i}", "right") for i in range(20))
    written = text([{f"n{i}": 10**6 + i for i in range(20)}], columns, "table")
    assert written.splitlines()[3] == "Figure 3   1000003"


def test_an_empty_table_says_so() -> None:
    assert text([], COLUMNS, "table") == "Nothing to show.\n"
    assert text([], COLUMNS, "csv") == "name,count\r\n"


def test_a_column_format_is_for_the_table_alone() -> None:
    columns = (Column("rate", "Rate", "right", lambda value: f"{value:.0%}"),)
    assert "25%" in text([{"rate": 0.25}], columns, "table")
    assert cells([{"rate": 0.25}], columns) == [{"rate": "0.25"}]
    assert "–" in text([{"rate": None}], columns, "table")


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_a_locale_that_is_not_utf_8_loses_characters_not_the_report(encoding: str) -> None:
    for format, expected in (("table", b"?"), ("json", b"\\u6c34"), ("csv", "水".encode())):
        raw = io.BytesIO()
        file = io.TextIOWrapper(raw, encoding=encoding)
        render([{"name": "水 •", "count": 1}], COLUMNS, format, file)
        say("水", file)
        file.flush()
        assert expected in raw.getvalue()
        assert b"\n" in raw.getvalue()


def test_escape_codes_are_for_terminals_alone() -> None:
    script = (
        "import sys; from router.reports.render import *;"
        "render([{'a': 'x'}], [Column('a', 'Title')], 'table', sys.stdout)"
    )
    command = [sys.executable, "-c", script]
    env = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "60"}
    env.pop("NO_COLOR", None)
    piped = subprocess.run(command, env=env, capture_output=True, check=True).stdout
    assert b"\x1b" not in piped
    leader, follower = pty.openpty()
    try:
        subprocess.run(command, env=env, stdout=follower, check=True)
        assert b"\x1b[1mTitle" in os.read(leader, 4096)
    finally:
        os.close(follower)
        os.close(leader)


def test_a_reader_that_has_gone_is_the_callers_to_handle() -> None:
    read, write = os.pipe()
    os.close(read)
    with open(write, "w", encoding="utf-8") as file:
        with pytest.raises(BrokenPipeError):
            render([{"name": "x"}], COLUMNS, "json", file)
        # What is still buffered has nowhere to go; closing would try again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), write)


def test_format_option() -> None:
    @click.command()
    @format_option
    def listing(output_format: str) -> None:
        render([{"a": 1}], named("a"), output_format, sys.stdout)

    run = CliRunner().invoke
    assert run(listing, ["--format", "json"]).output == '[\n  {"a": 1}\n]\n'
    assert run(listing, []).output.splitlines()[0].strip() == "a"
    assert run(listing, ["--format", "xml"]).exit_code == 2


def test_another_format_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="xml"):
        text([], COLUMNS, "xml")
