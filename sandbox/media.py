"""What the phones send as RTP: a tone, and keys as telephone events. Files for SIPp's `rtp_stream`.

SIPp sends these through ordinary sockets. Its `play_dtmf` and `play_pcap_audio` open raw sockets, which needs root,
so keys go out as a stream whose packets hold telephone events (RFC 4733): `rtp_stream` takes any dynamic payload
type with iLBC's packet size of 50 bytes each 30 ms, and Asterisk reads the event in the first four.
"""

from __future__ import annotations

import math
from pathlib import Path

from sandbox.errors import SandboxError

EVENT_PAYLOAD = 101
"""The payload type of telephone-event on both sides: Asterisk's own choice when it offers."""
PACKET = 50
TICKS = 240
KEYS = "0123456789*#ABCD"
"""In the order of their event codes (RFC 4733, section 3.2)."""
KEY_SECONDS = 0.2
"""From one key to the next: 120 ms down, the rest up."""


def write_files(folder: Path) -> None:
    """`tone.ulaw`, a second of 425 Hz, and `key<n>.events` for each key."""
    (folder / "tone.ulaw").write_bytes(
        bytes(_ulaw(8000 * math.sin(2 * math.pi * 425 * n / 8000)) for n in range(8000))
    )
    for code, _ in enumerate(KEYS):
        (folder / f"key{code}.events").write_bytes(_key(code))


def key_file(key: str) -> str:
    """The file of that key. Raises SandboxError when a telephone has no such key."""
    if key.upper() not in KEYS:
        raise SandboxError(f"{key!r} is no key of a telephone; there are {KEYS}")
    return f"key{KEYS.index(key.upper())}.events"


def _key(code: int) -> bytes:
    """Three packets while the key is down and one for its end: on loopback none gets lost, so none is repeated."""
    events = [(code, 10, TICKS * n) for n in (1, 2, 3)] + [(code, 0x80 | 10, TICKS * 4)]
    return b"".join(
        (bytes((event, flags)) + ticks.to_bytes(2, "big")).ljust(PACKET, b"\0") for event, flags, ticks in events
    )


def _ulaw(sample: float) -> int:
    """One linear 16-bit sample as G.711 mu-law (ITU-T G.711, table 2)."""
    magnitude = min(abs(int(sample)), 32635) + 132
    exponent = magnitude.bit_length() - 8
    mantissa = (magnitude >> (exponent + 3)) & 0x0F
    return ~((0x80 if sample < 0 else 0) | exponent << 4 | mantissa) & 0xFF
