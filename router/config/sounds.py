"""What is played and what is spoken: recordings, words, the program that speaks, and the messages callers leave."""

from __future__ import annotations

import os
import re
import shlex
import wave
from typing import Annotated, BinaryIO, Final

from pydantic import PlainValidator, ValidationInfo, model_validator

from router.config import fields as kinds
from router.config.keys import Keys, or_none
from router.config.refusal import refuse, shown
from router.config.source import plain_file
from router.model import SOUND_FORMATS, Sound, Speech, Voicemail
from router.numbers import safe_text

LONGEST_SAID: Final = 500
_TELEPHONE: Final = (8000, 1, 16)
"""Samples a second, channels, bits a sample."""
LONGEST_MESSAGE: Final = 120.0
PLACEHOLDERS: Final = ("text", "file", "language")

_NOT_IN_PATHS: Final = frozenset(',&|;"\\$')
"""What Asterisk or its dialplan would read as more than a name."""
_SHELL_WORDS: Final = frozenset(("|", "||", "&", "&&", ";", ">", ">>", "<"))
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")

Longest = Annotated[float, PlainValidator(kinds.duration("5s", "600s"))]


def _say(value: object) -> str:
    text = kinds.scalar(value, "write the words to be said")
    if len(text) > LONGEST_SAID:
        raise refuse(f"has {len(text)} characters", f"write at most {LONGEST_SAID}")
    safe = safe_text(text, LONGEST_SAID)
    if safe != " ".join(text.split()):
        raise refuse("has control or invisible characters", f"write {shown(safe)}")
    if safe.startswith("-"):
        raise refuse("begins with a dash, which a program takes for an option", f"write {shown(safe.lstrip('- '))}")
    return safe


def _play(value: object, info: ValidationInfo) -> str:
    """The absolute path of a recording that is there."""
    name = kinds.scalar(value, "write the name of a sound file")
    path = os.path.normpath(os.path.join(kinds.names(info).folder, os.path.expanduser(name)))
    if not path.isprintable() or len(path) > 1024:
        raise refuse(f"{shown(name)} is no file name", "write the name of a sound file")
    odd = sorted(_NOT_IN_PATHS & set(path))
    if odd:
        wrong = f"{shown_path(path)} holds {' '.join(odd)}, which Asterisk does not take for part of a name"
        raise refuse(wrong, "rename the file or its folder")
    if os.path.splitext(path)[1] not in SOUND_FORMATS:
        mend = f"name a file that ends in {', '.join(SOUND_FORMATS[:-1])} or {SOUND_FORMATS[-1]}"
        raise refuse(f"{shown(name)} is in no format that Asterisk plays", mend)
    _must_be_there(path)
    return path


def _must_be_there(path: str) -> None:
    try:
        with plain_file(path) as (file, _):
            empty = not file.read(1)
            file.seek(0)
            odd = _odd_wav(file) if path.endswith(".wav") and not empty else ""
    except FileNotFoundError:
        raise refuse(f"there is no file {shown_path(path)}", "record it, or write say: and the words") from None
    except OSError as error:
        raise refuse(
            f"{shown_path(path)} cannot be read ({error.strerror})", "name a plain file that the router may read"
        ) from None
    if empty:
        raise refuse(f"{shown_path(path)} is empty", "record it again, or write say: and the words")
    if odd:
        wrong = f"{shown_path(path)} {odd}, and Asterisk plays WAV files of 8000 Hz, mono, 16 bits"
        raise refuse(wrong, "convert it: sox OLD.wav -r 8000 -c 1 -b 16 NEW.wav")


def _odd_wav(file: BinaryIO) -> str:
    """Why Asterisk's format_wav would play nothing of it, from its header; empty when it would."""
    try:
        with wave.open(file, "rb") as recording:
            found = recording.getframerate(), recording.getnchannels(), 8 * recording.getsampwidth()
    except (EOFError, RuntimeError, ValueError, wave.Error) as error:  # What `wave` raises for a broken header.
        return f"is no plain WAV file ({str(error) or 'it ends too soon'})"
    return "" if found == _TELEPHONE else "has {} Hz, {} channel(s), {} bits".format(*found)


def shown_path(path: str) -> str:
    """A path in full, harmless: where it was looked for is what helps."""
    return safe_text(path, 300)


Say = Annotated[str, PlainValidator(_say)]
Play = Annotated[str, PlainValidator(_play)]


class SoundKeys(Keys):
    """`whisper`, and each `announcement`."""

    say: Say | None = None
    play: Play | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> SoundKeys:
        if (self.say is None) == (self.play is None):
            wrong = "says nothing: say and play are missing" if self.say is None else "has both say and play"
            raise refuse(wrong, 'write {say: "the words"}, or {play: sounds/flyer.wav}')
        return self

    def sound(self) -> Sound:
        return Sound(text=self.say or "", file=self.play or "")


NO_SOUND: Final = SoundKeys.model_construct()
"""What `whisper: none` becomes: this very object."""

Whisper = Annotated[SoundKeys, or_none(NO_SOUND, 'write whisper: {say: "the words"}, {play: FILE} or none')]


class VoicemailKeys(Keys):
    announcement: SoundKeys | None = None
    longest: Longest = LONGEST_MESSAGE

    @model_validator(mode="after")
    def _announced(self) -> VoicemailKeys:
        if self.announcement is None:
            wrong = "announcement is missing: refused without an announcement that says it is recorded"
            raise refuse(wrong, 'write announcement: {say: "This call is recorded. Speak after the tone."}')
        return self

    def voicemail(self) -> Voicemail:
        return Voicemail((self.announcement or NO_SOUND).sound(), self.longest)


def _command(value: object) -> tuple[str, ...]:
    """The words of a program that speaks. No shell ever reads them."""
    mend = 'write "espeak-ng -v {language} -w {file} {text}"'
    text = kinds.scalar(value, mend)
    if not text.isprintable() or len(text) > 1024:
        raise refuse(f"{shown(text)} is no command", mend)
    try:
        words = shlex.split(text)
    except ValueError:
        raise refuse(f"{shown(text)} has a quote that does not end", mend) from None
    odd = [word for word in words if word in _SHELL_WORDS]
    if odd:
        raise refuse(f"{shown(text)} holds {odd[0]}, and no shell reads it", "put it into a script and name that")
    for name in (found for word in words for found in _PLACEHOLDER.findall(word)):
        if name not in PLACEHOLDERS:
            raise refuse(f"{shown('{' + name + '}')} is no placeholder", "write {text}, {file} or {language}")
    for name in ("file", "text"):
        if not any(f"{{{name}}}" in word for word in words[1:]):
            what = "the words to be said" if name == "text" else "the WAV file to be written"
            raise refuse(f"{{{name}}} is missing: {what}", mend)
    if set("{}") & set(words[0]):
        raise refuse(f"{shown(words[0])} is no program", mend)
    return tuple(words)


Command = Annotated[tuple[str, ...], PlainValidator(_command)]


class SpeechKeys(Keys):
    command: Command | None = None

    def speech(self) -> Speech:
        return Speech(self.command or ())
