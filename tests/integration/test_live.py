"""`callrouter calls live` beside a running router: each call as it stands, while it stands so. Real Asterisk."""

from __future__ import annotations

import json
import time
from typing import Any, Final

import pytest

from sandbox.behaviours import Answer, RingOut
from tests.integration.recordings import record
from tests.integration.site import ALICE, BOB, CAROL, Call, Site, campaigns
from tests.integration.withheld import withheld

pytestmark = pytest.mark.asterisk

RINGING, LISTENING, TALKING, WAITING = (f"+3318480107{digit}" for digit in range(4))
COLUMNS: Final = 80
LASTS: Final = 8.0
"""Seconds for which each call would stand as it is."""


@pytest.fixture(scope="module", autouse=True)
def campaigns_(site: Site) -> None:
    record(site.config.parent / "sorry.wav", 900, LASTS)
    content = campaigns(site.asterisk)
    outlasts = f"{4 * LASTS:g}s"
    content["defaults"] |= {"ring": {"timeout": outlasts, "max_wait": "60s"}, "accept_timeout": outlasts}
    content["campaigns"] = {
        "rings": {"numbers": [RINGING], "ring": {"to": ["alice"]}},
        "listens": {"numbers": [LISTENING], "accept": "press-1", "ring": {"to": ["bob"]}},
        "talks-and-has-a-name-that-is-rather-long": {"numbers": [TALKING], "ring": {"to": ["carol"]}},
        "waits": {
            "numbers": [WAITING],
            "hours": "never-now",
            "ring": {"to": ["alice"]},
            "closed": {"announcement": {"play": "sorry.wav"}},
        },
    }
    site.configure(content)


def live(site: Site) -> dict[str, Any]:
    said = site.run("calls", "live", "--once", "--format", "json")
    assert said.returncode == 0, said.stderr
    found: dict[str, Any] = json.loads(said.stdout)
    return found


def places(site: Site) -> dict[str, Call]:
    """One call of each kind, by campaign."""
    site.mobiles({ALICE: RingOut(), BOB: Answer(0.1), CAROL: Answer(0.1)})
    return {
        "rings": site.call(RINGING, cancel_after=LASTS),
        "listens": site.call(LISTENING, cancel_after=LASTS),
        "talks": site.call(TALKING, hang_up_after=LASTS),
        "waits": withheld(site, WAITING, hang_up_after=LASTS),
    }


def by_campaign(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What is told of each call, by the first word of its campaign."""
    return {call["campaign"].partition("-")[0]: call for call in document["calls"]}


EXPECTED: Final = {
    "rings": ("ringing", [("alice", "rings")]),
    "listens": ("ringing", [("bob", "listens")]),
    "talks": ("talking", [("carol", "talks")]),
    "waits": ("ending", []),
}


def told(document: dict[str, Any]) -> dict[str, tuple[str, list[tuple[str, str]]]]:
    return {
        name: (call["phase"], [(leg["salesperson"], leg["state"]) for leg in call["legs"]])
        for name, call in by_campaign(document).items()
    }


def as_expected(site: Site) -> dict[str, Any]:
    """The document, once each call stands where it will stay; before that an empty one."""
    document = live(site)
    return document if told(document) == EXPECTED else {}


def test_each_call_is_told_as_it_stands(running: Site) -> None:
    assert live(running)["calls"] == []
    before = time.time()
    calls = places(running)
    document = running.until(lambda: as_expected(running), "each stands where it will stay")
    assert (document["link"], document["since"] < before) == ("up", True)
    assert [call["started"] for call in document["calls"]] == sorted(call["started"] for call in document["calls"])
    found = by_campaign(document)
    for name, call in calls.items():
        row = call.rows()[0]
        shown = found[name]
        assert (shown["id"], shown["did"], shown["campaign"]) == (row["id"], row["did"], row["campaign"])
        assert 0 <= shown["waiting"] <= document["now"] - before + 0.1, "told in tenths"
        assert (shown["talking"] is not None) is (name == "talks")
        assert all(leg["trunk"] == "main" and before < leg["since"] <= document["now"] for leg in shown["legs"])
        if name == "waits":
            assert shown["caller"] == "withheld"
        else:
            assert call.number[-4:] not in shown["caller"].replace(" ", ""), "the number is masked"
    table = running.run("calls", "live", "--once")
    assert table.returncode == 0, table.stderr
    check_table(table.stdout, calls)
    for call in calls.values():
        call.placed.wait(30)
    running.until(lambda: live(running)["calls"] == [], "all of them have ended")
    outcomes = {name: call.ended()["outcome"] for name, call in calls.items()}
    assert outcomes == {"rings": "abandoned", "listens": "abandoned", "talks": "answered", "waits": "closed"}


def check_table(text: str, calls: dict[str, Call]) -> None:
    """A line for each call and nobody's number, in 80 columns."""
    lines = text.splitlines()
    assert max(map(len, lines)) <= COLUMNS
    assert lines[0] == "4 calls: 2 ringing, 1 talking, 1 ending"
    bodies = {line.split()[0].partition("-")[0]: line for line in lines[2:]}
    assert bodies.keys() == calls.keys()
    for name, (phase, legs) in EXPECTED.items():
        assert phase in bodies[name]
        for person, state in legs:
            assert person in bodies[name]
            assert state in bodies[name]
    assert not any(call.number and call.number[-6:] in text.replace(" ", "") for call in calls.values())


def test_without_a_router_it_says_so(running: Site) -> None:
    running.stop_router()
    for words in (("--once",), ("--once", "--format", "json")):
        said = running.run("calls", "live", *words)
        assert (said.returncode, said.stdout) == (3, "")
        assert len(said.stderr.splitlines()) == 1
        assert "no router is running" in said.stderr
    running.start_router()
    assert live(running)["calls"] == []
