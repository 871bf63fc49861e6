"""Decisions for the tests of router.routing: by day and by night, among three people, and told in a few words."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from router.model import Acquaintance, Campaign, Config, Decision, Salesperson, Screening, Target
from tests.build import BOB, CAROL, make_campaign, make_config, make_salesperson

OPEN = datetime(2026, 11, 24, 10, 0, tzinfo=ZoneInfo("Europe/Paris"))
NIGHT = datetime(2026, 11, 24, 23, 0, tzinfo=ZoneInfo("Europe/Paris"))
NOW = OPEN.timestamp()
SWITCHBOARD = "+33145000000"
PEOPLE = (make_salesperson(), make_salesperson("bob", BOB), make_salesperson("carol", CAROL))
GONE = "2026-11-24"
MONTH = 30 * 86400.0


def config(
    campaign: Campaign | None = None,
    *,
    people: tuple[Salesperson, ...] = PEOPLE,
    screening: Screening | None = None,
) -> Config:
    return make_config(campaigns=[campaign or make_campaign()], salespeople=people, screening=screening)


def absent(*gone: str) -> tuple[Salesperson, ...]:
    days = make_salesperson(absent=[GONE]).absent
    return tuple(replace(one, absent=days) if one.id in gone else one for one in PEOPLE)


def spoke(person: str, ago: float) -> Acquaintance:
    return Acquaintance(NOW - ago, person, NOW - ago)


def rules(decision: Decision) -> dict[str, str]:
    return {reason.rule: reason.text for reason in decision.reasons}


def rung(decision: Decision, hunt: int = 0) -> list[list[str]]:
    assert decision.plan is not None
    return [[target.salesperson for target in step.targets] for step in decision.plan.hunts[hunt].steps]


def waits(decision: Decision) -> list[float]:
    assert decision.plan is not None
    return [hunt.max_wait for hunt in decision.plan.hunts]


def targets(decision: Decision) -> list[Target]:
    assert decision.plan is not None
    return [target for hunt in decision.plan.hunts for step in hunt.steps for target in step.targets]
