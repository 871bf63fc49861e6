"""Ids: sortable, of one length, and readable back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from router.ids import attempt_id, bridge_id, call_id, call_of_bridge, call_of_leg, new_call_id

TIMES = st.floats(0, 4_000_000_000)
CHANCE = st.integers(0, 2**75 - 1)


@given(TIMES, CHANCE, TIMES, CHANCE)
def test_ids_sort_by_time_and_differ_by_chance(one: float, chance: int, two: float, other: int) -> None:
    first, second = call_id(one, chance), call_id(two, other)
    assert len(first) == len(second) == 26
    if int(one * 1000) != int(two * 1000):
        assert (first < second) == (one < two)
    else:
        assert (first == second) == (chance == other)


@given(TIMES, CHANCE, st.integers(1, 99))
def test_legs_and_bridges_name_their_call(epoch: float, chance: int, seq: int) -> None:
    call = call_id(epoch, chance)
    assert call_of_leg(attempt_id(call, seq)) == call
    assert call_of_bridge(bridge_id(call)) == call
    assert call_of_leg(call) is None
    assert call_of_bridge(call) is None


def test_other_channels_are_not_ours() -> None:
    for channel in ("1700000000.12", "c" + "z" * 25 + "-01", attempt_id(new_call_id(1.0), 1) + ";2", ""):
        assert call_of_leg(channel) is None
        assert call_of_bridge(channel) is None
