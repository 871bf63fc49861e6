"""The program beside Asterisk that a contender needs: how it is started, and what it costs."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from bench import proc
from sandbox import processes
from sandbox.errors import SandboxError
from sandbox.router_process import RouterProcess


class Application(Protocol):
    def start(self) -> None:
        """Returns when it is ready for calls. Raises SandboxError when it does not get there."""

    def stop(self) -> None:
        """Ends it; nothing of it is left."""

    def cpu_seconds(self) -> float:
        """What it has used so far."""

    def peak_memory(self) -> int:
        """The most that it held since its start, in bytes."""


class Nothing:
    """The dialplan does it all."""

    def start(self) -> None:
        return

    def stop(self) -> None:
        return

    def cpu_seconds(self) -> float:
        return 0.0

    def peak_memory(self) -> int:
        return 0


class Daemon:
    """One process that serves every call. `ready` is asked until it says yes."""

    def __init__(self, command: Sequence[str], output: Path, ready: Callable[[], bool]) -> None:
        self._command = command
        self._output = output
        self._ready = ready
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._output.parent.mkdir(parents=True, exist_ok=True)
        self._output.unlink(missing_ok=True)
        process = processes.spawn(self._command, output=self._output, folder=self._output.parent)
        self._process = process
        try:
            processes.wait_until(
                lambda: process.poll() is not None or self._ready(), 20, f"{self._output.stem} is ready"
            )
            if process.poll() is not None:
                raise SandboxError(f"{self._output.stem} ended at its start; see {self._output}")
        except SandboxError:
            self.stop()
            raise

    def stop(self) -> None:
        if self._process is not None:
            processes.stop(self._process)
            self._process = None

    @property
    def pid(self) -> int:
        if self._process is None or self._process.poll() is not None:
            raise SandboxError(f"{self._output.stem} is not running; see {self._output}")
        return self._process.pid

    def cpu_seconds(self) -> float:
        return processes.cpu_seconds(self.pid)

    def peak_memory(self) -> int:
        return proc.peak_memory(self.pid)


class Router:
    """Ours, started and waited for as everywhere in the sandbox."""

    def __init__(self, campaigns: Path, log: Path) -> None:
        self._process = RouterProcess(campaigns, log)

    def start(self) -> None:
        self._process.start()

    def stop(self) -> None:
        self._process.stop()

    def cpu_seconds(self) -> float:
        return self._process.cpu_seconds()

    def peak_memory(self) -> int:
        return proc.peak_memory(self._process.pid)


class Forked:
    """Asterisk's own children: one a call. Their time is counted when Asterisk has reaped them, their memory as the
    most that was seen alive together."""

    LOOKS = 0.2
    """Seconds between two looks at them."""

    def __init__(self, asterisk_pid: Callable[[], int]) -> None:
        self._asterisk_pid = asterisk_pid
        self._stop = threading.Event()
        self._watcher: threading.Thread | None = None
        self._peak = 0

    def start(self) -> None:
        self._stop.clear()
        self._watcher = threading.Thread(target=self._watch, name="children", daemon=True)
        self._watcher.start()

    def stop(self) -> None:
        self._stop.set()
        if self._watcher is not None:
            self._watcher.join()
            self._watcher = None

    def cpu_seconds(self) -> float:
        return proc.reaped_cpu_seconds(self._asterisk_pid())

    def peak_memory(self) -> int:
        return self._peak

    def _watch(self) -> None:
        pid = self._asterisk_pid()
        while not self._stop.wait(self.LOOKS):
            self._peak = max(self._peak, proc.children_memory(pid))
