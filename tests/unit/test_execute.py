"""Carrying out commands: what a refusal means to the call, what a leg is dressed in, timers, and rows."""

from __future__ import annotations

import logging
import time
from dataclasses import replace

import pytest

from router import errors
from router.dialling import DEAD_MAN
from router.dress import dress
from router.events import (
    Connect,
    Connected,
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
from router.execute import LONGEST_FAREWELL
from router.model import Outcome, Route
from router.state import Leg
from tests.build import DID, make_campaign, make_config, make_hours, make_trunk
from tests.calls import CALL_ID, leg_id, target
from tests.hands import LEG, ORIGINATE, ROUTE, Hands, fired, hands
from tests.switchboard import turn
from tests.waiting import until

__all__ = ["hands"]


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


# --- Timers -----------------------------------------------------------------------------------------------


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
