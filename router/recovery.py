"""What to do with the calls of an earlier run of the router, and with what Asterisk holds for nobody. Pure.

Starting is recovering: the live rows of the database say what there was, Asterisk says what there is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from router.ids import call_of_bridge, call_of_leg
from router.model import (
    Accept,
    AttemptRecord,
    CallRecord,
    Decision,
    Did,
    HangupBy,
    Outcome,
    Result,
    Route,
    Target,
)
from router.state import Call, Leg, Phase


@dataclass(frozen=True, slots=True)
class Recovered:
    """The live rows of an earlier run, sorted by what becomes of them."""

    adopted: tuple[Call, ...]
    """Somebody had accepted: taken over as they are, whether still talking or not (`Found` will tell)."""
    waiting: tuple[CallRecord, ...]
    """The caller is still in our application and nobody had taken the call: the hunt starts again."""
    lost: tuple[tuple[CallRecord, tuple[AttemptRecord, ...]], ...]
    """Nobody had taken it and the caller has gone: the call ends as failed, and a callback is owed."""


def recover(
    rows: Iterable[tuple[CallRecord, Sequence[AttemptRecord]]],
    *,
    channels: frozenset[str],
    in_app: frozenset[str],
    at: float,
    wall: float,
) -> Recovered:
    """Sort the live rows. `channels` live in Asterisk, those of `in_app` are in our application; `at` is now on the
    steady clock and `wall` the same moment as Unix time.

    A caller that lives outside our application is in the fallback's hands, which completes the row itself.
    """
    adopted: list[Call] = []
    waiting: list[CallRecord] = []
    lost: list[tuple[CallRecord, tuple[AttemptRecord, ...]]] = []
    for record, attempts in rows:
        if record.answered_at is not None:
            adopted.append(adopt(record, attempts, at=at, wall=wall))
        elif record.channel in in_app:
            waiting.append(record)
        elif record.channel not in channels:
            lost.append(_lost(record, attempts, wall))
    return Recovered(tuple(adopted), tuple(waiting), tuple(lost))


def adopt(record: CallRecord, attempts: Sequence[AttemptRecord], *, at: float, wall: float) -> Call:
    """An answered call of an earlier run, as it stood when its row was last written."""
    started_at = at - (wall - record.started_at)

    def steady(epoch: float | None) -> float | None:
        return None if epoch is None else started_at + (epoch - record.started_at)

    legs = tuple(
        Leg(
            id=attempt.id,
            seq=attempt.seq,
            target=Target(attempt.salesperson, attempt.salesperson, (), Accept.NONE),
            route=Route(attempt.trunk, "", "", attempt.caller_id or "did", refused_only=attempt.note is not None),
            started_at=started_at + (attempt.started_at - record.started_at),
            ringing_at=steady(attempt.ringing_at),
            answered_at=steady(attempt.answered_at),
            accepted_at=steady(attempt.accepted_at),
            ended_at=steady(attempt.ended_at),
            result=attempt.result,
            cause=attempt.cause,
            sip_status=attempt.sip_status,
        )
        for attempt in attempts
    )
    decision = Decision(record.campaign, Did(record.did, "row"), record.caller, None, None)
    return Call(
        id=record.id,
        decision=decision,
        channel=record.channel,
        started_at=started_at,
        epoch=record.started_at,
        config_version=record.config_version,
        node=record.node,
        phase=Phase.TALKING,
        legs=legs,
        answered_at=steady(record.answered_at),
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
    record: CallRecord, attempts: Sequence[AttemptRecord], wall: float
) -> tuple[CallRecord, tuple[AttemptRecord, ...]]:
    ended = replace(
        record,
        outcome=Outcome.FAILED,
        ended_at=wall,
        ring_seconds=wall - record.started_at,
        talk_seconds=0.0,
        hangup_by=HangupBy.ROUTER,
    )
    closed = tuple(
        attempt if attempt.result else replace(attempt, ended_at=wall, result=Result.FAILED) for attempt in attempts
    )
    return ended, closed
