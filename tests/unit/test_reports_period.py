"""Days of the company's calendar, clock changes included, and the arithmetic of the figures."""

from __future__ import annotations

import itertools
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.reports.figures import as_clock, as_money, as_percent, as_seconds, nearest_rank, seconds, share
from router.reports.period import DEFAULT_DAYS, Period, choose, local

PARIS = ZoneInfo("Europe/Paris")
TODAY = date(2026, 3, 31)


def hours_of(period: Period) -> float:
    between = datetime.fromisoformat(period.end) - datetime.fromisoformat(period.start)
    return between.total_seconds() / 3600


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Paris", date(2026, 3, 28), 24),
        ("Europe/Paris", date(2026, 3, 29), 23),
        ("Europe/Paris", date(2026, 10, 25), 25),
        # Days that are past: a new time zone database may say something else of days to come.
        ("Africa/Cairo", date(2024, 4, 26), 23),  # midnight itself is skipped
        ("America/Havana", date(2024, 11, 3), 25),  # midnight comes twice
        ("Australia/Lord_Howe", date(2026, 4, 5), 24.5),
        ("Asia/Kathmandu", date(2026, 4, 5), 24),
    ],
)
def test_a_day_lasts_as_long_as_its_clock_says(zone: str, day: date, hours: float) -> None:
    period = Period(day, day, ZoneInfo(zone))
    assert hours_of(period) == hours
    first = local(period.start, period.zone)
    before = first.astimezone(ZoneInfo("UTC")) - timedelta(milliseconds=1)
    assert first.date() == day
    assert before.astimezone(period.zone).date() == day - timedelta(days=1)


def test_both_days_are_included() -> None:
    period = Period(date(2026, 3, 1), date(2026, 3, 31), PARIS)
    assert (period.start, period.end) == ("2026-02-28T23:00:00.000Z", "2026-03-31T22:00:00.000Z")
    assert str(period) == "2026-03-01 to 2026-03-31 (Europe/Paris)"


@pytest.mark.parametrize("zone", ["Europe/Paris", "America/Havana", "Africa/Cairo", "Pacific/Chatham"])
def test_days_follow_each_other_without_a_gap(zone: str) -> None:
    days = [date(2026, 1, 1) + timedelta(days=offset) for offset in range(365)]
    periods = [Period(day, day, ZoneInfo(zone)) for day in days]
    for one, following in itertools.pairwise(periods):
        assert one.start < one.end == following.start


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (None, None, (TODAY - timedelta(days=DEFAULT_DAYS - 1), TODAY)),
        (date(2026, 3, 30), None, (date(2026, 3, 30), TODAY)),
        (date(2026, 4, 2), None, (date(2026, 4, 2), date(2026, 4, 2))),
        (None, date(2026, 1, 30), (date(2026, 1, 1), date(2026, 1, 30))),
        (TODAY, TODAY, (TODAY, TODAY)),
    ],
)
def test_defaults(first: date | None, last: date | None, expected: tuple[date, date]) -> None:
    period = choose(first, last, TODAY, PARIS)
    assert (period.first, period.last) == expected


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (date(2026, 3, 2), date(2026, 3, 1)),
        (date(1, 1, 1), date(2026, 3, 1)),
        (date(2026, 3, 1), date(9999, 12, 31)),
        (None, date(1, 1, 15)),
    ],
)
def test_what_is_no_period(first: date | None, last: date) -> None:
    with pytest.raises(ValueError, match=r"ends|dates go from"):
        choose(first, last, TODAY, PARIS)


@settings(deadline=None)
@given(values=st.lists(st.integers(0, 50), min_size=1), percent=st.integers(1, 100))
def test_nearest_rank_is_the_least_value_that_enough_do_not_exceed(values: list[int], percent: int) -> None:
    found = nearest_rank(sorted(values), percent)
    assert found == min(
        value
        for value in values
        if Fraction(sum(other <= value for other in values), len(values)) >= Fraction(percent, 100)
    )


def test_nearest_rank_by_hand() -> None:
    assert nearest_rank([15, 20, 35, 40, 50], 50) == 35
    assert nearest_rank([15, 20, 35, 40, 50], 90) == 50
    assert nearest_rank(range(1, 11), 90) == 9
    assert nearest_rank([], 50) is None


def test_figures_read_well() -> None:
    assert (share(1, 3), share(0, 0), seconds(None), seconds(1250)) == (0.3333, None, None, 1.25)
    assert (as_percent(0.256), as_percent(1)) == ("25.6 %", "100.0 %")
    assert (as_seconds(8.25), as_seconds(99.94), as_seconds(125)) == ("8.2 s", "99.9 s", "2:05")
    assert [as_clock(value) for value in (0, 59.6, 3599.5, 90000)] == ["0:00", "1:00", "1:00:00", "25:00:00"]
    assert as_money(Decimal("1200")) == "1200.00"
