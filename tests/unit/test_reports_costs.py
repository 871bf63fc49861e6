"""Costs spread over their days."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.model import Cost
from router.reports.costs import borne, by_currency, money, money_each

TODAY = date(2026, 4, 10)
BEGAN = date(2026, 2, 1)
MARCH = (date(2026, 3, 1), date(2026, 3, 31))
DAYS = st.dates(date(2025, 1, 1), date(2027, 12, 31))


def cost(amount: str, first: str | None, last: str | None, currency: str = "EUR") -> Cost:
    read = [date.fromisoformat(day) if day else None for day in (first, last)]
    return Cost(Decimal(amount), currency, read[0], read[1])


@pytest.mark.parametrize(
    ("first", "last", "days_in_march", "days"),
    [
        ("2026-03-01", "2026-03-31", 31, 31),
        ("2026-03-01", "2026-05-31", 31, 92),
        ("2026-02-01", "2026-03-01", 1, 29),
        ("2026-03-31", "2026-04-01", 1, 2),
        ("2026-03-31", "2026-03-31", 1, 1),
        ("2026-01-01", "2026-02-28", 0, 59),
        ("2026-04-01", "2026-04-30", 0, 30),
        ("2026-01-01", "2026-12-31", 31, 365),
        ("2026-03-12", None, 20, 30),  # to today, 10 April
        ("2026-05-01", None, 0, 1),  # not begun yet
        (None, "2026-03-10", 10, 38),  # from the campaign's first call, 1 February
        (None, "2026-01-10", 0, 1),  # over before the first call
        (None, None, 31, 69),
    ],
)
def test_edges_of_the_span(first: str | None, last: str | None, days_in_march: int, days: int) -> None:
    part = borne(cost("1000", first, last), *MARCH, began=BEGAN, today=TODAY)
    assert part == Fraction(1000 * days_in_march, days)


@settings(deadline=None)
@given(
    amount=st.decimals(0, 10**6, places=2),
    begins=DAYS,
    length=st.integers(0, 400),
    first=DAYS,
    more=st.integers(0, 99),
)
def test_a_period_bears_a_share_a_day(amount: Decimal, begins: date, length: int, first: date, more: int) -> None:
    ends, last = begins + timedelta(days=length), first + timedelta(days=more)
    day_by_day = sum(
        (
            Fraction(amount) / (length + 1)
            for offset in range(more + 1)
            if begins <= first + timedelta(offset) <= ends
        ),
        Fraction(0),
    )
    assert borne(Cost(amount, "EUR", begins, ends), first, last, began=BEGAN, today=TODAY) == day_by_day


@settings(deadline=None)
@given(costs=st.lists(st.tuples(DAYS, DAYS), max_size=4), split=DAYS)
def test_two_periods_bear_what_one_does(costs: list[tuple[date, date]], split: date) -> None:
    spans = [Cost(Decimal("99.99"), "EUR", min(pair), max(pair)) for pair in costs]
    whole = date(2024, 1, 1), date(2028, 12, 31)

    def total(first: date, last: date) -> Fraction:
        return by_currency(spans, first, last, began=BEGAN, today=TODAY).get("EUR", Fraction(0))

    assert total(whole[0], split) + total(split + timedelta(days=1), whole[1]) == total(*whole)
    assert total(*whole) == Fraction("99.99") * len(spans)


def test_currencies_are_never_mixed() -> None:
    costs = [
        cost("100", "2026-03-01", "2026-03-10"),
        cost("70", "2026-03-01", "2026-03-02", "CHF"),
        cost("30", "2026-03-05", "2026-03-06"),
        cost("9", "2026-01-01", "2026-01-31", "USD"),
    ]
    assert by_currency(costs, *MARCH, began=BEGAN, today=TODAY) == {"EUR": 130, "CHF": 70}


def test_a_campaign_paid_for_at_another_time_cost_nothing_now() -> None:
    costs = [cost("9", "2026-01-01", "2026-01-31", "USD"), cost("9", "2026-01-01", "2026-01-31")]
    assert by_currency(costs, *MARCH, began=BEGAN, today=TODAY) == {"USD": 0}
    assert by_currency([], *MARCH, began=BEGAN, today=TODAY) == {}


def test_money_is_rounded_once_half_to_even() -> None:
    assert [str(money(Fraction(text))) for text in ("1/3", "0.125", "0.135", "1200")] == [
        "0.33",
        "0.12",
        "0.14",
        "1200.00",
    ]
    assert str(money_each(Fraction(100), 3)) == "33.33"
    assert money_each(Fraction(100), 0) is None
