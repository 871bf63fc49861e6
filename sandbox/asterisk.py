"""One private Asterisk: its own folder, its own loopback ports, gone when we are."""

from __future__ import annotations

import os
import re
import secrets
import shlex
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from sandbox import asterisk_files, fetch, folders, installation, processes
from sandbox.errors import SandboxError
from sandbox.ports import Ports, Reservation, reserve

CHECKOUT = Path(__file__).resolve().parent.parent
SOCKET_PATH_LIMIT = 100
"""A Unix socket's path holds 107 bytes (unix(7)); Asterisk adds `/asterisk.ctl` to its folder."""

_CHANNEL_STATISTICS = re.compile(r"^ *(?:\S+ )? *(\S+) +\d\d:\d\d:\d\d +\w+ +(\d+) ", re.MULTILINE)
"""A row of `pjsip show channelstats`: bridge, channel, how long it is up, codec, packets received …"""


class Asterisk(processes.Program):
    """`with Asterisk() as asterisk:` boots one and stops it at the end.

    `folder` defaults to `.sandbox/<name>` in the checkout and is emptied first. `dialplan` replaces extensions.conf
    (the context `callrouter` receives the trunk's calls). `verbose` is Asterisk's, written to `log`. `environment`
    is added to Asterisk's own, for AGI scripts.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        name: str = "asterisk",
        dialplan: str = asterisk_files.DIALPLAN,
        modules: Sequence[str] = (),
        verbose: int = 0,
        agi_folder: Path = CHECKOUT / "agi_scripts",
        environment: dict[str, str] | None = None,
    ) -> None:
        self.installation = installation.find()
        self.folder = (folder or CHECKOUT / ".sandbox" / name).resolve()
        self.user = asterisk_files.USER
        self.ari_password = secrets.token_urlsafe(24)
        self.ami_password = secrets.token_urlsafe(24)
        self.ari_password_file = self.folder / "secrets" / "ari"
        self.ami_password_file = self.folder / "secrets" / "ami"
        self.log = self.folder / "log" / "messages"
        self.etc = self.folder / "etc"
        self._dialplan = dialplan
        self._modules = (*asterisk_files.MODULES, *modules)
        self._verbose = verbose
        self._agi_folder = agi_folder
        self._environment = environment or {}
        self._reservation: Reservation | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._short_run: tempfile.TemporaryDirectory[str] | None = None
        self._lock: IO[str] | None = None
        self._prepared = False

    # --- running -----------------------------------------------------------------------------------------

    def start(self, timeout: float = 60.0) -> Self:
        """Boots and waits until Asterisk says that it is fully booted. Raises SandboxError after `timeout` seconds.

        After `kill` or `stop` it starts again with the same ports, passwords and dialplan.
        """
        self.prepare()
        command = [*self._program(), "-f", "-C", str(self.etc / "asterisk.conf")]
        environment = {**os.environ, "LC_ALL": "C.UTF-8", **self._environment}
        self._process = processes.spawn(
            command, output=self.folder / "log" / "console", folder=self.folder, environment=environment
        )
        try:
            self._wait_booted(self._process, time.monotonic() + timeout)
        except BaseException:
            self.kill()
            raise
        return self

    def prepare(self) -> None:
        """Makes the folder with its configuration and takes ports, without starting; the first `start` does it."""
        if self._prepared:
            return
        self._lock = folders.take(self.folder)
        self._reservation = reserve()
        self._write_files(self._reservation.ports)
        self._prepared = True

    def stop(self) -> None:
        """Ends Asterisk and gives the ports back; nothing is left running. Twice is as good as once."""
        if self._process is not None:
            processes.stop(self._process)
            self._process = None
        if self._short_run is not None:
            self._short_run.cleanup()
            self._short_run = None
        if self._reservation is not None:
            self._reservation.release()
            self._reservation = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None
        self._prepared = False

    def kill(self) -> None:
        """SIGKILL; `start` begins anew in the same place."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # --- asking ------------------------------------------------------------------------------------------

    @property
    def ports(self) -> Ports:
        if self._reservation is None:
            raise SandboxError("this Asterisk has no ports yet; start it first")
        return self._reservation.ports

    @property
    def pid(self) -> int:
        if self._process is None or self._process.poll() is not None:
            raise SandboxError(f"Asterisk is not running; its log: {self.log}")
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def ari_url(self) -> str:
        return f"http://127.0.0.1:{self.ports.http}/ari"

    def cli(self, command: str, timeout: float = 10.0) -> str:
        """What `asterisk -rx COMMAND` prints, over the same socket but without a process. Raises SandboxError."""
        said = bytearray()
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
                link.settimeout(timeout)
                link.connect(str(self._run_folder() / "asterisk.ctl"))
                link.sendall(f"cli quit after {command}".encode() + b"\0")
                while chunk := link.recv(65536):
                    said += chunk
        except OSError as error:
            raise SandboxError(f"Asterisk does not answer {command!r}: {error}; its log: {self.log}") from error
        banner, _, answer = said.decode(errors="replace").replace("\0", "").partition("\n")
        if "/" not in banner:
            raise SandboxError(f"Asterisk hung up on {command!r}")
        if answer.startswith("No such command"):
            raise SandboxError(answer.strip())
        return answer

    def channels(self) -> tuple[str, ...]:
        """The names of all channels that live."""
        return tuple(
            line.split("!")[0] for line in self.cli("core show channels concise").splitlines() if "!" in line
        )

    def bridges(self) -> tuple[str, ...]:
        """The ids of all bridges."""
        lines = self.cli("bridge show all").splitlines()
        return tuple(line.split()[0] for line in lines[1:] if line.strip())

    def rtp_received(self) -> dict[str, int]:
        """RTP packets received so far, by channel."""
        rows = _CHANNEL_STATISTICS.findall(self.cli("pjsip show channelstats"))
        return {channel: int(count) for channel, count in rows}

    def load_dialplan(self, text: str) -> None:
        """Replaces extensions.conf and reloads it. Raises SandboxError when Asterisk does not take it."""
        self._dialplan = text
        (self.etc / "extensions.conf").write_text(text, encoding="utf-8")
        said = self.cli("dialplan reload")
        if "reloaded" not in said.lower():
            raise SandboxError(f"the dialplan was not taken: {said.strip()}")

    def quiet(self) -> bool:
        """No channel and no bridge."""
        return not self.channels() and not self.bridges()

    # --- inside ------------------------------------------------------------------------------------------

    def _program(self) -> tuple[str, ...]:
        """Asterisk as a command line. `core restart` starts what it finds as its own name: for a private one, which
        starts through its own loader only, that is a script that does so."""
        loader, *words = self.installation.asterisk
        if not words:
            return (loader,)
        again = self.folder / "asterisk"
        command = (loader, "--argv0", str(again), *words)
        again.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n', encoding="utf-8")
        again.chmod(0o700)
        return command

    def _wait_booted(self, process: subprocess.Popen[bytes], deadline: float) -> None:
        control = self._run_folder() / "asterisk.ctl"
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise SandboxError(f"Asterisk ended while it booted: {self._last_words()}")
            if control.exists():
                try:
                    said = self.cli("core waitfullybooted", max(0.1, deadline - time.monotonic()))
                except SandboxError:
                    said = ""  # the socket is a moment older than the thread that listens on it
                if "fully booted" in said:
                    return
            time.sleep(0.01)
        raise SandboxError(f"Asterisk did not boot in time: {self._last_words()}")

    def _last_words(self) -> str:
        for file in (self.log, self.folder / "log" / "console"):
            if file.exists() and (lines := file.read_text(encoding="utf-8", errors="replace").splitlines()):
                return f"{lines[-1].strip()} (all of it: {file})"
        return "it left no log"

    def _run_folder(self) -> Path:
        wanted = self.folder / "run"
        if len(os.fsencode(wanted)) + len("/asterisk.ctl") <= SOCKET_PATH_LIMIT:
            return wanted
        if self._short_run is None:
            fetch.cache().mkdir(parents=True, exist_ok=True)
            self._short_run = tempfile.TemporaryDirectory(prefix="run-", dir=fetch.cache())
        return Path(self._short_run.name)

    def _write_files(self, ports: Ports) -> None:
        kept = {name: self.folder / name for name in ("etc", "lib", "data", "spool", "log", "cache", "secrets")}
        # Asterisk makes folders below its own for recordings, but not that one: it refuses to record without it.
        for folder in (*kept.values(), kept["spool"] / "recording", self._run_folder()):
            folder.mkdir(parents=True, exist_ok=True)
        folders = {
            "astetcdir": self.etc, "astmoddir": self.installation.modules, "astvarlibdir": kept["lib"],
            "astdbdir": kept["lib"], "astkeydir": kept["lib"], "astdatadir": kept["data"],
            "astagidir": self._agi_folder, "astspooldir": kept["spool"], "astrundir": self._run_folder(),
            "astlogdir": kept["log"], "astcachedir": kept["cache"],
        }  # fmt: skip
        secret = {"ari": self.ari_password, "ami": self.ami_password}
        present = [name for name in self._modules if (self.installation.modules / f"{name}.so").exists()]
        files = asterisk_files.texts(ports, folders, secrets=secret, modules=present, verbose=self._verbose)
        for name, text in (files | {"extensions.conf": self._dialplan}).items():
            _write_private(self.etc / name, text)
        for name, text in secret.items():
            _write_private(kept["secrets"] / name, f"{text}\n")
        self._link_data(kept["data"])

    def _link_data(self, data: Path) -> None:
        (data / "documentation").symlink_to(self.installation.data / "documentation")
        (data / "sounds").mkdir()
        shipped = self.installation.data / "sounds"
        for language in ("en", "fr"):
            found = (
                shipped / language if (shipped / language).exists() else next(shipped.glob(f"{language}_*"), None)
            )
            if found is not None:
                (data / "sounds" / language).symlink_to(found)


def _write_private(path: Path, text: str) -> None:
    """0600 from the first byte: passwords stand in some of them."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
