"""The router as a child process: started, waited for, stopped, killed, suspended."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from sandbox import processes
from sandbox.asterisk import CHECKOUT
from sandbox.errors import SandboxError


class RouterProcess(processes.Program):
    """`callrouter --config CONFIG run`; its output goes to `log`.

    It is ready when it says so as it does to systemd (sd_notify(3), READY=1): connected to Asterisk and reconciled.
    """

    def __init__(self, config: Path, log: Path, environment: dict[str, str] | None = None) -> None:
        self.config = config
        self.log = log
        self._environment = environment or {}
        self.within: tuple[str, ...] = ()
        """The command line of a program that becomes the router, such as one that gives it a disk of its own."""
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, timeout: float = 20.0, options: tuple[str, ...] = (), debug: bool = False) -> float:
        """Starts it and waits until it is ready; the seconds that took. Raises SandboxError when it is not."""
        began = time.monotonic()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.bind("")  # the kernel picks an abstract address (unix(7), autobind)
            address = "@" + channel.getsockname()[1:].decode("ascii")
            self._process = processes.spawn(
                [
                    *self.within,
                    sys.executable,
                    str(CHECKOUT / "cli.py"),
                    "--config",
                    str(self.config),
                    *(["--debug"] if debug else []),
                    "run",
                    *options,
                ],
                output=self.log,
                folder=CHECKOUT,
                environment={**os.environ, **self._environment, "NOTIFY_SOCKET": address},
            )
            self._wait_ready(channel, began + timeout)
        return time.monotonic() - began

    def _wait_ready(self, channel: socket.socket, deadline: float) -> None:
        channel.settimeout(0.05)
        while time.monotonic() < deadline:
            try:
                if b"READY=1" in channel.recv(4096):
                    return
            except TimeoutError:
                if not self.running:
                    raise SandboxError(f"the router ended at once: {self._last_words()}") from None
        self.stop()
        raise SandboxError(f"the router did not get ready: {self._last_words()}")

    def _last_words(self) -> str:
        lines = (
            self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines() if self.log.exists() else []
        )
        return f"{lines[-1]} (all of it: {self.log})" if lines else f"it said nothing ({self.log})"

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        if self._process is None or not self.running:
            raise SandboxError(f"the router is not running; its log: {self.log}")
        return self._process.pid

    def stop(self) -> int | None:
        """SIGTERM, and the exit status; None when it was not running. It is killed when that takes over 10 s."""
        if self._process is None:
            return None
        status = processes.stop(self._process, patience=10.0)
        self._process = None
        return status

    def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def signal(self, number: signal.Signals) -> None:
        """SIGHUP to reload, SIGSTOP to hang it, SIGCONT to wake it."""
        os.kill(self.pid, number)
