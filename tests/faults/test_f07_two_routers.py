"""F7: a second router is started beside the first. It is refused; forced, the replaced one stops and the new one
goes on with the calls."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from sandbox.behaviours import Answer
from sandbox.router_process import RouterProcess
from tests.faults.conftest import Fault
from tests.faults.fleet import Fleet
from tests.integration.site import ALICE, ALONE, Site, campaigns

pytestmark = [pytest.mark.asterisk, pytest.mark.fault("F7", "two routers")]


def test_a_second_one_is_refused_and_the_calls_do_not_notice(running: Site, fault: Fault) -> None:
    fleet = Fleet(running, ringing=25, talking=25, ring=4.0, talk=6.0)
    done = running.run("run")
    assert done.returncode == 1
    assert "already running" in done.stderr
    assert (len(done.stderr.splitlines()), done.stdout) == (1, "")
    fleet.check()
    assert fleet.all.outcomes() == {"answered": 50}
    assert all(len(legs) == 1 for legs in fleet.all.rung().values())
    fault.measured("refused with exit status", str(done.returncode))


@pytest.fixture
def second(site: Site) -> Iterator[RouterProcess]:
    """A router that is started past the first one's lock; afterwards it is stopped."""
    router = RouterProcess(site.config, site.folder / "second.log")
    site.stop_router()
    site.start_router()
    yield router
    router.stop()
    if site.router_runs():
        site.stop_router()


def test_forced_past_the_lock_the_new_one_goes_on_with_the_calls(
    second: RouterProcess, running: Site, fault: Fault
) -> None:
    fleet = Fleet(running, ringing=25, talking=25, ring=8.0, talk=10.0)
    Path(f"{running.database}.lock").unlink()
    fault.measured("the new one is ready after", second.start(), "s")
    assert_stopped_in_one_line(running, fault)
    fleet.check()
    assert fleet.all.outcomes() == {"answered": 50}
    assert all(len(legs) == 1 for legs in fleet.all.rung().values()), "nobody is dialled twice"
    assert all(row["talk_seconds"] > 9.5 for row in fleet.talking.rows()), "no talk is cut"
    running.mobiles({ALICE: Answer(ring=0.1)})
    assert running.call(ALONE, hang_up_after=0.1).ended()["outcome"] == "answered"


def test_forced_with_another_database_the_callers_are_served(
    second: RouterProcess, running: Site, fault: Fault
) -> None:
    """It knows nothing of whom the first one rang for these callers: they are new to it, and none is left."""
    fleet = Fleet(running, ringing=25, ring=8.0)
    second.config = running.folder / "other.yaml"
    content = campaigns(running.asterisk) | {"database": "other.db"}
    second.config.write_text(yaml.safe_dump(content), encoding="utf-8")
    second.start()
    assert_stopped_in_one_line(running, fault)
    later = running.stack.call(ALONE, "+33140999999", hang_up_after=0.1).wait(20)
    assert later.dialog.final == 200
    fleet.wait()
    finals = [dialog.final for dialog in fleet.ringing.dialogs().values()]
    fault.measured("another database, waiting callers answered", finals.count(200))
    assert finals == [200] * 25


def assert_stopped_in_one_line(site: Site, fault: Fault) -> None:
    """The router that was replaced has ended, not well, and says why in one line."""
    site.until(lambda: not site.router_runs(), "the replaced one stops")
    status = site.stop_router()
    last = site.log.splitlines()[-1]
    fault.measured("replaced, exit status", str(status))
    assert status not in (0, None)
    assert last.startswith("callrouter: another program has connected to Asterisk")
    assert not site.said("Traceback")
