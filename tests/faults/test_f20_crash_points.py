"""F20: the router is killed at each step that it writes down, once just before and once just after. What was so far
is there afterwards, or what it led to; nobody is dialled twice, and nothing is left.

The script passes every stage: Alice refuses, Bob answers, presses the key, talks and hangs up; another caller finds
Carol busy and is owed a call. How many steps that makes is counted first, so that there is one test run for each.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox import strace
from sandbox.behaviours import BUSY, DECLINE, Answer
from sandbox.errors import SandboxError
from tests.faults.conftest import Fault
from tests.faults.fleet import Fleet, Wave
from tests.integration.site import ALICE, BOB, CAROL, Site, campaigns

pytestmark = [pytest.mark.asterisk, pytest.mark.fault("F20", "any crash point")]

GATED, MISSED = "+33184801081", "+33184801082"
FEWEST = 6
"""Steps that the script cannot do without: two calls that come, a next person, one who accepts, two ends."""

Trap = Callable[[int, Path, int, Path, Path], strace.Strace]


@pytest.fixture(scope="module", autouse=True)
def script(site: Site) -> None:
    content = campaigns(site.asterisk)
    content["campaigns"] |= {
        "gated": {
            "numbers": [GATED],
            "caller_id": "caller",
            "accept": "press-1",
            "accept_timeout": "3s",
            "ring": {"to": ["alice", "bob"], "timeout": "4s", "max_wait": "10s"},
        },
        "missed": {"numbers": [MISSED], "caller_id": "caller", "ring": {"to": ["carol"]}},
    }
    site.configure(content)


@pytest.fixture(scope="module", autouse=True)
def may_trace(site: Site, script: None) -> None:  # noqa: ARG001 - configured first
    """A machine that lets nobody trace its own processes cannot show this."""
    site.start_router()
    try:
        strace.Strace(site.stack.router.pid, site.folder / "probe.strace", "-e", "trace=none").stop()
    except SandboxError as error:
        pytest.skip(f"THIS MACHINE CANNOT SHOW F20: {error}")
    # What Asterisk starts when it is first needed and then keeps is no leftover of a test.
    Script(site).fleet.check()
    site.quiet()
    site.stop_router()


def journal(site: Site) -> tuple[Path, Path]:
    return Path(f"{site.database}.journal.0"), Path(f"{site.database}.journal.1")


class Script:
    """The two calls, from beginning to end."""

    def __init__(self, site: Site) -> None:
        self.fleet = Fleet(
            site,
            mobiles={ALICE: DECLINE, BOB: Answer(ring=0.3, keys="1", keys_after=0.3, talk=1.0), CAROL: BUSY},
            up=False,
        )
        self.missed: Wave
        self.answered = self.fleet.place(1, GATED)
        self.missed = self.fleet.place(1, MISSED)

    def over(self) -> bool:
        """Nobody of the callers is on the line."""
        return not any(wave.placed is not None and wave.placed.running for wave in self.fleet.waves)


def test_the_script_passes_all_stages(running: Site, fault: Fault) -> None:
    log = running.folder / "steps.strace"
    with strace.Strace(
        running.stack.router.pid, log, *strace.only(journal(running)), "-e", "trace=pwrite64"
    ) as seen:
        script = Script(running)
        script.fleet.check()
    steps = len(seen.lines())
    fault.measured("steps of the script", steps)
    assert script.answered.outcomes() == {"answered": 1}
    assert script.missed.outcomes() == {"busy": 1}
    assert steps >= FEWEST


@pytest.mark.timeout(400)
@pytest.mark.parametrize("trap", [strace.kill_before, strace.hold_after])
def test_killed_at_every_step(running: Site, fault: Fault, trap: Trap) -> None:
    where = "before" if trap is strace.kill_before else "after"
    wrong: list[str] = []
    outcomes: list[str] = []
    points = 0
    while (script := killed_at(running, trap, points + 1)) is not None:
        points += 1
        wrong += [f"killed {where} step {points}: {complaint}" for complaint in complaints(running, script)]
        outcomes += [str(outcome) for outcome in script.fleet.all.outcomes().elements()]
    fault.measured(f"killed {where} each of", points, "steps")
    fault.measured("answered all the same", outcomes.count("answered"))
    assert points >= FEWEST
    assert not wrong, "\n".join(wrong)


def killed_at(site: Site, trap: Trap, nth: int) -> Script | None:
    """One run of the script with a router that dies at its `nth` step; None when there is no such step."""
    log = site.folder / f"{trap.__name__}-{nth}.strace"
    log.unlink(missing_ok=True)
    with trap(site.stack.router.pid, log, nth, *journal(site)) as follower:
        script = Script(site)
        site.until(lambda: caught(site, log) or script.over(), f"step {nth}, or the script's end", 30)
        died = caught(site, log)
        if died:
            follower.kill()
            site.kill_router()
    if not died:
        script.fleet.check()
        return None
    site.start_router()
    return script


def caught(site: Site, log: Path) -> bool:
    """Whether the router is dead, or held behind its step."""
    return not site.router_runs() or (
        log.exists() and "(DELAYED)" in log.read_text(encoding="utf-8", errors="replace")
    )


def complaints(site: Site, script: Script) -> list[str]:
    """What does not hold of what must hold wherever it died, once all is over and on disk."""
    script.fleet.wait()
    site.quiet()
    kept = journal(site)
    # The other row of a call that has two may come last.
    site.until(lambda: not any(file.stat().st_size for file in kept if file.exists()), "the journal is empty")
    try:
        site.until(lambda: not script.fleet.complaints(), "the dialplan's own rows are taken in")
    except SandboxError:
        return script.fleet.complaints()
    return [
        f"{number} had somebody dialled twice: {rung}"
        for number, legs in script.fleet.all.rung().items()
        if len(rung := [leg.number for leg in legs]) != len(set(rung))
    ]
