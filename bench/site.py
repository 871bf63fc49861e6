"""What all contenders share: one Asterisk, the phones, a folder, one DID and one mobile."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sandbox.asterisk import Asterisk
from sandbox.behaviours import Answer
from sandbox.phones import Caller, Carrier

CHECKOUT = Path(__file__).resolve().parent.parent
PEERS = CHECKOUT / "bench" / "peers"
DID = "+33184801001"
MOBILE = "+33612345678"
RING = 0.2
"""Seconds for which the mobile rings before it answers."""
TALK = 1.0
CLIMB_TALK = 0.2
"""Seconds from the answer to the caller's BYE. Nobody speaks: media costs every contender the same, and would only
make them look nearer to each other than they are. The climb's calls are shorter: at 100 and more a second, the RTP
ports would run out before the processor does."""


@dataclass(frozen=True, slots=True)
class Site:
    """`carrier` plays the mobile; `caller` places the calls, each from the next of `numbers`."""

    asterisk: Asterisk
    carrier: Carrier
    caller: Caller
    folder: Path
    numbers: Iterator[str]

    @classmethod
    def on(cls, asterisk: Asterisk) -> Site:
        """Around an Asterisk that runs. Raises SandboxError when the mobile cannot be played."""
        phones = asterisk.folder / "phones"
        carrier = Carrier(asterisk.ports, phones).play({MOBILE: Answer(ring=RING)})
        numbers = (f"+3314{n:07d}" for n in itertools.count())
        return cls(asterisk, carrier, Caller(asterisk.ports, phones), asterisk.folder / "application", numbers)
