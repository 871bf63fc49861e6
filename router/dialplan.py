"""The third line of defence: campaigns.yaml as a dialplan that routes calls with nothing but Asterisk. Pure.

What is the same everywhere stands in asterisk_conf/extensions.conf; here the data are made that it works on: one
context per campaign, person and set of hours, and one line per number. Only ids, numbers and dial strings get into
it, never a name: those have a fixed alphabet, which is checked again before they are written.

Hours come from router.schedule itself: it is asked about each of the coming days, so that the dialplan cannot
disagree with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo

from router.errors import RouterError
from router.model import Campaign, Config, Hours, Inbound, Salesperson, Strategy, Trunk
from router.routing import decide
from router.schedule import is_open

FILE: Final = "callrouter-extensions.conf"
CONTEXT: Final = "callrouter"
HANDOVER: Final = ("callrouter-fallback", "s", 1)
"""Context, extension and priority to which the router continues a call that it wants the fallback to take."""
VERSION_VARIABLE: Final = "CALLROUTER_DIALPLAN"
"""Global variable that holds the version of the configuration that the loaded dialplan was made from."""
MADE_VARIABLE: Final = "CALLROUTER_DIALPLAN_MADE"
"""Global variable that holds the day it was made (YYYYMMDD)."""

HORIZON_DAYS: Final = 400
"""Days for which holidays and special days are written out; after them the plain week applies."""
DEAD_MAN_MARGIN: Final = 15.0
"""Seconds by which the dead man's timer is longer than the longest hunt."""
DIVERSIONS: Final = 5
"""Diversion headers that are read: each forwarder adds one."""
LONGEST_HEADER: Final = 512
"""Characters of a header that are handed on; of Diversion's values together, LONGEST_DIVERSION. What URIENCODE
makes of one (three times as long at most) must fit Asterisk's 4,096 characters for a function's value."""
LONGEST_DIVERSION: Final = 1200

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", re.ASCII)
_DIAL = re.compile(r"[A-Za-z][A-Za-z0-9_]*/[A-Za-z0-9_.:@+/-]+", re.ASCII)
_NUMBER = re.compile(r"\+[1-9][0-9]{4,14}", re.ASCII)
_HEADER = re.compile(r"[a-z][a-z0-9-]{0,62}", re.ASCII)
_ENDPOINT = re.compile(r"[A-Za-z0-9_.@+-]{1,79}", re.ASCII)
_ZONE = re.compile(r"[A-Za-z0-9_+/-]{1,64}", re.ASCII)
_PATH = re.compile(r"/[^\x00-\x1f\x7f-\x9f,;=()\[\]{}$\"'\\|]*")
_WORD = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = timedelta(days=1)

_NOBODY: Final = Inbound("", "", MappingProxyType({}), "", "", withheld=True)

Spans = tuple[tuple[int, int], ...]
"""Open minutes of one local day: from the first, up to and without the second."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where things stand on the Asterisk machine: absolute paths."""

    agi: str
    """The launcher of agi_scripts/route.py."""
    spool: str
    """The folder for the third line's records (router.store.fallback.folder)."""


def generate(config: Config, static: str, places: Places, at: datetime, *, dead_man: float | None = None) -> str:
    """The whole dialplan: `static` is the text of asterisk_conf/extensions.conf, `at` (aware) the first day.

    `dead_man` seconds is how long a channel whose router died waits before the fallback takes it; by default a
    little longer than the longest hunt. Raises RouterError for a path or a name that cannot stand in a dialplan.
    """
    longest = max(campaign.ring.max_wait for campaign in (*config.campaigns.values(), config.unknown))
    lines = [
        f"; Made by `callrouter asterisk conf` from configuration {_checked(_WORD, config.version)}:",
        "; edit campaigns.yaml and make it again, do not edit this.",
        *_globals(config, places, at, dead_man or longest + DEAD_MAN_MARGIN),
        "",
        *static.splitlines(),
        "",
        "; --- From here on: campaigns.yaml -----------------------------------------------------------------",
        *_headers(config),
        *_did(config),
        *_numbers(config),
        *_campaigns(config),
        *_people(config, at),
    ]
    for index, hours in enumerate(config.hours.values(), 1):
        lines += _hours(hours, index, at)
    return "\n".join(lines) + "\n"


def _checked(shape: re.Pattern[str], text: str) -> str:
    """`text` when it is harmless in a dialplan. Raises RouterError: nothing is ever quoted or repaired."""
    if not shape.fullmatch(text):
        raise RouterError(
            f"{text!r} cannot stand in Asterisk's dialplan; write it without signs that Asterisk reads"
        )
    return text


def _globals(config: Config, places: Places, at: datetime, dead_man: float) -> Iterator[str]:
    from phonenumbers import country_code_for_region, ndd_prefix_for_region

    ours = next(iter(config.by_number), "")
    yield "[globals]"
    yield f"{VERSION_VARIABLE}={_checked(_WORD, config.version)}"
    yield f"{MADE_VARIABLE}={at:%Y%m%d}"
    yield f"CALLROUTER_APP={_checked(_WORD, config.ari.app)}"
    yield f"CALLROUTER_AGI={_checked(_PATH, places.agi)}"
    yield f"CALLROUTER_SPOOL={_checked(_PATH, places.spool)}"
    yield f"CALLROUTER_DEAD_MAN={dead_man:.0f}"
    yield f"CALLROUTER_COUNTRY={country_code_for_region(config.country)}"
    yield f"CALLROUTER_PREFIX={ndd_prefix_for_region(config.country, True) or ''}"
    yield f"CALLROUTER_OURS={_checked(_NUMBER, ours) if ours else ''}"
    yield f"CALLROUTER_ALL_TRUNKS={'&'.join(_checked(_ID, id) for id in config.trunks)}"


# --- The number that was dialled --------------------------------------------------------------------------


def header_sources(config: Config) -> tuple[str, ...]:
    """The headers that some trunk's `did_from` names, lower case, each once."""
    sources = (source for trunk in config.trunks.values() for source in trunk.did_from if source != "exten")
    return tuple(dict.fromkeys(_checked(_HEADER, source) for source in sources))


def _headers(config: Config) -> Iterator[str]:
    """Reads them; as `,name=value` in CALLROUTER_HEADERS they become arguments of Stasis().

    Not when every trunk looks at the extension first and that is one of our numbers: it decides, whatever the
    headers say.
    """
    headers = header_sources(config)
    yield from ("", "[callrouter-headers]", "exten => s,1,Set(CALLROUTER_HEADERS=)")
    if headers and all(trunk.did_from[0] == "exten" for trunk in config.trunks.values()):
        yield " same => n,Set(CALLROUTER_TEXT=${CALLROUTER_EXTEN})"
        yield " same => n,Gosub(callrouter-lookup,s,1)"
        yield ' same => n,GotoIf($["${CALLROUTER_FOUND}" != ""]?done)'
    for index, header in enumerate(headers, 1):
        yield from _header(index, header)
    yield " same => n(done),Return()"


def _header(index: int, header: str) -> Iterator[str]:
    """Its length is all that may be compared: a quote in it would end the expression's text."""
    name = f"CALLROUTER_H_{index}"
    yield f" same => n,Set({name}=${{PJSIP_HEADER(read,{header})}})"
    yield f" same => n,GotoIf($[${{LEN(${{{name}}})}} = 0]?without{index})"
    if header == "diversion":
        for nth in range(2, DIVERSIONS + 1):
            yield f" same => n,Set(LOCAL(more)=${{PJSIP_HEADER(read,{header},{nth})}})"
            yield f" same => n,GotoIf($[${{LEN(${{more}})}} = 0]?with{index})"
            yield f" same => n,Set({name}=${{{name}}},${{more}})"
    longest = LONGEST_DIVERSION if header == "diversion" else LONGEST_HEADER
    value = f"${{URIENCODE(${{{name}:0:{longest}}})}}"
    yield f" same => n(with{index}),Set(CALLROUTER_HEADERS=${{CALLROUTER_HEADERS}},{header}={value})"
    yield f" same => n(without{index}),NoOp()"


def _did(config: Config) -> Iterator[str]:
    """Tries the sources of the trunk on which the call came in; of the first trunk when that is unknown."""
    headers = header_sources(config)
    trunks = list(config.trunks.values())
    yield from ("", "[callrouter-did]")
    yield "exten => s,1,Set(LOCAL(endpoint)=${FILTER(0-9A-Za-z_.@+,${CALLROUTER_ENDPOINT})})"
    for index, trunk in enumerate(trunks):
        if index:
            name = _checked(_ENDPOINT, trunk.endpoint).replace("-", "")
            yield f' same => n,GotoIf($["${{endpoint}}" = "{name}"]?trunk{index})'
    for index, trunk in enumerate(trunks):
        yield from _sources(trunk, index, headers)
    yield " same => n(done),Return()"


def _sources(trunk: Trunk, index: int, headers: tuple[str, ...]) -> Iterator[str]:
    yield f" same => n(trunk{index}),NoOp({_checked(_ID, trunk.id)})"
    for source in trunk.did_from:
        if source == "exten":
            yield " same => n,Set(CALLROUTER_TEXT=${CALLROUTER_EXTEN})"
        else:
            yield f" same => n,Set(CALLROUTER_TEXT=${{CALLROUTER_H_{headers.index(source) + 1}}})"
            yield " same => n,Gosub(callrouter-user-part,s,1)"
        yield " same => n,Gosub(callrouter-lookup,s,1)"
        yield ' same => n,GotoIf($["${CALLROUTER_FOUND}" != ""]?done)'
    yield " same => n,Goto(done)"


def _numbers(config: Config) -> Iterator[str]:
    """One line a number, in a context for each pair of last digits.

    Asterisk keeps a context's extensions in one sorted list: 20,000 in one take 1.3 s to load and 100,000 over
    half a minute; 100,000 spread like this take 0.4 s (measured on 22.10).
    """
    context = {campaign.id: index for index, campaign in enumerate(config.campaigns.values(), 1)}
    shards: dict[str, list[str]] = {}
    for number, campaign in config.by_number.items():
        digits = _checked(_NUMBER, number)[1:]
        line = f"exten => {digits},1,Goto(callrouter-campaign-{context[campaign.id]},s,1)"
        shards.setdefault(digits[-2:], []).append(line)
    for shard in sorted(shards):
        yield from ("", f"[callrouter-numbers-{shard}]", *shards[shard])


# --- Campaigns and people ---------------------------------------------------------------------------------


def _campaigns(config: Config) -> Iterator[str]:
    hours = {id: index for index, id in enumerate(config.hours, 1)}
    people = {id: index for index, id in enumerate(config.salespeople, 1)}
    for index, campaign in enumerate(config.campaigns.values(), 1):
        yield from _campaign(f"callrouter-campaign-{index}", campaign, hours, people)
    yield from _campaign("callrouter-unknown", config.unknown, hours, people)


def _campaign(
    context: str, campaign: Campaign, hours: Mapping[str, int], people: Mapping[str, int]
) -> Iterator[str]:
    name, ring = _checked(_ID, campaign.id), campaign.ring
    shown = campaign.caller_id
    if shown not in ("did", "caller", "anonymous"):
        _checked(_NUMBER, shown)
    yield from ("", f"[{context}]", f"; {name}")
    yield f"exten => s,1,Gosub(callrouter-begin,s,1({name},{shown},{_seconds(ring.max_wait)}))"
    if campaign.hours is not None:
        yield f" same => n,Gosub(callrouter-hours-{hours[campaign.hours]},s,1)"
        yield ' same => n,GotoIf($["${GOSUB_RETVAL}" != "open"]?callrouter-closed,s,1)'
    for last, id in _with_last(ring.to):
        yield f" same => n,Gosub(callrouter-person-{people[id]},s,1)"
        if last or ring.strategy is not Strategy.ALL:
            yield f" same => n,Gosub(callrouter-step,s,1({_seconds(ring.timeout)}))"
    yield " same => n,Goto(callrouter-hunt,s,1)"


def _with_last(ids: tuple[str, ...]) -> Iterator[tuple[bool, str]]:
    return ((index == len(ids), id) for index, id in enumerate(ids, 1))


def _seconds(duration: float) -> int:
    """Whole seconds, as Dial() counts; never 0, which would ring for ever."""
    return max(1, round(duration))


def _people(config: Config, at: datetime) -> Iterator[str]:
    for index, person in enumerate(config.salespeople.values(), 1):
        yield from _person(config, person, index, at)


def _person(config: Config, person: Salesperson, index: int, at: datetime) -> Iterator[str]:
    """Adds the person to the step, unless he is absent or is the one who calls."""
    ways = ",".join(_checked(_DIAL, way) for way in _ways(config, person, at))
    yield from ("", f"[callrouter-person-{index}]", f"; {_checked(_ID, person.id)}")
    zone = _checked(_ZONE, person.timezone)
    yield f"exten => s,1,Set(LOCAL(today)=${{STRFTIME(${{EPOCH}},{zone},%Y%m%d)}})"
    for span in person.absent:
        between = f"${{today}} >= {span.first:%Y%m%d} & ${{today}} <= {span.last:%Y%m%d}"
        yield f" same => n,GotoIf($[{between}]?out)"
    tail = _checked(_NUMBER, person.mobile)[-9:]
    yield f' same => n,GotoIf($["${{CALLROUTER_CALLER:-9}}" = "{tail}"]?out)'
    yield f" same => n,Gosub(callrouter-add,s,1({person.id},{ways}))"
    yield " same => n(out),Return()"


def _ways(config: Config, person: Salesperson, at: datetime) -> tuple[str, ...]:
    """How the person is dialled over each trunk, as the router would: of a call that rings nobody else."""
    alone = replace(config.unknown, hours=None, ring=replace(config.unknown.ring, to=(person.id,)))
    people = {person.id: replace(person, absent=())}
    decision = decide(replace(config, salespeople=people, unknown=alone, by_number={}), _NOBODY, at)
    assert decision.plan is not None  # noqa: S101 - always open, somebody is there, and the caller is withheld
    return tuple(route.endpoint for route in decision.plan.steps[0].targets[0].routes)


# --- Hours ------------------------------------------------------------------------------------------------


def _hours(hours: Hours, index: int, at: datetime) -> Iterator[str]:
    """Returns `open` or `closed`: the week under `s`, each day that differs from it under its own date."""
    zone = _checked(_ZONE, hours.timezone)
    today = at.astimezone(ZoneInfo(zone)).date()
    context = f"callrouter-hours-{index}"
    week = _week(hours)
    yield from ("", f"[{context}]", f"; {_checked(_ID, hours.id)}")
    yield f"exten => s,1,Set(LOCAL(day)=${{STRFTIME(${{EPOCH}},{zone},%Y%m%d)}})"
    yield f" same => n,GotoIf(${{DIALPLAN_EXISTS({context},${{day}},1)}}?${{day}},1)"
    for spans, weekdays in _alike(week):
        yield from (f" same => n,GotoIfTime({each},{weekdays},*,*,{zone}?open)" for each in map(_times, spans))
    yield " same => n,Return(closed)"
    yield " same => n(open),Return(open)"
    for day in (today + _DAY * ahead for ahead in range(-1, HORIZON_DAYS)):
        spans = day_spans(hours, day)
        if spans != week[day.weekday()]:
            yield from _special(day, spans, zone)


def _special(day: date, spans: Spans, zone: str) -> Iterator[str]:
    tests = [f"GotoIfTime({_times(span)},*,*,*,{zone}?s,open)" for span in spans]
    first, *rest = [*tests, "Return(closed)"]
    yield f"exten => {day:%Y%m%d},1,{first}"
    yield from (f" same => n,{each}" for each in rest)


def _times(span: tuple[int, int]) -> str:
    """Asterisk counts the last minute in; ours end before it."""
    first, last = span[0], span[1] - 1
    return f"{first // 60:02}:{first % 60:02}-{last // 60:02}:{last % 60:02}"


def _week(hours: Hours) -> tuple[Spans, ...]:
    """The seven ordinary days, Monday first: any week without a holiday, a closed or a special day."""
    plain = replace(hours, holidays=MappingProxyType({}), closed=(), open=())
    monday = date(2024, 1, 1)
    return tuple(day_spans(plain, monday + _DAY * weekday) for weekday in range(7))


def _alike(week: tuple[Spans, ...]) -> list[tuple[Spans, str]]:
    """Weekdays with the same hours together: `mon&tue&wed`."""
    days: dict[Spans, list[str]] = {}
    for weekday, spans in zip(_WEEKDAYS, week, strict=True):
        days.setdefault(spans, []).append(weekday)
    return [(spans, "&".join(names)) for spans, names in days.items()]


def day_spans(hours: Hours, day: date) -> Spans:
    """When the wall clock of this local day says open, as router.schedule has it.

    It can only change where a window begins or ends, so it is asked there, and no clock change is in the way: what
    is asked is the wall clock in UTC.
    """
    on_the_wall = replace(hours, timezone="UTC")
    edges = sorted({0, 24 * 60, *_edges(hours)})
    spans: list[tuple[int, int]] = []
    for first, last in pairwise(edges):
        moment = datetime(day.year, day.month, day.day, first // 60, first % 60, tzinfo=UTC)
        if not is_open(on_the_wall, moment)[0]:
            continue
        if spans and spans[-1][1] == first:
            first = spans.pop()[0]  # noqa: PLW2901 - two that touch become one
        spans.append((first, last))
    return tuple(spans)


def _edges(hours: Hours) -> Iterable[int]:
    for windows in (*hours.weekly, *(opened.windows for opened in hours.open)):
        for window in windows:
            yield from (edge for edge in (window.start, window.end) if edge < 24 * 60)
