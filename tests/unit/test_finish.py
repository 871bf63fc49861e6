"""The end of a call that nobody took: words, a message, or nothing; and the challenge before it begins."""

from __future__ import annotations

import pytest

from router.events import (
    AnswerCaller,
    CallerLeft,
    Failed,
    Failure,
    HangUpCaller,
    Key,
    LegRinging,
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
from router.finish import LONGEST_WORDS, RECORDER_SLACK, longest_words
from router.model import Ending, HangupBy, Outcome, Prompt, Sound, Voicemail
from router.records import call_record
from router.state import Phase
from tests.calls import Driver, gated, leg_id

SORRY, BEHIND_THE_TONE = Sound("Sorry"), Sound("Your message will be recorded")
WORDS = Ending(SORRY)
MESSAGE = Ending(None, Voicemail(BEHIND_THE_TONE, 60.0))


def nobody(ending: Ending | None) -> Driver:
    """A call that rang out."""
    call = Driver(gated("alice"), None, ending)
    call.take(LegRinging(101.0, leg_id(1)), TimerFired(120.0, Timer.RING))
    return call


def at_the_tone() -> Driver:
    call = nobody(MESSAGE)
    call.take(Said(130.0))
    return call


# --- Words ------------------------------------------------------------------------------------------------


def test_the_caller_hears_words_and_the_call_ends() -> None:
    call = nobody(WORDS)
    assert call.last[1:] == (
        StopTimer(Timer.RING),
        StopTimer(Timer.MAX_WAIT),
        AnswerCaller(),
        Say((SORRY,)),
        StartTimer(Timer.ENDING, LONGEST_WORDS),
    )
    assert (call.call.phase, call.call.outcome) == (Phase.ENDING, None)
    assert call.take(Said(126.0)) == (HangUpCaller("normal"), StopTimer(Timer.ENDING), Save(Stage.ENDED))
    record = call_record(call.call)
    assert (record.outcome, record.hangup_by, record.cause) == (Outcome.NO_ANSWER, HangupBy.ROUTER, 16)
    assert record.ring_seconds == 20.0, "words are not ringing"


@pytest.mark.parametrize("refused", [Outcome.CLOSED, Outcome.UNREACHABLE])
def test_a_call_that_rings_nobody_may_have_words_too(refused: Outcome) -> None:
    call = Driver(None, refused, WORDS)
    assert call.commands[1:3] == [AnswerCaller(), Say((SORRY,))]
    call.take(Said(110.0))
    assert call.call.outcome is refused


@pytest.mark.parametrize("refused", [Outcome.BLOCKED, Outcome.FAILED])
def test_not_for_whoever_is_blocked_nor_when_it_is_our_fault(refused: Outcome) -> None:
    assert Driver(None, refused, WORDS).call.outcome is refused


def test_who_hangs_up_during_the_words_has_not_abandoned() -> None:
    call = nobody(WORDS)
    call.take(CallerLeft(122.0, 16))
    assert (call.call.outcome, call.call.hangup_by) == (Outcome.NO_ANSWER, HangupBy.CALLER)
    assert call.take(Said(122.1), Recorded(122.1, 5.0)) == ()


@pytest.mark.parametrize("failure", [Failure.GONE, Failure.LINK])
def test_words_that_meet_a_hang_up_or_a_broken_link_wait_for_the_truth(failure: Failure) -> None:
    call = nobody(WORDS)
    assert call.take(Failed(121.0, Say((SORRY,)), failure)) == ()


def test_words_never_last_for_ever() -> None:
    call = nobody(WORDS)
    call.take(TimerFired(240.0, Timer.ENDING))
    assert call.call.outcome is Outcome.NO_ANSWER


def test_the_dead_man_waits_for_all_that_may_follow() -> None:
    assert longest_words(Driver(None, Outcome.CLOSED, WORDS).call) == 2 * LONGEST_WORDS + RECORDER_SLACK
    assert longest_words(challenged(None, MESSAGE).call) == 2 * LONGEST_WORDS + RECORDER_SLACK + 60.0 + 60.0
    assert longest_words(challenged().call) == 2 * LONGEST_WORDS + RECORDER_SLACK + 60.0


# --- A message --------------------------------------------------------------------------------------------


def test_a_message_is_recorded_behind_its_announcement_and_nowhere_else() -> None:
    call = nobody(Ending(SORRY, Voicemail(BEHIND_THE_TONE, 60.0)))
    assert call.told(Say) == [Say((SORRY, BEHIND_THE_TONE, Prompt.BEEP))]
    assert call.take(Said(130.0)) == (Record(60.0), StartTimer(Timer.ENDING, 60.0 + RECORDER_SLACK))
    assert call.take(Said(130.1)) == ()
    call.take(Recorded(150.0, 18.0))
    record = call_record(call.call)
    assert (record.outcome, record.hangup_by) == (Outcome.VOICEMAIL, HangupBy.ROUTER)
    assert (record.recording, record.recording_seconds) == (f"callrouter-{call.call.id}", 18.0)


def test_an_announcement_that_was_not_heard_is_followed_by_no_recording() -> None:
    call = nobody(MESSAGE)
    call.take(Failed(121.0, Say((BEHIND_THE_TONE,)), Failure.ERROR))
    assert (call.told(Record), call.call.outcome) == ([], Outcome.NO_ANSWER)


def test_who_hangs_up_behind_the_message_has_left_it() -> None:
    call = at_the_tone()
    assert call.take(CallerLeft(150.0, 16)) == (StartTimer(Timer.ENDING, RECORDER_SLACK),)
    call.take(Recorded(150.1, 18.0))
    assert (call.call.outcome, call.call.hangup_by, call.call.cause) == (Outcome.VOICEMAIL, HangupBy.CALLER, 16)
    assert not call.told(HangUpCaller)


@pytest.mark.parametrize("seconds", [None, 0.0, 0.9])
def test_too_short_is_no_message(seconds: float | None) -> None:
    call = at_the_tone()
    call.take(Recorded(131.0, seconds))
    assert (call.call.outcome, call_record(call.call).recording) == (Outcome.NO_ANSWER, None)


def test_a_recorder_that_never_answers_does_not_hold_the_call() -> None:
    call = at_the_tone()
    call.take(CallerLeft(150.0), TimerFired(153.0, Timer.ENDING))
    assert call.call.outcome is Outcome.NO_ANSWER


def test_a_recording_that_cannot_begin_ends_the_call() -> None:
    call = at_the_tone()
    call.take(Failed(130.1, Record(60.0), Failure.ERROR))
    assert call.call.outcome is Outcome.NO_ANSWER


def test_nothing_is_recorded_while_a_call_is_hunting() -> None:
    call = Driver(gated("alice"), None, MESSAGE)
    assert call.take(Said(101.0), Recorded(101.0, 20.0)) == ()


def test_nor_before_the_tone() -> None:
    call = nobody(MESSAGE)
    assert call.take(Recorded(121.0, 20.0)) == ()


# --- The challenge ----------------------------------------------------------------------------------------


def challenged(refused: Outcome | None = None, ending: Ending | None = None) -> Driver:
    return Driver(None if refused else gated("alice"), refused, ending, challenge=True)


def test_who_withholds_the_number_is_asked_for_a_key_before_anybody_rings() -> None:
    call = challenged()
    assert call.commands[:3] == [Save(Stage.OPENED), AnswerCaller(), Say((Prompt.CHALLENGE,))]
    assert not any(isinstance(command, Originate) for command in call.commands)
    call.take(Key(104.0, "", "1"))
    assert call.last[:2] == (StopTimer(Timer.INPUT), RingBack())
    assert len(call.told(Originate)) == 1


def test_another_key_does_not_help() -> None:
    assert challenged().take(Key(104.0, "", "7"), Said(105.0)) == ()


def test_no_key_in_time_is_blocked() -> None:
    call = challenged()
    call.take(TimerFired(120.0, Timer.INPUT))
    assert (call.call.outcome, call.call.hangup_by) == (Outcome.BLOCKED, HangupBy.ROUTER)
    assert call.told(HangUpCaller) == [HangUpCaller("normal")], "it was answered, so it is hung up as any other"


def test_who_leaves_the_question_has_abandoned() -> None:
    call = challenged()
    call.take(CallerLeft(104.0))
    assert (call.call.outcome, call.call.hangup_by) == (Outcome.ABANDONED, HangupBy.CALLER)


def test_behind_the_key_a_closed_campaign_is_closed() -> None:
    call = challenged(Outcome.CLOSED, WORDS)
    call.take(Key(104.0, "", "1"))
    assert call.told(Say) == [Say((SORRY,))]
    call.take(Said(110.0))
    assert call.call.outcome is Outcome.CLOSED
