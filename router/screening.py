"""What is done with a caller before anybody rings: blocked, challenged, or a VIP. Pure.

Lists hold whole numbers and prefixes that end in `*`; a caller who withholds the number is on none of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from router.model import Caller, Reason, Screening, Vip, Withheld


def blocked(screening: Screening, caller: Caller, recent: Mapping[str, int], reasons: list[Reason]) -> bool:
    """Whether the call ends here. `recent`: number -> its calls of the last 60 seconds, this one not among them."""
    if caller.number is None:
        return _withheld(screening.withheld, reasons)
    if screening.block:
        place = _place(screening.block, caller.number)
        if place is not None:
            reasons.append(Reason(f"screening.block[{place}]", "the caller is blocked"))
            return True
        reasons.append(Reason("screening.block", "the caller is not on it"))
    return capped(screening, caller, recent, reasons)


def capped(screening: Screening, caller: Caller, recent: Mapping[str, int], reasons: list[Reason]) -> bool:
    """Whether this number has called too often within the last 60 seconds (`recent`)."""
    cap = screening.max_per_minute
    if cap is None or caller.number is None:
        return False
    call = recent.get(caller.number, 0) + 1
    reasons.append(Reason("screening.max_per_minute", f"call {call} in a minute, {cap} are let in"))
    return call > cap


def challenged(screening: Screening, caller: Caller) -> bool:
    """Whether the caller must press 1 before anybody rings."""
    return caller.number is None and screening.withheld is Withheld.CHALLENGE


def find_vip(screening: Screening, caller: Caller, reasons: list[Reason]) -> Vip | None:
    """The first VIP entry that has the caller's number."""
    if not screening.vips or caller.number is None:
        return None
    for vip in screening.vips:
        if _place(vip.numbers, caller.number) is not None:
            reasons.append(Reason(f"screening.vips.{vip.id}", "a VIP: rings whatever the hour"))
            return vip
    reasons.append(Reason("screening.vips", "the caller is none of them"))
    return None


def _withheld(rule: Withheld, reasons: list[Reason]) -> bool:
    if rule is Withheld.BLOCK:
        reasons.append(Reason("screening.withheld", "withheld numbers are blocked"))
    elif rule is Withheld.CHALLENGE:
        reasons.append(Reason("screening.withheld", "withheld: the caller must press 1"))
    return rule is Withheld.BLOCK


def _place(patterns: tuple[str, ...], number: str) -> int | None:
    """Where in the list the number stands: itself, else the longest prefix of it; None when it does not."""
    places = _places(patterns)
    if number in places:
        return places[number]
    for length in range(len(number), 0, -1):
        place = places.get(number[:length] + "*")
        if place is not None:
            return place
    return None


@lru_cache(maxsize=1024)
def _places(patterns: tuple[str, ...]) -> dict[str, int]:
    """Pattern -> its place: block lists are long, and every call asks."""
    return {pattern: place for place, pattern in reversed(list(enumerate(patterns)))}
