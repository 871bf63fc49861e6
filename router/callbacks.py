"""Callbacks: when a missed call asks for one, and the moves that a task may make. Pure.

A task is open, or claimed by one owner until his lease ends, or over (done, expired, cancelled). Times are
epoch seconds. Each move takes a task and gives the next one, or raises Refused with the sentence that the
user reads.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from router.errors import Refused
from router.model import CallbackPolicy, CallbackWish, Caller, Campaign, Hours, Outcome
from router.schedule import add_open_time

NOT_REACHED: Final = "not reached"
REACHED_US: Final = "caller reached us"


class State(StrEnum):
    OPEN = "open"
    CLAIMED = "claimed"
    DONE = "done"
    EXPIRED = "expired"
    CANCELLED = "cancelled"

    @property
    def over(self) -> bool:
        return self not in (State.OPEN, State.CLAIMED)


@dataclass(frozen=True, slots=True)
class Task:
    """One callback as it was last written; `state_at` says what it is now. `attempts`: calls back that
    failed.
    """

    id: str
    state: State
    due_at: float
    expires_at: float
    owner: str | None = None
    lease_until: float | None = None
    attempts: int = 0
    closed_at: float | None = None
    close_reason: str | None = None


def wish(
    campaign: Campaign, hours: Hours | None, caller: Caller, outcome: Outcome, ended_at: float
) -> CallbackWish | None:
    """The callback that a call which ended so asks for; None when it asks for none.

    None: not missed, the number withheld (nobody could be called), or a campaign without callbacks. It is
    due after `due` seconds of open time (`hours` None is always open), and expires `expire` seconds after
    that: counted from the call itself, a task from before a long holiday would be gone before anybody could
    act.
    """
    policy = campaign.callback
    if policy is None or not outcome.missed or caller.withheld:
        return None
    due_at = _after(hours, ended_at, policy.due)
    return CallbackWish(due_at=due_at, expires_at=due_at + policy.expire)


def state_at(task: Task, now: float) -> State:
    """What the task is at `now`: past its end it is expired, but never while somebody holds it; a lease
    that has run out leaves it open.
    """
    if task.state.over or (task.lease_until is not None and now < task.lease_until):
        return task.state
    return State.EXPIRED if task.expires_at <= now else State.OPEN


def claim(task: Task, who: str, lease: float, now: float) -> Task:
    """`who` takes the task for `lease` seconds; the owner may claim again to keep it longer. Raises
    Refused.
    """
    _must_be_free(task, who, now)
    return replace(task, state=State.CLAIMED, owner=who, lease_until=now + lease)


def release(task: Task, who: str, now: float) -> Task:
    """`who` gives the task back; the due time stays. Raises Refused when `who` does not hold it."""
    _must_hold(task, who, now)
    return _opened(task)


def not_reached(task: Task, who: str, now: float, policy: CallbackPolicy | None, hours: Hours | None) -> Task:
    """`who` called back in vain: due again after the next retry of open time; after the last it is expired.

    Without a policy (the campaign is gone from campaigns.yaml) there is no retry. Raises Refused as
    `release` does.
    """
    _must_hold(task, who, now)
    retries = policy.retries if policy is not None else ()
    tried = replace(task, attempts=task.attempts + 1)
    if tried.attempts > len(retries):
        return _over(tried, State.EXPIRED, NOT_REACHED, now)
    return replace(_opened(tried), due_at=_after(hours, now, retries[tried.attempts - 1]))


def close(task: Task, who: str, reason: str, now: float, *, cancelled: bool = False) -> Task:
    """`who` ends the task: done, or cancelled when nobody is to call. An open one need not be claimed first.

    Raises Refused when it is over, or while somebody else holds it.
    """
    _must_be_free(task, who, now)
    return replace(_over(task, State.CANCELLED if cancelled else State.DONE, reason, now), owner=who)


def expire(task: Task, now: float) -> Task:
    """The task written down as expired, if that is what it is at `now`; else itself."""
    if task.state.over or state_at(task, now) is not State.EXPIRED:
        return task
    return _over(task, State.EXPIRED, "expired", task.expires_at)


def _must_be_free(task: Task, who: str, now: float) -> None:
    """Refuse a task that is over, or held by somebody else."""
    state = state_at(task, now)
    if state.over:
        raise Refused(f"callback {task.id} is {state}{_why(task)}: nothing is owed any more")
    if state is State.CLAIMED and task.owner != who:
        raise Refused(f"callback {task.id} is claimed by {task.owner} until {_clock(task.lease_until)}")


def _must_hold(task: Task, who: str, now: float) -> None:
    """Refuse unless `who` holds a lease that still runs."""
    _must_be_free(task, who, now)
    if state_at(task, now) is not State.CLAIMED:
        raise Refused(f"callback {task.id} is not claimed; claim it first: callrouter callbacks claim {task.id}")


def _opened(task: Task) -> Task:
    return replace(task, state=State.OPEN, owner=None, lease_until=None)


def _over(task: Task, state: State, reason: str, at: float) -> Task:
    """Ended; the owner stays on record."""
    return replace(task, state=state, lease_until=None, closed_at=at, close_reason=reason)


def _why(task: Task) -> str:
    return f" ({task.close_reason})" if task.close_reason else ""


def _clock(at: float | None) -> str:
    """A lease's end for the eye, to the minute, in UTC; a claimed task always has one."""
    return datetime.fromtimestamp(at or 0.0, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _after(hours: Hours | None, start: float, seconds: float) -> float:
    """`seconds` of open time after `start`."""
    return add_open_time(hours, datetime.fromtimestamp(start, UTC), seconds).timestamp()
