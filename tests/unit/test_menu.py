"""The salesperson's own line: its PIN, and what each key does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from router.events import AnswerCaller, HangUpCaller, Key, Say, StartTimer, StopTimer, Timer
from router.menu import (
    KEY_SECONDS,
    LONGEST,
    MOST_ACTIONS,
    TRIES,
    ClearPause,
    Menu,
    SetPause,
    Stage,
    WrongPin,
    begin,
    check_pin,
    lock,
)
from router.model import Prompt, Secret, StaffCall
from tests.menu_line import EPOCH, MENU, PIN, Line, inside

__all__ = ["inside"]


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
