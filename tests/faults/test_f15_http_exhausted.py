"""F15: somebody holds more HTTP connections than Asterisk serves. Calls go on, or the fallback takes them."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator

import pytest

from tests.faults.conftest import Fault
from tests.faults.fleet import Fleet
from tests.faults.wire import Wire, wired
from tests.integration.site import TALKED, Site

pytestmark = [pytest.mark.asterisk, pytest.mark.fault("F15", "HTTP exhausted")]

LIMIT = 100
"""HTTP sessions at once: Asterisk's own default. The http.conf that we ship says 500."""
IDLE = 110
IN_A_ROW = 20
"""So many that are sent away, over a second: there is no place left."""


@pytest.fixture(scope="module")
def wire(site: Site) -> Iterator[Wire]:
    file = site.asterisk.etc / "http.conf"
    text, ours = file.read_text(encoding="utf-8"), "sessionlimit = 500\n"
    assert ours in text
    file.write_text(text.replace(ours, f"sessionlimit = {LIMIT}\n"), encoding="utf-8")
    site.asterisk.cli("module reload http")
    with wired(site) as made:
        yield made


@contextlib.contextmanager
def idle_connections(site: Site) -> Iterator[None]:
    """So many clients that connect and say nothing; Asterisk sends those away that are too many."""
    with contextlib.ExitStack() as held:
        for _ in range(IDLE):
            held.enter_context(_connected(site))
        # A session that has just ended frees its place a moment later: that one is taken too.
        in_a_row = more = 0
        while in_a_row < IN_A_ROW:
            more += 1
            assert more < 10 * IN_A_ROW, "there is always a place left: nothing is exhausted"
            in_a_row = in_a_row + 1 if _sent_away(held.enter_context(_connected(site))) else 0
        yield


def _connected(site: Site) -> socket.socket:
    return socket.create_connection(("127.0.0.1", site.asterisk.ports.http), timeout=5)


def _sent_away(line: socket.socket) -> bool:
    line.settimeout(1.0)
    try:
        return line.recv(1) == b""
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False
    finally:
        time.sleep(0.05)


@pytest.mark.settle(45)
@pytest.mark.usefixtures("wire")
def test_calls_go_on_beside_idle_connections(running: Site, fault: Fault) -> None:
    with idle_connections(running):
        fleet = Fleet(running, ringing=25, talking=25, ring=2.0, talk=3.0, up=False)
        fleet.check()
    fault.measured("answered of 50", fleet.all.outcomes()["answered"])
    assert fleet.all.outcomes() == {"answered": 50}


@pytest.mark.settle(45)
def test_a_router_that_cannot_come_back_leaves_calls_to_the_fallback(
    wire: Wire, running: Site, fault: Fault
) -> None:
    """For as long as Asterisk keeps the idle ones: when it sends them away, the router takes the first place."""
    with contextlib.ExitStack() as held:
        ups = wire.ups
        with wire.proxy.down():
            held.enter_context(idle_connections(running))
        running.until(lambda: wire.ready()[0] == 503, "monitoring is told")
        fleet = Fleet(running)
        calls = fleet.place(50, TALKED, hang_up_after=0.5)
        calls.wait(60)
    back = wire.back(ups, 10.0)
    fleet.check()
    fault.measured("without a connection, answered of 50", fleet.all.outcomes()["answered"])
    fallback = sum(row["path"] in ("agi", "dialplan") for row in calls.rows())
    fault.measured("by the fallback", fallback)
    fault.measured("back when they are gone", back, "s")
    assert fleet.all.outcomes() == {"answered": 50}
    assert fallback
