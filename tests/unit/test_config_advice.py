"""What check says of an accepted file without refusing it."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from router.config import load, warnings
from router.model import Config
from tests.campaign_file import GOOD, PASSWORDS, TODAY, read, spoilt

EXAMPLE = Path(__file__).parents[2] / "campaigns.yaml"
OFFICE = '{mon-fri: ["09:00-12:30", "14:00-18:30"], sat: ["09:00-12:00"]}'


def said(config: Config, today: date = TODAY) -> dict[str, str]:
    """Path -> what is wrong; each path once."""
    found = warnings(config, today)
    assert len({one.path for one in found}) == len(found)
    assert all(one.mend for one in found)
    return {one.path: one.wrong for one in found}


def test_nothing_to_say_of_a_good_file(tmp_path: Path) -> None:
    assert said(read(tmp_path)) == {}


def test_nothing_to_say_of_the_example() -> None:
    assert said(load(str(EXAMPLE), PASSWORDS, TODAY)) == {}


@pytest.mark.parametrize(
    ("old", "new", "path", "wrong"),
    [
        ("to: [alice, bob]", "to: [alice]", "salespeople.bob", ""),
        (OFFICE, '{mon-fri: ["17:00-09:00"]}', "hours.office", "17:00-09:00 crosses midnight: open from 17:00"),
        ('open: ["', 'open: ["2026-12-05 22:00-02:00", "', "hours.office", "of the next day (2026-12-05)"),
        ("hours: office", "hours: always", "hours.office", "no campaign keeps these hours"),
        (
            'absent: ["',
            'absent: ["2026-03-02", "',
            "campaigns.poster.ring.to",
            "absent 2026-03-02 while",
        ),
        ("max_wait: 60s", "max_wait: 10s", "unknown_number.ring", "ends before one person's timeout (20s)"),
        ("max_wait: 60s", "max_wait: 20s", "campaigns.spring-flyer.ring", "may be over before bob rings"),
        ("expire: 5d", "expire: 15m", "campaigns.spring-flyer.callback", "expires before it is due"),
        ("01 84 80 10 02", "+15551234567", "campaigns.poster.numbers", "no range known to be in use"),
        ("06 87 65 43 21", "06 12 34 56 78", "salespeople.bob.mobile", "is the mobile of alice too"),
        ("http://127.0.0.1:8088", "http://pbx.example.net:8088", "asterisk.ari.url", "unencrypted"),
    ],
)
def test_one_remark(tmp_path: Path, old: str, new: str, path: str, wrong: str) -> None:
    text = spoilt(old, new)
    if path == "salespeople.bob":
        text, wrong = text.replace("to: [bob]", "to: [alice]"), "no campaign rings this person"
    assert wrong in said(read(tmp_path, text))[path]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("http://127.0.0.1:8088", "https://pbx.example.net:8089"),
        ("http://127.0.0.1:8088", "http://[::1]:8088"),
        ("callback: {due: 15m, retries: [10m, 1h, 4h], expire: 5d}", "callback: none"),
        ('absent: ["', 'absent: ["2026-03-01", "'),
    ],
)
def test_no_remark(tmp_path: Path, old: str, new: str) -> None:
    assert said(read(tmp_path, spoilt(old, new))) == {}


def test_a_strange_range_is_one_remark_more_not_thousands(tmp_path: Path) -> None:
    numbers = ", ".join(f'"+1555123{n:04d}"' for n in range(100))
    found = warnings(read(tmp_path, spoilt('["+33184801001"]', f"[{numbers}]")), TODAY)
    assert len(found) == 21
    assert "80 more numbers" in found[-1].wrong


def test_today_is_the_machines_date_where_none_is_given(tmp_path: Path) -> None:
    absent = 'absent: ["2000-01-01..2099-12-31", "'
    config = read(tmp_path, GOOD.replace('absent: ["', absent))
    assert "campaigns.poster.ring.to" in {one.path for one in warnings(config)}
