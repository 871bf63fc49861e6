"""The tables that name how a leg and a call ended."""

from __future__ import annotations

import itertools

import pytest

from router.model import Outcome, Result
from router.outcome import CALLER_REASON, REASON_CAUSE, call_outcome, leg_result


@pytest.mark.parametrize(
    ("status", "rang", "result"),
    [
        (302, False, Result.UNREACHABLE),  # forwarded elsewhere: never followed
        (403, True, Result.UNREACHABLE),
        (404, False, Result.UNREACHABLE),
        (408, False, Result.UNREACHABLE),
        (408, True, Result.NO_ANSWER),
        (480, False, Result.NO_ANSWER),
        (486, False, Result.BUSY),
        (487, True, Result.NO_ANSWER),
        (487, False, Result.UNREACHABLE),
        (488, False, Result.UNREACHABLE),
        (500, True, Result.UNREACHABLE),
        (503, False, Result.UNREACHABLE),
        (600, True, Result.BUSY),
        (603, True, Result.DECLINED),
        (608, False, Result.DECLINED),
        (699, False, Result.UNREACHABLE),
    ],
)
def test_the_carriers_word_is_believed_first(status: int, rang: bool, result: Result) -> None:
    assert leg_result(sip_status=status, dialstatus="BUSY", cause=17, rang=rang) is result


@pytest.mark.parametrize(
    ("dialstatus", "cause", "result"),
    [
        ("BUSY", 0, Result.BUSY),  # a Local leg: no SIP status, no cause
        ("CONGESTION", 0, Result.UNREACHABLE),
        ("CHANUNAVAIL", 16, Result.UNREACHABLE),
        ("", 17, Result.BUSY),
        ("", 19, Result.NO_ANSWER),
        ("", 21, Result.DECLINED),
        ("", 34, Result.UNREACHABLE),
        ("UNHEARD OF", 1, Result.UNREACHABLE),
    ],
)
def test_without_a_sip_status_the_dial_status_counts_and_then_the_cause(
    dialstatus: str, cause: int, result: Result
) -> None:
    assert leg_result(sip_status=None, dialstatus=dialstatus, cause=cause, rang=True) is result


@pytest.mark.parametrize(("rang", "result"), [(True, Result.NO_ANSWER), (False, Result.UNREACHABLE)])
def test_a_leg_that_ended_without_a_word(rang: bool, result: Result) -> None:
    assert leg_result(sip_status=None, dialstatus="", cause=0, rang=rang) is result
    assert leg_result(sip_status=200, dialstatus="", cause=16, rang=rang) is result
    assert leg_result(sip_status=None, dialstatus="CANCEL", cause=0, rang=rang) is result


@pytest.mark.parametrize(
    ("results", "outcome"),
    [
        ([], Outcome.UNREACHABLE),
        ([Result.NO_ANSWER, Result.BUSY, Result.UNREACHABLE], Outcome.NO_ANSWER),
        ([Result.NOT_ACCEPTED, Result.FAILED], Outcome.NO_ANSWER),
        ([Result.BUSY, Result.UNREACHABLE], Outcome.BUSY),
        ([Result.DECLINED], Outcome.BUSY),
        ([Result.UNREACHABLE, Result.FAILED], Outcome.UNREACHABLE),
        ([Result.FAILED, Result.FAILED], Outcome.FAILED),
        ([Result.CANCELLED], Outcome.FAILED),
    ],
)
def test_a_hunt_that_reached_nobody(results: list[Result], outcome: Outcome) -> None:
    for order in itertools.permutations(results):
        assert call_outcome(order) is outcome


def test_every_outcome_tells_the_caller_something() -> None:
    for outcome in Outcome:
        assert REASON_CAUSE[CALLER_REASON[outcome]] > 0


def test_missed_is_every_outcome_but_answered_and_blocked() -> None:
    assert {outcome for outcome in Outcome if not outcome.missed} == {Outcome.ANSWERED, Outcome.BLOCKED}
