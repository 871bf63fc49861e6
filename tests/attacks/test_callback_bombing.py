"""Callback bombing: hundreds of calls with forged caller IDs, so that somebody is called back. A callback is a task
for a human, one for a caller and campaign; nothing here dials a stranger, and who should not be called is named."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from sandbox.behaviours import BUSY
from sandbox.raw_sip import RawCaller
from tests.attacks.lines import Line
from tests.integration.site import ALICE, ALONE, Site, campaigns

pytestmark = pytest.mark.asterisk

BOMBS: Final = 200
AT_ONCE: Final = 25
DAYS_KEPT: Final = 5
"""campaigns.yaml's `callback.expire`, as site.py has it."""
NEVER: Final = (
    "+33899123456",
    "+19002345678",
    "+881612345678",
    "+88213000000",
    "+447012345678",
    "112",
    "15",
    "3615",
    ALONE,
)
"""Premium, satellite, personal, emergency, short, and ours: whoever is made to call these back is the victim."""


@pytest.fixture(scope="module", autouse=True)
def plain(site: Site) -> None:
    content = campaigns(site.asterisk)
    content["campaigns"] = {"alone": {"numbers": [ALONE], "ring": {"to": ["alice"]}}}
    site.configure(content)
    site.asterisk.load_dialplan(site.stack.generated_dialplan())


def forged() -> list[str]:
    """So many callers: those never to be called, victims at home, and victims all over the world."""
    home = [f"+3314567{number:04d}" for number in range(120)]
    world = (("4420", 8), ("4930", 8), ("1212", 7), ("25261", 7))
    abroad = [f"+{code}{5000000 + number:0{digits}d}" for number in range(20) for code, digits in world]
    return [*NEVER, *home, *abroad][:BOMBS]


def bomb(site: Site, callers: list[str]) -> None:
    """A call of each, taken by nobody."""
    for at in range(0, len(callers), AT_ONCE):
        batch = [
            RawCaller(site.asterisk.ports.sip, ALONE, caller=f"<sip:{caller}@127.0.0.1>")
            for caller in callers[at : at + AT_ONCE]
        ]
        statuses = [call.status(30) for call in batch]
        for call in batch:
            call.close()
        assert set(statuses) == {486}


def tasks(site: Site) -> list[dict[str, Any]]:
    done = site.run("callbacks", "list", "--limit", "1000", "--format", "json", "--numbers", "--reason", "a test")
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_two_hundred_forged_callers_are_two_hundred_tasks_and_not_one_call(running: Site) -> None:
    callers = forged()
    assert len(set(callers)) == BOMBS
    running.mobiles({ALICE: BUSY})
    before = len(running.rows("SELECT id FROM calls"))
    bomb(running, callers)
    running.until(
        lambda: len(running.rows("SELECT id FROM calls WHERE outcome = 'busy'")) == before + BOMBS, "every row", 30
    )
    running.until(lambda: len(running.carrier.calls()) == BOMBS, "every INVITE")
    assert {dialog.number for dialog in running.carrier.calls()} == {ALICE}, "no stranger is dialled"
    assert running.stack.second_carrier.calls() == ()
    open_tasks = tasks(running)
    assert len(open_tasks) == BOMBS, "one a caller"
    warned = {task["caller"] for task in open_tasks if task["do_not_call"]}
    assert warned == set(NEVER)


def test_a_second_wave_joins_the_tasks_that_are_open(running: Site) -> None:
    """Growth: a table of tasks has at most one open for a caller and campaign, and each is over in its time."""
    running.mobiles({ALICE: BUSY})
    callers = forged()[:50]
    before = running.rows("SELECT count(*) AS n FROM calls")[0]["n"]
    bomb(running, [*callers, *callers])
    running.until(
        lambda: running.rows("SELECT count(*) AS n FROM calls WHERE outcome > ''")[0]["n"] == before + 100,
        "all",
        30,
    )
    open_tasks = tasks(running)
    assert len(open_tasks) == BOMBS
    assert sorted(task["calls"] for task in open_tasks)[-50:] == [3] * 50
    twice = running.rows(
        "SELECT caller_id FROM callbacks WHERE state IN ('open', 'claimed') GROUP BY campaign, caller_id "
        "HAVING count(*) > 1"
    )
    assert twice == []
    kept = running.rows("SELECT max(julianday(expires_at) - julianday(opened_at)) AS days FROM callbacks")
    assert kept[0]["days"] < DAYS_KEPT + 1, "none stays for ever"


def test_callers_who_withhold_their_number_leave_no_task(running: Site) -> None:
    running.mobiles({ALICE: BUSY})
    open_before = len(tasks(running))
    withheld = ["anonymous", "0", "0000000", "unavailable", "+266696687"]
    before = running.rows("SELECT count(*) AS n FROM calls")[0]["n"]
    bomb(running, withheld)
    running.until(
        lambda: (
            running.rows("SELECT count(*) AS n FROM calls WHERE outcome > ''")[0]["n"] == before + len(withheld)
        ),
        "their rows",
    )
    assert len(tasks(running)) == open_before


@pytest.mark.parametrize("path", ["agi", "dialplan"])
def test_without_the_router_it_is_the_same(site: Site, path: str) -> None:
    """What a call that the fallback took is owed is the same task, one a caller."""
    line = Line(site, path)
    line.enter()
    numbers = [*NEVER[:3], "+33145670001", "+33145670001"]
    before = {task["caller"]: task["calls"] for task in tasks(site)}
    line.forget({ALICE: BUSY})
    assert (
        line.call_all([{"user": ALONE, "caller": f"<sip:{number}@127.0.0.1>"} for number in numbers]) == [486] * 5
    )
    line.held(len(numbers))
    after = {task["caller"]: task["calls"] for task in tasks(site)}
    assert len(tasks(site)) == len(after), "one a caller"
    assert {number: after[number] - before[number] for number in before if after[number] != before[number]} == {
        number: numbers.count(number) for number in numbers
    }
