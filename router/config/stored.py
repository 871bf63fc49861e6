"""A Config's parts as JSON text and back, for the compiled routes. Standard library only."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from types import MappingProxyType

from router.model import (
    Accept,
    Ari,
    CallbackPolicy,
    Campaign,
    Config,
    Cost,
    Hours,
    OpenDay,
    Ring,
    Salesperson,
    Secret,
    Span,
    Strategy,
    Trunk,
    Window,
)


@dataclass(frozen=True, slots=True)
class Frame:
    """What every call needs of a Config; campaigns, people and hours are empty until `complete`."""

    config: Config
    calling_code: str
    national_prefix: str

    def complete(
        self,
        campaigns: Mapping[str, Campaign],
        unknown: Campaign,
        people: Iterable[Salesperson],
        hours: Iterable[Hours],
    ) -> Config:
        """The Config; `campaigns` goes by DID."""
        return replace(
            self.config,
            by_number=MappingProxyType(dict(campaigns)),
            campaigns=MappingProxyType({campaign.id: campaign for campaign in campaigns.values()}),
            unknown=unknown,
            salespeople=MappingProxyType({person.id: person for person in people}),
            hours=MappingProxyType({one.id: one for one in hours}),
        )


def frame_text(config: Config, calling_code: tuple[str, str]) -> str:
    trunks = [
        [trunk.id, trunk.dial, trunk.endpoint, trunk.identity, trunk.did_from, trunk.number_format]
        for trunk in config.trunks.values()
    ]
    return _text(
        {
            "version": config.version,
            "file": config.file,
            "country": config.country,
            "timezone": config.timezone,
            "language": config.language,
            "node": config.node,
            "database": config.database,
            "ari": [config.ari.url, config.ari.username, config.ari.app, config.ari.transport],
            "trunks": trunks,
            "calling_code": calling_code,
        }
    )


def frame_from(text: str) -> Frame:
    kept = json.loads(text)
    trunks = [
        Trunk(name, dial, endpoint, identity, tuple(did_from), number_format)
        for name, dial, endpoint, identity, did_from, number_format in kept["trunks"]
    ]
    nobody = Ring(Strategy.SEQUENTIAL, (), 0.0, 0.0)
    config = Config(
        version=kept["version"],
        file=kept["file"],
        country=kept["country"],
        timezone=kept["timezone"],
        language=kept["language"],
        node=kept["node"],
        database=kept["database"],
        ari=Ari(*kept["ari"]),
        ari_password=Secret(""),
        ami=None,
        ami_password=None,
        trunks=MappingProxyType({trunk.id: trunk for trunk in trunks}),
        hours={},
        salespeople={},
        campaigns={},
        unknown=Campaign("unknown", "", "", (), None, Accept.NONE, "did", nobody, None),
        by_number={},
    )
    return Frame(config, *kept["calling_code"])


def campaign_text(campaign: Campaign) -> str:
    ring, policy = campaign.ring, campaign.callback
    return _text(
        {
            "id": campaign.id,
            "name": campaign.name,
            "medium": campaign.medium,
            "numbers": campaign.numbers,
            "hours": campaign.hours,
            "accept": campaign.accept.value,
            "caller_id": campaign.caller_id,
            "ring": [ring.strategy.value, ring.to, ring.timeout, ring.max_wait],
            "callback": [policy.due, policy.retries, policy.expire] if policy else None,
            "cost": [[str(one.amount), one.currency, _day(one.first), _day(one.last)] for one in campaign.cost],
        }
    )


def campaign_from(text: str) -> Campaign:
    kept = json.loads(text)
    strategy, to, timeout, max_wait = kept["ring"]
    policy = kept["callback"]
    return Campaign(
        id=kept["id"],
        name=kept["name"],
        medium=kept["medium"],
        numbers=tuple(kept["numbers"]),
        hours=kept["hours"],
        accept=Accept(kept["accept"]),
        caller_id=kept["caller_id"],
        ring=Ring(Strategy(strategy), tuple(to), timeout, max_wait),
        callback=CallbackPolicy(policy[0], tuple(policy[1]), policy[2]) if policy else None,
        cost=tuple(
            Cost(Decimal(amount), currency, first and date.fromisoformat(first), last and date.fromisoformat(last))
            for amount, currency, first, last in kept["cost"]
        ),
    )


def person_text(person: Salesperson) -> str:
    return _text([person.id, person.name, person.mobile, person.timezone, _spans(person.absent)])


def person_from(text: str) -> Salesperson:
    name, shown, mobile, timezone, absent = json.loads(text)
    return Salesperson(name, shown, mobile, timezone, _spans_from(absent))


def hours_text(hours: Hours) -> str:
    return _text(
        {
            "id": hours.id,
            "timezone": hours.timezone,
            "weekly": [_windows(windows) for windows in hours.weekly],
            "holidays": {day.isoformat(): name for day, name in hours.holidays.items()},
            "closed": _spans(hours.closed),
            "open": [[entry.day.isoformat(), _windows(entry.windows)] for entry in hours.open],
        }
    )


def hours_from(text: str) -> Hours:
    kept = json.loads(text)
    return Hours(
        id=kept["id"],
        timezone=kept["timezone"],
        weekly=tuple(_windows_from(windows) for windows in kept["weekly"]),
        holidays=MappingProxyType({date.fromisoformat(day): name for day, name in kept["holidays"].items()}),
        closed=_spans_from(kept["closed"]),
        open=tuple(OpenDay(date.fromisoformat(day), _windows_from(windows)) for day, windows in kept["open"]),
    )


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _day(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _spans(spans: Iterable[Span]) -> list[tuple[str, str]]:
    return [(span.first.isoformat(), span.last.isoformat()) for span in spans]


def _spans_from(kept: Iterable[tuple[str, str]]) -> tuple[Span, ...]:
    return tuple(Span(date.fromisoformat(first), date.fromisoformat(last)) for first, last in kept)


def _windows(windows: Iterable[Window]) -> list[tuple[int, int]]:
    return [(window.start, window.end) for window in windows]


def _windows_from(kept: Iterable[tuple[int, int]]) -> tuple[Window, ...]:
    return tuple(Window(start, end) for start, end in kept)
