"""docs/configuration.md against the code: the same keys, defaults and bounds; each example is accepted."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel, TypeAdapter
from pydantic_core import PydanticCustomError

from router.config import fields as kinds
from router.config import health, load, overflow, ringing, screening, shape, sounds, warnings, week
from router.config.keys import keys_of
from router.config.source import Text, read_tree
from router.errors import ConfigError, NumberError
from router.model import Config
from router.numbers import read_number
from tests.campaign_file import GOOD, PASSWORDS, TODAY
from tests.docs.pages import ROOT, Block, blocks, code, tables

PAGE = "docs/configuration.md"
PLACES: dict[str, tuple[str, tuple[str | int, ...]]] = {
    "The top of the file": ("", ()),
    "company": ("company", ("company",)),
    "asterisk": ("asterisk", ("asterisk",)),
    "ari": ("ari", ("asterisk", "ari")),
    "ami": ("ami", ("asterisk", "ami")),
    "trunks.NAME": ("trunks.*", ("asterisk", "trunks", "main")),
    "hours": ("hours.*", ("hours", "office")),
    "salespeople": ("salespeople.*", ("salespeople", "alice")),
    "defaults": ("defaults", ("defaults",)),
    "speech": ("speech", ("speech",)),
    "health": ("health", ("health",)),
    "screening": ("screening", ("screening",)),
    "vips.NAME": ("vips.*", ("screening", "vips", "big")),
    "ring": ("ring", ("defaults", "ring")),
    "steps": ("steps", ("campaigns", "guide", "ring", "steps", 0)),
    "overflow": ("overflow", ("campaigns", "guide", "overflow")),
    "voicemail": ("voicemail", ("campaigns", "guide", "overflow", "voicemail")),
    "whisper and announcements": ("whisper", ("campaigns", "guide", "whisper")),
    "callback": ("callback", ("defaults", "callback")),
    "campaigns": ("campaigns.*", ("campaigns", "flyer")),
    "cost": ("cost", ("campaigns", "flyer", "cost", 0)),
    "unknown_number": ("unknown_number", ("unknown_number",)),
}
"""Heading on the page -> the mapping's name in shape.KNOWN_KEYS, and where one stands in SMALL."""

ALIKE = {"closed": "overflow", "announcement": "whisper"}
"""Mappings that have the keys of another, and one table with it."""

SMALL = """\
version: 1
company: {country: FR, timezone: Europe/Paris}
asterisk:
  ari: {url: "http://127.0.0.1:8088/ari", username: callrouter}
  ami: {username: callrouter}
  trunks: {main: {dial: "PJSIP/{number}@trunk"}}
hours: {office: {weekly: {mon-fri: ["09:00-12:30"]}}}
salespeople: {alice: {mobile: "+33612345678"}}
screening: {vips: {big: {numbers: ["+33140000009"], ring: {to: [alice]}}}}
speech: {}
health: {}
defaults: {ring: {}, callback: {}}
campaigns:
  flyer: {numbers: ["+33184801001"], ring: {to: [alice]}, cost: [{amount: 1 EUR}]}
  guide:
    numbers: ["+33184801002"]
    ring: {steps: [{to: [alice]}]}
    whisper: {say: "The guide"}
    overflow: {number: "+33145000000", voicemail: {announcement: {say: "It is recorded"}}}
unknown_number: {ring: {to: [alice]}}
"""
"""Only what is required, and empty sections to write a default into."""

ROWS = [
    (under, key, row) for under, row in tables(PAGE) if under in PLACES and "key" in row for key in code(row["key"])
]


def read(folder: Path, text: str) -> Config:
    """Raises ConfigError."""
    path = folder / "campaigns.yaml"
    path.write_text(text, encoding="utf-8")
    return load(str(path), PASSWORDS, TODAY)


def changed(folder: Path, path: tuple[str | int, ...], key: str, value: Any = None) -> Config:
    """SMALL with `key` written at `path`, or taken away where there is no `value`. Raises ConfigError."""
    tree = copy.deepcopy(yaml.load(SMALL, yaml.BaseLoader))  # noqa: S506 - it makes texts only
    place = tree
    for step in path:
        place = place[step]
    if value is None:
        del place[key]
    else:
        place[key] = value
    return read(folder, yaml.safe_dump(tree, sort_keys=False))


# --- Keys ---------------------------------------------------------------------------------------------------


def test_the_page_has_every_key_and_no_other() -> None:
    written: dict[str, set[str]] = {name: set() for name, _ in PLACES.values()}
    for under, key, _ in ROWS:
        written[PLACES[under][0]].add(key)
    known = {name: set(keys) for name, keys in shape.KNOWN_KEYS.items()}
    for name, like in ALIKE.items():
        assert known.pop(name) == known[like]
    assert written == known


def test_no_model_is_left_out() -> None:
    known = {frozenset(keys) for keys in shape.KNOWN_KEYS.values()}
    models = [
        value
        for module in (shape, week, ringing, sounds, overflow, screening, health)
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, BaseModel) and value.model_fields
    ]
    assert len(models) >= 22
    assert {frozenset(keys_of(model)) for model in models} <= known


DEFAULTS = [
    (under, key, code(row["default"])[0])
    for under, key, row in ROWS
    if re.fullmatch(r"`[^`]+`", row["default"]) and "CALLROUTER_" not in row["default"]
]
REQUIRED = [(under, key) for under, key, row in ROWS if row["default"] == "required"]


@pytest.mark.parametrize(("under", "key", "default"), DEFAULTS)
def test_a_default_is_what_the_page_says(tmp_path: Path, under: str, key: str, default: str) -> None:
    left_out = read(tmp_path, SMALL)
    value = yaml.load(default, yaml.BaseLoader)  # noqa: S506
    written = changed(tmp_path, PLACES[under][1], key, value)
    assert replace(written, version="", ari_password=left_out.ari_password, ami_password=None) == replace(
        left_out, version="", ami_password=None
    )


@pytest.mark.parametrize(("under", "key"), REQUIRED)
def test_what_is_required_is_missed(tmp_path: Path, under: str, key: str) -> None:
    with pytest.raises(ConfigError) as refused:
        changed(tmp_path, PLACES[under][1], key)
    assert any("missing" in problem.wrong for problem in refused.value.problems)


def test_there_are_defaults_and_requirements_to_be_looked_at() -> None:
    assert len(DEFAULTS) >= 31
    assert len(REQUIRED) >= 16


UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_FROM_TO = re.compile(r"(?:count|duration) from (\d+[smhd]?) to (\d+[smhd]?)")


def bounds_of(row: dict[str, str]) -> list[str]:
    """`[1s, 120s]`, out of the column `bounds` or out of the text; empty where there are none."""
    if row.get("bounds"):
        return row["bounds"].split(" to ")
    found = _FROM_TO.search(row["is"])
    return [found[1], found[2]] if found else []


BOUNDS = [(under, key, *bounds_of(row)) for under, key, row in ROWS if bounds_of(row)]


@pytest.mark.parametrize(("under", "key", "least", "most"), BOUNDS)
def test_bounds_are_what_the_page_says(tmp_path: Path, under: str, key: str, least: str, most: str) -> None:
    unit = "s" if least[-1] in UNITS else ""

    def write(amount: int) -> Config:
        value = f"{amount}{unit}"
        shapes = {"retries": [value], "weights": {"alice": value}}
        return changed(tmp_path, PLACES[under][1], key, shapes.get(key, value))

    low, high = (int(bound[:-1]) * UNITS[bound[-1]] if unit else int(bound) for bound in (least, most))
    write(low)
    write(high)
    for outside in [low - 1, high + 1] if low else [high + 1]:
        with pytest.raises(ConfigError, match="out of bounds"):
            write(outside)


def test_everything_that_has_bounds_has_them_on_the_page() -> None:
    assert {f"{under}.{key}" for under, key, _, _ in BOUNDS} == {
        "trunks.NAME.max_calls",
        "salespeople.max_calls",
        "salespeople.voicemail_after",
        "screening.max_per_minute",
        "defaults.accept_timeout",
        "ring.weights",
        "ring.timeout",
        "ring.max_wait",
        "ring.sticky",
        "steps.timeout",
        "overflow.timeout",
        "voicemail.longest",
        "callback.due",
        "callback.retries",
        "callback.expire",
    }


def test_an_unknown_number_keeps_no_hours_but_its_own(tmp_path: Path) -> None:
    config = read(tmp_path, SMALL.replace("defaults: {", "defaults: {hours: office, "))
    assert config.campaigns["flyer"].hours == "office"
    assert config.unknown.hours is None


# --- Values -------------------------------------------------------------------------------------------------

ANYBODY = kinds.Names(country="FR", today=TODAY, people=frozenset(), hours=frozenset())
READERS: dict[str, Callable[[Text], object]] = {
    "number": lambda text: read_number(text, "FR"),
    "duration": kinds.duration("0s", "365d"),
    "time": lambda text: week.read_window(text if "-" in text else f"{text}-23:00"),
    "date": TypeAdapter(kinds.Day).validate_python,
    "days": TypeAdapter(kinds.Days).validate_python,
    "amount": TypeAdapter(kinds.Amount).validate_python,
    "id": TypeAdapter(kinds.Id).validate_python,
    "count": kinds.whole(0, 100),
    "caller": lambda text: TypeAdapter(screening.Callers).validate_python(text, context=ANYBODY),
}
VALUES = {row["kind"]: row for under, row in tables(PAGE) if under == "How values are written" and "kind" in row}


def scalar(written: str) -> Text:
    node = read_tree(f"x: {written}")[0]["x"]
    assert isinstance(node, Text)
    return node


@pytest.mark.parametrize("kind", READERS)
def test_what_the_page_writes_is_read_and_what_it_refuses_is_not(kind: str) -> None:
    row = VALUES[kind]
    for written in code(row["write"]):
        if written not in ("-", "_", "*", "24:00"):
            READERS[kind](scalar(written))
    for refused in code(row["refused"]):
        with pytest.raises((PydanticCustomError, ValueError, NumberError)):
            READERS[kind](scalar(refused))


TRAPS = [
    text
    for under, row in tables(PAGE)
    if under == "How values are written" and "YAML reads" in row
    for text in code(row["written without quotes"])
]


@pytest.mark.parametrize("trap", TRAPS)
def test_yamls_traps_are_refused(tmp_path: Path, trap: str) -> None:
    with pytest.raises(ConfigError):
        read(
            tmp_path,
            SMALL.replace("{mobile:", f"{{name: {trap} x, mobile:" if "!!" in trap else f"{{name: {trap}, mobile:"),
        )


def test_the_traps_of_the_contract_stand_on_the_page() -> None:
    assert {"+33612345678", "0612345677", "17:00", "no", "!!python/object"} <= set(TRAPS)


# --- Examples -----------------------------------------------------------------------------------------------


def completed(block: Block) -> str:
    """The block as it is written, with the sections of a good file that it leaves out."""
    own = set(re.findall(r"^(\w+):", block.text, re.MULTILINE))
    sections = re.split(r"^(?=\w)", GOOD, flags=re.MULTILINE)
    return "".join(section for section in sections if section.partition(":")[0] not in own) + block.text


@pytest.mark.parametrize("block", blocks("yaml"), ids=str)
def test_every_yaml_block_is_accepted(tmp_path: Path, block: Block) -> None:
    read(tmp_path, completed(block))


def test_every_section_has_an_example() -> None:
    shown = "".join(block.text for block in blocks("yaml") if block.page == PAGE)
    sections = {place[0] for _, place in PLACES.values() if place} - {"hours"}
    assert {str(section) for section in sections} <= set(re.findall(r"^(\w+):", shown, re.MULTILINE))


def test_the_example_file_is_accepted_without_a_warning() -> None:
    config = load(str(ROOT / "campaigns.yaml"), PASSWORDS, date(2026, 3, 2))
    assert warnings(config, date(2026, 3, 2)) == ()
