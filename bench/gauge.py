"""What a process holds, over time: memory and descriptors, read once a second while it is loaded."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from bench import proc
from sandbox import processes

EVERY = 1.0
"""Seconds between two readings."""


@dataclass(frozen=True, slots=True)
class Reading:
    """`at`: seconds since the first. Memory in bytes: resident, and of it what is the process's own. How much of
    its files is resident, or shared, may change with what other programs do."""

    at: float
    resident: int
    own: int
    descriptors: int


class Gauge:
    """Reads one process while the block runs; `readings` are there during and after it."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._done = threading.Event()
        self._reader = threading.Thread(target=self._read, name="gauge", daemon=True)
        self.readings: list[Reading] = []

    def __enter__(self) -> Self:
        self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._reader.join()

    def _read(self) -> None:
        began = time.monotonic()
        while processes.alive(self._pid):
            self.readings.append(
                Reading(
                    time.monotonic() - began,
                    processes.memory(self._pid),
                    proc.own_memory(self._pid),
                    processes.descriptors(self._pid),
                )
            )
            if self._done.wait(EVERY):
                return


def slope(points: Sequence[tuple[float, float]]) -> float:
    """How much the second rises for each one of the first: the least-squares line through them; 0 for fewer than
    two."""
    count = len(points)
    if count < 2:
        return 0.0
    mean_x, mean_y = sum(x for x, _ in points) / count, sum(y for _, y in points) / count
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0


def last_half(readings: Sequence[Reading]) -> list[Reading]:
    """Those of the second half of the time: what is filled once, is filled by then."""
    return [reading for reading in readings if reading.at >= readings[-1].at / 2]
