"""Telling systemd how we are: the datagrams of sd_notify(3), which need no library."""

from __future__ import annotations

import os
import socket


def notify(state: str) -> bool:
    """Send `READY=1`, `WATCHDOG=1`, `STOPPING=1` …; False where no service manager listens."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        # A manager that does not read must not stop the event loop, which says this.
        channel.setblocking(False)
        try:
            channel.sendto(state.encode(), address)
        except OSError:
            # The manager has gone, or does not listen: calls go on.
            return False
    return True


def watchdog_interval() -> float | None:
    """Seconds between two signs of life (half of what WATCHDOG_USEC allows); None when none is asked for."""
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    pid = os.environ.get("WATCHDOG_PID", "")
    if not microseconds.isdigit() or (pid and pid != str(os.getpid())):
        return None
    return int(microseconds) / 2_000_000
