"""The database, and what lies beside it for the times when it or the router is away."""

from __future__ import annotations

import glob
import os
import shutil
import sqlite3
import stat
import time
from collections.abc import Iterator
from shlex import quote
from typing import Final

from router.config.compiled import lookup, routes_path
from router.doctor.finding import Finding, fail, ok, warn
from router.errors import RouterError
from router.model import Config
from router.store.database import reading
from router.store.fallback import folder

#: Seconds that SQLite's own check of the database may take; a large one is then left unchecked.
CHECKING: Final = 5.0
LITTLE: Final = 500 * 1024**2
"""Bytes free on the disk: below this it is said."""
TOO_LITTLE: Final = 20 * 1024**2
WAITING: Final = 60.0
"""Seconds after which a file that a running router should have taken in is late: it looks every ten."""


def examine(config: Config, now: float) -> list[Finding]:
    return [_database(config), _disk(config), *_beside(config), _routes(config), *_fallback(config, now)]


def _database(config: Config) -> Finding:
    path = config.database
    if not os.path.exists(path):
        return warn("database", f"{path} does not exist yet: the router makes it", "callrouter run")
    deadline = time.monotonic() + CHECKING
    try:
        with reading(path) as connection:
            connection.set_progress_handler(lambda: int(time.monotonic() > deadline), 10_000)
            try:
                wrong = [str(row[0]) for row in connection.execute("PRAGMA quick_check(3)")]
            except sqlite3.OperationalError as error:
                if error.sqlite_errorname != "SQLITE_INTERRUPT":
                    raise
                return ok("database", f"{path} opens (too large to be checked within {CHECKING:.0f} s)")
    except RouterError as error:
        text, _, mend = str(error).partition("; ")
        return fail("database", text, mend)
    if wrong != ["ok"]:
        return fail(
            "database", f"{path} is damaged: {wrong[0]}", f"put a backup in its place: cp BACKUP {quote(path)}"
        )
    return ok("database", f"{path} opens and is sound")


def _disk(config: Config) -> Finding:
    place = os.path.dirname(config.database)
    try:
        free = shutil.disk_usage(place).free
    except OSError as error:
        return fail("disk", f"{place}: {error.strerror}", f"mkdir -p {quote(place)}")
    what = f"{free / 1024**2:,.0f} MiB free in {place}"
    if free < TOO_LITTLE:
        return fail("disk", what, f"df -h {quote(place)}")
    return warn("disk", what, f"df -h {quote(place)}") if free < LITTLE else ok("disk", what)


def _beside(config: Config) -> Iterator[Finding]:
    """What must not be open to everybody, copies that somebody laid there among it, and what the writer could not
    write."""
    for path in sorted(glob.glob(f"{glob.escape(config.database)}*")):
        try:
            mode = os.stat(path, follow_symlinks=False).st_mode
        except OSError:
            continue  # gone meanwhile
        if mode & 0o007 and not stat.S_ISLNK(mode):
            yield fail(
                "permissions", f"{path} is open to every user (mode {mode & 0o777:o})", f"chmod o-rwx {quote(path)}"
            )
    spool = f"{config.database}.spool"
    if os.path.exists(spool) and os.path.getsize(spool):
        yield fail("spool", f"{spool} holds what could not be written to the database", "journalctl -u callrouter")


def _routes(config: Config) -> Finding:
    """What the AGI script decides by: left by the router when it accepts a configuration."""
    path = routes_path(config.database)
    try:
        version = lookup(path).version
    except RouterError as error:
        text, _, mend = str(error).partition("; ")
        return fail("routes", text, mend)
    if version != config.version:
        what = f"{path} is of configuration {version}, campaigns.yaml is {config.version}: not in force yet"
        return warn("routes", what, "callrouter reload")
    return ok("routes", f"{path} is of this configuration")


def _fallback(config: Config, now: float) -> Iterator[Finding]:
    """Records of the third line that wait, and those that could not be read."""
    place = folder(config.database)
    try:
        entries = list(os.scandir(place))
    except OSError as error:
        yield fail("fallback", f"{place}: {error.strerror}", f"install -d -m 770 -o asterisk {quote(place)}")
        return
    bad = [entry.name for entry in entries if entry.name.endswith(".bad")]
    late = [entry.name for entry in entries if entry.name.endswith((".call", ".ops")) and _late(entry, now)]
    if bad:
        yield warn(
            "fallback",
            f"{len(bad)} records in {place} could not be read, {bad[0]} first",
            f"less {quote(place)}/*.bad",
        )
    if late:
        yield warn(
            "fallback", f"{len(late)} calls in {place} wait for the router to take them in", "callrouter run"
        )
    if not bad and not late:
        yield ok("fallback", f"nothing waits in {place}")


def _late(entry: os.DirEntry[str], now: float) -> bool:
    try:
        return now - entry.stat(follow_symlinks=False).st_mtime > WAITING
    except FileNotFoundError:
        return False  # taken in meanwhile
