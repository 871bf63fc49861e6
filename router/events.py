"""What happens to a call (events), and what is to be done about it (commands): the two alphabets of router.call.

`at` is seconds on the engine's steady clock. Legs go by their attempt id, which is their channel's id too.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Timer(StrEnum):
    """The clocks that a call may wait for."""

    RING = "ring"
    """This step's people have rung long enough."""
    MAX_WAIT = "max_wait"
    """The caller has waited long enough."""


class Stage(StrEnum):
    """Which part of the call's story the database is to hold."""

    OPENED = "opened"
    ANSWERED = "answered"
    ENDED = "ended"


class Failure(StrEnum):
    """Why a command was not carried out."""

    GONE = "gone"
    """The channel is no longer there."""
    NOT_PLACED = "not_placed"
    """The leg could not be created: no such trunk, or the trunk is down."""
    LINK = "link"
    """The link to Asterisk broke: whether it was carried out shows when it is back."""
    ERROR = "error"
    """Asterisk refused or did not answer in time."""


# --- Commands ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Originate:
    leg: str
    endpoint: str
    caller_id: str
    timeout: float


@dataclass(frozen=True, slots=True)
class HangUpLeg:
    leg: str


@dataclass(frozen=True, slots=True)
class HangUpCaller:
    reason: str


@dataclass(frozen=True, slots=True)
class Connect:
    """Answer the caller, and bridge it with the leg."""

    leg: str


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Remove the bridge."""


@dataclass(frozen=True, slots=True)
class StartTimer:
    timer: Timer
    seconds: float


@dataclass(frozen=True, slots=True)
class StopTimer:
    timer: Timer


@dataclass(frozen=True, slots=True)
class Save:
    stage: Stage


Command = Originate | HangUpLeg | HangUpCaller | Connect | Disconnect | StartTimer | StopTimer | Save


# --- Events -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LegRinging:
    at: float
    leg: str


@dataclass(frozen=True, slots=True)
class LegUp:
    """The leg was answered: by a human, a mailbox or a robot."""

    at: float
    leg: str


@dataclass(frozen=True, slots=True)
class LegDown:
    at: float
    leg: str
    dialstatus: str = ""
    cause: int = 0
    sip_status: int | None = None
    lost: bool = False
    """It ended while the link was away: nobody knows how."""


@dataclass(frozen=True, slots=True)
class CallerLeft:
    at: float
    cause: int = 0


@dataclass(frozen=True, slots=True)
class Connected:
    """Caller and leg hear each other."""

    at: float
    leg: str


@dataclass(frozen=True, slots=True)
class TimerFired:
    at: float
    timer: Timer


@dataclass(frozen=True, slots=True)
class Failed:
    at: float
    command: Command
    failure: Failure


@dataclass(frozen=True, slots=True)
class Found:
    """What Asterisk says is alive, when asked at `at`, after the link was away: the call takes it as the truth."""

    at: float
    caller: bool
    ringing: frozenset[str]
    """Legs that exist and are not up."""
    up: frozenset[str]
    """Legs that are up."""
    bridged: frozenset[str]
    """Legs in a bridge together with the caller."""


Event = LegRinging | LegUp | LegDown | CallerLeft | Connected | TimerFired | Failed | Found
