"""Taking in what the second and third line left as files, each once: a file goes when its rows are
kept.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import Final, Protocol

from router.model import Config
from router.store import fallback
from router.store.fallback_file import parse, start_of, to_operation
from router.store.ids import fallback_id
from router.store.operations import Operation, from_line

ABANDONED_AFTER: Final = 6 * 3600.0
"""Seconds without a change after which a file without an end is of a call that is no more (Asterisk died)."""
LARGEST_FILE: Final = 64 * 1024
FILES_AT_ONCE: Final = 1000
KEEP_SECONDS: Final = 10.0


class Sink(Protocol):
    """Where the operations go: a Writer."""

    def write(self, operation: Operation) -> None: ...

    def keep(self, timeout: float) -> bool: ...


@dataclass(frozen=True, slots=True)
class Imported:
    """`calls` taken in; `bad` lines set aside in `<file>.bad`; `waiting` files of calls that go on, or not
    yet stored.
    """

    calls: int = 0
    bad: int = 0
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class _File:
    path: str
    text: str
    changed_at: float


def import_fallback(sink: Sink, config: Config, *, now: float) -> Imported:
    """Read the folder beside the database, at most FILES_AT_ONCE of its files. Safe to repeat after a crash
    anywhere.

    Waits for the sink, so it belongs in a thread. A file is removed once the sink keeps what it says, in the
    database or in its journal. Raises OSError when the folder cannot be read or a file not be removed; nothing is
    lost then.
    """
    folder = fallback.folder(config.database)
    names = _names(folder)
    if not names:
        return Imported()
    if not sink.keep(KEEP_SECONDS):
        return Imported(waiting=len(names))  # it would but hold them in memory, and again the next time
    done: list[str] = []
    bad = waiting = 0
    for name in names:
        file = _read(os.path.join(folder, name))
        if file is None:
            bad += 1
            continue
        taken, wrong = _take(sink, file, config, now)
        bad += wrong
        if taken:
            done.append(file.path)
        else:
            waiting += 1
    if done and not sink.keep(KEEP_SECONDS):
        return Imported(0, bad, waiting + len(done))
    for path in done:
        os.unlink(path)
    return Imported(len(done), bad, waiting)


def _names(folder: str) -> list[str]:
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    return sorted(name for name in names if name.endswith((".call", ".ops")))[:FILES_AT_ONCE]


def _read(path: str) -> _File | None:
    """The file's text; None when it is none that Asterisk wrote (a link, a pipe, too long): moved to `.bad`
    unread.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if stat.S_ISREG(status.st_mode) and status.st_size <= LARGEST_FILE:
                return _File(path, file.read(LARGEST_FILE + 1).decode("utf-8", "replace"), status.st_mtime)
    except OSError:
        if not os.path.islink(path):
            raise
    os.rename(path, f"{path}.bad")
    return None


def _take(sink: Sink, file: _File, config: Config, now: float) -> tuple[bool, int]:
    """Hand the file's operations on. Whether the file is then done with, and how many of its lines were
    bad.
    """
    if file.path.endswith(".ops"):
        operations, bad = _operations(file.text)
    else:
        left = parse(file.text)
        if not left.ended and now - file.changed_at < ABANDONED_AFTER:
            return False, 0
        operations, bad = [], list(left.bad)
        try:
            start = start_of(left.keys)
            call_id = fallback_id(left.keys["id"], start)
            operations.append(to_operation(left.keys, call_id, config, file.changed_at))
        except (ValueError, OverflowError):
            bad = [line for line in file.text.split("\n") if line.strip()]
    for each in operations:
        sink.write(each)
    if bad:
        _set_aside(file.path, bad)
    return True, len(bad)


def _operations(text: str) -> tuple[list[Operation], list[str]]:
    operations: list[Operation] = []
    bad: list[str] = []
    for line in filter(str.strip, text.split("\n")):
        try:
            operations.append(from_line(line))
        except ValueError:
            bad.append(line)
    return operations, bad


def _set_aside(path: str, lines: list[str]) -> None:
    """Beside the file, for a human to look at; a second import of the same file writes the same again."""
    descriptor = os.open(f"{path}.bad", os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
        file.write("".join(f"{line}\n" for line in lines))
        file.flush()
        os.fsync(file.fileno())
