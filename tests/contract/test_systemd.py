"""The systemd unit: sound, hardened, and told how we are."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from router.systemd import notify, watchdog_interval

UNIT = Path(__file__).parents[2] / "systemd" / "callrouter.service"
needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None,
    reason="NOT TESTED: systemd-analyze is not on this machine, so the unit's syntax and hardening go unchecked",
)


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with a program and a user that exist here."""
    text = UNIT.read_text(encoding="utf-8").replace("/opt/callrouter/bin/callrouter", "/bin/true")
    lines = [line for line in text.splitlines() if not line.startswith(("User=", "Group="))]
    copy = tmp_path / "callrouter.service"
    copy.write_text("\n".join([*lines, ""]), encoding="utf-8")
    return copy


@needs_systemd
def test_the_unit_is_sound(unit: Path) -> None:
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    complaints = [line for line in done.stderr.splitlines() if "callrouter.service" in line]
    assert not complaints


@needs_systemd
def test_the_unit_is_hardened(unit: Path) -> None:
    text = unit.read_text(encoding="utf-8").replace("[Service]", "[Service]\nUser=callrouter")
    unit.write_text(text, encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=25", unit],
        capture_output=True,
        text=True,
        check=False,
    )
    if "Unknown option" in done.stderr or "unrecognized option" in done.stderr:
        pytest.skip("NOT TESTED: this systemd-analyze cannot judge a unit offline")
    assert done.returncode == 0, done.stdout[-400:] + done.stderr


def test_the_unit_waits_for_ready_and_watches_the_loop() -> None:
    text = UNIT.read_text(encoding="utf-8")
    for line in ("Type=notify", "WatchdogSec=10", "Restart=always", "NoNewPrivileges=yes", "ProtectSystem=strict"):
        assert f"\n{line}\n" in text


def test_notify_reaches_the_service_manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(address))
        manager.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", str(address))
        assert notify("READY=1")
        assert manager.recv(100) == b"READY=1"
    assert not notify("READY=1"), "a manager that has gone is no reason to fail"


def test_an_abstract_socket_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"callrouter-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0" + name)
        manager.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", "@" + name)
        assert notify("WATCHDOG=1")
        assert manager.recv(100) == b"WATCHDOG=1"


def test_without_systemd_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    assert not notify("READY=1")
    assert watchdog_interval() is None


def test_the_watchdog_is_fed_twice_in_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "10000000")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    assert watchdog_interval() == 5.0
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    assert watchdog_interval() == 5.0
    monkeypatch.setenv("WATCHDOG_PID", "1")
    assert watchdog_interval() is None, "it is meant for another process"
