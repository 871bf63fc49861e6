"""The kinds of value that campaigns.yaml holds, each with the words that say what is wrong with it.

Every one is a pydantic type that takes a `Text` (see source.py). `Names` is what a value may refer to; it travels
as pydantic's validation context, so that unknown names are found in the same pass as everything else.
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import lru_cache, partial
from typing import Annotated, Final, TypeVar, cast
from urllib.parse import urlsplit

from pydantic import PlainValidator, ValidationInfo

from router.config.refusal import kind, nearest, refuse, shown
from router.config.source import Text
from router.config.traps import misread
from router.errors import NumberError
from router.model import OVERFLOW, Accept, Span, Strategy
from router.numbers import dialable, read_number, safe_text

LONGEST_NAME: Final = 120
ALWAYS: Final = "always"
NONE: Final = "none"

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)([smhd])", re.ASCII)
_WHOLE = re.compile(r"0|[1-9][0-9]{0,8}", re.ASCII)
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", re.ASCII)
_DAY = re.compile(r"(20[0-9]{2})-([0-9]{2})-([0-9]{2})", re.ASCII)
_AMOUNT = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,4})?) ([A-Z]{3})", re.ASCII)
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:[-_][A-Za-z]{2})?", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|[0-9A-Fa-f:]*:[0-9A-Fa-f:]+", re.ASCII)
_USERNAME = re.compile(r"(?!general$)[A-Za-z0-9_.@-]{1,64}", re.ASCII | re.IGNORECASE)
_DIAL = re.compile(r"[A-Za-z][A-Za-z0-9_]*/[A-Za-z0-9_.:@{}+/-]+", re.ASCII)
_HEADER = re.compile(r"x-[a-z0-9-]{1,60}", re.ASCII)
_DID_SOURCES: Final = ("exten", "to", "p-called-party-id", "diversion")

Read = TypeVar("Read")


@dataclass(slots=True)
class Names:
    """What the file defines, where it lies and on which day it is read; numbers that were read are kept for the
    checks after."""

    country: str
    today: date
    people: frozenset[str]
    hours: frozenset[str]
    dids: dict[int, str] = field(default_factory=dict)
    """id() of a `Text` in some `numbers` -> E.164."""
    mobiles: dict[int, str] = field(default_factory=dict)
    """The same for what is dialled: mobiles, and numbers of overflows."""
    callers: dict[int, str] = field(default_factory=dict)
    """The same for callers that are screened; a beginning of numbers ends in `*`."""
    folder: str = ""
    """Of campaigns.yaml: absolute."""


def names(info: ValidationInfo) -> Names:
    return cast(Names, info.context)


def scalar(value: object, mend: str) -> Text:
    """`value` when it is one word or text that YAML does not misread."""
    if not isinstance(value, Text):
        raise refuse(kind(value), mend)
    read = misread(value)
    if read is not None and value:
        raise refuse(
            f"{shown(value)} without quotes is {read} to YAML", f'{mend}, or put it in quotes: "{safe_text(value)}"'
        )
    if not value.strip():
        raise refuse("is empty", mend)
    return value


def _matching(pattern: re.Pattern[str], what: str, mend: str) -> Callable[[object], str]:
    def read(value: object) -> str:
        text = scalar(value, mend)
        if not pattern.fullmatch(text):
            raise refuse(f"{shown(text)} is no {what}", mend)
        return str(text)

    return read


def one_of(value: object, known: tuple[str, ...]) -> str:
    """One of a closed list of words."""
    mend = "write " + (" or ".join((", ".join(known[:-1]), known[-1])) if len(known) > 1 else known[0])
    if isinstance(value, Text) and value in known:
        return str(value)
    if not isinstance(value, Text) or not value:
        raise refuse(kind(value), mend)
    raise refuse(f"{shown(value)} is not one of the words for it", mend)


def _words(*known: str) -> Callable[[object], str]:
    return lambda value: one_of(value, known)


def _name(value: object) -> str:
    text = scalar(value, "write a name")
    if len(text) > LONGEST_NAME:
        raise refuse(f"has {len(text)} characters", f"write at most {LONGEST_NAME}")
    safe = safe_text(text, LONGEST_NAME)
    if safe != " ".join(text.split(" ")).strip() and safe != " ".join(text.split()):
        raise refuse("has control or invisible characters", f"write {shown(safe)}")
    return safe


def _id(value: object) -> str:
    return _matching(_ID, "id", "write letters, digits, - and _, at most 64, such as spring-flyer")(value)


def _person_id(value: object) -> str:
    if value == OVERFLOW:
        raise refuse("the id overflow belongs to the numbers of overflows", "give this person another id")
    return _id(value)


def _campaign_id(value: object) -> str:
    if value == "unknown":
        raise refuse("the id unknown belongs to unknown_number", "give the campaign another id")
    return _id(value)


def _hours_id(value: object) -> str:
    if value in (ALWAYS, NONE):
        raise refuse(f"{value} is a word of its own", "give these hours another name, such as office")
    return _id(value)


def duration(minimum: str, maximum: str) -> Callable[[object], float]:
    """Reads `20s`, `15m`, `4h`, `5d` as seconds, between two bounds written the same way."""
    least, most = (_seconds(bound) for bound in (minimum, maximum))
    mend = f"write a number with its unit, from {minimum} to {maximum}, such as 20s, 15m, 4h or 5d"

    def read(value: object) -> float:
        if not isinstance(value, Text) or not value:
            raise refuse(kind(value), mend)
        if not _DURATION.fullmatch(value):
            has_no_unit = value.replace(".", "", 1).isdigit()
            raise refuse(f"{shown(value)} " + ("has no unit" if has_no_unit else "is no duration"), mend)
        seconds = _seconds(value)
        if not least <= seconds <= most:
            raise refuse(f"{shown(value)} is out of bounds", f"write {minimum} to {maximum}")
        return seconds

    return read


def _seconds(text: str) -> float:
    return float(text[:-1]) * _UNITS[text[-1]]


def whole(minimum: int, maximum: int) -> Callable[[object], int]:
    """Reads a whole number between two bounds."""
    mend = f"write a whole number from {minimum} to {maximum}"

    def read(value: object) -> int:
        if not isinstance(value, Text) or not value:
            raise refuse(kind(value), mend)
        if not _WHOLE.fullmatch(value):
            raise refuse(f"{shown(value)} is no whole number", mend)
        if not minimum <= int(value) <= maximum:
            raise refuse(f"{shown(value)} is out of bounds", mend)
        return int(value)

    return read


def unless_none(read: Callable[[object], Read], nothing: Read | None) -> Callable[[object], Read | None]:
    """As `read`, and `nothing` for the word none."""
    return lambda value: nothing if isinstance(value, Text) and value == NONE else read(value)


def _truth(value: object) -> bool:
    return one_of(value, ("true", "false")) == "true"


def read_day(text: str) -> date:
    """An ISO date of this century. Raises the refusal."""
    shape = _DAY.fullmatch(text)
    if shape:
        try:
            return date(int(shape[1]), int(shape[2]), int(shape[3]))
        except ValueError:
            raise refuse(f"{shown(text)} is no day of the calendar", "write an existing day: YYYY-MM-DD") from None
    raise refuse(f"{shown(text)} is no date", "write it as YYYY-MM-DD, such as 2026-03-01")


def _day(value: object) -> date:
    return read_day(scalar(value, "write a date such as 2026-03-01"))


def _span(value: object) -> Span:
    text = scalar(value, 'write "2026-08-01" or "2026-08-01..2026-08-21"')
    first, dots, last = text.partition("..")
    begin = read_day(first.strip())
    end = read_day(last.strip()) if dots else begin
    if end < begin:
        raise refuse(f"{shown(text)} ends before it begins", f'write "{end}..{begin}"')
    return Span(begin, end)


def number_text(value: object) -> Text:
    """A number as it is written, when YAML does not misread it."""
    mend = 'write the number in quotes, such as "+33184801001"'
    if not isinstance(value, Text) or not value:
        raise refuse(kind(value), mend)
    read = misread(value) or ("a number" if value.plain and value.isdigit() else None)
    if read:
        raise refuse(f"{shown(value)} without quotes is {read} to YAML", f'write "{safe_text(value)}"')
    return value


def read_with(text: Text, known: Names, read: Callable[[str, str], str]) -> str:
    """What `read` makes of a number in the company's country. Raises the refusal."""
    try:
        return read(text, known.country)
    except NumberError as error:
        if not known.country and not text.startswith(("+", "00")):
            return str(text)  # The country itself is wrong, which is said in its place.
        raise refuse(f"{shown(text)} {error}", 'write an ordinary number, such as "+33184801001"') from None


def _did(value: object, info: ValidationInfo) -> str:
    text = number_text(value)
    number = read_with(text, names(info), read_number)
    names(info).dids[id(text)] = number
    return number


def _mobile(value: object, info: ValidationInfo) -> str:
    text = number_text(value)
    number = read_with(text, names(info), dialable)
    names(info).mobiles[id(text)] = number
    return number


def _caller_id(value: object, info: ValidationInfo) -> str:
    if isinstance(value, Text) and value in ("did", "caller", "anonymous"):
        return str(value)
    if isinstance(value, Text) and value.isalpha():
        raise refuse(f"{shown(value)} is no caller ID", 'write did, caller, anonymous or a number: "+33184801001"')
    return read_with(number_text(value), names(info), read_number)


def _person(value: object, info: ValidationInfo) -> str:
    text = scalar(value, "write the id of a salesperson")
    if text not in names(info).people:
        raise refuse(f"no salesperson is called {shown(text)}", partial(nearest, text, names(info).people))
    return str(text)


def _hours_ref(value: object, info: ValidationInfo) -> str:
    known = names(info).hours
    text = scalar(value, "write the name of hours, or always")
    if text != ALWAYS and text not in known:
        raise refuse(f"no hours are called {shown(text)}", partial(nearest, text, known | {ALWAYS}))
    return str(text)


def _accept(value: object) -> Accept:
    return Accept(one_of(value, (Accept.PRESS_1.value, Accept.NONE.value)))


def _strategy(value: object) -> Strategy:
    return Strategy(one_of(value, tuple(strategy.value for strategy in Strategy)))


def _country(value: object) -> str:
    from phonenumbers import SUPPORTED_REGIONS

    text = scalar(value, "write two letters, such as FR")
    if text not in SUPPORTED_REGIONS:
        close = text.upper()
        mend = f"write {close}" if close in SUPPORTED_REGIONS else "write its two ISO 3166 letters, such as FR"
        raise refuse(f"{shown(text)} is no country", mend)
    return str(text)


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


def _zone(value: object) -> str:
    text = scalar(value, "write a zone such as Europe/Paris")
    if text not in _zones():
        raise refuse(f"{shown(text)} is no time zone", partial(nearest, text, _zones(), "write Europe/Paris"))
    return str(text)


def _amount(value: object) -> tuple[Decimal, str]:
    mend = "write an amount and its currency: 1200 EUR or 99.50 EUR"
    if not isinstance(value, Text) or not value:
        raise refuse(kind(value), mend)
    shape = _AMOUNT.fullmatch(value)
    if not shape:
        wrong = "has no currency" if re.fullmatch(r"[0-9.]+", value) else "is no amount"
        raise refuse(f"{shown(value)} {wrong}", mend)
    return Decimal(shape[1]), shape[2]


def _url(value: object) -> str:
    mend = 'write "http://127.0.0.1:8088/ari"'
    text = scalar(value, mend)
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise refuse(f"{shown(text)} is no URL", mend) from None
    if parts.username is not None or parts.password is not None:
        raise refuse("a user name or password stands in the URL", "write username: and password_file: instead")
    plain = re.fullmatch(r"https?://[A-Za-z0-9.:\[\]-]+(?:/[A-Za-z0-9._/-]*)?", text, re.ASCII)
    if not plain or not host:
        raise refuse(f"{shown(text)} is no URL of an ARI", mend)
    return str(text).rstrip("/")


def _port(value: object) -> int:
    if not isinstance(value, Text) or not re.fullmatch(r"[0-9]{1,5}", value) or not 0 < int(value) < 65536:
        raise refuse(f"{kind(value)}, which is no port", "write a number from 1 to 65535, such as 5038")
    return int(value)


def _version(value: object) -> int:
    if not isinstance(value, Text) or value != "1":
        raise refuse(f"{kind(value)}, which this release does not read", "write version: 1")
    return 1


def _file(value: object) -> str:
    text = scalar(value, "write the name of a file")
    if not text.isprintable() or len(text) > 4096:
        raise refuse(f"{shown(text)} is no file name", "write the name of a file")
    return str(text)


def _dial(value: object) -> str:
    mend = 'write "PJSIP/{number}@trunk", with the name of your trunk\'s endpoint'
    text = scalar(value, mend)
    if text.count("{number}") != 1:
        raise refuse(f"{shown(text)} must hold {{number}} once", mend)
    if not _DIAL.fullmatch(text) or set("{}") & set(text.replace("{number}", "")):
        raise refuse(f"{shown(text)} has characters that Asterisk could take for more than one call", mend)
    return str(text)


def _did_source(value: object) -> str:
    text = scalar(value, "write exten, to, p-called-party-id, diversion or a header x-…")
    folded = text.lower()
    if folded in _DID_SOURCES or _HEADER.fullmatch(folded):
        return folded
    raise refuse(f"{shown(text)} is no place for a DID", nearest(text, [*_DID_SOURCES, "x-…"]))


Name = Annotated[str, PlainValidator(_name)]
Id = Annotated[str, PlainValidator(_id)]
PersonId = Annotated[str, PlainValidator(_person_id)]
CampaignId = Annotated[str, PlainValidator(_campaign_id)]
HoursId = Annotated[str, PlainValidator(_hours_id)]
Number = Annotated[str, PlainValidator(_did)]
Mobile = Annotated[str, PlainValidator(_mobile)]
CallerId = Annotated[str, PlainValidator(_caller_id)]
Person = Annotated[str, PlainValidator(_person)]
HoursRef = Annotated[str, PlainValidator(_hours_ref)]
AcceptWord = Annotated[Accept, PlainValidator(_accept)]
StrategyWord = Annotated[Strategy, PlainValidator(_strategy)]
Day = Annotated[date, PlainValidator(_day)]
Days = Annotated[Span, PlainValidator(_span)]
Country = Annotated[str, PlainValidator(_country)]
Zone = Annotated[str, PlainValidator(_zone)]
Language = Annotated[str, PlainValidator(_matching(_LANGUAGE, "language", "write two letters, such as fr"))]
Amount = Annotated[tuple[Decimal, str], PlainValidator(_amount)]
Url = Annotated[str, PlainValidator(_url)]
Host = Annotated[str, PlainValidator(_matching(_HOST, "host", "write a name or address, such as 127.0.0.1"))]
Port = Annotated[int, PlainValidator(_port)]
Username = Annotated[str, PlainValidator(_matching(_USERNAME, "user name", "write letters, digits, _ . @ and -"))]
File = Annotated[str, PlainValidator(_file)]
Version = Annotated[int, PlainValidator(_version)]
Dial = Annotated[str, PlainValidator(_dial)]
DidSource = Annotated[str, PlainValidator(_did_source)]
Transport = Annotated[str, PlainValidator(_words("auto", "websocket", "http"))]
Truth = Annotated[bool, PlainValidator(_truth)]
Asserts = Annotated[str, PlainValidator(_words("shown", "did"))]
Identity = Annotated[str, PlainValidator(_words("pai", "rpid", "from"))]
NumberFormat = Annotated[str, PlainValidator(_words("e164", "plain", "national"))]
