"""One router a database: a lock file that the kernel releases when its holder dies, however it dies."""

from __future__ import annotations

import fcntl
import os
from types import TracebackType
from typing import Self

from router.errors import Refused, StoreError


class RouterLock:
    """`<database>.lock`, held while the router runs; it carries the router's process id, and its date is the last
    sign of the router's life."""

    def __init__(self, database: str) -> None:
        self.path = f"{database}.lock"
        self.before: float | None = None
        """When an earlier router was last alive (epoch seconds); None when there was none."""
        self._fd = -1

    def __enter__(self) -> Self:
        """Raises Refused when another router holds it, StoreError when the file cannot be made."""
        try:
            fresh = not os.path.exists(self.path)
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            os.fchmod(self._fd, 0o600)  # earlier releases left it open to others
        except OSError as error:
            raise StoreError(f"{self.path}: {error.strerror}; make its folder, or write to another one") from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._fd)
            owner = holder(self.path.removesuffix(".lock"))
            raise Refused(
                f"a router is already running on this database (process {owner}); stop it first"
            ) from None
        if not fresh:
            self.before = os.fstat(self._fd).st_mtime
        os.truncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)
        return self

    def beat(self) -> None:
        """We are alive: a next router will know until when. Raises OSError."""
        os.utime(self._fd)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.truncate(self._fd, 0)
        os.close(self._fd)


def holder(database: str) -> int | None:
    """The process id of the router that runs on this database; None when none does."""
    try:
        fd = os.open(f"{database}.lock", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.pread(fd, 32, 0).decode("ascii", "replace").strip()
        return int(text) if text.isdigit() else 0
    finally:
        os.close(fd)
    return None
