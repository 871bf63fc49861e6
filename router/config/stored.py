"""A Config's parts as JSON text and back, for the compiled routes. Standard library only."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from router.model import (
    Accept,
    Ari,
    CallbackPolicy,
    Campaign,
    Config,
    Cost,
    Hours,
    OpenDay,
    Overflow,
    Ring,
    RingStep,
    Salesperson,
    Screening,
    Secret,
    Sound,
    Span,
    Speech,
    Strategy,
    Trunk,
    Vip,
    Voicemail,
    Window,
    Withheld,
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
    screening = config.screening
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
            "trunks": [_trunk(trunk) for trunk in config.trunks.values()],
            "screening": {
                "block": screening.block,
                "vips": [[vip.id, vip.numbers, _ring(vip.ring)] for vip in screening.vips],
                "withheld": screening.withheld.value,
                "max_per_minute": screening.max_per_minute,
            },
            "speech": config.speech.command,
            "calling_code": calling_code,
        }
    )


def frame_from(text: str) -> Frame:
    kept = json.loads(text)
    trunks = [_trunk_from(one) for one in kept["trunks"]]
    screening = kept["screening"]
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
        screening=Screening(
            block=tuple(screening["block"]),
            vips=tuple(Vip(name, tuple(numbers), _ring_from(ring)) for name, numbers, ring in screening["vips"]),
            withheld=Withheld(screening["withheld"]),
            max_per_minute=screening["max_per_minute"],
        ),
        speech=Speech(tuple(kept["speech"])),
    )
    return Frame(config, *kept["calling_code"])


def campaign_text(campaign: Campaign) -> str:
    policy = campaign.callback
    return _text(
        {
            "id": campaign.id,
            "name": campaign.name,
            "medium": campaign.medium,
            "numbers": campaign.numbers,
            "hours": campaign.hours,
            "accept": campaign.accept.value,
            "accept_timeout": campaign.accept_timeout,
            "whisper": _sound(campaign.whisper),
            "caller_id": campaign.caller_id,
            "ring": _ring(campaign.ring),
            "overflow": _overflow(campaign.overflow),
            "closed": _overflow(campaign.closed),
            "callback": [policy.due, policy.retries, policy.expire] if policy else None,
            "cost": [[str(one.amount), one.currency, _day(one.first), _day(one.last)] for one in campaign.cost],
        }
    )


def campaign_from(text: str) -> Campaign:
    kept = json.loads(text)
    policy = kept["callback"]
    return Campaign(
        id=kept["id"],
        name=kept["name"],
        medium=kept["medium"],
        numbers=tuple(kept["numbers"]),
        hours=kept["hours"],
        accept=Accept(kept["accept"]),
        accept_timeout=kept["accept_timeout"],
        whisper=_sound_from(kept["whisper"]),
        caller_id=kept["caller_id"],
        ring=_ring_from(kept["ring"]),
        overflow=_overflow_from(kept["overflow"]),
        closed=_overflow_from(kept["closed"]),
        callback=CallbackPolicy(policy[0], tuple(policy[1]), policy[2]) if policy else None,
        cost=tuple(
            Cost(Decimal(amount), currency, first and date.fromisoformat(first), last and date.fromisoformat(last))
            for amount, currency, first, last in kept["cost"]
        ),
    )


def person_text(person: Salesperson) -> str:
    accept = person.accept.value if person.accept else None
    rest = [person.max_calls, accept, person.voicemail_after]
    return _text([person.id, person.name, person.mobile, person.timezone, _spans(person.absent), *rest])


def person_from(text: str) -> Salesperson:
    name, shown, mobile, timezone, absent, max_calls, accept, voicemail_after = json.loads(text)
    return Salesperson(
        name,
        shown,
        mobile,
        timezone,
        _spans_from(absent),
        max_calls=max_calls,
        accept=Accept(accept) if accept else None,
        voicemail_after=voicemail_after,
    )


def _trunk(trunk: Trunk) -> dict[str, object]:
    """Its fields: each one is a text, a number, a truth or a list of texts."""
    return {name: getattr(trunk, name) for name in Trunk.__slots__}


def _trunk_from(kept: dict[str, Any]) -> Trunk:
    return Trunk(**kept | {"did_from": tuple(kept["did_from"])})


def _ring(ring: Ring) -> list[object]:
    steps = [(step.to, step.timeout, step.keep) for step in ring.steps]
    weights = dict(ring.weights)
    return [ring.strategy.value, ring.to, ring.timeout, ring.max_wait, weights, steps, ring.sticky]


def _ring_from(kept: list[Any]) -> Ring:
    strategy, to, timeout, max_wait, weights, steps, sticky = kept
    return Ring(
        Strategy(strategy),
        tuple(to),
        timeout,
        max_wait,
        weights=MappingProxyType(weights),
        steps=tuple(RingStep(tuple(people), seconds, keep) for people, seconds, keep in steps),
        sticky=sticky,
    )


def _sound(sound: Sound | None) -> list[str] | None:
    return [sound.text, sound.file] if sound else None


def _sound_from(kept: list[str] | None) -> Sound | None:
    return Sound(*kept) if kept else None


def _overflow(overflow: Overflow | None) -> dict[str, object] | None:
    if overflow is None:
        return None
    message = overflow.voicemail
    return {
        "ring": _ring(overflow.ring) if overflow.ring else None,
        "number": overflow.number,
        "timeout": overflow.timeout,
        "announcement": _sound(overflow.announcement),
        "voicemail": [_sound(message.announcement), message.longest] if message else None,
    }


def _overflow_from(kept: dict[str, Any] | None) -> Overflow | None:
    if kept is None:
        return None
    message = kept["voicemail"]
    return Overflow(
        ring=_ring_from(kept["ring"]) if kept["ring"] else None,
        number=kept["number"],
        timeout=kept["timeout"],
        announcement=_sound_from(kept["announcement"]),
        voicemail=Voicemail(Sound(*message[0]), message[1]) if message else None,
    )


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
