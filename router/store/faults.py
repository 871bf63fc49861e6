"""What can be wrong with a database file, each in one line: what it is, and the command that mends it."""

from __future__ import annotations

import os
import pwd
import stat
from shlex import quote
from typing import Final

from router.errors import StoreError

_MAGIC: Final = b"SQLite format 3\0"
_HEADER: Final = 100
"""Bytes of SQLite's file header (sqlite.org/fileformat.html, section 1.3)."""


def look(path: str, *, write: bool, inside: bool) -> None:
    """Raise StoreError for what can be seen without SQLite. A missing file is fine to write, not to read.

    `inside` must be False while this process has a connection to the file: it is opened and closed again.
    """
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        raise StoreError(f"{path}: the folder {folder} does not exist; make it: mkdir -p {quote(folder)}")
    try:
        status = os.stat(path)
    except FileNotFoundError:
        if has_log(path):
            raise _orphaned_log(path) from None
        if not write:
            raise missing(path) from None
        if not os.access(folder, os.W_OK | os.X_OK):
            raise _forbidden(path, folder, "make a file in") from None
        return
    except OSError as error:
        raise explain(path, error) from None
    if stat.S_ISDIR(status.st_mode):
        raise StoreError(
            f"{path}: is a folder; name a file in it: --db {quote(os.path.join(path, 'callrouter.db'))}"
        )
    if not stat.S_ISREG(status.st_mode):
        raise StoreError(f"{path}: is no regular file; name another: --db FILE")
    if not os.access(path, os.R_OK):
        raise _forbidden(path, path, "read")
    if write and not os.access(path, os.W_OK):
        raise _forbidden(path, path, "write")
    if write and not os.access(folder, os.W_OK | os.X_OK):
        raise _forbidden(path, folder, "write the log beside it in")
    if inside:
        _look_inside(path, status.st_size)


def _look_inside(path: str, size: int) -> None:
    """SQLite itself would find a torn file only on the day it reads the missing page."""
    if not size:
        if has_log(path):
            raise _orphaned_log(path)
        if os.path.exists(f"{path}.key"):
            raise StoreError(f"{path}: is empty, and was not; put a backup in its place: cp BACKUP {quote(path)}")
        return
    with open(path, "rb") as file:
        header = file.read(_HEADER)
    if not header.startswith(_MAGIC[: len(header)]):
        raise _no_database(path)
    page = int.from_bytes(header[16:18], "big")
    pages = int.from_bytes(header[28:32], "big")
    # The size in the header counts only when it was written together with the change counter. With a log
    # beside it the file may rightly be shorter: a checkpoint was cut short and is carried out again.
    exact = header[24:28] == header[92:96]
    if len(header) < _HEADER or (exact and not has_log(path) and size < pages * (65536 if page == 1 else page)):
        raise _damaged(path)


def has_log(path: str) -> bool:
    """Whether a write-ahead log with something in it lies beside the database."""
    try:
        return os.path.getsize(f"{path}-wal") > 0
    except OSError:
        return False


def explain(path: str, error: Exception) -> StoreError:
    """SQLite's or the system's error as one line for the operator."""
    if isinstance(error, StoreError):
        return error
    name = getattr(error, "sqlite_errorname", "") or ""
    if name.startswith("SQLITE_NOTADB"):
        return _no_database(path)
    if name.startswith("SQLITE_CORRUPT"):
        return _damaged(path)
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return StoreError(f"{path}: is locked by another program; see which: fuser -v {quote(path)}")
    if name.startswith("SQLITE_FULL"):
        return StoreError(
            f"{path}: the disk is full; see what fills it: df -h {quote(os.path.dirname(path) or '.')}"
        )
    if name.startswith(("SQLITE_READONLY", "SQLITE_PERM", "SQLITE_AUTH")) or isinstance(error, PermissionError):
        return _forbidden(path, path, "write")
    if name.startswith("SQLITE_IOERR"):
        return StoreError(f"{path}: the disk fails ({name}: {error}); see what the kernel says: dmesg | tail")
    reason = (error.strerror or str(error)) if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
    return StoreError(f"{path}: cannot be opened ({reason}); look at it: ls -l {quote(path)}")


def missing(path: str) -> StoreError:
    return StoreError(f"{path}: there is no database yet; the router makes it: callrouter run")


def newer(path: str, found: int, known: int) -> StoreError:
    return StoreError(
        f"{path}: was written by a newer Callrouter (schema {found}, this one knows {known}); "
        "upgrade this one: pip install --upgrade callrouter"
    )


def older(path: str, found: int, known: int) -> StoreError:
    return StoreError(
        f"{path}: has schema {found}, this Callrouter reads {known}; starting the router brings it up to date: "
        "callrouter run"
    )


def foreign(path: str) -> StoreError:
    return StoreError(f"{path}: is another program's database, left as it is; name another file: --db FILE")


def _orphaned_log(path: str) -> StoreError:
    """SQLite would throw the log away with what was written last, taking it for that of a database deleted."""
    log = quote(f"{path}-wal")
    return StoreError(f"{path}: was moved away without its log; move that to the same place: mv {log} DATABASE-wal")


def damaged(path: str, what: str) -> StoreError:
    return StoreError(f"{path}: is damaged ({what}); no copy was made; save what it holds: {_recover(path)}")


def _recover(path: str) -> str:
    return f"sqlite3 {quote(path)} .recover | sqlite3 {quote(path + '.recovered')}"


def _no_database(path: str) -> StoreError:
    aside = quote(path), quote(f"{path}.aside")
    return StoreError(f"{path}: is not an SQLite database, left as it is; move it away: mv {aside[0]} {aside[1]}")


def _damaged(path: str) -> StoreError:
    return StoreError(
        f"{path}: is damaged (truncated, or overwritten in part), left as it is; "
        f"save what it holds: {_recover(path)}"
    )


def _forbidden(path: str, what: str, act: str) -> StoreError:
    """Names the owner, since running as that user is mostly the mend."""
    try:
        identity = os.stat(what).st_uid
    except OSError:
        return StoreError(f"{path}: no permission to {act} {what}; look at it: ls -ld {quote(what)}")
    if identity == os.geteuid() or os.geteuid() == 0:
        if os.access(what, os.W_OK) or not os.statvfs(what).f_flag & os.ST_RDONLY:
            return StoreError(
                f"{path}: may not {act} {what}: its mode forbids it; allow it: chmod u+rwX {quote(what)}"
            )
        return StoreError(f"{path}: lies on a read-only file system; name a file elsewhere: --db FILE")
    owner = _name(identity)
    return StoreError(
        f"{path}: you ({_name(os.geteuid())}) may not {act} {what}, it belongs to {owner}; "
        f"run as its owner: sudo -u {quote(owner)} callrouter …"
    )


def _name(identity: int) -> str:
    try:
        return pwd.getpwuid(identity).pw_name
    except KeyError:
        return f"#{identity}"
