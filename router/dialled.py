"""The two numbers of a call, read from what Asterisk said of it: the one dialled, and the caller's. Pure.

Neither is ever dialled: the first picks the campaign, the second may be shown on the mobile's screen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from router.errors import NumberError
from router.model import Caller, Config, Did, Inbound, Trunk
from router.numbers import header_number, read_number, safe_text

UNKNOWN_DID: Final = "unknown"

E164: Final = re.compile(r"\+[1-9][0-9]{7,14}")
_PHONE_CHARACTERS: Final = re.compile(r"\+?[0-9 ().\-/*#]+")
_NAMES_WITHHELD: Final = frozenset({"anonymous", "private", "restricted", "withheld"})
_NUMBERS_WITHHELD: Final = frozenset({"+266696687", "+7378742833", "+2562533", "+8656696", "+86282452253"})
"""ANONYMOUS, RESTRICTED, BLOCKED, UNKNOWN and UNAVAILABLE spelt on a keypad: some carriers send these for a
caller who is withheld. None of them is a number that exists."""

_OTHER_NATIONAL_PREFIXES: Final = ("+11", "+78", "+375", "+692", "+993")
"""Where a number may begin with a national prefix that has no 0: 1 (North America, Marshall Islands), 8 (Russia,
Belarus, Turkmenistan)."""

_HEADER_LIMIT: Final = 4096
"""Characters of a Diversion header that are looked at, from its end; at most _DIVERSIONS of its values."""
_DIVERSIONS: Final = 8
_DIGITS_LIMIT: Final = 32
DID_LIMIT: Final = 40
"""Characters of what was dialled that are kept, where it is no number."""


def find_did(config: Config, inbound: Inbound) -> Did:
    """The number that was dialled, from the sources that the trunk's `did_from` names, best first.

    The first source that gives a configured DID wins; else the first that reads as a number; else the first
    that says anything, made safe to show; else `unknown`. The trunk is the one whose endpoint the call came
    in on, else the first. Asterisk's extension `s` is its word for "none was sent".

    Diversion (RFC 5806) has one value for each time the call was sent on, the latest first: each forwarder
    puts its own on top. We want the number on the flyer, the one the caller dialled, so the values are tried
    from the last (the original target, History-Info's first entry in the mapping of RFC 7544) to the first. A
    caller who dialled somebody that forwards to a campaign's number is found on the way, as only a configured
    DID wins at once. A forged value can pick another campaign, and nothing more.
    """
    readable: Did | None = None
    anything: Did | None = None
    for source in trunk_of(config, inbound).did_from:
        for text in _texts(source, inbound):
            if text in config.by_number:
                return Did(text, source)
            number = _read(text, config.country)
            if number in config.by_number:
                return Did(number, source)
            if number and readable is None:
                readable = Did(number, source)
            if anything is None and (shown := safe_text(text, DID_LIMIT)):
                anything = Did(shown, source)
    return readable or anything or Did(UNKNOWN_DID, "none")


def find_caller(config: Config, inbound: Inbound) -> Caller:
    """Who rings: the number in E.164 where it can be read, else its digits (at most 32), None when withheld.

    Withheld: the presentation says so; the name is `Anonymous`, `Private`, `Restricted` or `Withheld`
    (`Unknown` and `Unavailable` as a name mean that a name look-up failed, and hide nobody); or what stands
    for the number is none that could be called back: `anonymous`, `unavailable` or any other word, nothing,
    zeros only, or a word spelt on the keypad as some carriers send it. The name of a withheld caller is
    dropped too.
    """
    if inbound.withheld or inbound.caller_name.strip().casefold() in _NAMES_WITHHELD:
        return Caller(None)
    number = _caller_number(inbound.caller_number, config.country)
    return Caller(number, safe_text(inbound.caller_name)) if number else Caller(None)


def trunk_of(config: Config, inbound: Inbound) -> Trunk:
    """The trunk whose endpoint the call came in on, else the first."""
    trunks = config.trunks.values()
    for trunk in trunks:
        if trunk.endpoint == inbound.endpoint:
            return trunk
    return next(iter(trunks))


def _texts(source: str, inbound: Inbound) -> Iterator[str]:
    """What a source says: the user part of each of its values, the one to be believed most first."""
    if source == "exten":
        values = [inbound.exten] if inbound.exten != "s" else []
    elif source == "diversion":
        values = _split_header(inbound.headers.get(source, "")[-_HEADER_LIMIT:])[: -_DIVERSIONS - 1 : -1]
    else:
        values = [inbound.headers.get(source, "")]
    for value in values:
        text = value.strip()
        if E164.fullmatch(text):
            yield text
        elif text:
            yield header_number(text)


def _split_header(value: str) -> list[str]:
    """The values of a header that lists several (RFC 3261, 7.3.1): a comma counts outside "…" and <…>."""
    values, start, quoted, bracketed, escaped = [], 0, False, False, False
    for place, sign in enumerate(value):
        if escaped:
            escaped = False
        elif quoted:
            escaped = sign == "\\"
            quoted = sign != '"'
        elif sign == '"':
            quoted = True
        elif sign in "<>":
            bracketed = sign == "<"
        elif sign == "," and not bracketed:
            values.append(value[start:place])
            start = place + 1
    values.append(value[start:])
    return values


def _caller_number(text: str, country: str) -> str:
    """E.164, else digits (with their plus), else empty. See _is_plain_e164 for what is taken as it stands."""
    if _is_plain_e164(text):
        return text if text not in _NUMBERS_WITHHELD else ""
    text = header_number(text)
    if text in _NUMBERS_WITHHELD:
        return ""
    if number := _read(text, country):
        return number
    digits = "".join(filter(str.isdigit, text)) if _PHONE_CHARACTERS.fullmatch(text) else ""
    if not digits.strip("0"):
        return ""
    return ("+" if text[0] == "+" else "") + digits[:_DIGITS_LIMIT]


def _is_plain_e164(text: str) -> bool:
    """Whether a number can be taken without reading it by the world's number plans, which costs the most.

    What reading would mend is a national prefix left standing behind the country code (`+330612345678`). Nearly
    everywhere that prefix begins with 0, and a country code has one to three digits; the exceptions are read.
    """
    return (
        E164.fullmatch(text) is not None and "0" not in text[2:5] and not text.startswith(_OTHER_NATIONAL_PREFIXES)
    )


@lru_cache(maxsize=4096)
def _read(text: str, country: str) -> str:
    """`text` in E.164, empty when it is no number."""
    try:
        return read_number(text, country)
    except NumberError:
        return ""
