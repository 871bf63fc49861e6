"""The signs of life at one moment, and what they come to. Nothing here does I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from router.ari.link import LinkHealth
from router.dialplan import LONGEST_SILENCE
from router.store.look import Look
from router.store.writer import WriterHealth

SPOOLED: Final = 5.0
"""Seconds for which rows may wait in the spool."""
SILENT: Final = 8.0
"""Seconds for which the database may not have answered: it is asked every 2.5."""
FULL: Final = 128 * 1024
"""Bytes free on the disk, below which hardly a row can be written."""
LITTLE: Final = 500 * 1024**2
"""Bytes free on the disk, below which it is said."""
SLOW: Final = 5.0
"""Seconds for which a request to Asterisk may be without an answer before it is said."""
LAG: Final = 0.5
"""Seconds by which the loop may be late before it is said: ring timers and keys wait as long."""


@dataclass(frozen=True, slots=True)
class TrunkState:
    down: bool
    legs: int


@dataclass(frozen=True, slots=True)
class Signs:
    """Times are seconds."""

    config: str | None
    """Version of the configuration in force; None before one is."""
    link: LinkHealth
    reconnects: int
    writer: WriterHealth
    spooled_for: float
    """Since when rows wait in the spool; 0 while none does."""
    look: Look | None
    """What the last look at the database found; None before the first."""
    looked: float
    """How long ago that was, or the first was asked for."""
    lag: float
    """The most by which the loop was late of late."""
    calls: int
    trunks: Mapping[str, TrunkState]
    reload_refused: bool
    fallback_stale: bool
    """The AGI script's routes could not be written."""
    heartbeat: float | None = None
    """Seconds by which our sign of life in Asterisk is old; None while there is none."""
    dialplan: str = ""
    """Why the third line is not of this configuration; empty when it is, or nobody knows."""


@dataclass(frozen=True, slots=True)
class Note:
    """`what` is one of a few words, `why` is for people."""

    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """`reasons` stop calls or their rows; what is `degraded` does not."""

    reasons: tuple[Note, ...]
    degraded: tuple[Note, ...]

    @property
    def ready(self) -> bool:
        return not self.reasons


def judge(signs: Signs) -> Verdict:
    return Verdict(tuple(_reasons(signs)), tuple(_degraded(signs)))


def _reasons(signs: Signs) -> Iterator[Note]:
    if signs.config is None:
        yield Note("configuration", "none is in force yet")
    if not signs.link.up:
        yield Note("link", signs.link.trouble)
    elif signs.heartbeat is not None and signs.heartbeat > LONGEST_SILENCE:
        yield Note("heartbeat", f"is {signs.heartbeat:.0f} s old: new calls go to the fallback")
    look = signs.look
    if signs.writer.last_error is not None:
        yield Note("database", signs.writer.last_error)
    elif signs.spooled_for > SPOOLED:
        yield Note(
            "database", f"{signs.writer.spooled} rows have waited in the spool for {signs.spooled_for:.0f} s"
        )
    elif look is not None and look.trouble:
        yield Note("database", look.trouble)
    if signs.looked > SILENT:
        yield Note("database", f"has not answered for {signs.looked:.0f} s")
    if look is not None and look.free is not None and look.free < FULL:
        yield Note("disk", f"is full: {look.free // 1024} KiB left beside the database")


def _degraded(signs: Signs) -> Iterator[Note]:
    for name, trunk in signs.trunks.items():
        if trunk.down:
            yield Note("trunk", f"{name} is down: it is tried last")
    if signs.link.up and signs.link.oldest > SLOW:
        yield Note("slow", f"Asterisk has not answered a request for {signs.link.oldest:.0f} s")
    if signs.lag > LAG:
        yield Note("lag", f"the loop was late by {signs.lag:.1f} s")
    if signs.writer.refused:
        yield Note("refused", f"{signs.writer.refused} rows that no table can hold lie in .refused")
    free = None if signs.look is None else signs.look.free
    if free is not None and FULL <= free < LITTLE:
        yield Note("disk", f"{free // 1024**2} MiB left beside the database")
    if signs.reload_refused:
        yield Note("reload", "campaigns.yaml was refused when it was last read: the old one is in force")
    if signs.fallback_stale:
        yield Note("fallback", "the AGI script has old routes: they could not be written")
    if signs.dialplan:
        yield Note("dialplan", signs.dialplan)
