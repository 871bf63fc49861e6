"""What campaigns.yaml says, checked and complete. Pure.

Durations are seconds; numbers are E.164 with the plus sign.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Final, NoReturn

from router.model.words import Accept, Strategy, Withheld


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
    max_calls: int = 1
    """Forwarded calls that this person may be on at once: at so many, no further call rings them."""
    accept: Accept | None = None
    """What is a yes on this phone (a desk phone needs no key); None: what the campaign says."""
    voicemail_after: float | None = None
    """Seconds of ringing after which the mobile's own voicemail picks up, where known."""


@dataclass(frozen=True, slots=True)
class RingStep:
    """One step of `ring.steps`: these people for `timeout` seconds; `keep`: the earlier ones ring on."""

    to: tuple[str, ...]
    timeout: float
    keep: bool


@dataclass(frozen=True, slots=True)
class Ring:
    """Whom to ring and how. `timeout`: one person's ring; `max_wait`: the whole hunt."""

    strategy: Strategy
    to: tuple[str, ...]
    """Everybody in it, in the order of the file; with `steps`, all who stand in those."""
    timeout: float
    max_wait: float
    weights: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """For Strategy.WEIGHTED: a weight of 1 or more for each of `to`."""
    steps: tuple[RingStep, ...] = ()
    """Written out by hand instead of a strategy; empty for all others."""
    sticky: float = 0.0
    """Seconds for which a caller is sent first to the person last spoken with; 0: never."""


SOUND_FORMATS: Final = (".wav", ".ulaw", ".alaw", ".gsm", ".sln16", ".g722")
"""How the names of recordings end that Asterisk plays with the modules of a plain installation; of several of one
name it takes what suits the call."""


@dataclass(frozen=True, slots=True)
class Sound:
    """What somebody hears: a recording (`file`, absolute path), else `text` spoken by the speech program."""

    text: str = ""
    file: str = ""


@dataclass(frozen=True, slots=True)
class Voicemail:
    """A message may be left: `announcement` says that it is recorded; at most `longest` seconds."""

    announcement: Sound
    longest: float


@dataclass(frozen=True, slots=True)
class Overflow:
    """What comes when nobody took the call (`overflow`), or outside hours (`closed`): each part may be missing.

    First people (`ring`), then a number (`number`, of another company or a switchboard: whoever answers there has
    taken the call), then words, or a message.
    """

    ring: Ring | None = None
    number: str = ""
    timeout: float = 30.0
    """Seconds for which `number` rings."""
    announcement: Sound | None = None
    voicemail: Voicemail | None = None


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
    accept_timeout: float = 15.0
    """Seconds from a leg's answer within which the key must be pressed."""
    whisper: Sound | None = None
    """What names the campaign to the salesperson; None: its name is spoken."""
    overflow: Overflow | None = None
    closed: Overflow | None = None
    """Outside hours; None: the call ends as closed."""


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
    caller_id: str = ""
    """What this trunk takes as caller ID, whatever a campaign says; the words of Campaign.caller_id, empty: all."""
    asserts: str = "shown"
    """Which number `identity` asserts: `shown` (what the mobile shows), or `did` (always the number dialled)."""
    diversion: bool = False
    """Whether a Diversion header says which of our numbers the call came to."""
    max_calls: int | None = None
    """Legs at once; None: no limit of ours."""


@dataclass(frozen=True, slots=True)
class Vip:
    """Callers who reach these people whatever the hour. `numbers`: E.164, or a prefix that ends in `*`."""

    id: str
    numbers: tuple[str, ...]
    ring: Ring


@dataclass(frozen=True, slots=True)
class Screening:
    """What is done with a caller before anybody rings."""

    block: tuple[str, ...] = ()
    """E.164, or a prefix that ends in `*`."""
    vips: tuple[Vip, ...] = ()
    withheld: Withheld = Withheld.ALLOW
    max_per_minute: int | None = None
    """Calls of one number within 60 seconds; the next one is blocked."""


@dataclass(frozen=True, slots=True)
class Speech:
    """The program that speaks: words of its command, with `{text}`, `{file}` (a WAV to write) and `{language}`;
    empty: espeak-ng where it is installed."""

    command: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Health:
    """Where the router answers monitoring, without a password."""

    host: str
    """An address of this machine: `127.0.0.1`, `::1`, `0.0.0.0` for all of them."""
    port: int


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
    """A password that no `repr`, log line or traceback shows, and that no pickle holds."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"

    def __deepcopy__(self, _memo: object) -> Secret:
        return self

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError("a secret is not written down")


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
    screening: Screening = field(default_factory=Screening)
    speech: Speech = field(default_factory=Speech)
    health: Health | None = None
    """None: monitoring is not answered."""
    dialplan: str = ""
    """Absolute path of the generated dialplan, which `run` keeps fresh; empty: it does not."""
    pins: Mapping[str, Secret] = field(default_factory=lambda: MappingProxyType({}))
    """Salesperson -> the PIN of the menu on their own line."""
