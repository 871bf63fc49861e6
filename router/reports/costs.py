"""What a campaign cost within a period. Exact: fractions until the end, rounded once, currencies never mixed.

A cost is spread evenly over the days of its span, both ends included, and a period bears the days that it
shares with the span. An open end is today, an open beginning the campaign's first day (that of its first call,
today where there was none): so the amount is borne whole by the time that the campaign has run so far.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from fractions import Fraction

from router.model import Cost


def borne(cost: Cost, first: date, last: date, *, began: date, today: date) -> Fraction:
    """The part of `cost` that the days from `first` to `last` bear.

    `began` is the campaign's first day, for a cost without a beginning.
    """
    begins = cost.first if cost.first is not None else min(began, cost.last or began)
    ends = cost.last if cost.last is not None else max(today, begins)
    shared = (min(last, ends) - max(first, begins)).days + 1
    if shared <= 0:
        return Fraction(0)
    return Fraction(cost.amount) * shared / ((ends - begins).days + 1)


def by_currency(costs: Iterable[Cost], first: date, last: date, *, began: date, today: date) -> dict[str, Fraction]:
    """What the days from `first` to `last` bear of all `costs`, a sum a currency, in the order of `costs`.

    Currencies of which they bear nothing are left out, but for the first where there is no other: 0 of it says that
    the campaign was paid for, only not now.
    """
    sums: dict[str, Fraction] = {}
    for cost in costs:
        part = borne(cost, first, last, began=began, today=today)
        sums[cost.currency] = sums.get(cost.currency, Fraction(0)) + part
    return {currency: amount for currency, amount in sums.items() if amount} or dict(list(sums.items())[:1])


def money(amount: Fraction) -> Decimal:
    """To the cent, half to even."""
    return Decimal(round(amount * 100)).scaleb(-2)


def money_each(amount: Fraction, count: int) -> Decimal | None:
    """`amount / count` to the cent; None for a count of 0."""
    return money(amount / count) if count else None
