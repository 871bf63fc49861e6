"""Opening hours as a dialplan: the same answer as router.schedule gives, which is asked for each day. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo

from router.dialplan.shapes import ID, ZONE, checked
from router.model import Hours
from router.schedule import is_open

HORIZON_DAYS: Final = 400
"""Days for which holidays and special days are written out; after them the plain week applies."""

_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = timedelta(days=1)

Spans = tuple[tuple[int, int], ...]
"""Open minutes of one local day: from the first, up to and without the second."""


def hours_lines(hours: Hours, index: int, at: datetime) -> Iterator[str]:
    """Returns `open` or `closed`: the week under `s`, each day that differs from it under its own date."""
    zone = checked(ZONE, hours.timezone)
    today = at.astimezone(ZoneInfo(zone)).date()
    context = f"callrouter-hours-{index}"
    week = _week(hours)
    yield from ("", f"[{context}]", f"; {checked(ID, hours.id)}")
    yield f"exten => s,1,Set(LOCAL(day)=${{STRFTIME(${{EPOCH}},{zone},%Y%m%d)}})"
    yield f" same => n,GotoIf(${{DIALPLAN_EXISTS({context},${{day}},1)}}?${{day}},1)"
    for spans, weekdays in _alike(week):
        yield from (f" same => n,GotoIfTime({each},{weekdays},*,*,{zone}?open)" for each in map(_times, spans))
    yield " same => n,Return(closed)"
    yield " same => n(open),Return(open)"
    for day in (today + _DAY * ahead for ahead in range(-1, HORIZON_DAYS)):
        spans = day_spans(hours, day)
        if spans != week[day.weekday()]:
            yield from _special(day, spans, zone)


def _special(day: date, spans: Spans, zone: str) -> Iterator[str]:
    tests = [f"GotoIfTime({_times(span)},*,*,*,{zone}?s,open)" for span in spans]
    first, *rest = [*tests, "Return(closed)"]
    yield f"exten => {day:%Y%m%d},1,{first}"
    yield from (f" same => n,{each}" for each in rest)


def _times(span: tuple[int, int]) -> str:
    """Asterisk counts the last minute in; ours end before it."""
    first, last = span[0], span[1] - 1
    return f"{first // 60:02}:{first % 60:02}-{last // 60:02}:{last % 60:02}"


def _week(hours: Hours) -> tuple[Spans, ...]:
    """The seven ordinary days, Monday first: any week without a holiday, a closed or a special day."""
    plain = replace(hours, holidays=MappingProxyType({}), closed=(), open=())
    monday = date(2024, 1, 1)
    return tuple(day_spans(plain, monday + _DAY * weekday) for weekday in range(7))


def _alike(week: tuple[Spans, ...]) -> list[tuple[Spans, str]]:
    """Weekdays with the same hours together: `mon&tue&wed`."""
    days: dict[Spans, list[str]] = {}
    for weekday, spans in zip(_WEEKDAYS, week, strict=True):
        days.setdefault(spans, []).append(weekday)
    return [(spans, "&".join(names)) for spans, names in days.items()]


def day_spans(hours: Hours, day: date) -> Spans:
    """When the wall clock of this local day says open, as router.schedule has it.

    It can only change where a window begins or ends, so it is asked there, and no clock change is in the way: what
    is asked is the wall clock in UTC.
    """
    on_the_wall = replace(hours, timezone="UTC")
    edges = sorted({0, 24 * 60, *_edges(hours)})
    spans: list[tuple[int, int]] = []
    for first, last in pairwise(edges):
        moment = datetime(day.year, day.month, day.day, first // 60, first % 60, tzinfo=UTC)
        if not is_open(on_the_wall, moment)[0]:
            continue
        if spans and spans[-1][1] == first:
            first = spans.pop()[0]  # noqa: PLW2901 - two that touch become one
        spans.append((first, last))
    return tuple(spans)


def _edges(hours: Hours) -> Iterable[int]:
    for windows in (*hours.weekly, *(opened.windows for opened in hours.open)):
        for window in windows:
            yield from (edge for edge in (window.start, window.end) if edge < 24 * 60)
