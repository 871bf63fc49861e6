"""What the database does not take just now, in order: in a file beside it, or in memory when that cannot
be written.

The file is `<database>.spool`, a line of JSON an operation, on disk before it counts. It is read again
from its start when the router starts; carrying an operation out twice does no harm.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Final

from router.store.operations import Operation, from_line, to_line

_CHUNK: Final = 1 << 20
"""Bytes read at once."""


class Spool:
    """A queue on disk. Not safe for two threads; the router's lock keeps a second router away from the
    file.
    """

    def __init__(self, database: str) -> None:
        self.path: Final = f"{database}.spool"
        self._opened = False
        self._done = 0
        """Bytes of the file that the database has since taken."""
        self._size = 0
        self._lines = 0
        self._memory: list[Operation] = []

    def __len__(self) -> int:
        """Operations that wait."""
        return self._lines + len(self._memory)

    @property
    def on_disk(self) -> int:
        """How many of them are on disk."""
        return self._lines

    @property
    def in_memory(self) -> int:
        """How many are not: those that came last."""
        return len(self._memory)

    def open(self) -> None:
        """Take up what an earlier run left; a last line cut short by a crash was never counted as kept.
        Raises OSError.
        """
        try:
            with open(self.path, "r+b") as file:
                size = lines = 0
                while chunk := file.read(_CHUNK):
                    end, count = whole(chunk)
                    lines += count
                    size = file.tell() - len(chunk) + end if count else size
                file.truncate(size)
        except FileNotFoundError:
            size = lines = 0
        self._opened, self._size, self._lines = True, size, lines

    def add(self, operations: Sequence[Operation]) -> OSError | None:
        """Keep them, after those that are kept already. The error when the file did not take them."""
        self._memory.extend(operations)
        try:
            if not self._opened:
                self.open()
            self._append("".join(f"{to_line(each)}\n" for each in self._memory).encode("ascii"))
        except OSError as error:
            return error
        self._lines += len(self._memory)
        self._memory.clear()
        return None

    def head(self, limit: int) -> tuple[list[Operation], list[str], int]:
        """The first operations (at most `limit`), the lines among them that cannot be read, and what
        `taken` wants.

        Raises OSError.
        """
        if not self._lines:
            return self._memory[:limit], [], min(limit, len(self._memory))
        with open(self.path, "rb") as file:
            file.seek(self._done)
            lines = [file.readline() for _ in range(min(limit, self._lines))]
        return *parse(lines), sum(map(len, lines))

    def taken(self, amount: int, lines: int) -> None:
        """The database has what `head` gave: `amount` is its last value, `lines` how many it gave. Raises
        OSError when the file, done with, cannot be removed: the next start then carries it out again.
        """
        if not self._lines:
            del self._memory[:amount]
            return
        self._done += amount
        self._lines -= lines
        if not self._lines:
            os.unlink(self.path)
            self._done = self._size = 0

    def _append(self, lines: bytes) -> None:
        """All of it on disk, or none: what a full disk cut short is taken back."""
        descriptor = os.open(self.path, os.O_CREAT | os.O_WRONLY, 0o600)
        try:
            try:
                left = memoryview(lines)
                os.lseek(descriptor, self._size, os.SEEK_SET)
                while left:
                    left = left[os.write(descriptor, left) :]
                os.fsync(descriptor)
            except OSError:
                os.ftruncate(descriptor, self._size)
                if not self._size:
                    os.unlink(self.path)
                raise
        finally:
            os.close(descriptor)
        if not self._size:
            _sync_folder(os.path.dirname(self.path) or ".")
        self._size += len(lines)


def whole(text: bytes) -> tuple[int, int]:
    """Bytes up to the last line's end, and how many lines end there: what a crash cut short does not count."""
    return text.rfind(b"\n") + 1, text.count(b"\n")


def parse(lines: Iterable[bytes]) -> tuple[list[Operation], list[str]]:
    """The operations on these lines, and the lines that are none."""
    operations: list[Operation] = []
    unread: list[str] = []
    for line in lines:
        text = line.decode("utf-8", "replace").rstrip("\n")
        try:
            operations.append(from_line(text))
        except ValueError:
            unread.append(text)
    return operations, unread


def _sync_folder(folder: str) -> None:
    """A new file survives a power cut only once its folder's entry is on disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
