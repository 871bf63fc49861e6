"""The generated dialplan: its frame, its numbers and hours, and what it refuses to say."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router import dialplan
from router.dialplan import day_spans, generate, header_sources
from router.errors import RouterError
from router.model import Config, Hours, Sound
from router.schedule import is_open
from tests.build import (
    BOB,
    make_campaign,
    make_config,
    make_hours,
    make_overflow,
    make_ring,
    make_salesperson,
    make_screening,
    make_trunk,
    make_vip,
    span,
)
from tests.made_dialplan import AT, OTHER, PLACES, context, made

STATIC = (Path(__file__).parents[2] / "asterisk_conf" / "extensions.conf").read_text(encoding="utf-8")


def variables(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in context(text, "globals"))


# --- The frame ----------------------------------------------------------------------------------------------


def test_the_globals_say_what_the_dialplan_was_made_from_and_where_things_are() -> None:
    config = make_config(trunks=[make_trunk(), make_trunk("second", "PJSIP/{number}@backup")])
    found = variables(made(config))
    assert found[dialplan.VERSION_VARIABLE] == config.version
    assert found[dialplan.MADE_VARIABLE] == "20261122"
    assert found["CALLROUTER_APP"] == "callrouter"
    assert (found["CALLROUTER_AGI"], found["CALLROUTER_SPOOL"]) == (PLACES.agi, PLACES.spool)
    assert found["CALLROUTER_SOUNDS"] == PLACES.sounds
    assert (found["CALLROUTER_COUNTRY"], found["CALLROUTER_PREFIX"]) == ("33", "0")
    assert found["CALLROUTER_OURS"] == "+33184801001"


def test_a_country_without_a_national_prefix_and_a_company_without_a_number_yet() -> None:
    found = variables(made(make_config(campaigns=[], country="ES")))
    assert (found["CALLROUTER_COUNTRY"], found["CALLROUTER_PREFIX"], found["CALLROUTER_OURS"]) == ("34", "", "")


def test_the_dead_mans_timer_outlasts_the_longest_hunt_unless_it_is_given() -> None:
    config = make_config(campaigns=[make_campaign(ring=make_ring(max_wait=90))])
    assert variables(made(config))["CALLROUTER_DEAD_MAN"] == "105"
    assert variables(made(config, dead_man=3))["CALLROUTER_DEAD_MAN"] == "3"


def test_the_dead_mans_timer_knows_of_overflows_and_vips() -> None:
    plain = make_campaign(ring=make_ring(max_wait=60), overflow=make_overflow(["bob"], number=OTHER, timeout=30))
    assert variables(made(make_config(campaigns=[plain])))["CALLROUTER_DEAD_MAN"] == "165"
    vip = replace(make_vip(), ring=make_ring(max_wait=100))
    config = make_config(screening=make_screening(vips=[vip]))
    assert variables(made(config))["CALLROUTER_DEAD_MAN"] == "115"
    closed = make_campaign(ring=make_ring(max_wait=5), closed=make_overflow(number=OTHER, timeout=90))
    assert variables(made(make_config(campaigns=[closed])))["CALLROUTER_DEAD_MAN"] == "105"


def test_the_part_that_is_the_same_everywhere_is_taken_over_whole() -> None:
    assert STATIC.strip() in generate(make_config(), STATIC, PLACES, AT)


def test_every_context_that_is_jumped_to_is_there() -> None:
    config = make_config(campaigns=[make_campaign(hours="office")])
    text = generate(config, STATIC, PLACES, AT)
    there = set(re.findall(r"^\[([a-z0-9-]+)\]", text, re.MULTILINE))
    wanted = set(re.findall(r"(?:Gosub|Goto|\?|=)\(?(callrouter-[a-z0-9-]+),", text))
    assert wanted
    assert wanted <= there


def test_the_contexts_on_the_way_to_the_router_are_those_of_who_arrives() -> None:
    text = generate(make_config(trunks=[make_trunk(did_from=("exten", "diversion"))]), STATIC, PLACES, AT)
    found, ahead = set(), {dialplan.CONTEXT}
    while ahead:
        name = ahead.pop()
        found.add(name)
        before_the_router = "\n".join(context(text, name)).split("Stasis(")[0]
        ahead |= set(re.findall(r"\b(?:Goto|Gosub)\((callrouter-[a-z-]+),", before_the_router)) - found
    assert found == dialplan.ARRIVING


# --- Numbers ------------------------------------------------------------------------------------------------


def test_each_number_is_one_line_in_the_context_of_its_last_two_digits() -> None:
    campaigns = [make_campaign(numbers=["+33184801001", "+33184801102"]), make_campaign("b", ["+33184809901"])]
    text = made(make_config(campaigns=campaigns))
    assert context(text, "callrouter-numbers-01") == [
        "exten => 33184801001,1,Goto(callrouter-campaign-1,s,1)",
        "exten => 33184809901,1,Goto(callrouter-campaign-2,s,1)",
    ]
    assert context(text, "callrouter-numbers-02") == ["exten => 33184801102,1,Goto(callrouter-campaign-1,s,1)"]


def test_a_hundred_thousand_numbers_are_made_in_seconds() -> None:
    numbers = [f"+3318{index:07d}" for index in range(100_000)]
    text = made(make_config(campaigns=[make_campaign(numbers=numbers)]))
    assert text.count("Goto(callrouter-campaign-1,s,1)") == len(numbers)
    assert len(re.findall(r"^\[callrouter-numbers-", text, re.MULTILINE)) == 100


# --- Where the DID stands -------------------------------------------------------------------------------------


def test_headers_that_no_trunk_names_are_not_read() -> None:
    text = made(make_config(trunks=[make_trunk(did_from=["exten"])]))
    assert "PJSIP_HEADER" not in text
    assert context(text, "callrouter-headers") == [
        "exten => s,1,Set(CALLROUTER_HEADERS=)",
        "same => n(done),Return()",
    ]


def test_each_header_is_read_once_and_wrapped_and_cut() -> None:
    trunks = [
        make_trunk(did_from=["exten", "to"]),
        make_trunk("b", endpoint="b", did_from=["exten", "x-did", "to"]),
    ]
    config = make_config(trunks=trunks)
    assert header_sources(config) == ("to", "x-did")
    lines = context(made(config), "callrouter-headers")
    assert [line for line in lines if "PJSIP_HEADER" in line] == [
        "same => n,Set(CALLROUTER_H_1=${PJSIP_HEADER(read,to)})",
        "same => n,Set(CALLROUTER_H_2=${PJSIP_HEADER(read,x-did)})",
    ]
    assert (
        "same => n(with2),Set(CALLROUTER_HEADERS=${CALLROUTER_HEADERS},x-did=${URIENCODE(${CALLROUTER_H_2:0:512})})"
        in lines
    )


@pytest.mark.parametrize(("first", "looked_up"), [("exten", True), ("to", False)])
def test_headers_wait_for_the_extension_only_where_it_is_believed_first(first: str, looked_up: bool) -> None:
    trunks = [make_trunk(did_from=[first, "diversion"]), make_trunk("b", endpoint="b", did_from=["exten"])]
    lines = context(made(make_config(trunks=trunks)), "callrouter-headers")
    assert ("same => n,Gosub(callrouter-lookup,s,1)" in lines) is looked_up


def test_every_diversion_is_read_as_long_as_there_is_another() -> None:
    lines = context(made(make_config(trunks=[make_trunk(did_from=["diversion"])])), "callrouter-headers")
    reads = [line for line in lines if "PJSIP_HEADER" in line]
    assert len(reads) == dialplan.DIVERSIONS
    assert reads[-1].endswith(f"{{PJSIP_HEADER(read,diversion,{dialplan.DIVERSIONS})}})")


def test_each_trunk_has_its_own_order_of_sources() -> None:
    trunks = [make_trunk(did_from=["exten"]), make_trunk("back-up", endpoint="back-up", did_from=["to", "exten"])]
    lines = context(made(make_config(trunks=trunks)), "callrouter-did")
    assert 'same => n,GotoIf($["${endpoint}" = "backup"]?trunk1)' in lines
    second = lines[lines.index("same => n(trunk1),NoOp(back-up)") :]
    assert second.index("same => n,Set(CALLROUTER_TEXT=${CALLROUTER_H_1})") < second.index(
        "same => n,Set(CALLROUTER_TEXT=${CALLROUTER_EXTEN})"
    )


def test_nothing_of_a_sip_message_stands_in_an_expression_or_in_the_arguments_of_an_application() -> None:
    config = make_config(trunks=[make_trunk(did_from=["exten", "to", "diversion"])])
    text = generate(config, STATIC, PLACES, AT)
    names = r"EXTEN|CALLROUTER_(?:EXTEN|TEXT|H_\d+)|more|address|user|CALLERID\((?:num|name)\)"
    foreign = re.compile(rf"\$\{{(?:{names})[:}}]")
    wrapped = re.compile(rf"(?:FILTER\([^$]*,|URIENCODE\(|URIDECODE\(|LEN\(){foreign.pattern}")
    copied = re.compile(rf"=(?:{foreign.pattern}(?:0:64)?\}}?,?)+\)$")
    lines = [line for line in text.splitlines() if foreign.search(line) and not line.startswith(";")]
    assert len(lines) > 5
    for line in lines:
        # One variable given another's value is no harm: Set() takes what follows its first `=` as it is.
        bare = re.sub(r"^.*Set\([A-Z_()0-9a-z]+(?==)", "", line) if "Set(" in line else line
        assert copied.fullmatch(bare) or not foreign.search(wrapped.sub("", line)), line


# --- Hours: the same answer as router.schedule --------------------------------------------------------------


def says_open(text: str, hours: Hours, at: datetime) -> bool:
    """What the context of these hours returns at a moment, carried out as Asterisk does."""
    lines = context(text, "callrouter-hours-1")
    local = at.astimezone(ZoneInfo(hours.timezone))
    special = f"exten => {local:%Y%m%d},1,"
    start = next((index for index, line in enumerate(lines) if line.startswith(special)), 2)
    for line in lines[start:]:
        test = re.search(r"GotoIfTime\((\d\d):(\d\d)-(\d\d):(\d\d),([a-z&*]+),", line)
        if test is None:
            return "Return(open)" in line
        days = "mon tue wed thu fri sat sun".split()[local.weekday()]  # noqa: SIM905
        first, last = int(test[1]) * 60 + int(test[2]), int(test[3]) * 60 + int(test[4])
        if first <= local.hour * 60 + local.minute <= last and (test[5] == "*" or days in test[5].split("&")):
            return True
    raise AssertionError("the context comes to no end")


CLOCK = st.integers(0, 24 * 4).map(lambda quarter: quarter * 15)
WINDOW = st.tuples(CLOCK, CLOCK).filter(lambda pair: pair[0] < 24 * 60 and pair[0] != pair[1])


@st.composite
def some_hours(draw: st.DrawFn) -> Hours:
    from router.model import OpenDay, Window

    def windows() -> tuple[Window, ...]:
        return tuple(Window(*pair) for pair in draw(st.lists(WINDOW, max_size=2)))

    day = AT.date()
    days = st.integers(0, 30).map(lambda ahead: day + timedelta(days=ahead))
    return replace(
        make_hours(timezone=draw(st.sampled_from(["Europe/Paris", "America/New_York", "Asia/Kolkata"]))),
        weekly=tuple(windows() for _ in range(7)),
        holidays={draw(days): "holiday"},
        closed=(span(f"{draw(days)}"),),
        open=(OpenDay(draw(days), windows()),),
    )


@settings(max_examples=60, deadline=None)
@given(hours=some_hours(), minutes=st.lists(st.integers(0, 31 * 24 * 60), min_size=1, max_size=40))
def test_the_dialplan_is_open_exactly_when_the_schedule_is(hours: Hours, minutes: list[int]) -> None:
    text = made(make_config(hours=[hours]))
    for minute in minutes:
        at = AT + timedelta(minutes=minute)
        assert says_open(text, hours, at) is is_open(hours, at)[0], at


def test_the_week_is_written_once_and_days_that_are_alike_together() -> None:
    lines = context(made(make_config()), "callrouter-hours-1")
    assert lines[2:5] == [
        "same => n,GotoIfTime(09:00-12:29,mon&tue&wed&thu&fri,*,*,Europe/Paris?open)",
        "same => n,GotoIfTime(14:00-18:29,mon&tue&wed&thu&fri,*,*,Europe/Paris?open)",
        "same => n,GotoIfTime(09:00-11:59,sat,*,*,Europe/Paris?open)",
    ]


def test_special_days_are_written_for_thirteen_months() -> None:
    last = AT.date() + timedelta(days=dialplan.HORIZON_DAYS - 1)
    hours = make_hours(
        weekly={day: ["09:00-17:00"] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")},
        holidays={"2026-12-25": "Noël", f"{last}": "last", f"{last + timedelta(days=1)}": "after"},
        open={"2026-12-13": ["10:00-17:00", "20:00-24:00"]},
    )
    lines = context(made(make_config(hours=[hours])), "callrouter-hours-1")
    assert "exten => 20261225,1,Return(closed)" in lines
    assert f"exten => {last:%Y%m%d},1,Return(closed)" in lines
    assert not any(f"{last + timedelta(days=1):%Y%m%d}" in line for line in lines)
    place = lines.index("exten => 20261213,1,GotoIfTime(10:00-16:59,*,*,*,Europe/Paris?s,open)")
    assert lines[place + 1 : place + 3] == [
        "same => n,GotoIfTime(20:00-23:59,*,*,*,Europe/Paris?s,open)",
        "same => n,Return(closed)",
    ]


def test_a_window_past_midnight_is_open_on_both_sides_of_it() -> None:
    hours = make_hours(weekly={"fri": ["22:00-02:00"], "sat": ["02:00-03:00"]})
    assert day_spans(hours, date(2026, 11, 27)) == ((22 * 60, 24 * 60),)
    assert day_spans(hours, date(2026, 11, 28)) == ((0, 3 * 60),)


# --- What could be more than a word ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "config",
    [
        make_config(campaigns=[make_campaign("a,b")]),
        make_config(campaigns=[make_campaign("x\n[evil]")]),
        make_config(campaigns=[make_campaign(caller_id="${SHELL(id)}")]),
        make_config(campaigns=[make_campaign(numbers=["33184801001"])]),
        make_config(trunks=[make_trunk(dial="PJSIP/{number}@trunk&PJSIP/0@trunk")]),
        make_config(trunks=[make_trunk(did_from=["x-a)"])]),
        make_config(trunks=[make_trunk(), make_trunk("b", endpoint='b"')]),
        make_config(hours=[make_hours("a)")]),
        make_config(version="1;2"),
        make_config(screening=make_screening(["+33899_X."])),
        make_config(campaigns=[make_campaign(whisper=Sound(file="/srv/a&b.wav"))]),
        make_config(campaigns=[make_campaign(overflow=make_overflow(number="+33${X}"))]),
        make_config(salespeople=[make_salesperson(mobile="+336)"), make_salesperson("bob", BOB)]),
    ],
)  # fmt: skip
def test_what_could_be_more_than_a_word_is_refused(config: Config) -> None:
    with pytest.raises(RouterError, match="cannot stand in Asterisk's dialplan"):
        made(config)


@pytest.mark.parametrize(
    "path", ["relative/agi", "/a,b", "/a;b", "/a${b}", "/a=b", '/a"b', "/a\nb", "/a(b", "/a|b"]
)
def test_a_path_that_asterisk_would_read_otherwise_is_refused(path: str) -> None:
    with pytest.raises(RouterError):
        generate(make_config(), "", replace(PLACES, agi=path), AT)
    with pytest.raises(RouterError):
        generate(make_config(), "", replace(PLACES, spool=path), AT)
