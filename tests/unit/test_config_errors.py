"""Every error of campaigns.yaml: found, placed, and with what to write instead. One row, one mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from router.errors import ConfigError
from tests.campaign_file import GOOD, problems, read, spoilt
from tests.config_mistakes import (
    DURATIONS,
    HOURS,
    KEYS,
    MOBILE,
    NAMES,
    NUMBERS,
    PEOPLE,
    TRAPS,
    TRUNKS,
    VALUES,
)
from tests.ring_mistakes import RINGS, SCREENING, SECTIONS, SPEECH

OLD = TRAPS + KEYS + VALUES + NUMBERS + NAMES + DURATIONS + HOURS
NEW = RINGS + SECTIONS + SCREENING + SPEECH + TRUNKS + PEOPLE


def blamed_line(old: str) -> int:
    """The line on which the mistake begins."""
    return GOOD[: GOOD.index(old)].count("\n") + 1


@pytest.mark.parametrize(("old", "new", "path", "wrong", "mend"), OLD + NEW)
def test_one_mistake_one_line(tmp_path: Path, old: str, new: str, path: str, wrong: str, mend: str) -> None:
    found = [one for one in problems(tmp_path, spoilt(old, new)) if one.path == path]
    assert len(found) == 1, problems(tmp_path, spoilt(old, new))
    assert wrong in found[0].wrong
    assert mend in found[0].mend
    assert found[0].line > 0
    assert found[0].column > 0
    assert found[0].text("campaigns.yaml").startswith(f"campaigns.yaml:{found[0].line}:{found[0].column}: {path}: ")


@pytest.mark.parametrize(("old", "new", "path"), [row[:3] for row in TRAPS + VALUES + NUMBERS[:7] + DURATIONS])
def test_a_wrong_value_is_blamed_on_its_own_line_and_alone(tmp_path: Path, old: str, new: str, path: str) -> None:
    found = [one for one in problems(tmp_path, spoilt(old, new)) if "no salesperson" not in one.wrong]
    assert {one.line for one in found} == {blamed_line(old)}
    assert path in {one.path for one in found}


def test_the_column_is_that_of_the_value(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, spoilt("timeout: 20s", "timeout: 3600"))
    line = next(number for number, text in enumerate(GOOD.splitlines(), 1) if "timeout: 20s" in text)
    assert problem.line == line
    assert problem.column == GOOD.splitlines()[line - 1].index("20s") + 1


def test_an_unknown_key_is_blamed_at_the_key(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, spoilt("identity: pai", "identify: pai"))
    assert problem.column == GOOD.splitlines()[problem.line - 1].index("identity") + 1


def test_all_errors_come_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = GOOD
    wrong = [
        ("version: 1", "version: 7"),
        ("language: fr", "languge: fr"),
        ("number_format: plain", "number_format: odd"),
        ("sat: [", "sun-sat: ["),
        (MOBILE, "0612345678"),
        ("strategy: sequential, timeout: 20s", "strategy: random, timeout: 0"),
        ("to: [alice, bob]", "to: [alise, bob]"),
        ("01 84 80 10 02", "+33184801001"),
    ]
    for old, new in wrong:
        text = text.replace(old, new)
    found = problems(tmp_path, text)
    assert [one.path for one in found] == [
        "version",
        "company.languge",
        "asterisk.trunks.spare.number_format",
        "hours.office.weekly.sun-sat",
        "salespeople.alice.mobile",
        "defaults.ring.strategy",
        "defaults.ring.timeout",
        "campaigns.spring-flyer.ring.to[0]",
        "campaigns.poster.numbers[0]",
    ]
    assert [(one.line, one.column) for one in found] == sorted((one.line, one.column) for one in found)


def test_the_error_says_every_problem_on_a_line_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, GOOD.replace("version: 1", "version: 7").replace("country: FR", "country: XX"))
    lines = str(caught.value).splitlines()
    assert len(lines) == len(caught.value.problems) == 2
    assert (
        lines[0]
        == f'{tmp_path}/campaigns.yaml:1:10: version: is "7", which this release does not read; write version: 1'
    )


def test_a_wrong_country_is_one_error_not_one_for_each_national_number(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, spoilt("country: FR", "country: XX"))
    assert problem.path == "company.country"


def test_a_wrong_person_is_no_unknown_person_elsewhere(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, spoilt("06 87 65 43 21", "112"))
    assert problem.path == "salespeople.bob.mobile"


SECTION_NAMES = ["company", "asterisk", "hours", "salespeople", "defaults", "campaigns"]


@pytest.mark.parametrize(
    ("section", "value"),
    [
        (section, value)
        for section in SECTION_NAMES
        for value in ["", "[]", "[a]", "word", '""', "{}"]
        if (section, value) != ("defaults", "{}")
    ],
)
def test_a_section_of_the_wrong_kind(tmp_path: Path, section: str, value: str) -> None:
    kept, skipping = [], False
    for line in GOOD.splitlines():
        if not line.startswith(" "):
            skipping = line.startswith(f"{section}:")
            if skipping:
                kept.append(f"{section}: {value}")
        if not skipping:
            kept.append(line)
    found = problems(tmp_path, "\n".join(kept) + "\n")
    assert found
    assert any(one.path.partition(".")[0] in (section, "defaults", "campaigns") for one in found)


def test_holidays_of_a_country_that_the_library_does_not_know(tmp_path: Path) -> None:
    text = (
        spoilt("    holidays: FR\n", "")
        .replace("country: FR", "country: TA")
        .replace('"06 87 65 43 21"', '"+33687654321"')
    )
    found = [one for one in problems(tmp_path, text) if one.path == "hours.office"]
    assert "no public holidays" in found[0].wrong or not found
