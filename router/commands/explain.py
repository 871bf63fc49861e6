"""`callrouter explain`: rule by rule, what a call would do. The live decision, with no call."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from router.commands.explained import Explained, as_json, as_text, end
from router.numbers import safe_text

if TYPE_CHECKING:
    from router.commands.context import Context
    from router.model import Config, Decision, Inbound, Situation

YEARS = range(2000, 2100)
"""What `--at` takes: far from the ends of the calendar, where looking ahead would fall off."""


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
@click.option(
    "--seed", type=int, default=0, show_default=True, metavar="N", help="Which lot is drawn for a weighted list."
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
def command(context: Context, to: str, caller: str, at: str | None, seed: int, numbers: bool, form: str) -> None:
    """Say who would ring for a number, when, and which rule decided."""
    config = context.config()
    moment = read_time(at, config.timezone) if at is not None else datetime.now(ZoneInfo(config.timezone))
    explained = explain(config, _inbound(config, to, caller), moment, seed=seed, numbers=numbers)
    if form == "json":
        click.echo(json.dumps(as_json(explained), ensure_ascii=False, indent=2))
    else:
        click.echo("\n".join(as_text(explained)))


def explain(config: Config, inbound: Inbound, at: datetime, *, seed: int, numbers: bool) -> Explained:
    """The decision on a call at `at`, in which every leg rings out."""
    from router.model import Outcome, Situation
    from router.routing import decide
    from router.schedule import next_open

    past = read_situation(config, inbound, at)
    decision = decide(config, inbound, at, replace(past or Situation(), seed=seed))
    campaign = config.campaigns.get(decision.campaign, config.unknown)
    hours = config.hours[campaign.hours] if campaign.hours is not None else None
    opens = next_open(hours, at) if hours is not None and decision.refused is Outcome.CLOSED else None
    due = _due(config, decision, at)
    return Explained(config, campaign, decision, at, opens, due, history=past is not None, numbers=numbers)


def read_situation(config: Config, inbound: Inbound, at: datetime) -> Situation | None:
    """Pauses, turns and this caller's earlier calls out of the database; None when it cannot be read."""
    from router.errors import StoreError
    from router.routing import find_caller
    from router.store.database import reading
    from router.store.history import situation

    try:
        with reading(config.database) as connection:
            return situation(connection, at.timestamp(), find_caller(config, inbound).number)
    except StoreError:
        return None


def _due(config: Config, decision: Decision, at: datetime) -> datetime | None:
    """When the callback of this call is due, should nobody take it."""
    from router.callbacks import wish
    from router.model import Outcome

    if decision.staff is not None:
        return None
    campaign = config.campaigns.get(decision.campaign, config.unknown)
    hours = config.hours[campaign.hours] if campaign.hours is not None else None
    ended_at = at.timestamp() + end(decision.plan)
    task = wish(campaign, hours, decision.caller, decision.refused or Outcome.NO_ANSWER, ended_at)
    return datetime.fromtimestamp(task.due_at, at.tzinfo) if task else None


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
