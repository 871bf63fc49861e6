"""systemd's part for one service, as far as the unit asks for it: ready, the watchdog, and the restart."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from sandbox import processes
from sandbox.asterisk import CHECKOUT
from sandbox.errors import SandboxError
from sandbox.router_process import RouterProcess

UNIT = CHECKOUT / "systemd" / "callrouter.service"
BLOCK = """\
import os, runpy, signal, sys, time
signal.signal(signal.SIGUSR1, lambda *_: time.sleep({seconds}))
sys.argv = sys.argv[1:]
sys.path.insert(0, os.path.dirname(sys.argv[0]))
runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""Starts the router with a signal that blocks its main thread, which is the event loop's; others go on."""


def told(key: str) -> float:
    """Seconds that the unit gives for a key: `10` or `500ms`."""
    found = re.search(rf"^{key}=([0-9]+)(ms)?$", UNIT.read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise SandboxError(f"{UNIT} has no {key}")
    return int(found[1]) / (1000 if found[2] else 1)


class Supervisor(RouterProcess):
    """A router that is restarted when it ends, and gets SIGABRT when its watchdog is not fed in time. SIGUSR1
    blocks its loop for `block` seconds."""

    def __init__(self, config: Path, log: Path, *, block: float) -> None:
        super().__init__(config, log)
        self._block = block
        self._over = threading.Event()
        self._ready = threading.Event()
        self._thread: threading.Thread | None = None
        self.aborted_at: list[float] = []
        """time.monotonic() of each SIGABRT."""
        self.ready_at: list[float] = []

    def start(self, timeout: float = 20.0, options: tuple[str, ...] = (), debug: bool = False) -> float:
        """Starts it and waits until it is ready; the seconds that took. Raises SandboxError when it is not."""
        began = time.monotonic()
        self._over.clear()
        self._ready.clear()
        self._thread = threading.Thread(target=self._supervise, args=(options, debug), name="supervisor")
        self._thread.start()
        if not self._ready.wait(timeout):
            self.stop()
            raise SandboxError(f"the router did not get ready: {self._last_words()}")
        return time.monotonic() - began

    def stop(self) -> int | None:
        self._over.set()
        status = super().stop()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        return status

    def _supervise(self, options: tuple[str, ...], debug: bool) -> None:
        while not self._over.is_set():
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
                channel.bind("")  # the kernel picks an abstract address (unix(7), autobind)
                process = self._process = self._spawn(channel, options, debug)
                self._watch(channel, process.pid)
                process.wait()
            self._over.wait(told("RestartSec"))

    def _spawn(self, channel: socket.socket, options: tuple[str, ...], debug: bool) -> subprocess.Popen[bytes]:
        address = "@" + channel.getsockname()[1:].decode("ascii")
        cli = str(CHECKOUT / "cli.py")
        program = ["-c", BLOCK.format(seconds=self._block), cli, "--config", str(self.config)]
        program += [*(["--debug"] if debug else []), "run", *options]
        limit = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": f"{told('WatchdogSec') * 1_000_000:.0f}"}
        return processes.spawn(
            [sys.executable, *program], output=self.log, folder=CHECKOUT, environment={**os.environ, **limit}
        )

    def _watch(self, channel: socket.socket, pid: int) -> None:
        """Until the process has ended, or was ended as its watchdog was not fed."""
        channel.settimeout(0.1)
        fed: float | None = None
        while processes.alive(pid):
            try:
                words = channel.recv(4096).decode().splitlines()
            except TimeoutError:
                words = []
            now = time.monotonic()
            if "READY=1" in words and fed is None:
                fed = now
                self.ready_at.append(now)
                self._ready.set()
            elif "WATCHDOG=1" in words and fed is not None:
                fed = now
            if fed is not None and now - fed > told("WatchdogSec"):
                self.aborted_at.append(now)
                os.kill(pid, signal.SIGABRT)
                return
