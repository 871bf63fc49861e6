"""Opening hours and absences: which moments count as open, and how open time adds up.

Every `at` is an aware datetime (ValueError when it is not); each set of hours and each salesperson has a time
zone of its own. Two rules make both nights of a clock change come out right:

- Whether it is open is read off the clock on the wall. In Paris, a window 02:00-03:00 is open twice on the
  night the clock goes back, and never comes on the night it goes forward.
- Durations are real seconds. From midnight to 06:00 it is seven hours on the first of those nights, five on
  the second.

A window that ends at or before its start crosses midnight and belongs to the day on which it starts: Friday's
22:00-02:00 is open on Saturday at 01:00, even when that Saturday is a holiday. A single open day goes before
closed spans, closed spans before public holidays, and those before the week.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from router.model import Hours, Reason, Salesperson, Window

LOOKAHEAD: Final = timedelta(days=400)
"""How far ahead an opening is looked for: more than a year, so that a day opened once a year is found."""

_DAY: Final = timedelta(days=1)
_DAY_MINUTES: Final = 24 * 60
_WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def is_open(hours: Hours, at: datetime) -> tuple[bool, Reason]:
    """Whether `hours` are open at `at`, and the rule that said so.

    A window is open from its first second up to, and without, its last: 09:00-12:30 is closed at 12:30:00.
    The reason's rule is the key in campaigns.yaml, such as `hours.office.holidays`.
    """
    local = _local(at, hours.timezone)
    day, minute = local.date(), local.hour * 60 + local.minute
    key, label, windows = _day(hours, day)
    for window in windows:
        if window.start <= minute and (minute < window.end or window.end <= window.start):
            return True, Reason(f"hours.{hours.id}.{key}", f"open: {label} {_spell(window)}")
    late_key, late_label, late_windows = _day(hours, day - _DAY)
    for window in late_windows:
        if minute < window.end <= window.start:
            return True, Reason(f"hours.{hours.id}.{late_key}", f"open: {late_label} {_spell(window)}")
    given = ", ".join(map(_spell, windows))
    return False, Reason(f"hours.{hours.id}.{key}", f"closed: {label} {given}".rstrip())


def next_open(hours: Hours, at: datetime) -> datetime | None:
    """The first open moment from `at` on, in `at`'s time zone; None when there is none in LOOKAHEAD."""
    for start, _ in _spans(hours, at):
        return start.astimezone(at.tzinfo)
    return None


def add_open_time(hours: Hours | None, at: datetime, seconds: float) -> datetime:
    """The moment when `seconds` of open time have passed since `at`, in `at`'s time zone.

    The answer is an open moment, or the very end of an opening when its last second was needed; for 0 seconds
    it is the next open moment. `hours` None is always open: real seconds are added. What LOOKAHEAD does not
    hold is added after it as real seconds, so that a task is due late rather than never. Raises ValueError
    when `seconds` is negative.
    """
    if seconds < 0:
        raise ValueError("open time is counted forward only")
    left = timedelta(seconds=seconds)
    moment = _aware(at).astimezone(UTC)
    if hours is None:
        return (moment + left).astimezone(at.tzinfo)
    for start, end in _spans(hours, at):
        if left <= end - start:
            return (start + left).astimezone(at.tzinfo)
        left -= end - start
    return (moment + LOOKAHEAD + left).astimezone(at.tzinfo)


def is_absent(person: Salesperson, at: datetime) -> bool:
    """Whether `at` falls on one of the person's days of absence, by the calendar of the person's own time
    zone.
    """
    if not person.absent:
        return False
    day = _local(at, person.timezone).date()
    return any(day in span for span in person.absent)


def _aware(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError("a moment needs its time zone")
    return at


def _local(at: datetime, timezone: str) -> datetime:
    return _aware(at).astimezone(ZoneInfo(timezone))


def _day(hours: Hours, day: date) -> tuple[str, str, tuple[Window, ...]]:
    """The rule for a local day: its key under the hours, what it says, the windows that start that day."""
    single = [opened.windows for opened in hours.open if opened.day == day]
    if single:
        return "open", f"{day}", tuple(window for windows in single for window in windows)
    for span in hours.closed:
        if day in span:
            label = f"{span.first}" if span.first == span.last else f"{span.first} to {span.last}"
            return "closed", label, ()
    holiday = hours.holidays.get(day)
    if holiday is not None:
        return "holidays", f"{day}, {holiday}", ()
    weekday = day.weekday()
    return "weekly", _WEEKDAYS[weekday], hours.weekly[weekday]


def _spell(window: Window) -> str:
    return f"{window.start // 60:02}:{window.start % 60:02}-{window.end // 60:02}:{window.end % 60:02}"


def _wall_windows(hours: Hours, day: date) -> list[tuple[int, int]]:
    """The open minutes of a local day, in order and apart, with what crosses from the day before."""
    found = [(0, window.end) for window in _day(hours, day - _DAY)[2] if window.end <= window.start]
    for window in _day(hours, day)[2]:
        found.append((window.start, window.end if window.end > window.start else _DAY_MINUTES))
    found.sort()
    apart: list[tuple[int, int]] = []
    for start, end in found:
        if apart and start <= apart[-1][1]:
            apart[-1] = (apart[-1][0], max(end, apart[-1][1]))
        else:
            apart.append((start, end))
    return apart


def _spans(hours: Hours, at: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The open spans of real time from `at` up to LOOKAHEAD, in UTC and in order; one may begin where one
    ends.

    Walks from one local midnight or clock change to the next: between those the wall clock runs evenly, so a
    window on the wall is a span of real time, and the pieces come in order whatever the clock does.
    """
    zone = ZoneInfo(hours.timezone)
    moment = _aware(at).astimezone(UTC)
    horizon = moment + LOOKAHEAD
    while moment < horizon:
        offset = _offset(zone, moment)
        day = (moment + offset).date()
        midnight = datetime(day.year, day.month, day.day, tzinfo=UTC) - offset
        until = min(_even_until(zone, moment, midnight + _DAY), horizon)
        for start, end in _wall_windows(hours, day):
            first = max(moment, midnight + timedelta(minutes=start))
            last = min(until, midnight + timedelta(minutes=end))
            if first < last:
                yield first, last
        moment = until


def _even_until(zone: ZoneInfo, moment: datetime, end: datetime) -> datetime:
    """`end`, or the clock change between `moment` and it, to the second (no zone changes twice within a
    day).
    """
    offset = _offset(zone, moment)
    if _offset(zone, end) == offset:
        return end
    before, after = int(moment.timestamp()), int(end.timestamp())
    while after - before > 1:
        middle = (before + after) // 2
        if _offset(zone, datetime.fromtimestamp(middle, UTC)) == offset:
            before = middle
        else:
            after = middle
    return datetime.fromtimestamp(after, UTC)


def _offset(zone: ZoneInfo, moment: datetime) -> timedelta:
    """Local time less UTC at a moment given in UTC."""
    return moment.astimezone(zone).replace(tzinfo=UTC) - moment
