"""What was said and is not yet on disk: lines that survive the process, so that a kill loses nothing.

A commit groups what comes within a third of a second. Until then each operation is a line in the page cache of one
of two files beside the database, written by whoever says it. That outlives the router, not a power cut, and costs
no wait for a disk. The files are used in turn: while one is written, the other waits until the database, or the
spool, has all that it says, and is then emptied. So they hold what is owed and no history: a database moved away or
restored finds no old rows in them.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Final

from router.store.operations import Operation
from router.store.spool import parse, whole

SLOW: Final = 0.25
"""Seconds after which a line has held up its call too long."""
REST: Final = 10.0
"""For how many times as long the journal is then left alone: it never costs more than a tenth of the time."""


@dataclass(slots=True)
class _File:
    path: str
    descriptor: int = -1
    size: int = 0
    last: int = 0
    """The number of its last operation."""


class Journal:
    """Lines are added by any thread that holds `order`; the rest is for the writer's thread alone.

    Operations are counted from 1; what an earlier run left comes first, and a line that cannot be read counts too.
    """

    def __init__(self, database: str) -> None:
        self.order: Final = threading.Lock()
        """To be held while an operation is counted here and queued: both in one order. Never held for a disk but by
        `append` itself."""
        self._files: Final = tuple(_File(f"{database}.journal.{place}") for place in (0, 1))
        self._current = 0
        self._count = 0
        self._kept = 0
        self._missing: deque[int] = deque()
        """Operations of which there is no line."""
        self._usable = False
        self._rest_until = 0.0
        self._trouble: str | None = None
        self._told = False

    def open(self) -> tuple[list[Operation], list[str]]:
        """What an earlier run left: operations, to be carried out and counted first, and lines that nobody can
        read. Raises OSError; there is no journal then, and what is in the files stays there.
        """
        operations: list[Operation] = []
        unread: list[str] = []
        for file in sorted(self._files, key=_written_at):
            try:
                with open(file.path, "rb") as lines:
                    text = lines.read()
            except FileNotFoundError:
                continue
            file.size, _ = whole(text)
            found, bad = parse(text[: file.size].splitlines(keepends=True))
            operations += found
            unread += bad
            file.last = len(operations) + len(unread)
        self._count = len(operations) + len(unread)
        self._usable = True
        for file in self._files:
            self._reopen(file)
        return operations, unread

    def append(self, line: bytes) -> None:
        """Count an operation, and write its line, line end included."""
        self._count += 1
        began = time.monotonic()
        file = self._files[self._current]
        if not self._usable or began < self._rest_until:
            self._missing.append(self._count)
            return
        try:
            if file.descriptor < 0:
                file.descriptor = _open(file)
            # What a full disk cuts short is written over by the next line: it is not counted in the size.
            if os.pwrite(file.descriptor, line, file.size) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            file.size += len(line)
            file.last = self._count
            self._trouble = None
        except OSError as error:
            self._missing.append(self._count)
            self._trouble = f"{file.path}: cannot be written ({error.strerror})"
        took = time.monotonic() - began
        if took > SLOW:
            self._rest_until = began + took * REST
            self._trouble = f"{file.path}: a line took {took:.1f} s to write"

    def kept(self, count: int) -> None:
        """The first `count` operations are on disk elsewhere: empty what says nothing else. Raises OSError."""
        waits = self._files[1 - self._current]
        if self._usable and not waits.size and not _leads_to(waits):
            # Moved away, with the database perhaps.
            self._reopen(waits)
        with self.order:
            self._kept = count
            while self._missing and self._missing[0] <= count:
                self._missing.popleft()
        for _ in self._files:
            with self.order:
                if self._files[self._current].size and not self._files[1 - self._current].size:
                    self._current = 1 - self._current
            waits = self._files[1 - self._current]
            if waits.size and waits.last <= count:
                os.ftruncate(waits.descriptor, 0)
                waits.size = 0

    def trouble(self) -> str | None:
        """Why lines are missing; told once, until there is none of it."""
        trouble, told = self._trouble, self._told
        self._told = trouble is not None
        return None if told else trouble

    @property
    def missing(self) -> int:
        """Operations that are kept neither here nor elsewhere."""
        return len(self._missing)

    def close(self) -> None:
        """Nothing more is written here. The files go, but for one that says what is still owed."""
        with self.order:
            self._usable = False
        for file in self._files:
            if file.descriptor >= 0:
                if file.last <= self._kept and _leads_to(file):
                    os.unlink(file.path)
                os.close(file.descriptor)
                file.descriptor = -1

    def _reopen(self, file: _File) -> None:
        """Have it open before the next line comes, should the folder allow it."""
        if file.descriptor >= 0:
            os.close(file.descriptor)
            file.descriptor = -1
        with contextlib.suppress(OSError):
            file.descriptor = _open(file)


def _open(file: _File) -> int:
    return os.open(file.path, os.O_CREAT | os.O_WRONLY, 0o600)


def _leads_to(file: _File) -> bool:
    """Whether the name still leads to the file that is written."""
    try:
        return os.path.samestat(os.stat(file.path), os.fstat(file.descriptor))
    except OSError:
        return False


def _written_at(file: _File) -> int:
    """When its last line was written, in nanoseconds: lines of the file before came before."""
    try:
        return os.stat(file.path).st_mtime_ns
    except FileNotFoundError:
        return 0
