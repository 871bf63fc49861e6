"""A thousand random calls on the real Asterisk, each held against the independent model.

The scenarios are new ones at each run. `SCENARIO_SEED=<seed>` makes a run again, `SCENARIO_SEED=<seed>:<number>`
one of its scenarios alone; SCENARIO_COUNT says how many there are.
"""

from __future__ import annotations

import os
import random
from collections import Counter

import pytest

from tests.integration.site import Site
from tests.scenarios.make import phones, scenario
from tests.scenarios.model import Scenario
from tests.scenarios.run import Run, ambiguous, behaviour, configuration, mobile

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(600)]

PEOPLE = 200
AT_ONCE = 30
FORGOTTEN = 45.0
"""Seconds in which Asterisk forgets a mobile that sent no reply (32 s, RFC 3261, 17.1.1.2), and some."""


@pytest.fixture(scope="module")
def scenarios(site: Site) -> list[Scenario]:
    """The scenarios of this run, with the site made for them."""
    seed, _, number = os.environ.get("SCENARIO_SEED", "").partition(":")
    seed = seed or str(random.SystemRandom().randrange(10**6))
    numbers = [int(number)] if number else range(int(os.environ.get("SCENARIO_COUNT", "1000")))
    people = phones(seed, PEOPLE)
    made = [scenario(seed, n, people) for n in numbers]
    site.configure(configuration(site, made))
    print(f"SCENARIO_SEED={seed}")
    return made


def test_every_call_ends_once_and_as_the_model_says(scenarios: list[Scenario], running: Site) -> None:
    rung = {person: phone for made in scenarios for person, phone in made.phones.items()}
    running.mobiles({mobile(person): behaviour(phone) for person, phone in rung.items()})
    run = Run(running, scenarios)
    misfits = run.misfits(AT_ONCE)
    outcomes = Counter(ending.outcome for endings in run.endings().values() for ending in endings)
    unsure = sum(map(ambiguous, scenarios))
    print(f"{len(scenarios)} calls, {unsure} of them ambiguous, {run.again} placed again: {dict(outcomes)}")
    assert not misfits, f"{len(misfits)} of {len(scenarios)}:\n" + "\n\n".join(misfits)
    assert all(len(endings) == 1 for endings in run.endings().values()), "one call is one row"
    running.until(running.asterisk.quiet, "no channel and no bridge is left", FORGOTTEN)
    assert "Traceback" not in running.log
