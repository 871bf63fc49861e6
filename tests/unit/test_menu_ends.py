"""How the salesperson's own line ends: by silence, clocks and failures, and after any order of events."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.events import (
    AnswerCaller,
    CallerLeft,
    Event,
    Failed,
    Failure,
    Found,
    HangUpCaller,
    Key,
    LegUp,
    Said,
    Say,
    StartTimer,
    Timer,
    TimerFired,
)
from router.menu import GOODBYE_SECONDS, KEY_SECONDS, ClearPause, EndMenu, Menu, SetPause, Stage
from router.model import Prompt, Secret
from tests.menu_line import EPOCH, MENU, PIN, Line, inside

__all__ = ["inside"]


# --- Silence, and the ends --------------------------------------------------------------------------------


def test_ten_seconds_without_a_key(inside: Line) -> None:
    inside.fire(Timer.INPUT)
    assert inside.heard() == (Prompt.GOODBYE,)
    pin = Line()
    pin.said()
    pin.press("47")
    pin.fire(Timer.INPUT)
    assert pin.heard() == (Prompt.GOODBYE,)


def test_a_clock_that_a_key_has_overtaken_does_not_count(inside: Line) -> None:
    inside.press("1")
    assert inside.fire(Timer.INPUT) == ()
    assert inside.fire(Timer.RING) == ()


def test_three_minutes_are_the_most(inside: Line) -> None:
    inside.press("1")
    inside.fire(Timer.MAX_WAIT)
    assert inside.heard() == (Prompt.GOODBYE,)
    assert StartTimer(Timer.ENDING, GOODBYE_SECONDS) in inside.commands
    assert inside.fire(Timer.MAX_WAIT) == ()
    assert HangUpCaller("normal") in inside.fire(Timer.ENDING)
    assert inside.fire(Timer.ENDING) == ()


def test_hanging_up_in_the_middle(inside: Line) -> None:
    inside.press("2")
    inside.take(CallerLeft(inside.at + 1.0))
    assert HangUpCaller("normal") not in inside.all
    assert inside.row().actions == ("resume",)
    assert inside.menu.settled
    assert inside.running() == set()


def test_it_is_settled_once_the_channel_is_gone(inside: Line) -> None:
    inside.press("9")
    inside.said()
    assert inside.menu.stage is Stage.ENDED
    assert not inside.menu.settled
    assert inside.take(CallerLeft(inside.at)) == ()
    assert inside.menu.settled


def test_after_the_end_nothing_happens(inside: Line) -> None:
    inside.press("9")
    inside.said()
    assert inside.said() == ()
    assert inside.press("1") == ()
    assert inside.take(Failed(inside.at, AnswerCaller(), Failure.ERROR)) == ()
    assert inside.take(Failed(inside.at, HangUpCaller("normal"), Failure.GONE)) == ()
    assert inside.menu.settled


@pytest.mark.parametrize("command", [AnswerCaller(), Say((Prompt.ENTER_PIN,)), HangUpCaller("normal")])
def test_a_channel_that_was_gone_already(command: AnswerCaller | Say | HangUpCaller) -> None:
    line = Line()
    line.take(Failed(101.0, command, Failure.GONE))
    assert line.menu.settled
    assert line.row().ended_at == EPOCH + 1.0


@pytest.mark.parametrize("failure", [Failure.ERROR, Failure.LINK])
def test_words_that_could_not_be_said_hold_up_nothing(failure: Failure) -> None:
    line = Line()
    assert line.take(Failed(101.0, Say((Prompt.ENTER_PIN,)), failure)) == (StartTimer(Timer.INPUT, KEY_SECONDS),)
    line.fire(Timer.INPUT)
    assert HangUpCaller("normal") in line.take(Failed(112.0, Say((Prompt.GOODBYE,)), failure))


def test_a_line_that_cannot_be_answered_is_hung_up() -> None:
    line = Line()
    assert line.take(Failed(101.0, AnswerCaller(), Failure.LINK)) == (), "Found will tell"
    assert HangUpCaller("normal") in line.take(Failed(101.0, AnswerCaller(), Failure.ERROR))
    assert line.take(Failed(101.0, HangUpCaller("normal"), Failure.ERROR)) == ()


def test_what_asterisk_says_when_the_link_is_back(inside: Line) -> None:
    def found(caller: bool) -> Found:
        return Found(inside.at, caller, frozenset(), frozenset(), frozenset())

    inside.press("1")
    assert inside.take(found(caller=True)) == (StartTimer(Timer.INPUT, KEY_SECONDS),)
    assert inside.take(found(caller=True)) == ()
    inside.press("9")
    assert HangUpCaller("normal") in inside.take(found(caller=True))
    assert inside.take(found(caller=True)) == (HangUpCaller("normal"),)
    inside.take(found(caller=False))
    assert inside.menu.settled
    assert inside.row().actions == ("pause",)


def test_an_event_of_another_machine_changes_nothing() -> None:
    line = Line()
    assert line.take(LegUp(101.0, "c1-01")) == ()


# --- Any order --------------------------------------------------------------------------------------------


NONE: frozenset[str] = frozenset()
COMMANDS = st.sampled_from([AnswerCaller(), Say((Prompt.MENU,)), Say(()), HangUpCaller("normal")])


def events() -> st.SearchStrategy[Event]:
    at = st.floats(100.0, 400.0)
    return st.one_of(
        st.builds(Key, at, st.sampled_from(["", "", "", "c1-01"]), st.sampled_from("0123456789*#ABCD")),
        st.builds(Key, at, st.just(""), st.sampled_from(PIN + "#")),
        st.builds(Said, at),
        st.builds(TimerFired, at, st.sampled_from(Timer)),
        st.builds(CallerLeft, at),
        st.builds(Failed, at, COMMANDS, st.sampled_from(Failure)),
        st.builds(Found, at, st.booleans(), st.just(NONE), st.just(NONE), st.just(NONE)),
    )


MENUS = st.builds(
    replace,
    st.just(MENU),
    pin=st.sampled_from([Secret(PIN), Secret("1"), None]),
    paused=st.booleans(),
    callbacks=st.integers(0, 30),
    locked=st.booleans(),
)


@settings(max_examples=400, deadline=None)
@given(MENUS, st.lists(events(), max_size=60))
def test_any_order_of_events_ends_once_and_is_always_bounded(menu: Menu, walk: list[Event]) -> None:
    line = Line(menu)
    for event in walk:
        before = line.menu
        line.take(event)
        hold(line, before)
    hang_up_by_clocks_alone(line)


def hold(line: Line, before: Menu) -> None:
    """What holds after every event."""
    ended = line.menu.stage is Stage.ENDED
    assert len([command for command in line.all if isinstance(command, EndMenu)]) == ended
    running = line.running()
    assert bool(running & {Timer.MAX_WAIT, Timer.ENDING}) == (not ended), "a call that goes on has its clock"
    if ended:
        assert running == set()
        assert line.menu.typed == ""
        assert line.menu.gone or HangUpCaller("normal") in line.all
    acted = any(isinstance(command, SetPause | ClearPause) for command in line.commands)
    assert not acted or before.stage is Stage.MENU
    assert line.menu.verified or not line.menu.actions, "no action without the PIN"
    assert not (line.menu.verified and (line.menu.locked or line.menu.pin is None))
    if before.stage is Stage.ENDED:
        assert line.menu.actions == before.actions
        assert set(line.commands) <= {HangUpCaller("normal")}


def hang_up_by_clocks_alone(line: Line) -> None:
    """From wherever it stands, the clocks bring it to its end."""
    for timer in (Timer.MAX_WAIT, Timer.ENDING):
        if timer in line.running():
            line.fire(timer)
    assert line.menu.stage is Stage.ENDED
