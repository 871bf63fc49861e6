"""One turn of one contender: its dialplan loaded, its program started, calls placed, times and CPU read."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from bench.application import Application
from bench.contenders import Contender
from bench.figures import CallTimes, Turn, join, rate_of
from bench.site import DID, RING, Site
from sandbox.errors import SandboxError
from sandbox.processes import wait_until

PATIENCE = 10.0
"""Seconds after the last call was due to end until it counts as stuck, and Asterisk is told to end it."""


@dataclass(frozen=True, slots=True)
class Load:
    """`rate` calls a second for `seconds`."""

    rate: float
    seconds: float

    @property
    def calls(self) -> int:
        return max(2, round(self.rate * self.seconds))


WARM_UP = Load(20.0, 0.5)
"""Before the calls that count: threads are started, modules imported, files cached."""


@contextmanager
def on_stage(site: Site, contender: Contender) -> Iterator[Application]:
    """The contender's dialplan and program, warmed up; its program is gone afterwards. Raises SandboxError."""
    site.asterisk.load_dialplan(contender.dialplan(site))
    application = contender.application(site)
    application.start()
    try:
        _place(site, WARM_UP, talk=0.0)
        yield application
    finally:
        application.stop()


def measure(site: Site, application: Application, load: Load, *, talk: float) -> Turn:
    """Places the calls and waits until Asterisk is quiet again. Raises SandboxError when it does not get quiet."""
    asterisk = site.asterisk
    before = asterisk.cpu_seconds(), application.cpu_seconds()
    times, rate = _place(site, load, talk=talk)
    after = asterisk.cpu_seconds(), application.cpu_seconds()
    return Turn(
        times=times,
        placed=load.calls,
        asterisk_cpu=(after[0] - before[0]) * 1000 / load.calls,
        application_cpu=(after[1] - before[1]) * 1000 / load.calls,
        memory=application.peak_memory(),
        rate=rate,
    )


def _place(site: Site, load: Load, *, talk: float) -> tuple[tuple[CallTimes, ...], float]:
    """The times of the calls that went well, and calls a second as they were really placed."""
    site.carrier.forget()
    numbers = list(itertools.islice(site.numbers, load.calls))
    placed = site.caller.place(DID, numbers, hang_up_after=talk, calls=load.calls, rate=load.rate, at_once=5000)
    with placed:
        with suppress(SandboxError):  # calls that never end are seen as calls without their BYE
            placed.wait(load.seconds + RING + talk + PATIENCE)
        callers = placed.dialogs()
    _settle(site)
    return join(callers, site.carrier.calls()), rate_of(callers)


def _settle(site: Site) -> None:
    """Waits until no call is left; what is stuck is ended by force, so that the next turn begins clean."""
    try:
        wait_until(site.asterisk.quiet, PATIENCE, "Asterisk is quiet after the calls", every=0.05)
    except SandboxError:
        site.asterisk.cli("channel request hangup all")
        wait_until(site.asterisk.quiet, PATIENCE, "Asterisk is quiet after every call was hung up", every=0.05)
