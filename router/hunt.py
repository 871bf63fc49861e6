"""The hunt for a human: who is rung when, what an answer is worth, and what follows when a leg ends. Pure.

A leg that is answered is not yet a human: unless its target needs no key, it hears the whisper, and 1 accepts,
2 declines, and silence is a mailbox. The others of its step ring on meanwhile. At a step's timeout the phones that
still ring are given up and those that listen are waited for; a step that keeps the earlier people adds to them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from router.events import (
    Command,
    Connect,
    Connected,
    Engaged,
    Failed,
    Failure,
    HangUpLeg,
    Key,
    LegRinging,
    LegUp,
    Originate,
    Save,
    Stage,
    StartTimer,
    StopTimer,
    Timer,
    TimerFired,
    Whisper,
)
from router.finish import Step as Moved
from router.finish import dismiss, finish, then, with_leg
from router.ids import attempt_id
from router.model import Accept, Prompt, Result, Route, Target
from router.outcome import CALLER_ID_REFUSED, call_outcome
from router.state import Call, Leg, Phase

#: Seconds that Asterisk's own ring timeout is longer than ours: it matters only when the router is gone.
ORIGINATE_MARGIN: Final = 5.0

ACCEPT_KEY: Final = "1"
DECLINE_KEY: Final = "2"


# --- Whom to ring -----------------------------------------------------------------------------------------


def start(call: Call, at: float, first_seq: int | None = None) -> Moved:
    """Begin the hunt that the call stands before."""
    call = replace(call, phase=Phase.HUNTING, hunt_at=at, step=-1)
    return then((StartTimer(Timer.MAX_WAIT, call.this_hunt.max_wait),), next_step(call, at, first_seq))


def next_step(call: Call, at: float, first_seq: int | None = None) -> Moved:
    """Ring the next people of this hunt; with none left, the next hunt's; with no hunt left, the call finishes."""
    steps = call.this_hunt.steps
    for index in range(call.step + 1, len(steps)):
        targets = [target for target in steps[index].targets if not _spent(call, target)]
        if targets or (steps[index].keep and call.live_legs):
            return _ring(replace(call, step=index), at, targets, first_seq)
    return next_hunt(replace(call, step=len(steps)), at)


def _spent(call: Call, target: Target) -> bool:
    """Whether this person said no to this call, is being rung for it, or was before the router died: what became of
    that is not known for sure, and nobody's phone rings twice for our crash."""
    mine = [leg for leg in call.legs if leg.target.salesperson == target.salesperson]
    return any(leg.live or leg.earlier or leg.result is Result.DECLINED for leg in mine)


def next_hunt(call: Call, at: float) -> Moved:
    """Nobody of this hunt took it: on to the overflow, or to the end."""
    if call.hunt + 1 < len(call.plan.hunts):
        return start(replace(call, hunt=call.hunt + 1), at)
    return finish(call, at, call_outcome(_results(call)))


def _ring(call: Call, at: float, targets: Iterable[Target], first_seq: int | None) -> Moved:
    commands: list[Command] = []
    for offset, target in enumerate(targets):
        seq = first_seq + offset if first_seq is not None else None
        call, originate = _dial(call, at, target, target.routes[0], seq)
        commands.append(originate)
    commands.append(StartTimer(Timer.RING, call.this_hunt.steps[call.step].timeout))
    return call, tuple(commands)


def _dial(call: Call, at: float, target: Target, route: Route, seq: int | None = None) -> tuple[Call, Originate]:
    number = seq if seq is not None else max((leg.seq for leg in call.legs), default=0) + 1
    leg = Leg(id=attempt_id(call.id, number), seq=number, target=target, route=route, started_at=at)
    originate = Originate(leg.id, target.salesperson, target.max_calls, route, _longest_ring(call))
    return replace(call, legs=(*call.legs, leg)), originate


def _longest_ring(call: Call) -> float:
    """Seconds that a leg of this step may ring: the step's, and those of the steps that keep it."""
    steps = call.this_hunt.steps
    longest = steps[call.step].timeout
    for later in steps[call.step + 1 :]:
        if not later.keep:
            break
        longest += later.timeout
    return min(longest, call.this_hunt.max_wait) + ORIGINATE_MARGIN


def after_leg(call: Call, at: float, leg: Leg) -> Moved:
    """A leg of the hunt has ended: try its next route, wait for the others, or ring the next people."""
    route = _next_route(call, leg)
    if route is not None:
        call, originate = _dial(call, at, leg.target, route)
        return call, (originate,)
    if call.live_legs:
        return call, ()
    return next_step(call, at)


def _next_route(call: Call, leg: Leg) -> Route | None:
    """The next way to somebody who could not be reached; as our own number where the caller ID was refused. The
    same way once more where the link broke on the way: nobody was dialled, as far as Asterisk knows."""
    if leg.earlier:
        return None
    if leg.result is Result.FAILED and leg.unsure and leg.ringing_at is None:
        unsure = [
            each for each in call.legs if each.unsure and (each.target, each.route) == (leg.target, leg.route)
        ]
        return leg.route if len(unsure) == 1 else None
    if leg.result is not Result.UNREACHABLE:
        return None
    refused = leg.sip_status in CALLER_ID_REFUSED
    for route in leg.target.routes[leg.target.routes.index(leg.route) + 1 :]:
        if not route.refused_only or (refused and route.trunk == leg.route.trunk):
            return route
    return None


# --- What a leg does --------------------------------------------------------------------------------------


def ringing(call: Call, event: LegRinging) -> Moved:
    leg = call.leg(event.leg)
    if leg is None or leg.ringing_at is not None or leg.answered_at is not None or not leg.live:
        return call, ()
    return with_leg(call, replace(leg, ringing_at=event.at)), ()


def leg_up(call: Call, event: LegUp) -> Moved:
    """Something answered: a human, a mailbox or a robot."""
    leg = call.leg(event.leg)
    if leg is None or leg.gone:
        return call, ()
    if not leg.live:
        # We gave it up while it was being answered: an answer never outlives its call.
        return call, (HangUpLeg(leg.id),)
    if leg.answered_at is not None:
        return call, ()
    call = with_leg(call, replace(leg, answered_at=event.at))
    if leg.target.accept is Accept.NONE:
        return _accept(call, event.at, leg.id)
    return call, (Whisper(leg.id), StartTimer(Timer.ACCEPT, call.plan.accept_timeout, leg.id))


def key(call: Call, event: Key) -> Moved:
    """A key on a leg that listens; on any other it means nothing."""
    leg = call.leg(event.leg)
    if leg is None or not leg.listening or call.phase is not Phase.HUNTING:
        return call, ()
    if event.digit == ACCEPT_KEY:
        return then((StopTimer(Timer.ACCEPT, leg.id),), _accept(call, event.at, leg.id))
    if event.digit == DECLINE_KEY:
        return then((StopTimer(Timer.ACCEPT, leg.id),), _give_up(call, event.at, leg, Result.DECLINED))
    return call, ()


def silent(call: Call, event: TimerFired) -> Moved:
    """The time for the key is over: it was a mailbox, or somebody who does not want the call."""
    leg = call.leg(event.leg)
    if leg is None or not leg.listening or call.phase is not Phase.HUNTING:
        return call, ()
    return _give_up(call, event.at, leg, Result.NOT_ACCEPTED)


def engaged(call: Call, event: Engaged) -> Moved:
    """The person has taken another call: this one stops ringing there."""
    leg = call.leg(event.leg)
    if leg is None or not leg.live or leg.answered_at is not None:
        return call, ()
    return _give_up(call, event.at, leg, Result.BUSY)


def _give_up(call: Call, at: float, leg: Leg, result: Result) -> Moved:
    ended = replace(leg, ended_at=at, result=result)
    return then((HangUpLeg(leg.id),), after_leg(with_leg(call, ended), at, ended))


def _accept(call: Call, at: float, leg_id: str) -> Moved:
    """A human took it on this leg: connect it, and give up the others."""
    others = [leg for leg in call.live_legs if leg.id != leg_id]
    for leg in others:
        call = with_leg(call, replace(leg, ended_at=at, result=Result.CANCELLED))
    winner = call.leg(leg_id)
    assert winner is not None  # noqa: S101 - both callers have just found it
    call = with_leg(call, replace(winner, accepted_at=at, result=Result.ACCEPTED))
    return replace(call, phase=Phase.CONNECTING), (
        Connect(leg_id),
        *(command for leg in others for command in dismiss(leg, Prompt.TAKEN)),
        StopTimer(Timer.RING),
        StopTimer(Timer.MAX_WAIT),
    )


def connected(call: Call, event: Connected) -> Moved:
    winner = call.winner
    if call.phase is not Phase.CONNECTING or winner is None or winner.id != event.leg:
        return call, ()
    call = replace(call, phase=Phase.TALKING, answered_at=winner.accepted_at)
    return call, (Save(Stage.ANSWERED),)


def resume(call: Call, at: float) -> Moved:
    """Who had accepted left before the caller could hear it: the hunt goes on where it was."""
    return then((_wait_left(call, at),), next_step(replace(call, phase=Phase.HUNTING), at))


def _wait_left(call: Call, at: float) -> StartTimer:
    return StartTimer(Timer.MAX_WAIT, max(0.0, call.hunt_at + call.this_hunt.max_wait - at))


def take_up(call: Call, at: float, up: frozenset[str]) -> Moved:
    """Go on with a hunt that an earlier run of the router began: its phones ring for as long as they had left, and
    whoever listens (`up`) is told anew what the call is about. Whom it had connected is found out next."""
    if call.phase is Phase.CONNECTING:
        return call, ()
    if not call.live_legs:
        return then((_wait_left(call, at),), next_step(call, at))
    commands: list[Command] = [_wait_left(call, at)]
    timeout = call.this_hunt.steps[max(call.step, 0)].timeout
    since = max(leg.started_at for leg in call.live_legs)
    commands.append(StartTimer(Timer.RING, max(0.0, since + timeout - at)))
    for leg in call.live_legs:
        if leg.listening and leg.id in up:
            commands += [Whisper(leg.id), StartTimer(Timer.ACCEPT, call.plan.accept_timeout, leg.id)]
    return call, tuple(commands)


# --- Time -------------------------------------------------------------------------------------------------


def ring_over(call: Call, at: float) -> Moved:
    """This step has rung long enough."""
    later = call.this_hunt.steps[call.step + 1 :]
    if later and later[0].keep:
        return next_step(call, at)
    call, commands = _give_up_ringing(call, at)
    if call.live_legs:
        return call, commands
    return then(commands, next_step(call, at))


def wait_over(call: Call, at: float) -> Moved:
    """The caller has waited long enough for this hunt."""
    call, commands = _give_up_ringing(call, at)
    for leg in call.live_legs:
        call = with_leg(call, replace(leg, ended_at=at, result=Result.NOT_ACCEPTED))
        commands += (StopTimer(Timer.ACCEPT, leg.id), HangUpLeg(leg.id))
    return then(commands, next_hunt(call, at))


def _give_up_ringing(call: Call, at: float) -> Moved:
    given_up = [leg for leg in call.live_legs if not leg.listening]
    for leg in given_up:
        call = with_leg(call, replace(leg, ended_at=at, result=_unanswered(leg)))
    return call, tuple(HangUpLeg(leg.id) for leg in given_up)


def _unanswered(leg: Leg) -> Result:
    """What a leg was that we gave up waiting for."""
    if leg.ringing_at is not None:
        return Result.NO_ANSWER
    # Nothing ever rang. Where a broken link may have swallowed the leg that is our fault, not theirs.
    return Result.FAILED if leg.unsure else Result.UNREACHABLE


# --- What could not be dialled ----------------------------------------------------------------------------


def not_dialled(call: Call, event: Failed, leg_id: str) -> Moved:
    leg = call.leg(leg_id)
    if leg is None:
        return call, ()
    if event.failure is Failure.LINK:
        return with_leg(call, replace(leg, unsure=True)), ()
    if leg.live and leg.answered_at is not None:
        # The answer to our request came late or never, and yet it was placed.
        return call, ()
    if not leg.live:
        never_was = event.failure in _NEVER_WAS
        return with_leg(call, replace(leg, gone=leg.gone or never_was)), ()
    if event.failure is Failure.GONE:
        # The caller went away while we dialled: its own end is on its way, and rings nobody else meanwhile.
        return with_leg(call, replace(leg, gone=True, ended_at=event.at, result=Result.CANCELLED)), ()
    if event.failure in _NEVER_WAS:
        result = Result.BUSY if event.failure is Failure.ENGAGED else Result.UNREACHABLE
        ended = replace(leg, gone=True, ended_at=event.at, result=result)
        return after_leg(with_leg(call, ended), event.at, ended)
    # Refused, or no answer in time: should it exist all the same, it must not ring on.
    return _give_up(call, event.at, leg, Result.FAILED)


_NEVER_WAS: Final = frozenset((Failure.GONE, Failure.NOT_PLACED, Failure.ENGAGED))


def _results(call: Call) -> Iterable[Result]:
    return (leg.result for leg in call.legs if leg.result is not None)
