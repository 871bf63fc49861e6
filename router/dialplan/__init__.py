"""The third line of defence: campaigns.yaml as a dialplan that routes calls with nothing but Asterisk. Pure.

What is the same everywhere stands in asterisk_conf/extensions.conf; here the data are made that it works on: one
context per campaign, person and set of hours, and one line per number. Only ids, numbers, paths and dial strings
get into it, never a name: those have a fixed alphabet, which is checked again before they are written.

Hours come from router.schedule itself: it is asked about each of the coming days, so that the dialplan cannot
disagree with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from router.dialplan.campaigns import campaign_lines
from router.dialplan.hours import HORIZON_DAYS, day_spans, hours_lines
from router.dialplan.numbers import DIVERSIONS, did_lines, header_lines, header_sources, number_lines
from router.dialplan.shapes import ID, NUMBER, PATH, SOUND, WORD, checked
from router.model import Config, Overflow, Ring

__all__ = [
    "ALIVE_VARIABLE",
    "ARRIVING",
    "CONTEXT",
    "DEAD_MAN_MARGIN",
    "DIVERSIONS",
    "FILE",
    "FIRST_WORDS",
    "HANDOVER",
    "HORIZON_DAYS",
    "LEAVING",
    "LONGEST_SILENCE",
    "MADE_VARIABLE",
    "VERSION_VARIABLE",
    "Places",
    "day_spans",
    "generate",
    "header_sources",
]

FILE: Final = "callrouter-extensions.conf"
FIRST_WORDS: Final = "; Made by `callrouter asterisk conf`"
"""How each generated dialplan begins: a file that begins otherwise is somebody else's."""
CONTEXT: Final = "callrouter"
HANDOVER: Final = ("callrouter-fallback", "s", 1)
"""Context, extension and priority to which the router continues a call that it wants the fallback to take."""
ARRIVING: Final = frozenset(
    (CONTEXT, "callrouter-arrival", "callrouter-asked", "callrouter-headers", "callrouter-lookup")
)
"""Contexts of a caller who is on the way to the router."""
LEAVING: Final = "callrouter-left"
"""Context of a caller who has hung up, and of whom the hang-up handler leaves word."""
VERSION_VARIABLE: Final = "CALLROUTER_DIALPLAN"
"""Global variable that holds the version of the configuration that the loaded dialplan was made from."""
MADE_VARIABLE: Final = "CALLROUTER_DIALPLAN_MADE"
"""Global variable that holds the day it was made (YYYYMMDD)."""

ALIVE_VARIABLE: Final = "CALLROUTER_ALIVE"
"""Global variable that holds the router's sign of life (router.heartbeat): Asterisk's clock, a moment ago. Empty
where no router has given one. It stands in no file: a reload of the dialplan leaves it, or empties it for a second
(`clearglobalvars`)."""
LONGEST_SILENCE: Final = 3
"""Whole seconds by which that may differ from Asterisk's clock before new calls go straight to the fallback."""

DEAD_MAN_MARGIN: Final = 15.0
"""Seconds by which the dead man's timer is longer than the longest hunt."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where things stand on the Asterisk machine: absolute paths."""

    agi: str
    """The launcher of agi_scripts/route.py."""
    spool: str
    """The folder for the third line's records (router.store.fallback.folder)."""
    sounds: str = "/nonexistent"
    """The folder with a `<prompt>.wav` for each Prompt, in the company's language."""
    spoken: str = "/nonexistent"
    """The folder of what the router has had spoken (router.spoken.folder_of)."""


def generate(config: Config, static: str, places: Places, at: datetime, *, dead_man: float | None = None) -> str:
    """The whole dialplan: `static` is the text of asterisk_conf/extensions.conf, `at` (aware) the first day.

    `dead_man` seconds is how long a channel whose router died waits before the fallback takes it; by default a
    little longer than the longest hunt. Raises RouterError for a path or a name that cannot stand in a dialplan.
    """
    lines = [
        f"{FIRST_WORDS} from configuration {checked(WORD, config.version)}:",
        "; edit campaigns.yaml and make it again, do not edit this.",
        *_globals(config, places, at, dead_man or _longest(config) + DEAD_MAN_MARGIN),
        "",
        *static.splitlines(),
        "",
        "; --- From here on: campaigns.yaml -----------------------------------------------------------------",
        *header_lines(config),
        *did_lines(config),
        *number_lines(config),
        *campaign_lines(config, places.spoken),
    ]
    for index, hours in enumerate(config.hours.values(), 1):
        lines += hours_lines(hours, index, at)
    return "\n".join(lines) + "\n"


def _globals(config: Config, places: Places, at: datetime, dead_man: float) -> Iterator[str]:
    from phonenumbers import country_code_for_region, ndd_prefix_for_region

    ours = next(iter(config.by_number), "")
    yield "[globals]"
    yield f"{VERSION_VARIABLE}={checked(WORD, config.version)}"
    yield f"{MADE_VARIABLE}={at:%Y%m%d}"
    yield f"CALLROUTER_APP={checked(WORD, config.ari.app)}"
    yield f"CALLROUTER_AGI={checked(PATH, places.agi)}"
    yield f"CALLROUTER_SPOOL={checked(PATH, places.spool)}"
    yield f"CALLROUTER_SOUNDS={checked(SOUND, places.sounds)}"
    yield f"CALLROUTER_DEAD_MAN={dead_man:.0f}"
    yield f"CALLROUTER_LONGEST_SILENCE={LONGEST_SILENCE}"
    yield f"CALLROUTER_COUNTRY={country_code_for_region(config.country)}"
    yield f"CALLROUTER_PREFIX={ndd_prefix_for_region(config.country, True) or ''}"
    yield f"CALLROUTER_OURS={checked(NUMBER, ours) if ours else ''}"
    for id in config.trunks:
        checked(ID, id)


def _longest(config: Config) -> float:
    """Seconds for which a caller may ring at most."""
    vips = max((vip.ring.max_wait for vip in config.screening.vips), default=0.0)
    return max(
        max(max(_wait(campaign.ring), vips) + _overflow(campaign.overflow), _overflow(campaign.closed))
        for campaign in (*config.campaigns.values(), config.unknown)
    )


def _wait(ring: Ring | None) -> float:
    return ring.max_wait if ring is not None else 0.0


def _overflow(overflow: Overflow | None) -> float:
    if overflow is None:
        return 0.0
    return _wait(overflow.ring) + (overflow.timeout if overflow.number else 0.0)
