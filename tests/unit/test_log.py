"""The log: one fact a line, and nothing that a caller says can make a second one."""

from __future__ import annotations

import io
import logging

from router.log import LineFormatter, fact


def line(text: str) -> str:
    record = logging.LogRecord("router.x", logging.INFO, "f", 1, "%s", (text,), None)
    return LineFormatter("%(message)s").format(record)


def test_a_line_says_when_how_loud_and_who() -> None:
    said = line("call=c1 event=arrived")
    stamp, level, name, rest = said.split(maxsplit=3)
    assert stamp.endswith("Z")
    assert (level, name, rest) == ("info", "router.x", "call=c1 event=arrived")


def test_a_traceback_stays_on_its_line() -> None:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(LineFormatter("%(message)s"))
    logger = logging.Logger("router.x")
    logger.addHandler(handler)
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        logger.exception("event=broken")
    assert len(out.getvalue().splitlines()) == 1
    assert "ValueError" in out.getvalue()


def test_a_fact_is_pairs_in_order_without_what_is_not_known() -> None:
    assert fact(call="c1", outcome=None, event="ended", seconds=1.5) == "call=c1 event=ended seconds=1.500"


def test_a_value_with_spaces_or_quotes_is_quoted() -> None:
    assert fact(why='no "such" file', path="a=b", empty="") == 'why="no \\"such\\" file" path="a=b" empty=""'
