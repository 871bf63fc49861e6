"""Before anybody rings: the block list, the cap, withheld numbers, VIPs."""

from __future__ import annotations

import pytest

from router.model import Caller, Reason, Withheld
from router.screening import blocked, challenged, find_vip
from tests.build import CALLER, VIP, make_screening, make_vip

WITHHELD = Caller(None)


@pytest.mark.parametrize(
    ("number", "place"),
    [
        ("+33899123456", 1),
        ("+33890000000", 2),
        ("+33899123457", 2),
        ("+338", None),
        ("+33899", 2),
        ("+33145678901", None),
        ("3389912", None),
        ("+44899123456", 3),
        ("+49301234567", 5),
    ],
)
def test_a_number_is_blocked_by_itself_or_by_a_prefix(number: str, place: int | None) -> None:
    screening = make_screening(["+33100000000", "+33899123456", "+3389*", "+44*", "+3389*", "+49301234567*"])
    reasons: list[Reason] = []
    assert blocked(screening, Caller(number), {}, reasons) is (place is not None)
    rule = "screening.block" if place is None else f"screening.block[{place}]"
    assert [reason.rule for reason in reasons] == [rule]


def test_of_two_prefixes_the_longer_one_decides() -> None:
    reasons: list[Reason] = []
    assert blocked(make_screening(["+33*", "+3389*"]), Caller("+33899123456"), {}, reasons)
    assert reasons[0].rule == "screening.block[1]"


@pytest.mark.parametrize(("before", "over"), [(0, False), (4, False), (5, False), (6, True), (900, True)])
def test_six_calls_a_minute_are_let_in_and_the_seventh_is_not(before: int, over: bool) -> None:
    reasons: list[Reason] = []
    screening = make_screening(max_per_minute=6)
    assert blocked(screening, Caller(CALLER), {CALLER: before, "+33145678902": 99}, reasons) is over
    assert reasons == [Reason("screening.max_per_minute", f"call {before + 1} in a minute, 6 are let in")]


def test_a_caller_with_no_call_in_the_last_minute_is_let_in() -> None:
    assert not blocked(make_screening(max_per_minute=1), Caller(CALLER), {}, [])


def test_without_screening_nothing_is_said_and_nobody_is_blocked() -> None:
    reasons: list[Reason] = []
    for caller in (Caller(CALLER), WITHHELD):
        assert not blocked(make_screening(), caller, {CALLER: 1000}, reasons)
        assert not challenged(make_screening(), caller)
        assert find_vip(make_screening(), caller, reasons) is None
    assert reasons == []


@pytest.mark.parametrize(
    ("rule", "is_blocked", "is_challenged"),
    [(Withheld.ALLOW, False, False), (Withheld.CHALLENGE, False, True), (Withheld.BLOCK, True, False)],
)
def test_withheld_numbers(rule: Withheld, is_blocked: bool, is_challenged: bool) -> None:
    screening = make_screening(["+*"], withheld=rule, max_per_minute=1)
    reasons: list[Reason] = []
    assert blocked(screening, WITHHELD, {}, reasons) is is_blocked
    assert challenged(screening, WITHHELD) is is_challenged
    assert not challenged(screening, Caller(CALLER))
    assert [reason.rule for reason in reasons] == (["screening.withheld"] if rule is not Withheld.ALLOW else [])


def test_a_vip_is_found_by_number_and_prefix_and_the_first_entry_wins() -> None:
    big = make_vip("big-account", [VIP, "+3314000*"])
    second = make_vip("second", ["+331*"])
    screening = make_screening(vips=[big, second])
    reasons: list[Reason] = []
    assert find_vip(screening, Caller(VIP), reasons) is big
    assert find_vip(screening, Caller("+33140001234"), reasons) is big
    assert find_vip(screening, Caller("+33145678901"), reasons) is second
    assert find_vip(screening, Caller("+33245678901"), reasons) is None
    assert find_vip(screening, WITHHELD, reasons) is None
    assert [reason.rule for reason in reasons] == [
        "screening.vips.big-account",
        "screening.vips.big-account",
        "screening.vips.second",
        "screening.vips",
    ]
