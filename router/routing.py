"""Whom a call rings: DID -> campaign -> screening -> hours -> people present -> order -> overflow -> routes.

Pure; the engine, `explain`, the AGI script and the generated dialplan all decide here.

What is dialled is built from campaigns.yaml alone: a number out of the call (its DID, its caller) picks the
campaign and may be shown on the mobile's screen, and goes nowhere else. Reasons name the key of
campaigns.yaml that decided, and never hold a caller's number or a salesperson's mobile.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from router import ordering
from router.caller_id import Way, find_ways, routes
from router.dialled import UNKNOWN_DID, find_caller, find_did, trunk_of
from router.model import (
    OVERFLOW,
    Accept,
    Caller,
    Campaign,
    Config,
    Decision,
    Did,
    Ending,
    Hunt,
    Inbound,
    Outcome,
    Overflow,
    Plan,
    Prompt,
    Reason,
    Ring,
    RingStep,
    Salesperson,
    Situation,
    Sound,
    Step,
    Target,
)
from router.schedule import is_absent, is_open
from router.screening import blocked, capped, challenged, find_vip

__all__ = ["UNKNOWN_DID", "decide", "find_caller", "find_did"]

NOTHING_KNOWN: Final = Situation()

_FAR: Final = 366 * 86400.0


@dataclass(frozen=True, slots=True)
class _Rings:
    """One hunt before anybody's routes are known."""

    steps: tuple[RingStep, ...]
    max_wait: float


@dataclass(slots=True)
class _Case:
    """One call, and what has been found out about it so far."""

    config: Config
    campaign: Campaign
    key: str
    """Where the campaign stands in campaigns.yaml."""
    did: Did
    caller: Caller
    at: datetime
    now: float
    situation: Situation
    reasons: list[Reason]
    there: dict[str, bool] = field(default_factory=dict)

    def note(self, rule: str, text: str) -> None:
        self.reasons.append(Reason(rule, text))

    def decided(self, plan: Plan | None, refused: Outcome | None, ending: Ending | None = None) -> Decision:
        """The decision, and with a plan whether the caller must press a key first."""
        challenge = plan is not None and challenged(self.config.screening, self.caller)
        told = tuple(self.reasons)
        return Decision(self.campaign.id, self.did, self.caller, plan, refused, told, ending, challenge)


def decide(config: Config, inbound: Inbound, at: datetime, situation: Situation = NOTHING_KNOWN) -> Decision:
    """What is done with a call that arrives at `at` (aware): whom to ring, or the outcome it ends with.

    `blocked` by the screening, `closed` outside opening hours, `unreachable` when nobody is left to ring.
    Steps beyond `max_wait` stand in the plan: cutting the hunt is the call's own business.
    """
    did, caller = find_did(config, inbound), find_caller(config, inbound)
    campaign = config.by_number.get(did.number, config.unknown)
    unknown = campaign is config.unknown
    key = "unknown_number" if unknown else f"campaigns.{campaign.id}"
    reasons = [
        Reason(f"asterisk.trunks.{trunk_of(config, inbound).id}.did_from", f"{did.number}, from {did.source}"),
        Reason(key, "no campaign owns this number" if unknown else campaign.name),
    ]
    case = _Case(config, campaign, key, did, caller, at, at.timestamp(), situation, reasons)
    staff = _own_line(config, caller)
    if staff is not None:
        reasons.append(Reason(f"salespeople.{staff.id}.mobile", f"{staff.name}'s own line: the menu, no lead"))
        # A caller ID is a claim: a menu that answers whoever claims it, as often as he likes, takes up the lines.
        if capped(config.screening, caller, situation.recent, reasons):
            return case.decided(None, Outcome.BLOCKED)
        return Decision(campaign.id, did, caller, None, None, tuple(reasons), staff=staff.id)
    if blocked(config.screening, caller, situation.recent, reasons):
        return case.decided(None, Outcome.BLOCKED)
    hunts, after, where, refused = _hunts(case)
    ending = _ending(case, after, where)
    if not hunts:
        return case.decided(None, refused, ending)
    return case.decided(_plan(case, hunts, after), None, ending)


def _own_line(config: Config, caller: Caller) -> Salesperson | None:
    """Whose mobile it is that calls us. A caller ID can be forged: nothing but the menu may hang on it."""
    if caller.number is None:
        return None
    return next((one for one in config.salespeople.values() if one.mobile == caller.number), None)


# --- Whom to ring -----------------------------------------------------------------------------------------


def _hunts(case: _Case) -> tuple[list[_Rings], Overflow | None, str, Outcome]:
    """The hunts, what comes after them and its key, and the outcome of a call that has no hunt."""
    campaign, key = case.campaign, case.key
    vip = find_vip(case.config.screening, case.caller, case.reasons)
    if vip is None and not _opens(case):
        after, where = campaign.closed, f"{key}.closed"
        return _overflow(case, after, where), after, where, Outcome.CLOSED
    ring, rule = (vip.ring, f"screening.vips.{vip.id}.ring") if vip else (campaign.ring, f"{key}.ring")
    first = _ring(case, ring, rule)
    after, where = campaign.overflow, f"{key}.overflow"
    return [*first, *_overflow(case, after, where)], after, where, Outcome.UNREACHABLE


def _opens(case: _Case) -> bool:
    if case.campaign.hours is None:
        case.note(f"{case.key}.hours", "always open")
        return True
    opened, reason = is_open(case.config.hours[case.campaign.hours], case.at)
    case.reasons.append(reason)
    return opened


def _ring(case: _Case, ring: Ring, key: str) -> list[_Rings]:
    """The hunt that a ring makes, none when nobody of it is present."""
    present = [id for id in ring.to if _is_there(case, id)]
    if not present:
        case.note(f"{key}.to", "nobody is left to ring")
        return []
    steps = ordering.arrange(ring, present, case.campaign.id, case.situation)
    case.note(key, ordering.spell(ring, case.campaign.id, case.situation))
    friend = _spoke_with(case, ring, key, present)
    if friend:
        steps = ordering.put_first(friend, steps, ring.timeout)
    return [_Rings(steps, ring.max_wait)]


def _is_there(case: _Case, id: str) -> bool:
    """Whether a person may be rung; the reason is told once a call."""
    found = case.there.get(id)
    if found is None:
        person = case.config.salespeople[id]
        paused = case.situation.paused
        if is_absent(person, case.at):
            found = False
            case.note(f"salespeople.{id}.absent", f"{person.name} is absent")
        elif id in paused and _lasts(until := paused[id], case.now):
            found = False
            case.note(f"salespeople.{id}", f"{person.name} is paused until {_when(until, case.now, person)}")
        else:
            found = True
        case.there[id] = found
    return found


def _lasts(until: float | None, now: float) -> bool:
    return until is None or until > now


def _when(until: float | None, now: float, person: Salesperson) -> str:
    if until is None:
        return "resumed"
    if until - now > _FAR:
        return "more than a year from now"
    return f"{datetime.fromtimestamp(until, ZoneInfo(person.timezone)):%Y-%m-%d %H:%M}"


def _spoke_with(case: _Case, ring: Ring, key: str, present: list[str]) -> str:
    """Who of those present spoke with this caller last, and not too long ago; empty when nobody did."""
    if not ring.sticky or case.caller.number is None:
        return ""
    known = case.situation.known.get(case.caller.number)
    friend = ""
    if known is None or not known.spoke_with:
        text = "nobody has spoken with this caller"
    elif case.now - known.spoke_at > ring.sticky:
        text = "the last talk with this caller is too long ago"
    elif known.spoke_with not in present:
        text = "who spoke with this caller last is not among them today"
    else:
        friend = known.spoke_with
        text = f"{case.config.salespeople[friend].name} first, who spoke with this caller last"
    case.note(f"{key}.sticky", text)
    return friend


def _overflow(case: _Case, overflow: Overflow | None, key: str) -> list[_Rings]:
    """The hunt of an overflow, or of what comes outside hours: its people, then its number. None when neither.

    The number has all of its time: people whom the ring's own `max_wait` would cut off are left out before it.
    """
    if overflow is None:
        return []
    found = _ring(case, overflow.ring, f"{key}.ring") if overflow.ring is not None else []
    if not overflow.number:
        return found
    if overflow.number == case.caller.number:
        case.note(f"{key}.number", "is the caller, and not rung")
        return found
    case.note(f"{key}.number", f"then a number, for {overflow.timeout:g} s")
    last = RingStep((OVERFLOW,), overflow.timeout, keep=False)
    if not found:
        return [_Rings((last,), overflow.timeout)]
    people = ordering.cut(found[0].steps, found[0].max_wait)
    return [_Rings((*people, last), found[0].max_wait + overflow.timeout)]


def _ending(case: _Case, overflow: Overflow | None, key: str) -> Ending | None:
    if overflow is None or (overflow.announcement is None and overflow.voicemail is None):
        return None
    if overflow.announcement is not None:
        case.note(f"{key}.announcement", "then words for the caller")
    if overflow.voicemail is not None:
        case.note(f"{key}.voicemail", f"then a message, {overflow.voicemail.longest:g} s at most")
    return Ending(overflow.announcement, overflow.voicemail)


# --- The plan ---------------------------------------------------------------------------------------------


def _plan(case: _Case, hunts: list[_Rings], after: Overflow | None) -> Plan:
    """The hunts with everybody's routes. `after` has the number that OVERFLOW stands for."""
    config, campaign = case.config, case.campaign
    rule, key, down = campaign.caller_id, f"{case.key}.caller_id", case.situation.trunks_down
    ways = find_ways(config, rule, key, case.did, case.caller, down, case.reasons)
    number = after.number if after is not None else ""
    targets: dict[str, Target] = {}
    for hunt in hunts:
        for step in hunt.steps:
            for id in step.to:
                if id not in targets:
                    targets[id] = _target(case, id, number, ways)
    return Plan(
        tuple(
            Hunt(
                tuple(Step(tuple(targets[id] for id in step.to), step.timeout, step.keep) for step in hunt.steps),
                hunt.max_wait,
            )
            for hunt in hunts
        ),
        campaign.accept_timeout,
        _whisper(case),
    )


def _target(case: _Case, id: str, number: str, ways: tuple[Way, ...]) -> Target:
    """A person, or the overflow's `number`."""
    country = case.config.country
    if id == OVERFLOW:
        return Target(id, "overflow number", routes(number, ways, country), Accept.NONE, max_calls=0)
    person = case.config.salespeople[id]
    accept = case.campaign.accept if person.accept is None else person.accept
    return Target(id, person.name, routes(person.mobile, ways, country), accept, person.max_calls)


def _whisper(case: _Case) -> tuple[Prompt | Sound, ...]:
    """The campaign, whether the caller is known or is owed a call, and which key takes it."""
    campaign, number = case.campaign, case.caller.number
    first = campaign.whisper or Sound(text=campaign.name)
    if number is None:
        return first, Prompt.PRESS_1
    if (campaign.id, number) in case.situation.owed:
        return first, Prompt.OWED_CALLBACK, Prompt.PRESS_1
    return first, Prompt.REPEAT_CALLER if number in case.situation.known else Prompt.NEW_CALLER, Prompt.PRESS_1
