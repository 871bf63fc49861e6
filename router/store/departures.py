"""When callers hung up while no router was there to hear of it: files that the dialplan or the AGI script leaves.

One file a caller, `<database>.fallback/<channel>.left`, with one line: the Unix time at which it left, and ` up`
where it had been picked up. Without it a talk that ended while the router was away would seem to have lasted until
the router was back, and one that began just before would seem never to have been.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import Final

from router.model import Departure
from router.store import fallback
from router.store.times import LATEST

_SUFFIX: Final = ".left"
_CHANNEL: Final = re.compile(r"[0-9A-Za-z.-]{1,150}", re.ASCII)
_UP: Final = "up"
_LONGEST: Final = 64
"""Bytes of a file: a line has 18."""
MOST: Final = 10_000
"""Files that are read at once; more are none that our dialplan left."""


def leave(database: str, channel: str, left: Departure) -> None:
    """Leave word of the caller of this channel. Raises OSError, and ValueError for what is no channel's id."""
    if not _CHANNEL.fullmatch(channel):
        raise ValueError("no id of a channel")
    path = os.path.join(fallback.folder(database), channel)
    descriptor = os.open(f"{path}.new", os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW, 0o660)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(f"{left.at:.3f}{f' {_UP}' if left.up else ''}\n")
    os.rename(f"{path}.new", f"{path}{_SUFFIX}")


def departures(database: str) -> dict[str, Departure]:
    """By the caller's channel. What cannot be read is not there. Raises OSError when the folder cannot be read."""
    folder = fallback.folder(database)
    found: dict[str, Departure] = {}
    for name in _names(folder)[:MOST]:
        left = _read(os.path.join(folder, name))
        if left is not None:
            found[name.removesuffix(_SUFFIX)] = left
    return found


def forget(database: str, channels: Iterable[str]) -> None:
    """Remove the files of these channels. Raises OSError."""
    folder = fallback.folder(database)
    for channel in channels:
        os.unlink(os.path.join(folder, f"{channel}{_SUFFIX}"))


def _names(folder: str) -> list[str]:
    try:
        return sorted(name for name in os.listdir(folder) if name.endswith(_SUFFIX))
    except FileNotFoundError:
        return []


def _read(path: str) -> Departure | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            time, _, word = file.read(_LONGEST).decode("ascii").strip().partition(" ")
            seconds = float(time)
    except (OSError, ValueError):
        # A link, a folder, no number: none that our dialplan left, and it holds up none of the others.
        return None
    return Departure(seconds, word == _UP) if 0 < seconds < LATEST and word in ("", _UP) else None
