"""Fetches Asterisk and SIPp into the user's cache and unpacks them there: no root, nothing of the machine changed.

`python -m sandbox.fetch` does it once; a second time it only checks what is there (`--verify`: to the last byte).
The folder appears whole or not at all: packages are unpacked beside it, a manifest of every file is written, and
one rename puts it in place.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from sandbox import apt
from sandbox.errors import SandboxError

PACKAGES = (
    "asterisk",
    "asterisk-modules",
    "asterisk-core-sounds-en-wav",
    "asterisk-core-sounds-fr-wav",
    "sip-tester",
)
ASTERISK = "Asterisk and SIPp"
UNNEEDED = ("usr/share/man", "usr/share/locale", "usr/share/info", "usr/share/lintian", "usr/share/perl")
LAYOUT = 1
"""Raised when what is unpacked, or how, changes: older folders are then left alone and a new one is made."""


def cache() -> Path:
    """`$XDG_CACHE_HOME/callrouter`, or `~/.cache/callrouter`."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "callrouter"


def folder(what: str = "asterisk", packages: Sequence[str] = PACKAGES) -> Path:
    """Where these packages are unpacked for this kind of machine, whether or not they are there yet."""
    release = apt.os_release()
    kinds = {release.get("ID", ""), *release.get("ID_LIKE", "").split()}
    name = release.get("VERSION_CODENAME", "own") if "ubuntu" in kinds else apt.SUITE
    key = hashlib.sha256(json.dumps([LAYOUT, name, tuple(packages), UNNEEDED]).encode()).hexdigest()[:8]
    return cache() / f"{what}-{name}-{platform.machine()}-{key}"


def fetch(
    where: Path | None = None, packages: Sequence[str] = PACKAGES, name: str = ASTERISK, *, thorough: bool = False
) -> Path:
    """Makes sure that `where` (default: `folder()`) holds these packages whole and unpacked. Raises SandboxError.

    `thorough` compares the contents of every file as well. Two at the same time: one fetches, the other waits.
    """
    where = where or folder()
    where.parent.mkdir(parents=True, exist_ok=True)
    with _lock(where.with_suffix(".lock"), name):
        fault = damage(where, thorough=thorough)
        if fault is None:
            return where
        if where.exists():
            print(f"The unpacked {name} is damaged ({fault}): fetching it again.", flush=True)
            shutil.rmtree(where)
        _fetch_and_unpack(where, packages, name)
    return where


def program(package: str) -> tuple[str, ...]:
    """A program that a test needs and this machine lacks, as a command line: the one that the package of its name
    has, with all that it depends on, unpacked beside Asterisk. Raises SandboxError.
    """
    root = fetch(folder(package, (package,)), (package,), package) / "root"
    found = next(
        (p for top in ("usr/bin", "bin", "usr/sbin", "sbin") if (p := root / top / package).exists()), None
    )
    if found is None:
        raise SandboxError(f"the package {package} has no program of its name")
    return (*start(root), str(found))


def start(root: Path) -> tuple[str, ...]:
    """How a program unpacked there is started: by its own loader, with its own libraries. Raises SandboxError."""
    loader = next(
        (p for d in ("usr/lib64", "lib64", "usr/lib", "lib") for p in sorted((root / d).glob("**/ld-linux*.so.*"))),
        None,
    )
    if loader is None:
        raise SandboxError(f"{root.parent} is not whole; remove that folder and type: make setup")
    libraries = [path for top in ("usr/lib", "lib") for path in sorted((root / top).glob("*-linux-gnu*"))]
    return (str(loader), "--library-path", ":".join(map(str, libraries)))


def damage(where: Path, *, thorough: bool = False) -> str | None:
    """What is wrong with the unpacked folder, None when it is whole.

    Every file is there and has its size; `thorough` reads them all and compares their SHA-256 as well.
    """
    try:
        manifest = json.loads((where / "manifest.json").read_text(encoding="utf-8"))
        files: dict[str, list[object]] = manifest["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return "no manifest"
    for name, (size, digest) in files.items():
        path = where / "root" / name
        try:
            found = path.stat().st_size
        except OSError:
            return f"{name} is missing"
        if found != size:
            return f"{name} has {found} bytes instead of {size}"
        if thorough and _sha256(path) != digest:
            return f"{name} has other contents than were unpacked"
    return None


def _fetch_and_unpack(where: Path, packages: Sequence[str], name: str) -> None:
    apt.required_programs()
    began = time.monotonic()
    progress = Progress()
    state = apt.PrivateApt(where.with_name(f"{where.name}.apt"), apt.source(apt.os_release()))
    size = " (about 90 MB, once)" if name == ASTERISK else ""
    print(f"Fetching {name} into {where}{size}.", flush=True)
    archives = state.fetch(packages, progress)
    half = where.with_name(f"{where.name}.new")
    shutil.rmtree(half, ignore_errors=True)
    root = half / "root"
    root.mkdir(parents=True)
    # Packages share folders only, so they can be unpacked side by side; dpkg-deb makes missing folders by itself.
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        for number, _ in enumerate(pool.map(lambda package: apt.unpack(package, root), archives), start=1):
            progress("unpacking", 100.0 * number / len(archives))
    for unneeded in UNNEEDED:
        shutil.rmtree(root / unneeded, ignore_errors=True)
    _write_manifest(half, [package.name for package in archives])
    half.rename(where)
    progress.done(f"{name}: ready ({time.monotonic() - began:.0f} s).")


def _write_manifest(half: Path, packages: list[str]) -> None:
    root = half / "root"
    files = {
        str(path.relative_to(root)): [path.stat().st_size, _sha256(path)]
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }
    text = json.dumps({"layout": LAYOUT, "packages": packages, "files": files}, indent=0)
    with (half / "manifest.json").open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _lock(path: Path, name: str) -> Iterator[None]:
    with path.open("w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"Another run is fetching {name}: waiting for it.", flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


class Progress:
    """One line that is rewritten on a terminal; elsewhere (CI) one line for each quarter of each step."""

    def __init__(self) -> None:
        self._terminal = sys.stdout.isatty()
        self._said: tuple[str, int] = ("", -1)
        self._best = 0.0

    def __call__(self, what: str, per_cent: float) -> None:
        if what != self._said[0]:
            self._best = 0.0
        self._best = max(self._best, per_cent)  # apt's figure jumps back when it learns of more files
        if self._terminal:
            print(f"\r\x1b[K  {what}: {self._best:3.0f} %", end="", flush=True)
            self._said = (what, 0)
        elif (what, int(self._best // 25)) != self._said:
            self._said = (what, int(self._best // 25))
            print(f"  {what}: {self._best:.0f} %", flush=True)

    def done(self, text: str) -> None:
        print(f"\r\x1b[K{text}" if self._terminal else text, flush=True)


def main() -> int:
    """The command: 0 when both programs are ready, 1 with one line when they cannot be had."""
    from sandbox import installation

    try:
        if "--verify" in sys.argv[1:]:
            fetch(thorough=True)
        found = installation.find()
    except SandboxError as error:
        print(f"sandbox: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nsandbox: stopped; what was downloaded is kept", file=sys.stderr)
        return 130
    version = ".".join(map(str, found.version))
    print(f"Asterisk {version} and SIPp: {found.origin}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
