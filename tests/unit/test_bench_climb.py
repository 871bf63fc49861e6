"""The search for the calls a second that are held."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.climb import LATE, NEAR, Climb, first_rate, went_well


def climbed(limit: float, start: float, steps: int) -> tuple[Climb, list[float]]:
    """A climb against something that holds `limit` calls a second, and the rates that it tried."""
    climb, tried = Climb(start, steps), []
    while (rate := climb.next) is not None:
        tried.append(rate)
        climb = climb.after(rate, well=rate <= limit)
    return climb, tried


def test_begins_where_it_is_told() -> None:
    assert Climb(50.0, 5).next == 50.0


def test_goes_up_after_a_success_and_down_after_a_failure() -> None:
    up, down = Climb(50.0, 5).after(50.0, well=True).next, Climb(50.0, 5).after(50.0, well=False).next
    assert up is not None
    assert down is not None
    assert down < 50.0 < up


def test_no_steps_no_rate() -> None:
    assert Climb(50.0, 0).next is None


@given(limit=st.floats(1, 1000), start=st.floats(1, 1000), steps=st.integers(0, 40))
def test_is_bounded_and_never_claims_more_than_was_held(limit: float, start: float, steps: int) -> None:
    climb, tried = climbed(limit, start, steps)
    assert len(tried) <= steps
    assert climb.held is None or climb.held <= limit
    assert climb.failed is None or climb.failed > limit


@given(limit=st.floats(1, 1000), start=st.floats(1, 1000))
def test_with_time_enough_it_comes_near(limit: float, start: float) -> None:
    climb, _ = climbed(limit, start, 100)
    assert climb.held is not None
    assert climb.failed is not None
    assert climb.failed / climb.held < NEAR


def test_a_failure_at_a_rate_that_once_went_well_lowers_nothing_below_it() -> None:
    climb = Climb(50.0, 5).after(50.0, well=True).after(67.0, well=False).after(58.0, well=True)
    assert (climb.held, climb.failed) == (58.0, 67.0)


@pytest.mark.parametrize(
    ("failed", "placed_at", "p99", "well"),
    [
        (0, 100.0, 20.0, True),
        (1, 100.0, 20.0, False),
        (0, 80.0, 20.0, False),
        (0, 100.0, LATE, False),
        (0, 100.0, float("nan"), False),
    ],
)
def test_what_counts_as_held(failed: int, placed_at: float, p99: float, well: bool) -> None:
    assert went_well(failed=failed, asked=100.0, placed_at=placed_at, p99=p99) is well


def test_the_first_rate_leaves_room() -> None:
    assert first_rate(7.0, phones=3.0, cores=2) == pytest.approx(160.0)
