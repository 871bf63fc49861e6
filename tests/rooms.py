"""Which rooms of router/ decide: they import each other and nothing that touches the world, and every branch of
them is tested."""

from __future__ import annotations

from pathlib import Path

PURE = {
    "call",
    "callbacks",
    "caller_id",
    "dialled",
    "dialplan",
    "dress",
    "errors",
    "events",
    "fallback_plan",
    "finish",
    "hunt",
    "ids",
    "inbound",
    "known",
    "menu",
    "model",
    "numbers",
    "ordering",
    "outcome",
    "records",
    "recovery",
    "routing",
    "schedule",
    "screening",
    "spoken",
    "state",
}


def files(room: str) -> list[Path]:
    """The source of a room: a module, or the modules of a package."""
    place = Path(__file__).parents[1] / "router" / room
    return sorted(place.rglob("*.py")) if place.is_dir() else [place.with_suffix(".py")]
