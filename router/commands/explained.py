"""What `callrouter explain` shows of a decision: a page of 80 columns, or the same facts by name."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.numbers import display, masked, safe_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from router.model import Campaign, Config, Decision, Ending, Hunt, Plan, Prompt, Sound, Step, Target

WIDTH = 80
KEY_WIDTH = 34
CLOCK_WIDTH = 12
_DEEPER = " " * (CLOCK_WIDTH + 2)
_TOGETHER = re.compile(r"(?<=[0-9•]) (?=[0-9•]|s\b)")
"""Spaces inside numbers, and before their unit."""


@dataclass(frozen=True, slots=True)
class Explained:
    """A decision, and what it takes to show it."""

    config: Config
    campaign: Campaign
    decision: Decision
    at: datetime
    opens: datetime | None
    """The next opening, only when the campaign is closed at `at`."""
    due: datetime | None
    """When a callback would be due, should nobody take the call; None when it opens none."""
    history: bool
    """Whether pauses, turns and earlier calls could be read."""
    numbers: bool
    """Whether mobiles are shown in full."""


@dataclass(frozen=True, slots=True)
class Ringing:
    """One step on the clock of the call, as long as nobody takes it (seconds)."""

    step: Step
    offset: float
    """When it begins."""
    seconds: float
    """How long its people ring, later steps that keep them ringing included; 0 past the hunt's `max_wait`."""


def on_clock(plan: Plan | None) -> Iterator[tuple[Hunt, list[Ringing], float]]:
    """Each hunt with its steps, and the second at which it is over."""
    begin = 0.0
    for hunt in plan.hunts if plan else ():
        rings, offset = [], 0.0
        for place, step in enumerate(hunt.steps):
            longest = step.timeout
            for later in hunt.steps[place + 1 :]:
                if not later.keep:
                    break
                longest += later.timeout
            rings.append(Ringing(step, begin + offset, max(0.0, min(longest, hunt.max_wait - offset))))
            offset += step.timeout
        begin += min(offset, hunt.max_wait)
        yield hunt, rings, begin


def end(plan: Plan | None) -> float:
    """The seconds after which the last hunt is over; 0 when nobody is rung."""
    return max((over for _, _, over in on_clock(plan)), default=0.0)


def _number(explained: Explained, target: Target) -> str:
    """The number that is rung, whole: a mobile, or the one that stands for the overflow."""
    person = explained.config.salespeople.get(target.salesperson)
    if person is not None:
        return person.mobile
    rules = {reason.rule.rpartition(".closed.")[2] for reason in explained.decision.reasons}
    after = explained.campaign.closed if "number" in rules else explained.campaign.overflow
    return after.number if after is not None else ""


def _gated(target: Target) -> bool:
    return target.accept != "none"


# --- For programs -----------------------------------------------------------------------------------------


def as_json(explained: Explained) -> dict[str, object]:
    """The same facts by name; numbers are E.164, mobiles masked and dial strings left out unless asked for."""
    decision, plan = explained.decision, explained.decision.plan
    clock = list(on_clock(plan))
    return {
        "did": decision.did.number,
        "did_source": decision.did.source,
        "caller": decision.caller.number,
        "at": explained.at.isoformat(timespec="seconds"),
        "campaign": decision.campaign,
        "name": explained.campaign.name,
        "medium": explained.campaign.medium,
        "outcome": decision.refused.value if decision.refused else None,
        "staff": decision.staff,
        "challenge": decision.challenge,
        "next_open": explained.opens.isoformat(timespec="seconds") if explained.opens else None,
        "callback_due": explained.due.isoformat(timespec="seconds") if explained.due else None,
        "history": explained.history,
        "accept": explained.campaign.accept.value if plan else None,
        "accept_timeout": plan.accept_timeout if plan else None,
        "whisper": [_sound(part) for part in plan.whisper] if plan else [],
        "max_wait": sum(hunt.max_wait for hunt, _, _ in clock) if plan else None,
        "reasons": [{"rule": reason.rule, "text": reason.text} for reason in decision.reasons],
        "rings": [
            {
                "hunt": place,
                "offset": ring.offset,
                "seconds": ring.seconds,
                "keep": ring.step.keep,
                "people": [_person(explained, one) for one in ring.step.targets],
            }
            for place, (_, rings, _) in enumerate(clock)
            for ring in rings
        ],
        "ending": _ending(decision.ending),
    }


def _person(explained: Explained, target: Target) -> dict[str, object]:
    number = _number(explained, target)
    routes = [
        {
            "trunk": route.trunk,
            "caller_id": route.caller_id or None,
            "mode": route.mode,
            "identity": route.identity or None,
            "diversion": route.diversion or None,
            "refused_only": route.refused_only,
        }
        | ({"dial": route.endpoint} if explained.numbers else {})
        for route in target.routes
    ]
    return {
        "salesperson": target.salesperson,
        "name": target.name,
        "mobile": number if explained.numbers else masked(number),
        "accept": target.accept.value,
        "max_calls": target.max_calls,
        "routes": routes,
    }


def _ending(ending: Ending | None) -> dict[str, object] | None:
    if ending is None:
        return None
    voicemail = ending.voicemail
    return {
        "announcement": _sound(ending.announcement) if ending.announcement else None,
        "voicemail": {"announcement": _sound(voicemail.announcement), "longest": voicemail.longest}
        if voicemail
        else None,
    }


def _sound(sound: Sound | Prompt) -> dict[str, str]:
    """As campaigns.yaml writes it; `prompt` is one that comes with Callrouter."""
    if isinstance(sound, str):
        return {"prompt": str(sound)}
    return {"play": sound.file} if sound.file else {"say": sound.text}


# --- For eyes ---------------------------------------------------------------------------------------------


def as_text(explained: Explained) -> Iterator[str]:
    """The lines of the page, 80 columns wide."""
    decision, config = explained.decision, explained.config
    caller = "a withheld number"
    if decision.caller.number is not None:
        caller = display(decision.caller.number, config.country)
    yield f"Call to {display(decision.did.number, config.country)} from {caller}"
    yield f"{explained.at:%a %Y-%m-%d %H:%M:%S %Z} ({config.timezone})"
    if not explained.history:
        yield "No database could be read: without pauses, turns and earlier calls."
    yield ""
    yield "Rules, in the order they were looked at:"
    for reason in decision.reasons:
        yield from _row(reason.rule, reason.text)
    yield ""
    if decision.staff is not None:
        yield "Nobody rings: a salesperson's own line gets the menu, once the PIN is right."
        yield "It is no lead: no call is counted, and no callback is opened."
        return
    yield from _rings(explained, decision.plan) if decision.plan else _refusal(explained)
    yield from _finish(decision.ending)
    yield from _callback(explained)


def _row(key: str, text: str) -> Iterator[str]:
    first = f"  {key:<{KEY_WIDTH}}  "
    indent = " " * (KEY_WIDTH + 4)
    if len(first) > len(indent):
        yield f"  {key}"
        first = indent
    yield from _wrap(safe_text(text, 400), first, indent)


def _refusal(explained: Explained) -> Iterator[str]:
    outcome = explained.decision.refused
    yield f"Nobody rings. The call ends as: {outcome}."
    if outcome == "closed":
        opens = explained.opens
        yield f"Next open: {opens:%a %Y-%m-%d %H:%M %Z}." if opens else "Not open within the next 400 days."


def _finish(ending: Ending | None) -> Iterator[str]:
    if ending is None:
        return
    if ending.announcement is not None:
        yield from _wrap(f"Then the caller hears {_words(ending.announcement)}.")
    if ending.voicemail is not None:
        words = _words(ending.voicemail.announcement)
        longest = ending.voicemail.longest
        yield from _wrap(f"Then {words} and a tone: a message of up to {longest:g} s may be left.")


def _callback(explained: Explained) -> Iterator[str]:
    decision = explained.decision
    if explained.due:
        yield f"Missed, it opens a callback, due {explained.due:%a %Y-%m-%d %H:%M %Z}."
    elif decision.refused is not None and not decision.refused.missed:
        yield "It opens no callback, and is in no figure but that of blocked calls."
    elif explained.campaign.callback is None:
        yield "Missed, it opens no callback: the campaign has none."
    else:
        yield "Missed, it opens no callback: the number is withheld (--from gives one)."


def _rings(explained: Explained, plan: Plan) -> Iterator[str]:
    if explained.decision.challenge:
        yield "The caller must press 1. Nobody rings before."
        yield ""
    yield "Who rings, as long as nobody takes the call:"
    clock = list(on_clock(plan))
    for place, (hunt, rings, over) in enumerate(clock):
        for ring in rings:
            yield from _ring(explained, ring)
        on = "; on to the overflow" if place + 1 < len(clock) else ""
        yield f"{_after(over)}nobody took it{on} ({hunt.max_wait:g} s is the longest wait)"
    yield ""
    targets = [target for hunt in plan.hunts for step in hunt.steps for target in step.targets]
    yield from _ways(explained, targets[0])
    if any(map(_gated, targets)):
        heard = ", ".join(map(_words, plan.whisper))
        yield from _wrap(f"Key 1: whoever answers hears {heard}, and has {plan.accept_timeout:g} s to press it.")
        yield ""


def _ring(explained: Explained, ring: Ringing) -> Iterator[str]:
    """Everybody of a step: the name, for how long, and what takes the call."""
    when = _after(ring.offset)
    also = "also " if ring.step.keep else ""
    for target in ring.step.targets:
        number = _number(explained, target)
        shown = display(number, explained.config.country) if explained.numbers else masked(number)
        long = f"for {ring.seconds:g} s" if ring.seconds else "never: the longest wait is over"
        gate = "key 1" if _gated(target) else "no key"
        yield from _wrap(f"{also}{safe_text(target.name, 30)}, {shown}, {long}; {gate}", when, _DEEPER)
        when = _after(None)
        if explained.numbers:
            dialled = dict.fromkeys(route.endpoint for route in target.routes)
            yield from _wrap(f"dialled {', else '.join(dialled)}", when, _DEEPER)


def _ways(explained: Explained, target: Target) -> Iterator[str]:
    """The trunks, the same for everybody. Each is tried when the one before it cannot place the leg."""
    country = explained.config.country
    yield "What each phone shows:"
    for place, route in enumerate(target.routes):
        shown = display(route.caller_id, country) if route.caller_id else "anonymous"
        asserted = f", asserting {display(route.identity, country)}" if route.identity else ""
        diverted = f", diverted by {display(route.diversion, country)}" if route.diversion else ""
        over = f"{'else ' if place else ''}over {route.trunk}, showing "
        if route.refused_only:
            over = "  if refused for its caller ID, as did: "
        yield from _wrap(f"{shown}{asserted}{diverted}", f"  {over}", " " * 6)
    yield ""


def _words(sound: Sound | Prompt) -> str:
    """What is heard: words in quotes, the name of a recording, or that of a prompt of ours."""
    if isinstance(sound, str):
        return str(sound).replace("-", " ")
    return safe_text(sound.file, 200) if sound.file else f'"{safe_text(sound.text, 200)}"'


def _wrap(text: str, margin: str = "", deeper: str = "") -> list[str]:
    """`text` behind `margin`, going on behind `deeper`; a number and its unit stay together."""
    lines = textwrap.wrap(_TOGETHER.sub("\xa0", text), WIDTH, initial_indent=margin, subsequent_indent=deeper)
    return [line.replace("\xa0", " ") for line in lines]


def _after(seconds: float | None) -> str:
    return " " * CLOCK_WIDTH if seconds is None else f"{f'+{seconds:g} s':>{CLOCK_WIDTH - 2}}  "
