"""The engine after it was away: Asterisk says what lives, and the calls are put in step with it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from router.alive import Away
from router.ari import wire
from router.dialplan import ARRIVING
from router.engine import SETTLING
from router.errors import AriDisconnected, AriError, AriGone
from router.ids import bridge_id
from router.model import AttemptRecord, Caller, CallRecord, Departure, Outcome, Path
from router.state import Phase
from tests.build import CALLER, DID, make_screening
from tests.calls import CALL_ID, leg_id
from tests.switchboard import WALL, Switchboard, caller_channel, channel, turn
from tests.unit.test_recovery import TAKEN

ROW = CallRecord(
    id=CALL_ID,
    started_at=WALL - 30.0,
    did=DID,
    campaign="spring",
    caller=Caller(CALLER),
    path=Path.ARI,
    config_version="cafe",
    node="test",
    channel="1.1",
)


def away(word: Away) -> Callable[[], Awaitable[Away]]:
    async def read() -> Away:
        return word

    return read


@pytest.fixture
async def board() -> Switchboard:
    return Switchboard()


# --- Catching up ------------------------------------------------------------------------------------------


async def test_a_caller_whom_nobody_announced_is_a_new_arrival(board: Switchboard) -> None:
    board.client.there = (caller_channel("1.1"), channel("9.9", app="", app_args=()))
    await board.engine.reconcile()
    assert board.writer.wrote[0][1].channel == "1.1"
    board.arrives()
    assert len(board.engine.calls) == 1, "its event, which waited meanwhile, says nothing new"


async def test_a_caller_who_is_on_the_way_to_the_fallback_is_left_to_it(board: Switchboard) -> None:
    board.client.there = (caller_channel("1.1"), caller_channel("1.2"))
    board.client.elsewhere = {"1.1"}
    await board.engine.reconcile()
    assert [call.channel for call in board.engine.calls] == ["1.2"]


async def test_a_caller_of_another_application_is_not_ours(board: Switchboard) -> None:
    board.client.there = (replace(caller_channel("1.1"), app="other"),)
    await board.engine.reconcile()
    assert board.engine.calls == ()


async def test_legs_and_bridges_of_no_call_are_removed_and_others_left_alone(board: Switchboard) -> None:
    board.client.there = (channel(leg_id(1)), channel("9.9", app=""))
    board.client.bridges_there = (wire.Bridge(bridge_id(CALL_ID), ()), wire.Bridge("conference", ("9.9",)))
    await board.engine.reconcile()
    assert [asked.channel for asked in board.client.all("hang_up")] == [leg_id(1)]
    assert [asked.bridge for asked in board.client.all("destroy_bridge")] == [bridge_id(CALL_ID)]


async def test_a_caller_who_left_meanwhile_ends_the_call(board: Switchboard) -> None:
    board.arrives()
    board.now += 1
    board.client.there = (channel(board.leg(), "Ringing"),)
    await board.engine.reconcile()
    assert board.writer.ended.outcome is Outcome.ABANDONED
    assert board.client.last("hang_up").channel == board.leg()


async def test_a_leg_that_answered_meanwhile_is_connected(board: Switchboard) -> None:
    board.arrives()
    board.now += 1
    board.client.there = (caller_channel("1.1"), channel(board.leg(), "Up"))
    await board.engine.reconcile()
    assert "add_to_bridge" in board.client.verbs


async def test_a_talk_that_went_on_meanwhile_goes_on(board: Switchboard) -> None:
    board.arrives()
    await board.connects(board.leg())
    board.now += 100
    before = board.client.verbs
    board.client.there = (replace(caller_channel("1.1"), state="Up"), channel(board.leg()))
    (call,) = board.engine.calls
    board.client.bridges_there = (wire.Bridge(bridge_id(call.id), ("1.1", board.leg())),)
    await board.engine.reconcile()
    assert board.client.verbs == [*before, "channels", "bridges"]
    assert board.engine.active == 1


async def test_an_audit_leaves_alone_what_moved_a_moment_ago(board: Switchboard) -> None:
    board.arrives()
    board.now += SETTLING - 1
    await board.engine.reconcile(audit=True)
    assert board.engine.active == 1, "it is not in the list yet"
    board.now += 2
    await board.engine.reconcile(audit=True)
    assert board.writer.ended.outcome is Outcome.ABANDONED


async def test_a_call_that_ends_while_asterisk_is_asked_does_not_come_back(board: Switchboard) -> None:
    """Its channel stands in the list that was made a moment before it went."""
    board.arrives()
    leg = board.leg()
    board.client.hold_lists = True
    audit = asyncio.ensure_future(board.engine.reconcile(audit=True))
    await turn()
    board.client.last("channels").future.set_result((caller_channel("1.1"), channel(leg, "Ringing")))
    await turn()
    board.leaves()
    board.ends(leg)
    assert board.engine.calls == ()
    board.client.last("bridges").future.set_result(())
    await audit
    assert board.writer.stages == ["opened", "ended"], "one call is one row"
    board.client.hold_lists = False
    board.client.there = (caller_channel("1.1"),)
    await board.engine.reconcile()
    assert board.writer.stages == ["opened", "ended", "opened"], "what Asterisk still has when asked anew is there"


async def test_when_the_lists_cannot_be_had_nothing_is_concluded(board: Switchboard) -> None:
    board.arrives()
    board.client.hold_lists = True
    catching_up = asyncio.ensure_future(board.engine.reconcile())
    await turn()
    board.client.last("channels").future.set_exception(AriDisconnected("gone again"))
    with pytest.raises(AriDisconnected):
        await catching_up
    assert board.engine.active == 1
    assert board.writer.stages == ["opened"]


# --- After an earlier run ---------------------------------------------------------------------------------


async def test_a_phone_that_an_earlier_run_rang_rings_on(board: Switchboard) -> None:
    board.client.there = (caller_channel("1.1"), channel(leg_id(1), "Ringing"))
    rung = AttemptRecord(leg_id(1), 1, "alice", "main", WALL - 5.0)
    await board.engine.reconcile([(ROW, [rung])])
    assert board.client.verbs == ["channels", "bridges"], "nobody is disturbed, and nobody is dialled"
    await board.connects(leg_id(1))
    (call,) = board.engine.calls
    assert (call.id, call.phase) == (CALL_ID, Phase.TALKING)


async def test_a_leg_that_an_earlier_run_created_and_may_never_have_dialled(board: Switchboard) -> None:
    """Its channel looks the same before it was dialled and while the far end says less than 180."""
    board.client.there = (caller_channel("1.1"), channel(leg_id(1), "Down"))
    created = AttemptRecord(leg_id(1), 1, "alice", "main", WALL - 1.0)
    await board.engine.reconcile([(ROW, [created])])
    asked = board.client.last("variable")
    assert (asked.channel, asked.name) == (leg_id(1), "HANGUPCAUSE_KEYS()")
    asked.future.set_result("")
    await turn()
    assert board.client.last("dial").channel == leg_id(1)
    board.now += SETTLING + 1
    await board.engine.reconcile(audit=True)
    assert len(board.client.all("variable")) == 1, "asked once, dialled once"


@pytest.mark.parametrize("heard", ["PJSIP/trunk-00000001", AriGone("404"), AriError("500")])
async def test_a_leg_of_an_earlier_run_whose_far_end_has_spoken_is_left_alone(
    board: Switchboard, heard: str | Exception
) -> None:
    """A second dial would end it."""
    board.client.there = (caller_channel("1.1"), channel(leg_id(1), "Down"))
    await board.engine.reconcile([(ROW, [AttemptRecord(leg_id(1), 1, "alice", "main", WALL - 1.0)])])
    future = board.client.last("variable").future
    if isinstance(heard, str):
        future.set_result(heard)
    else:
        future.set_exception(heard)
    await turn()
    assert "dial" not in board.client.verbs


async def test_a_leg_whose_arrival_was_not_heard_is_dialled_when_the_link_is_back(board: Switchboard) -> None:
    board.arrives()
    leg = board.leg()
    board.client.last("create").future.set_exception(AriDisconnected("the link broke before the answer"))
    await turn()
    board.now += 1
    board.client.there = (caller_channel("1.1"), channel(leg, "Down"))
    await board.engine.reconcile()
    assert board.client.last("dial").channel == leg
    board.reaches(leg)
    assert len(board.client.all("dial")) == 1
    assert len(board.client.all("create")) == 1


async def test_a_leg_that_is_created_and_not_in_the_application_yet_waits_for_that(board: Switchboard) -> None:
    board.arrives()
    board.now += 1
    board.client.there = (caller_channel("1.1"), channel(board.leg(), "Down", app="", app_args=()))
    await board.engine.reconcile()
    assert "dial" not in board.client.verbs
    board.reaches(board.leg())
    assert board.client.last("dial").channel == board.leg()


@pytest.mark.parametrize(("heard", "dials"), [("", 2), ("PJSIP/trunk-00000001", 1)])
async def test_a_leg_whose_dial_was_cut_off_is_dialled_again_only_if_it_was_not(
    board: Switchboard, heard: str, dials: int
) -> None:
    board.arrives()
    leg = board.leg()
    board.reaches(leg)
    board.client.last("dial").future.set_exception(AriDisconnected("the link broke before the answer"))
    await turn()
    board.now += 1
    board.client.there = (caller_channel("1.1"), channel(leg, "Down"))
    await board.engine.reconcile()
    board.client.last("variable").future.set_result(heard)
    await turn()
    assert len(board.client.all("dial")) == dials
    assert len(board.client.all("create")) == 1


async def test_of_whom_asterisk_could_not_be_asked_it_is_asked_at_the_next_look(board: Switchboard) -> None:
    board.client.there = (caller_channel("1.1"), channel(leg_id(1), "Down"))
    await board.engine.reconcile([(ROW, [AttemptRecord(leg_id(1), 1, "alice", "main", WALL - 1.0)])])
    board.client.last("variable").future.set_exception(AriDisconnected("the link broke before the answer"))
    await turn()
    assert "dial" not in board.client.verbs
    board.now += 1
    await board.engine.reconcile()
    board.client.last("variable").future.set_result("")
    await turn()
    await board.engine.reconcile()
    assert len(board.client.all("variable")) == 2
    assert len(board.client.all("dial")) == 1


async def test_a_leg_that_is_given_up_while_asterisk_is_asked_about_it_is_not_dialled(board: Switchboard) -> None:
    board.client.there = (caller_channel("1.1"), channel(leg_id(1), "Down"))
    await board.engine.reconcile([(ROW, [AttemptRecord(leg_id(1), 1, "alice", "main", WALL - 1.0)])])
    board.leaves()
    board.client.last("variable").future.set_result("")
    await turn()
    assert "dial" not in board.client.verbs


async def test_a_call_that_was_let_in_is_not_shut_out_for_the_crash(board: Switchboard) -> None:
    board.engine.config = replace(board.engine.config, screening=make_screening(max_per_minute=1))
    board.standing.arrived(Caller(CALLER), ROW.started_at)
    board.client.there = (caller_channel("1.1"), channel(leg_id(1), "Ringing"))
    await board.engine.reconcile([(ROW, [AttemptRecord(leg_id(1), 1, "alice", "main", WALL - 5.0)])])
    (call,) = board.engine.calls
    assert call.phase is Phase.HUNTING


async def test_who_had_accepted_when_the_router_died_is_engaged(board: Switchboard) -> None:
    board.client.there = (caller_channel("1.1"), channel(leg_id(1)))
    took = replace(TAKEN, answered_at=WALL - 2.0, accepted_at=WALL - 1.0, started_at=WALL - 5.0)
    await board.engine.reconcile([(ROW, [took])])
    assert "add_to_bridge" in board.client.verbs
    assert board.standing.engaged("alice") == 1


async def test_a_caller_whose_end_was_written_and_who_was_not_hung_up_is_hung_up(board: Switchboard) -> None:
    board.client.there = (caller_channel("1.1"),)
    await board.engine.reconcile((), away(Away(over=frozenset({"1.1"}))))
    assert (board.engine.calls, board.client.last("hang_up").channel) == ((), "1.1")


async def test_a_caller_whom_the_fallback_holds_is_let_go_without_an_outcome(board: Switchboard) -> None:
    board.arrives()
    leg = board.leg()
    board.now += 1
    board.client.there = (
        replace(caller_channel("1.1"), app="", context="callrouter-hunt"),
        channel(leg, "Ringing"),
    )
    await board.engine.reconcile()
    assert (board.engine.calls, board.writer.stages) == ((), ["opened"])
    assert board.client.last("hang_up").channel == leg


@pytest.mark.parametrize("context", sorted(ARRIVING))
async def test_who_came_while_asterisk_made_its_list_is_kept(board: Switchboard, context: str) -> None:
    board.client.hold_lists = True
    audit = asyncio.ensure_future(board.engine.reconcile(audit=True))
    await turn()
    board.arrives()
    before = list(board.client.verbs)
    listed = replace(caller_channel("1.1"), app="", app_args=(), context=context)
    board.client.last("channels").future.set_result((listed,))
    await turn()
    board.client.last("bridges").future.set_result(())
    await audit
    assert (board.engine.active, board.writer.stages) == (1, ["opened"])
    assert "hang_up" not in board.client.verbs[len(before) :]


async def test_a_caller_whom_nobody_can_decide_about_any_more_goes_to_the_fallback(
    board: Switchboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise KeyError("a mistake of ours")

    monkeypatch.setattr("router.routing.decide", fails)
    board.client.there = (caller_channel("1.1"), channel(leg_id(1), "Ringing"))
    await board.engine.reconcile([(ROW, [])])
    assert board.client.verbs[2:4] == ["continue_in_dialplan", "hang_up"], "and nothing rings on for nobody"


async def test_a_caller_who_still_waits_keeps_his_row_and_a_leg_id_is_not_used_again(board: Switchboard) -> None:
    board.client.there = (caller_channel("1.1"), channel(leg_id(1), "Ringing"))
    await board.engine.reconcile([(ROW, [])])
    (row,) = [call for stage, call in board.writer.wrote if stage == "opened"]
    assert (row.id, row.started_at) == (ROW.id, ROW.started_at)
    assert board.leg() == leg_id(2)
    assert board.client.last("hang_up").channel == leg_id(1)
    (call,) = board.engine.calls
    assert call.started_at == board.now - 30.0


async def test_a_talk_is_taken_over_and_its_end_is_written(board: Switchboard) -> None:
    talking = replace(ROW, answered_at=WALL - 20.0, salesperson="alice", ring_seconds=10.0)
    board.client.there = (replace(caller_channel("1.1"), state="Up"), channel(leg_id(1)))
    board.client.bridges_there = (wire.Bridge(bridge_id(CALL_ID), ("1.1", leg_id(1))),)
    taken = replace(TAKEN, answered_at=WALL - 20.0, accepted_at=WALL - 20.0, started_at=WALL - 30.0)
    await board.engine.reconcile([(talking, [taken])])
    assert board.client.verbs == ["channels", "bridges"], "nobody is disturbed"
    board.now += 10
    board.leaves()
    row = board.writer.ended
    assert (row.id, row.outcome, row.talk_seconds) == (CALL_ID, Outcome.ANSWERED, 30.0)


async def test_a_talk_that_ended_while_no_router_was_there_ended_then(board: Switchboard) -> None:
    talking = replace(ROW, answered_at=WALL - 20.0, salesperson="alice", ring_seconds=10.0)
    taken = replace(TAKEN, answered_at=WALL - 20.0, accepted_at=WALL - 20.0, started_at=WALL - 30.0)
    word = away(Away(WALL - 15.0, {"1.1": Departure(WALL - 12.0)}))
    await board.engine.reconcile([(talking, [taken])], word)
    row = board.writer.ended
    assert (row.outcome, row.talk_seconds, row.ended_at) == (Outcome.ANSWERED, 8.0, WALL - 12.0)


async def test_a_caller_who_is_gone_ends_as_failed_and_is_owed_a_call(board: Switchboard) -> None:
    await board.engine.reconcile([(ROW, [])])
    assert (board.writer.ended.id, board.writer.ended.outcome) == (CALL_ID, Outcome.FAILED)
    assert board.writer.wish is not None
    assert board.engine.calls == ()


async def test_a_row_of_a_call_that_this_run_has_is_left_alone(board: Switchboard) -> None:
    board.arrives()
    board.now += 1
    board.client.there = (caller_channel("1.1"), channel(board.leg(), "Ringing"))
    mine = board.writer.wrote[0][1]
    await board.engine.reconcile([(mine, []), (ROW, [])])
    assert board.writer.stages == ["opened"]
