"""Opening hours as campaigns.yaml writes them: days, windows, closed spans, open days, public holidays."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from functools import lru_cache
from itertools import pairwise
from types import MappingProxyType
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, PlainValidator, ValidationInfo, model_validator

from router.config.fields import NONE, Days, Zone, names, read_day, scalar
from router.config.refusal import nearest, refuse, shown
from router.model import Hours, OpenDay, Span, Window

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MINUTES: Final = 24 * 60
LOOK_AHEAD: Final = 400
"""Days: hours that do not open within them are never open (schedule.next_open looks as far)."""
HOLIDAY_YEARS: Final = (-1, 5)
"""Holidays are expanded from last year to five years on: a router that runs longer has been reloaded."""

_WINDOW = re.compile(r"([0-9]{1,2}):([0-9]{2})\s*-\s*([0-9]{1,2}):([0-9]{2})", re.ASCII)
_HOLIDAYS = re.compile(r"([A-Z]{2})(?:-([A-Za-z0-9 ]{1,20}))?", re.ASCII)
_SUBDIVISIONS: Final = {("FR", "67"): "6AE", ("FR", "68"): "6AE"}
"""Departments that the holidays library knows under their region's name: Alsace."""


def read_window(text: str) -> Window:
    """`09:00-12:30`; `24:00` is an end. `17:00-09:00` crosses midnight. Raises the refusal."""
    shape = _WINDOW.fullmatch(text.strip())
    if not shape:
        raise refuse(f"{shown(text)} is no span of time", 'write "09:00-12:30"')
    start, end = _minute(shape[1], shape[2]), _minute(shape[3], shape[4])
    if start >= DAY_MINUTES:
        raise refuse(f"{shown(text)} begins where the day ends", 'begin at "00:00" of the next day')
    if start == end:
        raise refuse(f"{shown(text)} has no length", 'write "00:00-24:00" for the whole day')
    return Window(start, end)


def _minute(hour: str, minute: str) -> int:
    if int(minute) > 59 or int(hour) * 60 + int(minute) > DAY_MINUTES:
        raise refuse(f'"{hour}:{minute}" is no time of day', "write 00:00 to 23:59, or 24:00 as an end")
    return int(hour) * 60 + int(minute)


def read_days(text: str) -> tuple[int, ...]:
    """`mon-fri`, `sat`, `mon,wed` as numbers, Monday is 0. Raises the refusal."""
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        for word in (first, last) if dash else (first,):
            if word not in DAYS:
                raise refuse(
                    f"{shown(text)} names no day of the week", "write mon, tue, wed, thu, fri, sat, sun or mon-fri"
                )
        begin, end = DAYS.index(first), DAYS.index(last if dash else first)
        if end < begin:
            raise refuse(f"{shown(text)} runs backwards", f"write {first}-sun and mon-{last} as two keys")
        found.extend(range(begin, end + 1))
    if len(set(found)) < len(found):
        raise refuse(f"{shown(text)} names a day twice", "name each day once")
    return tuple(found)


def _days_key(value: object) -> str:
    text = scalar(value, "write days such as mon-fri or sat")
    read_days(text)
    return str(text)


def _window(value: object) -> Window:
    return read_window(scalar(value, 'write a span of time in quotes, such as "09:00-12:30"'))


def _open_day(value: object) -> OpenDay:
    text = scalar(value, 'write "2026-12-13 10:00-17:00"')
    day, _, window = text.partition(" ")
    return OpenDay(read_day(day), (read_window(window),))


def clock(minute: int) -> str:
    """`09:00`."""
    return f"{minute // 60:02d}:{minute % 60:02d}"


def window_text(window: Window) -> str:
    """`09:00-12:30`, as it is written."""
    return f"{clock(window.start)}-{clock(window.end)}"


def _apart(windows: tuple[Window, ...]) -> tuple[Window, ...]:
    """Refuses windows of one day that overlap."""
    ordered = sorted(windows, key=lambda window: window.start)
    for one, other in pairwise(ordered):
        if _real_end(one) > other.start:
            wrong = f"{window_text(one)} and {window_text(other)} overlap"
            raise refuse(wrong, "write windows that do not touch the same minutes")
    return tuple(ordered)


def _real_end(window: Window) -> int:
    """The end in minutes since the midnight on which the window's day began."""
    return window.end if window.end > window.start else window.end + DAY_MINUTES


def _holidays_word(value: object) -> str:
    text = scalar(value, "write a country such as FR, a part of one such as FR-57, or none")
    if text == NONE:
        return NONE
    shape = _HOLIDAYS.fullmatch(text)
    if not shape:
        raise refuse(
            f"{shown(text)} is no country", "write a country such as FR, a part of one such as FR-57, or none"
        )
    parts = supported_holidays()
    if shape[1] not in parts:
        raise refuse(
            f"no holidays are known for {shown(shape[1])}", "write holidays: none, and list the days in closed:"
        )
    part = _SUBDIVISIONS.get((shape[1], shape[2] or ""), shape[2])
    if part and part not in parts[shape[1]]:
        mend = nearest(part, parts[shape[1]]) if parts[shape[1]] else f"write {shape[1]}"
        raise refuse(f"{shape[1]} has no part called {shown(part)}", mend)
    return f"{shape[1]}-{part}" if part else shape[1]


@lru_cache(maxsize=1)
def supported_holidays() -> Mapping[str, frozenset[str]]:
    """Country -> its subdivisions, as the holidays library knows them. Imported here: it costs 0.1 s."""
    import holidays

    return {country: frozenset(parts) for country, parts in holidays.list_supported_countries().items()}


@lru_cache(maxsize=64)
def expand_holidays(word: str, year: int) -> Mapping[date, str]:
    """Every public holiday of `FR` or `FR-57` around `year`, by name; none for `none`."""
    import holidays

    country, _, part = word.partition("-")
    if word == NONE or country not in supported_holidays():
        return MappingProxyType({})
    years = range(year + HOLIDAY_YEARS[0], year + HOLIDAY_YEARS[1] + 1)
    found = holidays.country_holidays(country, subdiv=part or None, years=years)
    return MappingProxyType({day: str(found[day]) for day in sorted(found)})


DaysKey = Annotated[str, PlainValidator(_days_key)]
WindowText = Annotated[Window, PlainValidator(_window)]
Windows = Annotated[tuple[WindowText, ...], AfterValidator(_apart)]
OpenDayText = Annotated[OpenDay, PlainValidator(_open_day)]
HolidaysWord = Annotated[str, PlainValidator(_holidays_word)]


class HoursKeys(BaseModel):
    """`hours.<name>`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    timezone: Zone | None = None
    weekly: dict[DaysKey, Windows] = {}
    holidays: HolidaysWord | None = None
    closed: tuple[Days, ...] = ()
    open: tuple[OpenDayText, ...] = ()

    @model_validator(mode="after")
    def _holds_together(self, info: ValidationInfo) -> HoursKeys:
        week = self.week()
        self.open_days()
        country = names(info).country
        if self.holidays is None and country and country not in supported_holidays():
            raise refuse(f"no public holidays are known for {country}", "write holidays: none")
        if not _ever_open(week, self.closed, self.open, names(info).today):
            raise refuse(
                f"is not open in the next {LOOK_AHEAD} days",
                'write weekly: {mon-fri: ["09:00-12:30"]}, or fewer closed days',
            )
        return self

    def week(self) -> tuple[tuple[Window, ...], ...]:
        """Seven entries, Monday first. Raises the refusal for a day written twice or an overlap at midnight."""
        week: list[tuple[Window, ...] | None] = [None] * 7
        for key, windows in self.weekly.items():
            for day in read_days(key):
                if week[day] is not None:
                    raise refuse(f"{DAYS[day]} is written twice in weekly", "write each day in one key")
                week[day] = windows
        found = tuple(windows or () for windows in week)
        for day, windows in enumerate(found):
            spill = max((_real_end(window) - DAY_MINUTES for window in windows), default=0)
            following = found[(day + 1) % 7]
            if following and spill > following[0].start:
                tomorrow = DAYS[(day + 1) % 7]
                opens = f"{tomorrow}, which opens at {clock(following[0].start)}"
                wrong = f"{DAYS[day]} runs on until {clock(spill)} of {opens}"
                raise refuse(wrong, "end the one before the other begins")
        return found

    def open_days(self) -> tuple[OpenDay, ...]:
        """One entry a day, in order. Raises the refusal for windows that overlap."""
        by_day: dict[date, tuple[Window, ...]] = {}
        for entry in self.open:
            by_day[entry.day] = _apart(by_day.get(entry.day, ()) + entry.windows)
        return tuple(OpenDay(day, by_day[day]) for day in sorted(by_day))


def _ever_open(
    week: tuple[tuple[Window, ...], ...], closed: Iterable[Span], opened: Iterable[OpenDay], today: date
) -> bool:
    """Whether any of the next 400 days has a window. Holidays are left out: they cannot close all of them."""
    extra = {entry.day for entry in opened}
    shut = tuple(closed)
    for ahead in range(LOOK_AHEAD):
        day = today + timedelta(days=ahead)
        if day in extra or (week[day.weekday()] and not any(day in span for span in shut)):
            return True
    return False


def hours(name: str, keys: HoursKeys, country: str, timezone: str, today: date) -> Hours:
    """The checked value; `country` and `timezone` are the company's, for what the keys leave out."""
    return Hours(
        id=name,
        timezone=keys.timezone or timezone,
        weekly=keys.week(),
        holidays=expand_holidays(keys.holidays or country, today.year),
        closed=keys.closed,
        open=keys.open_days(),
    )
