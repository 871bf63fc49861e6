"""Toll fraud: a number that costs a fortune, or alarms somebody, neither gets into campaigns.yaml as one to be
rung, nor is it shown as one to call back."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from router.commands import group
from router.errors import ConfigError
from tests.campaign_file import GOOD, read
from tests.store_rows import CALLER, START, missed, write

NEVER = {
    "+33899123456": "premium-rate",
    "0899 123 456": "premium-rate",
    "+1 900 234 5678": "premium-rate",
    "+447012345678": "personal",
    "0820 123 456": "shared-cost",
    "+881612345678": "satellite",
    "+88213000000": "global network",
    "112": "emergency",
    "15": "emergency",
    "+33112": "emergency",
    "3615": "short",
}
"""How it is written -> what is said of it."""
PLACES = {
    "a mobile": ('mobile: "+33612345678"', 'mobile: "{}"'),
    "an overflow": (
        "    ring: {to: [alice, bob]}",
        '    ring: {{to: [alice, bob]}}\n    overflow: {{number: "{}"}}',
    ),
}
"""Where numbers that are rung stand in campaigns.yaml."""


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("number", NEVER)
def test_a_number_that_costs_or_alarms_is_not_accepted_as_one_to_ring(
    tmp_path: Path, place: str, number: str
) -> None:
    old, new = PLACES[place]
    assert old in GOOD
    read(tmp_path, GOOD.replace(old, new.format("+33611223344"), 1))
    with pytest.raises(ConfigError) as refused:
        read(tmp_path, GOOD.replace(old, new.format(number), 1))
    said = str(refused.value)
    assert NEVER[number] in said
    assert "never dialled" in said


@pytest.mark.parametrize("dial", ["PJSIP/+33899123456@trunk", "PJSIP/{number}@trunk&PJSIP/+33899123456@trunk"])
def test_a_trunk_dials_the_salesperson_and_nobody_beside(tmp_path: Path, dial: str) -> None:
    with pytest.raises(ConfigError, match="dial"):
        read(tmp_path, GOOD.replace('dial: "PJSIP/{number}@trunk"', f'dial: "{dial}"', 1))


# --- As the caller ----------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "campaigns.yaml").write_text(GOOD.replace("data/calls.db", "calls.db"), encoding="utf-8")
    monkeypatch.setattr(time, "time", lambda: START + 60)
    return tmp_path


def run(folder: Path, *words: str) -> Result:
    done = CliRunner().invoke(group, ["--config", str(folder / "campaigns.yaml"), "callbacks", *words])
    assert done.exit_code == 0, done.output
    return done


def listed(folder: Path) -> dict[str, object]:
    (row,) = json.loads(run(folder, "list", "--format", "json").stdout)
    assert isinstance(row, dict)
    return row


@pytest.mark.parametrize(
    ("number", "why"),
    [
        ("+33899123456", "is a premium-rate number"),
        ("+19002345678", "is a premium-rate number"),
        ("+881612345678", "is a satellite number"),
        ("112", "is an emergency number"),
        ("3615", "is a short number"),
        ("+33184801001", "is one of our own numbers"),
        ("7" * 32, "is no telephone number"),
    ],
)
def test_whoever_is_owed_a_call_by_such_a_number_is_warned_wherever_it_is_shown(
    folder: Path, number: str, why: str
) -> None:
    """A missed call from a premium number wants to be called back: that is what it was placed for."""
    write(str(folder / "calls.db"), [missed("bait", number=number, campaign="spring-flyer")])
    row = listed(folder)
    assert str(row["do_not_call"]).startswith(why)
    assert "do not call" in run(folder, "list").stdout
    assert f"Do not call: it  {why}" in run(folder, "show", str(row["id"])).stdout
    said = run(folder, "claim", str(row["id"]), "--as", "alice").stdout.splitlines()
    assert said[1].startswith(f"do not call {number}: it {why}")
    assert not any(line.startswith("call ") for line in said)


def test_an_ordinary_caller_is_called_back(folder: Path) -> None:
    write(str(folder / "calls.db"), [missed("good", campaign="spring-flyer")])
    row = listed(folder)
    assert row["do_not_call"] is None
    assert "do not call" not in run(folder, "list").stdout
    assert f"call {CALLER}" in run(folder, "claim", str(row["id"]), "--as", "alice").stdout.splitlines()


def test_without_a_configuration_the_worlds_number_plans_still_warn(folder: Path) -> None:
    database = folder / "calls.db"
    write(str(database), [missed("bait", number="+33899123456", campaign="spring-flyer")])
    done = CliRunner().invoke(group, ["--db", str(database), "callbacks", "list", "--format", "json"])
    assert json.loads(done.stdout)[0]["do_not_call"].startswith("is a premium-rate number")
