"""The fixtures `site` and `running`, for every folder whose tests want a whole site: one Asterisk and one router
for a module's calls. Each test leaves them as it found them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import pytest

from sandbox import processes
from tests.integration.site import Site

LEFT_WITHIN = 30.0
"""Seconds within which descriptors and threads must be back where they were. Idle HTTP connections of the router's
audit are kept for 15 s; a call that a fault cut off has a phone that Asterisk asks for up to 32 s."""
SPARE = 2
"""Of each, what pools may have grown by: it goes when it has been idle for a while. One a call or a connection
would soon be more."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Asterisk with the generated dialplan, and phones; the router is started by whoever needs it."""
    with Site(tmp_path_factory.mktemp("site")) as site:
        yield site


def settled(site: Site) -> dict[str, int]:
    """What is held once a router that has just started has opened what it keeps: the same for a second."""
    seen: list[dict[str, int]] = []

    def same() -> bool:
        seen.append(site.held())
        return len(seen) > 4 and all(each == seen[-1] for each in seen[-5:])

    processes.wait_until(same, 30, "the router holds the same for a second", every=0.25)
    return seen[-1]


@contextlib.contextmanager
def as_found(site: Site, patience: float = 10.0) -> Iterator[None]:
    """With its router running. Afterwards nothing is left: no channel, no bridge (within `patience` seconds), no
    descriptor, no thread more than before."""
    fresh = not site.router_runs()
    if fresh:
        site.start_router()
    site.quiet()
    before = settled(site) if fresh else site.held()
    for what in before:
        before[what] += SPARE
    yield
    site.until(site.asterisk.quiet, "no channel and no bridge is left", patience)
    deadline = time.monotonic() + max(LEFT_WITHIN, patience)
    while (
        left := {what: n for what, n in site.held().items() if n > before.get(what, n)}
    ) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not left, f"more is held than before: {left}, it was {before}"


@pytest.fixture
def running(site: Site, request: pytest.FixtureRequest) -> Iterator[Site]:
    """The site with its router running; each test leaves it as it found it. One may allow Asterisk longer with the
    marker `settle(seconds)`."""
    marker = request.node.get_closest_marker("settle")
    with as_found(site, float(marker.args[0]) if marker else 10.0):
        yield site
