"""What to do with the calls of an earlier run of the router, and with what Asterisk holds for nobody. Pure.

Starting is recovering: the live rows of the database say what there was, Asterisk says what there is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from router.ids import call_of_bridge, call_of_leg
from router.model import (
    Accept,
    AttemptRecord,
    CallRecord,
    Decision,
    Departure,
    Did,
    HangupBy,
    Outcome,
    Result,
    Route,
    Step,
    Target,
)
from router.state import Call, Leg, Phase


@dataclass(frozen=True, slots=True)
class Recovered:
    """The live rows of an earlier run, sorted by what becomes of them."""

    adopted: tuple[Call, ...]
    """Somebody had accepted: taken over as they are, whether still talking or not (`Found` will tell)."""
    waiting: tuple[tuple[CallRecord, tuple[AttemptRecord, ...]], ...]
    """The caller is still in our application and nobody had taken the call: the hunt goes on."""
    lost: tuple[tuple[CallRecord, tuple[AttemptRecord, ...]], ...]
    """The caller has gone. Nobody had taken the call: it ends as failed, and a callback is owed. Or somebody had
    just accepted: the caller was picked up for that, and they have talked."""


def recover(
    rows: Iterable[tuple[CallRecord, Sequence[AttemptRecord]]],
    *,
    channels: frozenset[str],
    in_app: frozenset[str],
    at: float,
    wall: float,
    end_of: Callable[[str], Departure | None],
) -> Recovered:
    """Sort the live rows. `channels` live in Asterisk, those of `in_app` are in our application; `at` is now on the
    steady clock and `wall` the same moment as Unix time; `end_of` says how a caller who is gone left.

    A caller that lives outside our application is in the fallback's hands, which completes the row itself.
    """
    adopted: list[Call] = []
    waiting: list[tuple[CallRecord, tuple[AttemptRecord, ...]]] = []
    lost: list[tuple[CallRecord, tuple[AttemptRecord, ...]]] = []
    for record, attempts in rows:
        if record.answered_at is not None:
            adopted.append(adopt(record, attempts, at=at, wall=wall))
        elif record.channel in in_app:
            waiting.append((record, tuple(attempts)))
        elif record.channel not in channels:
            left = end_of(record.channel) or Departure(wall)
            lost.append(_lost(record, attempts, Departure(min(wall, max(left.at, record.started_at)), left.up)))
    return Recovered(tuple(adopted), tuple(waiting), tuple(lost))


def adopt(record: CallRecord, attempts: Sequence[AttemptRecord], *, at: float, wall: float) -> Call:
    """An answered call of an earlier run, as it stood when its row was last written."""
    started_at = at - (wall - record.started_at)
    decision = Decision(record.campaign, Did(record.did, "row"), record.caller, None, None)
    call = Call(
        id=record.id,
        decision=decision,
        channel=record.channel,
        started_at=started_at,
        epoch=record.started_at,
        config_version=record.config_version,
        node=record.node,
        phase=Phase.TALKING,
    )
    legs = tuple(_leg(call, attempt, {}) for attempt in attempts)
    return replace(call, legs=legs, answered_at=_steady(call, record.answered_at))


def taken_up(call: Call, attempts: Sequence[AttemptRecord]) -> Call:
    """A waiting call that has just been decided anew, with the legs that an earlier run dialled for it.

    Whoever was dialled comes first in the plan, whatever the strategy says today: all others are still to come.
    """
    plan = call.decision.plan
    if plan is None:
        return replace(call, legs=tuple(_leg(call, attempt, {}) for attempt in attempts))
    targets = {target.salesperson: target for hunt in plan.hunts for step in hunt.steps for target in step.targets}
    legs = tuple(_leg(call, attempt, targets) for attempt in attempts)
    dialled = frozenset(leg.target.salesperson for leg in legs)
    live = frozenset(leg.target.salesperson for leg in legs if leg.live)
    hunts = tuple(replace(hunt, steps=_rearranged(hunt.steps, dialled, live)) for hunt in plan.hunts)
    index = next((index for index, hunt in enumerate(hunts) if live & _people(hunt.steps)), 0)
    steps = hunts[index].steps
    begun = [leg.started_at for leg in legs if leg.target.salesperson in _people(steps)]
    return replace(
        call,
        decision=replace(call.decision, plan=replace(plan, hunts=hunts), challenge=False),
        legs=legs,
        phase=Phase.CONNECTING if any(leg.live and leg.accepted_at is not None for leg in legs) else Phase.HUNTING,
        hunt=index,
        hunt_at=min(begun) if index and begun else call.started_at,
        step=max((nth for nth, step in enumerate(steps) if _people((step,)) & (live or dialled)), default=-1),
    )


def _people(steps: Iterable[Step]) -> frozenset[str]:
    return frozenset(target.salesperson for step in steps for target in step.targets)


def _rearranged(steps: tuple[Step, ...], dialled: frozenset[str], live: frozenset[str]) -> tuple[Step, ...]:
    if any(step.keep for step in steps):
        # Written down step by step: the order is the file's.
        return steps

    def turn(step: Step) -> int:
        people = _people((step,))
        return 2 if people - dialled else int(bool(people & live))

    return tuple(sorted(steps, key=turn))


def _steady(call: Call, epoch: float | None) -> float | None:
    """A moment of the wall clock on the call's steady one."""
    return None if epoch is None else call.started_at + (epoch - call.epoch)


def _leg(call: Call, attempt: AttemptRecord, targets: Mapping[str, Target]) -> Leg:
    """The leg whose row this is; its target is today's, where the plan still has one."""
    mode, again = attempt.caller_id or "did", attempt.note is not None
    target = targets.get(attempt.salesperson) or Target(attempt.salesperson, attempt.salesperson, (), Accept.NONE)
    same = (route for route in target.routes if (route.trunk, route.refused_only) == (attempt.trunk, again))
    return Leg(
        id=attempt.id,
        seq=attempt.seq,
        target=target,
        route=next(same, Route(attempt.trunk, "", "", mode, refused_only=again)),
        started_at=call.started_at + (attempt.started_at - call.epoch),
        earlier=True,
        ringing_at=_steady(call, attempt.ringing_at),
        answered_at=_steady(call, attempt.answered_at),
        accepted_at=_steady(call, attempt.accepted_at),
        ended_at=_steady(call, attempt.ended_at),
        result=attempt.result,
        cause=attempt.cause,
        sip_status=attempt.sip_status,
    )


def orphans(
    channels: Iterable[str], bridges: Iterable[str], calls: Mapping[str, Call]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Legs and bridges of ours that belong to no call: (channels to hang up, bridges to destroy).

    `calls` maps call ids to the calls that are not settled.
    """
    live = {call.id for call in calls.values() if call.phase is not Phase.ENDED}
    lone_legs = []
    for channel in channels:
        owner = call_of_leg(channel)
        if owner is not None and (owner not in calls or calls[owner].leg(channel) is None):
            lone_legs.append(channel)
    lone_bridges = [bridge for bridge in bridges if (owner := call_of_bridge(bridge)) and owner not in live]
    return tuple(lone_legs), tuple(lone_bridges)


def next_seq(call_id: str, channels: Iterable[str]) -> int:
    """The first attempt number that no leg of an earlier run still holds in Asterisk."""
    held = [int(channel[-2:]) for channel in channels if call_of_leg(channel) == call_id]
    return max(held, default=0) + 1


def _lost(
    record: CallRecord, attempts: Sequence[AttemptRecord], left: Departure
) -> tuple[CallRecord, tuple[AttemptRecord, ...]]:
    end = max(left.at, *(moment for attempt in attempts for moment in _moments(attempt)), record.started_at)
    # Who shows no number may have been picked up before, for the challenge.
    taken = _taken(attempts) if left.up and not record.caller.withheld else None
    answered_at = end if taken is None or taken.accepted_at is None else taken.accepted_at
    ended = replace(
        record,
        outcome=Outcome.FAILED if taken is None else Outcome.ANSWERED,
        salesperson=None if taken is None else taken.salesperson,
        answered_at=None if taken is None else answered_at,
        ended_at=end,
        ring_seconds=answered_at - record.started_at,
        talk_seconds=end - answered_at,
        hangup_by=HangupBy.ROUTER if taken is None else HangupBy.CALLER,
    )
    return ended, tuple(_closed(attempt, end, attempt is taken) for attempt in attempts)


def _taken(attempts: Iterable[AttemptRecord]) -> AttemptRecord | None:
    """For whom the caller was picked up: the one who had accepted and was not given up, where no other was ever
    answered. (Who accepted and was lost at once is on record as answered only, and the caller may have been picked
    up for that one.)"""
    answered = [each for each in attempts if each.answered_at is not None]
    return answered[0] if len(answered) == 1 and answered[0].result is Result.ACCEPTED else None


def _closed(attempt: AttemptRecord, end: float, talked: bool) -> AttemptRecord:
    if attempt.ended_at is not None:
        return attempt
    if talked:
        return replace(attempt, ended_at=end)
    # A human's yes that never became a talk is none.
    return replace(attempt, accepted_at=None, ended_at=end, result=Result.FAILED)


def _moments(attempt: AttemptRecord) -> Iterable[float]:
    """All that is known of when it did what."""
    told = (attempt.ringing_at, attempt.answered_at, attempt.accepted_at, attempt.ended_at)
    return (attempt.started_at, *(moment for moment in told if moment is not None))
