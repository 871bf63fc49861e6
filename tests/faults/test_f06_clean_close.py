"""F6: Asterisk closes the websocket, in an orderly way, twenty times over. The router backs off, and idles."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from sandbox.tcp_proxy import CLOSE_FRAME
from tests.faults.conftest import Fault
from tests.faults.fleet import Fleet
from tests.faults.wire import Wire, wired
from tests.integration.site import TALKED, Site

pytestmark = [pytest.mark.asterisk, pytest.mark.fault("F6", "clean close")]

TIMES = 20
LARGEST_SHARE = 0.05
"""Of one processor, while it comes back and is sent away again."""


@pytest.fixture(scope="module")
def wire(site: Site) -> Iterator[Wire]:
    with wired(site) as made:
        yield made


def test_it_backs_off_and_uses_little(wire: Wire, running: Site, fault: Fault) -> None:
    began, used = time.monotonic(), running.stack.router.cpu_seconds()
    came_back: list[float] = []
    for _ in range(TIMES):
        ups = wire.ups
        assert wire.proxy.close(CLOSE_FRAME) >= 1
        came_back.append(wire.back(ups, 5.0))
    share = (running.stack.router.cpu_seconds() - used) / (time.monotonic() - began)
    fault.measured(f"closed {TIMES} times, processor", share * 100, "%")
    fault.measured("back after", min(came_back), "s")
    fault.measured("then", max(came_back), "s")
    assert share < LARGEST_SHARE
    assert all(pause > 0.4 for pause in came_back[6:]), "it has backed off"


def test_calls_go_on_while_it_is_closed_again_and_again(wire: Wire, running: Site, fault: Fault) -> None:
    fleet = Fleet(running, ringing=20, talking=20, ring=5.0, talk=5.0)
    # Longer than any of the pauses: who leaves in the first two seconds of one has left no word (F11).
    more = fleet.place(10, TALKED, rate=4.0, hang_up_after=3.0)
    for _ in range(4):
        ups = wire.ups
        assert wire.proxy.close(CLOSE_FRAME) >= 1
        wire.back(ups, 5.0)
    fleet.check()
    fault.measured("50 calls, answered", fleet.all.outcomes()["answered"])
    fault.measured("in the fallback", sum(row["path"] != "ari" for row in more.rows()))
    assert fleet.all.outcomes() == {"answered": 50}
