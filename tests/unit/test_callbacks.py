"""When a missed call asks for a callback, and which moves a task may make."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import pytest

from router.callbacks import (
    NOT_REACHED,
    State,
    Task,
    claim,
    close,
    expire,
    not_reached,
    release,
    state_at,
    wish,
)
from router.errors import Refused
from router.model import CallbackPolicy, Caller, Outcome
from tests.build import make_campaign, make_hours

NOW = 1_000_000.0
OPEN = Task("k1", State.OPEN, due_at=NOW, expires_at=NOW + 1000)
HELD = replace(OPEN, state=State.CLAIMED, owner="alice", lease_until=NOW + 100)
DONE = replace(OPEN, state=State.DONE, closed_at=NOW - 1, close_reason="sold")
POLICY = CallbackPolicy(due=900.0, retries=(600.0, 3600.0), expire=5 * 86400.0)
CALLER = Caller("+33145678901")


def paris(text: str) -> float:
    return datetime.fromisoformat(f"{text}+01:00").timestamp()


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_missed_outcome_asks_for_a_callback_and_no_other(outcome: Outcome) -> None:
    wanted = wish(make_campaign(callback=POLICY), None, CALLER, outcome, NOW)
    assert (wanted is not None) is outcome.missed


def test_without_hours_it_is_due_in_real_time() -> None:
    wanted = wish(make_campaign(callback=POLICY), None, CALLER, Outcome.NO_ANSWER, NOW)
    assert wanted is not None
    assert wanted.due_at == NOW + 900


def test_it_is_due_on_the_opening_hours_clock() -> None:
    """Missed on Friday 2 January 2026 at 18:20, ten minutes before closing: due on Saturday at 09:05."""
    friday = paris("2026-01-02T18:20:00")
    wanted = wish(make_campaign(callback=POLICY), make_hours(), CALLER, Outcome.BUSY, friday)
    assert wanted is not None
    assert wanted.due_at == paris("2026-01-03T09:05:00")


def test_it_expires_counted_from_when_it_is_due_so_that_a_long_closure_does_not_lose_it() -> None:
    hours = make_hours(closed=["2026-01-03..2026-01-14"])
    friday = paris("2026-01-02T18:20:00")
    wanted = wish(make_campaign(callback=POLICY), hours, CALLER, Outcome.CLOSED, friday)
    assert wanted is not None
    assert wanted.due_at == paris("2026-01-15T09:05:00")
    assert wanted.expires_at == wanted.due_at + POLICY.expire


def test_a_withheld_number_asks_for_none() -> None:
    assert wish(make_campaign(callback=POLICY), None, Caller(None), Outcome.NO_ANSWER, NOW) is None


def test_a_campaign_without_callbacks_asks_for_none() -> None:
    assert wish(make_campaign(callback=None), None, CALLER, Outcome.NO_ANSWER, NOW) is None


@pytest.mark.parametrize(
    ("task", "now", "state"),
    [
        (OPEN, NOW, State.OPEN),
        (OPEN, NOW + 999.9, State.OPEN),
        (OPEN, NOW + 1000, State.EXPIRED),
        (HELD, NOW + 99.9, State.CLAIMED),
        (HELD, NOW + 100, State.OPEN),
        (HELD, NOW + 1000, State.EXPIRED),
        (replace(HELD, lease_until=NOW + 2000), NOW + 1500, State.CLAIMED),
        (DONE, NOW + 5000, State.DONE),
    ],
)
def test_what_a_task_is_at_a_moment(task: Task, now: float, state: State) -> None:
    assert state_at(task, now) is state


def test_claiming_takes_it_for_the_lease() -> None:
    task = claim(OPEN, "bob", 1800.0, NOW)
    assert (task.state, task.owner, task.lease_until) == (State.CLAIMED, "bob", NOW + 1800)


def test_the_owner_claims_again_to_keep_it_longer() -> None:
    assert claim(HELD, "alice", 1800.0, NOW + 50).lease_until == NOW + 1850


def test_nobody_else_claims_while_the_lease_runs() -> None:
    with pytest.raises(Refused, match=r"callback k1 is claimed by alice until 1970-01-12 13:48 UTC"):
        claim(HELD, "bob", 1800.0, NOW + 99)


def test_a_lease_that_ran_out_can_be_claimed() -> None:
    assert claim(HELD, "bob", 1800.0, NOW + 100).owner == "bob"


@pytest.mark.parametrize("state", [State.DONE, State.EXPIRED, State.CANCELLED])
def test_what_is_over_stays_over(state: State) -> None:
    over = replace(DONE, state=state)
    acts: list[Callable[[], Task]] = [
        lambda: claim(over, "alice", 60.0, NOW),
        lambda: release(over, "alice", NOW),
        lambda: not_reached(over, "alice", NOW, POLICY, None),
        lambda: close(over, "alice", "done", NOW),
    ]
    for act in acts:
        with pytest.raises(Refused, match=rf"is {state} \(sold\): nothing is owed"):
            act()


def test_a_task_past_its_end_cannot_be_claimed_though_nobody_has_written_that_down() -> None:
    with pytest.raises(Refused, match="is expired: nothing is owed"):
        claim(OPEN, "alice", 60.0, NOW + 1000)


def test_releasing_opens_it_with_the_same_due_time() -> None:
    assert release(HELD, "alice", NOW) == OPEN


def test_only_the_owner_releases() -> None:
    with pytest.raises(Refused, match="claimed by alice"):
        release(HELD, "bob", NOW)
    with pytest.raises(Refused, match="claim it first: callrouter callbacks claim k1"):
        release(OPEN, "bob", NOW)


def test_not_reached_is_due_again_after_each_retry_and_expires_after_the_last() -> None:
    first = not_reached(HELD, "alice", NOW, POLICY, None)
    assert (first.state, first.owner, first.attempts, first.due_at) == (State.OPEN, None, 1, NOW + 600)
    second = not_reached(claim(first, "bob", 60.0, NOW), "bob", NOW, POLICY, None)
    assert (second.attempts, second.due_at) == (2, NOW + 3600)
    last = not_reached(claim(second, "bob", 60.0, NOW), "bob", NOW + 1, POLICY, None)
    assert (last.state, last.attempts, last.close_reason) == (State.EXPIRED, 3, NOT_REACHED)
    assert (last.closed_at, last.lease_until, last.owner) == (NOW + 1, None, "bob")


def test_retries_run_on_the_opening_hours_clock() -> None:
    """Tried on Saturday 3 January 2026 at 11:55, five minutes before closing: again on Monday at 09:05."""
    saturday = paris("2026-01-03T11:55:00")
    held = replace(HELD, lease_until=saturday + 60, expires_at=saturday + 999_999)
    again = not_reached(held, "alice", saturday, POLICY, make_hours())
    assert again.due_at == paris("2026-01-05T09:05:00")


def test_without_a_policy_there_is_no_retry() -> None:
    assert not_reached(HELD, "alice", NOW, None, None).state is State.EXPIRED


def test_closing_needs_no_claim_and_keeps_who_did_it() -> None:
    done = close(OPEN, "bob", "done", NOW)
    assert (done.state, done.owner, done.closed_at, done.close_reason) == (State.DONE, "bob", NOW, "done")
    assert close(HELD, "alice", "wrong number", NOW, cancelled=True).state is State.CANCELLED


def test_nobody_closes_what_another_one_holds() -> None:
    with pytest.raises(Refused, match="claimed by alice"):
        close(HELD, "bob", "done", NOW)


def test_expiry_is_written_with_the_moment_it_came() -> None:
    gone = expire(OPEN, NOW + 5000)
    assert (gone.state, gone.closed_at, gone.close_reason) == (State.EXPIRED, OPEN.expires_at, "expired")


def test_what_is_not_expired_is_left_as_it_is() -> None:
    assert expire(OPEN, NOW) is OPEN
    assert expire(DONE, NOW + 5000) is DONE
    held_on = replace(HELD, lease_until=NOW + 2000)
    assert expire(held_on, NOW + 1500) is held_on
