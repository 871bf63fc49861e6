"""Asterisk's side of one call: which channels there are, what they do, and what is told of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from enum import StrEnum
from typing import Any

from router.events import (
    AnswerCaller,
    CallerLeft,
    Command,
    Connect,
    Connected,
    Disconnect,
    Event,
    Failed,
    Failure,
    HangUpCaller,
    HangUpLeg,
    Key,
    LegDown,
    LegRinging,
    LegUp,
    Record,
    Recorded,
    RingBack,
    Said,
    Say,
)


class Person(StrEnum):
    """What a mobile does."""

    CREATED = "created"
    """Nothing: its channel is there, and nobody has dialled it."""
    PLACED = "placed"
    """It is dialled, and its far end has said nothing."""
    TRYING = "trying"
    RINGING = "ringing"
    UP = "up"

    @property
    def state(self) -> str:
        """As Asterisk's list says it."""
        return {Person.RINGING: "Ringing", Person.UP: "Up"}.get(self, "Down")


class Fate(StrEnum):
    """What becomes of the next request to Asterisk."""

    DONE = "done"
    REFUSED = "refused"
    """Not carried out, and said so."""
    LATE = "late"
    """Carried out, but the answer did not come in time."""
    SWALLOWED = "swallowed"
    """The link broke before it."""
    CUT = "cut"
    """The link broke behind it."""


class Lines(ABC):
    """The channels are the truth; `flight` holds what was told of them and nobody has taken."""

    def __init__(self) -> None:
        self.caller = True
        self.picked_up = False
        self.legs: dict[str, Person] = {}
        self.bridged: set[str] = set()
        self.playing = False
        """The caller hears words."""
        self.recording = False
        self.fate = Fate.DONE
        self.flight: list[Callable[[], None]] = []
        """What each does when it arrives. An answer does nothing when it arrives again."""

    def tries(self, leg: str) -> None:
        """The far end has said 100, which nobody is told."""
        if self.legs[leg] is Person.PLACED:
            self.legs[leg] = Person.TRYING

    def rings(self, leg: str) -> None:
        if self.legs[leg] in (Person.PLACED, Person.TRYING):
            self.legs[leg] = Person.RINGING
            self.tell(LegRinging, leg)

    def answers(self, leg: str) -> None:
        if self.legs[leg] not in (Person.CREATED, Person.UP):
            self.legs[leg] = Person.UP
            self.tell(LegUp, leg)

    def gone(
        self, leg: str, *, dialstatus: str = "", cause: int = 0, sip: int | None = None, told: bool = True
    ) -> None:
        """A leg's channel is no more."""
        del self.legs[leg]
        self.bridged.discard(leg)
        if told:
            self.tell(LegDown, leg, dialstatus, cause, sip)

    def leave(self, cause: int = 16) -> None:
        """The caller's channel is no more: what was played or recorded there ends as well."""
        self.heard()
        self.recorded(2.0)
        self.caller = False
        self.bridged.clear()
        self.tell(CallerLeft, cause)

    def press(self, leg: str, digit: str) -> None:
        self.tell(Key, leg, digit)

    def heard(self) -> None:
        if self.playing:
            self.playing = False
            self.tell(Said)

    def recorded(self, seconds: float | None) -> None:
        if self.recording:
            self.recording = False
            self.tell(Recorded, seconds)

    @abstractmethod
    def tell(self, kind: Callable[..., Event], *what: Any) -> None:
        """An event of the call is in flight, which happens when it arrives."""

    @abstractmethod
    def enters(self, leg: str) -> None:
        """A leg that was created is in the router's application, and the word of it in flight."""

    @abstractmethod
    def dials(self, leg: str) -> None:
        """A leg is about to be dialled."""

    # --- What is asked of it ------------------------------------------------------------------------------

    def _requested(self, command: Command) -> bool:
        """Whether Asterisk does it; a failure is told."""
        fate, self.fate = self.fate, Fate.DONE
        if fate is Fate.DONE:
            return True
        link = fate in (Fate.SWALLOWED, Fate.CUT)
        self._fails(command, Failure.LINK if link else Failure.ERROR)
        return fate in (Fate.LATE, Fate.CUT)

    def _fails(self, command: Command, failure: Failure) -> None:
        self.tell(Failed, command, failure)

    def hang_up_leg(self, command: HangUpLeg) -> None:
        if not self._requested(command):
            return
        if command.leg in self.legs:
            self.gone(command.leg, cause=16)
        else:
            self._fails(command, Failure.GONE)

    def hang_up_caller(self, command: HangUpCaller) -> None:
        if not self._requested(command):
            return
        if self.caller:
            self.leave(16)
        else:
            self._fails(command, Failure.GONE)

    def connect(self, command: Connect) -> None:
        if not self._requested(command):
            return
        if self.caller and command.leg in self.legs:
            self.bridged = {command.leg}
            self.picked_up = True
            self.tell(Connected, command.leg)
        else:
            self._fails(command, Failure.GONE)

    def disconnect(self, _command: Disconnect) -> None:
        self.bridged.clear()

    def answer_caller(self, _command: AnswerCaller) -> None:
        self.picked_up = True

    def say(self, command: Say) -> None:
        self.playing = self._requested(command) and self.caller
        if not self.caller:
            self._fails(command, Failure.GONE)

    def ring_back(self, _command: RingBack) -> None:
        self.playing = False

    def record(self, command: Record) -> None:
        self.recording = self._requested(command) and self.caller
        if not self.caller:
            self._fails(command, Failure.GONE)
