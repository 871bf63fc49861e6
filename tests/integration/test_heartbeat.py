"""The router's sign of life and the dialplan that it keeps fresh, in a real Asterisk."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from sandbox.behaviours import Answer
from tests.integration.site import ALICE, ALONE, Site, campaigns

pytestmark = pytest.mark.asterisk


def shown(site: Site, name: str) -> str:
    """A global variable, as Asterisk's command line has it; empty where there is none."""
    found = re.search(rf"^\s*{name}=(.*)$", site.asterisk.cli("dialplan show globals"), re.MULTILINE)
    return found[1].strip() if found else ""


def alive(site: Site) -> bool:
    value = shown(site, "CALLROUTER_ALIVE")
    return value.isdigit() and abs(int(value) - time.time()) <= 3


def test_a_router_gives_a_sign_of_life_and_takes_it_back(running: Site) -> None:
    site = running
    site.until(lambda: alive(site), "there is a sign of life", 3)
    first = shown(site, "CALLROUTER_ALIVE")
    site.until(lambda: shown(site, "CALLROUTER_ALIVE") > first, "it is renewed", 3)
    assert site.stop_router() == 0
    assert shown(site, "CALLROUTER_ALIVE") == ""


def test_a_reload_that_clears_the_globals_costs_no_call(running: Site) -> None:
    site = running
    site.mobiles({ALICE: Answer(ring=0.1, talk=0.2)})
    text = (site.asterisk.etc / "extensions.conf").read_text(encoding="utf-8")
    site.asterisk.load_dialplan(f"[general]\nclearglobalvars = yes\n\n{text}")
    try:
        call = site.call(ALONE)
        assert (call.ended()["path"], call.ended()["outcome"]) == ("ari", "answered")
        site.until(lambda: alive(site), "there is a sign of life again", 3)
    finally:
        site.asterisk.load_dialplan(text)


@pytest.mark.parametrize("wrong", [-4000, -4, 4, 4000])
def test_an_old_sign_of_life_sends_a_call_to_the_fallback_at_once(running: Site, wrong: int) -> None:
    """Or one of the future: somebody has set the clock back."""
    site = running
    site.mobiles({ALICE: Answer(ring=0.1, talk=0.2)})
    site.signal_router(signal.SIGSTOP)
    try:
        value = int(time.time()) + wrong
        site.asterisk.cli(f"dialplan set global CALLROUTER_ALIVE {value}")
        call = site.call(ALONE)
        assert site.until(lambda: site.carrier.calls(ALICE), "the mobile rings", 3)
        call.placed.wait(10)
    finally:
        site.signal_router(signal.SIGCONT)
    row = call.ended()
    assert (row["path"], row["outcome"], row["salesperson"]) == ("agi", "answered", "alice")
    site.until(lambda: alive(site), "the router beats again", 5)


# --- The dialplan -----------------------------------------------------------------------------------------


@pytest.fixture
def fresh(site: Site) -> Iterator[Site]:
    """A router that keeps the dialplan that Asterisk includes."""
    if site.router_runs():
        site.stop_router()
    site.configure(content(site))
    site.start_router()
    yield site
    site.stop_router()


def content(site: Site) -> dict[str, Any]:
    made = campaigns(site.asterisk)
    # Relative to the YAML.
    made["asterisk"]["dialplan"] = "generated/callrouter-extensions.conf"
    return made


def version(site: Site) -> str:
    """Of the configuration in force, as the router says it."""
    return str(re.findall(r"(?:event=ready .*|event=reloaded )config=([0-9a-f]{12})", site.log)[-1])


def test_an_accepted_configuration_is_the_third_lines_too(fresh: Site) -> None:
    site = fresh
    site.until(lambda: shown(site, "CALLROUTER_DIALPLAN") == version(site), "it is loaded at the start", 15)
    started = version(site)
    data = yaml.safe_load(site.config.read_text(encoding="utf-8"))
    data["salespeople"]["alice"]["mobile"] = "+33611111111"
    site.config.write_text(yaml.safe_dump(data), encoding="utf-8")
    site.signal_router(signal.SIGHUP)
    site.until(lambda: version(site) != started, "it is in force")
    site.until(lambda: shown(site, "CALLROUTER_DIALPLAN") == version(site), "it is loaded", 15)
    assert "+33611111111" in site.asterisk.cli("dialplan show callrouter-person-1")
    assert site.said("event=dialplan_loaded") == 2
    lines = site.run("doctor").stdout.splitlines()
    assert any(line.startswith("ok    dialplan") for line in lines), lines


def test_a_stale_one_is_noticed_without_the_key(running: Site) -> None:
    site = running
    data = yaml.safe_load(site.config.read_text(encoding="utf-8"))
    data["asterisk"].pop("dialplan", None)
    data["salespeople"]["bob"]["mobile"] = "+33611111112"
    site.config.write_text(yaml.safe_dump(data), encoding="utf-8")
    site.signal_router(signal.SIGHUP)
    site.until(lambda: site.said("event=dialplan_stale"), "the router says so", 15)
    lines = site.run("doctor").stdout.splitlines()
    assert any(line.startswith("warn  dialplan") for line in lines), lines
