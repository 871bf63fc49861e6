"""Telephone numbers: read, judged, shown and hidden. Pure; phonenumbers is imported on first use, it costs.

No message in here repeats the number: it may be a caller's, and messages end in logs.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from router.errors import NumberError

if TYPE_CHECKING:
    from phonenumbers import PhoneNumber

LONGEST_TEXT: Final = 256
"""A text longer than this is no number: E.164 has 15 digits, the rest leaves room for a URI around them."""
LONGEST_HEADER: Final = 16_384
"""What is read of a SIP header; names of 10 kB have been seen in front of the address."""

_SPACES = " \t\u00a0\u2007\u2009\u202f"
_DASHES = "-\u2010\u2011\u2012\u2013\u2014\u2212"
_SHAPE = re.compile(rf"\(?(\+?)([{_DASHES}{_SPACES}0-9()./]+)", re.ASCII)
_NOT_DIGITS = re.compile(r"[^0-9]+", re.ASCII)
_SCHEME = re.compile(r"(sips?|tel):", re.IGNORECASE)
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*+("?)', re.DOTALL)
"""A quoted name, or a quote that nobody closes and all that follows it. Each character is looked at once: a header
full of quotes would hold up every call otherwise."""
_HIDDEN = "•"

_COSTLY_NETWORKS: Final = {870: "Inmarsat", 881: "satellite", 882: "global network", 883: "global network"}
"""ITU-T E.164 assigned codes that belong to no country and cost several euros a minute."""


def read_number(text: str, country: str) -> str:
    """`text` as E.164, `+33612345678`; `country` is two letters and reads what has no country code.

    Reads +33…, 0033…, 33…, 0…, "(0)", spaces, dots, dashes, and the user part of tel: and sip: URIs. The
    length must be one that the country uses; whether the range is in use is not asked (see `in_use`).
    Raises NumberError.
    """
    return _e164(_parse(text, country))


def dialable(text: str, country: str) -> str:
    """`read_number` for somebody whom we ring. Raises NumberError for what must never be dialled:
    emergency and short codes, premium, shared-cost, personal and satellite numbers, ranges not in use."""
    from phonenumbers import is_valid_number

    number = _harmless(text, country)
    if not is_valid_number(number):
        raise NumberError("is in no range that is in use")
    return _e164(number)


def never_dialled(text: str, country: str) -> str:
    """Why nobody should call this back, '' where nothing speaks against it: premium and the like, as `dialable`
    refuses, or no number at all. A range that is not known to be in use is no reason: new ones come up."""
    try:
        _harmless(text, country)
    except NumberError as error:
        return str(error)
    return ""


def in_use(number: str) -> bool:
    """Whether an E.164 number lies in a range known to be in use. New ranges may not be known yet."""
    import phonenumbers

    try:
        return bool(phonenumbers.is_valid_number(phonenumbers.parse(number, None)))
    except phonenumbers.NumberParseException:
        return False


def header_number(value: str) -> str:
    """The user part of a SIP header or URI as bare text, '' when there is none. Never raises.

    The first address counts where there are several; the display name, parameters, a password and what
    follows the first 16,384 characters are left out. What comes back is as foreign as what went in.
    """
    text = _QUOTED.sub(lambda found: "" if found[1] else found[0], value[:LONGEST_HEADER]).strip()
    bracketed = "<" in text
    text = text.partition("<")[2].partition(">")[0] if bracketed else text.partition(",")[0]
    text = text.strip()
    scheme = _SCHEME.match(text)
    if scheme:
        text = text[scheme.end() :]
        if scheme[1].lower() != "tel" and "@" not in text:
            return ""
    user = text.partition("@")[0].partition(";")[0].partition("?")[0].partition(":")[0]
    return safe_text(unquote(user), limit=LONGEST_TEXT)


def display(number: str, country: str) -> str:
    """For people to read: `+33 6 12 34 56 78`. What is no number comes back as safe text."""
    import phonenumbers

    try:
        parsed = _parse(number, country)
    except NumberError:
        return safe_text(number)
    return str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL))


def masked(number: str) -> str:
    """`+33 • •• •• •• 78`: the country code and the last two digits, for those who may not see the rest."""
    shown = display(number, "")
    code, space, rest = shown.partition(" ")
    if not (space and code.startswith("+")):
        code, rest = "", shown
    digits = sum(char.isdigit() for char in rest)
    kept = 2 if digits >= 6 else 0
    out = []
    for char in rest:
        if char.isdigit():
            out.append(char if digits <= kept else _HIDDEN)
            digits -= 1
        else:
            out.append(char if char in " -" else _HIDDEN)
    return " ".join(part for part in (code, "".join(out)) if part)


def safe_text(text: str, limit: int = 80) -> str:
    """`text` on one line, without control characters, escapes, bidi overrides and invisible characters;
    runs of spaces become one; at most `limit` characters, the last one `…` when something was cut."""
    kept = []
    for char in text[: limit * 8]:
        kind = unicodedata.category(char)
        if kind in ("Cc", "Zl", "Zp", "Zs"):
            kept.append(" " if char.isspace() else "")
        elif kind not in ("Cf", "Cs", "Co", "Cn"):
            kept.append(char)
    line = " ".join("".join(kept).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _digits(text: str) -> tuple[bool, str]:
    """Whether it begins with a plus, and its digits. The shape comes first: a parser guesses (`+1555ABC`)."""
    if len(text) > LONGEST_TEXT:
        raise NumberError("is far too long for a telephone number")
    bare = header_number(text) if any(char in text for char in "<@;:%") else text.strip()
    if not bare:
        raise NumberError("has no number in it")
    shape = _SHAPE.fullmatch(bare)
    digits = _NOT_DIGITS.sub("", shape[2]) if shape else ""
    if not shape or not digits:
        raise NumberError(
            "is no telephone number: only digits, +, spaces, dots, dashes and brackets may stand in it"
        )
    return bool(shape[1]), digits


def _parse(text: str, country: str) -> PhoneNumber:
    """The one reading of `text`: the first candidate that is in use, else the first of a possible length."""
    import phonenumbers

    plus, digits = _digits(text)
    possible: PhoneNumber | None = None
    for candidate, region, a_guess in _candidates(plus, digits, country):
        try:
            number = phonenumbers.parse(candidate, region)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_possible_number_with_reason(number) != phonenumbers.ValidationResult.IS_POSSIBLE:
            continue
        # A zero that the parser could not strip is a national prefix in front of something too short.
        sure = plus and not number.italian_leading_zero
        if sure or phonenumbers.is_valid_number(number):
            return number
        if possible is None and not a_guess and not number.italian_leading_zero:
            possible = number
    if possible is None:
        raise NumberError("has not the length of a telephone number" if plus else _mend(country))
    return possible


def _candidates(plus: bool, digits: str, country: str) -> list[tuple[str, str | None, bool]]:
    """(text, country to read it in, whether it is only a guess), the likeliest first."""
    if plus:
        return [("+" + digits, None, False)]
    found: list[tuple[str, str | None, bool]] = [(digits, country, False)] if country else []
    if digits.startswith("00"):
        found.append(("+" + digits[2:], None, False))
    found.append(("+" + digits, None, True))
    return found


def _mend(country: str) -> str:
    return f"is no telephone number of {country}" if country else "has no country code"


def _refuse_short(text: str, country: str) -> None:
    """Emergency and short codes, with the country's code in front too: `112`, `3615`, `+33112`."""
    from phonenumbers import PhoneNumber, country_code_for_region, is_emergency_number, is_valid_short_number

    plus, digits = _digits(text)
    code = country_code_for_region(country)
    for prefix in (str(code), "00" + str(code)):
        if code and len(digits) <= len(prefix) + 6 and digits.startswith(prefix) and (plus or prefix != str(code)):
            digits = digits.removeprefix(prefix)
            break
    if len(digits) > 6:
        return
    if is_emergency_number(digits, country):
        raise NumberError("is an emergency number, which is never dialled")
    if is_valid_short_number(PhoneNumber(country_code=code, national_number=int(digits))):
        raise NumberError("is a short number, which is never dialled")


def _harmless(text: str, country: str) -> PhoneNumber:
    """The number, unless dialling it may alarm somebody or cost a fortune. Raises NumberError."""
    from phonenumbers import PhoneNumberType, number_type

    _refuse_short(text, country)
    number = _parse(text, country)
    if number.country_code in _COSTLY_NETWORKS:
        raise NumberError(f"is a {_COSTLY_NETWORKS[number.country_code]} number, which is never dialled")
    refused = {
        PhoneNumberType.PREMIUM_RATE: "premium-rate",
        PhoneNumberType.SHARED_COST: "shared-cost",
        PhoneNumberType.PERSONAL_NUMBER: "personal (forwarding)",
        PhoneNumberType.PAGER: "pager",
        PhoneNumberType.VOICEMAIL: "voicemail",
    }
    kind = number_type(number)
    if kind in refused:
        raise NumberError(f"is a {refused[kind]} number, which is never dialled")
    return number


def _e164(number: PhoneNumber) -> str:
    from phonenumbers import PhoneNumberFormat, format_number

    return str(format_number(number, PhoneNumberFormat.E164))
