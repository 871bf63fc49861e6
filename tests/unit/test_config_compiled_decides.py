"""The property that the compiled routes are for: whoever reads them decides as the router does."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router import routing
from router.config import compiled
from router.model import Acquaintance, Config, Situation
from tests.build import make_inbound
from tests.campaign_file import read
from tests.unit.test_config_compiled import EVERYTHING

DIDS = ["+33184801001", "0184801001", "0033184801002", "+33184801002", "+33184809999", "s", "", "anonymous"]
CALLERS = [
    "+33145678901",
    "+33899123456",
    "0890000001",
    "+33140000009",
    "+33612345678",
    "0633333333",
    "+33145000000",
    "anonymous",
    "",
    "4711",
]
PEOPLE = ["alice", "bob", "carol", "dave", "vip", "idle", "other"]
BEGIN = datetime(2026, 7, 27, tzinfo=UTC)
"""A Monday; Alice is absent on the Saturday after."""


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Config, str]:
    folder: Path = tmp_path_factory.mktemp("routes")
    (folder / "busy.ulaw").write_bytes(b"x")
    (folder / "pins").touch(mode=0o600)
    (folder / "pins").write_text("alice: 4711\n")
    config = read(folder, EVERYTHING)
    path = compiled.routes_path(config.database)
    compiled.write(config, path)
    return config, path


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    people, seconds = st.sampled_from(PEOPLE), st.floats(0, 2e9)
    met = st.builds(Acquaintance, seconds, st.sampled_from(["", *PEOPLE]), seconds)
    return Situation(
        seed=draw(st.integers(0, 2**64 - 1)),
        paused=draw(st.dictionaries(people, st.none() | seconds, max_size=3)),
        first=draw(st.dictionaries(st.sampled_from(["spring", "poster", "unknown"]), people)),
        last_rung=draw(st.dictionaries(people, seconds)),
        last_talk=draw(st.dictionaries(people, seconds)),
        known=draw(st.dictionaries(st.sampled_from(CALLERS), met)),
        recent=draw(st.dictionaries(st.sampled_from(CALLERS), st.integers(0, 9))),
        trunks_down=draw(st.sets(st.sampled_from(["main", "spare"]))),
    )


@given(
    did=st.sampled_from(DIDS),
    caller=st.sampled_from(CALLERS),
    endpoint=st.sampled_from(["trunk", "other", ""]),
    withheld=st.booleans(),
    after=st.timedeltas(timedelta(0), timedelta(days=14)),
    situation=situations(),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_routes_decide_as_the_whole_configuration(
    both: tuple[Config, str],
    did: str,
    caller: str,
    endpoint: str,
    withheld: bool,
    after: timedelta,
    situation: Situation,
) -> None:
    config, path = both
    inbound = make_inbound(did, caller, endpoint=endpoint, withheld=withheld, headers={"to": f"<sip:{did}@host>"})
    found = compiled.lookup(path, inbound.exten, *inbound.headers.values(), caller=caller)
    # What a mobile shows when the DID is nobody's: the first of all numbers, which a look-up of a few lacks.
    ours = next(iter(config.by_number))
    if not found.by_number:
        found = replace(found, by_number=MappingProxyType({ours: found.unknown}))
    assert routing.decide(found, inbound, BEGIN + after, situation) == routing.decide(
        config, inbound, BEGIN + after, situation
    )
