"""One package of the machine's own distribution, unpacked in the user's cache: no root, nothing installed.

For a library that is loaded into the machine's own programs: one of another suite may want a newer C library.
"""

from __future__ import annotations

import fcntl
import platform
import shutil
from pathlib import Path

from sandbox import apt
from sandbox.errors import SandboxError
from sandbox.fetch import cache


def unpacked(package: str) -> Path:
    """The folder that stands for `/` in it, fetched at the first time. Raises SandboxError when it cannot be had.

    What the package depends on is not there: the machine's own is used.
    """
    apt.required_programs()
    release = apt.os_release()
    if not {"debian", "ubuntu"} & {release.get("ID", ""), *release.get("ID_LIKE", "").split()}:
        raise SandboxError(f"only Debian and Ubuntu carry {package} as the sandbox unpacks it")
    where = cache() / f"{package}-{release.get('VERSION_CODENAME', 'own')}-{platform.machine()}"
    where.parent.mkdir(parents=True, exist_ok=True)
    with where.with_suffix(".lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not where.exists():
            _fetch(package, where)
    return where


def _fetch(package: str, where: Path) -> None:
    state = apt.PrivateApt(where.with_name(f"{where.name}.apt"), apt.Source("own", None))
    found = state.fetch([package], lambda _what, _per_cent: None)
    files = [path for path in found if path.name.startswith(f"{package}_")]
    if not files:
        raise SandboxError(f"{package} was not among what apt downloaded; see {state.folder}/log")
    half = where.with_name(f"{where.name}.new")
    shutil.rmtree(half, ignore_errors=True)
    apt.unpack(files[-1], half)
    half.rename(where)
