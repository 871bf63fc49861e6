"""The table of faults: what counts as held, and how it reads at 80 columns."""

from __future__ import annotations

import pytest

from tests.faults.table import WIDTH, Row, all_held, figure, lines, take

NAMES = {"F1": "router killed", "F2": "router gone for good"}


def report(
    when: str = "call", outcome: str = "passed", *properties: tuple[str, object], why: str = ""
) -> pytest.TestReport:
    made = pytest.TestReport(
        nodeid="test",
        location=("test", 0, "test"),
        keywords={},
        outcome=outcome,  # type: ignore[arg-type]  # one of three words
        longrepr=("test", 0, why) if why else None,
        when=when,  # type: ignore[arg-type]  # one of three words
        duration=1.5,
    )
    made.user_properties += [("fault", "F1"), *properties]
    return made


def rows(*reports: pytest.TestReport) -> dict[str, Row]:
    found: dict[str, Row] = {}
    for each in reports:
        take(found, each)
    return found


def test_a_fault_is_held_when_each_of_its_tests_passed_from_setup_to_teardown() -> None:
    found = rows(report("setup"), report("call", "passed", ("measured", "link back 0.1 s")), report("teardown"))
    assert found["F1"].held
    assert (found["F1"].seconds, found["F1"].figures) == (4.5, ["link back 0.1 s"])


@pytest.mark.parametrize("when", ["setup", "call", "teardown"])
def test_one_failure_anywhere_is_not_held(when: str) -> None:
    found = rows(report("call"), report(when, "failed"), report("call"))
    assert not found["F1"].held
    assert found["F1"].state == "NOT HELD"


def test_what_was_skipped_is_not_held_and_says_why() -> None:
    found = rows(report("call"), report("setup", "skipped", why="Skipped: needs root"))
    assert (found["F1"].held, found["F1"].state, found["F1"].skipped) == (False, "NOT RUN", "needs root")


def test_what_did_not_run_is_not_held() -> None:
    found = rows(report("setup"))
    assert found["F1"].state == "NOT RUN"
    assert not all_held(found, NAMES)


def test_all_are_held_when_every_row_of_the_page_is() -> None:
    found = rows(report())
    assert all_held(found, ["F1"])
    assert not all_held(found, NAMES)
    found["F2"] = Row(passed=1)
    assert all_held(found, NAMES)


def test_the_table_is_no_wider_than_a_terminal_and_has_every_row() -> None:
    found = rows(*(report("call", "passed", ("measured", f"figure {number} of many 0.1 s")) for number in range(9)))
    table = lines(found, NAMES)
    assert all(len(line) <= WIDTH for line in table)
    assert [line.split()[0] for line in table if line.startswith("F")] == ["F1", "F2"]
    assert "NOT RUN" in next(line for line in table if line.startswith("F2"))
    assert table[-1] == "1 of 2 faults are held"


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (0.0, "s", "took 0.00 s"),
        (0.0314, "s", "took 0.031 s"),
        (3.14159, "s", "took 3.14 s"),
        (99.87, "%", "took 99.9 %"),
        (1234.5, "", "took 1234"),
        (25, "", "took 25"),
        ("websocket", "", "took websocket"),
    ],
)
def test_a_figure_has_no_more_digits_than_say_something(value: float | str, unit: str, shown: str) -> None:
    assert figure("took", value, unit) == shown
