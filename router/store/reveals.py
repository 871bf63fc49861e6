"""Who was shown callers' numbers, when and why: table `reveals`. The numbers themselves are not in it."""

from __future__ import annotations

import os
import pwd
import sqlite3

from router.store.times import to_text


def write_reveal(
    connection: sqlite3.Connection, *, at: float, user: str, command: str, reason: str, rows: int
) -> None:
    """Record that `user` is shown the numbers of `rows` rows. To be on disk before they are shown."""
    connection.execute(
        "INSERT INTO reveals (at, os_user, command, reason, rows) VALUES (?, ?, ?, ?, ?)",
        (to_text(at), user, command, reason, rows),
    )


def os_user() -> str:
    """Who runs this process, as the system knows him; behind sudo, who called it."""
    if os.geteuid() == 0 and os.environ.get("SUDO_USER"):
        return os.environ["SUDO_USER"]
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"#{os.geteuid()}"
