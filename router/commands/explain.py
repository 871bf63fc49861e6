"""`callrouter explain`: rule by rule, what a call would do. The live decision, with no call."""

from __future__ import annotations

import json
import textwrap
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from router.numbers import display, masked, safe_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from router.commands.context import Context
    from router.model import Campaign, Config, Decision, Inbound, Plan, Step, Target

WIDTH = 80
KEY_WIDTH = 34
YEARS = range(2000, 2100)
"""What `--at` takes: far from the ends of the calendar, where looking ahead would fall off."""


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
    numbers: bool
    """Whether mobiles are shown in full."""


@click.command()
@click.option("--to", "to", required=True, metavar="DID", help="The number dialled, in any usual form.")
@click.option(
    "--from",
    "caller",
    default="",
    metavar="NUMBER",
    help="The caller's number; without it, the caller is withheld.",
)
@click.option(
    "--at", "at", metavar="TIME", help="'2026-12-24 10:00' in the company's time zone, or ISO 8601; default: now."
)
@click.option("--numbers", is_flag=True, help="Show the salespeople's mobiles in full.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="How to show it.",
)
@click.pass_obj
def command(context: Context, to: str, caller: str, at: str | None, numbers: bool, form: str) -> None:
    """Say who would ring for a number, when, and which rule decided."""
    config = context.config()
    moment = read_time(at, config.timezone) if at is not None else datetime.now(ZoneInfo(config.timezone))
    explained = explain(config, _inbound(config, to, caller), moment, numbers=numbers)
    if form == "json":
        click.echo(json.dumps(as_json(explained), ensure_ascii=False, indent=2))
    else:
        click.echo("\n".join(as_text(explained)))


def explain(config: Config, inbound: Inbound, at: datetime, *, numbers: bool) -> Explained:
    """The decision on a call at `at`, in which every leg rings out."""
    from router.callbacks import wish
    from router.model import Outcome
    from router.routing import decide
    from router.schedule import next_open

    decision = decide(config, inbound, at)
    campaign = config.campaigns.get(decision.campaign, config.unknown)
    hours = config.hours[campaign.hours] if campaign.hours is not None else None
    opens = next_open(hours, at) if hours is not None and decision.refused is Outcome.CLOSED else None
    ended_at = at.timestamp() + (_end(decision.plan) if decision.plan else 0)
    task = wish(campaign, hours, decision.caller, decision.refused or Outcome.NO_ANSWER, ended_at)
    due = datetime.fromtimestamp(task.due_at, at.tzinfo) if task else None
    return Explained(config, campaign, decision, at, opens, due, numbers)


def read_time(text: str, timezone: str) -> datetime:
    """`2026-12-24 10:00`, on the wall of `timezone` unless it has an offset of its own. Raises click.BadParameter.

    A time that comes twice, when the clock goes back, is the first of the two; one that the clock skips is refused.
    """
    zone = ZoneInfo(timezone)
    shown = repr(safe_text(text, 40))
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise click.BadParameter(f"{shown} is no time; write '2026-12-24 10:00'", param_hint="--at") from None
    if moment.year not in YEARS:
        raise click.BadParameter(f"{shown} is not within {YEARS[0]} to {YEARS[-1]}", param_hint="--at")
    if moment.tzinfo is not None:
        return moment.astimezone(zone)
    moment = moment.replace(tzinfo=zone)
    if moment.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != moment.replace(tzinfo=None):
        wrong = f"{shown} does not exist in {timezone}: the clock goes forward over it"
        raise click.BadParameter(wrong, param_hint="--at")
    return moment


def _inbound(config: Config, to: str, caller: str) -> Inbound:
    """The call as the first trunk would bring it, with the DID wherever that trunk looks for it."""
    from router.model import Inbound

    trunk = next(iter(config.trunks.values()))
    return Inbound(to, trunk.endpoint, dict.fromkeys(trunk.did_from, to), caller, "", withheld=False)


def _mobile(explained: Explained, target: Target) -> str:
    mobile = explained.config.salespeople[target.salesperson].mobile
    return display(mobile, explained.config.country) if explained.numbers else masked(mobile)


def _offsets(plan: Plan) -> Iterator[tuple[Step, float, float]]:
    """Each step, when it begins if nobody answers before (seconds), and how long it rings: 0 past `max_wait`."""
    offset = 0.0
    for step in plan.steps:
        yield step, offset, max(0.0, min(step.timeout, plan.max_wait - offset))
        offset += step.timeout


def _end(plan: Plan) -> float:
    """The seconds after which the hunt is over."""
    return max((offset + seconds for _, offset, seconds in _offsets(plan) if seconds), default=0.0)


# --- For programs -----------------------------------------------------------------------------------------


def as_json(explained: Explained) -> dict[str, object]:
    """The same facts by name; numbers are E.164, mobiles masked and dial strings left out unless asked for."""
    decision = explained.decision
    return {
        "did": decision.did.number,
        "did_source": decision.did.source,
        "caller": decision.caller.number,
        "at": explained.at.isoformat(timespec="seconds"),
        "campaign": decision.campaign,
        "name": explained.campaign.name,
        "medium": explained.campaign.medium,
        "outcome": decision.refused.value if decision.refused else None,
        "next_open": explained.opens.isoformat(timespec="seconds") if explained.opens else None,
        "callback_due": explained.due.isoformat(timespec="seconds") if explained.due else None,
        "accept": decision.plan.accept.value if decision.plan else None,
        "max_wait": decision.plan.max_wait if decision.plan else None,
        "reasons": [{"rule": reason.rule, "text": reason.text} for reason in decision.reasons],
        "rings": [
            {"offset": offset, "seconds": seconds, "people": [_person(explained, one) for one in step.targets]}
            for step, offset, seconds in _offsets(decision.plan)
        ]
        if decision.plan
        else [],
    }


def _person(explained: Explained, target: Target) -> dict[str, object]:
    mobile = explained.config.salespeople[target.salesperson].mobile
    routes = [
        {"trunk": route.trunk, "caller_id": route.caller_id or None}
        | ({"dial": route.endpoint} if explained.numbers else {})
        for route in target.routes
    ]
    shown = mobile if explained.numbers else masked(mobile)
    return {"salesperson": target.salesperson, "name": target.name, "mobile": shown, "routes": routes}


# --- For eyes ---------------------------------------------------------------------------------------------


def as_text(explained: Explained) -> Iterator[str]:
    """The lines of the page, 80 columns wide."""
    decision, config = explained.decision, explained.config
    caller = "a withheld number"
    if decision.caller.number is not None:
        caller = display(decision.caller.number, config.country)
    yield f"Call to {display(decision.did.number, config.country)} from {caller}"
    yield f"{explained.at:%a %Y-%m-%d %H:%M:%S %Z} ({config.timezone})"
    yield ""
    yield "Rules, in the order they were looked at:"
    for reason in decision.reasons:
        yield from _row(reason.rule, reason.text)
    yield ""
    yield from _rings(explained, decision.plan) if decision.plan else _refusal(explained)
    yield from _callback(explained)


def _row(key: str, text: str) -> Iterator[str]:
    first = f"  {key:<{KEY_WIDTH}}  "
    indent = " " * (KEY_WIDTH + 4)
    if len(first) > len(indent):
        yield f"  {key}"
        first = indent
    yield from textwrap.wrap(safe_text(text, 400), WIDTH, initial_indent=first, subsequent_indent=indent)


def _refusal(explained: Explained) -> Iterator[str]:
    outcome = explained.decision.refused
    yield f"Nobody rings. The call ends as: {outcome}."
    if outcome == "closed":
        opens = explained.opens
        yield f"Next open: {opens:%a %Y-%m-%d %H:%M %Z}." if opens else "Not open within the next 400 days."


def _callback(explained: Explained) -> Iterator[str]:
    if explained.due:
        yield f"Missed, it opens a callback, due {explained.due:%a %Y-%m-%d %H:%M %Z}."
    elif explained.campaign.callback is None:
        yield "Missed, it opens no callback: the campaign has none."
    else:
        yield "Missed, it opens no callback: the number is withheld (--from gives one)."


def _rings(explained: Explained, plan: Plan) -> Iterator[str]:
    yield "Who rings, as long as nobody answers:"
    for step, offset, seconds in _offsets(plan):
        when = _after(offset)
        for target in step.targets:
            ring = f"for {seconds:g} s" if seconds else "never: the longest wait is over"
            yield f"{when}{safe_text(target.name, 30)}, {_mobile(explained, target)}, {ring}"
            when = _after(None)
            yield from _ways(explained, target)
    yield f"{_after(_end(plan))}nobody answered ({plan.max_wait:g} s is the longest wait)"


def _ways(explained: Explained, target: Target) -> Iterator[str]:
    """The trunks in their order: each is tried when the one before it cannot place the leg."""
    for place, route in enumerate(target.routes):
        shown = display(route.caller_id, explained.config.country) if route.caller_id else "anonymous"
        dial = f" as {route.endpoint}" if explained.numbers else ""
        yield f"{_after(None)}{'else ' if place else ''}over {route.trunk}{dial}, showing {shown}"


def _after(seconds: float | None) -> str:
    return " " * 12 if seconds is None else f"{f'+{seconds:g} s':>10}  "
