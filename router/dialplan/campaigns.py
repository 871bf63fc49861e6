"""Campaigns, people and callers as a dialplan: whom a call rings, worked out beforehand. Pure.

The static dialplan rings in the order of the file whatever the strategy (it knows nobody's last call), and a step
that keeps the earlier people rings all of them from its beginning.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from router.caller_id import find_ways, routes
from router.dialplan.shapes import CALLERS, DIAL, ID, NUMBER, SOUND, ZONE, checked
from router.dress import asserted_in
from router.fallback_plan import recording, seconds
from router.model import OVERFLOW, Caller, Campaign, Config, Did, Overflow, Ring, Salesperson, Sound, Strategy

_CALLER_ID_RULES = ("did", "caller", "anonymous")


@dataclass(frozen=True, slots=True)
class Frame:
    """What all campaigns share: the places of people and hours in the file, which name their contexts."""

    config: Config
    hours: dict[str, int]
    people: dict[str, int]
    spoken: str
    """The folder of what the router has had spoken."""


def campaign_lines(config: Config, spoken: str) -> Iterator[str]:
    """Campaigns, VIPs, who is blocked, and people."""
    frame = Frame(
        config,
        {id: index for index, id in enumerate(config.hours, 1)},
        {id: index for index, id in enumerate(config.salespeople, 1)},
        spoken,
    )
    for index, campaign in enumerate(config.campaigns.values(), 1):
        yield from _campaign(f"callrouter-campaign-{index}", campaign, frame)
    yield from _campaign("callrouter-unknown", config.unknown, frame)
    yield from _vips(frame)
    yield from _blocked(config)
    for index, person in enumerate(config.salespeople.values(), 1):
        yield from _person(config, person, index)
    yield from _mobiles(config)


def _campaign(context: str, campaign: Campaign, frame: Frame) -> Iterator[str]:
    """One way through for VIPs and open hours, which meet at the overflow, and one for closed hours."""
    id, accept = checked(ID, campaign.id), campaign.accept.value
    withheld = "block" if frame.config.screening.withheld == "block" else ""
    wait, whisper = seconds(campaign.accept_timeout), _whisper(campaign, frame)
    yield from ("", f"[{context}]", f"; {id}")
    yield f"exten => s,1,Gosub(callrouter-begin,s,1({id},{wait},{withheld},{whisper}))"
    yield from _shows(campaign, frame.config)
    if frame.config.screening.vips:
        yield " same => n,Gosub(callrouter-vip,s,1)"
        yield ' same => n,GotoIf($["${GOSUB_RETVAL}" != ""]?vip)'
    if campaign.hours is not None:
        yield f" same => n,Gosub(callrouter-hours-{frame.hours[campaign.hours]},s,1)"
        yield ' same => n,GotoIf($["${GOSUB_RETVAL}" != "open"]?closed)'
    yield from _ring(campaign.ring, 1, accept, frame)
    if frame.config.screening.vips:
        yield " same => n,Goto(overflow)"
        yield f" same => n(vip),Gosub(callrouter-vip-ring-${{GOSUB_RETVAL}},s,1({accept}))"
        yield " same => n(overflow),NoOp()"
    yield from _overflow(campaign.overflow, 2, accept, "open", frame)
    yield " same => n,Goto(callrouter-hunt,s,1)"
    if campaign.hours is not None:
        yield " same => n(closed),Set(CALLROUTER_NOBODY=closed)"
        yield from _overflow(campaign.closed, 1, accept, "shut", frame)
        yield " same => n,Goto(callrouter-hunt,s,1)"


def _shows(campaign: Campaign, config: Config) -> Iterator[str]:
    """How the call is shown over each trunk."""
    for index, trunk in enumerate(config.trunks.values(), 1):
        rule = trunk.caller_id or campaign.caller_id
        if rule not in _CALLER_ID_RULES:
            checked(NUMBER, rule)
        fields = (index, checked(ID, trunk.id), rule, asserted_in(trunk), "diversion" if trunk.diversion else "")
        yield f" same => n,Gosub(callrouter-show,s,1({','.join(map(str, fields))}))"


def _whisper(campaign: Campaign, frame: Frame) -> str:
    return _recording(campaign.whisper or Sound(text=campaign.name), frame)


def _recording(sound: Sound, frame: Frame) -> str:
    path = recording(frame.config, sound, frame.spoken)
    return checked(SOUND, path) if path else ""


# --- Rings ------------------------------------------------------------------------------------------------


def _ring(ring: Ring, hunt: int, accept: str, frame: Frame) -> Iterator[str]:
    """The steps of one hunt; `accept` is what the campaign says, or `${ARG1}`."""
    yield f" same => n,Set(CALLROUTER_WAIT_{hunt}={seconds(ring.max_wait)})"
    for people, timeout in _steps(ring):
        for id in people:
            yield f" same => n,Gosub(callrouter-person-{frame.people[id]},s,1({accept}))"
        yield f" same => n,Gosub(callrouter-step,s,1({hunt},{seconds(timeout)}))"


def _steps(ring: Ring) -> list[tuple[tuple[str, ...], float]]:
    """Who rings together, and for how long: everybody once a step."""
    if not ring.steps:
        together = ring.strategy is Strategy.ALL
        return [(ring.to, ring.timeout)] if together else [((id,), ring.timeout) for id in ring.to]
    found: list[tuple[tuple[str, ...], float]] = []
    for step in ring.steps:
        if step.keep and found:
            people, timeout = found.pop()
            found.append((tuple(dict.fromkeys((*people, *step.to))), timeout + step.timeout))
        else:
            found.append((step.to, step.timeout))
    return found


def _overflow(overflow: Overflow | None, hunt: int, accept: str, name: str, frame: Frame) -> Iterator[str]:
    """Its people, then its number, which has all of its time, and what the caller hears after them.

    A message cannot be taken without the router: then the caller hears nothing of one either.
    """
    if overflow is None:
        return
    if overflow.announcement is not None:
        words = _recording(overflow.announcement, frame)
        yield f" same => n,Set(CALLROUTER_WORDS={words})"
    if overflow.ring is not None:
        yield from _ring(overflow.ring, hunt, accept, frame)
        hunt += 1
    if overflow.number:
        number, label = checked(NUMBER, overflow.number), f"{name}-number"
        timeout = seconds(overflow.timeout)
        yield f' same => n,GotoIf($["${{CALLROUTER_DIGITS}}" = "{number[1:]}"]?{label})'
        yield f" same => n,Set(CALLROUTER_WAIT_{hunt}={timeout})"
        yield f" same => n,Gosub(callrouter-add,s,1({OVERFLOW},none,{_ways(frame.config, number)}))"
        yield f" same => n,Gosub(callrouter-step,s,1({hunt},{timeout}))"
        yield f" same => n({label}),NoOp()"


# --- Callers ----------------------------------------------------------------------------------------------


def _vips(frame: Frame) -> Iterator[str]:
    """Returns the place of the first entry that has the caller; and whom each entry rings."""
    vips = frame.config.screening.vips
    if not vips:
        return
    yield from ("", "[callrouter-vip]", 'exten => s,1,GotoIf($["${CALLROUTER_DIGITS}" = ""]?none)')
    for index, _ in enumerate(vips, 1):
        there = f"DIALPLAN_EXISTS(callrouter-vip-{index},${{CALLROUTER_DIGITS}},1)"
        yield f" same => n,GotoIf(${{{there}}}?found{index})"
    yield " same => n(none),Return()"
    yield from (f" same => n(found{index}),Return({index})" for index, _ in enumerate(vips, 1))
    for index, vip in enumerate(vips, 1):
        yield from ("", f"[callrouter-vip-{index}]", f"; {checked(ID, vip.id)}", *_patterns(vip.numbers))
        yield from ("", f"[callrouter-vip-ring-{index}]", "exten => s,1,NoOp()")
        yield from _ring(vip.ring, 1, "${ARG1}", frame)
        yield " same => n,Return()"


def _blocked(config: Config) -> Iterator[str]:
    if config.screening.block:
        yield from ("", "[callrouter-blocked]", *_patterns(config.screening.block))


def _patterns(callers: Iterable[str]) -> Iterator[str]:
    """Numbers as they stand, prefixes as patterns: `!` is whatever follows, and nothing too."""
    for caller in dict.fromkeys(checked(CALLERS, each) for each in callers):
        digits = caller[1:]
        pattern = f"_{digits[:-1]}!" if digits.endswith("*") else digits
        yield f"exten => {pattern},1,Return()"


# --- People -----------------------------------------------------------------------------------------------


def _person(config: Config, person: Salesperson, index: int) -> Iterator[str]:
    """Adds the person to the step, unless absent. ARG1 is what the campaign takes for a yes."""
    yield from ("", f"[callrouter-person-{index}]", f"; {checked(ID, person.id)}")
    zone = checked(ZONE, person.timezone)
    yield f"exten => s,1,Set(LOCAL(today)=${{STRFTIME(${{EPOCH}},{zone},%Y%m%d)}})"
    for span in person.absent:
        between = f"${{today}} >= {span.first:%Y%m%d} & ${{today}} <= {span.last:%Y%m%d}"
        yield f" same => n,GotoIf($[{between}]?out)"
    accept = "${ARG1}" if person.accept is None else person.accept.value
    ways = _ways(config, checked(NUMBER, person.mobile))
    yield f" same => n,Gosub(callrouter-add,s,1({person.id},{accept},{ways}))"
    yield " same => n(out),Return()"


def _mobiles(config: Config) -> Iterator[str]:
    """Whose own line it is that calls us."""
    yield from ("", "[callrouter-mobiles]")
    for mobile in dict.fromkeys(person.mobile for person in config.salespeople.values()):
        yield f"exten => {checked(NUMBER, mobile)[1:]},1,Return()"


def _ways(config: Config, number: str) -> str:
    """How it is dialled over each trunk, in the order of the file: `1~PJSIP/+336…@trunk,2~…`."""
    found = find_ways(config, "did", "", Did("", ""), Caller(None), frozenset(), [])
    dialled = [route.endpoint for route in routes(number, found, config.country) if not route.refused_only]
    return ",".join(f"{index}~{checked(DIAL, way)}" for index, way in enumerate(dialled, 1))
