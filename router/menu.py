"""The salesperson's own line: `step(menu, event) -> (menu, commands)`. Pure: no clock, no chance, no I/O.

    PIN --right--> MENU --9, or no key--> LEAVING --heard--> ENDED
     \\--wrong three times, or no key-------^

A mobile of ours that dials one of our numbers is no lead: after the PIN (a caller ID can be forged) its owner hears
whether calls come, and may pause, resume, and ask how many callbacks are open. Every call ends: a key is waited for
10 seconds, the whole lasts 3 minutes, and what is said at the end has its own clock. ENDED absorbs.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from router.events import (
    AnswerCaller,
    CallerLeft,
    Event,
    Failed,
    Failure,
    Found,
    HangUpCaller,
    Key,
    Said,
    Say,
    StartTimer,
    StopTimer,
    Timer,
    TimerFired,
)
from router.model import Prompt, Secret, StaffCall

KEY_SECONDS: Final = 10.0
"""How long a key is waited for, once everything has been said."""
LONGEST: Final = 180.0
"""Seconds from the answer to the good-bye, at most."""
GOODBYE_SECONDS: Final = 15.0
"""How long the last words may take."""
TRIES: Final = 3
MOST_ACTIONS: Final = 30
"""What one call may ask for: more is a stuck key."""
HIGHEST_COUNT: Final = 20
"""The highest number that there is a recording of."""


class Stage(StrEnum):
    PIN = "pin"
    MENU = "menu"
    LEAVING = "leaving"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class SetPause:
    """The person is not to be rung from now on."""

    until: float | None = None
    """None: until resumed."""


@dataclass(frozen=True, slots=True)
class ClearPause:
    """The person is to be rung again."""


@dataclass(frozen=True, slots=True)
class WrongPin:
    """A wrong PIN was typed: whoever counts them over several calls locks the line after too many."""


@dataclass(frozen=True, slots=True)
class EndMenu:
    """The call is over: this is its row."""

    staff: StaffCall


MenuCommand = (
    AnswerCaller | Say | HangUpCaller | StartTimer | StopTimer | SetPause | ClearPause | WrongPin | EndMenu
)


def check_pin(pin: Secret, typed: str) -> bool | None:
    """Whether these keys are the PIN; None while there are fewer of them than it has."""
    right = pin.reveal().encode()
    if len(typed) < len(right):
        return None
    return hmac.compare_digest(right, typed.encode())


@dataclass(frozen=True, slots=True)
class Menu:
    """One call of a salesperson to one of our numbers. Times are on the steady clock; `epoch` is the Unix time of
    `started_at`.
    """

    id: str
    salesperson: str
    did: str = field(repr=False)
    channel: str
    node: str
    started_at: float
    epoch: float
    pin: Secret | None
    """None: this person has no PIN, and so no menu."""
    paused: bool = False
    callbacks: int = 0
    """Open ones of the person's campaigns."""
    locked: bool = False
    """Too many wrong PINs have come from this number lately."""
    check: Callable[[Secret, str], bool | None] = field(default=check_pin, repr=False)
    stage: Stage = Stage.PIN
    typed: str = field(default="", repr=False)
    wrong: int = 0
    saying: bool = False
    """Words are being said: the time for a key has not begun."""
    verified: bool = False
    actions: tuple[str, ...] = ()
    gone: bool = False
    """Asterisk has said that the channel no longer exists."""

    @property
    def settled(self) -> bool:
        """Nothing of this call is left in Asterisk."""
        return self.stage is Stage.ENDED and self.gone


Step = tuple[Menu, tuple[MenuCommand, ...]]


def begin(menu: Menu, at: float) -> Step:
    """Answer, and ask for the PIN: or say that there is no menu."""
    if menu.pin is None or menu.locked:
        return _before((AnswerCaller(),), _leave(menu, Prompt.NO_MENU))
    left = max(0.0, menu.started_at + LONGEST - at)
    return _before((AnswerCaller(), StartTimer(Timer.MAX_WAIT, left)), _say(menu, Prompt.ENTER_PIN))


def lock(menu: Menu) -> Step:
    """Too many wrong PINs have come meanwhile, on this call or on others beside it: whoever is still asked for one
    is not listened to any more."""
    return (menu, ()) if menu.stage is not Stage.PIN else _leave(replace(menu, locked=True), Prompt.NO_MENU)


def step(menu: Menu, event: Event) -> Step:
    """Take one event. An event that means nothing at this stage changes nothing."""
    handler = _HANDLERS.get(type(event))
    return (menu, ()) if handler is None else handler(menu, event)


# --- Keys -------------------------------------------------------------------------------------------------


def _key(menu: Menu, event: Key) -> Step:
    if event.leg:
        return menu, ()
    if menu.stage is Stage.PIN:
        return _pin_key(menu, event.digit)
    action = _ACTIONS.get(event.digit)
    if menu.stage is not Stage.MENU or action is None:
        return menu, ()
    return action(menu)


def _pin_key(menu: Menu, digit: str) -> Step:
    """`#` ends the PIN, `*` begins it anew; as many keys as it has end it too."""
    if digit == "*":
        return _listen(replace(menu, typed=""))
    if digit == "#":
        # Behind a PIN that was long enough without it, it must not cut off what is said of that.
        return _pin_typed(menu, right=_checked(menu) is True) if menu.typed else (menu, ())
    if not digit.isdecimal():
        return menu, ()
    menu = replace(menu, typed=menu.typed + digit)
    right = _checked(menu)
    return _listen(menu) if right is None else _pin_typed(menu, right=right)


def _checked(menu: Menu) -> bool | None:
    assert menu.pin is not None  # noqa: S101 - begin() lets nobody without one get here
    return menu.check(menu.pin, menu.typed)


def _pin_typed(menu: Menu, *, right: bool) -> Step:
    menu = replace(menu, typed="")
    if right:
        menu = replace(menu, stage=Stage.MENU, verified=True)
        return _say(menu, Prompt.PAUSED if menu.paused else Prompt.AVAILABLE, Prompt.MENU)
    menu = replace(menu, wrong=menu.wrong + 1)
    if menu.wrong < TRIES:
        return _before((WrongPin(),), _say(menu, Prompt.WRONG_PIN, Prompt.ENTER_PIN))
    return _before((WrongPin(),), _leave(menu, Prompt.WRONG_PIN, Prompt.GOODBYE))


def _pause(menu: Menu) -> Step:
    return _before((SetPause(),), _acted(replace(menu, paused=True), "pause", Prompt.PAUSED))


def _resume(menu: Menu) -> Step:
    return _before((ClearPause(),), _acted(replace(menu, paused=False), "resume", Prompt.AVAILABLE))


def _callbacks(menu: Menu) -> Step:
    if menu.callbacks <= 0:
        return _acted(menu, "callbacks", Prompt.NO_CALLBACKS)
    count = f"count-{menu.callbacks}" if menu.callbacks <= HIGHEST_COUNT else "count-more"
    return _acted(menu, "callbacks", count, Prompt.CALLBACKS_OPEN)


def _goodbye(menu: Menu) -> Step:
    return _leave(menu, Prompt.GOODBYE)


_ACTIONS: Final[dict[str, Callable[[Menu], Step]]] = {"1": _pause, "2": _resume, "3": _callbacks, "9": _goodbye}
"""What each key does. Others do nothing: the `#` behind a PIN that was long enough without it is no mistake."""


# --- Words, and silence -----------------------------------------------------------------------------------


def _acted(menu: Menu, action: str, *said: Prompt | str) -> Step:
    menu = replace(menu, actions=(*menu.actions, action))
    if len(menu.actions) >= MOST_ACTIONS:
        return _leave(menu, *said, Prompt.GOODBYE)
    return _say(menu, *said, Prompt.MENU)


def _say(menu: Menu, *parts: Prompt | str) -> Step:
    """Say this instead of whatever is being said; the time for a key begins when it has been heard."""
    return replace(menu, saying=True), (StopTimer(Timer.INPUT), Say(parts))


def _listen(menu: Menu) -> Step:
    """A key has come, and more are to follow: nothing is said meanwhile."""
    hush = (Say(()),) if menu.saying else ()
    return replace(menu, saying=False), (*hush, StartTimer(Timer.INPUT, KEY_SECONDS))


def _leave(menu: Menu, *parts: Prompt | str) -> Step:
    """The last words; then the line is hung up."""
    stop = (StopTimer(Timer.INPUT), StopTimer(Timer.MAX_WAIT), StartTimer(Timer.ENDING, GOODBYE_SECONDS))
    return replace(menu, stage=Stage.LEAVING, saying=True), (*stop, Say(parts))


def _said(menu: Menu, event: Said) -> Step:
    if menu.stage is Stage.LEAVING:
        return _hang_up(menu, event.at)
    if menu.stage is Stage.ENDED or not menu.saying:
        return menu, ()
    return replace(menu, saying=False), (StartTimer(Timer.INPUT, KEY_SECONDS),)


def _timer_fired(menu: Menu, event: TimerFired) -> Step:
    if menu.stage is Stage.LEAVING:
        return _hang_up(menu, event.at) if event.timer is Timer.ENDING else (menu, ())
    if menu.stage is Stage.ENDED:
        return menu, ()
    # A clock that ran out while the key that stops it was on its way does not count.
    over = event.timer is Timer.MAX_WAIT or (event.timer is Timer.INPUT and not menu.saying)
    return _goodbye(menu) if over else (menu, ())


# --- The end ----------------------------------------------------------------------------------------------


def _hang_up(menu: Menu, at: float) -> Step:
    return _before((HangUpCaller("normal"),), _end(menu, at))


def _caller_left(menu: Menu, event: CallerLeft) -> Step:
    menu = replace(menu, gone=True)
    return (menu, ()) if menu.stage is Stage.ENDED else _end(menu, event.at)


def _end(menu: Menu, at: float) -> Step:
    staff = StaffCall(
        id=menu.id,
        node=menu.node,
        salesperson=menu.salesperson,
        did=menu.did,
        started_at=menu.epoch,
        ended_at=menu.epoch + max(0.0, at - menu.started_at),
        verified=menu.verified,
        actions=menu.actions,
    )
    stop = tuple(StopTimer(timer) for timer in (Timer.INPUT, Timer.MAX_WAIT, Timer.ENDING))
    return replace(menu, stage=Stage.ENDED, typed="", saying=False), (*stop, EndMenu(staff))


def _failed(menu: Menu, event: Failed) -> Step:
    command, failure = event.command, event.failure
    if failure is Failure.GONE and isinstance(command, AnswerCaller | Say | HangUpCaller):
        return _caller_left(menu, CallerLeft(event.at))
    if isinstance(command, Say):
        # Nobody heard it, but the keys work all the same: as if it had been said.
        return _said(menu, Said(event.at))
    if isinstance(command, AnswerCaller) and failure is not Failure.LINK and menu.stage is not Stage.ENDED:
        return _hang_up(menu, event.at)
    return menu, ()


def _found(menu: Menu, event: Found) -> Step:
    """The link is back: whether the caller is still there."""
    if not event.caller:
        return _caller_left(menu, CallerLeft(event.at))
    if menu.stage is Stage.ENDED:
        return menu, (HangUpCaller("normal"),)
    # Whether the last words were heard to their end was said to nobody: go on as if they were.
    return _said(menu, Said(event.at))


def _before(commands: tuple[MenuCommand, ...], after: Step) -> Step:
    """`commands` first, then those of `after`."""
    return after[0], commands + after[1]


_HANDLERS: Final[dict[type, Callable[[Menu, Any], Step]]] = {
    Key: _key,
    Said: _said,
    TimerFired: _timer_fired,
    CallerLeft: _caller_left,
    Failed: _failed,
    Found: _found,
}
