"""Sound as a telephone carries it (G.711): tones to send, and what a received stream holds.

Frequencies are found with Goertzel's filter over each packet of 20 ms: two tones that are 100 Hz or more apart are
never taken for each other.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from operator import mul
from typing import NamedTuple

RATE = 8000
"""Samples a second."""
PACKET_SECONDS = 0.02
SAMPLES = 160
"""In a packet of 20 ms."""
SILENCE = b"\xff" * SAMPLES
ULAW, ALAW = 0, 8
"""The payload types of RFC 3551, table 4."""
LOUDNESS = 8000
"""The amplitude of what is sent, of 32767: about -12 dBm0."""
FLOOR = 60.0
"""Root mean square below which a packet counts as silence: -55 dB of full scale."""
PRESENT = 0.4
"""The part of a packet's energy that a tone must have to be heard in it."""
TONE_PACKETS = 3
"""A tone must last 60 ms: a voice may pass by any frequency."""
STRANGE = 0.3
"""The part of a packet's energy that no expected tone explains, from which on there is something else in it."""
SPEECH_PACKETS = 3
"""Something else must last 60 ms: where a tone begins or breaks off, one packet holds half a tone."""
KEY_TONES = {
    key: (row, column)
    for row, keys in zip((697, 770, 852, 941), ("123A", "456B", "789C", "*0#D"), strict=True)
    for column, key in zip((1209, 1336, 1477, 1633), keys, strict=True)
}
"""The two frequencies of each key (ITU-T Q.23)."""


class Packet(NamedTuple):
    at: float
    """When it arrived: seconds since the epoch."""
    kind: int
    """Its payload type."""
    payload: bytes


Span = tuple[float, float]
"""From, to: seconds since the epoch."""


@cache
def tone(*frequencies: int) -> bytes:
    """A second of these frequencies (whole Hz: it can be repeated without a click), as mu-law."""
    each = LOUDNESS / len(frequencies)
    steps = [2 * math.pi * frequency / RATE for frequency in frequencies]
    return bytes(ulaw(sum(each * math.sin(step * n) for step in steps)) for n in range(RATE))


def ulaw(sample: float) -> int:
    """One linear 16-bit sample as mu-law (ITU-T G.711, table 2)."""
    magnitude = min(abs(int(sample)), 32635) + 132
    exponent = magnitude.bit_length() - 8
    mantissa = (magnitude >> (exponent + 3)) & 0x0F
    return ~((0x80 if sample < 0 else 0) | exponent << 4 | mantissa) & 0xFF


@cache
def _linear(kind: int) -> tuple[float, ...]:
    """The sample that each of the 256 bytes stands for."""
    return tuple(_from_ulaw(byte) if kind == ULAW else _from_alaw(byte) for byte in range(256))


def _from_ulaw(byte: int) -> float:
    byte = ~byte & 0xFF
    magnitude = (((byte & 0x0F) << 3) + 132 << (byte >> 4 & 7)) - 132
    return float(-magnitude if byte & 0x80 else magnitude)


def _from_alaw(byte: int) -> float:
    byte ^= 0x55
    exponent, mantissa = byte >> 4 & 7, byte & 0x0F
    magnitude = (mantissa << 4) + 8 if exponent == 0 else (mantissa << 4) + 264 << (exponent - 1)
    return float(magnitude if byte & 0x80 else -magnitude)


@cache
def _waves(frequency: int, length: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    step = 2 * math.pi * frequency / RATE
    return (
        tuple(math.cos(step * n) for n in range(length)),
        tuple(math.sin(step * n) for n in range(length)),
    )


class _Frame:
    """A packet of speech, measured."""

    __slots__ = ("_samples", "_shares", "at", "energy", "seconds", "sounds")

    def __init__(self, packet: Packet) -> None:
        table = _linear(packet.kind)
        self.at = packet.at
        self._samples = [table[byte] for byte in packet.payload]
        self.seconds = len(self._samples) / RATE
        self.energy = sum(map(mul, self._samples, self._samples))
        self.sounds = self.energy > FLOOR * FLOOR * len(self._samples)
        self._shares: dict[int, float] = {}

    def share(self, frequency: int) -> float:
        """The part of the energy that this frequency has, 0 to 1."""
        if not self.sounds:
            return 0.0
        found = self._shares.get(frequency)
        if found is None:
            cosines, sines = _waves(frequency, len(self._samples))
            real, imaginary = sum(map(mul, self._samples, cosines)), sum(map(mul, self._samples, sines))
            found = 2 * (real * real + imaginary * imaginary) / len(self._samples) / self.energy
            self._shares[frequency] = found
        return found


@dataclass(frozen=True)
class Heard:
    """What one phone received in one call. Seconds; moments are seconds since the epoch."""

    packets: tuple[Packet, ...]
    _frames: list[_Frame] = field(default_factory=list, repr=False, compare=False)

    @property
    def frames(self) -> Sequence[_Frame]:
        if not self._frames:
            self._frames.extend(
                _Frame(packet) for packet in self.packets if packet.kind in (ULAW, ALAW) and packet.payload
            )
        return self._frames

    @property
    def seconds(self) -> float:
        """How much was received. Asterisk sends nothing when it has nothing to send: that is not silence."""
        return sum(frame.seconds for frame in self.frames)

    @property
    def silence(self) -> float:
        return sum(frame.seconds for frame in self.frames if not frame.sounds)

    def tone(self, frequency: int) -> float:
        """Seconds in which this frequency is in it."""
        return sum(frame.seconds for frame in self._with(frequency))

    def tone_share(self, frequency: int) -> float:
        """The part of all that was received which holds this frequency, 0 to 1."""
        return self.tone(frequency) / self.seconds if self.seconds else 0.0

    def first_at(self, frequency: int) -> float | None:
        return min((frame.at for frame in self._with(frequency)), default=None)

    def last_at(self, frequency: int) -> float | None:
        return max((frame.at for frame in self._with(frequency)), default=None)

    def spans(self, frequency: int) -> tuple[Span, ...]:
        """From when to when it was heard; what breaks off for less than 60 ms goes on."""
        return _spans(self._with(frequency), 0.06)

    def speech(self, *expected: int) -> float:
        """Seconds of sound that is none of these frequencies: speech, prompts, beeps, keys pressed as tones."""
        return sum(frame.seconds for frame in self._strange(expected))

    def speech_spans(self, *expected: int) -> tuple[Span, ...]:
        """From when to when there was such sound; pauses of less than 0.3 s are part of it."""
        return _spans(self._strange(expected), 0.3)

    def _with(self, frequency: int) -> list[_Frame]:
        return _runs(self.frames, lambda frame: frame.share(frequency) >= PRESENT, TONE_PACKETS)

    def _strange(self, expected: Iterable[int]) -> list[_Frame]:
        known = tuple(expected)
        return _runs(
            self.frames,
            lambda frame: frame.sounds and 1 - sum(map(frame.share, known)) >= STRANGE,
            SPEECH_PACKETS,
        )


def _runs(frames: Iterable[_Frame], test: Callable[[_Frame], bool], least: int) -> list[_Frame]:
    """The frames that pass, where at least that many in a row do."""
    found: list[_Frame] = []
    for passed, run in itertools.groupby(frames, test):
        each = list(run)
        if passed and len(each) >= least:
            found += each
    return found


def _spans(frames: Iterable[_Frame], gap: float) -> tuple[Span, ...]:
    each = list(frames)
    if not each:
        return ()
    breaks = [
        (one, next_one) for one, next_one in itertools.pairwise(each) if next_one.at - one.at - one.seconds > gap
    ]
    begins = [each[0].at, *(later.at for _, later in breaks)]
    ends = [*(earlier.at + earlier.seconds for earlier, _ in breaks), each[-1].at + each[-1].seconds]
    return tuple(zip(begins, ends, strict=True))
