"""A private apt state: downloads packages as any user, and leaves the machine's own packages alone.

The machine's apt configuration (proxies, date checks, keyrings) still counts: ours is read after it, and replaces
only where apt keeps its state, which suites it reads and the hooks that would act on the machine.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox.errors import SandboxError

SUITE = "forky"
"""Debian's suite that carries Asterisk 22 (LTS) and SIPp 3.8; Debian 12 and 13 have no Asterisk."""
MIRROR_VARIABLE = "CALLROUTER_DEBIAN_MIRROR"
KEYRINGS = (
    "/usr/share/keyrings/debian-archive-keyring.pgp",
    "/usr/share/keyrings/debian-archive-keyring.gpg",
)

Progress = Callable[[str, float], None]
"""Told what is being done and how far it is, in per cent."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where packages come from: `line` is a sources.list line, or None for the machine's own sources."""

    name: str
    line: str | None


def os_release(path: Path = Path("/etc/os-release")) -> dict[str, str]:
    """The fields of os-release(5), unquoted; empty when the file is not there."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {key.strip(): value.strip().strip("\"'") for key, value in pairs}


def source(release: dict[str, str]) -> Source:
    """Ubuntu's own suites on Ubuntu (and what derives from it), Debian's `forky` on Debian."""
    kinds = [release.get("ID", ""), *release.get("ID_LIKE", "").split()]
    if "ubuntu" in kinds:
        return Source(f"ubuntu-{release.get('UBUNTU_CODENAME') or release.get('VERSION_CODENAME', 'own')}", None)
    if "debian" in kinds:
        keyring = next((path for path in KEYRINGS if Path(path).exists()), None)
        if keyring is None:
            raise SandboxError(
                "the Debian archive keyring is missing; type: sudo apt-get install debian-archive-keyring"
            )
        return Source(f"debian-{SUITE}", f"deb [signed-by={keyring}] {debian_mirror()} {SUITE} main")
    raise SandboxError(
        "only Debian and Ubuntu carry the packages that the sandbox unpacks; "
        "elsewhere put an Asterisk >= 20 and SIPp >= 3.7 on PATH"
    )


def debian_mirror() -> str:
    """The Debian archive that this machine already uses; $CALLROUTER_DEBIAN_MIRROR names another."""
    named = os.environ.get(MIRROR_VARIABLE)
    if named:
        return named
    listing = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(CREATED_BY) $(REPO_URI)"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    addresses = [line.split()[-1] for line in listing.stdout.splitlines() if line.startswith("Packages ")]
    whole = [address for address in addresses if address.rstrip("/").endswith("/debian")]
    others = [address for address in addresses if "security" not in address]
    chosen = next(iter(whole or others), None)
    if chosen is None:
        raise SandboxError(
            f"apt names no Debian archive on this machine; set {MIRROR_VARIABLE} to the address of one"
        )
    return chosen


class PrivateApt:
    """apt with its state in `folder`; `fetch` leaves the packages and all they depend on in `archives`."""

    def __init__(self, folder: Path, packages_from: Source) -> None:
        self.folder = folder
        self.source = packages_from
        self.archives = folder / "archives"

    def fetch(self, packages: Sequence[str], progress: Progress) -> list[Path]:
        """Downloads what is not there yet; apt checks every file against the signed lists. Raises SandboxError."""
        self._write_configuration()
        progress("reading the package lists", 0.0)
        self._run(["update"], progress, "reading the package lists")
        self._run(["install", "--download-only", "--yes", *packages], progress, "downloading")
        self._run(["autoclean"], progress, "downloading")
        return sorted(self.archives.glob("*.deb"))

    def _write_configuration(self) -> None:
        for folder in (self.folder / "lists" / "partial", self.archives / "partial", self.folder / "log"):
            folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "status").touch()
        (self.folder / "sources.list").write_text(f"{self.source.line or ''}\n", encoding="utf-8")
        (self.folder / "apt.conf").write_text(self._configuration(), encoding="utf-8")

    def _configuration(self) -> str:
        here = self.folder
        lines = [
            "#clear APT::Update::Pre-Invoke;",
            "#clear APT::Update::Post-Invoke;",
            "#clear APT::Update::Post-Invoke-Success;",
            "#clear DPkg::Pre-Install-Pkgs;",
            "#clear DPkg::Post-Invoke;",
            "#clear APT::Architectures;",
            f'Dir::State "{here}";',
            f'Dir::State::lists "{here}/lists";',
            f'Dir::State::status "{here}/status";',
            f'Dir::State::extended_states "{here}/extended_states";',
            f'Dir::Cache "{here}";',
            f'Dir::Cache::archives "{here}/archives";',
            f'Dir::Log "{here}/log";',
            'Dir::Etc::preferences "/dev/null";',
            'Dir::Etc::preferencesparts "/dev/null";',
            'APT::Install-Recommends "false";',
            'APT::Get::List-Cleanup "true";',
            'Acquire::Retries "3";',
            'Acquire::Languages "none";',
        ]
        if self.source.line is not None:
            lines += [f'Dir::Etc::sourcelist "{here}/sources.list";', 'Dir::Etc::sourceparts "/dev/null";']
        if os.geteuid() == 0:
            # apt as root would hand the download to its own user, who cannot write into root's cache.
            lines.append('APT::Sandbox::User "root";')
        return "\n".join(lines) + "\n"

    def _run(self, arguments: Sequence[str], progress: Progress, what: str) -> None:
        reading, writing = os.pipe()
        command = [
            "apt-get",
            "-c",
            str(self.folder / "apt.conf"),
            "-q",
            "-o",
            f"APT::Status-Fd={writing}",
            *arguments,
        ]
        log = self.folder / "log" / "apt-get.log"
        with log.open("ab") as out:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, pass_fds=(writing,),
                env={**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"},
            )  # fmt: skip
            os.close(writing)
            try:
                with os.fdopen(reading, encoding="utf-8", errors="replace") as status:
                    for line in status:
                        fields = line.split(":")
                        if fields[0] == "dlstatus" and len(fields) > 2:
                            progress(what, float(fields[2]))
                code = process.wait()
            except BaseException:
                process.kill()
                process.wait()
                raise
        if code:
            raise SandboxError(f"apt-get {arguments[0]} failed: {_last_error(log)} (all of it: {log})")


def _last_error(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    errors = [line for line in lines if line.startswith("E:")]
    return errors[-1][2:].strip() if errors else "no reason given"


def unpack(package: Path, folder: Path) -> None:
    """The files of one .deb into `folder`, without running its scripts. Raises SandboxError."""
    done = subprocess.run(
        ["dpkg-deb", "-x", str(package), str(folder)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        package.unlink(missing_ok=True)  # so that the next try downloads it again
        raise SandboxError(f"{package.name} cannot be unpacked: {done.stderr.strip()}; type: make setup")


def required_programs() -> None:
    """apt-get and dpkg-deb, which the private download needs. Raises SandboxError naming what to type."""
    for program, package in (("apt-get", "apt"), ("dpkg-deb", "dpkg"), ("setpriv", "util-linux")):
        if shutil.which(program) is None:
            raise SandboxError(f"{program} is missing; type: sudo apt-get install {package}")
