"""What a leg and the caller hear and until when, and the message that is left."""

from __future__ import annotations

from dataclasses import replace

import pytest

from router.ari.wire import RecordingFinished
from router.events import (
    AnswerCaller,
    Connect,
    Failed,
    Failure,
    Farewell,
    Record,
    Recorded,
    RingBack,
    Said,
    Say,
    Whisper,
)
from router.execute import MOST_PLAYS
from router.model import Prompt, Sound
from router.state import Leg
from tests.calls import CALL_ID, target
from tests.hands import LEG, ROUTE, Hands, fired, hands
from tests.waiting import until

__all__ = ["hands"]


# --- What is heard ----------------------------------------------------------------------------------------


def listening(hands: Hands) -> None:
    """Alice's leg was answered and hears the whisper."""
    leg = Leg(LEG, 1, target("alice"), ROUTE, 100.0, answered_at=105.0)
    hands.live.call = replace(hands.live.call, legs=(leg,))
    hands.run(Whisper(LEG))


WHISPERED = ("fr:Flyer", "fr:new-caller", "fr:press-1")


async def test_the_whisper_is_said_again_until_a_key_is_pressed(hands: Hands) -> None:
    listening(hands)
    for _ in range(2):
        assert (hands.client.last("play").channel, hands.client.last("play").media) == (LEG, WHISPERED)
        assert hands.player.over(LEG, hands.client.last("play").playback)
        hands.executor.played(hands.live, LEG, failed=False)
    assert len(hands.client.all("play")) == 3


async def test_a_whisper_that_cannot_be_heard_is_a_beep(hands: Hands) -> None:
    listening(hands)
    hands.executor.played(hands.live, LEG, failed=True)
    assert hands.client.last("play").media == ("fr:beep",)


async def test_a_sound_without_a_length_is_not_played_for_ever(hands: Hands) -> None:
    listening(hands)
    for _ in range(MOST_PLAYS + 10):
        hands.executor.played(hands.live, LEG, failed=False)
    assert len(hands.client.all("play")) == MOST_PLAYS + 1


async def test_what_is_heard_is_cut_off_before_the_two_are_bridged(hands: Hands) -> None:
    listening(hands)
    playback = hands.client.last("play").playback
    hands.run(Connect(LEG))
    assert hands.client.verbs[1:] == [
        "stop_playback",
        "answer",
        "create_bridge",
        "add_to_bridge",
        "set_variable",
        "set_variable",
    ]
    assert hands.client.last("stop_playback").playback == playback
    assert not hands.player.over(LEG, playback), "nobody waits for the end of what was cut off"


async def test_whoever_is_given_up_hears_why_and_is_hung_up(hands: Hands) -> None:
    listening(hands)
    hands.run(Farewell(LEG, Prompt.TAKEN))
    assert hands.client.verbs[1:] == ["stop_playback", "play"]
    assert hands.client.last("play").media == ("fr:taken",)
    hands.executor.played(hands.live, LEG, failed=False)
    assert hands.client.last("hang_up").channel == LEG
    assert hands.live.farewells == {}


async def test_and_is_hung_up_though_nothing_is_told_of_the_words(
    hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("router.execute.LONGEST_FAREWELL", 0.01)
    hands.run(Farewell(LEG, Prompt.TAKEN))
    await until(lambda: "hang_up" in hands.client.verbs)


async def test_a_leg_that_went_by_itself_is_not_hung_up_again(hands: Hands) -> None:
    hands.run(Farewell(LEG, Prompt.TAKEN))
    (handle,) = hands.live.farewells.values()
    hands.executor.release(hands.live, LEG)
    assert handle.cancelled()


async def test_the_caller_hears_words_and_the_call_is_told(hands: Hands) -> None:
    hands.run(AnswerCaller(), Say((Sound("Sorry"), Prompt.BEEP)))
    assert hands.client.verbs == ["set_variable", "answer", "play"]
    assert hands.client.last("set_variable").value == "303", (
        "the dead-man timer of the dialplan waits for the words"
    )
    assert (hands.client.last("play").channel, hands.client.last("play").media) == ("1.1", ("fr:Sorry", "fr:beep"))
    hands.executor.played(hands.live, "", failed=False)
    assert hands.events == [Said(7.0)]
    hands.executor.played(hands.live, "", failed=False)
    assert len(hands.events) == 1


async def test_words_that_fail_are_told_behind_the_hang_up_that_cut_them_off(hands: Hands) -> None:
    hands.run(Say((Sound("Sorry"),)))
    hands.executor.played(hands.live, "", failed=True)
    assert hands.events == []
    assert await fired(hands, 1) == [Failed(7.0, Say((Sound("Sorry"),)), Failure.ERROR)]


async def test_a_beep_in_the_place_of_words_has_told_nothing(hands: Hands) -> None:
    hands.sounds.missing.add(Sound("Sorry"))
    hands.run(Say((Sound("Sorry"),)))
    hands.executor.played(hands.live, "", failed=False)
    assert await fired(hands, 1) == [Failed(7.0, Say((Sound("Sorry"),)), Failure.ERROR)]


async def test_ringing_takes_the_place_of_words(hands: Hands) -> None:
    hands.run(Say((Prompt.CHALLENGE,)), RingBack())
    assert hands.client.verbs == ["play", "stop_playback", "ring"]
    hands.executor.played(hands.live, "", failed=False)
    assert hands.events == []


# --- A message --------------------------------------------------------------------------------------------


def message(duration: int, talking: int | None = None, *, failed: bool = False) -> RecordingFinished:
    return RecordingFinished(f"callrouter-{CALL_ID}", "channel:1.1", duration, talking, failed)


async def test_a_message_is_recorded_under_the_calls_id(hands: Hands) -> None:
    hands.run(Record(60.0))
    asked = hands.client.last("record")
    assert (asked.channel, asked.name, asked.longest) == ("1.1", f"callrouter-{CALL_ID}", 60.0)


@pytest.mark.parametrize(
    ("event", "seconds"), [(message(20), 20.0), (message(20, 15), 15.0), (message(0, failed=True), None)]
)
async def test_how_long_the_message_is(hands: Hands, event: RecordingFinished, seconds: float | None) -> None:
    hands.executor.recorded(hands.live, event)
    assert await fired(hands, 1) == [Recorded(7.0, seconds)]
    assert hands.client.verbs == []


async def test_silence_is_not_kept(hands: Hands) -> None:
    hands.executor.recorded(hands.live, message(5, 0))
    assert hands.client.last("delete_recording").name == f"callrouter-{CALL_ID}"
    assert await fired(hands, 1) == [Recorded(7.0, 0.0)]
