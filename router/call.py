"""The state machine of one call: `step(call, event) -> (call, commands)`. Pure: no clock, no chance, no I/O.

    CHALLENGE --a key--> HUNTING --a human accepts a leg--> CONNECTING --both hear each other--> TALKING --> ENDED
                            |  ^-------the leg left at once-------|
                            |--nobody accepts--> ENDING (words, a message) --> ENDED
                            \\--the caller leaves--> ENDED

Only an accepted leg wins, and there is one winner: every other leg is cancelled in the same step. ENDED absorbs: it
takes no new outcome, and hangs up whatever still turns up. A call has ended when its outcome is known; it is
*settled* when Asterisk has said of each of its channels that it is gone.

The hunt itself is router.hunt, what follows when nobody took the call router.finish.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from router import finish, hunt
from router.events import (
    AnswerCaller,
    CallerLeft,
    Command,
    Connect,
    Connected,
    Disconnect,
    Engaged,
    Event,
    Failed,
    Failure,
    Found,
    HangUpCaller,
    HangUpLeg,
    Key,
    LegDown,
    LegRinging,
    LegUp,
    Originate,
    Record,
    Recorded,
    RingBack,
    Said,
    Save,
    Say,
    Stage,
    StartTimer,
    StopTimer,
    Timer,
    TimerFired,
)
from router.finish import Step, end, then, with_leg
from router.model import HangupBy, Outcome, Prompt, Result
from router.outcome import leg_result
from router.state import Call, Leg, Phase

#: Seconds in which a caller who is challenged must press the key, the words included.
CHALLENGE_SECONDS: Final = 20.0


def begin(call: Call, at: float, *, first_seq: int = 1) -> Step:
    """The first step of a call that has just arrived: refuse it, challenge it, or ring the first people.

    `at` is later than `call.started_at`, and `first_seq` above 1, when an earlier run of the router had already
    taken the call and rung legs for it.
    """
    opened: tuple[Command, ...] = (Save(Stage.OPENED),)
    if call.decision.challenge:
        call = replace(call, phase=Phase.CHALLENGE, caller_up=True)
        ask: tuple[Command, ...] = (AnswerCaller(), Say((Prompt.CHALLENGE,)))
        return call, (*opened, *ask, StartTimer(Timer.INPUT, CHALLENGE_SECONDS))
    return then(opened, _go_on(call, at, first_seq))


def step(call: Call, event: Event) -> Step:
    """Take one event. An event that means nothing in this phase changes nothing.

    What a next run of the router must know is saved before anything is done about it: nobody whom this one has
    dialled is dialled again after a crash.
    """
    after, commands = _HANDLERS[type(event)](call, event)
    if _story(after) != _story(call) and not any(isinstance(command, Save) for command in commands):
        commands = (Save(Stage.HUNTING), *commands)
    return after, commands


def _story(call: Call) -> tuple[tuple[str, Result | None, float | None], ...]:
    return tuple((leg.id, leg.result, leg.accepted_at) for leg in call.legs)


def take_up(call: Call, found: Found) -> Step:
    """The first step of a waiting call that an earlier run of the router had taken, and dialled `call.legs` for:
    what still rings rings on, and what was missed is caught up with."""
    known: tuple[Command, ...] = (Save(Stage.HUNTING),)
    if call.decision.plan is None:
        for leg in call.live_legs:
            call = with_leg(call, replace(leg, ended_at=found.at, result=Result.CANCELLED))
            known += (HangUpLeg(leg.id),)
        return then(known, _go_on(call, found.at))
    call, commands = hunt.take_up(call, found.at, found.up)
    for leg_id in sorted(found.ringing):
        call, _ = step(call, LegRinging(found.at, leg_id))
    return then(known + commands, step(call, found))


def _go_on(call: Call, at: float, first_seq: int | None = None) -> Step:
    if call.decision.plan is None:
        return finish.finish(call, at, call.decision.refused or Outcome.FAILED)
    return hunt.start(call, at, first_seq)


# --- Events -----------------------------------------------------------------------------------------------


def _key(call: Call, event: Key) -> Step:
    if event.leg:
        return hunt.key(call, event)
    if call.phase is not Phase.CHALLENGE or event.digit != hunt.ACCEPT_KEY:
        return call, ()
    return then((StopTimer(Timer.INPUT), RingBack()), _go_on(call, event.at))


def _leg_down(call: Call, event: LegDown) -> Step:
    leg = call.leg(event.leg)
    if leg is None:
        return call, ()
    if not leg.live:
        return with_leg(call, replace(leg, gone=True)), ()
    ended = replace(
        leg,
        gone=True,
        # A human's yes that never became a talk is none.
        accepted_at=leg.accepted_at if call.phase is Phase.TALKING else None,
        ended_at=event.at,
        result=_result(call, leg, event),
        cause=event.cause or None,
        sip_status=event.sip_status,
    )
    stop = (StopTimer(Timer.ACCEPT, leg.id),) if leg.listening else ()
    call = with_leg(call, ended)
    if call.phase is Phase.TALKING:
        return end(call, event.at, Outcome.ANSWERED, HangupBy.SALESPERSON, event.cause)
    if call.phase is Phase.CONNECTING:
        # The caller may have been answered for this leg, and is to hear that somebody rings again.
        return then((Disconnect(), RingBack()), hunt.resume(replace(call, caller_up=True), event.at))
    return then(stop, hunt.after_leg(call, event.at, ended))


def _result(call: Call, leg: Leg, event: LegDown) -> Result:
    if call.phase is Phase.TALKING:
        return Result.ACCEPTED
    if event.lost and (leg.answered_at is None or leg.accepted_at is not None):
        return Result.FAILED
    if leg.answered_at is not None:
        return Result.NOT_ACCEPTED
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
    if call.phase is Phase.ENDING:
        return finish.leave_words(call, event.at, event.cause)
    outcome = Outcome.ANSWERED if call.phase is Phase.TALKING else Outcome.ABANDONED
    return end(call, event.at, outcome, HangupBy.CALLER, event.cause)


def _timer_fired(call: Call, event: TimerFired) -> Step:
    match call.phase, event.timer:
        case Phase.HUNTING, Timer.RING:
            return hunt.ring_over(call, event.at)
        case Phase.HUNTING, Timer.MAX_WAIT:
            return hunt.wait_over(call, event.at)
        case Phase.HUNTING, Timer.ACCEPT:
            return hunt.silent(call, event)
        case Phase.CHALLENGE, Timer.INPUT:
            return end(call, event.at, Outcome.BLOCKED, HangupBy.ROUTER)
        case Phase.ENDING, Timer.ENDING:
            return finish.end_as_judged(call, event.at)
        case _:
            return call, ()


def _failed(call: Call, event: Failed) -> Step:
    match event.command:
        case Originate(leg=leg_id):
            return hunt.not_dialled(call, event, leg_id)
        case Connect() if event.failure is Failure.ERROR and call.phase is Phase.CONNECTING:
            return end(call, event.at, Outcome.FAILED, HangupBy.ROUTER)
        case HangUpLeg(leg=leg_id) if event.failure is Failure.GONE:
            return _leg_down(call, LegDown(event.at, leg_id))
        case HangUpCaller() if event.failure is Failure.GONE:
            return _caller_left(call, CallerLeft(event.at))
        case Say() | Record() if event.failure is Failure.ERROR and call.phase is Phase.ENDING:
            # Words that nobody heard announce nothing, so nothing is recorded behind them.
            return finish.end_as_judged(call, event.at)
        case _:
            # A channel that is gone announces its end itself; what a broken link swallowed, Found will show.
            return call, ()


# --- Catching up ------------------------------------------------------------------------------------------


def _found(call: Call, event: Found) -> Step:
    """Catch up with what happened while the link was away: as the events that were missed, then the repairs."""
    there = event.ringing | event.up
    missed: list[Event] = [] if event.caller else _last_of_caller(call, event)
    # A leg that was dialled after Asterisk was asked cannot stand in its answer.
    asked = [leg for leg in call.legs if leg.started_at < event.at]
    missed += [LegDown(event.at, leg.id, lost=True) for leg in asked if not leg.gone and leg.id not in there]
    missed += [LegUp(event.at, leg.id) for leg in call.legs if leg.id in event.up and leg.answered_at is None]
    given_up = frozenset(leg.id for leg in call.legs if not leg.live and leg.id in there)
    commands: tuple[Command, ...] = ()
    winner_before = call.winner
    for each in missed:
        call, more = step(call, each)
        commands += more
    told = {command.leg for command in commands if isinstance(command, HangUpLeg)}
    commands += tuple(HangUpLeg(leg_id) for leg_id in sorted(given_up - told))
    if call.phase is Phase.ENDED:
        commands += (HangUpCaller("normal"),) if event.caller and call.ended_at != event.at else ()
        return call, commands
    if winner_before is None or call.winner != winner_before:
        return call, commands
    if winner_before.id not in event.bridged:
        return call, (*commands, Connect(winner_before.id))
    return then(commands, hunt.connected(call, Connected(event.at, winner_before.id)))


def _last_of_caller(call: Call, event: Found) -> list[Event]:
    """Who was picked up for a human, and for nothing before, has talked: the link broke before we heard of it."""
    winner = call.winner if call.phase is Phase.CONNECTING and not call.caller_up else None
    left = CallerLeft(event.at)
    return [Connected(event.at, winner.id), left] if winner is not None and event.answered else [left]


_HANDLERS: Final[dict[type, Callable[[Call, Any], Step]]] = {
    LegRinging: hunt.ringing,
    LegUp: hunt.leg_up,
    LegDown: _leg_down,
    CallerLeft: _caller_left,
    Connected: hunt.connected,
    Key: _key,
    Said: finish.said,
    Recorded: finish.recorded,
    Engaged: hunt.engaged,
    TimerFired: _timer_fired,
    Failed: _failed,
    Found: _found,
}
