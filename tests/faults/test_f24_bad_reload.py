"""F24: a campaigns file that cannot be read, or is only half there, while calls ring and talk."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator

import pytest

from sandbox.behaviours import Answer
from tests.faults.conftest import Fault
from tests.faults.fleet import Fleet
from tests.integration.site import ALICE, ALONE, BOB, Site, campaigns

pytestmark = [pytest.mark.asterisk, pytest.mark.fault("F24", "bad reload")]

CUTS = 8
"""In how many places the file breaks off, as if its editor were still writing."""


def told(site: Site) -> None:
    site.signal_router(signal.SIGHUP)


def left_to_see(_: Site) -> None:
    """`--watch` notices by itself."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Site(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture(params=[(told, ()), (left_to_see, ("--watch",))], ids=["SIGHUP", "watch"])
def reload(request: pytest.FixtureRequest, site: Site) -> Iterator[Callable[[Site], None]]:
    """How the router learns of a changed file; it runs, and has the right file before and after."""
    how, options = request.param
    site.stop_router()
    site.configure(campaigns(site.asterisk))
    site.stack.router.start(options=options)
    yield how
    site.stop_router()
    site.configure(campaigns(site.asterisk))


def refused(site: Site) -> list[str]:
    return [line for line in site.log.splitlines() if "event=reload_refused" in line]


def wait_for_refusal(site: Site, said: int) -> None:
    """Until the router has refused more often than it had."""
    site.until(lambda: len(refused(site)) > said, "the router says what is wrong")


def test_a_half_written_file_changes_nothing(reload: Callable[[Site], None], running: Site, fault: Fault) -> None:
    """It breaks off in the middle of a line, again and again, and is then written to its end."""
    whole = running.config.read_text(encoding="utf-8")
    lines = whole.splitlines()
    mobiles = {ALICE: Answer(ring=0.1), BOB: Answer(ring=12.0)}
    fleet = Fleet(running, ringing=25, talking=25, talk=12.0, mobiles=mobiles)
    before = {row["config_version"] for row in fleet.all.rows()}
    assert len(before) == 1
    for turn in range(CUTS):
        # A key whose value is a sentence that is not closed: `name: "Alice` on the last line there is.
        cut = len(lines) * (turn + 1) // (CUTS + 1)
        said = len(refused(running))
        text = "\n".join([*lines[:cut], '  half: "written'])
        running.config.write_text(text, encoding="utf-8")
        reload(running)
        wait_for_refusal(running, said)
        assert f"campaigns.yaml:{cut + 1}:" in refused(running)[-1], "with its line"
    meanwhile = fleet.place(5, ALONE, hang_up_after=0.1)
    meanwhile.wait(20)
    running.config.write_text(whole + "\n", encoding="utf-8")
    loaded = running.said("event=reloaded")
    reload(running)
    running.until(lambda: running.said("event=reloaded") > loaded, "the whole file is taken")
    fleet.check()
    assert fleet.all.outcomes() == {"answered": 55}
    assert {row["config_version"] for row in meanwhile.rows()} == before, "the old configuration stays"
    for wave in (fleet.talking, fleet.ringing):
        assert all(dialog.hung_up_by_us for dialog in wave.dialogs().values()), "no call was cut"
    fault.measured("half-written files refused", CUTS)


def test_a_file_with_a_mistake_changes_nothing(running: Site) -> None:
    content = campaigns(running.asterisk)
    content["campaigns"]["alone"]["ring"]["to"] = ["nobody"]
    running.configure(content)
    said = len(refused(running))
    done = running.run("reload")
    assert done.returncode == 1
    assert "campaigns.alone.ring.to[0]" in done.stderr
    running.signal_router(signal.SIGHUP)
    wait_for_refusal(running, said)
    running.mobiles({ALICE: Answer(ring=0.1)})
    assert running.call(ALONE, hang_up_after=0.1).ended()["salesperson"] == "alice"
    running.configure(campaigns(running.asterisk))


def test_a_file_that_is_gone_changes_nothing(running: Site) -> None:
    content = running.config.read_bytes()
    running.config.unlink()
    said = len(refused(running))
    running.signal_router(signal.SIGHUP)
    wait_for_refusal(running, said)
    running.mobiles({ALICE: Answer(ring=0.1)})
    assert running.call(ALONE, hang_up_after=0.1).ended()["salesperson"] == "alice"
    running.config.write_bytes(content)
