"""What `check` says of days on which nobody can be reached: everybody whom a call could ring is absent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from router.config.every_ring import Remarks, campaigns
from router.model import Campaign, Config, Hours, Overflow
from router.schedule import next_open

AHEAD: Final = 60
"""Days that are looked at: absences later than that are still being planned."""
MOST_SPANS: Final = 3


def absence_remarks(config: Config, today: date) -> Remarks:
    """Campaigns, on-call lists and VIPs that ring nobody on some of the coming days."""
    days = [today + timedelta(days=ahead) for ahead in range(AHEAD)]
    away = {
        person.id: {day for day in days if any(day in span for span in person.absent)}
        for person in config.salespeople.values()
        if person.absent
    }
    if not away:
        return
    opens: dict[str, frozenset[date]] = {}
    for path, campaign in campaigns(config):
        spans = _spans(_nobody(away, _reached(campaign)), _open_days(config, campaign.hours, days, opens))
        if spans and not (campaign.overflow and (campaign.overflow.number or campaign.overflow.voicemail)):
            wrong = f"everybody in it is absent {spans} while it is open"
            wrong += ", and nobody else of its overflow is there" if campaign.overflow else ""
            yield f"{path}.ring.to", wrong, "add somebody who is there, or an overflow"
        if campaign.hours is not None and (on_call := _on_call(campaign.closed)):
            yield from _all_day(f"{path}.closed.ring.to", _nobody(away, on_call), days)
    for vip in config.screening.vips:
        yield from _all_day(f"screening.vips.{vip.id}.ring.to", _nobody(away, vip.ring.to), days)


def _all_day(path: str, nobody: Iterable[date], days: Sequence[date]) -> Remarks:
    if spans := _spans(nobody, frozenset(days)):
        yield path, f"everybody in it is absent {spans}", "add somebody who is there"


def _reached(campaign: Campaign) -> tuple[str, ...]:
    """Everybody whom a call within hours may ring."""
    after = campaign.overflow.ring if campaign.overflow else None
    return campaign.ring.to + (after.to if after else ())


def _on_call(closed: Overflow | None) -> tuple[str, ...]:
    """The on-call list, where nothing but people is behind it."""
    alone = closed is not None and not closed.number and not closed.voicemail
    return closed.ring.to if alone and closed and closed.ring else ()


def _nobody(away: Mapping[str, set[date]], people: Sequence[str]) -> list[date]:
    """The days on which all of them are absent, in order."""
    if not all(person in away for person in people):
        return []
    return sorted(set.intersection(*(away[person] for person in people)))


def _open_days(
    config: Config, hours: str | None, days: Sequence[date], known: dict[str, frozenset[date]]
) -> frozenset[date]:
    """The days of `days` on which these hours open; None opens on all."""
    if hours is None:
        return frozenset(days)
    if hours not in known:
        known[hours] = frozenset(day for day in days if _opens_on(config.hours[hours], day))
    return known[hours]


def _opens_on(hours: Hours, day: date) -> bool:
    zone = ZoneInfo(hours.timezone)
    found = next_open(hours, datetime.combine(day, time(), zone))
    return found is not None and found.astimezone(zone).date() == day


def _spans(nobody: Iterable[date], opened: frozenset[date]) -> str:
    """`2026-08-03..2026-08-21, …`: the runs of days without a break in which it opens; empty when there is none."""
    runs: list[list[date]] = []
    for day in nobody:
        if runs and (day - runs[-1][-1]).days == 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    kept = [found for run in runs if (found := [day for day in run if day in opened])]
    shown = [f"{run[0]}..{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in kept[:MOST_SPANS]]
    return ", ".join(shown + (["…"] if len(kept) > MOST_SPANS else []))
