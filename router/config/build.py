"""campaigns.yaml -> Config, or every problem of the file at once."""

from __future__ import annotations

import gc
import hashlib
import os
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from types import MappingProxyType
from typing import Final, TypedDict

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from router.config import source, week
from router.config.agreement import disagreements
from router.config.fields import ALWAYS, Names
from router.config.keys import chosen
from router.config.overflow import NO_OVERFLOW, overflow
from router.config.passwords import password
from router.config.pins import pins
from router.config.refusal import MOST_FOUND, Places, TooMany, few_mistakes, problem, said
from router.config.ringing import ring, times_of
from router.config.screening import screening
from router.config.shape import (
    KNOWN_KEYS,
    NO_CALLBACK,
    CallbackKeys,
    CampaignKeys,
    DefaultsKeys,
    FileKeys,
    PersonKeys,
    TrunkKeys,
    UnknownKeys,
)
from router.config.sounds import NO_SOUND
from router.config.source import Items, Map, Text
from router.errors import ConfigError, Problem
from router.model import (
    Accept,
    Ami,
    Ari,
    CallbackPolicy,
    Campaign,
    Config,
    Cost,
    Overflow,
    Ring,
    Salesperson,
    Secret,
    Sound,
    Trunk,
)
from router.numbers import safe_text

ACCEPT_TIMEOUT: Final = 15.0
DUE: Final = 15 * 60.0
RETRIES: Final = (10 * 60.0, 3600.0, 4 * 3600.0)
EXPIRE: Final = 5 * 86400.0

UNKNOWN: Final = "unknown"
"""The id of the campaign that stands for unknown_number."""
MOST_SHOWN: Final = source.MOST_PROBLEMS
MOST_TEXT: Final = 500
"""Characters of a key's path, of what is wrong, and of a mend."""


def load(path: str, environ: Mapping[str, str] | None, today: date) -> Config:
    """Reads and checks the file; without `environ` no password is looked for.

    Raises ConfigError with every problem, in the order of the file.
    """
    try:
        data = source.read_bytes(path)
        with _collector_paused():
            return _load(path, data, environ, today)
    except source.Unreadable as error:
        raise ConfigError(path, (_harmless(error.problem),)) from None


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Half of the time of a large file goes into looking for garbage among what has just been read."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _load(path: str, data: bytes, environ: Mapping[str, str] | None, today: date) -> Config:
    root, problems = source.read_tree(source.decode(data))
    file = os.path.abspath(path)
    folder = os.path.dirname(file)
    names = _names(root, today, folder)
    places = Places(root)
    keys: FileKeys | None = None
    hidden = 0
    try:
        keys = few_mistakes(lambda: FileKeys.model_validate(root, context=names))
    except TooMany:
        raise _no_configuration() from None
    except ValidationError as error:
        if error.error_count() > MOST_FOUND:
            raise _no_configuration() from None
        found = error.errors(include_url=False, include_input=False)
        problems.extend(problem(one, places, KNOWN_KEYS) for one in found[:MOST_SHOWN])
        hidden = max(0, len(found) - MOST_SHOWN)
    problems.extend(disagreements(root, names))
    secrets = _secrets(root, places, folder, environ, problems)
    pins = _pins(root, names, environ, problems)
    if problems or keys is None:
        ordered = sorted(problems, key=lambda one: (one.line, one.column))
        raise ConfigError(path, tuple(_first(ordered, hidden)))
    version = hashlib.sha256(data).hexdigest()[:12]
    return _config(keys, names, file, version, secrets, pins)


def _no_configuration() -> source.Unreadable:
    wrong = f"has more than {MOST_FOUND} mistakes, which is no configuration"
    return source.Unreadable(wrong, "write it as in the example")


def _first(problems: list[Problem], hidden: int) -> list[Problem]:
    """At most as many as anybody reads, and how many more there are; `hidden` are not in the list."""
    more = hidden + max(0, len(problems) - MOST_SHOWN)
    rest = [Problem(0, 0, "", f"{more} more problems", "mend these first")] if more else []
    return [_harmless(one) for one in problems[:MOST_SHOWN]] + rest


def _harmless(problem: Problem) -> Problem:
    """Without what a terminal might obey: names and values of the file are quoted in it."""
    path, wrong, mend = (safe_text(text, MOST_TEXT) for text in (problem.path, problem.wrong, problem.mend))
    return Problem(problem.line, problem.column, path, wrong, mend)


def _names(root: Map, today: date, folder: str) -> Names:
    """What values may refer to, as the file defines it, its own mistakes included: one error, not ten."""
    from phonenumbers import SUPPORTED_REGIONS

    company = root.get("company")
    country = company.get("country") if isinstance(company, Map) else None
    known = isinstance(country, Text) and country in SUPPORTED_REGIONS
    return Names(
        country=str(country) if known else "",
        today=today,
        people=_defined(root, "salespeople"),
        hours=_defined(root, "hours"),
        folder=folder,
    )


def _defined(root: Map, section: str) -> frozenset[str]:
    found = root.get(section)
    return frozenset(str(key) for key in found) if isinstance(found, Map) else frozenset()


def _secrets(
    root: Map, places: Places, folder: str, environ: Mapping[str, str] | None, problems: list[Problem]
) -> dict[str, Secret]:
    """The passwords of `ari` and `ami`, as far as they are configured; what is wrong goes to `problems`."""
    if environ is None:
        return {"ari": Secret(""), "ami": Secret("")}
    found = {}
    for name in ("ari", "ami"):
        keys = places.value(("asterisk", name))
        asterisk = root.get("asterisk")
        if not isinstance(asterisk, Map) or not isinstance(keys, Map) or asterisk.get(name) is not keys:
            continue
        file = keys.get("password_file")
        where = f"asterisk.{name}.password_file"
        if isinstance(file, Map | Items) or any(one.path == where for one in problems):
            continue  # The shape of it is wrong, which is said already.
        try:
            found[name] = password(f"CALLROUTER_{name.upper()}_PASSWORD", file, folder, environ)
        except PydanticCustomError as error:
            place = file if file is not None else keys
            problems.append(Problem(place.line, place.column, where, *said(error)))
    return found


def _pins(
    root: Map, names: Names, environ: Mapping[str, str] | None, problems: list[Problem]
) -> Mapping[str, Secret]:
    """The PINs, where a file is named; what is wrong goes to `problems`."""
    file = root.get("pins_file")
    if environ is None or not isinstance(file, Text) or any(one.path == "pins_file" for one in problems):
        return {}
    try:
        return pins(file, names.folder, names.people)
    except PydanticCustomError as error:
        problems.append(Problem(file.line, file.column, "pins_file", *said(error)))
        return {}


def _config(
    keys: FileKeys,
    names: Names,
    file: str,
    version: str,
    secrets: Mapping[str, Secret],
    pins: Mapping[str, Secret],
) -> Config:
    company, asterisk = keys.company, keys.asterisk
    ari, ami = asterisk.ari, asterisk.ami
    campaigns = {name: _campaign(name, one, keys.defaults) for name, one in keys.campaigns.items()}
    hours = {
        name: week.hours(name, one, company.country, company.timezone, names.today)
        for name, one in keys.hours.items()
    }
    people = {name: _person(name, one, company.timezone) for name, one in keys.salespeople.items()}
    return Config(
        version=version,
        file=file,
        country=company.country,
        timezone=company.timezone,
        language=company.language,
        node=keys.node or _host(),
        database=_beside(file, keys.database),
        ari=Ari(ari.url, ari.username, ari.app, ari.transport),
        ari_password=secrets["ari"],
        ami=Ami(ami.host, ami.port, ami.username) if ami else None,
        ami_password=secrets.get("ami"),
        trunks=MappingProxyType({name: _trunk(name, one) for name, one in asterisk.trunks.items()}),
        hours=MappingProxyType(hours),
        salespeople=MappingProxyType(people),
        campaigns=MappingProxyType(campaigns),
        unknown=_unknown(keys.unknown_number, keys.defaults),
        by_number=MappingProxyType(
            {number: campaign for campaign in campaigns.values() for number in campaign.numbers}
        ),
        screening=screening(keys.screening, times_of(keys.defaults.ring)),
        speech=keys.speech.speech(),
        health=keys.health.health() if keys.health else None,
        dialplan=_beside(file, asterisk.dialplan) if asterisk.dialplan else "",
        pins=MappingProxyType(dict(pins)),
    )


def _beside(file: str, path: str) -> str:
    """A path of the file, absolute: relative ones begin where it lies."""
    return os.path.join(os.path.dirname(file), os.path.expanduser(path))


def _host() -> str:
    """The machine's name, with only what an id may hold."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", socket.gethostname().partition(".")[0])[:64] or "callrouter"


def _trunk(name: str, keys: TrunkKeys) -> Trunk:
    return Trunk(
        id=name,
        dial=keys.dial,
        endpoint=keys.endpoint_name(),
        identity=keys.identity,
        did_from=keys.did_from,
        number_format=keys.number_format,
        caller_id=keys.caller_id or "",
        asserts=keys.asserts,
        diversion=keys.diversion,
        max_calls=keys.max_calls,
    )


def _person(name: str, keys: PersonKeys, timezone: str) -> Salesperson:
    return Salesperson(
        id=name,
        name=keys.name or name,
        mobile=keys.mobile,
        timezone=keys.timezone or timezone,
        absent=keys.absent,
        max_calls=keys.max_calls,
        accept=keys.accept,
        voicemail_after=keys.voicemail_after,
    )


def _campaign(name: str, keys: CampaignKeys, defaults: DefaultsKeys) -> Campaign:
    kept = _kept(keys, defaults, keys.hours or defaults.hours or ALWAYS)
    cost = tuple(Cost(one.amount[0], one.amount[1], one.first, one.last) for one in keys.cost)
    return Campaign(id=name, name=keys.name or name, medium=keys.medium, numbers=keys.numbers, cost=cost, **kept)


def _unknown(keys: UnknownKeys, defaults: DefaultsKeys) -> Campaign:
    """`unknown_number`: always open unless it names hours itself; the rest as for any campaign."""
    kept = _kept(keys, defaults, keys.hours or ALWAYS)
    return Campaign(id=UNKNOWN, name=keys.name or "Unknown number", medium="", numbers=(), **kept)


class _Kept(TypedDict):
    """What campaigns and unknown_number share with the defaults."""

    hours: str | None
    accept: Accept
    accept_timeout: float
    whisper: Sound | None
    caller_id: str
    ring: Ring
    overflow: Overflow | None
    closed: Overflow | None
    callback: CallbackPolicy | None


def _kept(own: DefaultsKeys, defaults: DefaultsKeys, hours: str) -> _Kept:
    whisper = chosen(own.whisper, defaults.whisper, NO_SOUND)
    times = times_of(defaults.ring)
    return {
        "hours": None if hours == ALWAYS else hours,
        "accept": own.accept or defaults.accept or Accept.PRESS_1,
        "accept_timeout": own.accept_timeout or defaults.accept_timeout or ACCEPT_TIMEOUT,
        "whisper": whisper.sound() if whisper else None,
        "caller_id": own.caller_id or defaults.caller_id or "did",
        "ring": ring(own.ring, defaults.ring),
        "overflow": overflow(chosen(own.overflow, defaults.overflow, NO_OVERFLOW), times),
        "closed": overflow(chosen(own.closed, defaults.closed, NO_OVERFLOW), times),
        "callback": _callback(own.callback, defaults.callback),
    }


def _callback(own: CallbackKeys | None, defaults: CallbackKeys | None) -> CallbackPolicy | None:
    if own is NO_CALLBACK or (own is None and defaults is NO_CALLBACK):
        return None
    given = [keys for keys in (own, defaults) if keys is not None and keys is not NO_CALLBACK]
    due = next((keys.due for keys in given if keys.due is not None), DUE)
    retries = next((keys.retries for keys in given if keys.retries is not None), RETRIES)
    expire = next((keys.expire for keys in given if keys.expire is not None), EXPIRE)
    return CallbackPolicy(due, retries, expire)
