"""What is counted at a call's end: by labels that the file bounds, and without anybody's number."""

from __future__ import annotations

from dataclasses import replace

import pytest

from router.health.tally import BOUNDS, MOST_CAMPAIGNS, Histogram, Tally
from router.model import AttemptRecord, CallRecord, Outcome, Result
from tests.build import CALLER, make_campaign, make_config, make_trunk
from tests.store_rows import attempt as a_leg
from tests.store_rows import call as a_call


@pytest.fixture
def tally() -> Tally:
    tally = Tally()
    tally.configure(make_config(trunks=[make_trunk("main"), make_trunk("spare")]))
    return tally


def ended(
    outcome: Outcome | None = Outcome.ANSWERED, campaign: str = "spring-flyer", ring: float | None = 12.0
) -> CallRecord:
    return replace(a_call("one"), outcome=outcome, campaign=campaign, ring_seconds=ring)


def attempt(trunk: str = "main", result: Result | None = Result.ACCEPTED) -> AttemptRecord:
    return replace(a_leg(a_call("one"), result), trunk=trunk)


def test_calls_are_counted_by_campaign_and_outcome(tally: Tally) -> None:
    for outcome in (Outcome.ANSWERED, Outcome.ANSWERED, Outcome.ABANDONED):
        tally.ended(ended(outcome), ())
    tally.ended(ended(Outcome.BLOCKED, "unknown"), ())
    assert tally.counts().calls == {
        ("spring-flyer", "answered"): 2,
        ("spring-flyer", "abandoned"): 1,
        ("unknown", "blocked"): 1,
    }


def test_attempts_are_counted_by_trunk_and_result(tally: Tally) -> None:
    legs = (attempt("main", Result.BUSY), attempt("spare"), attempt("main", None))
    tally.ended(ended(), legs)
    assert tally.counts().attempts == {("main", "busy"): 1, ("spare", "accepted"): 1}


def test_labels_are_those_of_the_file_and_no_other(tally: Tally) -> None:
    for name in (CALLER, 'x"}\n', "gone", "alice"):
        tally.ended(ended(campaign=name), (attempt(name),))
    counts = tally.counts()
    assert counts.calls == {("other", "answered"): 4}
    assert counts.attempts == {("other", "accepted"): 4}


def test_what_the_file_names_no_more_is_forgotten_and_the_rest_goes_on(tally: Tally) -> None:
    tally.ended(ended(), (attempt("main"), attempt("spare")))
    tally.ended(ended(campaign="unknown"), ())
    tally.configure(make_config(campaigns=[make_campaign("autumn", ["+33184801009"])], trunks=[make_trunk("main")]))
    tally.ended(ended(campaign="autumn"), (attempt("main"),))
    assert tally.counts().calls == {("unknown", "answered"): 1, ("autumn", "answered"): 1}
    assert tally.counts().attempts == {("main", "accepted"): 2}


def test_a_file_with_very_many_campaigns_has_bounded_labels() -> None:
    names = [f"c{index}" for index in range(MOST_CAMPAIGNS + 5)]
    tally = Tally()
    tally.configure(make_config(campaigns=[make_campaign(name, ()) for name in names]))
    for name in names:
        tally.ended(ended(campaign=name), ())
    calls = tally.counts().calls
    assert len(calls) == MOST_CAMPAIGNS + 1
    assert calls["other", "answered"] == 5


def test_ring_times_are_of_calls_that_rang_and_answer_times_of_those_that_were_answered(tally: Tally) -> None:
    tally.ended(ended(Outcome.ANSWERED, ring=4.0), (attempt(),))
    tally.ended(ended(Outcome.NO_ANSWER, ring=61.0), (attempt(),))
    tally.ended(ended(Outcome.CLOSED, ring=0.0), ())
    tally.ended(ended(Outcome.ANSWERED, ring=None), (attempt(),))
    counts = tally.counts()
    assert (sum(counts.ring.counts), counts.ring.total) == (2, 65.0)
    assert (sum(counts.answer.counts), counts.answer.total) == (1, 4.0)


def test_a_call_without_an_outcome_is_not_over(tally: Tally) -> None:
    tally.ended(ended(None), (attempt(),))
    assert not tally.counts().calls
    assert not tally.counts().attempts


def test_a_copy_stays_as_it_was(tally: Tally) -> None:
    before = tally.counts()
    tally.ended(ended(), (attempt(),))
    assert not before.calls
    assert not before.attempts
    assert sum(before.ring.counts) == sum(before.answer.counts) == 0


@pytest.mark.parametrize(
    ("seconds", "bucket"),
    [(-3.0, 0), (0.0, 0), (1.0, 0), (1.001, 1), (20.0, 5), (300.0, len(BOUNDS) - 1), (300.1, len(BOUNDS))],
)
def test_a_time_falls_into_the_bucket_whose_end_it_does_not_pass(seconds: float, bucket: int) -> None:
    held = Histogram()
    held.observe(seconds)
    assert held.counts.index(1) == bucket
    assert held.total == max(seconds, 0.0)
