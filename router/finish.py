"""How a call ends: at once, or with an announcement or a message for the caller whom nobody took. Pure.

A message is recorded only behind an announcement that was heard to its end: it says that it is recorded.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from router.events import (
    AnswerCaller,
    Command,
    Disconnect,
    Farewell,
    HangUpCaller,
    HangUpLeg,
    Record,
    Recorded,
    Said,
    Save,
    Say,
    Stage,
    StartTimer,
    StopTimer,
    Timer,
)
from router.model import HangupBy, Outcome, Prompt, Result, Sound
from router.outcome import CALLER_REASON, REASON_CAUSE
from router.state import Call, Leg, Phase

Step = tuple[Call, tuple[Command, ...]]

#: Seconds after which an announcement counts as over, whatever Asterisk says of it.
LONGEST_WORDS: Final = 120.0
#: Seconds that Asterisk may take to tell how a recording went whose time is over, or whose caller has hung up.
RECORDER_SLACK: Final = 3.0
#: A message shorter than this many seconds is a caller who hung up at the tone.
SHORTEST_MESSAGE: Final = 1.0

_WITH_WORDS: Final = frozenset((Outcome.NO_ANSWER, Outcome.BUSY, Outcome.UNREACHABLE, Outcome.CLOSED))


def finish(call: Call, at: float, outcome: Outcome) -> Step:
    """Nobody took the call: words for the caller where the configuration has some, else the end."""
    ending = call.decision.ending
    if ending is None or call.caller_gone or outcome not in _WITH_WORDS:
        return end(call, at, outcome, HangupBy.ROUTER)
    words: tuple[Prompt | Sound, ...] = (ending.announcement,) if ending.announcement else ()
    if ending.voicemail:
        words += (ending.voicemail.announcement, Prompt.BEEP)
    stop = (StopTimer(Timer.RING), StopTimer(Timer.MAX_WAIT)) if call.decision.plan else ()
    call = replace(call, phase=Phase.ENDING, verdict=outcome, verdict_at=at, caller_up=True)
    return call, (*stop, AnswerCaller(), Say(words), StartTimer(Timer.ENDING, LONGEST_WORDS))


def longest_words(call: Call) -> float:
    """Seconds that may pass until the end of a caller who is answered to hear words, whatever follows: what the
    dead-man timer must leave."""
    plan, ending = call.decision.plan, call.decision.ending
    hunts = sum(hunt.max_wait for hunt in plan.hunts) if plan else 0.0
    message = ending.voicemail.longest if ending and ending.voicemail else 0.0
    return 2 * LONGEST_WORDS + hunts + message + RECORDER_SLACK


def said(call: Call, event: Said) -> Step:
    """The caller has heard the words."""
    if call.phase is not Phase.ENDING or call.recording:
        return call, ()
    voicemail = call.decision.ending.voicemail if call.decision.ending else None
    if voicemail is None or call.caller_gone:
        return end_as_judged(call, event.at)
    return replace(call, recording=True), (
        Record(voicemail.longest),
        StartTimer(Timer.ENDING, voicemail.longest + RECORDER_SLACK),
    )


def recorded(call: Call, event: Recorded) -> Step:
    """The recording is over. One that is too short is no message."""
    if call.phase is not Phase.ENDING or not call.recording:
        return call, ()
    if event.seconds is not None and event.seconds >= SHORTEST_MESSAGE:
        call = replace(call, verdict=Outcome.VOICEMAIL, recorded=event.seconds)
    return end_as_judged(call, event.at)


def leave_words(call: Call, at: float, cause: int) -> Step:
    """The caller has hung up during the words, or when the message was said: that is not an abandoned call."""
    if call.recording:
        return replace(call, cause=cause or None), (StartTimer(Timer.ENDING, RECORDER_SLACK),)
    return end_as_judged(call, at, cause)


def end_as_judged(call: Call, at: float, cause: int = 0) -> Step:
    """End with the outcome that was known when the words began."""
    by = HangupBy.CALLER if call.caller_gone else HangupBy.ROUTER
    return end(call, at, call.verdict or Outcome.FAILED, by, cause or call.cause or 0)


def end(call: Call, at: float, outcome: Outcome, by: HangupBy, cause: int = 0) -> Step:
    """End the call: whatever lives of it is hung up, and its story is written.

    What Found tells was so when Asterisk was asked: meanwhile clocks have run, and the end comes after them.
    """
    at = max(at, call.seen)
    commands: list[Command] = []
    for leg in call.live_legs:
        result = leg.result if leg.accepted_at is not None and outcome is Outcome.ANSWERED else Result.CANCELLED
        call = with_leg(call, replace(leg, ended_at=at, result=result))
        commands += dismiss(leg, Prompt.CALLER_GONE)
    reason = "normal" if call.caller_up else CALLER_REASON[outcome]
    if not call.caller_gone:
        commands.append(HangUpCaller(reason))
    if call.phase in (Phase.CONNECTING, Phase.TALKING):
        commands.append(Disconnect())
    commands += [StopTimer(timer) for timer in _TIMERS.get(call.phase, ())]
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


_TIMERS: Final[dict[Phase, tuple[Timer, ...]]] = {
    Phase.CHALLENGE: (Timer.INPUT,),
    Phase.HUNTING: (Timer.RING, Timer.MAX_WAIT),
    Phase.ENDING: (Timer.ENDING,),
}
"""Which timers a phase may leave behind."""


def dismiss(leg: Leg, prompt: Prompt) -> tuple[Command, ...]:
    """Give up a live leg: whoever is listening is told why, a phone that rings just stops."""
    if leg.listening:
        return StopTimer(Timer.ACCEPT, leg.id), Farewell(leg.id, prompt)
    return (HangUpLeg(leg.id),)


def with_leg(call: Call, leg: Leg) -> Call:
    """The call with this leg in place of the one of the same id."""
    return replace(call, legs=tuple(leg if each.id == leg.id else each for each in call.legs))


def then(commands: tuple[Command, ...], after: Step) -> Step:
    """`commands` first, then those of `after`."""
    return after[0], commands + after[1]
