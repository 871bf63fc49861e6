"""One call: what Asterisk said of it, what is known besides, and what is decided about it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from types import MappingProxyType

from router.model.settings import Sound, Voicemail
from router.model.words import Accept, Outcome, Prompt


@dataclass(frozen=True, slots=True)
class Caller:
    """Who rings: `number` is E.164 where it could be read, else the digits as they came; None is withheld."""

    number: str | None
    name: str = ""

    @property
    def withheld(self) -> bool:
        return self.number is None


@dataclass(frozen=True, slots=True)
class Departure:
    """A caller who hung up while no router heard of it."""

    at: float
    """Unix time."""
    up: bool = False
    """Whether he had been picked up, as far as is known: for a human, or to hear words."""


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
    mode: str = "did"
    """Which rule chose it: `did`, `caller`, `anonymous` or `fixed`."""
    identity: str = ""
    """The number asserted to the carrier; empty: what is shown (one of ours for an anonymous leg)."""
    diversion: str = ""
    """The number of ours that a Diversion header names; empty: none."""
    refused_only: bool = False
    """Tried only when the carrier has refused the route before it for its caller ID."""


@dataclass(frozen=True, slots=True)
class Target:
    """One person, and the trunks to try in order (the next one only when the one before was unreachable)."""

    salesperson: str
    """Id; `overflow` for a number that is nobody's mobile."""
    name: str
    routes: tuple[Route, ...]
    accept: Accept
    max_calls: int = 1
    """Forwarded calls at which this person is not rung; 0: no limit."""


@dataclass(frozen=True, slots=True)
class Step:
    """People who ring together, for `timeout` seconds; `keep`: who rang before rings on."""

    targets: tuple[Target, ...]
    timeout: float
    keep: bool = False


@dataclass(frozen=True, slots=True)
class Hunt:
    """Steps one after the other, within `max_wait` seconds."""

    steps: tuple[Step, ...]
    max_wait: float


@dataclass(frozen=True, slots=True)
class Plan:
    """Whom the call rings, decided when it arrives; a reload does not change it. A second hunt is the overflow."""

    hunts: tuple[Hunt, ...]
    accept_timeout: float
    whisper: tuple[Prompt | Sound, ...]
    """What a salesperson hears who answers where a key is wanted."""


@dataclass(frozen=True, slots=True)
class Ending:
    """What a caller hears whom nobody took: an announcement, or one and then the tone of a recording."""

    announcement: Sound | None = None
    voicemail: Voicemail | None = None


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
    ending: Ending | None = None
    """What comes after a hunt that reached nobody, or instead of one (closed)."""
    challenge: bool = False
    """The caller must press 1 before anybody rings."""
    staff: str | None = None
    """The salesperson whose own mobile it is that rings us: no lead, but the menu. Plan and refused are None."""


@dataclass(frozen=True, slots=True)
class Acquaintance:
    """What is known of a number that has called before. Times are epoch seconds."""

    last_at: float
    spoke_with: str = ""
    """Salesperson of the last talk, empty when there was none."""
    spoke_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Situation:
    """What a decision may know of the moment besides its time. Everything may be missing: it only orders and
    leaves out."""

    seed: int = 0
    """Chance for this call, any 64 bits."""
    paused: Mapping[str, float | None] = field(default_factory=lambda: MappingProxyType({}))
    """Salesperson -> until when (epoch seconds), None until resumed; one that has passed counts no more."""
    first: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Campaign -> who stood first at its last call."""
    last_rung: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """Salesperson -> when last rung."""
    last_talk: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """Salesperson -> when the last talk ended."""
    known: Mapping[str, Acquaintance] = field(default_factory=lambda: MappingProxyType({}))
    """Number -> who has called before."""
    owed: Set[tuple[str, str]] = frozenset()
    """(campaign, number) of each open callback."""
    recent: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """Number -> its calls of the last 60 seconds, this one not among them."""
    trunks_down: Set[str] = frozenset()
