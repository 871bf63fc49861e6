"""What `check` says of an accepted configuration without refusing it."""

from __future__ import annotations

from datetime import date
from ipaddress import ip_address
from urllib.parse import urlsplit

from router.config.every_ring import Remarks, campaigns, rings
from router.config.presence import absence_remarks
from router.config.ring_times import time_remarks
from router.config.week import DAYS, window_text
from router.errors import Problem
from router.model import Config, Hours
from router.numbers import in_use

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
MOST_NUMBERS = 20
"""Numbers named one by one; a whole range that is unknown is one remark, not ten thousand."""


def warnings(config: Config, today: date) -> tuple[Problem, ...]:
    """Every remark, without a place in the file: `path` says which key is meant."""
    return tuple(
        Problem(0, 0, path, wrong, mend)
        for remarks in (
            _people(config),
            _hours(config),
            absence_remarks(config, today),
            time_remarks(config),
            _callbacks(config),
            _numbers(config),
            _ari(config),
            _health(config),
        )
        for path, wrong, mend in remarks
    )


def _people(config: Config) -> Remarks:
    listed = {person for placed in rings(config) for person in placed.ring.to}
    owner: dict[str, str] = {}
    for person in config.salespeople.values():
        path = f"salespeople.{person.id}"
        if person.id not in listed:
            yield path, "no campaign rings this person", "add the id to a campaign's ring.to, or remove the person"
        other = owner.setdefault(person.mobile, person.id)
        if other != person.id:
            yield f"{path}.mobile", f"is the mobile of {other} too", "give each person a mobile of their own"


def _hours(config: Config) -> Remarks:
    used = {campaign.hours for _, campaign in campaigns(config)}
    for hours in config.hours.values():
        path = f"hours.{hours.id}"
        if hours.id not in used:
            yield (
                path,
                "no campaign keeps these hours",
                "name them in defaults.hours or in a campaign, or remove them",
            )
        yield from _crossings(path, hours)


def _crossings(path: str, hours: Hours) -> Remarks:
    """One remark for each window that crosses midnight, with the days on which it begins."""
    days: dict[str, list[str]] = {}
    for day, windows in enumerate(hours.weekly):
        for window in windows:
            if window.end <= window.start:
                days.setdefault(window_text(window), []).append(DAYS[day])
    for entry in hours.open:
        for window in entry.windows:
            if window.end <= window.start:
                days.setdefault(window_text(window), []).append(entry.day.isoformat())
    for text, begun in days.items():
        wrong = (
            f"{text} crosses midnight: open from {text[:5]} until {text[6:]} of the next day ({', '.join(begun)})"
        )
        yield path, wrong, "leave it if that is meant, else exchange the times"


def _callbacks(config: Config) -> Remarks:
    for path, campaign in campaigns(config):
        policy = campaign.callback
        if policy and policy.expire <= policy.due:
            yield f"{path}.callback", "a callback expires before it is due", "write a longer expire"


def _numbers(config: Config) -> Remarks:
    strange = [number for number in config.by_number if not in_use(number)]
    for number in strange[:MOST_NUMBERS]:
        path = f"campaigns.{config.by_number[number].id}.numbers"
        yield path, f"{number} lies in no range known to be in use", "look for a wrong digit"
    if len(strange) > MOST_NUMBERS:
        more = len(strange) - MOST_NUMBERS
        yield "campaigns", f"{more} more numbers lie in no range known to be in use", "look for wrong digits"


def _ari(config: Config) -> Remarks:
    parts = urlsplit(config.ari.url)
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        yield (
            "asterisk.ari.url",
            "the password travels unencrypted over the network",
            "write https://, or use 127.0.0.1",
        )


def _health(config: Config) -> Remarks:
    if config.health and not ip_address(config.health.host).is_loopback:
        yield (
            "health.listen",
            "answers whoever reaches this machine, without a password",
            "write 127.0.0.1:9180, or let a firewall admit the monitoring alone",
        )
