"""The state machine of one call when something fails: a refusal, a link that was away, a leg that was lost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from router.events import (
    CallerLeft,
    Connect,
    Disconnect,
    Failed,
    Failure,
    Found,
    HangUpCaller,
    HangUpLeg,
    LegDown,
    LegRinging,
    LegUp,
    Originate,
    Save,
    Stage,
    Timer,
    TimerFired,
)
from router.model import HangupBy, Outcome, Result
from router.state import Phase
from tests.calls import ONE, TWO, Driver, dialled, leg_id, plan, results, talking


def found(
    *, caller: bool = True, ringing: tuple[str, ...] = (), up: tuple[str, ...] = (), bridged: tuple[str, ...] = ()
) -> Found:
    return Found(150.0, caller, frozenset(ringing), frozenset(up), frozenset(bridged))


# --- What goes wrong --------------------------------------------------------------------------------------


def test_an_originate_that_finds_the_caller_gone_rings_nobody_else() -> None:
    hunt = Driver(plan("alice", "bob"))
    assert hunt.take(Failed(100.1, hunt.commands[2], Failure.GONE)) == ()
    hunt.take(CallerLeft(100.2))
    assert (hunt.call.outcome, results(hunt), hunt.call.settled) == (Outcome.ABANDONED, [Result.CANCELLED], True)


def test_an_originate_without_an_answer_is_hung_up_and_the_next_person_rings() -> None:
    hunt = Driver(plan("alice", "bob"))
    hunt.take(Failed(105.0, hunt.commands[2], Failure.ERROR))
    assert hunt.last[:2] == (HangUpLeg(ONE), dialled(2, "bob"))
    assert results(hunt) == [Result.FAILED, None]


def test_a_leg_that_a_broken_link_may_have_swallowed_counts_as_our_fault() -> None:
    hunt = Driver(plan("alice"))
    assert hunt.take(Failed(100.1, hunt.commands[2], Failure.LINK)) == ()
    hunt.take(TimerFired(120.0, Timer.RING))
    assert (results(hunt), hunt.call.outcome) == ([Result.FAILED], Outcome.FAILED)


def test_when_the_link_comes_back_and_the_leg_rings_it_was_dialled_once() -> None:
    hunt = Driver(plan("alice"))
    hunt.take(Failed(100.1, hunt.commands[2], Failure.LINK))
    assert hunt.take(found(ringing=(ONE,))) == ()
    assert hunt.take(LegUp(151.0, ONE))[0] == Connect(ONE)


def test_a_bridge_that_is_refused_ends_the_call_as_failed() -> None:
    hunt = Driver(plan("alice"))
    hunt.take(LegUp(105.0, ONE), Failed(105.1, Connect(ONE), Failure.ERROR))
    assert hunt.call.outcome is Outcome.FAILED
    assert {HangUpLeg(ONE), HangUpCaller("congestion"), Disconnect()} <= set(hunt.last)


@pytest.mark.parametrize("failure", [Failure.GONE, Failure.LINK])
def test_a_bridge_that_met_a_hang_up_or_a_broken_link_waits_for_the_truth(failure: Failure) -> None:
    hunt = Driver(plan("alice"))
    hunt.take(LegUp(105.0, ONE))
    assert hunt.take(Failed(105.1, Connect(ONE), failure)) == ()
    assert hunt.call.phase is Phase.CONNECTING


def test_hanging_up_what_is_gone_settles_the_call() -> None:
    hunt = Driver(plan("alice"))
    hunt.take(TimerFired(120.0, Timer.RING))
    hunt.take(Failed(120.1, HangUpLeg(ONE), Failure.GONE), Failed(120.1, HangUpCaller("no_answer"), Failure.GONE))
    assert hunt.call.settled


def test_a_late_failure_of_an_ended_leg_says_whether_it_ever_was() -> None:
    hunt = Driver(plan("alice"))
    originate = hunt.commands[2]
    hunt.take(CallerLeft(100.1), Failed(100.2, originate, Failure.ERROR))
    assert not hunt.call.legs[0].gone
    hunt.take(Failed(100.3, originate, Failure.NOT_PLACED))
    assert hunt.call.legs[0].gone


# --- After the link was away ------------------------------------------------------------------------------


def test_found_as_it_was_changes_nothing() -> None:
    hunt = talking(Driver(plan("alice")))
    assert hunt.take(found(up=(ONE,), bridged=(ONE,))) == ()
    hunt = Driver(plan("alice"))
    assert hunt.take(found(ringing=(ONE,))) == ()


def test_who_was_picked_up_for_a_human_and_left_before_we_heard_of_it_has_talked() -> None:
    hunt = Driver(plan("alice"))
    hunt.take(LegUp(105.0, ONE), Failed(105.1, Connect(ONE), Failure.LINK))
    hunt.take(replace(found(caller=False), answered=True))
    assert (hunt.call.outcome, hunt.call.answered_at, hunt.call.ended_at) == (Outcome.ANSWERED, 105.0, 150.0)
    assert hunt.call.hangup_by is HangupBy.CALLER
    assert results(hunt) == [Result.ACCEPTED]


@pytest.mark.parametrize("moment", ["never picked up", "picked up before", "not accepted"])
def test_who_was_picked_up_for_nobody_has_abandoned_the_call(moment: str) -> None:
    hunt = Driver(plan("alice"))
    if moment != "not accepted":
        hunt.take(LegUp(105.0, ONE))
    if moment == "picked up before":
        hunt.call = replace(hunt.call, caller_up=True)
    hunt.take(replace(found(caller=False), answered=moment != "never picked up"))
    assert (hunt.call.outcome, hunt.call.answered_at) == (Outcome.ABANDONED, None)


def test_the_caller_left_meanwhile_and_the_phone_stops() -> None:
    hunt = Driver(plan("alice"))
    assert HangUpLeg(ONE) in hunt.take(found(caller=False, ringing=(ONE,)))
    assert hunt.call.outcome is Outcome.ABANDONED


def test_the_leg_was_answered_meanwhile() -> None:
    hunt = Driver(plan("alice"))
    assert hunt.take(found(up=(ONE,)))[0] == Connect(ONE)


def test_the_leg_ended_meanwhile_and_nobody_knows_how() -> None:
    hunt = Driver(plan("alice", "bob"))
    hunt.take(found())
    assert (results(hunt), hunt.told(Originate)) == ([Result.FAILED, None], [dialled(2, "bob")])


def test_a_leg_dialled_after_asterisk_was_asked_is_not_taken_for_lost() -> None:
    hunt = Driver(plan("alice", "bob"))
    hunt.take(LegRinging(101.0, ONE), TimerFired(150.0, Timer.RING), LegDown(150.1, ONE))
    assert hunt.take(found()) == ()
    assert results(hunt) == [Result.NO_ANSWER, None]


def test_the_salesperson_left_meanwhile() -> None:
    hunt = talking(Driver(plan("alice")))
    hunt.take(found())
    assert (hunt.call.outcome, results(hunt)) == (Outcome.ANSWERED, [Result.ACCEPTED])
    assert HangUpCaller("normal") in hunt.last


def test_accepted_but_not_bridged_is_bridged_again() -> None:
    hunt = Driver(plan("alice"))
    hunt.take(LegUp(105.0, ONE), Failed(105.1, Connect(ONE), Failure.LINK))
    assert hunt.take(found(up=(ONE,))) == (Connect(ONE),)


def test_accepted_and_bridged_after_all_is_a_talk() -> None:
    hunt = Driver(plan("alice"))
    hunt.take(LegUp(105.0, ONE), Failed(105.1, Connect(ONE), Failure.LINK))
    assert hunt.take(found(up=(ONE,), bridged=(ONE,))) == (Save(Stage.ANSWERED),)


def test_what_outlived_the_call_is_hung_up() -> None:
    hunt = Driver(plan("alice bob"))
    hunt.take(TimerFired(120.0, Timer.RING))
    commands = hunt.take(found(ringing=(ONE,), up=(TWO,)))
    assert set(commands) == {HangUpLeg(ONE), HangUpLeg(TWO), HangUpCaller("normal")}


def test_found_gone_an_ended_call_is_settled() -> None:
    hunt = Driver(plan("alice"))
    hunt.take(TimerFired(120.0, Timer.RING))
    assert hunt.take(found(caller=False)) == ()
    assert hunt.call.settled


# --- A leg that was lost on its way -------------------------------------------------------------------------


def lost_on_its_way(driver: Driver, seq: int, at: float) -> None:
    """The link breaks behind the leg's request; when it is back, Asterisk knows nothing of the leg."""
    originate = next(command for command in driver.commands if isinstance(command, Originate))
    driver.take(Failed(at, replace(originate, leg=leg_id(seq)), Failure.LINK))
    driver.take(Found(at + 0.2, True, frozenset(), frozenset(), frozenset()))


def test_a_leg_that_never_reached_asterisk_is_dialled_once_more_and_not_for_ever() -> None:
    driver = Driver(plan("alice", "bob"))
    lost_on_its_way(driver, 1, 101.0)
    assert [leg.target.salesperson for leg in driver.call.legs] == ["alice", "alice"]
    assert driver.call.legs[0].result is Result.FAILED
    lost_on_its_way(driver, 2, 102.0)
    assert [leg.target.salesperson for leg in driver.call.legs] == ["alice", "alice", "bob"]


def test_a_leg_that_rang_before_the_link_broke_is_not_dialled_again() -> None:
    driver = Driver(plan("alice", "bob"))
    driver.take(LegRinging(100.5, leg_id(1)))
    lost_on_its_way(driver, 1, 101.0)
    assert [leg.target.salesperson for leg in driver.call.legs] == ["alice", "bob"]
