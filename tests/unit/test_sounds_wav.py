"""Recordings as a telephone wants them, measured by their samples."""

from __future__ import annotations

import io
import math
import wave
from collections.abc import Sequence
from itertools import pairwise

import pytest

from router.sounds import wav


def tone(hertz: float, rate: int, seconds: float = 0.5, loud: float = 0.5) -> list[float]:
    return [loud * math.sin(2 * math.pi * hertz * at / rate) for at in range(int(rate * seconds))]


def strength(samples: Sequence[float]) -> float:
    """Of the middle, in dB against full scale."""
    middle = samples[len(samples) // 4 : -len(samples) // 4]
    return 10 * math.log10(sum(sample * sample for sample in middle) / len(middle) + 1e-18)


def file(samples: Sequence[float], rate: int, width: int = 2, channels: int = 1) -> bytes:
    held = io.BytesIO()
    with wave.open(held, "wb") as made:
        made.setnchannels(channels)
        made.setsampwidth(width)
        made.setframerate(rate)
        top = (1 << 8 * width - 1) - 1
        for sample in samples:
            value = round(sample * top)
            one = bytes([value + 128]) if width == 1 else value.to_bytes(width, "little", signed=True)
            made.writeframesraw(one * channels)
    return held.getvalue()


@pytest.mark.parametrize("rate", [16000, 22050, 24000, 44100, 48000, 11025])
@pytest.mark.parametrize("hertz", [300, 1000, 3000])
def test_what_a_telephone_carries_stays_as_it_is(rate: int, hertz: int) -> None:
    samples = tone(hertz, rate)
    made = wav.resampled(samples, rate)
    assert abs(len(made) - 4000) <= 1
    assert strength(made) == pytest.approx(strength(samples), abs=0.1)
    # The same tone, and no other: each half turn crosses zero.
    crossings = sum(one < 0 <= other for one, other in pairwise(made))
    assert crossings == pytest.approx(hertz / 2, abs=2)


@pytest.mark.parametrize("rate", [16000, 22050, 44100])
@pytest.mark.parametrize("hertz", [5000, 7000])
def test_what_it_does_not_carry_does_not_fold_down(rate: int, hertz: int) -> None:
    assert strength(wav.resampled(tone(hertz, rate), rate)) < -75


@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", [8000, 22050])
def test_any_plain_wav_becomes_as_loud_as_the_others(width: int, channels: int, rate: int) -> None:
    silence = [0.0] * rate
    made = wav.telephone(file(silence + tone(1000, rate, loud=0.1) + silence, rate, width, channels))
    assert strength(made) == pytest.approx(-20, abs=0.7)
    # A second of silence on each side is gone, but for what is left on purpose.
    assert len(made) / wav.RATE == pytest.approx(0.5 + wav.LEAD + wav.TAIL, abs=0.02)


def test_it_is_never_clipped() -> None:
    sharp = [1.0 if at % 400 == 0 else 0.01 * math.sin(at) for at in range(8000)]
    made = wav.telephone(file(sharp, 8000))
    assert max(map(abs, made)) <= wav.PEAK + 1e-6


@pytest.mark.parametrize(
    "data",
    [
        b"", b"RIFF", b"not a sound at all", file([0.0] * 800, 8000), file([], 8000),
        file(tone(400, 8000), 8000)[:30], file([0.1] * 10, 2000),
        # IEEE floats: format 3 where plain samples are 1.
        file(tone(400, 8000), 8000).replace(b"fmt \x10\0\0\0\x01\0", b"fmt \x10\0\0\0\x03\0"),
    ],
)  # fmt: skip
def test_what_is_no_sound_is_said_to_be_none(data: bytes) -> None:
    with pytest.raises(wav.NoSound):
        wav.telephone(data)


def test_a_file_that_was_written_as_a_stream_is_read() -> None:
    data = bytearray(file(tone(1000, 8000), 8000))
    data[4:8] = data[40:44] = b"\xff\xff\xff\x7f"  # a program that cannot seek leaves the lengths at their highest
    assert strength(wav.telephone(bytes(data))) == pytest.approx(-20, abs=0.5)


def test_the_files_hold_what_they_are_given() -> None:
    samples = tone(1000, 8000)
    with wave.open(io.BytesIO(wav.as_wav(samples))) as read:
        assert read.getparams()[:4] == (1, 2, 8000, 4000)
    encoded = wav.as_ulaw([0.0, 1.0, -1.0, 0.5, *samples])
    # ITU-T G.711: silence, the highest and the lowest.
    assert encoded[:3] == bytes((0xFF, 0x80, 0x00))
    assert len(encoded) == 4004


def test_the_beep_is_short_and_as_loud_as_the_words() -> None:
    made = wav.beep()
    assert len(made) == 1600
    assert strength(made) == pytest.approx(-20, abs=0.5)
    assert abs(made[0]) < 0.01
    assert abs(made[-1]) < 0.05
