"""The salesperson's own line: each way through it, and any order of events."""

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
    StopTimer,
    Timer,
    TimerFired,
)
from router.menu import (
    GOODBYE_SECONDS,
    KEY_SECONDS,
    LONGEST,
    MOST_ACTIONS,
    TRIES,
    ClearPause,
    EndMenu,
    Menu,
    MenuCommand,
    SetPause,
    Stage,
    WrongPin,
    begin,
    check_pin,
    lock,
    step,
)
from router.model import Prompt, Secret, StaffCall

PIN = "4711"
EPOCH = 1_772_359_200.0
MENU = Menu("c1", "alice", "+33184801001", "1772359200.7", "test", 100.0, EPOCH, Secret(PIN))


class Line:
    """A call on the own line; `commands` are those of the last event, `all` those since the beginning."""

    def __init__(self, menu: Menu = MENU) -> None:
        self.at = menu.started_at
        self.menu, self.commands = begin(menu, self.at)
        self.all = list(self.commands)

    def take(self, event: Event) -> tuple[MenuCommand, ...]:
        self.menu, self.commands = step(self.menu, event)
        self.all += self.commands
        return self.commands

    def press(self, keys: str) -> tuple[MenuCommand, ...]:
        for key in keys:
            self.at += 0.5
            self.take(Key(self.at, "", key))
        return self.commands

    def said(self) -> tuple[MenuCommand, ...]:
        self.at += 3.0
        return self.take(Said(self.at))

    def fire(self, timer: Timer) -> tuple[MenuCommand, ...]:
        self.at += 10.0
        return self.take(TimerFired(self.at, timer))

    def heard(self) -> tuple[object, ...]:
        """What the last event made the line say, without what only cut it off."""
        return next((command.parts for command in self.commands if isinstance(command, Say)), ())

    def running(self) -> set[Timer]:
        timers: set[Timer] = set()
        for command in self.all:
            if isinstance(command, StartTimer):
                timers.add(command.timer)
            elif isinstance(command, StopTimer):
                timers.discard(command.timer)
        return timers

    def row(self) -> StaffCall:
        (end,) = [command for command in self.all if isinstance(command, EndMenu)]
        return end.staff


@pytest.fixture
def inside() -> Line:
    """A line whose PIN was right and that has said its menu."""
    line = Line(replace(MENU, callbacks=3))
    line.said()
    line.press(PIN)
    line.said()
    return line


# --- The PIN ----------------------------------------------------------------------------------------------


def test_the_line_is_answered_and_asks_for_the_pin() -> None:
    line = Line()
    assert line.commands[0] == AnswerCaller()
    assert line.heard() == (Prompt.ENTER_PIN,)
    assert StartTimer(Timer.MAX_WAIT, LONGEST) in line.commands
    assert line.running() == {Timer.MAX_WAIT}
    assert line.said() == (StartTimer(Timer.INPUT, KEY_SECONDS),)


def test_the_time_is_counted_from_the_calls_start() -> None:
    assert StartTimer(Timer.MAX_WAIT, LONGEST - 30.0) in begin(MENU, 130.0)[1]
    assert StartTimer(Timer.MAX_WAIT, 0.0) in begin(MENU, 1000.0)[1]


@pytest.mark.parametrize("menu", [replace(MENU, pin=None), replace(MENU, locked=True)])
def test_no_menu_without_a_pin_and_none_while_locked(menu: Menu) -> None:
    line = Line(menu)
    assert line.commands[0] == AnswerCaller()
    assert line.heard() == (Prompt.NO_MENU,)
    assert line.running() == {Timer.ENDING}
    assert line.press("4711#1") == ()
    assert HangUpCaller("normal") in line.said()
    assert line.row() == StaffCall(
        "c1", "test", "alice", "+33184801001", EPOCH, EPOCH + line.at - 100.0, verified=False
    )


@pytest.mark.parametrize("keys", ["4711", "12*4711", "47#4711", "#4711", "4A711"])
def test_the_right_pin(keys: str) -> None:
    line = Line()
    line.press(keys)
    assert line.heard() == (Prompt.AVAILABLE, Prompt.MENU)
    assert line.menu.verified
    assert line.menu.stage is Stage.MENU


def test_who_is_paused_hears_so() -> None:
    line = Line(replace(MENU, paused=True))
    line.press(PIN)
    assert line.heard() == (Prompt.PAUSED, Prompt.MENU)


def test_the_hash_behind_a_pin_that_was_long_enough_is_no_mistake() -> None:
    line = Line()
    line.press(PIN)
    assert line.press("#") == ()
    assert line.said() == (StartTimer(Timer.INPUT, KEY_SECONDS),)


def test_the_hash_behind_a_wrong_pin_cuts_off_nothing_that_is_said_of_it() -> None:
    line = Line()
    line.press("4710")
    assert line.press("#") == ()
    assert line.menu.saying
    assert line.said() == (StartTimer(Timer.INPUT, KEY_SECONDS),)


def test_the_first_key_silences_the_question() -> None:
    line = Line()
    assert line.press("4") == (Say(()), StartTimer(Timer.INPUT, KEY_SECONDS))
    assert line.press("7") == (StartTimer(Timer.INPUT, KEY_SECONDS),)
    assert line.said() == (), "what was cut off has nothing more to say"


@pytest.mark.parametrize("keys", ["0000", "471#", "4710", "1#"])
def test_a_wrong_pin_may_be_typed_again(keys: str) -> None:
    line = Line()
    assert line.press(keys)[0] == WrongPin()
    assert line.heard() == (Prompt.WRONG_PIN, Prompt.ENTER_PIN)
    assert not line.menu.verified
    line.press(PIN)
    assert line.menu.verified


def test_three_wrong_pins_are_the_end() -> None:
    line = Line()
    line.press("0000" * TRIES)
    assert line.heard() == (Prompt.WRONG_PIN, Prompt.GOODBYE)
    assert line.all.count(WrongPin()) == TRIES
    assert line.running() == {Timer.ENDING}
    assert line.press(PIN) == ()
    assert HangUpCaller("normal") in line.said()
    assert not line.row().verified


def test_a_line_that_is_locked_while_it_asks_listens_no_more() -> None:
    line = Line()
    line.press("47")
    line.menu, line.commands = lock(line.menu)
    line.all += line.commands
    assert line.heard() == (Prompt.NO_MENU,)
    assert line.running() == {Timer.ENDING}
    assert line.press("11") == ()
    assert HangUpCaller("normal") in line.said()
    assert not line.row().verified


def test_whoever_is_inside_stays_inside(inside: Line) -> None:
    assert lock(inside.menu) == (inside.menu, ())


def test_the_pin_is_compared_as_a_whole() -> None:
    pin = Secret("12345678")
    assert [check_pin(pin, "12345678"[:length]) for length in range(9)] == [*[None] * 8, True]
    assert check_pin(pin, "12345679") is False
    assert check_pin(pin, "123456780") is False
    assert check_pin(Secret(""), "1") is False


def test_another_check_may_be_given() -> None:
    line = Line(replace(MENU, check=lambda _, typed: typed == "9"))
    line.press("9")
    assert line.menu.verified


def test_neither_pin_nor_number_is_shown() -> None:
    line = Line()
    line.press("471")
    assert line.menu.typed == "471"
    shown = repr(line.menu)
    assert "471" not in shown
    assert "33184801001" not in shown


# --- The menu ---------------------------------------------------------------------------------------------


def test_pause_and_resume(inside: Line) -> None:
    assert inside.press("1")[0] == SetPause(until=None)
    assert inside.heard() == (Prompt.PAUSED, Prompt.MENU)
    assert inside.menu.paused
    assert inside.press("2")[0] == ClearPause()
    assert inside.heard() == (Prompt.AVAILABLE, Prompt.MENU)
    assert not inside.menu.paused
    assert inside.menu.actions == ("pause", "resume")


@pytest.mark.parametrize(
    ("callbacks", "heard"),
    [
        (0, (Prompt.NO_CALLBACKS, Prompt.MENU)),
        (-1, (Prompt.NO_CALLBACKS, Prompt.MENU)),
        (1, ("count-1", Prompt.CALLBACKS_OPEN, Prompt.MENU)),
        (20, ("count-20", Prompt.CALLBACKS_OPEN, Prompt.MENU)),
        (21, ("count-more", Prompt.CALLBACKS_OPEN, Prompt.MENU)),
    ],
)
def test_how_many_callbacks_are_open(inside: Line, callbacks: int, heard: tuple[object, ...]) -> None:
    inside.menu = replace(inside.menu, callbacks=callbacks)
    inside.press("3")
    assert inside.heard() == heard
    assert inside.menu.actions == ("callbacks",)


def test_a_key_cuts_off_what_is_being_said(inside: Line) -> None:
    inside.press("1")
    assert inside.menu.saying
    assert StopTimer(Timer.INPUT) in inside.press("3")
    assert inside.heard()[0] == "count-3"
    assert Timer.INPUT not in inside.running()


def test_nine_ends_it(inside: Line) -> None:
    inside.press("139")
    assert inside.heard() == (Prompt.GOODBYE,)
    assert HangUpCaller("normal") in inside.said()
    assert inside.row() == StaffCall(
        "c1",
        "test",
        "alice",
        "+33184801001",
        EPOCH,
        EPOCH + inside.at - 100.0,
        verified=True,
        actions=("pause", "callbacks"),
    )
    assert inside.running() == set()


@pytest.mark.parametrize("keys", ["0", "4", "*", "#", "A"])
def test_other_keys_do_nothing(inside: Line, keys: str) -> None:
    assert inside.press(keys) == ()


def test_a_key_of_another_channel_is_none_of_ours(inside: Line) -> None:
    assert inside.take(Key(inside.at, "c1-01", "1")) == ()


def test_a_stuck_key_is_hung_up_on(inside: Line) -> None:
    inside.press("1" * MOST_ACTIONS)
    assert inside.heard() == (Prompt.PAUSED, Prompt.GOODBYE)
    assert inside.press("1" * 100) == ()
    assert len(inside.menu.actions) == MOST_ACTIONS


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
