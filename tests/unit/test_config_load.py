"""What an accepted campaigns.yaml becomes."""

from __future__ import annotations

import gc
import hashlib
import os
import socket
import subprocess
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from router.config import load
from router.errors import ConfigError
from router.model import Accept, Ami, Ari, CallbackPolicy, Cost, OpenDay, Ring, Span, Strategy, Trunk, Window
from tests.campaign_file import GOOD, PASSWORDS, TODAY, problems, read, spoilt

EXAMPLE = Path(__file__).parents[2] / "campaigns.yaml"
MINIMAL = """\
version: 1
company: {country: FR, timezone: Europe/Paris}
asterisk:
  ari: {url: "http://127.0.0.1:8088/ari", username: callrouter}
  trunks: {main: {dial: "PJSIP/{number}@trunk"}}
salespeople: {alice: {mobile: "+33612345678"}}
defaults: {accept: none}
campaigns: {flyer: {numbers: ["+33184801001"], ring: {to: [alice]}}}
unknown_number: {ring: {to: [alice]}}
"""


def test_the_campaign_of_the_contract(tmp_path: Path) -> None:
    spring = read(tmp_path).campaigns["spring-flyer"]
    assert (spring.id, spring.name, spring.medium) == ("spring-flyer", "Flyer printemps", "flyer")
    assert spring.numbers == ("+33184801001",)
    assert spring.hours == "office"
    assert spring.accept is Accept.NONE
    assert spring.caller_id == "did"
    assert spring.ring == Ring(Strategy.SEQUENTIAL, ("alice", "bob"), 20.0, 60.0)
    assert spring.callback == CallbackPolicy(900.0, (600.0, 3600.0, 14400.0), 432000.0)
    assert spring.cost == (Cost(Decimal(1200), "EUR", date(2026, 3, 1), date(2026, 5, 31)),)


def test_a_campaign_says_otherwise_key_by_key(tmp_path: Path) -> None:
    poster = read(tmp_path).campaigns["poster"]
    assert poster.name == "poster"
    assert poster.medium == "other"
    assert poster.numbers == ("+33184801002",)
    assert poster.hours is None
    assert poster.ring == Ring(Strategy.ALL, ("bob",), 25.0, 60.0)
    assert poster.callback is None


def test_a_callback_merges_with_the_defaults(tmp_path: Path) -> None:
    config = read(tmp_path, spoilt("    callback: none", "    callback: {due: 5m, retries: []}"))
    assert config.campaigns["poster"].callback == CallbackPolicy(300.0, (), 432000.0)


def test_a_callback_of_its_own_where_the_defaults_have_none(tmp_path: Path) -> None:
    text = spoilt("callback: {due: 15m, retries: [10m, 1h, 4h], expire: 5d}", "callback: none")
    config = read(tmp_path, text.replace("    callback: none", "    callback: {due: 0s}"))
    assert config.campaigns["spring-flyer"].callback is None
    assert config.campaigns["poster"].callback == CallbackPolicy(0.0, (600.0, 3600.0, 14400.0), 432000.0)


def test_people_of_the_defaults(tmp_path: Path) -> None:
    text = spoilt("{strategy: sequential,", "{strategy: sequential, to: [bob],").replace(
        "ring: {to: [alice, bob]}", "medium: press", 1
    )
    config = read(tmp_path, text.replace("    medium: flyer\n", ""))
    assert config.campaigns["spring-flyer"].ring.to == ("bob",)


def test_the_unknown_number(tmp_path: Path) -> None:
    unknown = read(tmp_path).unknown
    assert (unknown.id, unknown.numbers, unknown.hours) == ("unknown", (), None)
    assert unknown.ring == Ring(Strategy.SEQUENTIAL, ("alice",), 20.0, 60.0)
    assert unknown.callback == CallbackPolicy(900.0, (600.0, 3600.0, 14400.0), 432000.0)


def test_the_unknown_number_keeps_hours_when_told_to(tmp_path: Path) -> None:
    text = spoilt("unknown_number: {ring", "unknown_number: {hours: office, name: Rest, callback: none, ring")
    unknown = read(tmp_path, text).unknown
    assert (unknown.hours, unknown.name, unknown.callback) == ("office", "Rest", None)


def test_lookup_is_a_dictionary_by_e164(tmp_path: Path) -> None:
    config = read(tmp_path)
    assert dict(config.by_number) == {
        "+33184801001": config.campaigns["spring-flyer"],
        "+33184801002": config.campaigns["poster"],
    }


def test_hours(tmp_path: Path) -> None:
    office = read(tmp_path).hours["office"]
    workday = (Window(540, 750), Window(840, 1110))
    assert office.timezone == "Europe/Paris"
    assert office.weekly == (workday,) * 5 + ((Window(540, 720),), ())
    assert office.closed == (
        Span(date(2026, 12, 24), date(2026, 12, 24)),
        Span(date(2026, 12, 28), date(2026, 12, 31)),
    )
    assert office.open == (OpenDay(date(2026, 12, 13), (Window(600, 1020),)),)


def test_holidays_from_last_year_to_five_years_on(tmp_path: Path) -> None:
    holidays = read(tmp_path).hours["office"].holidays
    assert {day.year for day in holidays} == set(range(2025, 2032))
    assert date(2026, 7, 14) in holidays
    assert date(2026, 12, 26) not in holidays


@pytest.mark.parametrize(
    ("word", "day", "closed"),
    [
        ("holidays: FR-57", date(2026, 12, 26), True),
        ("holidays: FR-67", date(2026, 12, 26), True),
        ("holidays: DE-BY", date(2026, 1, 6), True),
        ("holidays: none", date(2026, 12, 25), False),
        ("timezone: Europe/Paris", date(2026, 7, 14), True),  # nothing said: the company's country
    ],
)
def test_whose_holidays(tmp_path: Path, word: str, day: date, closed: bool) -> None:
    assert (day in read(tmp_path, spoilt("holidays: FR", word)).hours["office"].holidays) is closed


@pytest.mark.parametrize(
    ("weekly", "day", "windows"),
    [
        ('{mon-fri: ["17:00-09:00"]}', 0, (Window(1020, 540),)),
        ('{mon-sun: ["00:00-24:00"]}', 6, (Window(0, 1440),)),
        ('{"mon, wed": ["14:00-15:00", "9:00 - 10:00"]}', 2, (Window(540, 600), Window(840, 900))),
        ('{sat-sun: ["22:00-00:00"]}', 5, (Window(1320, 0),)),
        ("{mon: [], tue: [09:00-10:00]}", 1, (Window(540, 600),)),
    ],
)
def test_windows(tmp_path: Path, weekly: str, day: int, windows: tuple[Window, ...]) -> None:
    text = spoilt('{mon-fri: ["09:00-12:30", "14:00-18:30"], sat: ["09:00-12:00"]}', weekly)
    assert read(tmp_path, text).hours["office"].weekly[day] == windows


def test_two_windows_on_one_open_day(tmp_path: Path) -> None:
    text = spoilt('open: ["', 'open: ["2026-12-13 18:00-19:00", "')
    windows = (Window(600, 1020), Window(1080, 1140))
    assert read(tmp_path, text).hours["office"].open == (OpenDay(date(2026, 12, 13), windows),)


def test_salespeople(tmp_path: Path) -> None:
    bob = read(tmp_path, spoilt("name: Bob Durand,", "timezone: Indian/Reunion,")).salespeople["bob"]
    assert (bob.id, bob.name, bob.mobile) == ("bob", "bob", "+33687654321")
    assert bob.timezone == "Indian/Reunion"
    assert bob.absent == (Span(date(2026, 8, 1), date(2026, 8, 21)),)


def test_trunks_in_the_order_in_which_they_are_tried(tmp_path: Path) -> None:
    assert list(read(tmp_path).trunks.values()) == [
        Trunk(
            "main",
            "PJSIP/{number}@trunk",
            "trunk",
            "pai",
            ("exten", "to", "p-called-party-id", "diversion"),
            "e164",
        ),
        Trunk("spare", "PJSIP/spare/sip:{number}@10.0.0.1:5060", "spare", "pai", ("x-did", "to"), "plain"),
    ]


@pytest.mark.parametrize(
    ("dial", "endpoint"),
    [
        ("PJSIP/{number}@my-trunk", "my-trunk"),
        ("Local/{number}@mobiles/n", "mobiles"),
        ("PJSIP/{number}@a, endpoint: b", "b"),
        ("IAX2/peer/{number}", "peer"),
    ],
)
def test_the_endpoint_of_a_trunk(tmp_path: Path, dial: str, endpoint: str) -> None:
    template, _, given = dial.partition(", ")
    text = spoilt('dial: "PJSIP/{number}@trunk"', f'dial: "{template}"' + (f", {given}" if given else ""))
    assert read(tmp_path, text).trunks["main"].endpoint == endpoint


def test_asterisk(tmp_path: Path) -> None:
    config = read(tmp_path, spoilt("app: callrouter", "app: other, transport: http"))
    assert config.ari == Ari("http://127.0.0.1:8088/ari", "callrouter", "other", "http")
    assert config.ami == Ami("127.0.0.1", 5038, "callrouter")


def test_the_least_that_is_accepted(tmp_path: Path) -> None:
    config = read(tmp_path, MINIMAL)
    assert config.ari == Ari("http://127.0.0.1:8088/ari", "callrouter", "callrouter", "auto")
    assert config.ami is None
    assert config.ami_password is None
    assert config.language == "en"
    assert config.node == socket.gethostname().partition(".")[0]
    assert config.database == str(tmp_path / "callrouter.db")
    assert config.campaigns["flyer"].ring == Ring(Strategy.SEQUENTIAL, ("alice",), 20.0, 60.0)
    assert config.campaigns["flyer"].callback == CallbackPolicy(900.0, (600.0, 3600.0, 14400.0), 432000.0)
    assert config.campaigns["flyer"].hours is None


def test_paths_are_absolute_and_belong_to_the_folder_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read(tmp_path)
    monkeypatch.chdir(tmp_path)
    config = load("campaigns.yaml", PASSWORDS, TODAY)
    assert config.file == str(tmp_path / "campaigns.yaml")
    assert config.database == str(tmp_path / "data/calls.db")


def test_the_version_is_the_hash_of_the_file(tmp_path: Path) -> None:
    assert read(tmp_path).version == hashlib.sha256(GOOD.encode()).hexdigest()[:12]


def test_a_name_of_ones_own_for_the_node(tmp_path: Path) -> None:
    assert read(tmp_path, GOOD + "node: pbx-2\n").node == "pbx-2"


@pytest.mark.parametrize("caller_id", ["caller", "anonymous", '"01 84 80 10 99"'])
def test_caller_ids(tmp_path: Path, caller_id: str) -> None:
    config = read(tmp_path, spoilt("caller_id: did", f"caller_id: {caller_id}"))
    expected = "+33184801099" if "84" in caller_id else caller_id
    assert config.campaigns["spring-flyer"].caller_id == expected


def test_texts_of_the_file_leave_it_as_plain_strings(tmp_path: Path) -> None:
    config = read(tmp_path)
    spring = config.campaigns["spring-flyer"]
    for text in (
        spring.id,
        spring.name,
        spring.medium,
        *spring.numbers,
        *spring.ring.to,
        *config.trunks,
        config.country,
    ):
        assert type(text) is str


def test_a_number_that_yaml_does_not_misread_may_stand_without_quotes(tmp_path: Path) -> None:
    config = read(tmp_path, spoilt('"06 87 65 43 21"', "06 87 65 43 21"))
    assert config.salespeople["bob"].mobile == "+33687654321"


def test_what_another_program_writes_of_the_same_content_is_accepted(tmp_path: Path) -> None:
    same = read(tmp_path, yaml.safe_dump(yaml.safe_load(GOOD)))
    assert dict(same.campaigns) == dict(read(tmp_path).campaigns)


def test_the_example_is_accepted() -> None:
    config = load(str(EXAMPLE), PASSWORDS, TODAY)
    assert config.by_number["+33184801001"].hours is None, "make demo works at any hour"
    assert len(EXAMPLE.read_text().splitlines()) < 110


def test_100_000_numbers_in_100_000_campaigns_in_under_10_seconds(tmp_path: Path) -> None:
    campaign = '  c{n}: {{numbers: ["+3318{n:07d}"], ring: {{to: [alice]}}}}\n'
    many = "campaigns:\n" + "".join(campaign.format(n=n) for n in range(100_000))
    text = MINIMAL.replace('campaigns: {flyer: {numbers: ["+33184801001"], ring: {to: [alice]}}}\n', many)
    (tmp_path / "campaigns.yaml").write_text(text)
    # In a process of its own, by its own processor time: other work on the machine and coverage do not count.
    code = (
        "import sys, time; from router.config import load; config = load(sys.argv[1]);"
        "print(time.process_time(), len(config.by_number), config.by_number['+33180099999'].id)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "campaigns.yaml")]
    environ = os.environ | PASSWORDS
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=EXAMPLE.parent, env=environ)
    seconds, numbers, last = done.stdout.split()
    assert float(seconds) < 10
    assert (numbers, last) == ("100000", "c99999")


def test_the_garbage_collector_is_as_it_was(tmp_path: Path) -> None:
    assert gc.isenabled()
    read(tmp_path)
    assert gc.isenabled()
    problems(tmp_path, "- no")
    assert gc.isenabled()
    gc.disable()
    try:
        read(tmp_path)
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_importing_the_package_costs_nothing_heavy() -> None:
    heavy = "{'pydantic', 'yaml', 'phonenumbers', 'holidays'}"
    code = f"import sys, router.config; print(*sorted({heavy} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=EXAMPLE.parent
    )
    assert done.stdout.strip() == ""


def test_todays_date_is_taken_where_none_is_given(tmp_path: Path) -> None:
    read(tmp_path, MINIMAL)
    assert load(str(tmp_path / "campaigns.yaml"), PASSWORDS).campaigns.keys() == {"flyer"}
    with pytest.raises(ConfigError):
        load(str(tmp_path / "none.yaml"), PASSWORDS)
