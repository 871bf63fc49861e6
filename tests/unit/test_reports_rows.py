"""Each figure of each report against the same figure worked out naively, over random calls in a real database."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from router.errors import NotFound
from router.model import Config, Cost
from router.reports import campaigns, hours, missed, salespeople
from router.reports.period import Period
from router.store.schema import WITHHELD
from router.store.times import to_text
from tests.build import make_campaign, make_config, make_salesperson
from tests.report_rows import CAMPAIGNS, PEOPLE, Ledger, Rung, epoch

PARIS = ZoneInfo("Europe/Paris")
TODAY = date(2026, 4, 10)
SPRING_COST = Cost(Decimal("1200"), "EUR", date(2026, 3, 1), date(2026, 5, 31))
CONFIG = make_config(
    campaigns=[
        make_campaign(
            "spring", cost=[SPRING_COST, Cost(Decimal("310"), "CHF", date(2026, 3, 1), date(2026, 3, 31))]
        ),
        make_campaign(
            "silent", medium="card", cost=[Cost(Decimal("99"), "EUR", date(2026, 3, 20), date(2026, 4, 20))]
        ),
        make_campaign("poster"),
        make_campaign("website", cost=[Cost(Decimal("730"), "EUR", None, None)]),
    ],
    salespeople=[make_salesperson("bob"), make_salesperson("dan"), make_salesperson("alice")],
)
MARCH = Period(date(2026, 3, 1), date(2026, 3, 31), PARIS)
PERIODS = [
    MARCH,
    Period(date(2026, 3, 29), date(2026, 3, 29), PARIS),
    Period(date(2026, 3, 28), date(2026, 3, 30), ZoneInfo("Asia/Kathmandu")),
    Period(date(2026, 1, 1), date(2026, 12, 31), PARIS),
    Period(date(2020, 1, 1), date(2020, 1, 31), PARIS),
]


@pytest.fixture(scope="module", params=range(3))
def ledger(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """1,500 calls from mid-February to mid-April 2026, over the clock change of 29 March."""
    made = Ledger(str(tmp_path_factory.mktemp("reports") / "calls.db"))
    made.at_random(request.param, 1500, "2026-02-20T00:00:00+01:00", "2026-04-10T00:00:00+02:00")
    yield made
    made.close()


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(str(tmp_path / "calls.db"))
    yield made
    made.close()


def local_day(at: int, zone: ZoneInfo) -> date:
    return datetime.fromtimestamp(at / 1000, zone).date()


def within(ledger: Ledger, period: Period) -> list[Rung]:
    return [call for call in ledger.calls if period.first <= local_day(call.at, period.zone) <= period.last]


def naive_percentile(values: list[int], percent: int) -> float | None:
    return sorted(values)[math.ceil(len(values) * percent / 100) - 1] / 1000 if values else None


def naive_row(ledger: Ledger, period: Period, campaign: str) -> dict[str, object]:
    everything = within(ledger, period)
    unblocked = [call for call in everything if call.outcome != "blocked"]
    mine = [call for call in unblocked if call.campaign == campaign]
    answered = [call for call in mine if call.outcome == "answered"]
    lost = [call for call in mine if call.outcome not in ("answered", None)]
    ended = len(answered) + len(lost)
    waits = [call.wait for call in answered if call.wait is not None]
    first_in_period = {}
    for call in sorted(unblocked, key=lambda each: each.at, reverse=True):
        first_in_period[call.caller] = call
    seen_before = {call.caller for call in ledger.calls if local_day(call.at, period.zone) < period.first}
    new = [
        caller
        for caller, call in first_in_period.items()
        if call.campaign == campaign and caller not in seen_before and caller != WITHHELD
    ]
    return {
        "calls": len(mine),
        "answered": len(answered),
        "missed": len(lost),
        "missed_rate": round(len(lost) / ended, 4) if ended else None,
        "in_progress": len(mine) - ended,
        "blocked": sum(call.campaign == campaign for call in everything) - len(mine),
        "seconds_to_human_p50": naive_percentile(waits, 50),
        "seconds_to_human_p90": naive_percentile(waits, 90),
        "talk_seconds": pytest.approx(sum(call.talk for call in answered), abs=0.001),
        "callers": len({call.caller for call in mine} - {WITHHELD}),
        "first_time_callers": len(new),
        "withheld_calls": sum(call.caller == WITHHELD for call in mine),
    }


def campaign_report(
    ledger: Ledger, period: Period, only: str | None = None, config: Config = CONFIG
) -> list[campaigns.Row]:
    with ledger.reading() as conn:
        return campaigns.rows(conn, config, period, campaigns.tallies(conn, period, only), TODAY, only)


@pytest.mark.parametrize("period", PERIODS, ids=str)
def test_campaigns(ledger: Ledger, period: Period) -> None:
    rows = [row for row in campaign_report(ledger, period) if row["calls"] is not None]
    called = {call.campaign for call in within(ledger, period)}
    others = [id for id in ("unknown", "removed") if id in called]
    assert [row["campaign"] for row in rows] == ["spring", "silent", "poster", "website", *others]
    for row in rows:
        naive = naive_row(ledger, period, str(row["campaign"]))
        assert {key: row[key] for key in naive} == naive


@pytest.mark.parametrize("campaign", [*CAMPAIGNS, "silent"])
def test_one_campaign_has_the_figures_that_it_has_among_all(ledger: Ledger, campaign: str) -> None:
    among_all = [row for row in campaign_report(ledger, MARCH) if row["campaign"] == campaign]
    assert campaign_report(ledger, MARCH, campaign) == among_all


def test_total(ledger: Ledger) -> None:
    with ledger.reading() as conn:
        counted = campaigns.tallies(conn, MARCH)
        rows = campaigns.rows(conn, CONFIG, MARCH, counted, TODAY)
    head, *rest = campaigns.total(counted, rows)
    march = [call for call in within(ledger, MARCH) if call.outcome != "blocked"]
    waits = [call.wait for call in march if call.outcome == "answered" and call.wait is not None]
    assert head["calls"] == len(march)
    assert head["callers"] == len({call.caller for call in march} - {WITHHELD})
    assert head["seconds_to_human_p90"] == naive_percentile(waits, 90)
    assert {row["currency"]: row["cost"] for row in (head, *rest)} == {
        currency: sum(row["cost"] for row in rows if row["currency"] == currency)  # type: ignore[misc]
        for currency in ("EUR", "CHF")
    }


def test_costs_stand_beside_their_calls(ledger: Ledger) -> None:
    rows = [row for row in campaign_report(ledger, MARCH) if row["campaign"] in ("spring", "silent")]
    naive = naive_row(ledger, MARCH, "spring")
    calls, answered = Decimal(str(naive["calls"])), Decimal(str(naive["answered"]))
    cent = Decimal("0.01")
    euros = Decimal(1200) * 31 / 92
    assert [(row["currency"], row["cost"], row["calls"]) for row in rows] == [
        ("EUR", euros.quantize(cent), naive["calls"]),
        ("CHF", Decimal("310.00"), None),
        ("EUR", (Decimal(99) * 12 / 32).quantize(cent), 0),
    ]
    assert rows[0]["cost_per_call"] == (euros / calls).quantize(cent)
    assert rows[0]["cost_per_answered"] == (euros / answered).quantize(cent)
    assert rows[1]["cost_per_call"] == (310 / calls).quantize(cent)
    assert rows[2]["cost_per_call"] is rows[2]["cost_per_answered"] is None


def test_a_cost_without_dates_runs_from_the_first_call_to_today(ledger: Ledger) -> None:
    began = min(local_day(call.at, PARIS) for call in ledger.calls if call.campaign == "website")
    (row,) = campaign_report(ledger, MARCH, "website")
    days = (TODAY - began).days + 1
    assert row["cost"] == (Decimal(730) * 31 / days).quantize(Decimal("0.01"))


def test_a_campaign_that_nobody_knows(ledger: Ledger) -> None:
    with pytest.raises(NotFound, match="'nonsense'"):
        campaign_report(ledger, MARCH, "nonsense")


def test_a_live_call_is_not_missed(empty: Ledger) -> None:
    empty.call("2026-03-02T10:00:00+01:00", outcome=None)
    empty.call("2026-03-02T10:01:00+01:00", outcome=None, answered_after=4.0, salesperson="alice")
    empty.call("2026-03-02T10:02:00+01:00", outcome="blocked")
    (row, *_) = campaign_report(empty, MARCH)
    assert (row["calls"], row["in_progress"], row["missed"], row["blocked"]) == (2, 2, 0, 1)
    assert row["missed_rate"] is row["seconds_to_human_p50"] is None


def test_a_period_ends_before_the_next_day_begins(empty: Ledger) -> None:
    for at in ("2026-02-28T23:59:59.999+01:00", "2026-04-01T00:00:00+02:00"):
        call = empty.call(at, talk=60.0)
        empty.attempt(call, at, "accepted")
        lost = empty.call(at, caller=f"k{at}", outcome="busy")
        empty.callback([lost], caller=f"k{at}", opened_at=at, due_at=at)
        empty.call(at, caller=WITHHELD, outcome="busy")
    (row, *_) = campaign_report(empty, MARCH)
    assert (row["calls"], row["seconds_to_human_p50"], row["callers"], row["first_time_callers"]) == (0, None, 0, 0)
    assert missed_report(empty, everyone=False) == []
    with empty.reading() as conn:
        assert sum(int(str(each["calls"])) for each in hours.rows(conn, MARCH)) == 0
        people = salespeople.rows(conn, CONFIG, MARCH)
    assert {(each["attempts"], each["ring_seconds_p50"], each["talk_seconds"]) for each in people} == {
        (0, None, 0.0)
    }


def test_a_caller_is_known_by_a_call_that_was_imported_later(empty: Ledger) -> None:
    empty.call("2026-03-02T10:00:00+01:00", caller="k1")
    empty.call("2026-02-02T10:00:00+01:00", caller="k1")
    empty.caller("k2", epoch("2025-01-01T00:00:00+01:00"))
    empty.call("2026-03-02T10:00:00+01:00", caller="k2")
    empty.call("2026-03-02T10:00:00+01:00", caller="k3")
    (row, *_) = campaign_report(empty, MARCH)
    assert (row["callers"], row["first_time_callers"]) == (3, 1)


@pytest.mark.parametrize("period", PERIODS, ids=str)
def test_salespeople(ledger: Ledger, period: Period) -> None:
    with ledger.reading() as conn:
        rows = salespeople.rows(conn, CONFIG, period)
    legs = [leg for leg in ledger.legs if period.first <= local_day(leg.at, period.zone) <= period.last]
    assert [row["salesperson"] for row in rows] == ["bob", "dan", "alice"] + ["left-us"] * bool(legs)
    for row in rows:
        mine = [leg for leg in legs if leg.salesperson == row["salesperson"]]
        results = [leg.result for leg in mine]
        took = results.count("accepted")
        silent = results.count("no_answer") + results.count("not_accepted")
        busy = results.count("busy") + results.count("declined")
        talks = [call.talk for call in within(ledger, period) if call.salesperson == row["salesperson"]]
        chances = took + silent + busy
        assert row == {
            "salesperson": row["salesperson"],
            "name": None if row["salesperson"] == "left-us" else str(row["salesperson"]).title(),
            "attempts": len(mine),
            "accepted": took,
            "not_answered": silent,
            "busy": busy,
            "unreachable": results.count("unreachable") + results.count("failed"),
            "cancelled": results.count("cancelled"),
            "in_progress": results.count(None),
            "accepted_rate": round(took / chances, 4) if chances else None,
            "ring_seconds_p50": naive_percentile([leg.ring for leg in mine if leg.ring is not None], 50),
            "talk_seconds": pytest.approx(sum(talks), abs=0.001),
        }


@pytest.mark.parametrize("period", PERIODS, ids=str)
@pytest.mark.parametrize("only", [None, "spring"])
def test_hours(ledger: Ledger, period: Period, only: str | None) -> None:
    with ledger.reading() as conn:
        rows = hours.rows(conn, period, only)
    naive = {(day, hour): [0, 0, 0] for day in range(1, 8) for hour in range(24)}
    for call in within(ledger, period):
        if call.outcome != "blocked" and only in (None, call.campaign):
            at = datetime.fromtimestamp(call.at / 1000, period.zone)
            cell = naive[at.isoweekday(), at.hour]
            cell[0] += 1
            cell[1] += call.outcome not in ("answered", None)
            cell[2] += call.outcome is not None
    assert [(row["weekday"], row["hour"]) for row in rows] == list(naive)
    assert [(row["calls"], row["missed"]) for row in rows] == [(begun, lost) for begun, lost, _ in naive.values()]
    assert [row["missed_rate"] for row in rows] == [
        round(lost / ended, 4) if ended else None for _, lost, ended in naive.values()
    ]


def test_the_nights_on_which_the_clock_changes(empty: Ledger) -> None:
    for at in ("2026-03-29T00:30:00+00:00", "2026-03-29T01:30:00+00:00"):  # 01:30, then 03:30
        empty.call(at)
    for at in ("2026-10-25T00:30:00+00:00", "2026-10-25T01:30:00+00:00"):  # 02:30 twice
        empty.call(at)
    found = {}
    for day in (date(2026, 3, 29), date(2026, 10, 25)):
        with empty.reading() as conn:
            rows = hours.rows(conn, Period(day, day, PARIS))
        found[day.month] = {row["hour"]: row["calls"] for row in rows if row["calls"]}
        assert {row["weekday"] for row in rows if row["calls"]} == {7}
    assert found == {3: {1: 1, 3: 1}, 10: {2: 2}}


def test_the_grid_begins_and_ends_with_the_calls(empty: Ledger) -> None:
    empty.call("2026-03-02T10:00:00+01:00")
    empty.call("2026-03-04T12:59:59+01:00", outcome="busy")
    with empty.reading() as conn:
        rows = hours.rows(conn, MARCH)
    grid = hours.grid(rows, "calls")
    assert [line["hour"] for line in grid] == [10, 11, 12, "all"]
    assert [line["week"] for line in grid] == [1, 0, 1, 2]
    assert [line["Wed"] for line in hours.grid(rows, "missed")] == [0, 0, 1, 1]


NOW = "2026-03-10T12:00:00+01:00"


def missed_report(ledger: Ledger, period: Period = MARCH, **options: object) -> list[missed.Row]:
    with ledger.reading() as conn:
        return missed.rows(conn, period, to_text(epoch(NOW)), **options)  # type: ignore[arg-type]


def test_who_waits_oldest_first(empty: Ledger) -> None:
    calls = [
        empty.call(f"2026-03-0{day}T10:00:00+01:00", caller=f"k{day}", outcome="abandoned")
        for day in (1, 2, 3, 4, 5, 6)
    ]
    again = empty.call("2026-03-03T11:00:00+01:00", caller="k3", outcome="busy")
    old = empty.call("2025-12-01T10:00:00+01:00", caller="k9", campaign="poster", outcome="no_answer")

    def opened(day: int, **more: str) -> None:
        at = f"2026-03-0{day}T10:01:00+01:00"
        due = {"due_at": "2026-03-10T12:15:00+01:00", **more}
        joined = [calls[day - 1], again] if day == 3 else [calls[day - 1]]
        empty.callback(joined, caller=f"k{day}", opened_at=at, **due)

    opened(3, due_at="2026-03-03T10:15:00+01:00")
    opened(1, state="done")
    opened(2, state="claimed", owner="alice", lease_until="2026-03-10T12:30:00+01:00")
    opened(4, state="claimed", owner="bob", lease_until="2026-03-10T11:59:00+01:00")
    opened(5, expires_at=NOW)
    opened(6, due_at=NOW)
    empty.callback(
        [old],
        caller="k9",
        campaign="poster",
        opened_at="2025-12-01T10:01:00+01:00",
        due_at="2025-12-01T10:15:00+01:00",
    )
    rows = missed_report(empty)
    shown = [(row["since"], row["state"], row["owner"], row["overdue"], row["missed_calls"]) for row in rows]
    assert shown == [
        ("2025-12-01T09:01:00.000Z", "open", None, True, 1),
        ("2026-03-02T09:01:00.000Z", "claimed", "alice", False, 1),
        ("2026-03-03T09:01:00.000Z", "open", None, True, 2),
        ("2026-03-04T09:01:00.000Z", "open", None, False, 1),
        ("2026-03-06T09:01:00.000Z", "open", None, True, 1),
    ]
    assert [row["since"] for row in missed_report(empty, everyone=False)] == [row[0] for row in shown[1:]]
    assert [row["campaign"] for row in missed_report(empty, only="poster")] == ["poster"]


def test_callers_are_hidden(empty: Ledger) -> None:
    empty.caller("k1", 0.0, "+33612345678")
    empty.caller("k2", 0.0, None)
    for caller in ("k1", "k2"):
        call = empty.call("2026-03-02T10:00:00+01:00", caller=caller, outcome="busy")
        empty.callback(
            [call], caller=caller, opened_at="2026-03-02T10:01:00+01:00", due_at="2026-03-02T10:15:00+01:00"
        )
    rows = missed_report(empty)
    assert "anon-k2" in {row["caller"] for row in rows}
    (number,) = {str(row["caller"]) for row in rows} - {"anon-k2"}
    assert number.startswith("+33 ")
    assert number.endswith("78")
    assert "612" not in number.replace(" ", "")


def test_missed_calls_without_a_callback_are_counted(ledger: Ledger) -> None:
    rows = missed_report(ledger)
    naive: dict[tuple[str, str | None], list[int]] = {}
    for call in within(ledger, MARCH):
        if call.outcome not in ("answered", "blocked", None):
            key = (call.campaign, "withheld" if call.caller == WITHHELD else None)
            naive.setdefault(key, []).append(call.at)
    assert {(row["campaign"], row["caller"]): row["missed_calls"] for row in rows} == {
        key: len(times) for key, times in naive.items()
    }
    assert [row["since"] for row in rows] == sorted(to_text(min(times) / 1000) for times in naive.values())
    assert {row["state"] for row in rows} == {"none"}
    assert len(missed.summary(rows, MARCH)) == 2 + len(rows)
    assert missed.summary([], MARCH) == []


def test_a_due_time_reads_as_a_distance() -> None:
    now = datetime.fromisoformat(NOW)
    (due,) = [column.format for column in missed.table_columns(PARIS, now) if column.key == "due_at"]
    assert due is not None
    minutes = {
        5: "in 5 min",
        -5: "5 min late",
        89: "in 89 min",
        90: "in 2 h",
        -60 * 36: "2 d late",
        -60 * 35: "35 h late",
    }
    for away, text in minutes.items():
        assert due(to_text((now + timedelta(minutes=away)).astimezone(UTC).timestamp())) == text


def test_an_empty_database(empty: Ledger) -> None:
    rows = campaign_report(empty, MARCH)
    assert {row["campaign"] for row in rows} == {"spring", "silent", "poster", "website"}
    assert {row["calls"] for row in rows} == {0, None}
    assert missed_report(empty) == []
    with empty.reading() as conn:
        assert {row["attempts"] for row in salespeople.rows(conn, CONFIG, MARCH)} == {0}
        grid = hours.grid(hours.rows(conn, MARCH), "calls")
    assert grid == []
    assert set(PEOPLE) - set(CONFIG.salespeople) == {"left-us"}
