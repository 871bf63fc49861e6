"""F27: ten thousand calls, as many a second as two shared cores hold: no row is lost and nothing grows."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator

import pytest

from bench import mix
from bench.gauge import Gauge, last_half, slope
from sandbox.errors import SandboxError
from tests.faults.conftest import Fault
from tests.integration.site import Site, campaigns

pytestmark = [pytest.mark.asterisk, pytest.mark.fault("F27", "soak")]

CALLS = int(os.environ.get("CALLROUTER_SOAK_CALLS", "10000"))
RATE = float(os.environ.get("CALLROUTER_SOAK_RATE", "40"))
GROWTH = 400.0
"""Bytes of memory a call, over the second half. A call kept by mistake takes more: its row alone is 1 kB."""
DESCRIPTORS = 6
"""By which their number may go up and down: readers of the database come and go."""
SETTLED = 60.0


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Site(tmp_path_factory.mktemp("site")) as site:
        content = campaigns(site.asterisk)
        mix.write(content)
        site.configure(content)
        yield site


@pytest.mark.timeout(900)
def test_ten_thousand_calls(running: Site, fault: Fault) -> None:
    stack, counts = running.stack, mix.split(CALLS)
    mix.play(stack)
    began = time.monotonic()
    with Gauge(stack.router.pid) as gauge:
        waves = [mix.place(stack, kind, counts[kind.name], RATE * kind.share) for kind in mix.KINDS]
        for wave in waves:
            wave.wait(CALLS / RATE * 3 + SETTLED)
        took = time.monotonic() - began
        with contextlib.suppress(SandboxError):
            running.until(lambda: mix.ended(stack) >= CALLS, "every call has its row and outcome", SETTLED)
    assert mix.complaints(stack, counts) == []
    assert [wave.status for wave in waves] == [0] * len(waves), "every caller's call went as it should"
    assert len(stack.calls()) == CALLS
    assert not running.said("Traceback")
    later = last_half(gauge.readings)
    rate = CALLS / took
    growth = slope([(reading.at * rate, reading.own) for reading in later])
    held = [reading.descriptors for reading in later]
    fault.measured("calls", CALLS)
    fault.measured("calls a second", rate)
    fault.measured("memory", gauge.readings[-1].resident / 1e6, "MB")
    fault.measured("growth", growth, "bytes a call")
    fault.measured("descriptors", f"{min(held)} to {max(held)}")
    assert growth < GROWTH
    assert max(held) - min(held) <= DESCRIPTORS
