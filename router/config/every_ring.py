"""Each ring of an accepted configuration, with what it takes to judge it. Shared by the remarks of `check`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from router.model import Accept, Campaign, Config, Ring

Remarks = Iterator[tuple[str, str, str]]
"""(path of the key that is meant, what is odd about it, what to write instead)."""


@dataclass(frozen=True, slots=True)
class Placed:
    path: str
    ring: Ring
    accept: Accept


def campaigns(config: Config) -> Iterator[tuple[str, Campaign]]:
    """(path, campaign), the unknown number among them."""
    for campaign in config.campaigns.values():
        yield f"campaigns.{campaign.id}", campaign
    yield "unknown_number", config.unknown


def rings(config: Config) -> Iterator[Placed]:
    """Every ring that calls may come to. One that many campaigns have from the defaults comes once."""
    seen: set[tuple[object, ...]] = set()
    for path, campaign in campaigns(config):
        yield Placed(f"{path}.ring", campaign.ring, campaign.accept)
        for name, after in (("overflow", campaign.overflow), ("closed", campaign.closed)):
            if after is None or after.ring is None:
                continue
            ring = after.ring
            same = (name, campaign.accept, ring.strategy, ring.to, ring.timeout, ring.max_wait, ring.steps)
            if same not in seen:
                seen.add(same)
                yield Placed(f"{path}.{name}.ring", ring, campaign.accept)
    for vip in config.screening.vips:
        yield Placed(f"screening.vips.{vip.id}.ring", vip.ring, Accept.PRESS_1)
