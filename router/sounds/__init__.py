"""What is heard: Callrouter's own prompts, the recordings that campaigns.yaml names, and the words it has spoken.

texts     the words of the prompts
speech    the speech program, and the files that it has made
wav       recordings as a telephone wants them

Missing sound is a beep, never a lost call.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from router.model import SOUND_FORMATS, Config, Overflow, Prompt, Sound
from router.numbers import safe_text
from router.sounds import speech
from router.sounds.texts import FALLBACK, NAMES, TEXTS
from router.spoken import file_of

SHIPPED: Final = os.path.dirname(os.path.abspath(__file__))


@dataclass(frozen=True, slots=True)
class Use:
    """A sound of the configuration, and where it is heard."""

    where: str
    sound: Sound


def uses(config: Config) -> Iterator[Use]:
    """Every sound that a call may need, in the order of the file."""
    for campaign in (*config.campaigns.values(), config.unknown):
        where = f"campaigns.{campaign.id}" if campaign.id in config.campaigns else "unknown_number"
        if campaign.whisper is not None:
            yield Use(f"{where}.whisper", campaign.whisper)
        elif campaign.name:
            yield Use(f"{where}.name", Sound(text=campaign.name))
        yield from _of_overflow(f"{where}.overflow", campaign.overflow)
        yield from _of_overflow(f"{where}.closed", campaign.closed)


def _of_overflow(where: str, overflow: Overflow | None) -> Iterator[Use]:
    if overflow is None:
        return
    if overflow.announcement is not None:
        yield Use(f"{where}.announcement", overflow.announcement)
    if overflow.voicemail is not None:
        yield Use(f"{where}.voicemail.announcement", overflow.voicemail.announcement)


def missing(config: Config, folder: str) -> list[Use]:
    """What would be a beep now. Reads the disk."""
    return [use for use in uses(config) if not _readable(file_of(config, use.sound, folder))]


def _readable(path: str) -> bool:
    return os.path.isfile(path) and os.access(path, os.R_OK) and os.path.getsize(path) > 0


class Sounds:
    """Where each sound lies. `media` is asked on the event loop and knows by heart what `prepare` has found."""

    def __init__(self, folder: str) -> None:
        self._folder = os.path.abspath(folder)
        self._preparing = threading.Lock()
        self._prompts: Mapping[tuple[str, str], str] = _shipped()
        self._sounds: Mapping[Sound, str] = {}
        self._before: Mapping[Sound, str] = {}

    def prepare(self, config: Config) -> tuple[str, ...]:
        """Has every text of the configuration spoken that is not there yet, and looks for every recording.

        Blocking, for seconds when there is much to say: for a thread. Returns a line for each thing that will not
        be heard, and what is heard instead. What it finds is used by `media` from its end on; the sounds of the
        configuration before stay known, for the calls that began with it.
        """
        with self._preparing:
            prompts = {**_shipped(), **_replaced(config)}
            found, remarks = self._look(config)
            self._prompts = prompts
            self._before, self._sounds = self._sounds, found
            return tuple(remarks)

    def media(self, parts: Sequence[Prompt | Sound | str], language: str) -> tuple[str, ...]:
        """ARI's media URIs of these, in their order. Looks at no disk."""
        return tuple(f"sound:{self._place(part, language)}" for part in parts)

    def has(self, sound: Sound) -> bool:
        """Whether this sound can be heard, and is no beep."""
        return sound in self._sounds or sound in self._before

    # --- inside -------------------------------------------------------------------------------------------

    def _place(self, part: Prompt | Sound | str, language: str) -> str:
        if isinstance(part, Sound):
            found = self._sounds.get(part) or self._before.get(part)
        else:
            name = str(part)
            found = self._prompts.get((language, name)) or self._prompts.get((FALLBACK, name))
        return found or self._prompts.get((language, Prompt.BEEP)) or self._prompts[FALLBACK, Prompt.BEEP]

    def _look(self, config: Config) -> tuple[dict[Sound, str], list[str]]:
        found: dict[Sound, str] = {}
        silent: dict[str, list[str]] = {}
        voice = _Voice(config, self._folder)
        for use in uses(config):
            path = file_of(config, use.sound, self._folder)
            try:
                if not _readable(path):
                    voice.make(use.sound, path)
                found[use.sound] = os.path.splitext(path)[0]
            except speech.Unspoken as error:
                silent.setdefault(str(error), []).append(use.where)
        remarks = [f"{_listed(where)}: {why}; a beep is heard instead" for why, where in silent.items()]
        remarks.extend(self._tidy([*found.values(), *self._sounds.values()]))
        return found, remarks

    def _tidy(self, used: Sequence[str]) -> Iterator[str]:
        if os.path.isdir(self._folder):
            kept = [f"{os.path.basename(path)}.wav" for path in used if os.path.dirname(path) == self._folder]
            try:
                speech.tidy(self._folder, kept, time.time())
            except OSError as error:
                yield f"{self._folder}: cannot be tidied ({error.strerror}); old recordings stay in it"


class _Voice:
    """The speech program at work on one configuration. Once it cannot be run or hangs, it is not tried again."""

    def __init__(self, config: Config, folder: str) -> None:
        self._language = config.language
        self._folder = folder
        self._command = speech.command_of(config.speech, os.path.dirname(config.file))
        self._failed: dict[Sound, speech.Unspoken] = {}
        self._given_up = "" if self._command else f"{speech.program(config.speech)} is not installed"

    def make(self, sound: Sound, path: str) -> None:
        """Has the text spoken into `path`. Raises Unspoken."""
        if sound.file:
            raise speech.Unspoken(f"there is no {safe_text(sound.file, 300)} that the router may read")
        if not speech.sayable(sound.text):
            raise speech.Unspoken("there is nothing to say")
        if self._given_up:
            raise speech.Unspoken(self._given_up)
        if sound in self._failed:
            raise self._failed[sound]
        try:
            speech.make_folder(self._folder)
            speech.speak(self._command, self._language, sound.text, path)
        except speech.Unspoken as error:
            self._failed[sound] = error
            self._given_up = str(error) if isinstance(error, speech.Hung) else ""
            raise
        except OSError as error:
            self._given_up = f"nothing can be kept in {self._folder} ({error.strerror})"
            raise speech.Unspoken(self._given_up) from None


def _listed(where: Sequence[str]) -> str:
    more = f" and {len(where) - 1} more" if len(where) > 1 else ""
    return f"{where[0]}{more}"


def _shipped() -> dict[tuple[str, str], str]:
    """(language, name) -> the recording without its extension."""
    return {(language, name): os.path.join(SHIPPED, language, name) for language in TEXTS for name in NAMES}


def _replaced(config: Config) -> dict[tuple[str, str], str]:
    """The administrator's own: `sounds/<language>/<name>.wav` beside campaigns.yaml, in any language."""
    place = os.path.join(os.path.dirname(config.file), "sounds")
    return {
        (language, name): os.path.join(place, language, name)
        for language in {*TEXTS, config.language}
        for name in NAMES
        if any(_readable(os.path.join(place, language, name + ending)) for ending in SOUND_FORMATS)
    }
