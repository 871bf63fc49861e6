"""A consistent copy of a database in use: written beside its name, checked, then put in place."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable
from typing import Final

from router.errors import Refused, StoreError
from router.store import faults
from router.store.database import reader

PAGES_AT_ONCE: Final = 2000
"""Pages copied before a writer may step in: 8 MB of SQLite's default pages."""


def back_up(database: str, target: str, on_progress: Callable[[int, int], None] | None = None) -> int:
    """Copy `database`, as of one moment, to `target` (mode 0600); its size in bytes. `on_progress`: pages
    done, of.

    The key of the pseudonyms (`<database>.key`) is not in it. Raises Refused when `target` exists,
    StoreError when either cannot be used, or when the copy does not pass SQLite's integrity check; `target`
    is then not made.
    """
    _check_target(database, target)
    unfinished = f"{target}.{os.getpid()}.unfinished"
    with contextlib.closing(reader(database)) as source:
        try:
            os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            wrong = _copy(source, unfinished, on_progress)
            if wrong is not None:
                raise faults.damaged(database, wrong)
            _put_in_place(unfinished, target)
        except FileExistsError:
            raise _exists(target) from None
        except (sqlite3.Error, OSError) as error:
            raise faults.explain(target, error) from error
        finally:
            for leftover in (unfinished, f"{unfinished}-journal", f"{unfinished}-wal", f"{unfinished}-shm"):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(leftover)
    return os.path.getsize(target)


def _check_target(database: str, target: str) -> None:
    if os.path.lexists(target):
        raise _exists(target)
    folder = os.path.dirname(os.path.abspath(target))
    if not os.path.isdir(folder):
        raise StoreError(f"{target}: the folder {folder} does not exist; make it: mkdir -p {folder}")
    if os.path.abspath(target).startswith(os.path.abspath(database) + "-"):
        raise Refused(f"{target}: is a name that SQLite itself uses beside the database; choose another")


def _copy(source: sqlite3.Connection, path: str, on_progress: Callable[[int, int], None] | None) -> str | None:
    """Copy everything to `path`; what SQLite's checks find wrong there, None when nothing is."""

    def progress(_status: int, remaining: int, total: int) -> None:
        if on_progress is not None:
            on_progress(total - remaining, total)

    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as copy:
        # One read transaction: the writer goes on, and the copy never has to start again.
        source.execute("BEGIN")
        source.execute("SELECT 1 FROM sqlite_schema").fetchone()
        source.backup(copy, pages=PAGES_AT_ONCE, progress=progress, sleep=0.0)
        source.execute("COMMIT")
        copy.execute("PRAGMA journal_mode = DELETE")
        found = [str(row[0]) for row in copy.execute("PRAGMA integrity_check(1)")]
        broken = copy.execute("PRAGMA foreign_key_check").fetchone()
    if found != ["ok"]:
        return found[0]
    return None if broken is None else f"a row of {broken[0]} refers to one of {broken[2]} that is not there"


def _put_in_place(unfinished: str, target: str) -> None:
    """On disk first; then a link, which unlike a rename never replaces what somebody made meanwhile."""
    for path, flags in ((unfinished, os.O_RDONLY), (os.path.dirname(os.path.abspath(target)), os.O_DIRECTORY)):
        descriptor = os.open(path, flags)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if path == unfinished:
            os.link(unfinished, target)


def _exists(target: str) -> Refused:
    return Refused(f"{target}: exists and is not overwritten; give another name")
