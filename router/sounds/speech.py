"""Words to sound: the speech program is run once for each text, and what it says is kept.

A file is named after what made it (router.spoken), so none is ever written over.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable, Mapping
from typing import Final

from router.model import Speech
from router.numbers import safe_text
from router.sounds import wav
from router.spoken import SPEAKER

PATIENCE: Final = 20.0
"""Seconds that the program may take for one text."""
KEPT: Final = 30 * 86400.0
"""Seconds for which a file that no configuration uses stays."""
LONGEST_REPLY: Final = 64 * 1024
"""Bytes of what the program says of itself."""

_MADE: Final = re.compile(r"[0-9a-f]{32}\.wav")
_DRAFT: Final = ".speaking-"
_PLACEHOLDER: Final = re.compile(r"\{(text|file|language)\}")


class Unspoken(Exception):
    """The program did not speak, and why."""


class Hung(Unspoken):
    """The program did not end by itself, or cannot be run: another text would fare no better."""


def command_of(speech: Speech, folder: str) -> tuple[str, ...]:
    """The configured program, else espeak-ng; empty when it is not there. A name with a slash is looked for in
    `folder`, that of campaigns.yaml; any other on the PATH.
    """
    name, *words = speech.command or SPEAKER
    found = shutil.which(os.path.join(folder, os.path.expanduser(name)) if "/" in name else name)
    return (os.path.abspath(found), *words) if found else ()


def sayable(text: str) -> str:
    """`text` without the dashes at its beginning, which a program would take for an option's."""
    return text.lstrip("- ")


def program(speech: Speech) -> str:
    return (speech.command or SPEAKER)[0]


def speak(command: tuple[str, ...], language: str, text: str, target: str) -> None:
    """Leaves `text` at `target` (`.wav`, else mu-law), as a telephone wants it: all of it or nothing.

    Raises Unspoken and OSError.

    No shell sees the words, and the program gets no terminal and no input. It is ended after PATIENCE seconds, with
    whatever it has started.
    """
    with tempfile.TemporaryDirectory(prefix=_DRAFT, dir=os.path.dirname(target)) as folder:
        spoken = os.path.join(folder, "spoken.wav")
        words = {"text": sayable(text), "file": spoken, "language": language}
        _run([_PLACEHOLDER.sub(lambda found: words[found[1]], word) for word in command], folder, spoken)
        try:
            samples = wav.telephone(wav.read_file(spoken))
        except FileNotFoundError:
            raise Unspoken(f"{command[0]} wrote no file") from None
        except wav.NoSound as error:
            raise Unspoken(f"what {command[0]} wrote {error}") from None
        sound = wav.as_wav(samples) if target.endswith(".wav") else wav.as_ulaw(samples)
        draft = os.path.join(folder, "ready")
        with open(draft, "wb") as file:
            file.write(sound)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(draft, 0o640)
        os.replace(draft, target)


def _run(words: list[str], folder: str, spoken: str) -> None:
    said = os.path.join(folder, "said")
    with open(said, "wb") as reply:
        try:
            process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=reply,
                stderr=reply,
                cwd=folder,
                env=_environment(),
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise Hung(f"{words[0]} cannot be run ({getattr(error, 'strerror', None) or error})") from None
        try:
            _wait(process, words[0], {said: LONGEST_REPLY, spoken: wav.LARGEST})
        finally:
            # Also what it has left behind; the session is its own.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if process.returncode != 0:
        with open(said, "rb") as reply:
            lines = reply.read(LONGEST_REPLY).decode(errors="replace").strip().splitlines()
        why = f": {safe_text(lines[-1], 120)}" if lines else ""
        raise Unspoken(f"{words[0]} failed (status {process.returncode}){why}")


def _environment() -> dict[str, str]:
    """Ours, without the passwords that may stand in it: a speech program need not know them."""
    return {name: value for name, value in os.environ.items() if not name.startswith("CALLROUTER_")}


def _wait(process: subprocess.Popen[bytes], name: str, limits: Mapping[str, int]) -> None:
    """Until it ends. Raises Unspoken when that takes too long, or a file becomes too large."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            process.wait(min(0.1, max(0.0, deadline - time.monotonic())))
        except subprocess.TimeoutExpired:
            pass
        else:
            return
        for path, most in limits.items():
            with contextlib.suppress(OSError):
                if os.path.getsize(path) > most:
                    raise Unspoken(f"{name} wrote more than {most // 1024} KiB")
        if time.monotonic() >= deadline:
            raise Hung(f"{name} did not end within {PATIENCE:g} s")


def make_folder(folder: str) -> None:
    """For the owner and its group, which is Asterisk's. Raises OSError."""
    if not os.path.isdir(folder):
        os.makedirs(folder)
        os.chmod(folder, 0o750)  # noqa: S103 - Asterisk's group is to read what lies in it


def tidy(folder: str, used: Iterable[str], now: float) -> None:
    """Marks the files that are in use, and removes those of ours that have not been for KEPT seconds, and drafts
    that a killed router left. `now`: epoch seconds. Other files in the folder stay. Raises OSError.
    """
    wanted = set(used)
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name in wanted:
                os.utime(entry.path, (now, now))
            elif now - entry.stat(follow_symlinks=False).st_mtime < KEPT:
                continue
            elif _MADE.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                os.unlink(entry.path)
            elif entry.name.startswith(_DRAFT) and entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
