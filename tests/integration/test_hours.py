"""Open or closed at this moment, on real calls; and through `explain` on the nights that do not come today.

The hours are made around now, on a clock of their own: `Etc/GMT+N` is chosen so that it shows the hour that a rule
is about, whenever the tests run.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from sandbox.behaviours import BUSY
from tests.integration.site import ALICE, BOB, CAROL, Site, campaigns

pytestmark = pytest.mark.asterisk

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
NOT_NOW = {"mon": ["03:00-03:01"]}
EAST, WEST = "Etc/GMT-14", "Etc/GMT+12"
"""26 hours apart: it is never the same day in both."""
ON_DATES: dict[str, dict[str, Any]] = {
    # A window that comes twice or never, and one across the night.
    "clock-change": {"weekly": {"sun": ["02:00-03:00"]}, "holidays": "none"},
    "night": {"weekly": {"sat,sun": ["22:00-08:00"]}, "holidays": "none"},
    "france": {"weekly": {"mon-sun": ["09:00-18:00"]}, "holidays": "FR"},
    "moselle": {"weekly": {"mon-sun": ["09:00-18:00"]}, "holidays": "FR-57"},
}
"""For `explain`: on the company's clock, that of Paris."""


def clock_at(hour: int) -> tuple[str, date]:
    """A time zone in which it is `hour` o'clock and some minutes, and its date."""
    now = datetime.now(UTC)
    behind = (now.hour - hour + 12) % 24 - 12
    zone = f"Etc/GMT{behind:+d}"
    local = now.astimezone(ZoneInfo(zone))
    assert local.hour == hour
    return zone, local.date()


def open_now(noon: str, today: date, midnight: str, tomorrow: date) -> dict[str, tuple[dict[str, Any], bool]]:
    """Hours, and whether they are open now: `noon` is a clock that shows twelve, `midnight` one that shows zero."""
    weekday, evening = DAYS[today.weekday()], DAYS[(tomorrow - timedelta(days=1)).weekday()]
    every = {"mon-sun": ["00:00-24:00"]}
    at_noon = {"timezone": noon, "holidays": "none"}
    at_midnight = {"timezone": midnight, "holidays": "none"}
    return {
        "office": ({**at_noon, "weekly": {weekday: ["09:00-18:00"]}}, True),
        "over": ({**at_noon, "weekly": {weekday: ["09:00-12:00"]}}, False),
        "lunch": ({**at_noon, "weekly": {"mon-sun": ["09:00-12:00", "14:00-18:00"]}}, False),
        "other-day": ({**at_noon, "weekly": {DAYS[(today.weekday() + 1) % 7]: ["00:00-24:00"]}}, False),
        "day-off": ({**at_noon, "weekly": every, "closed": [f"{today}"]}, False),
        "span-off": (
            {**at_noon, "weekly": every, "closed": [f"{today - timedelta(days=3)}..{today + timedelta(days=1)}"]},
            False,
        ),
        "open-day": (
            {**at_noon, "weekly": NOT_NOW, "closed": [f"{today}"], "open": [f"{today} 10:00-15:00"]},
            True,
        ),
        "open-later": ({**at_noon, "weekly": every, "open": [f"{today} 14:00-15:00"]}, False),
        "night-shift": ({**at_midnight, "weekly": {evening: ["22:00-02:00"]}}, True),
        "next-night": ({**at_midnight, "weekly": {DAYS[tomorrow.weekday()]: ["22:00-02:00"]}}, False),
    }


NAMES = (*open_now("UTC", date(2026, 1, 1), "UTC", date(2026, 1, 2)), *ON_DATES, "absent", "nobody")
DID = {name: f"+331848022{number:02d}" for number, name in enumerate(NAMES)}


@pytest.fixture(scope="module")
def now() -> dict[str, tuple[dict[str, Any], bool]]:
    return open_now(*clock_at(12), *clock_at(0))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, now: dict[str, tuple[dict[str, Any], bool]]) -> Iterator[Site]:
    """A campaign for each of the hours, and for the people who are absent somewhere."""
    with Site(tmp_path_factory.mktemp("hours")) as site:
        made = campaigns(site.asterisk)
        made["hours"] = {**{name: hours for name, (hours, _) in now.items()}, **ON_DATES}
        there = datetime.now(ZoneInfo(EAST)).date()
        # And on the next day there, which may begin while the tests run.
        absent = {"absent": [f"{there}..{there + timedelta(days=1)}"]}
        made["salespeople"]["alice"] |= {"timezone": EAST, **absent}
        made["salespeople"]["bob"] |= {"timezone": WEST, **absent}
        made["campaigns"] = {
            name: {"numbers": [DID[name]], "hours": name, "ring": {"to": ["carol"]}, "callback": {"due": "3h"}}
            for name in made["hours"]
        }
        made["campaigns"]["absent"] = {"numbers": [DID["absent"]], "ring": {"to": ["alice", "bob"]}}
        made["campaigns"]["nobody"] = {"numbers": [DID["nobody"]], "ring": {"to": ["alice"]}}
        site.configure(made)
        yield site


def explain(site: Site, name: str, at: str = "") -> dict[str, Any]:
    """What `explain` says of a call to this campaign."""
    when = ("--at", at) if at else ()
    said = site.run("explain", "--to", DID[name], "--from", "+33140000001", "--format", "json", *when)
    assert said.returncode == 0, said.stderr
    told: dict[str, Any] = json.loads(said.stdout)
    assert told["campaign"] == name
    return told


def rule(told: dict[str, Any]) -> str:
    """The rule of the hours that decided."""
    (found,) = [each["rule"] for each in told["reasons"] if each["rule"].startswith("hours.")]
    return str(found)


# --- Now --------------------------------------------------------------------------------------------------


def test_it_rings_when_it_is_open_and_nobody_does_when_it_is_not(
    running: Site, now: dict[str, tuple[dict[str, Any], bool]]
) -> None:
    running.mobiles({CAROL: BUSY})
    calls = {name: running.call(DID[name]) for name in now}
    outcomes = {}
    for name, call in calls.items():
        row = call.ended()
        assert row["campaign"] == name
        outcomes[name] = row["outcome"], call.results()
        assert call.dialog.final == (486 if row["outcome"] == "busy" else 480)
        assert len(call.callbacks()) == 1, "missed in or out of hours"
    assert outcomes == {
        name: ("busy", [("carol", "busy")]) if opened else ("closed", []) for name, (_, opened) in now.items()
    }
    assert len(running.carrier.calls()) == sum(opened for _, opened in now.values())


@pytest.mark.parametrize(
    ("name", "key"),
    [("lunch", "weekly"), ("day-off", "closed"), ("open-day", "open"), ("night-shift", "weekly")],
)
def test_explain_says_the_same_and_why(
    site: Site, now: dict[str, tuple[dict[str, Any], bool]], name: str, key: str
) -> None:
    told = explain(site, name)
    assert told["outcome"] == (None if now[name][1] else "closed")
    assert rule(told) == f"hours.{name}.{key}"
    assert (told["next_open"] is None) == now[name][1]


def test_an_absence_is_a_day_where_the_person_is(running: Site) -> None:
    """The same days for Alice and Bob, of whom one is far east and one far west."""
    running.mobiles({ALICE: BUSY, BOB: BUSY})
    call, nobody = running.call(DID["absent"]), running.call(DID["nobody"])
    assert call.ended()["outcome"] == "busy"
    assert call.results() == [("bob", "busy")]
    assert nobody.ended()["outcome"] == "unreachable"
    assert nobody.results() == []
    assert running.carrier.calls(ALICE) == ()
    back = datetime.now(UTC) + timedelta(days=3)
    assert explain(running, "nobody", back.isoformat())["outcome"] is None


# --- On a date --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "opened"),
    [
        ("2026-10-25 01:59", False),
        ("2026-10-25T02:30+02:00", True),
        ("2026-10-25T02:30+01:00", True),
        ("2026-10-25T03:00+01:00", False),
        ("2027-03-28 01:59", False),
        ("2027-03-28 03:00", False),
    ],
)
def test_the_nights_of_the_clock_change(site: Site, at: str, opened: bool) -> None:
    """The hour from two to three comes twice in October, and not at all in March."""
    told = explain(site, "clock-change", at)
    assert told["outcome"] == (None if opened else "closed")


@pytest.mark.parametrize(
    ("at", "due"),
    [
        ("2026-10-25 00:30", "2026-10-25T02:30:02+01:00"),
        ("2027-03-28 00:30", "2027-03-28T04:30:02+02:00"),
    ],
)
def test_three_hours_are_three_hours_on_those_nights(site: Site, at: str, due: str) -> None:
    """From when the call has rung for two seconds in vain."""
    assert explain(site, "night", at)["callback_due"] == due


@pytest.mark.parametrize(
    ("at", "closed"),
    [
        ("2026-12-26 12:00", {"moselle"}),
        ("2027-03-26 12:00", {"moselle"}),
        ("2026-12-25 12:00", {"moselle", "france"}),
        ("2026-12-28 12:00", set()),
    ],
)
def test_public_holidays_are_those_of_the_region(site: Site, at: str, closed: set[str]) -> None:
    for name in ("france", "moselle"):
        told = explain(site, name, at)
        assert told["outcome"] == ("closed" if name in closed else None)
        assert rule(told) == f"hours.{name}.{'holidays' if name in closed else 'weekly'}"
