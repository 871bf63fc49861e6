"""Recordings as a telephone wants them: 8 kHz, mono, 16 bits, neither faint nor clipped. Standard library only.

Python's own `audioop` could have done half of it, and is gone since 3.13.
"""

from __future__ import annotations

import io
import math
import os
import sys
import wave
from array import array
from collections.abc import Sequence
from itertools import repeat
from operator import mul
from typing import Final

RATE: Final = 8000
"""Samples a second of the telephone network (ITU-T G.711)."""
LONGEST: Final = 120.0
"""Seconds of sound that are read; the rest is left out."""
LARGEST: Final = 32 * 1024 * 1024
"""Bytes of a file that is read: LONGEST at 48 kHz, stereo and 24 bits are 34 MB; no speech program writes that."""
LOUDNESS: Final = 10 ** (-20 / 20)
"""Root mean square of speech against full scale: -20 dBFS, what announcements are commonly levelled to."""
PEAK: Final = 0.97
QUIET: Final = 10 ** (-45 / 20)
"""Below this before the first and behind the last word nothing is heard over a telephone."""
LEAD: Final = 0.1
"""Seconds of silence before the first word: a phone that was just answered swallows the first packets."""
TAIL: Final = 0.15
"""And behind the last, so that what follows does not run into it."""

_BLOCK: Final = RATE // 50
"""Samples over which loudness is taken: 20 ms."""
_ZEROS: Final = 12
"""Zero crossings of the low-pass filter on each side: 38 dB down at 4.3 kHz, 78 dB at 5 kHz (measured)."""
_PASS: Final = 3700.0
"""Hz: what is kept. A telephone carries 300 to 3400."""


class NoSound(Exception):
    """The file holds nothing that can be played, and why."""


def telephone(data: bytes) -> list[float]:
    """What a WAV file of any rate, width and number of channels is on a telephone, as samples from -1 to 1: silence
    cut off its ends, and made as loud as the others. Raises NoSound.
    """
    samples, rate = _read(data)
    if rate != RATE:
        samples = resampled(samples, rate)
    return levelled(trimmed(samples))


def as_ulaw(samples: Sequence[float]) -> bytes:
    """G.711 mu-law (ITU-T G.711, table 2): what most trunks speak, in half the bytes and without a header."""
    return bytes(map(_ulaw, samples))


def _ulaw(sample: float) -> int:
    magnitude = min(round(abs(sample) * 32767), 32635) + 132
    exponent = magnitude.bit_length() - 8
    return ~((0x80 if sample < 0 else 0) | exponent << 4 | magnitude >> (exponent + 3) & 0x0F) & 0xFF


def as_wav(samples: Sequence[float]) -> bytes:
    """A file of 16 bits a sample."""
    words = array("h", [round(max(-1.0, min(1.0, sample)) * 32767) for sample in samples])
    if sys.byteorder == "big":
        words.byteswap()
    held = io.BytesIO()
    with wave.open(held, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(words.tobytes())
    return held.getvalue()


def read_file(path: str) -> bytes:
    """Raises OSError, and NoSound for a file that is too large."""
    if os.path.getsize(path) > LARGEST:
        raise NoSound(f"is larger than {LARGEST // 1024**2} MiB")
    with open(path, "rb") as file:
        return file.read(LARGEST)


def _read(data: bytes) -> tuple[list[float], int]:
    """The samples of all channels together, -1 to 1, and how many there are a second. Raises NoSound."""
    try:
        with wave.open(io.BytesIO(data), "rb") as file:
            channels, width, rate, *_ = file.getparams()
            if not 4000 <= rate <= 192_000 or not 1 <= channels <= 8:
                raise NoSound(f"has {channels} channels of {rate} samples a second")
            frames = file.readframes(min(file.getnframes(), int(LONGEST * rate)))
    except (wave.Error, EOFError, ValueError) as error:
        raise NoSound(f"is no WAV file of plain samples ({error})") from None
    samples = _floats(frames[: len(frames) - len(frames) % (width * channels)], width)
    if channels > 1:
        samples = [
            sum(parts) / channels for parts in zip(*(samples[n::channels] for n in range(channels)), strict=True)
        ]
    return samples, rate


def _floats(frames: bytes, width: int) -> list[float]:
    if width == 1:  # the one width without a sign
        return [(byte - 128) / 128 for byte in frames]
    scale = 1 / (1 << 8 * width - 1)
    if width == 2 and sys.byteorder == "little":
        return [sample * scale for sample in array("h", frames)]
    places = range(0, len(frames), width)
    return [int.from_bytes(frames[at : at + width], "little", signed=True) * scale for at in places]


def resampled(samples: Sequence[float], rate: int) -> list[float]:
    """`samples` of `rate` a second as RATE a second, without what would fold down from above half of that.

    A windowed-sinc low-pass filter (Blackman), computed only where a sample is wanted: where those stand repeats
    after `up` of them, so there are as many sets of weights.
    """
    if not samples:
        return []
    common = math.gcd(rate, RATE)
    up, down = RATE // common, rate // common
    # In units of the source's samples: the cut-off frequency, and how far a weight reaches.
    cut = min(_PASS, 0.46 * rate) / rate
    reach = math.ceil(_ZEROS / (2 * cut))
    weights = [_weights(phase * down % up / up, cut, reach) for phase in range(up)]
    padded = [0.0] * reach + list(samples) + [0.0] * (reach + 1)
    made = []
    for number in range(len(samples) * up // down):
        first = number * down // up + 1
        made.append(sum(map(mul, weights[number % up], padded[first : first + 2 * reach])))
    return made


def _weights(offset: float, cut: float, reach: int) -> list[float]:
    """Of the samples from `1 - reach` to `reach` around a place `offset` behind one; together they are 1."""
    found = []
    for step in range(1 - reach, reach + 1):
        x = step - offset
        sinc = 2 * cut if x == 0 else math.sin(2 * math.pi * cut * x) / (math.pi * x)
        turn = math.pi * x / reach
        found.append(sinc * (0.42 + 0.5 * math.cos(turn) + 0.08 * math.cos(2 * turn)))
    total = sum(found)
    return [weight / total for weight in found]


def trimmed(samples: Sequence[float]) -> list[float]:
    """With LEAD and TAIL seconds of silence around what is heard. Raises NoSound when nothing is."""
    loudest = max(map(abs, samples), default=0.0)
    level = loudest * QUIET
    heard = [at for at, sample in enumerate(samples) if abs(sample) > level]
    if loudest < 1e-3 or not heard:
        raise NoSound("is silent")
    words = samples[heard[0] : heard[-1] + 1]
    return [*repeat(0.0, int(LEAD * RATE)), *words, *repeat(0.0, int(TAIL * RATE))]


def levelled(samples: Sequence[float]) -> list[float]:
    """At LOUDNESS where something is said (pauses do not count), or as loud as it can be without clipping."""
    loudest = max(map(abs, samples))
    blocks = [samples[at : at + _BLOCK] for at in range(0, len(samples), _BLOCK)]
    powers = [sum(map(mul, block, block)) / len(block) for block in blocks]
    spoken = [power for power in powers if power > (loudest * QUIET) ** 2]
    gain = min(LOUDNESS / math.sqrt(sum(spoken) / len(spoken)), PEAK / loudest)
    return [sample * gain for sample in samples]


def beep() -> list[float]:
    """1 kHz for 200 ms, with ends that do not click, at LOUDNESS."""
    length, edge = RATE // 5, RATE // 100
    made = []
    for at in range(length):
        swell = min(1.0, at / edge, (length - at) / edge)
        made.append(LOUDNESS * math.sqrt(2) * swell * math.sin(2 * math.pi * 1000 * at / RATE))
    return made
