"""Opening the database. Whatever is wrong with the file is said in one line with its mend; nothing is
overwritten.

Only the daemon's connection checkpoints: before SQLite 3.51.3 two connections that do so at once can damage
the file (its WAL-reset bug; mended in 3.50.7 and 3.44.6 too).

A file that this process has a connection to is never opened beside SQLite: closing any descriptor of a file gives
up every lock that the process holds on it (POSIX; "How To Corrupt An SQLite Database File", section 2.2). The next
program to close the database would take itself for the last, and remove the log that is being written.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from urllib.parse import quote

from router.errors import StoreError
from router.store import faults
from router.store.schema import APPLICATION_ID, VERSIONS

BUSY_SECONDS: Final = 5.0
"""How long a command waits for another writer: the daemon's commits take milliseconds."""
_AUTOCHECKPOINT: Final = 1000
"""Pages of WAL after which the daemon copies them into the database: SQLite's own default, about 4 MB."""


def open_database(
    path: str, *, create: bool = True, checkpoints: bool = False, migrate: bool = True, busy: float = BUSY_SECONDS
) -> sqlite3.Connection:
    """A connection that writes: the file made where there is none (mode 0600), tables brought up to date.

    Autocommit: whoever reads before writing says BEGIN IMMEDIATE. `checkpoints` is for the daemon alone.
    Without `migrate` an older database is refused, and nothing but the standard library is imported. `busy`
    is in seconds. Raises StoreError: missing folder, a folder, not a database, another program's,
    truncated, newer, no permission, read-only, locked, full.
    """
    try:
        with _OPENING:
            faults.look(path, write=True, inside=not _is_open(path))
            if not os.path.exists(path):
                if not create:
                    raise faults.missing(path)
                _make(path)
            connection = _connect(path, "rw", busy)
        try:
            _bring_up_to_date(connection, path, migrate=migrate)
            _prepare(connection, path, checkpoints=checkpoints)
        except BaseException:
            connection.close()
            raise
        return connection
    except (sqlite3.Error, OSError) as error:
        raise faults.explain(path, error) from error


def reader(path: str) -> sqlite3.Connection:
    """A connection that cannot write, and never holds up the router. Raises StoreError as `open_database`
    does.

    A database that lies where nothing can be written beside it (a read-only medium) is read as it stands,
    as long as no log of unfinished work lies with it.
    """
    try:
        with _OPENING:
            faults.look(path, write=False, inside=not _is_open(path))
        try:
            return _read_only(path, "mode=ro")
        except sqlite3.OperationalError:
            # WAL needs its shared-memory file: where it cannot be made there is no writer either, and no
            # log to miss.
            if os.access(os.path.dirname(os.path.abspath(path)), os.W_OK) or faults.has_log(path):
                raise
            return _read_only(path, "mode=ro&immutable=1")
    except (sqlite3.Error, OSError) as error:
        raise faults.explain(path, error) from error


@contextmanager
def reading(path: str) -> Iterator[sqlite3.Connection]:
    """`reader`, closed at the end; whatever SQLite says within becomes a StoreError."""
    yield from _during(path, reader(path))


@contextmanager
def writing(path: str) -> Iterator[sqlite3.Connection]:
    """`open_database` for a command: it makes no database where there is none, and closes it at the end."""
    yield from _during(path, open_database(path, create=False))


@contextmanager
def immediate(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """One transaction that holds the write lock from its start: committed at the end, rolled back on any
    error.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        # A full disk or an I/O error has already rolled it back.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _during(path: str, connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    try:
        yield connection
    except sqlite3.Error as error:
        raise faults.explain(path, error) from error
    finally:
        connection.close()


class _Connection(sqlite3.Connection):
    """One that is counted as long as it is open."""

    _file: tuple[int, int] | None = None

    def hold(self, path: str) -> None:
        status = os.stat(path)
        self._file = (status.st_dev, status.st_ino)
        _OPEN[self._file] += 1

    def close(self) -> None:
        super().close()
        if self._file is not None:
            _OPEN[self._file] -= 1
            self._file = None


_OPENING: Final = threading.RLock()
"""Held while a file is looked into, and while a connection to one is made."""
_OPEN: Final[Counter[tuple[int, int]]] = Counter()
"""Files by device and inode -> this process's connections to them."""


def _is_open(path: str) -> bool:
    try:
        status = os.stat(path)
    except OSError:
        return False
    return _OPEN[status.st_dev, status.st_ino] > 0


def _connect(path: str, query: str, busy: float) -> sqlite3.Connection:
    """Autocommit, rows by name; never makes a file."""
    mode = query if "=" in query else f"mode={query}"
    uri = f"file:{quote(os.fsencode(os.path.abspath(path)))}?{mode}"
    with _OPENING:
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=busy, factory=_Connection)
        connection.hold(path)
    connection.row_factory = sqlite3.Row
    return connection


def _read_only(path: str, query: str) -> sqlite3.Connection:
    connection = _connect(path, query, BUSY_SECONDS)
    try:
        connection.execute("PRAGMA query_only = ON")
        version = _version(connection, path)
        if version != len(VERSIONS):
            raise faults.older(path, version, len(VERSIONS))
    except BaseException:
        connection.close()
        raise
    return connection


def _make(path: str) -> None:
    """An empty file that only its owner reads; SQLite gives its log and shared memory the same mode."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        return


def _bring_up_to_date(connection: sqlite3.Connection, path: str, *, migrate: bool) -> None:
    version = _version(connection, path)
    if version == len(VERSIONS):
        return
    if not migrate:
        raise faults.older(path, version, len(VERSIONS))
    from router.store import migrations

    migrations.migrate(connection)


def _version(connection: sqlite3.Connection, path: str) -> int:
    """How many of our versions it has: 0 for an empty file. Raises StoreError for a newer one and a
    stranger's.
    """
    owner = int(connection.execute("PRAGMA application_id").fetchone()[0])
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    tables = int(connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0])
    if tables and owner != APPLICATION_ID:
        raise faults.foreign(path)
    if version > len(VERSIONS):
        raise faults.newer(path, version, len(VERSIONS))
    return version


def _prepare(connection: sqlite3.Connection, path: str, *, checkpoints: bool) -> None:
    if str(connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]) != "wal":
        raise StoreError(
            f"{path}: this file system cannot hold a write-ahead log (a network drive?); "
            "put the database on a local disk: --db FILE"
        )
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_AUTOCHECKPOINT if checkpoints else 0}")
