"""This machine: the router's process, the clock, time zones, and what Asterisk's user may read and write."""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote
from typing import Final

from router.config.compiled import routes_path
from router.doctor.finding import Finding, fail, ok, warn
from router.lock import holder
from router.model import Config
from router.store.database import reading
from router.store.fallback import folder
from router.store.times import from_text

TIME_ERROR: Final = 5
"""adjtimex(2): the kernel's clock is not synchronised."""
_TIMEX: Final = 512
"""Bytes, more than struct timex has anywhere."""
ZONES: Final = ("/usr/share/zoneinfo",)
AHEAD: Final = 60.0
"""Seconds by which the newest call may lie in the future before the clock is doubted."""


@dataclass(frozen=True, slots=True)
class User:
    """Whom a process runs as."""

    uid: int
    groups: frozenset[int]

    def may(self, path: str, want: int) -> bool:
        """Whether the mode of a file (not of the folders above it) lets this user; `want`: 4 read, 2 write,
        1 run.
        """
        try:
            status = os.stat(path)
        except OSError:
            return False
        if self.uid == 0:
            return True
        if status.st_uid == self.uid:
            return status.st_mode >> 6 & want == want
        if status.st_gid in self.groups:
            return status.st_mode >> 3 & want == want
        return status.st_mode & want == want


def examine(config: Config, now: float) -> list[Finding]:
    return [_running(config), _synchronised(), *_forward(config, now), *_zones(config), *_asterisks_rights(config)]


def _running(config: Config) -> Finding:
    pid = holder(config.database)
    if pid is None:
        return fail(
            "process", f"no router runs on {config.database}", "systemctl start callrouter, or: callrouter run"
        )
    return ok("process", f"a router runs on {config.database} (process {pid})")


def _synchronised() -> Finding:
    """Hours and the order of calls go by the clock; the kernel knows whether anything keeps it right."""
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(_TIMEX))
    except (OSError, AttributeError):
        return warn("clock", "this system does not say whether its clock is synchronised", "timedatectl")
    if state == TIME_ERROR or state < 0:
        return warn("clock", "not synchronised: opening hours go by it", "timedatectl set-ntp true")
    return ok("clock", f"synchronised, {time.strftime('%Y-%m-%d %H:%M:%S %Z')}")


def _forward(config: Config, now: float) -> Iterator[Finding]:
    """A clock that was set back shows in the database: the newest call lies in the future."""
    if not os.path.exists(config.database):
        return
    try:
        with reading(config.database) as connection:
            row = connection.execute("SELECT MAX(started_at) FROM calls").fetchone()
    except Exception as error:  # noqa: BLE001 - what is wrong with the database is said where that is looked at
        del error
        return
    if row[0] and from_text(row[0]) > now + AHEAD:
        shown = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M UTC")
        yield fail("clock", f"it is {shown}, and the newest call began at {row[0]}", "timedatectl set-ntp true")


def _zones(config: Config) -> Iterator[Finding]:
    """Asterisk takes a zone that it does not find for UTC, and says nothing."""
    zones = {hours.timezone for hours in config.hours.values()}
    zones |= {person.timezone for person in config.salespeople.values()}
    missing = [zone for zone in sorted(zones) if not any(os.path.exists(f"{root}/{zone}") for root in ZONES)]
    if missing:
        yield fail(
            "zones",
            f"{missing[0]} is not in {ZONES[0]}: the third line would take it for UTC",
            "apt install tzdata",
        )


def _asterisks_rights(config: Config) -> Iterator[Finding]:
    """Whether the second and third line, which run as Asterisk's user, can do their work."""
    user = asterisks_user()
    if user is None:
        yield warn("rights", "no Asterisk runs on this machine: what it may read and write was not looked at")
        return
    place = folder(config.database)
    wanted = ((routes_path(config.database), 4), (config.database, 6), (f"{config.database}.key", 4), (place, 7))
    denied = [path for path, want in wanted if os.path.exists(path) and not user.may(path, want)]
    if denied:
        names = " ".join(map(quote, denied))
        mend = f"run the router as Asterisk's user, or: chgrp asterisk {names} && chmod g+rwX {names}"
        yield fail("rights", f"Asterisk's user (uid {user.uid}) may not use {', '.join(denied)}", mend)
    else:
        yield ok("rights", f"Asterisk's user (uid {user.uid}) may use what the fallback needs")


def asterisks_user(proc: Path = Path("/proc")) -> User | None:
    """Whom the Asterisk on this machine runs as; None when none is seen."""
    for status in proc.glob("[0-9]*/status"):
        try:
            text = status.read_text(encoding="utf-8", errors="replace")
            words = (status.parent / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue  # it has just ended
        # By its program, or by the file that a loader was started with.
        if any(os.path.basename(word) == b"asterisk" for word in words[:5]):
            lines = dict(line.partition(":")[::2] for line in text.splitlines())
            gids = [int(gid) for gid in (lines["Groups"] + lines["Gid"]).split()]
            return User(int(lines["Uid"].split()[1]), frozenset(gids))
    return None
