"""Loopback ports that no second copy uses: one block a running sandbox, held by a lock as long as it lives."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

from sandbox.errors import SandboxError
from sandbox.fetch import cache

FIRST = 4_000
BLOCK = 2_000
BLOCKS = 14
"""4000 to 31999: below Linux's ephemeral ports (32768 on), so that no outgoing connection takes one."""
NAMED = 6
"""The first ports of a block have a name each."""


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports of one sandbox. RTP ranges are inclusive."""

    sip: int
    http: int
    ami: int
    carrier: int
    second_carrier: int
    spare: tuple[int, ...]
    """For callers, proxies and whatever a test listens on."""
    phones_rtp: tuple[int, int]
    rtp: tuple[int, int]

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> Ports:
        """What `dataclasses.asdict` and JSON made of one."""
        return cls(
            sip=data["sip"],
            http=data["http"],
            ami=data["ami"],
            carrier=data["carrier"],
            second_carrier=data["second_carrier"],
            spare=tuple(data["spare"]),
            phones_rtp=(data["phones_rtp"][0], data["phones_rtp"][1]),
            rtp=(data["rtp"][0], data["rtp"][1]),
        )


class Reservation:
    """A block of ports; `release` gives it back. A process that dies gives it back too."""

    def __init__(self, ports: Ports, lock: IO[str]) -> None:
        self.ports = ports
        self._lock = lock

    def release(self) -> None:
        self._lock.close()


def reserve() -> Reservation:
    """The first block that nobody holds and whose ports are free. Raises SandboxError when all are taken."""
    folder = cache() / "ports"
    folder.mkdir(parents=True, exist_ok=True)
    for number in _order():
        lock = (folder / str(number)).open("w", encoding="utf-8")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            continue
        base = FIRST + number * BLOCK
        if all(_free(port) for port in range(base, base + 200)):
            return Reservation(_ports(base), lock)
        lock.close()
    raise SandboxError("every block of ports between 4000 and 31999 is in use; stop another copy of the sandbox")


def _order() -> Iterator[int]:
    """Each user begins elsewhere: another user's locks cannot be seen."""
    begin = os.getuid() % BLOCKS
    yield from range(begin, BLOCKS)
    yield from range(begin)


def _ports(base: int) -> Ports:
    return Ports(
        sip=base,
        http=base + 1,
        ami=base + 2,
        carrier=base + 3,
        second_carrier=base + 4,
        spare=tuple(range(base + NAMED, base + 200)),
        phones_rtp=(base + 200, base + 499),
        rtp=(base + 500, base + BLOCK - 1),
    )


def _free(port: int) -> bool:
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind == socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True
