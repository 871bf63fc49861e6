"""What `callrouter explain` is asked: the number, the moment and the seed, and what is said to wrong ones."""

from __future__ import annotations

from datetime import datetime

import click
import pytest

from router.commands.explain import read_time
from router.model import Situation, Strategy
from router.routing import decide
from tests.build import DID, make_campaign, make_config, make_inbound, make_ring, make_trunk
from tests.decisions import targets
from tests.explained import explain, facts, office


def test_the_lot_is_the_one_of_the_seed() -> None:
    ring = make_ring(strategy=Strategy.WEIGHTED, weights={"alice": 1, "bob": 1})
    config = make_config(campaigns=[make_campaign(ring=ring)])
    at = datetime.fromisoformat("2026-11-24T10:00+01:00")
    for seed in range(6):
        told = facts(config, "--to", DID, "--at", at.isoformat(), "--seed", str(seed))
        decision = decide(config, make_inbound(caller=""), at, Situation(seed=seed))
        assert [one["people"][0]["salesperson"] for one in told["rings"]] == [
            target.salesperson for target in targets(decision)
        ]
    assert explain(config, "--to", DID).output == explain(config, "--to", DID, "--seed", "0").output
    assert explain(config, "--to", DID, "--seed", "lucky").exit_code == 2


def test_an_unknown_did_shows_the_unknown_numbers_route() -> None:
    result = explain(make_config(), "--to", "+33145000000", "--at", "2026-11-24 10:00")
    assert result.exit_code == 0
    assert "unknown_number                      no campaign owns this number" in result.output
    assert "Alice" in result.output
    assert facts(make_config(), "--to", "+33145000000")["campaign"] == "unknown"


def test_a_did_that_the_trunk_reads_from_a_header_is_explained_too() -> None:
    config = make_config(trunks=[make_trunk(did_from=["diversion"])])
    told = facts(config, "--to", "0184801001")
    assert (told["campaign"], told["did"], told["did_source"]) == ("spring-flyer", DID, "diversion")


def test_the_moment_is_on_the_companys_wall_unless_it_has_an_offset() -> None:
    config = make_config(timezone="America/New_York")
    assert facts(config, "--to", DID, "--at", "2026-11-24 10:00")["at"] == "2026-11-24T10:00:00-05:00"
    assert facts(config, "--to", DID, "--at", "2026-11-24T10:00Z")["at"] == "2026-11-24T05:00:00-05:00"
    assert facts(config, "--to", DID)["at"].endswith(("-05:00", "-04:00"))


def test_a_time_that_comes_twice_is_the_first_and_one_that_is_skipped_is_refused() -> None:
    assert read_time("2026-10-25 02:30", "Europe/Paris").isoformat() == "2026-10-25T02:30:00+02:00"
    assert read_time("2026-10-25 02:30+01:00", "Europe/Paris").isoformat() == "2026-10-25T02:30:00+01:00"
    with pytest.raises(click.BadParameter, match="does not exist"):
        read_time("2026-03-29 02:30", "Europe/Paris")


@pytest.mark.parametrize("at", ["", "tomorrow", "2026-02-30 10:00", "2026-12-24 25:00", "9" * 5000, "\x1b[2J"])
def test_what_is_no_time_is_wrong_usage_and_says_what_to_write(at: str) -> None:
    result = explain(make_config(), "--to", DID, "--at", at)
    assert result.exit_code == 2
    assert "write '2026-12-24 10:00'" in result.output
    assert "\x1b" not in result.output


@pytest.mark.parametrize("at", ["0001-01-01 00:00", "9999-12-31 23:59", "1999-12-31T23:00-08:00"])
def test_a_time_from_another_century_is_wrong_usage(at: str) -> None:
    result = explain(office(), "--to", DID, "--at", at)
    assert result.exit_code == 2
    assert "is not within 2000 to 2099" in result.output


def test_to_is_required() -> None:
    assert explain(make_config()).exit_code == 2
