"""Carrying out commands: what a refusal means to the call, timers, and what a leg is dressed in."""

from __future__ import annotations

import asyncio
import logging
import time

import pytest

from router import errors
from router.events import (
    Connect,
    Connected,
    Event,
    Failed,
    Failure,
    HangUpCaller,
    HangUpLeg,
    Originate,
    Save,
    Stage,
    StartTimer,
    StopTimer,
    Timer,
    TimerFired,
)
from router.execute import NOWHERE, Executor, Live
from router.model import Config, Outcome
from router.state import Call
from tests.build import DID, make_campaign, make_config, make_hours
from tests.calls import CALL_ID, decision, leg_id, plan
from tests.switchboard import FakeClient, FakeWriter, turn

LEG = leg_id(1)
ORIGINATE = Originate(LEG, "PJSIP/+33612345678@trunk", "+33184801001", 25.0)


class Hands:
    """An executor with its fakes, and the events that it gave back."""

    def __init__(self, config: Config | None = None) -> None:
        self.client, self.writer = FakeClient(), FakeWriter()
        self.events: list[Event] = []
        call = Call(CALL_ID, decision(plan("alice")), "1.1", 100.0, 1_700_000_000.0, "cafe", "node")
        self.live = Live(call, config or make_config(campaigns=[make_campaign("flyer")]))
        self.executor = Executor(self.client, self.writer, self.take, lambda: 7.0)  # type: ignore[arg-type]

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
    [(ORIGINATE, "originate"), (HangUpLeg(LEG), "hang_up"), (HangUpCaller("busy"), "hang_up")],
)
async def test_a_refusal_goes_back_to_the_call(
    hands: Hands, command: object, verb: str, error: errors.AriError, failure: Failure
) -> None:
    hands.run(command)
    await hands.refuse(verb, error)
    assert hands.events == [Failed(7.0, command, failure)]  # type: ignore[arg-type]


async def test_a_yes_says_nothing_but_that_the_two_are_connected(hands: Hands) -> None:
    hands.run(ORIGINATE, HangUpLeg(LEG), HangUpCaller("busy"))
    await hands.grant("originate", "hang_up")
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
    hands.client.last("originate").future.cancel()
    await turn()
    assert hands.events == []


async def test_a_refusal_is_in_the_debug_log_without_a_number(
    hands: Hands, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "router.execute")
    hands.run(ORIGINATE)
    await hands.refuse("originate", errors.AriGone("ARI POST channels: 400 originator", 400))
    assert "command=Originate" in caplog.text
    assert "612345678" not in caplog.text


# --- What a leg is dressed in -----------------------------------------------------------------------------


async def test_a_leg_shows_our_number_and_nothing_of_the_callers(hands: Hands) -> None:
    hands.run(ORIGINATE)
    asked = hands.client.last("originate")
    assert (asked.endpoint, asked.channel_id, asked.timeout) == (ORIGINATE.endpoint, LEG, 25.0)
    assert (asked.caller_id, asked.originator, asked.app_args) == (DID, "1.1", "leg")
    assert asked.variables["CONNECTEDLINE(name,i)"] == ""
    assert asked.variables["CONNECTEDLINE(num,i)"] == DID
    assert asked.variables["CONNECTEDLINE(pres,i)"] == "allowed"
    assert asked.variables["REDIRECTING(from-num-valid,i)"] == "0", "no Diversion is handed on"


async def test_an_anonymous_leg_is_one_of_our_numbers_withheld(hands: Hands) -> None:
    hands.run(Originate(LEG, "PJSIP/1@trunk", "", 25.0))
    asked = hands.client.last("originate")
    assert (asked.caller_id, asked.variables["CONNECTEDLINE(num,i)"]) == (DID, DID)
    assert asked.variables["CONNECTEDLINE(pres,i)"] == "prohib"


async def test_without_a_number_of_ours_an_anonymous_leg_has_none_at_all() -> None:
    hands = Hands(make_config(campaigns=[]))
    hands.run(Originate(LEG, "PJSIP/1@trunk", "", 25.0))
    variables = hands.client.last("originate").variables
    assert (variables["CONNECTEDLINE(num,i)"], variables["CONNECTEDLINE(pres,i)"]) == ("", "prohib")


async def test_a_leg_can_be_redirected_and_transferred_nowhere(hands: Hands) -> None:
    hands.run(ORIGINATE)
    variables = hands.client.last("originate").variables
    assert variables["FORWARD_CONTEXT"] == variables["TRANSFER_CONTEXT"] == NOWHERE


# --- Timers -----------------------------------------------------------------------------------------------


async def fired(hands: Hands, count: int) -> list[Event]:
    async with asyncio.timeout(5):
        while len(hands.events) < count:  # noqa: ASYNC110 - a timer has no event of its own
            await asyncio.sleep(0.001)
    return hands.events


async def test_a_timer_fires_once(hands: Hands) -> None:
    began = time.monotonic()
    hands.run(StartTimer(Timer.RING, 0.03))
    assert await fired(hands, 1) == [TimerFired(7.0, Timer.RING)]
    assert time.monotonic() - began >= 0.02
    assert hands.live.timers == {}


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


def missed(hands: Hands, outcome: Outcome | None) -> None:
    from dataclasses import replace

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
