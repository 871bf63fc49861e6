"""The state machine of one call: `step(call, event) -> (call, commands)`. Pure: no clock, no chance, no I/O.

    HUNTING --a leg is accepted--> CONNECTING --both hear each other--> TALKING --> ENDED
       |  ^------the leg left at once------|
       \\--everyone refused, rang out, or the caller left--> ENDED

Only an accepted leg wins, and there is one winner: every other leg is cancelled in the same step. ENDED absorbs: it
takes no new outcome, and hangs up whatever still turns up. A call has ended when its outcome is known; it is
*settled* when Asterisk has said of each of its channels that it is gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Final

from router.events import (
    CallerLeft,
    Command,
    Connect,
    Connected,
    Disconnect,
    Event,
    Failed,
    Failure,
    Found,
    HangUpCaller,
    HangUpLeg,
    LegDown,
    LegRinging,
    LegUp,
    Originate,
    Save,
    Stage,
    StartTimer,
    StopTimer,
    Timer,
    TimerFired,
)
from router.ids import attempt_id
from router.model import HangupBy, Outcome, Result, Route, Target
from router.outcome import CALLER_REASON, REASON_CAUSE, call_outcome, leg_result
from router.state import Call, Leg, Phase

Step = tuple[Call, tuple[Command, ...]]

#: Seconds that Asterisk's own ring timeout is longer than ours: it matters only when the router is gone.
ORIGINATE_MARGIN: Final = 5.0


def begin(call: Call, at: float, *, first_seq: int = 1) -> Step:
    """The first step of a call that has just arrived: refuse it, or ring the first people.

    `at` is later than `call.started_at`, and `first_seq` above 1, when an earlier run of the router had already
    taken the call and rung legs for it.
    """
    opened: tuple[Command, ...] = (Save(Stage.OPENED),)
    if call.decision.plan is None:
        outcome = call.decision.refused or Outcome.FAILED
        return _then(opened, _end(call, at, outcome, HangupBy.ROUTER))
    opened += (StartTimer(Timer.MAX_WAIT, call.decision.plan.max_wait),)
    return _then(opened, _next_step(call, at, first_seq))


def step(call: Call, event: Event) -> Step:
    """Take one event. An event that means nothing in this phase changes nothing."""
    return _HANDLERS[type(event)](call, event)


# --- The hunt ---------------------------------------------------------------------------------------------


def _next_step(call: Call, at: float, first_seq: int | None = None) -> Step:
    """Ring the next people, or end the call when there are none left."""
    index = call.step + 1
    steps = call.plan.steps
    if index >= len(steps):
        return _end(call, at, call_outcome(_results(call)), HangupBy.ROUTER)
    call = replace(call, step=index)
    commands: list[Command] = []
    for offset, target in enumerate(steps[index].targets):
        seq = first_seq + offset if first_seq is not None else None
        call, originate = _dial(call, at, target, target.routes[0], seq)
        commands.append(originate)
    commands.append(StartTimer(Timer.RING, steps[index].timeout))
    return call, tuple(commands)


def _dial(call: Call, at: float, target: Target, route: Route, seq: int | None = None) -> tuple[Call, Originate]:
    number = seq if seq is not None else max((leg.seq for leg in call.legs), default=0) + 1
    leg = Leg(id=attempt_id(call.id, number), seq=number, target=target, route=route, started_at=at)
    timeout = call.plan.steps[call.step].timeout + ORIGINATE_MARGIN
    return (
        replace(call, legs=(*call.legs, leg)),
        Originate(leg.id, route.endpoint, route.caller_id, timeout),
    )


def _after_leg(call: Call, at: float, leg: Leg) -> Step:
    """A leg of the hunt has ended: try its next trunk, wait for the others, or ring the next people."""
    routes = leg.target.routes
    nth = routes.index(leg.route) + 1
    if leg.result is Result.UNREACHABLE and nth < len(routes):
        call, originate = _dial(call, at, leg.target, routes[nth])
        return call, (originate,)
    if call.live_legs:
        return call, ()
    return _next_step(call, at)


def _ringing(call: Call, event: LegRinging) -> Step:
    leg = call.leg(event.leg)
    if leg is None or leg.ringing_at is not None or not leg.live:
        return call, ()
    return _with(call, replace(leg, ringing_at=event.at)), ()


def _leg_up(call: Call, event: LegUp) -> Step:
    leg = call.leg(event.leg)
    if leg is None or leg.gone:
        return call, ()
    if not leg.live:
        # We gave it up while it was being answered: an answer never outlives its call.
        return call, (HangUpLeg(leg.id),)
    if leg.answered_at is not None:
        return call, ()
    return _accept(_with(call, replace(leg, answered_at=event.at)), event.at, leg.id)


def _accept(call: Call, at: float, leg_id: str) -> Step:
    """A human took it on this leg: connect it, and give up the others."""
    others = [leg for leg in call.live_legs if leg.id != leg_id]
    for leg in others:
        call = _with(call, replace(leg, ended_at=at, result=Result.CANCELLED))
    winner = call.leg(leg_id)
    assert winner is not None  # noqa: S101 - both callers have just found it
    call = _with(call, replace(winner, accepted_at=at, result=Result.ACCEPTED))
    return replace(call, phase=Phase.CONNECTING), (
        Connect(leg_id),
        *(HangUpLeg(leg.id) for leg in others),
        StopTimer(Timer.RING),
        StopTimer(Timer.MAX_WAIT),
    )


def _connected(call: Call, event: Connected) -> Step:
    winner = call.winner
    if call.phase is not Phase.CONNECTING or winner is None or winner.id != event.leg:
        return call, ()
    call = replace(call, phase=Phase.TALKING, answered_at=winner.accepted_at)
    return call, (Save(Stage.ANSWERED),)


# --- The ends ---------------------------------------------------------------------------------------------


def _leg_down(call: Call, event: LegDown) -> Step:
    leg = call.leg(event.leg)
    if leg is None:
        return call, ()
    if not leg.live:
        return _with(call, replace(leg, gone=True)), ()
    ended = replace(
        leg,
        gone=True,
        ended_at=event.at,
        result=_result(call, leg, event),
        cause=event.cause or None,
        sip_status=event.sip_status,
    )
    call = _with(call, ended)
    if call.phase is Phase.TALKING:
        return _end(call, event.at, Outcome.ANSWERED, HangupBy.SALESPERSON, event.cause)
    if call.phase is Phase.HUNTING:
        return _after_leg(call, event.at, ended)
    # It was accepted and left before the caller could hear it: the hunt goes on where it was.
    left = max(0.0, call.started_at + call.plan.max_wait - event.at)
    resumed: tuple[Command, ...] = (Disconnect(), StartTimer(Timer.MAX_WAIT, left))
    return _then(resumed, _next_step(replace(call, phase=Phase.HUNTING), event.at))


def _result(call: Call, leg: Leg, event: LegDown) -> Result:
    if call.phase is Phase.TALKING:
        return Result.ACCEPTED
    if leg.answered_at is not None:
        return Result.NOT_ACCEPTED
    if event.lost:
        return Result.FAILED
    return leg_result(
        sip_status=event.sip_status,
        dialstatus=event.dialstatus,
        cause=event.cause,
        rang=leg.ringing_at is not None,
    )


def _caller_left(call: Call, event: CallerLeft) -> Step:
    if call.caller_gone:
        return call, ()
    call = replace(call, caller_gone=True)
    if call.phase is Phase.ENDED:
        return call, ()
    outcome = Outcome.ANSWERED if call.phase is Phase.TALKING else Outcome.ABANDONED
    return _end(call, event.at, outcome, HangupBy.CALLER, event.cause)


def _timer_fired(call: Call, event: TimerFired) -> Step:
    if call.phase is not Phase.HUNTING:
        return call, ()
    given_up = call.live_legs
    for leg in given_up:
        call = _with(call, replace(leg, ended_at=event.at, result=_unanswered(leg)))
    hang_up = tuple(HangUpLeg(leg.id) for leg in given_up)
    if event.timer is Timer.RING:
        return _then(hang_up, _next_step(call, event.at))
    return _then(hang_up, _end(call, event.at, call_outcome(_results(call)), HangupBy.ROUTER))


def _unanswered(leg: Leg) -> Result:
    """What a leg was that we gave up waiting for."""
    if leg.ringing_at is not None:
        return Result.NO_ANSWER
    # Nothing ever rang. Where a broken link may have swallowed the leg that is our fault, not theirs.
    return Result.FAILED if leg.unsure else Result.UNREACHABLE


def _end(call: Call, at: float, outcome: Outcome, by: HangupBy, cause: int = 0) -> Step:
    """End the call: whatever lives of it is hung up, and its story is written."""
    commands: list[Command] = []
    for leg in call.live_legs:
        result = leg.result if leg.accepted_at is not None and outcome is Outcome.ANSWERED else Result.CANCELLED
        call = _with(call, replace(leg, ended_at=at, result=result))
        commands.append(HangUpLeg(leg.id))
    reason = CALLER_REASON[outcome]
    if not call.caller_gone:
        commands.append(HangUpCaller(reason))
    if call.phase in (Phase.CONNECTING, Phase.TALKING):
        commands.append(Disconnect())
    if call.phase is Phase.HUNTING:
        commands += (StopTimer(Timer.RING), StopTimer(Timer.MAX_WAIT))
    commands.append(Save(Stage.ENDED))
    call = replace(
        call,
        phase=Phase.ENDED,
        ended_at=at,
        outcome=outcome,
        hangup_by=by,
        cause=cause or REASON_CAUSE[reason],
    )
    return call, tuple(commands)


# --- What went wrong --------------------------------------------------------------------------------------


def _failed(call: Call, event: Failed) -> Step:
    match event.command:
        case Originate(leg=leg_id):
            return _not_dialled(call, event, leg_id)
        case Connect() if event.failure is Failure.ERROR and call.phase is Phase.CONNECTING:
            return _end(call, event.at, Outcome.FAILED, HangupBy.ROUTER)
        case HangUpLeg(leg=leg_id) if event.failure is Failure.GONE:
            return _leg_down(call, LegDown(event.at, leg_id))
        case HangUpCaller() if event.failure is Failure.GONE:
            return _caller_left(call, CallerLeft(event.at))
        case _:
            # A channel that is gone announces its end itself; what a broken link swallowed, Found will show.
            return call, ()


def _not_dialled(call: Call, event: Failed, leg_id: str) -> Step:
    leg = call.leg(leg_id)
    if leg is None:
        return call, ()
    if event.failure is Failure.LINK:
        return _with(call, replace(leg, unsure=True)), ()
    if not leg.live:
        never_was = event.failure in (Failure.GONE, Failure.NOT_PLACED)
        return _with(call, replace(leg, gone=leg.gone or never_was)), ()
    if event.failure is Failure.GONE:
        # The caller went away while we dialled: its own end is on its way, and rings nobody else meanwhile.
        return _with(call, replace(leg, gone=True, ended_at=event.at, result=Result.CANCELLED)), ()
    if event.failure is Failure.NOT_PLACED:
        ended = replace(leg, gone=True, ended_at=event.at, result=Result.UNREACHABLE)
        return _after_leg(_with(call, ended), event.at, ended)
    # Refused, or no answer in time: should it exist all the same, it must not ring on.
    ended = replace(leg, ended_at=event.at, result=Result.FAILED)
    return _then((HangUpLeg(leg_id),), _after_leg(_with(call, ended), event.at, ended))


def _found(call: Call, event: Found) -> Step:
    """Catch up with what happened while the link was away: as the events that were missed, then the repairs."""
    there = event.ringing | event.up
    missed: list[Event] = [] if event.caller else [CallerLeft(event.at)]
    # A leg that was dialled after Asterisk was asked cannot stand in its answer.
    asked = [leg for leg in call.legs if leg.started_at < event.at]
    missed += [LegDown(event.at, leg.id, lost=True) for leg in asked if not leg.gone and leg.id not in there]
    missed += [LegUp(event.at, leg.id) for leg in call.legs if leg.id in event.up and leg.answered_at is None]
    before = frozenset(leg.id for leg in call.legs if not leg.live)
    commands: tuple[Command, ...] = ()
    winner_before = call.winner
    for each in missed:
        call, more = step(call, each)
        commands += more
    commands += tuple(HangUpLeg(leg_id) for leg_id in sorted(before & event.ringing))
    if call.phase is Phase.ENDED:
        commands += (HangUpCaller("normal"),) if event.caller and call.ended_at != event.at else ()
        return call, commands
    if winner_before is None or call.winner != winner_before:
        return call, commands
    if winner_before.id not in event.bridged:
        return call, (*commands, Connect(winner_before.id))
    return _then(commands, _connected(call, Connected(event.at, winner_before.id)))


# --- Small things -----------------------------------------------------------------------------------------


def _with(call: Call, leg: Leg) -> Call:
    """The call with this leg in place of the one of the same id."""
    return replace(call, legs=tuple(leg if each.id == leg.id else each for each in call.legs))


def _results(call: Call) -> Iterable[Result]:
    return (leg.result for leg in call.legs if leg.result is not None)


def _then(commands: tuple[Command, ...], after: Step) -> Step:
    """`commands` first, then those of `after`."""
    return after[0], commands + after[1]


_HANDLERS: Final[dict[type, Callable[[Call, Any], Step]]] = {
    LegRinging: _ringing,
    LegUp: _leg_up,
    LegDown: _leg_down,
    CallerLeft: _caller_left,
    Connected: _connected,
    TimerFired: _timer_fired,
    Failed: _failed,
    Found: _found,
}
