"""A call as the rows that tell its story. Pure: the steady clock becomes Unix time here, and nowhere else."""

from __future__ import annotations

from typing import Final

from router.model import AttemptRecord, CallRecord, Path
from router.state import Call, Leg

#: Of an attempt that repeats another one with our own number.
REFUSED_NOTE: Final = "the carrier refused the caller ID: dialled again as the campaign's number"


def call_record(call: Call) -> CallRecord:
    """The call's row as far as it is known."""
    start = call.started_at
    until_human = next((at for at in (call.answered_at, call.verdict_at, call.ended_at) if at is not None), None)
    talk = None
    if call.ended_at is not None:
        talk = call.ended_at - call.answered_at if call.answered_at is not None else 0.0
    return CallRecord(
        id=call.id,
        started_at=call.epoch,
        did=call.decision.did.number,
        campaign=call.decision.campaign,
        caller=call.decision.caller,
        path=Path.ARI,
        config_version=call.config_version,
        node=call.node,
        channel=call.channel,
        outcome=call.outcome,
        salesperson=_salesperson(call),
        answered_at=epoch(call, call.answered_at),
        ended_at=epoch(call, call.ended_at),
        ring_seconds=None if until_human is None else until_human - start,
        talk_seconds=talk,
        hangup_by=call.hangup_by,
        cause=call.cause,
        recording=recording_name(call) if call.recorded is not None else None,
        recording_seconds=call.recorded,
    )


def recording_name(call: Call) -> str:
    """What Asterisk calls the call's message: a file of this name lies in its spool's `recording` folder."""
    return f"callrouter-{call.id}"


def attempt_records(call: Call) -> tuple[AttemptRecord, ...]:
    """Every attempt of the call so far, in the order in which they were dialled."""
    return tuple(_attempt(call, leg) for leg in call.legs)


def epoch(call: Call, at: float | None) -> float | None:
    """A moment on the call's steady clock as Unix time."""
    return None if at is None else call.epoch + (at - call.started_at)


def _salesperson(call: Call) -> str | None:
    """Who talked to the caller; None before anybody did."""
    if call.answered_at is None:
        return None
    return next((leg.target.salesperson for leg in reversed(call.legs) if leg.accepted_at is not None), None)


def _attempt(call: Call, leg: Leg) -> AttemptRecord:
    return AttemptRecord(
        id=leg.id,
        seq=leg.seq,
        salesperson=leg.target.salesperson,
        trunk=leg.route.trunk,
        started_at=call.epoch + (leg.started_at - call.started_at),
        ringing_at=epoch(call, leg.ringing_at),
        answered_at=epoch(call, leg.answered_at),
        accepted_at=epoch(call, leg.accepted_at),
        ended_at=epoch(call, leg.ended_at),
        result=leg.result,
        cause=leg.cause,
        sip_status=leg.sip_status,
        caller_id=leg.route.mode,
        note=REFUSED_NOTE if leg.route.refused_only else None,
    )
