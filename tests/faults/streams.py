"""Speech that goes through while something dies: packets counted at the phones, both sides of each talk."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sandbox.audio import PACKET_SECONDS, Heard
from tests.faults.conftest import Fault
from tests.faults.fleet import Wave

CALLER, MOBILE = 700, 1000
"""Hz: what the caller and the mobile send all the while."""
ENOUGH = 0.8
"""The part of all packets that must come through on a busy machine whose phones are one process."""
LONGEST = 1.0
"""Seconds without a packet that are no hole in a talk: a busy machine's phones send late, and then catch up."""


@dataclass(frozen=True, slots=True)
class Stream:
    """What one phone received between two moments."""

    packets: int
    share: float
    """Of the packets that 20 ms each make of that time."""
    hole: float
    """The longest time without one, in seconds."""


def stream(heard: Heard, since: float, until: float) -> Stream:
    moments = [packet.at for packet in heard.packets if since <= packet.at <= until]
    edges = [since, *moments, until]
    hole = max(after - before for before, after in itertools.pairwise(edges))
    return Stream(len(moments), len(moments) * PACKET_SECONDS / (until - since), hole)


def streams(wave: Wave, since: float, until: float) -> Iterator[Stream]:
    """Both sides of every talk of this wave."""
    rung = wave.rung()
    for number, dialog in wave.dialogs().items():
        assert wave.placed is not None
        yield stream(wave.placed.heard(dialog), since, until)
        for leg in rung[number]:
            yield stream(wave.site.carrier.heard(leg), since, until)


def unbroken(fault: Fault, found: Iterable[Stream], sides: int) -> None:
    """Put down what went through, and fail when a talk had a hole."""
    every = list(found)
    assert len(every) == sides, "each talk has two sides"
    fault.measured(f"packets on {sides} sides", sum(each.packets for each in every))
    fault.measured("least of a side", 100 * min(each.share for each in every), "%")
    fault.measured("longest hole", 1000 * max(each.hole for each in every), "ms")
    assert min(each.share for each in every) > ENOUGH
    assert max(each.hole for each in every) < LONGEST
