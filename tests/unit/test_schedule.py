"""Opening hours: open is what the clock on the wall says, durations are real seconds, on both DST nights too."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.model import Hours, OpenDay, Span, Window
from router.schedule import LOOKAHEAD, add_open_time, is_absent, is_open, next_open
from tests.build import make_hours, make_salesperson

PARIS = ZoneInfo("Europe/Paris")
ZONES = (
    "Europe/Paris",
    "America/New_York",
    "Australia/Lord_Howe",  # changes by half an hour
    "Asia/Kolkata",  # +05:30, never changes
    "America/Havana",  # changes at midnight
    "America/St_Johns",  # until 2011 changed one minute after midnight: a date came back
)
CHANGES = {
    "Europe/Paris": (date(2026, 3, 29), date(2026, 10, 25)),
    "America/New_York": (date(2026, 3, 8), date(2026, 11, 1)),
    "Australia/Lord_Howe": (date(2026, 4, 5), date(2026, 10, 4)),
    "Asia/Kolkata": (date(2026, 3, 29), date(2026, 10, 25)),
    "America/Havana": (date(2026, 3, 8), date(2026, 11, 1)),
    "America/St_Johns": (date(2010, 3, 14), date(2010, 11, 7)),
}
NIGHTLY = dict.fromkeys(("mon", "tue", "wed", "thu", "fri", "sat", "sun"), ("00:00-06:00",))


def paris(text: str, *, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=PARIS, fold=fold)


# --- By example ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "opened", "rule", "text"),
    [
        ("2026-11-24 08:59:59", False, "weekly", "closed: Tuesday 09:00-12:30, 14:00-18:30"),
        ("2026-11-24 09:00:00", True, "weekly", "open: Tuesday 09:00-12:30"),
        ("2026-11-24 12:29:59", True, "weekly", "open: Tuesday 09:00-12:30"),
        ("2026-11-24 12:30:00", False, "weekly", "closed: Tuesday 09:00-12:30, 14:00-18:30"),
        ("2026-11-24 18:29:59", True, "weekly", "open: Tuesday 14:00-18:30"),
        ("2026-11-22 10:00:00", False, "weekly", "closed: Sunday"),
        ("2026-12-25 10:00:00", False, "holidays", "closed: 2026-12-25, Noël"),
        ("2026-12-24 10:00:00", False, "closed", "closed: 2026-12-24"),
        ("2026-08-15 10:00:00", False, "closed", "closed: 2026-08-10 to 2026-08-16"),
        ("2026-12-13 10:00:00", True, "open", "open: 2026-12-13 10:00-17:00"),
        ("2026-12-13 09:59:59", False, "open", "closed: 2026-12-13 10:00-17:00"),
        ("2026-08-13 11:00:00", True, "open", "open: 2026-08-13 11:00-12:00"),
        ("2026-05-01 10:00:00", True, "open", "open: 2026-05-01 10:00-11:00"),
    ],
)
def test_the_rule_that_decides_is_named(at: str, opened: bool, rule: str, text: str) -> None:
    hours = make_hours(
        holidays={"2026-12-25": "Noël", "2026-05-01": "Fête du Travail", "2026-08-15": "Assomption"},
        closed=["2026-12-24", "2026-08-10..2026-08-16"],
        open={"2026-12-13": ["10:00-17:00"], "2026-08-13": ["11:00-12:00"], "2026-05-01": ["10:00-11:00"]},
    )
    result, reason = is_open(hours, paris(at))
    assert (result, reason.rule, reason.text) == (opened, f"hours.office.{rule}", text)


def test_two_entries_for_one_single_day_add_up_and_an_empty_one_is_closed() -> None:
    days = (
        OpenDay(date(2026, 12, 13), (Window(600, 660),)),
        OpenDay(date(2026, 12, 13), (Window(720, 780),)),
        OpenDay(date(2026, 12, 14), ()),
    )
    hours = Hours("h", "Europe/Paris", make_hours().weekly, open=days)
    assert is_open(hours, paris("2026-12-13 10:30"))[0]
    assert is_open(hours, paris("2026-12-13 12:30"))[0]
    assert not is_open(hours, paris("2026-12-13 11:30"))[0]
    assert not is_open(hours, paris("2026-12-14 10:30"))[0]


def test_a_window_that_crosses_midnight_belongs_to_the_day_it_starts() -> None:
    hours = make_hours(weekly={"fri": ["22:00-02:00"]}, holidays={"2026-11-28": "Saturday off"})
    assert not is_open(hours, paris("2026-11-27 01:00"))[0]
    assert is_open(hours, paris("2026-11-27 23:00"))[0]
    opened, reason = is_open(hours, paris("2026-11-28 01:59:59"))
    assert opened
    assert reason.text == "open: Friday 22:00-02:00"
    assert not is_open(hours, paris("2026-11-28 02:00"))[0]
    assert add_open_time(hours, paris("2026-11-27 12:00"), 4 * 3600) == paris("2026-11-28 02:00")


def test_a_window_that_starts_and_ends_at_one_time_is_a_whole_day() -> None:
    hours = make_hours(weekly={"mon": ["08:00-08:00"], "wed": ["00:00-24:00"]})
    assert is_open(hours, paris("2026-11-24 07:59"))[0]
    assert not is_open(hours, paris("2026-11-24 08:00"))[0]
    assert is_open(hours, paris("2026-11-25 23:59:59"))[0]
    assert not is_open(hours, paris("2026-11-26 00:00"))[0]


def test_it_is_open_by_the_time_zone_of_the_hours_not_of_the_moment() -> None:
    hours = make_hours(timezone="Asia/Kolkata", weekly={"tue": ["09:00-10:00"]})
    assert is_open(hours, datetime(2026, 11, 24, 3, 45, tzinfo=UTC))[0]
    assert not is_open(hours, datetime(2026, 11, 24, 9, 30, tzinfo=UTC))[0]


def test_next_open_is_now_when_open_and_skips_lunch_nights_and_holidays() -> None:
    hours = make_hours(holidays={"2026-11-30": "a Monday off"})
    now = paris("2026-11-27 10:00:30")
    assert next_open(hours, now) == now
    assert next_open(hours, paris("2026-11-27 13:00")) == paris("2026-11-27 14:00")
    assert next_open(hours, paris("2026-11-28 12:00")) == paris("2026-12-01 09:00")


def test_next_open_finds_a_day_opened_once_a_year_and_none_beyond_the_lookahead() -> None:
    hours = make_hours(weekly={}, open={"2027-12-13": ["10:00-17:00"]})
    assert next_open(hours, paris("2026-12-13 17:00")) == paris("2027-12-13 10:00")
    assert next_open(hours, paris("2026-11-01 00:00")) is None
    assert next_open(make_hours(weekly={}), paris("2026-11-01 00:00")) is None


def test_open_time_passes_only_while_open() -> None:
    hours = make_hours()
    assert add_open_time(hours, paris("2026-11-27 18:20"), 900) == paris("2026-11-28 09:05")
    assert add_open_time(hours, paris("2026-11-27 18:20"), 600) == paris("2026-11-27 18:30"), "the very end counts"
    assert add_open_time(hours, paris("2026-11-28 15:00"), 0) == paris("2026-11-30 09:00")
    assert add_open_time(hours, paris("2026-11-28 15:00"), 0.5) == paris("2026-11-30 09:00:00.500000")


def test_overlapping_windows_count_once() -> None:
    hours = make_hours(weekly={"tue": ["09:00-11:00", "10:00-12:00", "10:15-10:30", "12:00-13:00"]})
    assert add_open_time(hours, paris("2026-11-24 00:00"), 4 * 3600) == paris("2026-11-24 13:00")


def test_always_open_is_plain_addition_of_real_seconds() -> None:
    before_the_change = paris("2026-03-29 01:30")
    assert add_open_time(None, before_the_change, 3600) == paris("2026-03-29 03:30")
    assert add_open_time(None, before_the_change, 0) == before_the_change


def test_hours_that_never_open_again_make_a_task_late_not_lost() -> None:
    now = paris("2026-11-24 10:00")
    assert add_open_time(make_hours(weekly={}), now, 900) == now.astimezone(UTC) + LOOKAHEAD + timedelta(minutes=15)


def test_answers_come_in_the_time_zone_of_the_question() -> None:
    question = datetime(2026, 11, 28, 15, tzinfo=UTC)
    later = next_open(make_hours(), question)
    assert later is not None
    assert later.tzinfo is UTC
    assert add_open_time(make_hours(), question, 60).tzinfo is UTC
    assert add_open_time(None, question, 60).tzinfo is UTC


def test_a_moment_without_time_zone_and_negative_time_are_refused() -> None:
    naive = datetime(2026, 11, 24, 10)  # noqa: DTZ001 - the mistake that is refused
    for refused in (
        lambda: is_open(make_hours(), naive),
        lambda: next_open(make_hours(), naive),
        lambda: add_open_time(make_hours(), naive, 1),
        lambda: add_open_time(None, naive, 1),
        lambda: is_absent(make_salesperson(absent=["2026-11-24"]), naive),
    ):
        with pytest.raises(ValueError, match="time zone"):
            refused()
    with pytest.raises(ValueError, match="forward"):
        add_open_time(make_hours(), paris("2026-11-24 10:00"), -1)


def test_absence_is_whole_days_of_the_persons_own_calendar() -> None:
    person = make_salesperson(timezone="America/New_York", absent=["2026-08-01..2026-08-21", "2026-12-24"])
    new_york = ZoneInfo("America/New_York")
    assert not is_absent(person, datetime(2026, 7, 31, 23, 59, tzinfo=new_york))
    assert is_absent(person, datetime(2026, 8, 1, 0, 0, tzinfo=new_york))
    assert is_absent(person, datetime(2026, 8, 21, 23, 59, tzinfo=new_york))
    assert is_absent(person, datetime(2026, 12, 25, 4, 59, tzinfo=UTC))
    assert not is_absent(person, datetime(2026, 12, 25, 5, 0, tzinfo=UTC))
    assert not is_absent(make_salesperson(), datetime(2026, 8, 1, tzinfo=UTC))


# --- The two nights -----------------------------------------------------------------------------------------


def test_the_night_the_clock_goes_forward_has_five_hours_before_six() -> None:
    hours = make_hours(weekly=NIGHTLY)
    midnight = paris("2026-03-29 00:00")
    assert add_open_time(hours, midnight, 5 * 3600) == paris("2026-03-29 06:00")
    assert add_open_time(hours, midnight, 5 * 3600 + 1) == paris("2026-03-30 00:00:01")


def test_the_night_the_clock_goes_back_has_seven() -> None:
    hours = make_hours(weekly=NIGHTLY)
    midnight = paris("2026-10-25 00:00")
    assert add_open_time(hours, midnight, 7 * 3600) == paris("2026-10-25 06:00")
    assert add_open_time(hours, midnight, 7 * 3600 + 1) == paris("2026-10-26 00:00:01")


def test_a_window_in_the_hour_that_comes_twice_is_open_twice() -> None:
    hours = make_hours(weekly={"sun": ["02:15-02:45"]})
    between = paris("2026-10-25 02:50")
    assert is_open(hours, paris("2026-10-25 02:30"))[0]
    assert not is_open(hours, between)[0]
    assert is_open(hours, paris("2026-10-25 02:30", fold=1))[0]
    again = next_open(hours, between)
    assert again is not None
    assert again.astimezone(UTC) == paris("2026-10-25 02:15", fold=1).astimezone(UTC)
    end = add_open_time(hours, paris("2026-10-25 00:00"), 3600)
    assert end.astimezone(UTC) == paris("2026-10-25 02:45", fold=1).astimezone(UTC)


def test_a_window_in_the_hour_that_is_skipped_never_opens_and_one_around_it_is_shorter() -> None:
    skipped = make_hours(weekly={"sun": ["02:15-02:45"]})
    assert next_open(skipped, paris("2026-03-29 00:00")) == paris("2026-04-05 02:15")
    around = make_hours(weekly={"sun": ["01:30-03:30"]})
    assert add_open_time(around, paris("2026-03-29 00:00"), 3600) == paris("2026-03-29 03:30")


@pytest.mark.parametrize(
    ("window", "night", "hours_open", "end"),
    [
        ("03:00-04:00", "2026-03-29", 1, "2026-03-29 04:00"),
        ("01:00-02:00", "2026-03-29", 1, "2026-03-29 03:00"),
        ("02:00-03:00", "2026-10-25", 2, "2026-10-25 03:00"),
        ("03:00-04:00", "2026-10-25", 1, "2026-10-25 04:00"),
    ],
)
def test_a_window_that_begins_or_ends_with_the_change_counts_to_the_second(
    window: str, night: str, hours_open: int, end: str
) -> None:
    hours = make_hours(weekly={}, open={night: [window]})
    assert add_open_time(hours, paris(f"{night} 00:00"), hours_open * 3600) == paris(end)
    midnight = paris(f"{night} 00:00")
    assert add_open_time(hours, midnight, hours_open * 3600 + 1) > midnight + timedelta(days=300)


def test_29_february_is_a_day_like_any_other() -> None:
    hours = make_hours(weekly={}, open={"2028-02-29": ["10:00-11:00"]})
    assert next_open(hours, paris("2028-02-28 12:00")) == paris("2028-02-29 10:00")
    assert is_absent(make_salesperson(absent=["2028-02-29"]), paris("2028-02-29 12:00"))


# --- Against a model that looks at every minute -------------------------------------------------------------


def open_by_the_model(hours: Hours, moment: datetime) -> bool:
    """The definition, spelt out: some window, of today or yesterday, holds what the clock on the wall says."""
    wall = moment.astimezone(ZoneInfo(hours.timezone)).replace(tzinfo=None)
    for back in (0, 1):
        day = wall.date() - timedelta(days=back)
        midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - wall clock on purpose
        if any(one.day == day for one in hours.open):
            windows = [window for one in hours.open if one.day == day for window in one.windows]
        elif any(span.first <= day <= span.last for span in hours.closed) or day in hours.holidays:
            windows = []
        else:
            windows = list(hours.weekly[day.weekday()])
        for window in windows:
            length = (window.end - window.start) % 1440 or 1440
            start = midnight + timedelta(minutes=window.start)
            if start <= wall < start + timedelta(minutes=length):
                return True
    return False


windows = st.builds(Window, st.integers(0, 95).map(lambda q: q * 15), st.integers(1, 96).map(lambda q: q * 15))


@st.composite
def hours_and_moment(draw: st.DrawFn) -> tuple[Hours, datetime]:
    """Hours in one of the zones, with special days around a clock change, and a moment near it, to the second."""
    zone = draw(st.sampled_from(ZONES))
    change = draw(st.sampled_from(CHANGES[zone]))
    near = st.integers(-2, 2).map(lambda n: change + timedelta(days=n))
    day = st.lists(windows, max_size=2).map(tuple)
    week = draw(st.lists(day, min_size=7, max_size=7))
    hours = Hours(
        id="drawn",
        timezone=zone,
        weekly=tuple(week),
        holidays=dict.fromkeys(draw(st.lists(near, max_size=1)), "holiday"),
        closed=tuple(Span(first, first) for first in draw(st.lists(near, max_size=1))),
        open=tuple(OpenDay(one, draw(day)) for one in draw(st.lists(near, max_size=1))),
    )
    noon = datetime(change.year, change.month, change.day, 12, tzinfo=UTC)
    return hours, noon + timedelta(seconds=draw(st.integers(-48 * 3600, 24 * 3600)))


@settings(max_examples=300, deadline=None)
@given(hours_and_moment())
def test_open_is_what_the_wall_says(drawn: tuple[Hours, datetime]) -> None:
    hours, at = drawn
    assert is_open(hours, at)[0] == open_by_the_model(hours, at)


@settings(max_examples=60, deadline=None)
@given(hours_and_moment(), st.integers(0, 30 * 60))
def test_open_time_adds_up_minute_by_minute(drawn: tuple[Hours, datetime], minutes: int) -> None:
    """Counting the open minutes one by one up to the answer gives what was asked for."""
    hours, at = drawn
    at = at.replace(second=0)
    end = add_open_time(hours, at, minutes * 60)
    counted, moment = 0, at
    while counted < minutes and moment < at + timedelta(days=9):
        counted += open_by_the_model(hours, moment)
        moment += timedelta(minutes=1)
    if counted == minutes and minutes:
        assert end == moment
    elif minutes:
        assert end > at + timedelta(days=9) - timedelta(minutes=1)
    else:
        assert end == (next_open(hours, at) or at + LOOKAHEAD)


@settings(max_examples=60, deadline=None)
@given(hours_and_moment())
def test_next_open_is_the_first_open_minute(drawn: tuple[Hours, datetime]) -> None:
    hours, at = drawn
    found = next_open(hours, at)
    moment = at
    while moment < at + timedelta(days=8) and not open_by_the_model(hours, moment):
        # Windows begin on whole minutes, so between two of them nothing opens.
        moment = moment.replace(second=0) + timedelta(minutes=1)
    if moment < at + timedelta(days=8):
        assert found == moment
    else:
        assert found is None or found >= moment.replace(second=0)


@settings(max_examples=200, deadline=None)
@given(hours_and_moment(), st.floats(0, 2e5), st.floats(0, 2e5), st.integers(0, 86400))
def test_more_time_and_a_later_start_never_end_earlier(
    drawn: tuple[Hours, datetime], seconds: float, more: float, later: int
) -> None:
    hours, at = drawn
    end = add_open_time(hours, at, seconds)
    assert at <= end
    assert end <= add_open_time(hours, at, seconds + more)
    assert end <= add_open_time(hours, at + timedelta(seconds=later), seconds)


@settings(max_examples=200, deadline=None)
@given(hours_and_moment(), st.integers(1, 200_000))
def test_the_answer_is_open_or_the_end_of_an_opening(drawn: tuple[Hours, datetime], seconds: int) -> None:
    hours, at = drawn
    end = add_open_time(hours, at, seconds)
    if next_open(hours, at) is not None and end < at + LOOKAHEAD:
        assert is_open(hours, end)[0] or is_open(hours, end - timedelta(microseconds=1))[0]


@settings(max_examples=200, deadline=None)
@given(hours_and_moment(), st.integers(0, 100_000), st.integers(1, 100_000))
def test_open_time_may_be_added_in_two_goes(drawn: tuple[Hours, datetime], one: int, two: int) -> None:
    hours, at = drawn
    total = add_open_time(hours, at, one + two)
    if total < at + LOOKAHEAD:
        assert add_open_time(hours, add_open_time(hours, at, one), two) == total
