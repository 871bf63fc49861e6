"""The closed lists of the trade. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

OVERFLOW: Final = "overflow"
"""Stands for a salesperson's id where the overflow's number is rung: nobody may have it."""


class Outcome(StrEnum):
    """How a call ended; the order is the contract's order of precedence."""

    ANSWERED = "answered"
    VOICEMAIL = "voicemail"
    ABANDONED = "abandoned"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    UNREACHABLE = "unreachable"
    CLOSED = "closed"
    BLOCKED = "blocked"
    FAILED = "failed"

    @property
    def missed(self) -> bool:
        """Whether reports count it as missed, and a callback is owed."""
        return self not in (Outcome.ANSWERED, Outcome.BLOCKED)


class Result(StrEnum):
    """How one leg ended."""

    ACCEPTED = "accepted"
    NOT_ACCEPTED = "not_accepted"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    DECLINED = "declined"
    UNREACHABLE = "unreachable"
    CANCELLED = "cancelled"
    FAILED = "failed"


class Path(StrEnum):
    """Which line of defence carried the call."""

    ARI = "ari"
    AGI = "agi"
    DIALPLAN = "dialplan"


class HangupBy(StrEnum):
    CALLER = "caller"
    SALESPERSON = "salesperson"
    ROUTER = "router"


class Accept(StrEnum):
    """What makes a leg that was answered a human's yes."""

    NONE = "none"
    PRESS_1 = "press-1"


class Strategy(StrEnum):
    """The order in which people ring."""

    SEQUENTIAL = "sequential"
    ALL = "all"
    ROUND_ROBIN = "round-robin"
    """In turn, beginning behind whoever stood first at the last call of the campaign."""
    WEIGHTED = "weighted"
    """By lot, each person as often first as their weight says."""
    LEAST_RECENT = "least-recent"
    """Whoever was rung longest ago comes first."""
    LONGEST_IDLE = "longest-idle"
    """Whoever ended a talk longest ago comes first."""


class Withheld(StrEnum):
    """What is done with callers who withhold their number."""

    ALLOW = "allow"
    CHALLENGE = "challenge"
    """They are connected once they have pressed 1."""
    BLOCK = "block"


class Prompt(StrEnum):
    """What Callrouter says by itself, in each language that it has: the name is the recording's too."""

    BEEP = "beep"
    # To a salesperson's phone that was answered.
    PRESS_1 = "press-1"
    NEW_CALLER = "new-caller"
    REPEAT_CALLER = "repeat-caller"
    OWED_CALLBACK = "owed-callback"
    TAKEN = "taken"
    CALLER_GONE = "caller-gone"
    # To a caller.
    CHALLENGE = "challenge"
    # To a salesperson who dials one of our numbers.
    ENTER_PIN = "enter-pin"
    WRONG_PIN = "wrong-pin"
    NO_MENU = "no-menu"
    AVAILABLE = "available"
    PAUSED = "paused"
    MENU = "menu"
    NO_CALLBACKS = "no-callbacks"
    CALLBACKS_OPEN = "callbacks-open"
    """Behind the number that `count-N` says."""
    GOODBYE = "goodbye"
