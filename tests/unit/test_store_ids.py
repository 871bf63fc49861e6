"""Ids and times in the database: they sort, they fit, they come out the same twice."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.ids import call_of_bridge, call_of_leg
from router.model import Path
from router.store.ids import attempt_id, bridge_id, callback_id, caller_id, fallback_id, new_call_id
from router.store.times import LATEST, from_text, optional_epoch, optional_text, to_text

SHAPE = re.compile(r"c[0-9a-v]{25}")
TIMES = st.floats(0, 4e9).map(lambda second: round(second, 3))


@given(TIMES, TIMES, st.binary(min_size=10, max_size=20), st.binary(min_size=10, max_size=20))
def test_call_ids_have_one_length_and_sort_by_time(first: float, second: float, a: bytes, b: bytes) -> None:
    one, other = new_call_id(first, a), new_call_id(second, b)
    assert SHAPE.fullmatch(one)
    if round(first * 1000) < round(second * 1000):
        assert one < other


def test_a_call_id_wants_enough_chance() -> None:
    with pytest.raises(ValueError, match="10 bytes"):
        new_call_id(0.0, b"123456789")


def test_a_call_id_wants_a_time_that_fits() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        new_call_id(-1.0, b"0123456789")


def test_the_second_and_third_line_name_one_call_the_same() -> None:
    assert fallback_id("1772359200.17", 1772359200.0) == fallback_id("1772359200.17", 1772359200.0)
    assert fallback_id("1772359200.17", 1772359200.0) != fallback_id("1772359200.18", 1772359200.0)


def test_legs_and_bridges_are_recognised_in_asterisk() -> None:
    call = new_call_id(1.0, b"0123456789")
    assert call_of_leg(attempt_id(call, 7)) == call
    assert call_of_bridge(bridge_id(call)) == call


def test_attempts_of_the_three_lines_never_share_an_id() -> None:
    call = new_call_id(1.0, b"0123456789")
    ids = [attempt_id(call, seq, path) for path in Path for seq in range(1, 32)]
    assert len(set(ids)) == len(ids)
    assert {len(each) for each in ids} == {29}


@pytest.mark.parametrize(("seq", "path"), [(0, Path.ARI), (100, Path.ARI), (0, Path.AGI), (32, Path.DIALPLAN)])
def test_an_attempt_past_the_last_has_no_id(seq: int, path: Path) -> None:
    with pytest.raises(ValueError, match="has no id"):
        attempt_id("c" + "0" * 25, seq, path)


def test_callbacks_and_callers_take_their_time_from_the_call() -> None:
    call = new_call_id(1.0, b"0123456789")
    assert callback_id(call) == "k" + call[1:]
    assert caller_id(call, "pabcdefghijklmno") == "n" + call[1:11] + "abcdefghijklmno"


@given(TIMES)
def test_times_come_back_to_the_millisecond(epoch: float) -> None:
    assert from_text(to_text(epoch)) == pytest.approx(epoch, abs=0.0006)


@given(TIMES, TIMES)
def test_text_order_is_time_order(first: float, second: float) -> None:
    assert (to_text(first) <= to_text(second)) is (round(first * 1000) <= round(second * 1000))


def test_the_form_of_a_time() -> None:
    assert to_text(1772359200.0456) == "2026-03-01T10:00:00.046Z"
    assert to_text(1772359199.9999) == "2026-03-01T10:00:00.000Z"


@pytest.mark.parametrize("epoch", [-0.001, LATEST, float("nan"), float("inf")])
def test_a_time_that_would_not_sort_is_refused(epoch: float) -> None:
    with pytest.raises(ValueError, match="no time"):
        to_text(epoch)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        from_text("2026-03-01T10:00:00")


def test_nothing_stays_nothing() -> None:
    assert optional_text(None) is None
    assert optional_epoch(None) is None
    assert optional_epoch(optional_text(5.0)) == 5.0
