"""Carrying out commands: what a refusal means to the call, timers, and what a leg is dressed in."""

from __future__ import annotations

import logging
import random
import time
from dataclasses import replace

import pytest

from router import errors
from router.ari.wire import RecordingFinished
from router.dialling import DEAD_MAN
from router.dress import dress
from router.events import (
    AnswerCaller,
    Connect,
    Connected,
    Event,
    Failed,
    Failure,
    Farewell,
    HangUpCaller,
    HangUpLeg,
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
    Whisper,
)
from router.execute import LONGEST_FAREWELL, MOST_PLAYS, Executor, Live
from router.model import Config, Outcome, Prompt, Route, Sound
from router.playback import Player
from router.standing import Standing
from router.state import Call, Leg
from router.trunks import Trunks
from tests.build import DID, make_campaign, make_config, make_hours, make_trunk
from tests.calls import CALL_ID, decision, gated, leg_id, target
from tests.switchboard import FakeClient, FakeSounds, FakeWriter, turn, until

LEG = leg_id(1)
ROUTE = Route("main", "PJSIP/+33612345678@trunk", "+33184801001")
ORIGINATE = Originate(LEG, "alice", 1, ROUTE, 25.0)


class Hands:
    """An executor with its fakes, and the events that it gave back."""

    def __init__(self, config: Config | None = None) -> None:
        self.client, self.writer = FakeClient(), FakeWriter()
        self.events: list[Event] = []
        call = Call(CALL_ID, decision(gated("alice")), "1.1", 100.0, 1_700_000_000.0, "cafe", "node")
        config = config or make_config(campaigns=[make_campaign("flyer")])
        self.live = Live(call, config)
        self.standing = Standing(random.Random(1))
        self.trunks = Trunks(config)
        self.sounds = FakeSounds()
        self.player = Player(self.client, self.sounds)  # type: ignore[arg-type]
        self.executor = Executor(
            self.client,  # type: ignore[arg-type]
            self.writer,  # type: ignore[arg-type]
            self.take,
            lambda: 7.0,
            lambda: 1_700_000_007.0,
            player=self.player,
            standing=self.standing,
            trunks=self.trunks,
        )

    def take(self, live: Live, event: Event) -> None:
        assert live is self.live
        self.events.append(event)

    def run(self, *commands: object) -> None:
        for command in commands:
            self.executor.run(self.live, command)  # type: ignore[arg-type]

    async def refuse(self, verb: str, error: BaseException) -> None:
        self.client.last(verb).future.set_exception(error)
        await turn()

    async def grant(self, *verbs: str) -> None:
        for verb in verbs:
            self.client.last(verb).future.set_result(None)
        await turn()


@pytest.fixture
async def hands() -> Hands:
    return Hands()


# --- What a refusal means ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (errors.AriGone("404", 404), Failure.GONE),
        (errors.AriAllocation("500", 500), Failure.NOT_PLACED),
        (errors.AriDisconnected("no link"), Failure.LINK),
        (errors.AriTimeout("late"), Failure.ERROR),
        (errors.AriConflict("409", 409), Failure.ERROR),
        (errors.AriNotUp("412", 412), Failure.ERROR),
        (errors.AriError("500", 500), Failure.ERROR),
    ],
)
@pytest.mark.parametrize(
    ("command", "verb"),
    [(ORIGINATE, "create"), (HangUpLeg(LEG), "hang_up"), (HangUpCaller("busy"), "hang_up")],
)
async def test_a_refusal_goes_back_to_the_call(
    hands: Hands, command: object, verb: str, error: errors.AriError, failure: Failure
) -> None:
    hands.run(command)
    await hands.refuse(verb, error)
    assert hands.events == [Failed(7.0, command, failure)]  # type: ignore[arg-type]


async def test_a_yes_says_nothing_but_that_the_two_are_connected(hands: Hands) -> None:
    hands.run(ORIGINATE, HangUpLeg(LEG), HangUpCaller("busy"))
    await hands.grant("create", "hang_up")
    assert hands.events == []
    hands.run(Connect(LEG))
    await hands.grant("answer", "create_bridge")
    assert hands.events == [], "not before they hear each other"
    await hands.grant("add_to_bridge")
    assert hands.events == [Connected(7.0, LEG)]


async def test_a_connect_that_fails_in_several_places_is_one_failure(hands: Hands) -> None:
    hands.run(Connect(LEG))
    await hands.refuse("answer", errors.AriTimeout("late"))
    await hands.refuse("create_bridge", errors.AriTimeout("late"))
    await hands.refuse("add_to_bridge", errors.AriGone("404", 404))
    assert hands.events == [Failed(7.0, Connect(LEG), Failure.ERROR)]


async def test_a_connect_that_failed_is_not_connected_by_a_late_yes(hands: Hands) -> None:
    hands.run(Connect(LEG))
    await hands.refuse("answer", errors.AriTimeout("late"))
    await hands.grant("add_to_bridge")
    assert hands.events == [Failed(7.0, Connect(LEG), Failure.ERROR)]


async def test_who_left_at_the_very_moment_of_the_answer_is_gone(hands: Hands) -> None:
    """Asterisk says 422 for a channel that has left the application and is not destroyed yet."""
    hands.run(Connect(LEG))
    await hands.grant("answer", "create_bridge")
    await hands.refuse("add_to_bridge", errors.AriConflict("422 Channel not in Stasis application", 422))
    assert hands.events == [Failed(7.0, Connect(LEG), Failure.GONE)]


async def test_a_bridge_that_is_there_already_is_used(hands: Hands) -> None:
    """Connecting again after a broken link."""
    hands.run(Connect(LEG))
    await hands.grant("answer")
    await hands.refuse("create_bridge", errors.AriConflict("409 Bridge with id already exists", 409))
    await hands.grant("add_to_bridge")
    assert hands.events == [Connected(7.0, LEG)]


async def test_a_request_that_was_cancelled_is_nobodys_failure(hands: Hands) -> None:
    hands.run(ORIGINATE)
    hands.client.last("create").future.cancel()
    await turn()
    assert hands.events == []


async def test_a_refusal_is_in_the_debug_log_without_a_number(
    hands: Hands, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "router.execute")
    hands.run(ORIGINATE)
    await hands.refuse("create", errors.AriError("ARI POST channels/create: 400 app", 400))
    assert "command=Originate" in caplog.text
    assert "612345678" not in caplog.text


# --- What a leg is dressed in -----------------------------------------------------------------------------


async def test_a_leg_shows_our_number_and_nothing_of_the_callers(hands: Hands) -> None:
    hands.run(ORIGINATE)
    asked = hands.client.last("create")
    assert (asked.endpoint, asked.channel_id) == (ROUTE.endpoint, LEG)
    assert (asked.originator, asked.app_args) == ("1.1", "leg")
    assert asked.variables == {**dress(ROUTE, make_trunk(), DID), DEAD_MAN: "50"}


async def test_a_leg_ends_by_itself_when_neither_its_ring_nor_its_key_nor_a_talk_has_ended_it(hands: Hands) -> None:
    hands.run(replace(ORIGINATE, timeout=25.2))
    asked = hands.client.last("create")
    least = 25.2 + hands.live.call.plan.accept_timeout + LONGEST_FAREWELL
    assert least < int(asked.variables[DEAD_MAN]) < least + 5


async def test_an_anonymous_leg_is_one_of_our_numbers_withheld(hands: Hands) -> None:
    hands.run(Originate(LEG, "alice", 1, Route("main", "PJSIP/1@trunk", "", "anonymous"), 25.0))
    asked = hands.client.last("create")
    assert asked.variables["CONNECTEDLINE(num,i)"] == DID
    assert asked.variables["CONNECTEDLINE(pres,i)"] == "prohib"


# --- Who may be rung, and over what -----------------------------------------------------------------------


async def test_who_is_on_as_many_calls_as_may_be_is_not_rung(hands: Hands) -> None:
    hands.standing.took("c-other", "alice")
    hands.run(ORIGINATE)
    assert (hands.client.verbs, hands.events) == ([], []), "told when the commands beside it are under way"
    await turn()
    assert hands.events == [Failed(7.0, ORIGINATE, Failure.ENGAGED)]


@pytest.mark.parametrize("most", [0, 2])
async def test_who_may_be_on_more_calls_is_rung(hands: Hands, most: int) -> None:
    hands.standing.took("c-other", "alice")
    hands.run(Originate(LEG, "alice", most, ROUTE, 25.0))
    assert hands.client.verbs == ["create"]


async def test_a_trunk_that_is_full_places_nothing_until_a_leg_is_over() -> None:
    hands = Hands(make_config(campaigns=[make_campaign("flyer")], trunks=[make_trunk(max_calls=1)]))
    second = Originate(leg_id(2), "bob", 1, ROUTE, 25.0)
    hands.run(ORIGINATE, second)
    await turn()
    assert hands.events == [Failed(7.0, second, Failure.NOT_PLACED)]
    hands.executor.release(hands.live, LEG)
    hands.executor.release(hands.live, LEG)
    hands.run(second)
    assert hands.client.verbs == ["create", "create"]


async def test_a_trunk_that_cannot_place_a_leg_is_tried_last_for_a_while(hands: Hands) -> None:
    hands.run(ORIGINATE)
    await hands.refuse("create", errors.AriAllocation("500", 500))
    assert hands.trunks.down(7.1) == {"main"}


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


# --- Timers -----------------------------------------------------------------------------------------------


async def fired(hands: Hands, count: int) -> list[Event]:
    await until(lambda: len(hands.events) >= count)
    return hands.events


async def test_a_timer_fires_once(hands: Hands) -> None:
    began = time.monotonic()
    hands.run(StartTimer(Timer.RING, 0.03))
    assert await fired(hands, 1) == [TimerFired(7.0, Timer.RING)]
    assert time.monotonic() - began >= 0.02
    assert hands.live.timers == {}


async def test_a_timer_that_comes_while_the_link_is_away_waits_for_it(
    hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("router.execute.LOOK_AGAIN", 0.01)
    hands.client.steady = False
    hands.run(StartTimer(Timer.RING, 0.01))
    (first,) = hands.live.timers.values()
    await until(lambda: first not in hands.live.timers.values())
    assert (hands.events, len(hands.live.timers)) == ([], 1)
    hands.client.steady = True
    assert await fired(hands, 1) == [TimerFired(7.0, Timer.RING)]


async def test_of_a_call_that_is_let_go_nothing_rings_and_no_clock_runs(hands: Hands) -> None:
    hands.run(ORIGINATE, StartTimer(Timer.RING, 0.01))
    live = replace(
        hands.live.call,
        legs=(
            Leg(LEG, 1, target("alice"), ROUTE, 100.0),
            Leg(leg_id(2), 2, target("bob"), ROUTE, 100.0, gone=True),
        ),
    )
    hands.live.call = live
    hands.executor.let_go(hands.live)
    assert [asked.channel for asked in hands.client.all("hang_up")] == [LEG]
    assert (hands.live.timers, hands.live.trunks) == ({}, {})


async def test_each_leg_has_a_timer_of_its_own(hands: Hands) -> None:
    hands.run(StartTimer(Timer.ACCEPT, 0.01, LEG), StartTimer(Timer.ACCEPT, 0.02, leg_id(2)))
    hands.run(StopTimer(Timer.ACCEPT, LEG))
    assert await fired(hands, 1) == [TimerFired(7.0, Timer.ACCEPT, leg_id(2))]


async def test_a_timer_that_is_stopped_does_not_fire(hands: Hands) -> None:
    hands.run(StartTimer(Timer.RING, 0.01), StartTimer(Timer.MAX_WAIT, 0.05), StopTimer(Timer.RING))
    assert await fired(hands, 1) == [TimerFired(7.0, Timer.MAX_WAIT)]


async def test_stopping_what_does_not_run_is_nothing(hands: Hands) -> None:
    hands.run(StopTimer(Timer.RING), StopTimer(Timer.RING))
    assert hands.live.timers == {}


async def test_a_timer_that_is_started_again_counts_anew(hands: Hands) -> None:
    hands.run(StartTimer(Timer.RING, 0.01), StartTimer(Timer.RING, 0.05), StartTimer(Timer.MAX_WAIT, 0.02))
    assert await fired(hands, 2) == [TimerFired(7.0, Timer.MAX_WAIT), TimerFired(7.0, Timer.RING)]


# --- Rows -------------------------------------------------------------------------------------------------


async def test_each_stage_is_written_as_the_call_stands(hands: Hands) -> None:
    hands.run(Save(Stage.OPENED), Save(Stage.ANSWERED), Save(Stage.ENDED))
    assert hands.writer.stages == ["opened", "answered", "ended"]
    assert {call.id for _, call in hands.writer.wrote} == {CALL_ID}


async def test_of_a_call_that_ends_in_the_same_step_only_the_end_is_written(hands: Hands) -> None:
    """Killed between the two writings, it would be on record as ended, and nobody be owed a callback."""
    hands.live.call = replace(hands.live.call, outcome=Outcome.CLOSED, ended_at=130.0)
    hands.run(Save(Stage.OPENED), Save(Stage.HUNTING), Save(Stage.ENDED))
    assert hands.writer.stages == ["ended"]


def missed(hands: Hands, outcome: Outcome | None) -> None:
    hands.live.call = replace(hands.live.call, outcome=outcome, ended_at=130.0)
    hands.run(Save(Stage.ENDED))


async def test_a_missed_call_wishes_for_the_campaigns_callback(hands: Hands) -> None:
    missed(hands, Outcome.NO_ANSWER)
    assert hands.writer.wish is not None
    assert hands.writer.wish.due_at == 1_700_000_030.0 + 900.0


async def test_the_wish_runs_on_the_campaigns_opening_hours() -> None:
    """2023-11-14 23:13:50 in Paris, a Tuesday: due 15 minutes into Wednesday's hours."""
    hands = Hands(make_config(campaigns=[make_campaign("flyer", hours="office")], hours=[make_hours()]))
    missed(hands, Outcome.CLOSED)
    assert hands.writer.wish is not None
    assert hands.writer.wish.due_at == 1_700_035_200.0 + 900.0


@pytest.mark.parametrize("outcome", [Outcome.ANSWERED, Outcome.BLOCKED, None])
async def test_what_is_not_missed_wishes_for_nothing(hands: Hands, outcome: Outcome | None) -> None:
    missed(hands, outcome)
    assert hands.writer.wish is None


async def test_a_campaign_that_is_no_longer_in_the_file_has_the_unknown_numbers_callback() -> None:
    unknown = make_campaign("unknown", (), callback=None)
    hands = Hands(make_config(campaigns=[make_campaign("another")], unknown=unknown))
    missed(hands, Outcome.NO_ANSWER)
    assert hands.writer.wish is None
