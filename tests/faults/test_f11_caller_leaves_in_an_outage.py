"""F11: callers give up while the router is cut off from Asterisk. Their phones stop soon after it is back."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from tests.faults.conftest import Fault
from tests.faults.fleet import Fleet
from tests.faults.wire import Wire, wired
from tests.integration.site import TALKED, Site

pytestmark = [pytest.mark.asterisk, pytest.mark.fault("F11", "caller leaves in an outage")]

STOPS = 1.0
"""Seconds from the moment when the router's connection is taken again."""
CALLS = 50
TALK = 4.0
"""Seconds: the dialplan leaves word once it has missed the router's sign of life for two."""


@pytest.fixture(scope="module")
def wire(site: Site) -> Iterator[Wire]:
    with wired(site) as made:
        yield made


def test_the_phones_stop_once_it_is_back(wire: Wire, running: Site, fault: Fault) -> None:
    fleet = Fleet(running, ringing=CALLS, ring=None, short_talk=None, cancel_after=5.0)
    assert not any(dialog.at("CANCEL") for dialog in fleet.ringing.dialogs().values()), "all still wait"
    with wire.proxy.down():
        fleet.wait()
        assert all(dialog.at("CANCEL") for dialog in fleet.ringing.dialogs().values())
        ups = wire.ups
    wire.back(ups, 5.0)
    legs = [leg for found in fleet.ringing.rung().values() for leg in found]
    assert len(legs) == CALLS
    running.until(lambda: all(leg_of(running, leg.call_id) for leg in legs), "every phone has stopped")
    stopped = max(leg_of(running, leg.call_id) for leg in legs) - wire.proxy.accepted_at
    fault.measured("last of 50 phones stops", max(0.0, stopped), "s after reconnecting")
    fleet.check()
    assert fleet.all.outcomes() == {"abandoned": CALLS}
    assert stopped < STOPS


@pytest.mark.parametrize("script", ["as it is", "slow"])
def test_who_was_connected_as_the_link_broke_and_left_meanwhile_has_talked(
    wire: Wire, running: Site, fault: Fault, tmp_path: Path, script: str
) -> None:
    """The router asked for it, and heard neither that it was done nor that the talk began and ended. It is back
    while the script that leaves word of the caller still runs, if that is slow."""
    with slowed(running, tmp_path) if script == "slow" else nullcontext():
        _talks_unheard(wire, running, fault)


def _talks_unheard(wire: Wire, running: Site, fault: Fault) -> None:
    fleet = Fleet(running)
    cut = wire.proxy.cut("/addChannel", '/addChannel"', stays_down=True)
    wave = fleet.place(1, TALKED, hang_up_after=TALK)
    running.until(cut, "the link is cut")
    with wire.proxy.down():
        wave.wait(20)
        ups = wire.ups
    wire.back(ups, 5.0)
    fleet.check()
    (row,) = wave.rows()
    fault.measured(f"a talk of {TALK:.1f} s that nobody heard of is on record with", row["talk_seconds"], "s")
    assert (row["outcome"], row["salesperson"], row["path"]) == ("answered", "alice", "ari")
    assert row["hangup_by"] == "caller"
    assert abs(row["talk_seconds"] - TALK) < 0.5


@contextmanager
def slowed(site: Site, folder: Path) -> Iterator[None]:
    """The AGI script starts a second late."""
    (path,) = re.findall(r"CALLROUTER_AGI=(.*)", site.asterisk.cli("dialplan show globals"))
    slow = folder / "slow-agi"
    slow.write_text(f'#!/bin/sh\nsleep 1\nexec {shlex.quote(path)} "$@"\n')
    slow.chmod(0o755)
    site.asterisk.cli(f"dialplan set global CALLROUTER_AGI {slow}")
    try:
        yield
    finally:
        site.asterisk.cli(f"dialplan set global CALLROUTER_AGI {path}")


def leg_of(site: Site, call_id: str) -> float:
    """When this mobile was told to stop; 0 while it rings."""
    ended = site.carrier.dialog(call_id).ended_at
    assert ended is None or math.isfinite(ended)
    return ended or 0.0
