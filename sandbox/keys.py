"""Keys of a telephone: which there are, when each is pressed, and how they look in RTP and in SIP."""

from __future__ import annotations

from sandbox import audio
from sandbox.errors import SandboxError

EVENT_PAYLOAD = 101
"""The payload type of telephone-event on both sides: Asterisk's own choice when it offers."""
KEYS = "0123456789*#ABCD"
"""In the order of their event codes (RFC 4733, section 3.2)."""
KEY_SECONDS = 0.2
"""From one key to the next: `DOWN` of it the key is held."""
DOWN = 0.12
WAIT, WAIT_SECONDS = "w", 0.5
"""A pause among the keys."""


def presses(keys: str, after: float, until: float | None = None) -> list[tuple[float, str]]:
    """When each key is pressed: the first `after` seconds; none that would begin at `until` or later.

    Raises SandboxError when a telephone has no such key.
    """
    moment = after
    found: list[tuple[float, str]] = []
    for key in keys:
        if key == WAIT:
            moment += WAIT_SECONDS
            continue
        code(key)
        if until is None or moment < until:
            found.append((moment, key.upper()))
        moment += KEY_SECONDS
    return found


def code(key: str) -> int:
    """The event code. Raises SandboxError when a telephone has no such key."""
    if len(key) != 1 or key.upper() not in KEYS:
        raise SandboxError(f"{key!r} is no key of a telephone; there are {KEYS}")
    return KEYS.index(key.upper())


def events(key: str, ticks: int, steps: int) -> list[bytes]:
    """The key as telephone events (RFC 4733, 2.3): `steps` while it is down, `ticks` apart, and one for its end.

    On loopback none gets lost, so none is repeated.
    """
    each = [(10, ticks * n) for n in range(1, steps + 1)] + [(0x80 | 10, ticks * (steps + 1))]
    return [bytes((code(key), flags)) + length.to_bytes(2, "big") for flags, length in each]


def sound(key: str) -> bytes:
    """The key as its two tones, and silence up to the next key: without it nobody could tell that it was let go."""
    down = audio.tone(*audio.KEY_TONES[key.upper()])[: round(audio.RATE * DOWN)]
    return down.ljust(round(audio.RATE * KEY_SECONDS), audio.SILENCE[:1])


def info(key: str, plain: bool) -> str:
    """Headers and body of the INFO that says this key."""
    if plain:
        return f"Content-Type: application/dtmf\nContent-Length: [len]\n\n{key.upper()}\n"
    body = f"Signal={key.upper()}\nDuration={round(DOWN * 1000)}\n"
    return f"Content-Type: application/dtmf-relay\nContent-Length: [len]\n\n{body}"
