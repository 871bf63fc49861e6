"""Runtime folders: each belongs to one process at a time."""

from __future__ import annotations

import fcntl
import shutil
from pathlib import Path
from typing import IO

from sandbox.errors import SandboxError


def take(folder: Path) -> IO[str]:
    """Empties the folder and locks it until what is returned is closed. Raises SandboxError when it is in use."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = folder.with_name(f"{folder.name}.lock").open("w", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise SandboxError(f"another copy is running in {folder}; stop it first") from None
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return lock
