"""What happens to a call (events), and what is to be done about it (commands): the two alphabets of router.call.

`at` is seconds on the engine's steady clock. Legs go by their attempt id, which is their channel's id too; where a
leg may also be the caller, the caller is the empty text. router.menu speaks a part of the same language.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from router.model import Prompt, Route, Sound


class Timer(StrEnum):
    """The clocks that a call may wait for."""

    RING = "ring"
    """This step's people have rung long enough."""
    MAX_WAIT = "max_wait"
    """The caller has waited long enough."""
    ACCEPT = "accept"
    """One leg was answered and nobody pressed the key in time."""
    INPUT = "input"
    """The caller was asked for a key and pressed none in time."""
    ENDING = "ending"
    """What the caller hears or records at the end has taken longer than it can."""


class Stage(StrEnum):
    """Which part of the call's story the database is to hold."""

    OPENED = "opened"
    HUNTING = "hunting"
    """Who was dialled, and how that went: what a next run of the router must know, should this one die."""
    ANSWERED = "answered"
    ENDED = "ended"


class Failure(StrEnum):
    """Why a command was not carried out."""

    GONE = "gone"
    """The channel is no longer there."""
    NOT_PLACED = "not_placed"
    """The leg could not be created: no such trunk, or the trunk is down."""
    ENGAGED = "engaged"
    """The person is on as many forwarded calls as may be at once; nothing was dialled."""
    LINK = "link"
    """The link to Asterisk broke: whether it was carried out shows when it is back."""
    ERROR = "error"
    """Asterisk refused or did not answer in time."""


# --- Commands ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Originate:
    leg: str
    salesperson: str
    max_calls: int
    route: Route
    timeout: float


@dataclass(frozen=True, slots=True)
class Whisper:
    """Let the leg hear what the call is about, and which keys there are."""

    leg: str


@dataclass(frozen=True, slots=True)
class Farewell:
    """Say why to a leg that was answered, then hang it up."""

    leg: str
    prompt: Prompt


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
class AnswerCaller:
    """200 to the caller: only for those who are to hear words, never while a mobile rings for them."""


@dataclass(frozen=True, slots=True)
class Say:
    """Let the caller hear these, one after the other; what was being said is cut off."""

    parts: tuple[Prompt | Sound | str, ...]
    """A text is the name of a recording that comes with Callrouter, such as `count-3`."""


@dataclass(frozen=True, slots=True)
class RingBack:
    """Stop what the caller hears, and let the caller who has been answered hear ringing."""


@dataclass(frozen=True, slots=True)
class Record:
    """Record the caller, who has heard the tone, until silence, `#`, hang-up or `longest` seconds."""

    longest: float


@dataclass(frozen=True, slots=True)
class StartTimer:
    timer: Timer
    seconds: float
    leg: str = ""
    """For Timer.ACCEPT: each leg has its own."""


@dataclass(frozen=True, slots=True)
class StopTimer:
    timer: Timer
    leg: str = ""


@dataclass(frozen=True, slots=True)
class Save:
    stage: Stage


Command = (
    Originate
    | Whisper
    | Farewell
    | HangUpLeg
    | HangUpCaller
    | Connect
    | Disconnect
    | AnswerCaller
    | Say
    | RingBack
    | Record
    | StartTimer
    | StopTimer
    | Save
)


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
class Key:
    """A key was pressed: `0` to `9`, `*`, `#`, `A` to `D`."""

    at: float
    leg: str
    digit: str = field(repr=False)
    """It may be one of a PIN."""


@dataclass(frozen=True, slots=True)
class Said:
    """The caller has heard all of the last Say."""

    at: float


@dataclass(frozen=True, slots=True)
class Recorded:
    """The recording has ended: `seconds` long, None when nothing could be recorded."""

    at: float
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Engaged:
    """The person whom this leg rings has just taken another call."""

    at: float
    leg: str


@dataclass(frozen=True, slots=True)
class TimerFired:
    at: float
    timer: Timer
    leg: str = ""


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
    answered: bool = False
    """Whether the caller, who is gone, is known to have been picked up."""


Event = (
    LegRinging
    | LegUp
    | LegDown
    | CallerLeft
    | Connected
    | Key
    | Said
    | Recorded
    | Engaged
    | TimerFired
    | Failed
    | Found
)
