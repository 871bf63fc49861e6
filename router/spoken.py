"""Where what is spoken is kept, and under which name. Pure, and light: the AGI script asks it for each call, and
router.sounds takes too long to import."""

from __future__ import annotations

import hashlib
import json
from typing import Final

from router.model import Config, Sound, Speech

SPEAKER: Final = ("espeak-ng", "-v", "{language}", "-w", "{file}", "{text}")
"""The program that speaks where campaigns.yaml names none."""


def folder_of(database: str) -> str:
    """The folder of what was spoken: beside the database."""
    return f"{database}.sounds"


def kept_name(speech: Speech, language: str, text: str) -> str:
    """The file of a text, named after what made it: another text, language or program makes another."""
    what = json.dumps([speech.command or SPEAKER, language, text], ensure_ascii=False)
    return f"{hashlib.sha256(what.encode()).hexdigest()[:32]}.wav"


def file_of(config: Config, sound: Sound, folder: str) -> str:
    """Where a sound lies: its own file, or what is spoken into `folder`."""
    return sound.file or f"{folder}/{kept_name(config.speech, config.language, sound.text)}"
