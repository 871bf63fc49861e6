"""The private Asterisk that all tests share, the phones, and the proof that a test leaves nothing behind."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import signal
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import coverage
import coverage.exceptions
import pytest

from sandbox import processes
from sandbox.asterisk import CHECKOUT, Asterisk
from sandbox.errors import SandboxError
from sandbox.phones import Caller, Carrier
from tests import rooms

pytest_plugins = ("tests.faults.table",)

SETTLE = 10.0
"""Seconds in which channels, bridges, descriptors and threads must be back where they were."""
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell that runs this in the background ignores it, and each command that a test interrupts inherits that.
    signal.signal(signal.SIGINT, signal.default_int_handler)

WARM_UP = """\
[warm-up]
exten => s,1,Answer()
 same => n,System(true)
 same => n,Hangup()
"""
"""Makes Asterisk start the thread that it starts when first needed and keeps: no test shall seem to leave it."""
ENOUGH = 100.0
COVERAGE = pytest.StashKey[str]()
MEASURED = pytest.StashKey[coverage.Coverage]()
COVERED = "callrouter_covered"
"""Under this name a process is told what to measure, and tells what it covered."""
WAITS = 100.0
"""Asterisk's tests come before all others, and among them those that have asked for more time."""


@pytest.fixture(scope="session")
def runtime() -> Path:
    """A folder of this run, in the checkout; what earlier runs left is removed, what a failing one left is kept."""
    base = CHECKOUT / ".sandbox"
    for old in base.glob("tests-*"):
        pid = old.name.removeprefix("tests-")
        if not pid.isdigit() or not processes.alive(int(pid)):
            shutil.rmtree(old, ignore_errors=True)
    folder = base / f"tests-{os.getpid()}"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture(scope="session")
def session_asterisk(runtime: Path) -> Iterator[Asterisk]:
    with Asterisk(runtime / "asterisk", dialplan=WARM_UP, verbose=3) as started:
        started.cli("channel originate Local/s@warm-up application Wait 1")
        processes.wait_until(
            lambda: "autoservice" in started.cli("core show threads") and started.quiet(),
            SETTLE,
            "it has warmed up",
        )
        yield started


@pytest.fixture
def asterisk(session_asterisk: Asterisk, request: pytest.FixtureRequest) -> Iterator[Asterisk]:
    """The shared Asterisk; the test fails when it leaves a channel, a bridge, a descriptor or a thread behind."""
    marker = request.node.get_closest_marker("settle")
    patience = float(marker.args[0]) if marker else SETTLE
    before = (session_asterisk.descriptors(), session_asterisk.threads())
    yield session_asterisk
    if not session_asterisk.running:
        pytest.fail(f"Asterisk did not survive the test; its log: {session_asterisk.log}")
    left = ""

    def settled() -> bool:
        nonlocal left
        # Counted before anything is asked: each question on the command line is a thread for a moment.
        now = (session_asterisk.descriptors(), session_asterisk.threads())
        channels, bridges = session_asterisk.channels(), session_asterisk.bridges()
        left = f"channels {channels}, bridges {bridges}, descriptors and threads {now} after {before}"
        return not channels and not bridges and now[0] <= before[0] and now[1] <= before[1]

    with contextlib.suppress(SandboxError):
        processes.wait_until(settled, patience, "back to where it was", every=0.05)
        return
    session_asterisk.cli("channel request hangup all")
    pytest.fail(f"left behind: {left}")


@pytest.fixture
def carrier(asterisk: Asterisk, tmp_path: Path) -> Iterator[Carrier]:
    """The far end of the trunk; call `play` to say what each mobile does."""
    with Carrier(asterisk.ports, tmp_path / "phones") as far_end:
        yield far_end


@pytest.fixture
def second_carrier(asterisk: Asterisk, tmp_path: Path) -> Iterator[Carrier]:
    """The far end of the trunk `backup`."""
    with Carrier(asterisk.ports, tmp_path / "phones", port=asterisk.ports.second_carrier) as far_end:
        yield far_end


@pytest.fixture
def caller(asterisk: Asterisk, tmp_path: Path) -> Iterator[Caller]:
    """Places calls; whatever is still up at the end vanishes."""
    with Caller(asterisk.ports, tmp_path / "phones") as phone:
        yield phone


# --- Two processes, and what they covered -----------------------------------------------------------------


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "settle(seconds): how long Asterisk may take to forget what the test did")
    if (include := getattr(config, "workerinput", {}).get(COVERED)) is not None:
        config.stash[MEASURED] = measured = coverage.Coverage(data_file=None, include=include)
        measured.start()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With several processes, each file as a whole goes to the next one that is free. What waits for Asterisk comes
    first, the longest before all: the many short files then fill up the end."""
    if not hasattr(config, "workerinput"):
        return
    longest: dict[Path, float] = {}
    for item in items:
        timeout = item.get_closest_marker("timeout")
        patience = float(timeout.args[0]) if timeout else 0.0
        waits = WAITS if item.get_closest_marker("asterisk") else 0.0
        longest[item.path] = max(longest.get(item.path, 0.0), patience + waits)
    items.sort(key=lambda item: -longest[item.path])


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """A process is about to be started: it measures when we do."""
    if (measured := coverage.Coverage.current()) is not None:
        node.workerinput[COVERED] = measured.get_option("run:include")


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """A process has ended; what it covered is added to what we did. One that died has told nothing, and failed."""
    measured, covered = coverage.Coverage.current(), getattr(node, "workeroutput", {}).get(COVERED)
    if measured is not None and covered is not None:
        theirs = coverage.CoverageData(no_disk=True)
        theirs.loads(covered)
        with warnings.catch_warnings():
            # This process itself runs no test, and so imports nothing of the router.
            warnings.simplefilter("ignore", coverage.exceptions.CoverageWarning)
            measured.get_data().update(theirs)
        theirs.close(force=True)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Under `coverage run`, a whole run fails when a branch of a pure room was not tested."""
    if (ours := session.config.stash.get(MEASURED, None)) is not None:
        ours.stop()
        output: dict[str, object] = session.config.workeroutput  # type: ignore[attr-defined]
        output[COVERED] = ours.get_data().dumps()
        return
    measured = coverage.Coverage.current()
    if measured is None or session.exitstatus != pytest.ExitCode.OK:
        return
    measured.stop()
    table = io.StringIO()
    files = [str(file) for room in sorted(rooms.PURE) for file in rooms.files(room)]
    try:
        total = measured.report(include=files, show_missing=True, skip_covered=True, file=table)
    except coverage.exceptions.NoDataError:
        return
    session.config.stash[COVERAGE] = table.getvalue()
    whole = session.config.args == session.config.getini("testpaths") and not session.config.option.keyword
    if whole and total < ENOUGH:
        session.config.stash[COVERAGE] += f"The pure rooms are covered to {total:.1f} %, not {ENOUGH:.0f} %.\n"
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    table = terminalreporter.config.stash.get(COVERAGE, "")
    if table:
        terminalreporter.section("the pure rooms, branch by branch")
        terminalreporter.write(table)
