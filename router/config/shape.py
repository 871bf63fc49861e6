"""Which keys campaigns.yaml has, section by section (pydantic models; an unknown key is an error)."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator, Field, PlainValidator, model_validator

from router.config import fields as kinds
from router.config.health import HealthKeys
from router.config.keys import Keys, at_most, each_once, filled, keys_of, or_none
from router.config.overflow import OverflowKeys, OverflowOrNone
from router.config.refusal import refuse
from router.config.ringing import RingKeys, StepKeys
from router.config.screening import ScreeningKeys, VipKeys
from router.config.sounds import SoundKeys, SpeechKeys, VoicemailKeys, Whisper
from router.config.week import HoursKeys

Due = Annotated[float, PlainValidator(kinds.duration("0s", "30d"))]
Retry = Annotated[float, PlainValidator(kinds.duration("1m", "30d"))]
Expire = Annotated[float, PlainValidator(kinds.duration("1m", "365d"))]
AcceptTimeout = Annotated[float, PlainValidator(kinds.duration("3s", "60s"))]
VoicemailAfter = Annotated[float, PlainValidator(kinds.duration("1s", "120s"))]

MOST_RETRIES: Final = 20
MOST_COSTS: Final = 1_000
MOST_OF_A_PERSON: Final = 100
MOST_OF_A_TRUNK: Final = 10_000

PersonCalls = Annotated[int, PlainValidator(kinds.whole(0, MOST_OF_A_PERSON))]
TrunkCalls = Annotated[int | None, PlainValidator(kinds.unless_none(kinds.whole(1, MOST_OF_A_TRUNK), None))]


class CompanyKeys(Keys):
    country: kinds.Country
    timezone: kinds.Zone
    language: kinds.Language = "en"


class AriKeys(Keys):
    url: kinds.Url
    username: kinds.Username
    password_file: kinds.File | None = None
    app: kinds.Id = "callrouter"
    transport: kinds.Transport = "auto"


class AmiKeys(Keys):
    host: kinds.Host = "127.0.0.1"
    port: kinds.Port = 5038
    username: kinds.Username
    password_file: kinds.File | None = None


class TrunkKeys(Keys):
    dial: kinds.Dial
    endpoint: kinds.Id | None = None
    identity: kinds.Identity = "pai"
    did_from: Annotated[tuple[kinds.DidSource, ...], AfterValidator(each_once)] = (
        "exten",
        "to",
        "p-called-party-id",
        "diversion",
    )
    number_format: kinds.NumberFormat = "e164"
    caller_id: kinds.CallerId | None = None
    asserts: kinds.Asserts = "shown"
    diversion: kinds.Truth = False
    max_calls: TrunkCalls = None

    @model_validator(mode="after")
    def _has_an_endpoint(self) -> TrunkKeys:
        if not self.endpoint_name():
            raise refuse(
                "its endpoint cannot be told from dial", "write endpoint: and the name of the PJSIP endpoint"
            )
        return self

    def endpoint_name(self) -> str:
        """The endpoint on which the trunk's calls arrive: as given, else the one that the dial template names:
        `PJSIP/{number}@trunk`, `PJSIP/trunk/sip:{number}@host`, `Local/{number}@context/n`."""
        if self.endpoint:
            return self.endpoint
        first, slash, _ = self.dial.partition("/")[2].partition("/")
        if slash and "{number}" not in first:
            return first
        return self.dial.rpartition("{number}@")[2].partition("/")[0] if "{number}@" in self.dial else ""


class AsteriskKeys(Keys):
    ari: AriKeys
    ami: AmiKeys | None = None
    dialplan: kinds.File | None = None
    trunks: Annotated[dict[kinds.Id, TrunkKeys], AfterValidator(filled)]


class PersonKeys(Keys):
    name: kinds.Name | None = None
    mobile: kinds.Mobile
    timezone: kinds.Zone | None = None
    absent: tuple[kinds.Days, ...] = ()
    max_calls: PersonCalls = 1
    accept: kinds.AcceptWord | None = None
    voicemail_after: VoicemailAfter | None = None


class CallbackKeys(Keys):
    """`callback`; what a campaign leaves out comes from `defaults.callback`."""

    due: Due | None = None
    retries: Annotated[tuple[Retry, ...], at_most(MOST_RETRIES, "retries")] | None = None
    expire: Expire | None = None


NO_CALLBACK: Final = CallbackKeys.model_construct()
"""What `callback: none` becomes: this very object."""


_MEND: Final = "write callback: none, or callback: {due: 15m, retries: [10m, 1h], expire: 5d}"

Callback = Annotated[CallbackKeys, or_none(NO_CALLBACK, _MEND)]


class CostKeys(Keys):
    """One sum, spread over the days from `from` to `to`; an end left out is open."""

    amount: kinds.Amount
    first: kinds.Day | None = Field(default=None, alias="from")
    last: kinds.Day | None = Field(default=None, alias="to")

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> CostKeys:
        if self.first and self.last and self.last < self.first:
            raise refuse(f"ends on {self.last}, before it begins on {self.first}", "exchange from and to")
        return self


class DefaultsKeys(Keys):
    hours: kinds.HoursRef | None = None
    accept: kinds.AcceptWord | None = None
    accept_timeout: AcceptTimeout | None = None
    whisper: Whisper | None = None
    caller_id: kinds.CallerId | None = None
    ring: RingKeys = RingKeys()
    overflow: OverflowOrNone | None = None
    closed: OverflowOrNone | None = None
    callback: Callback | None = None


class UnknownKeys(DefaultsKeys):
    """`unknown_number`: what happens to a DID that no campaign owns."""

    name: kinds.Name | None = None


class CampaignKeys(DefaultsKeys):
    name: kinds.Name | None = None
    medium: kinds.Name = "other"
    numbers: Annotated[tuple[kinds.Number, ...], AfterValidator(filled)]
    cost: Annotated[tuple[CostKeys, ...], at_most(MOST_COSTS, "costs")] = ()


class FileKeys(Keys):
    """The top of the file."""

    version: kinds.Version
    company: CompanyKeys
    asterisk: AsteriskKeys
    database: kinds.File = "callrouter.db"
    node: kinds.Id | None = None
    hours: dict[kinds.HoursId, HoursKeys] = Field(default_factory=dict)
    salespeople: Annotated[dict[kinds.PersonId, PersonKeys], AfterValidator(filled)]
    pins_file: kinds.File | None = None
    speech: SpeechKeys = SpeechKeys()
    health: HealthKeys | None = None
    screening: ScreeningKeys = ScreeningKeys()
    defaults: DefaultsKeys = DefaultsKeys()
    campaigns: Annotated[dict[kinds.CampaignId, CampaignKeys], AfterValidator(filled)]
    unknown_number: UnknownKeys


KNOWN_KEYS: Final = {
    "": keys_of(FileKeys),
    "company": keys_of(CompanyKeys),
    "asterisk": keys_of(AsteriskKeys),
    "ari": keys_of(AriKeys),
    "ami": keys_of(AmiKeys),
    "trunks.*": keys_of(TrunkKeys),
    "hours.*": keys_of(HoursKeys),
    "salespeople.*": keys_of(PersonKeys),
    "defaults": keys_of(DefaultsKeys),
    "campaigns.*": keys_of(CampaignKeys),
    "unknown_number": keys_of(UnknownKeys),
    "ring": keys_of(RingKeys),
    "steps": keys_of(StepKeys),
    "whisper": keys_of(SoundKeys),
    "announcement": keys_of(SoundKeys),
    "overflow": keys_of(OverflowKeys),
    "closed": keys_of(OverflowKeys),
    "voicemail": keys_of(VoicemailKeys),
    "screening": keys_of(ScreeningKeys),
    "vips.*": keys_of(VipKeys),
    "speech": keys_of(SpeechKeys),
    "health": keys_of(HealthKeys),
    "callback": keys_of(CallbackKeys),
    "cost": keys_of(CostKeys),
}
"""The keys of each mapping, by its name or its folder's: what refusal.py names the nearest of."""
