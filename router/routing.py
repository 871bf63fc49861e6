"""Whom a call rings: DID -> campaign -> hours -> people present -> plan. Pure; the engine, `explain`, the AGI
script and the generated dialplan all decide here.

What is dialled is built from campaigns.yaml alone: a number out of the call (its DID, its caller) picks the
campaign and may be shown on the mobile's screen, and goes nowhere else. Reasons name the key of
campaigns.yaml that decided, and never hold a caller's number or a salesperson's mobile.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from typing import Final

from router.errors import NumberError
from router.model import (
    Caller,
    Campaign,
    Config,
    Decision,
    Did,
    Inbound,
    Outcome,
    Plan,
    Reason,
    Route,
    Salesperson,
    Step,
    Strategy,
    Target,
    Trunk,
)
from router.numbers import header_number, read_number, safe_text
from router.schedule import is_absent, is_open

UNKNOWN_DID: Final = "unknown"

_E164: Final = re.compile(r"\+[1-9][0-9]{7,14}")
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
_DID_LIMIT: Final = 40


# --- The two numbers of a call ----------------------------------------------------------------------------


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
    for source in _trunk_of(config, inbound).did_from:
        for text in _texts(source, inbound):
            if text in config.by_number:
                return Did(text, source)
            number = _read(text, config.country)
            if number in config.by_number:
                return Did(number, source)
            if number and readable is None:
                readable = Did(number, source)
            if anything is None and (shown := safe_text(text, _DID_LIMIT)):
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


def _trunk_of(config: Config, inbound: Inbound) -> Trunk:
    trunks = config.trunks.values()
    return next((trunk for trunk in trunks if trunk.endpoint == inbound.endpoint), next(iter(trunks)))


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
        if _E164.fullmatch(text):
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
        _E164.fullmatch(text) is not None and "0" not in text[2:5] and not text.startswith(_OTHER_NATIONAL_PREFIXES)
    )


@lru_cache(maxsize=4096)
def _read(text: str, country: str) -> str:
    """`text` in E.164, empty when it is no number."""
    try:
        return read_number(text, country)
    except NumberError:
        return ""


# --- The decision -----------------------------------------------------------------------------------------


def decide(config: Config, inbound: Inbound, at: datetime) -> Decision:
    """What is done with a call that arrives at `at` (aware): whom to ring, or the outcome it ends with.

    `closed` outside opening hours; `unreachable` when nobody is left to ring: everybody is absent, or the
    only one left is the caller. Steps beyond `max_wait` stand in the plan: cutting the hunt is the call's own
    business.
    """
    did, caller = find_did(config, inbound), find_caller(config, inbound)
    campaign = config.by_number.get(did.number, config.unknown)
    key = "unknown_number" if campaign is config.unknown else f"campaigns.{campaign.id}"
    reasons = [
        Reason(f"asterisk.trunks.{_trunk_of(config, inbound).id}.did_from", f"{did.number}, from {did.source}"),
        Reason(key, "no campaign owns this number" if campaign is config.unknown else campaign.name),
    ]
    if not _opens(config, campaign, key, at, reasons):
        return Decision(campaign.id, did, caller, None, Outcome.CLOSED, tuple(reasons))
    people = _present(config, campaign, caller, at, reasons)
    if not people:
        reasons.append(Reason(f"{key}.ring.to", "nobody is left to ring"))
        return Decision(campaign.id, did, caller, None, Outcome.UNREACHABLE, tuple(reasons))
    shown = _caller_id(config, campaign.caller_id, did, caller, key, reasons)
    targets = tuple(Target(person.id, person.name, _routes(config, person.mobile, shown)) for person in people)
    plan = _plan(campaign, targets, key, reasons)
    return Decision(campaign.id, did, caller, plan, None, tuple(reasons))


def _opens(config: Config, campaign: Campaign, key: str, at: datetime, reasons: list[Reason]) -> bool:
    if campaign.hours is None:
        reasons.append(Reason(f"{key}.hours", "always open"))
        return True
    opened, reason = is_open(config.hours[campaign.hours], at)
    reasons.append(reason)
    return opened


def _present(
    config: Config, campaign: Campaign, caller: Caller, at: datetime, reasons: list[Reason]
) -> list[Salesperson]:
    """The people to ring, in order, without whoever calls from his own mobile: that phone is busy calling us."""
    people = []
    for id in campaign.ring.to:
        person = config.salespeople[id]
        if is_absent(person, at):
            reasons.append(Reason(f"salespeople.{id}.absent", f"{person.name} is absent"))
        elif person.mobile == caller.number:
            reasons.append(Reason(f"salespeople.{id}.mobile", f"{person.name} is the caller, and not rung"))
        else:
            people.append(person)
    return people


def _caller_id(config: Config, rule: str, did: Did, caller: Caller, key: str, reasons: list[Reason]) -> str:
    """What the mobiles show: E.164, or empty for anonymous.

    `did`: the campaign's number that was dialled. A DID that no campaign owns is shown as the first
    configured number and never as it came: whoever sends the INVITE could choose it, and a carrier refuses a
    number that is not the company's, while an anonymous call is one that many mobiles silence. `caller`: the
    caller's own number; anonymous when withheld, as `did` when it is not a full number.
    """
    owned = did.number in config.by_number
    ours = did.number if owned else next(iter(config.by_number), "")
    if rule == "did":
        shown, text = ours, "the number dialled" if owned else "the first of our numbers"
    elif rule == "anonymous":
        shown, text = "", "anonymous"
    elif rule != "caller":
        shown, text = rule, f"always {rule}"
    elif caller.number is None:
        shown, text = "", "the caller's, who is withheld: anonymous"
    elif _E164.fullmatch(caller.number):
        shown, text = caller.number, "the caller's"
    else:
        shown, text = ours, "the caller's is no full number: ours"
    reasons.append(Reason(f"{key}.caller_id", text))
    return shown


def _plan(campaign: Campaign, targets: tuple[Target, ...], key: str, reasons: list[Reason]) -> Plan:
    ring = campaign.ring
    if ring.strategy is Strategy.ALL:
        steps: tuple[Step, ...] = (Step(targets, ring.timeout),)
        text = f"everybody at once for {ring.timeout:g} s"
    else:
        steps = tuple(Step((target,), ring.timeout) for target in targets)
        text = f"one after the other, {ring.timeout:g} s each"
    reasons.append(Reason(f"{key}.ring", f"{text}; {ring.max_wait:g} s in all"))
    return Plan(steps, ring.max_wait, campaign.accept)


def _routes(config: Config, mobile: str, shown: str) -> tuple[Route, ...]:
    """One way over each trunk, in the order of the file."""
    return tuple(
        Route(trunk.id, trunk.dial.replace("{number}", _dialled(mobile, trunk, config.country)), shown)
        for trunk in config.trunks.values()
    )


def _dialled(mobile: str, trunk: Trunk, country: str) -> str:
    if trunk.number_format == "e164":
        return mobile
    if trunk.number_format == "plain":
        return mobile.removeprefix("+")
    return _national(mobile, country)


@lru_cache(maxsize=4096)
def _national(mobile: str, country: str) -> str:
    """The digits dialled inside `country`: `0612345678`, and `0032470123456` for a number abroad."""
    import phonenumbers  # imported here: it costs, and only trunks that dial nationally need it

    number = phonenumbers.parse(mobile)
    dialled = phonenumbers.format_out_of_country_calling_number(number, country)
    return str(phonenumbers.normalize_digits_only(dialled))
