"""What the benchmark writes: fits a terminal, the same for the same figures, names what failed."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from bench import picture, table
from bench.figures import Aim, Results, Summary

PLAIN = Summary((2.234, 3.8), (210.6, 216.2), 6.83, 0.0, 1.0, 0.0, 0, 300, 0)
ROUTER = Summary((4.05, 7.3), (214.4, 222.0), 9.38, 3.96, 1.95, 1.8, 71_905_280, 300, 0)
SLOW = Summary((469.4, 2544.5), (847.7, 2909.0), 15.06, 1047.06, 155.44, 467.0, 488_793_600, 300, 7)
RESULTS = Results(
    {"plain Dial()": PLAIN, "callrouter": ROUTER, "forked AGI + Dial()": SLOW},
    {"plain Dial()": 221.8, "callrouter": 163.3},
    (Aim("router's own CPU a call <= 2 ms", "4.0 ms", False), Aim("added to the mobile's INVITE", "1.8 ms", True)),
    ("Date: 2026-01-02 03:04 UTC, commit 0123456789ab", "Machine: a processor, 2 cores"),
)


def test_cells_say_each_figure_once() -> None:
    assert table.cells(RESULTS)[1] == ("callrouter", "4.0 / 7.3", "214 / 222", "9.4", "4.0", "1.95", "163", "72")


def test_what_was_not_measured_is_a_dash() -> None:
    nothing = replace(SLOW, to_mobile=(math.nan, math.nan), ratio=math.nan)
    row = table.cells(replace(RESULTS, summaries={"x": nothing}, held={}))[0]
    assert row[1] == "- / -"
    assert row[5:7] == ("-", "-")


def test_plain_dial_has_no_application() -> None:
    row = table.cells(RESULTS)[0]
    assert (row[4], row[7]) == ("-", "-")


def test_the_terminals_table_fits_80_columns_even_with_large_figures() -> None:
    lines = table.terminal(RESULTS).splitlines()
    assert max(map(len, lines)) <= 80


def test_the_terminal_says_which_aims_are_met() -> None:
    said = table.terminal(RESULTS)
    assert "not met  router's own CPU a call <= 2 ms: 4.0 ms" in said
    assert "met      added to the mobile's INVITE: 1.8 ms" in said


def test_failed_calls_are_named_in_both() -> None:
    line = "forked AGI + Dial(): 7 of 300 calls failed during the rounds"
    assert line in table.terminal(RESULTS)
    assert line in table.markdown(RESULTS)


def test_markdown_has_one_row_a_contender_and_all_columns() -> None:
    rows = [line for line in table.markdown(RESULTS).splitlines() if line.startswith("|")]
    first_table = rows[: len(RESULTS.summaries) + 2]
    assert {row.count("|") for row in first_table} == {9}
    assert [row.split("|")[1].strip() for row in first_table[2:]] == list(RESULTS.summaries)


def test_markdown_without_aims_has_no_such_section() -> None:
    assert "## Aims" not in table.markdown(replace(RESULTS, aims=()))
    assert "## Aims" in table.markdown(RESULTS)


@pytest.mark.parametrize("held", [RESULTS.held, {}])
def test_the_picture_is_the_same_for_the_same_results(tmp_path: Path, held: dict[str, float]) -> None:
    pytest.importorskip("matplotlib", reason="the picture needs matplotlib")
    results = replace(RESULTS, held=held)
    picture.draw(results, tmp_path / "a.svg")
    picture.draw(results, tmp_path / "b.svg")
    one = (tmp_path / "a.svg").read_bytes()
    assert one == (tmp_path / "b.svg").read_bytes()
    assert b"<svg" in one
