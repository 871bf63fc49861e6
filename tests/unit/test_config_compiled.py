"""The compiled routes: the same answers as the YAML, in a process that can afford nothing."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from dataclasses import MISSING, fields, replace
from pathlib import Path

import pytest

from router.config import compiled
from router.errors import StoreError
from router.model import Config
from tests.build import ALICE, CAROL, make_campaign, make_config, make_salesperson
from tests.campaign_file import read, spoilt

HEAVY = ("pydantic", "yaml", "phonenumbers", "holidays", "sqlite_utils", "click", "asyncio", "logging")
TOP = Path(__file__).parents[2]


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / "data").mkdir()
    return read(tmp_path)


@pytest.fixture
def path(config: Config) -> str:
    routes = compiled.routes_path(config.database)
    compiled.write(config, routes)
    return routes


@pytest.mark.parametrize(
    "did",
    [
        "+33184801001",
        "0033184801001",
        "33184801001",
        "0184801001",
        "01 84 80 10 01",
        "+33 (0)1 84 80 10 01",
        "sip:+33184801001@10.0.0.1",
        '"0184801002" <sip:%2B33184801001;npdi@host>;tag=1',
    ],
)
def test_a_did_finds_its_campaign_in_every_spelling(config: Config, path: str, did: str) -> None:
    found = compiled.lookup(path, did)
    assert dict(found.by_number) == {"+33184801001": config.campaigns["spring-flyer"]}
    assert dict(found.campaigns) == {"spring-flyer": config.campaigns["spring-flyer"]}


def test_what_comes_along_is_what_the_call_needs(config: Config, path: str) -> None:
    found = compiled.lookup(path, "+33184801001")
    assert found.unknown == config.unknown
    assert dict(found.trunks) == dict(config.trunks)
    assert list(found.trunks) == list(config.trunks)
    assert dict(found.salespeople) == dict(config.salespeople)
    assert dict(found.hours) == {"office": config.hours["office"]}
    same = ("version", "file", "country", "timezone", "language", "node", "database", "ari")
    assert [getattr(found, name) for name in same] == [getattr(config, name) for name in same]


def test_only_the_people_and_hours_of_the_call(path: str) -> None:
    found = compiled.lookup(path, "+33184801002")
    assert set(found.salespeople) == {"alice", "bob"}, "bob of the campaign, alice of the unknown number"
    assert dict(found.hours) == {}


@pytest.mark.parametrize(
    "did", ["+33184809999", "", "anonymous", "9" * 4000, "'; DROP TABLE dids; --", "0184", "00", "\x00"]
)
def test_an_unknown_did_leaves_the_unknown_number(config: Config, path: str, did: str) -> None:
    found = compiled.lookup(path, did)
    assert dict(found.by_number) == {}
    assert found.unknown == config.unknown
    assert set(found.salespeople) == {"alice"}


def test_several_sources_of_one_call(config: Config, path: str) -> None:
    found = compiled.lookup(path, "s", "<sip:+33184801002@host>", "0184801001")
    assert dict(found.by_number) == {
        number: config.by_number[number] for number in ("+33184801002", "+33184801001")
    }


def test_a_country_without_a_national_prefix(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        spoilt("country: FR", "country: ES").replace("01 84 80 10 02", "912 345 678").replace('"06 8', '"+33 6 8'),
    )
    routes = str(tmp_path / "x.routes")
    compiled.write(config, routes)
    assert list(compiled.lookup(routes, "912345678").by_number) == ["+34912345678"]
    assert list(compiled.lookup(routes, "34912345678").by_number) == ["+34912345678"]


def test_a_country_without_a_calling_code(config: Config, tmp_path: Path) -> None:
    compiled.write(replace(config, country="ZZ"), str(tmp_path / "x.routes"))
    assert list(compiled.lookup(str(tmp_path / "x.routes"), "+33184801001").by_number) == ["+33184801001"]
    assert not compiled.lookup(str(tmp_path / "x.routes"), "0184801001").by_number


def test_no_secret_is_in_it(path: str) -> None:
    content = Path(path).read_bytes()
    assert b"ari-word" not in content
    assert b"ami-word" not in content
    found = compiled.lookup(path, "+33184801001")
    assert found.ari_password.reveal() == ""
    assert (found.ami, found.ami_password) == (None, None)


def test_only_its_owner_may_read_it_whatever_the_umask(config: Config, path: str) -> None:
    before = os.umask(0)
    try:
        compiled.write(config, path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


def test_it_is_replaced_at_once(config: Config, path: str) -> None:
    before = os.stat(path).st_ino
    compiled.write(replace(config, version="another"), path)
    assert os.stat(path).st_ino != before
    assert compiled.lookup(path, "x").version == "another"
    assert os.listdir(os.path.dirname(path)) == ["calls.db.routes"]


def test_a_failed_write_leaves_the_old_routes_and_no_litter(
    config: Config, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(compiled, "_fill", full)
    with pytest.raises(StoreError, match="disk is full"):
        compiled.write(replace(config, version="another"), path)
    assert compiled.lookup(path, "x").version == config.version
    assert os.listdir(os.path.dirname(path)) == ["calls.db.routes"]


def test_a_folder_that_does_not_exist(config: Config, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be written"):
        compiled.write(config, str(tmp_path / "nowhere" / "x.routes"))


def test_a_path_with_characters_that_uris_use(config: Config, tmp_path: Path) -> None:
    routes = str(tmp_path / "a?b#c %41.routes")
    compiled.write(config, routes)
    assert compiled.lookup(routes, "+33184801001").by_number


def damage(path: str, *statements: str) -> None:
    with sqlite3.connect(path) as db:
        for statement in statements:
            db.execute(statement)
    db.close()


@pytest.mark.parametrize(
    ("statement", "wrong"),
    [
        ("PRAGMA user_version=99", "another version"),
        ("DELETE FROM frame", "cannot be read"),
        ("DELETE FROM campaigns WHERE id='unknown'", "cannot be read"),
        ("UPDATE frame SET text='{}'", "cannot be read"),
        ("UPDATE frame SET text='[1'", "cannot be read"),
        ("DROP TABLE dids", "cannot be read"),
        ("DELETE FROM people", "cannot be read"),
    ],
)
def test_damaged_routes_are_one_line(path: str, statement: str, wrong: str) -> None:
    damage(path, statement)
    with pytest.raises(StoreError, match=wrong) as caught:
        compiled.lookup(path, "+33184801001")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"not a database at all, but long enough to look like something" * 20])
def test_what_is_no_database(path: str, content: bytes) -> None:
    Path(path).write_bytes(content)
    with pytest.raises(StoreError):
        compiled.lookup(path, "+33184801001")


def test_missing_routes(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no compiled routes"):
        compiled.lookup(str(tmp_path / "x.routes"), "+33184801001")


@pytest.mark.parametrize("did", ["+33184801001", "0184801001", "<sip:0033184801001@host>"])
def test_a_lookup_imports_nothing_heavy(path: str, did: str) -> None:
    code = (
        "import sys; from router.config import compiled;"
        f"found = compiled.lookup({path!r}, {did!r});"
        f"print(*found.by_number, *sorted(set({HEAVY!r}) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=TOP)
    assert done.stdout.strip() == "+33184801001"


# --- All that a configuration can say -----------------------------------------------------------------------

EVERYTHING = """\
version: 1
company: {country: FR, timezone: Europe/Paris, language: fr}
asterisk:
  ari: {url: "http://127.0.0.1:8088/ari", username: callrouter}
  trunks:
    main: {dial: "PJSIP/{number}@trunk", caller_id: "+33184801001", asserts: did, diversion: true, max_calls: 30}
    spare: {dial: "PJSIP/{number}@other", identity: rpid, number_format: plain, did_from: [to]}
pins_file: pins
speech: {command: "say {file} {text}"}
screening:
  block: ["+33899123456", "+3389*"]
  withheld: challenge
  max_per_minute: 6
  vips: {big: {numbers: ["+33140000009"], ring: {to: [vip], timeout: 9s}}}
hours: {office: {weekly: {mon-fri: ["09:00-12:30"]}}}
salespeople:
  alice: {mobile: "+33612345678", max_calls: 2, accept: none, voicemail_after: 25s, absent: ["2026-08-01"]}
  bob: {mobile: "+33687654321"}
  carol: {mobile: "+33698765432"}
  dave: {mobile: "+33611111111"}
  vip: {mobile: "+33622222222"}
  idle: {mobile: "+33633333333"}
  other: {mobile: "+33644444444"}
defaults: {hours: office}
campaigns:
  spring:
    numbers: ["+33184801001"]
    accept_timeout: 9s
    whisper: {say: Spring}
    ring: {strategy: weighted, to: [alice, bob], weights: {alice: 70, bob: 30}, sticky: 30d}
    overflow:
      ring: {steps: [{to: [carol], timeout: 5s}, {add: [bob], timeout: 6s}], max_wait: 11s}
      number: "+33145000000"
      timeout: 25s
      announcement: {play: busy.ulaw}
      voicemail: {announcement: {say: Recorded}, longest: 90s}
    closed: {ring: {strategy: all, to: [dave]}}
    cost: [{amount: 12.50 EUR, from: 2026-03-01}]
  poster:
    numbers: ["+33184801002"]
    accept: none
    ring: {strategy: longest-idle, to: [other]}
    closed: {announcement: {say: Closed}}
    callback: none
unknown_number: {ring: {strategy: least-recent, to: [bob]}, overflow: {voicemail: {announcement: {say: Go}}}}
"""


@pytest.fixture
def everything(tmp_path: Path) -> Config:
    (tmp_path / "busy.ulaw").write_bytes(b"x")
    (tmp_path / "pins").touch(mode=0o600)
    (tmp_path / "pins").write_text('alice: "47114711"\n')
    return read(tmp_path, EVERYTHING)


@pytest.fixture
def routes(everything: Config) -> str:
    path = compiled.routes_path(everything.database)
    compiled.write(everything, path)
    return path


def test_every_part_comes_back_as_it_went_in(everything: Config, routes: str) -> None:
    found = compiled.lookup(routes, "+33184801001", "+33184801002")
    assert dict(found.campaigns) == dict(everything.campaigns)
    assert found.unknown == everything.unknown
    assert (dict(found.trunks), dict(found.hours)) == (dict(everything.trunks), dict(everything.hours))
    assert (found.screening, found.speech) == (everything.screening, everything.speech)
    assert list(found.campaigns["spring"].ring.weights) == ["alice", "bob"]
    people = dict(everything.salespeople)
    del people["idle"]
    assert dict(found.salespeople) == people


def test_the_example_of_everything_leaves_nothing_at_its_default(everything: Config) -> None:
    """Or a part that is forgotten on the way would not be missed."""
    spring, alice = everything.campaigns["spring"], everything.salespeople["alice"]
    overflow = spring.overflow
    assert overflow is not None
    assert overflow.ring is not None
    assert all((spring.ring.weights, spring.ring.sticky, overflow.ring.steps))
    for part in (spring, alice, overflow, everything.trunks["main"], everything.screening, everything.speech):
        for field in fields(part):
            if field.default is not MISSING and field.name != "number_format":
                assert getattr(part, field.name) != field.default, f"{type(part).__name__}.{field.name}"


@pytest.mark.parametrize(
    ("did", "people"),
    [
        ("+33184801001", {"alice", "bob", "carol", "dave", "vip"}),
        ("+33184801002", {"other", "bob", "vip"}),
        ("+33184809999", {"bob", "vip"}),
    ],
)
def test_everybody_whom_overflow_closed_and_vips_name_comes_along(routes: str, did: str, people: set[str]) -> None:
    assert set(compiled.lookup(routes, did).salespeople) == people


@pytest.mark.parametrize(
    ("caller", "found"),
    [
        ("+33633333333", True),
        ("0633333333", True),
        ("0033633333333", True),
        ("33633333333", True),
        ("<sip:+33633333333@host>", True),
        ("", False),
        ("anonymous", False),
        ("+33633333334", False),
        ("'; DROP TABLE mobiles; --", False),
    ],
)
def test_whoever_of_us_calls_comes_along(routes: str, caller: str, found: bool) -> None:
    assert ("idle" in compiled.lookup(routes, "+33184801002", caller=caller).salespeople) is found


def test_the_first_of_two_who_share_a_mobile_is_the_one_who_calls(tmp_path: Path) -> None:
    config = make_config(
        campaigns=[make_campaign(to=["carol"])],
        unknown=make_campaign("unknown", (), to=["carol"]),
        salespeople=[
            make_salesperson("carol", CAROL),
            make_salesperson("one", ALICE),
            make_salesperson("two", ALICE),
        ],
    )
    compiled.write(config, str(tmp_path / "x.routes"))
    assert set(compiled.lookup(str(tmp_path / "x.routes"), caller=ALICE).salespeople) == {"carol", "one"}


def test_no_pin_is_in_it(everything: Config, routes: str) -> None:
    assert everything.pins["alice"].reveal() == "47114711"
    assert b"47114711" not in Path(routes).read_bytes()
    assert compiled.lookup(routes, "+33184801001").pins == {}


def test_routes_of_the_release_before_are_refused_in_words(routes: str) -> None:
    damage(routes, "PRAGMA user_version=1")
    with pytest.raises(StoreError, match="another version"):
        compiled.lookup(routes, "+33184801001")
