"""The writer's side of the database: its one connection, and what is committed over it."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from typing import Final

from router.errors import StoreError
from router.store import fallback, tasks
from router.store.database import immediate, open_database
from router.store.operations import Operation, to_line
from router.store.pseudonym import load_key
from router.store.rows import Rows

BUSY_SECONDS: Final = 0.2
"""How long a commit waits for another program's lock; then it is trouble, and tried again."""


class Commits:
    """Commits groups of operations. Every error is the caller's to deal with, after `failed`."""

    def __init__(self, path: str, on_refused: Callable[[str], None]) -> None:
        self._path = path
        self._on_refused = on_refused
        self._connection: sqlite3.Connection | None = None
        self._rows: Rows | None = None
        self._file: tuple[int, int] | None = None
        self.refused = 0
        """Lines set aside since the start."""
        self.at = 0.0
        """When the last commit was, on the steady clock."""

    def carry_out(self, operations: Sequence[Operation], unread: Sequence[str] = ()) -> list[Operation]:
        """One transaction, on disk when this returns: what it stored. Set aside is the rest, values that no row can
        hold, and the lines in `unread`, which nobody can read.

        Raises sqlite3.Error, OSError, StoreError; nothing is stored then.
        """
        connection, rows = self._connect()
        try:
            try:
                with immediate(connection):
                    for each in operations:
                        rows.apply(each)
                    if unread:
                        self.refuse(unread, "unreadable")
                stored = list(operations)
            except Exception as error:
                if _passes(error):
                    raise
                rows.forget()
                stored = self._sort_out(connection, rows, operations, unread)
        except BaseException:
            rows.forget()
            raise
        self.at = time.monotonic()
        return stored

    def write_expired(self, now: float) -> None:
        """Put down what is expired at `now`, in epoch seconds. Raises as `carry_out` does."""
        connection, _ = self._connect()
        with immediate(connection):
            tasks.write_expired(connection, now)

    def make_folder(self) -> None:
        """Where the second and third line may leave files; the folder it lies in is not made. Raises OSError."""
        folder = fallback.folder(self._path)
        with contextlib.suppress(FileExistsError):
            os.mkdir(folder, 0o700)
            os.chmod(folder, 0o770)  # noqa: S103 - whatever the umask: a group in common may let Asterisk's user in

    def refuse(self, lines: Sequence[str], why: str) -> None:
        """Set aside, on disk, what no row can hold. Raises OSError."""
        descriptor = os.open(f"{self._path}.refused", os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write("".join(f"{line}\n" for line in lines).encode("ascii", "replace"))
            file.flush()
            os.fsync(file.fileno())
        self.refused += len(lines)
        self._on_refused(
            f"{self._path}: a row that the database cannot hold ({why}) was set aside in {self._path}.refused"
        )

    def failed(self, error: Exception) -> None:
        """After an error: the next commit begins on a connection of its own, but for one case.

        Where an fsync has failed, the kernel takes its pages for written (fsync(2)), and whoever opens the log anew
        takes its frames for committed: what is not on disk would be told to be. This connection knows better, and
        writes them again.
        """
        if getattr(error, "sqlite_errorname", "") != "SQLITE_IOERR_FSYNC":
            self.disconnect()

    def disconnect(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
        self._connection = self._rows = None

    def _sort_out(
        self, connection: sqlite3.Connection, rows: Rows, operations: Sequence[Operation], unread: Sequence[str]
    ) -> list[Operation]:
        """As `carry_out`, operation by operation within the transaction, since one of them cannot be stored."""
        stored: list[Operation] = []
        refused: dict[str, list[str]] = {"unreadable": list(unread)} if unread else {}
        with immediate(connection):
            for each in operations:
                connection.execute("SAVEPOINT operation")
                try:
                    rows.apply(each)
                    stored.append(each)
                except Exception as error:
                    if _passes(error):
                        raise
                    rows.forget()
                    connection.execute("ROLLBACK TO operation")
                    refused.setdefault(type(error).__name__, []).append(to_line(each))
                connection.execute("RELEASE operation")
            for why, lines in refused.items():
                self.refuse(lines, why)
        return stored

    def _connect(self) -> tuple[sqlite3.Connection, Rows]:
        """The connection, made anew when the file under its name is another one (moved away, restored)."""
        if self._connection is not None and self._rows is not None and self._file == self._identity():
            return self._connection, self._rows
        self.disconnect()
        self._connection = open_database(self._path, checkpoints=True, busy=BUSY_SECONDS)
        self._rows = Rows(self._connection, load_key(self._path))
        self._file = self._identity()
        self.make_folder()
        return self._connection, self._rows

    def _identity(self) -> tuple[int, int] | None:
        try:
            status = os.stat(self._path)
        except OSError:
            return None
        return status.st_dev, status.st_ino


def _passes(error: Exception) -> bool:
    """Whether it is the database's state (locked, full, damaged, gone), not the value that was to be
    written.
    """
    return (
        isinstance(error, (sqlite3.OperationalError, OSError, StoreError)) or type(error) is sqlite3.DatabaseError
    )
