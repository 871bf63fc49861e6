"""A site whose router reaches Asterisk's ARI through a proxy, and answers monitoring: for faults of the network."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

from sandbox.tcp_proxy import TcpProxy
from tests.integration.site import Site, campaigns


class Wire:
    """The way between router and Asterisk, and what the router says of it."""

    def __init__(self, site: Site, proxy: TcpProxy, health: int) -> None:
        self.site = site
        self.proxy = proxy
        self.health = health
        """The port on which the router answers monitoring."""

    # --- Monitoring ---------------------------------------------------------------------------------------

    def ready(self) -> tuple[int, set[str]]:
        """What /health/ready answers: its status, and the words of its reasons and of what is degraded."""
        status, text = self._ask("/health/ready")
        told: dict[str, Any] = json.loads(text)
        return status, {note["what"] for key in ("reasons", "degraded") for note in told[key]}

    def metric(self, name: str) -> float:
        """One of /metrics that has no labels."""
        found = re.search(rf"^{name} (\S+)$", self._ask("/metrics")[1], re.MULTILINE)
        assert found, f"/metrics has no {name}"
        return float(found[1])

    def _ask(self, page: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.health}{page}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    # --- The link -----------------------------------------------------------------------------------------

    @property
    def ups(self) -> int:
        """How often the router has caught up with Asterisk."""
        return self.site.said("event=ready")

    def back(self, ups: int, timeout: float) -> float:
        """Wait until it has done so more often than `ups` times; the seconds that took from now."""
        began = time.monotonic()
        self.site.until(lambda: self.ups > ups, "the router is back", timeout)
        return time.monotonic() - began

    def told(self, status: int, timeout: float) -> float:
        """Wait until monitoring is told that; the seconds that took from now."""
        began = time.monotonic()
        self.site.until(lambda: self.ready()[0] == status, f"/health/ready says {status}", timeout)
        return time.monotonic() - began

    def said_slow(self, timeout: float) -> float:
        """Wait until monitoring is told that Asterisk is slow; the seconds that took from now."""
        began = time.monotonic()
        self.site.until(lambda: self.ready()[1] & {"slow", "heartbeat", "link"}, "monitoring is told", timeout)
        return time.monotonic() - began


@contextlib.contextmanager
def wired(site: Site, **ari: Any) -> Iterator[Wire]:
    """The site configured so. The router is started by the fixture `running`, and stopped here."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        health = free.getsockname()[1]
    with TcpProxy(site.asterisk.ports.http) as proxy:
        content = campaigns(site.asterisk, health={"listen": f"127.0.0.1:{health}"})
        content["asterisk"]["ari"] |= {"url": f"http://127.0.0.1:{proxy.port}/ari", **ari}
        if site.router_runs():
            site.stop_router()
        site.configure(content)
        site.asterisk.load_dialplan(site.stack.generated_dialplan())
        try:
            yield Wire(site, proxy, health)
        finally:
            site.stop_router()
