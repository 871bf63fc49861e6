"""Which keys campaigns.yaml has, section by section (pydantic models; an unknown key is an error)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sized
from typing import Annotated, Final, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from router.config import fields as kinds
from router.config.refusal import kind, refuse
from router.config.source import Text
from router.config.week import HoursKeys

Timeout = Annotated[float, PlainValidator(kinds.duration("1s", "120s"))]
MaxWait = Annotated[float, PlainValidator(kinds.duration("1s", "600s"))]
Due = Annotated[float, PlainValidator(kinds.duration("0s", "30d"))]
Retry = Annotated[float, PlainValidator(kinds.duration("1m", "30d"))]
Expire = Annotated[float, PlainValidator(kinds.duration("1m", "365d"))]


Filled = TypeVar("Filled", bound=Sized)
MOST_RETRIES: Final = 20


class Keys(BaseModel):
    """Every section: unknown keys are refused, `refusal.py` names the nearest."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=False)


def _filled(value: Filled) -> Filled:
    if not value:
        raise refuse("is empty", "write at least one")
    return value


def _few(value: tuple[float, ...]) -> tuple[float, ...]:
    if len(value) > MOST_RETRIES:
        raise refuse(f"has {len(value)} retries", f"write at most {MOST_RETRIES}")
    return value


def _each_once(value: tuple[str, ...]) -> tuple[str, ...]:
    counted = Counter(value)
    for one, times in counted.items():
        if times > 1:
            raise refuse(f"names {one} {times} times", "name each once")
    return _filled(value)


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
    did_from: Annotated[tuple[kinds.DidSource, ...], AfterValidator(_each_once)] = (
        "exten",
        "to",
        "p-called-party-id",
        "diversion",
    )
    number_format: kinds.NumberFormat = "e164"

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
    trunks: Annotated[dict[kinds.Id, TrunkKeys], AfterValidator(_filled)]


class PersonKeys(Keys):
    name: kinds.Name | None = None
    mobile: kinds.Mobile
    timezone: kinds.Zone | None = None
    absent: tuple[kinds.Days, ...] = ()


class RingKeys(Keys):
    """`ring`; what a campaign leaves out comes from `defaults.ring`."""

    strategy: kinds.StrategyWord | None = None
    to: Annotated[tuple[kinds.Person, ...], AfterValidator(_each_once)] | None = None
    timeout: Timeout | None = None
    max_wait: MaxWait | None = None


class CallbackKeys(Keys):
    """`callback`; what a campaign leaves out comes from `defaults.callback`."""

    due: Due | None = None
    retries: Annotated[tuple[Retry, ...], AfterValidator(_few)] | None = None
    expire: Expire | None = None


NO_CALLBACK: Final = CallbackKeys.model_construct()
"""What `callback: none` becomes: this very object."""


def _or_none(value: object, read: ValidatorFunctionWrapHandler) -> CallbackKeys:
    if isinstance(value, Text):
        if value == kinds.NONE:
            return NO_CALLBACK
        raise refuse(kind(value), "write callback: none, or callback: {due: 15m, retries: [10m, 1h], expire: 5d}")
    keys: CallbackKeys = read(value)
    return keys


Callback = Annotated[CallbackKeys, WrapValidator(_or_none)]


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
    caller_id: kinds.CallerId | None = None
    ring: RingKeys = RingKeys()
    callback: Callback | None = None


class UnknownKeys(DefaultsKeys):
    """`unknown_number`: what happens to a DID that no campaign owns."""

    name: kinds.Name | None = None


class CampaignKeys(DefaultsKeys):
    name: kinds.Name | None = None
    medium: kinds.Name = "other"
    numbers: Annotated[tuple[kinds.Number, ...], AfterValidator(_filled)]
    cost: tuple[CostKeys, ...] = ()


class FileKeys(Keys):
    """The top of the file."""

    version: kinds.Version
    company: CompanyKeys
    asterisk: AsteriskKeys
    database: kinds.File = "callrouter.db"
    node: kinds.Id | None = None
    hours: dict[kinds.HoursId, HoursKeys] = {}
    salespeople: Annotated[dict[kinds.Id, PersonKeys], AfterValidator(_filled)]
    defaults: DefaultsKeys = DefaultsKeys()
    campaigns: Annotated[dict[kinds.CampaignId, CampaignKeys], AfterValidator(_filled)]
    unknown_number: UnknownKeys


def keys_of(model: type[BaseModel]) -> tuple[str, ...]:
    """The keys as they are written in the file."""
    return tuple(field.alias or name for name, field in model.model_fields.items())


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
    "callback": keys_of(CallbackKeys),
    "cost": keys_of(CostKeys),
}
"""The keys of each mapping, by its name or its folder's: what refusal.py names the nearest of."""
