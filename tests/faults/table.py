"""The table of faults at the end of a run: which were held, with what figures. A plugin of pytest.

What a test measured travels in its report's `user_properties`: it arrives whichever process ran the test.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import pytest

from tests.faults.rows import ROWS

WIDTH: Final = 80


@dataclass
class Row:
    """One fault, as this run has seen it so far."""

    failed: bool = False
    passed: int = 0
    skipped: str = ""
    """Why a test of it did not run."""
    figures: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def held(self) -> bool:
        return bool(self.passed) and not self.failed and not self.skipped

    @property
    def state(self) -> str:
        if self.failed:
            return "NOT HELD"
        return "held" if self.held else "NOT RUN"


def figure(what: str, value: float | str, unit: str) -> str:
    """`link back 0.31 s`: no more digits than say something; whole numbers and words as they are."""
    if isinstance(value, float):
        size = math.floor(math.log10(abs(value))) if value else 0
        value = f"{value:.{max(0, 2 - size if size >= 0 else 1 - size)}f}"
    return " ".join(part for part in (what, str(value), unit) if part)


def lines(rows: Mapping[str, Row], names: Mapping[str, str] = ROWS) -> list[str]:
    """The table, at most WIDTH columns wide: every row of `names`, whether or not it ran."""
    shown = [f"{'row':<4}{'fault':<28}{'':<9}{'seconds':>7}  figures", "-" * WIDTH]
    for number, name in names.items():
        row = rows.get(number, Row())
        text = "; ".join(row.figures)
        if row.skipped:
            text = f"{row.skipped}; {text}" if text else row.skipped
        took = f"{row.seconds:.1f}" if row.passed or row.failed else ""
        head = f"{number:<4}{name:<28}{row.state:<9}{took:>7}  "
        wrapped = textwrap.wrap(text, WIDTH - len(head)) or [""]
        shown.append((head + wrapped[0]).rstrip())
        shown += [" " * len(head) + more for more in wrapped[1:]]
    held = sum(rows.get(number, Row()).held for number in names)
    return [*shown, "-" * WIDTH, f"{held} of {len(names)} faults are held"]


def all_held(rows: Mapping[str, Row], names: Iterable[str] = ROWS) -> bool:
    return all(rows.get(number, Row()).held for number in names)


# --- pytest's hooks ---------------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--every-fault", action="store_true", help="fail unless every row of the table is held")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "fault(row, title): the row of the table of faults that this proves")
    if not hasattr(config, "workerinput"):  # the others' reports come to the one that started them
        config.pluginmanager.register(Table(config), "fault-table")


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    for item in items:
        for marker in item.iter_markers("fault"):
            row = marker.args[0]
            if row not in ROWS:
                raise pytest.UsageError(f"{item.nodeid}: there is no fault {row}")
            item.user_properties.append(("fault", row))


def take(rows: dict[str, Row], report: pytest.TestReport) -> None:
    """Add a test's setup, call or teardown to the rows that it belongs to."""
    properties = list(report.user_properties)
    for number in [str(value) for name, value in properties if name == "fault"]:
        row = rows.setdefault(number, Row())
        row.seconds += report.duration
        row.failed |= report.failed
        if report.skipped:
            row.skipped = _reason(report)
        if report.when == "call":
            row.passed += report.passed
            row.figures += [str(value) for name, value in properties if name == "measured"]


def _reason(report: pytest.TestReport) -> str:
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else "skipped"
    return str(reason).removeprefix("Skipped: ")


class Table:
    """Hears every report of the run, and shows the table when a fault was among them."""

    def __init__(self, config: pytest.Config) -> None:
        self.every = bool(config.getoption("--every-fault"))
        self.rows: dict[str, Row] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        take(self.rows, report)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.every and session.exitstatus == pytest.ExitCode.OK and not all_held(self.rows):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.rows or self.every:
            terminalreporter.section("what it survived")
            for line in lines(self.rows):
                terminalreporter.write_line(line)
