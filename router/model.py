"""The words of the trade, as frozen values. No I/O, no clock, nothing imported from the other rooms.

Times of day that reach the database are seconds since the Unix epoch (UTC); `at` on events is seconds on the
engine's steady clock. Durations are seconds. Numbers are E.164 with the plus sign.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType


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


# --- Configuration: what campaigns.yaml says, checked and complete ----------------------------------------


@dataclass(frozen=True, slots=True)
class Window:
    """Open from `start` to `end`, minutes since local midnight; `end` <= `start` crosses midnight."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Span:
    """Whole local days, both ends included."""

    first: date
    last: date

    def __contains__(self, day: date) -> bool:
        return self.first <= day <= self.last


@dataclass(frozen=True, slots=True)
class OpenDay:
    """A single day that is open in these windows, whatever the week or a holiday says."""

    day: date
    windows: tuple[Window, ...]


@dataclass(frozen=True, slots=True)
class Hours:
    id: str
    timezone: str
    weekly: tuple[tuple[Window, ...], ...]
    """Seven entries, Monday first."""
    holidays: Mapping[date, str] = field(default_factory=lambda: MappingProxyType({}))
    """Every public holiday from last year to five years on, by name: expanded when the file is read."""
    closed: tuple[Span, ...] = ()
    open: tuple[OpenDay, ...] = ()


@dataclass(frozen=True, slots=True)
class Salesperson:
    id: str
    name: str
    mobile: str
    timezone: str
    absent: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class Ring:
    """Whom to ring and how. `timeout`: one person's ring; `max_wait`: the whole hunt."""

    strategy: Strategy
    to: tuple[str, ...]
    timeout: float
    max_wait: float


@dataclass(frozen=True, slots=True)
class CallbackPolicy:
    """When a callback is due after the missed call, its retries, and when it expires (seconds)."""

    due: float
    retries: tuple[float, ...]
    expire: float


@dataclass(frozen=True, slots=True)
class Cost:
    """`amount` spread over the days of `span`; an open end stands for 'until further notice'."""

    amount: Decimal
    currency: str
    first: date | None
    last: date | None


@dataclass(frozen=True, slots=True)
class Campaign:
    id: str
    name: str
    medium: str
    numbers: tuple[str, ...]
    hours: str | None
    """Key into Config.hours; None is always open."""
    accept: Accept
    caller_id: str
    """`did`, `caller`, `anonymous` or a number."""
    ring: Ring
    callback: CallbackPolicy | None
    """None: missed calls open no callback."""
    cost: tuple[Cost, ...] = ()


@dataclass(frozen=True, slots=True)
class Trunk:
    id: str
    dial: str
    """Dial template with `{number}`: `PJSIP/{number}@trunk`."""
    endpoint: str
    """The endpoint on which this trunk's calls arrive."""
    identity: str
    """How the caller ID is asserted to the carrier: `pai`, `rpid`, `from`."""
    did_from: tuple[str, ...]
    """Where the DID stands, best first: `exten`, `to`, `p-called-party-id`, `diversion` or an `x-…` header."""
    number_format: str = "e164"
    """How numbers are dialled on it: `e164` (+33612…), `plain` (33612…), `national` (0612…)."""


@dataclass(frozen=True, slots=True)
class Ari:
    url: str
    username: str
    app: str
    transport: str = "auto"
    """How REST travels: `websocket`, `http`, or `auto` (the websocket where Asterisk offers it)."""


@dataclass(frozen=True, slots=True)
class Ami:
    host: str
    port: int
    username: str


class Secret:
    """A password that no `repr`, log line or traceback shows."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"


@dataclass(frozen=True, slots=True)
class Config:
    """One accepted campaigns.yaml. `version` is the first 12 hex digits of the SHA-256 of the file."""

    version: str
    file: str
    """Absolute path of the YAML; other paths are resolved against its folder."""
    country: str
    timezone: str
    language: str
    node: str
    database: str
    """Absolute path."""
    ari: Ari
    ari_password: Secret
    ami: Ami | None
    ami_password: Secret | None
    trunks: Mapping[str, Trunk]
    """In the order in which they are tried."""
    hours: Mapping[str, Hours]
    salespeople: Mapping[str, Salesperson]
    campaigns: Mapping[str, Campaign]
    unknown: Campaign
    """What happens to a DID that no campaign owns: a campaign with the id `unknown` and no numbers."""
    by_number: Mapping[str, Campaign]
    """E.164 DID -> its campaign."""


# --- A call -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Caller:
    """Who rings: `number` is E.164 where it could be read, else the digits as they came; None is withheld."""

    number: str | None
    name: str = ""

    @property
    def withheld(self) -> bool:
        return self.number is None


@dataclass(frozen=True, slots=True)
class Inbound:
    """What Asterisk said of a new call, as it said it: nothing in here may ever be dialled."""

    exten: str
    endpoint: str
    """The PJSIP endpoint on which it came, empty where unknown."""
    headers: Mapping[str, str]
    """Lower-case header name -> value, only those that the trunk's `did_from` reads."""
    caller_number: str
    caller_name: str
    withheld: bool


@dataclass(frozen=True, slots=True)
class Did:
    """The dialled number: E.164 where it could be read (else as it came, made safe), and where it stood."""

    number: str
    source: str


@dataclass(frozen=True, slots=True)
class Route:
    """One way to reach somebody: ready to dial, out of campaigns.yaml alone."""

    trunk: str
    endpoint: str
    caller_id: str
    """What the mobile's screen shows; empty is anonymous."""


@dataclass(frozen=True, slots=True)
class Target:
    """One person, and the trunks to try in order (the next one only when the one before was unreachable)."""

    salesperson: str
    name: str
    routes: tuple[Route, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """People who ring together, for `timeout` seconds."""

    targets: tuple[Target, ...]
    timeout: float


@dataclass(frozen=True, slots=True)
class Plan:
    """The whole hunt, decided when the call arrives; a reload does not change it."""

    steps: tuple[Step, ...]
    max_wait: float
    accept: Accept


@dataclass(frozen=True, slots=True)
class Reason:
    """One rule that was looked at, for `explain`: `routing.hours: open until 18:30`."""

    rule: str
    text: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What is done with one call. `plan` is None when nobody is rung; `refused` then says the outcome."""

    campaign: str
    """Campaign id; `unknown` for a DID that no campaign owns."""
    did: Did
    caller: Caller
    plan: Plan | None
    refused: Outcome | None
    reasons: tuple[Reason, ...] = ()


# --- Records: what reaches the database -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One row of `calls`. Times are epoch seconds."""

    id: str
    started_at: float
    did: str
    campaign: str
    caller: Caller
    path: Path
    config_version: str
    node: str
    channel: str
    """Asterisk's id of the caller's channel: what adoption after a restart looks for."""
    outcome: Outcome | None = None
    salesperson: str | None = None
    answered_at: float | None = None
    ended_at: float | None = None
    ring_seconds: float | None = None
    talk_seconds: float | None = None
    hangup_by: HangupBy | None = None
    cause: int | None = None


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One row of `attempts`; `id` is also the leg's channel id."""

    id: str
    seq: int
    salesperson: str
    trunk: str
    started_at: float
    ringing_at: float | None = None
    answered_at: float | None = None
    accepted_at: float | None = None
    ended_at: float | None = None
    result: Result | None = None
    cause: int | None = None
    sip_status: int | None = None


@dataclass(frozen=True, slots=True)
class CallbackWish:
    """A callback that a missed call asks for, should none be open for this caller and campaign."""

    due_at: float
    expires_at: float
