"""Recordings for tests: a tone of its own stands for the words of each, so that it can be told by ear."""

from __future__ import annotations

import math
import wave
from array import array
from collections.abc import Mapping
from pathlib import Path

from sandbox import audio

BEEP = 1000
"""Hz: Callrouter's own tone."""


def record(path: Path, frequency: int, seconds: float = 0.6) -> None:
    """Writes a recording as Asterisk plays it: WAV, or mu-law where the name says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".ulaw":
        path.write_bytes(audio.tone(frequency)[: int(audio.RATE * seconds)])
        return
    samples = array(
        "h", (int(9000 * math.sin(2 * math.pi * frequency * n / 8000)) for n in range(int(8000 * seconds)))
    )
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(samples.tobytes())


def prompts(folder: Path, language: str, tones: Mapping[str, int], seconds: float = 0.3) -> None:
    """Puts tones in the place of Callrouter's own prompts, for the campaigns.yaml in this folder."""
    for name, frequency in tones.items():
        record(folder / "sounds" / language / f"{name}.wav", frequency, seconds)


def in_order(heard: audio.Heard, *tones: int) -> bool:
    """Whether each of these was heard, and none began before the one that it is named behind."""
    moments = [moment for tone in tones if (moment := heard.first_at(tone)) is not None]
    return len(moments) == len(tones) and moments == sorted(moments)


def heard_in(path: Path) -> audio.Heard:
    """What can be heard in a WAV file, as if a phone had received it."""
    with wave.open(str(path), "rb") as file:
        samples = array("h", file.readframes(file.getnframes()))
    step = audio.RATE // 50
    packets = (
        audio.Packet(start / audio.RATE, audio.ULAW, bytes(map(audio.ulaw, samples[start : start + step])))
        for start in range(0, len(samples), step)
    )
    return audio.Heard(tuple(packets))
