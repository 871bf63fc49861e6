"""The engine: which call an event belongs to, what follows from it in which order, and catching up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from router import routing
from router.ari import wire
from router.errors import AriAllocation, AriConflict, AriError, AriGone, AriTimeout
from router.ids import bridge_id
from router.model import HangupBy, Outcome, Result
from router.state import Phase
from tests.build import CALLER, DID, make_campaign, make_ring
from tests.calls import leg_id
from tests.switchboard import CAROL, OTHER, WALL, Switchboard, caller_channel, channel, turn, two_campaigns


@pytest.fixture
async def board() -> Switchboard:
    return Switchboard()


# --- A call from its arrival to its end -------------------------------------------------------------------


async def test_a_caller_is_in_the_database_and_a_mobile_is_dialled_at_once(board: Switchboard) -> None:
    board.arrives()
    assert board.writer.stages == ["opened"]
    (row,) = (call for _, call in board.writer.wrote)
    assert (row.did, row.campaign, row.caller.number, row.channel) == (DID, "spring", CALLER, "1.1")
    assert row.started_at == WALL
    (created,) = board.client.asked
    assert (created.verb, created.endpoint) == ("create", "PJSIP/+33612345678@trunk")
    assert (created.originator, created.app_args) == ("1.1", "leg")
    assert created.channel_id == f"{row.id}-01"
    board.reaches(board.leg())
    dialled = board.client.asked[-1]
    assert (dialled.verb, dialled.channel, dialled.timeout) == ("dial", board.leg(), 25.0)


async def test_what_a_call_asks_of_asterisk_is_one_lane(board: Switchboard) -> None:
    board.arrives()
    await board.connects(board.leg())
    board.leaves()
    call = board.writer.ended.id
    assert {asked.lane for asked in board.client.asked} == {call}


async def test_an_answered_leg_is_connected_in_this_order(board: Switchboard) -> None:
    board.arrives()
    board.answers(board.leg())
    verbs = [
        "create",
        "dial",
        "answer",
        "create_bridge",
        "add_to_bridge",
        "set_variable",
        "set_variable",
    ]
    assert board.client.verbs == verbs
    *_, answer, bridge, add, timer, legs_timer = board.client.asked
    assert (answer.channel, bridge.bridge, timer.channel) == ("1.1", add.bridge, "1.1")
    assert add.bridge == bridge_id(board.writer.wrote[0][1].id)
    assert add.channels == ("1.1", board.leg())
    assert legs_timer.channel == board.leg()
    for each in (timer, legs_timer):
        assert (each.name, each.value) == ("TIMEOUT(absolute)", "0"), "a long talk is never cut"
    assert board.writer.stages == ["opened"], "nobody talks before Asterisk has said so"


async def test_the_row_says_answered_when_the_two_hear_each_other(board: Switchboard) -> None:
    board.arrives()
    board.now += 5
    await board.connects(board.leg())
    assert board.writer.stages == ["opened", "answered"]
    (call,) = board.engine.calls
    assert call.phase is Phase.TALKING
    assert board.writer.wrote[-1][1].answered_at == WALL + 5


async def test_the_caller_hangs_up_and_nothing_is_left(board: Switchboard) -> None:
    board.arrives()
    await board.connects(board.leg())
    board.now += 60
    board.leaves()
    assert board.client.verbs[-2:] == ["hang_up", "destroy_bridge"]
    assert board.client.last("hang_up").channel == board.leg()
    assert board.engine.active == 0
    board.ends(board.leg())
    assert board.engine.calls == ()
    row = board.writer.ended
    assert (row.outcome, row.hangup_by, row.talk_seconds) == (Outcome.ANSWERED, HangupBy.CALLER, 60.0)
    assert board.writer.wish is None


async def test_the_salesperson_hangs_up_and_the_caller_is_released(board: Switchboard) -> None:
    board.arrives()
    await board.connects(board.leg())
    board.engine.on_event(wire.StasisEnd(channel(board.leg())))
    assert board.client.last("hang_up").channel == "1.1"
    assert board.client.last("hang_up").reason == "normal"
    assert board.writer.ended.hangup_by is HangupBy.SALESPERSON


async def test_the_caller_leaves_while_it_rings(board: Switchboard) -> None:
    board.arrives()
    board.rings(board.leg())
    board.leaves()
    assert board.client.last("hang_up").channel == board.leg()
    assert board.writer.ended.outcome is Outcome.ABANDONED
    assert [attempt.result for attempt in board.writer.attempts] == [Result.CANCELLED]
    assert board.writer.wish is not None


async def test_whoever_counts_is_told_of_a_call_once_when_it_is_over(board: Switchboard) -> None:
    board.arrives()
    await board.connects(board.leg())
    assert board.told == []
    board.leaves()
    board.ends(board.leg())
    ((row, attempts),) = board.told
    assert row == board.writer.ended
    assert [each.result for each in attempts] == [Result.ACCEPTED]


async def test_nobody_is_left_and_a_callback_is_wished_for(board: Switchboard) -> None:
    board.arrives()
    for _ in range(2):
        board.rings(board.leg())
        board.now += 10
        board.ends(board.leg(), cause=17, sip=486)
    assert [asked.endpoint for asked in board.client.all("create")] == [
        "PJSIP/+33612345678@trunk",
        "PJSIP/+33687654321@trunk",
    ]
    assert board.client.last("hang_up").reason == "busy"
    assert board.writer.ended.outcome is Outcome.BUSY
    assert board.writer.wish is not None
    assert board.writer.wish.due_at == WALL + 20 + 900.0


async def test_the_last_dial_status_names_a_leg_that_ends_without_a_sip_status(board: Switchboard) -> None:
    """Of a dialled leg Asterisk tells none but CANCEL; another Asterisk may tell more."""
    board.arrives(did=OTHER)
    leg = board.leg()
    board.engine.on_event(wire.Dial(channel(leg), ""))
    board.engine.on_event(wire.Dial(channel(leg), "BUSY"))
    board.ends(leg, cause=0)
    assert board.writer.attempts[0].result is Result.BUSY


async def test_progress_counts_as_ringing(board: Switchboard) -> None:
    board.arrives(did=OTHER)
    board.now += 1
    board.engine.on_event(wire.Dial(channel(board.leg()), "PROGRESS"))
    board.ends(board.leg(), cause=19)
    assert board.writer.attempts[0].ringing_at == WALL + 1


# --- Events that come twice, in disorder, or are not ours -------------------------------------------------


async def test_the_same_arrival_twice_is_one_call(board: Switchboard) -> None:
    board.arrives()
    board.arrives()
    assert len(board.engine.calls) == 1
    assert board.writer.stages == ["opened"]
    assert board.client.verbs == ["create"]


async def test_every_event_twice_is_one_call(board: Switchboard) -> None:
    board.arrives()
    leg = board.leg()
    board.rings(leg)
    board.rings(leg)
    await board.connects(leg)
    board.answers(leg)
    board.leaves()
    board.leaves()
    board.ends(leg)
    board.ends(leg)
    assert board.client.verbs.count("answer") == board.client.verbs.count("dial") == 1
    assert board.writer.stages == ["opened", "answered", "ended"]
    assert board.engine.calls == ()


async def test_a_leg_that_ends_before_it_is_said_to_have_rung_or_answered(board: Switchboard) -> None:
    board.arrives(did=OTHER)
    leg = board.leg()
    board.ends(leg, cause=17, sip=486)
    before = board.client.verbs
    board.rings(leg)
    board.engine.on_event(wire.Dial(channel(leg), "ANSWER"))
    assert board.client.verbs == before
    assert board.writer.ended.outcome is Outcome.BUSY
    board.leaves()
    assert board.engine.calls == ()


async def test_a_caller_whose_end_came_before_its_arrival_rings_nobody_for_long(board: Switchboard) -> None:
    board.leaves()
    board.arrives()
    board.reaches(board.leg())
    assert board.client.verbs[:2] == ["create", "hang_up"]
    assert "dial" not in board.client.verbs, "what was created for nobody is never dialled"
    assert board.writer.ended.outcome is Outcome.ABANDONED


async def test_a_leg_that_answers_after_its_call_is_hung_up(board: Switchboard) -> None:
    board.arrives()
    leg = board.leg()
    board.leaves()
    hung_up = len(board.client.all("hang_up"))
    board.answers(leg)
    assert [asked.channel for asked in board.client.all("hang_up")][hung_up:] == [leg]
    assert board.writer.stages == ["opened", "ended"]
    assert "answer" not in board.client.verbs


async def test_a_leg_that_was_created_when_its_call_was_over_is_never_dialled(board: Switchboard) -> None:
    board.arrives()
    board.leaves()
    board.reaches(board.leg())
    assert board.client.last("hang_up").channel == board.leg()
    assert "dial" not in board.client.verbs


async def test_a_leg_is_dialled_once_however_often_it_arrives(board: Switchboard) -> None:
    board.arrives()
    board.reaches(board.leg())
    board.reaches(board.leg())
    assert len(board.client.all("dial")) == 1


async def test_a_leg_that_nobody_answered_ends_when_asterisk_tells_how(board: Switchboard) -> None:
    board.arrives(did=OTHER)
    board.rings(board.leg())
    board.engine.on_event(wire.StasisEnd(channel(board.leg(), "Ringing")))
    assert board.writer.stages == ["opened"]
    board.engine.on_event(wire.ChannelDestroyed(channel(board.leg(), "Ringing"), 17, 486))
    assert board.writer.ended.outcome is Outcome.BUSY


async def test_a_leg_that_comes_answered_is_answered(board: Switchboard) -> None:
    board.arrives()
    board.engine.on_event(wire.StasisStart(channel(board.leg(), "Up"), ("leg",)))
    assert "add_to_bridge" in board.client.verbs
    assert "dial" not in board.client.verbs


@pytest.mark.parametrize("error", [AriGone("404"), AriError("500"), AriTimeout("late")])
async def test_a_dial_that_fails_is_hung_up_and_the_next_person_rings(board: Switchboard, error: AriError) -> None:
    board.arrives()
    leg = board.leg()
    board.reaches(leg)
    board.client.last("dial").future.set_exception(error)
    await turn()
    assert board.client.last("hang_up").channel == leg
    assert board.client.last("create").endpoint == "PJSIP/+33687654321@trunk"
    assert board.writer.dialled[-1][0].result is Result.FAILED


@pytest.mark.parametrize(("state", "asked"), [("Ringing", 0), ("Down", 1)])
async def test_a_dial_of_a_leg_that_rings_already_leaves_it_ringing(
    board: Switchboard, state: str, asked: int
) -> None:
    """Should it not ring after all, the next look finds out."""
    board.arrives()
    leg = board.leg()
    board.reaches(leg)
    board.client.last("dial").future.set_exception(AriConflict("409 Channel is not in the 'Down' state", 409))
    await turn()
    assert "hang_up" not in board.client.verbs
    assert len(board.client.all("create")) == 1
    board.now += 1
    board.client.there = (caller_channel("1.1"), channel(leg, state))
    await board.engine.reconcile()
    assert len(board.client.all("variable")) == asked


async def test_a_leg_of_no_call_at_all_is_hung_up(board: Switchboard) -> None:
    board.answers(leg_id(1))
    assert [(asked.verb, asked.channel) for asked in board.client.asked] == [("hang_up", leg_id(1))] * 2


@pytest.mark.parametrize("args", [(), ("out",), ("leg",), ("", "in"), ("IN",), ("did=1",)])
async def test_a_foreign_channel_goes_on_in_its_dialplan(board: Switchboard, args: tuple[str, ...]) -> None:
    board.engine.on_event(wire.StasisStart(channel("9.9", app_args=args), args))
    (asked,) = board.client.asked
    assert (asked.verb, asked.channel, asked.context) == ("continue_in_dialplan", "9.9", "")
    assert board.engine.calls == ()
    assert board.writer.wrote == []


async def test_what_befalls_foreign_channels_is_nobodys_business(board: Switchboard) -> None:
    board.arrives()
    before = board.client.verbs
    for id in ("9.9", leg_id(1)):
        board.engine.on_event(wire.Dial(channel(id), "RINGING"))
        board.engine.on_event(wire.Dial(channel(id), "BUSY"))
        board.engine.on_event(wire.StasisEnd(channel(id)))
        board.engine.on_event(wire.ChannelDestroyed(channel(id), 16, 200))
    for event in (wire.PlaybackFinished("p", "channel:1.1", "done"), "text", None, object()):
        board.engine.on_event(event)
    assert board.client.verbs == before
    assert len(board.engine.calls) == 1


async def test_an_arrival_without_any_argument_takes_the_unknown_numbers_route(board: Switchboard) -> None:
    board.engine.on_event(wire.StasisStart(caller_channel("1.1", ("in",)), ("in",)))
    assert board.writer.wrote[0][1].campaign == "unknown"
    assert board.client.last("create").endpoint == f"PJSIP/{CAROL}@trunk"


# --- The configuration ------------------------------------------------------------------------------------


async def test_a_reload_reaches_the_next_call_and_not_this_one(board: Switchboard) -> None:
    board.arrives()
    fresh = two_campaigns(to=["carol"], callback=None)
    board.engine.config = replace(fresh, version="new")
    board.ends(board.leg(), cause=17, sip=486)
    assert board.client.last("create").endpoint == "PJSIP/+33687654321@trunk", "still Alice, then Bob"
    board.ends(board.leg(), cause=17, sip=486)
    assert board.writer.wish is not None, "the callback of the file that the call began with"
    assert board.writer.ended.config_version != "new"
    board.arrives("2.2")
    assert board.client.last("create").endpoint == f"PJSIP/{CAROL}@trunk"
    assert board.writer.wrote[-1][1].config_version == "new"


# --- Trouble of our own -----------------------------------------------------------------------------------


async def test_when_the_decision_fails_the_fallback_takes_the_caller(
    board: Switchboard, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: object) -> None:
        raise ValueError(f"what no test foresaw, about {CALLER}")

    monkeypatch.setattr(routing, "decide", fails)
    board.arrives()
    (asked,) = board.client.asked
    assert (asked.verb, asked.channel) == ("continue_in_dialplan", "1.1")
    assert (asked.context, asked.extension, asked.priority) == ("callrouter-fallback", "s", 1)
    assert (board.engine.calls, board.writer.wrote) == ((), [])
    assert "internal_error" in caplog.text
    assert CALLER not in caplog.text
    board.client.there = (caller_channel("1.1"),)
    await board.engine.reconcile(audit=True)
    assert board.engine.calls == (), "nor does it cost the audit"


async def test_a_trunk_that_cannot_dial_costs_the_caller_no_silence() -> None:
    board = Switchboard(two_campaigns(ring=make_ring(["alice"], timeout=1.0, max_wait=2.0)))
    board.arrives()
    board.client.last("create").future.set_exception(AriAllocation("no such endpoint"))
    await turn()
    assert board.client.last("hang_up").channel == "1.1"
    assert board.writer.ended.outcome is Outcome.UNREACHABLE


async def test_a_closed_campaign_is_written_and_hung_up() -> None:
    board = Switchboard(two_campaigns(hours="office"))
    board.now += 12 * 3600  # Sunday, 22:00
    board.arrives()
    assert board.writer.ended.outcome is Outcome.CLOSED
    assert board.client.verbs == ["hang_up"]
    assert board.writer.wish is not None


async def test_a_campaign_without_callbacks_wishes_for_none() -> None:
    board = Switchboard(two_campaigns(to=["alice"], callback=None))
    board.arrives()
    board.leaves()
    assert board.writer.wish is None
    assert make_campaign(callback=None).callback is None
