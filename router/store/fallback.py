"""How the second line writes its calls without the router: into the database, or beside it when that is in
trouble.

The AGI script imports this for each call: the standard library only, and no waiting beyond a second.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Sequence

from router.errors import StoreError
from router.model import AttemptRecord, CallbackWish, CallRecord
from router.store.database import immediate, open_database
from router.store.operations import CallEnded, CallOpened, Operation, to_line
from router.store.pseudonym import load_key
from router.store.rows import Rows


def folder(database: str) -> str:
    """Where the second and third line leave what the router is to write: `<database>.fallback`."""
    return f"{database}.fallback"


def record_fallback(
    database: str,
    call: CallRecord,
    attempts: Sequence[AttemptRecord] = (),
    callback: CallbackWish | None = None,
    *,
    timeout: float = 1.0,
) -> str:
    """Write a call's first second (`outcome` None) or its end, with attempts and callback, in one
    transaction.

    Returns `database`; or `folder` when the database was not there, locked for `timeout` seconds, full or
    forbidden, and a file was left for the router instead. Raises StoreError when that could not be written
    either.
    """
    operation: Operation = CallOpened(call) if call.outcome is None else CallEnded(call, tuple(attempts), callback)
    try:
        connection = open_database(database, create=False, migrate=False, busy=timeout)
        with contextlib.closing(connection), immediate(connection):
            Rows(connection, load_key(database)).apply(operation)
    except (sqlite3.Error, OSError, StoreError, ValueError):
        _leave(database, call.id, operation)
        return "folder"
    return "database"


def _leave(database: str, call_id: str, operation: Operation) -> None:
    """A file with the operation's line, on disk and whole before the router can see it."""
    name = os.path.join(folder(database), f"{call_id}-{time.time_ns():x}")
    try:
        descriptor = os.open(f"{name}.new", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o660)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(to_line(operation) + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.rename(f"{name}.new", f"{name}.ops")
    except OSError as error:
        raise StoreError(
            f"{name}.ops: cannot be written ({error.strerror}); make its folder writable for Asterisk's user: "
            f"install -d -m 770 -o asterisk {folder(database)}"
        ) from error
