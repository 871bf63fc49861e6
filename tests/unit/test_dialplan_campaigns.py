"""Campaigns and people in the generated dialplan: who rings and when, over what, and what is said behind it."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from router.model import Accept, Config, Sound, Strategy, Withheld
from router.spoken import kept_name
from tests.build import (
    ALICE,
    BOB,
    make_campaign,
    make_config,
    make_overflow,
    make_ring,
    make_salesperson,
    make_screening,
    make_step,
    make_trunk,
    make_vip,
)
from tests.made_dialplan import OTHER, PLACES, context, made


def kept(config: Config, text: str) -> str:
    """Where the router keeps what it has had spoken, as the sounds' own room has it."""
    return f"{PLACES.spoken}/{kept_name(config.speech, config.language, text)}".removesuffix(".wav")


def steps_of(text: str) -> list[tuple[str, ...]]:
    """People (their places in the file), then hunt and seconds, of each step of the first campaign."""
    found: list[tuple[str, ...]] = []
    people: list[str] = []
    for line in context(text, "callrouter-campaign-1"):
        if person := re.search(r"callrouter-person-(\d+),", line):
            people.append(person[1])
        elif step := re.search(r"callrouter-step,s,1\((\d+),(\d+)\)", line):
            found.append((*people, step[1], step[2]))
            people = []
    return found


def test_one_after_the_other_is_a_step_for_each() -> None:
    config = make_config(campaigns=[make_campaign(ring=make_ring(["bob", "alice"], timeout=12.5, max_wait=40))])
    assert context(made(config), "callrouter-campaign-1") == [
        f"exten => s,1,Gosub(callrouter-begin,s,1(spring-flyer,15,,{kept(config, 'Spring flyer')}))",
        "same => n,Gosub(callrouter-show,s,1(1,main,did,,))",
        "same => n,Set(CALLROUTER_WAIT_1=40)",
        "same => n,Gosub(callrouter-person-2,s,1(none))",
        "same => n,Gosub(callrouter-step,s,1(1,12))",
        "same => n,Gosub(callrouter-person-1,s,1(none))",
        "same => n,Gosub(callrouter-step,s,1(1,12))",
        "same => n,Goto(callrouter-hunt,s,1)",
    ]


def test_everybody_at_once_is_one_step() -> None:
    ring = make_ring(strategy=Strategy.ALL, timeout=0.2)
    lines = context(made(make_config(campaigns=[make_campaign(ring=ring)])), "callrouter-campaign-1")
    assert lines[3:] == [
        "same => n,Gosub(callrouter-person-1,s,1(none))",
        "same => n,Gosub(callrouter-person-2,s,1(none))",
        "same => n,Gosub(callrouter-step,s,1(1,1))",
        "same => n,Goto(callrouter-hunt,s,1)",
    ]


@pytest.mark.parametrize(
    "strategy", [Strategy.ROUND_ROBIN, Strategy.WEIGHTED, Strategy.LEAST_RECENT, Strategy.LONGEST_IDLE]
)
def test_strategies_that_need_the_past_ring_in_the_order_of_the_file(strategy: Strategy) -> None:
    ring = make_ring(["bob", "alice"], strategy=strategy)
    assert steps_of(made(make_config(campaigns=[make_campaign(ring=ring)]))) == [("2", "1", "20"), ("1", "1", "20")]


def test_steps_that_keep_the_earlier_people_are_one_of_all_their_time() -> None:
    ring = make_ring(
        steps=[make_step(["alice"], 15), make_step(["bob"], 10, keep=True), make_step(["bob", "alice"], 5)]
    )
    assert steps_of(made(make_config(campaigns=[make_campaign(ring=ring)]))) == [
        ("1", "2", "1", "25"),
        ("2", "1", "1", "5"),
    ]


def test_what_comes_after_the_hunt_rings_and_says_in_its_order() -> None:
    overflow = make_overflow(["bob"], number=OTHER, timeout=25, announcement=Sound(file="/srv/sorry.wav"))
    config = make_config(campaigns=[make_campaign(to=["alice"], overflow=overflow)])
    lines = context(made(config), "callrouter-campaign-1")
    assert lines[5:] == [
        "same => n,Set(CALLROUTER_WORDS=/srv/sorry)",
        "same => n,Set(CALLROUTER_WAIT_2=60)",
        "same => n,Gosub(callrouter-person-2,s,1(none))",
        "same => n,Gosub(callrouter-step,s,1(2,20))",
        'same => n,GotoIf($["${CALLROUTER_DIGITS}" = "33145000000"]?open-number)',
        "same => n,Set(CALLROUTER_WAIT_3=25)",
        f"same => n,Gosub(callrouter-add,s,1(overflow,none,1~PJSIP/{OTHER}@trunk))",
        "same => n,Gosub(callrouter-step,s,1(3,25))",
        "same => n(open-number),NoOp()",
        "same => n,Goto(callrouter-hunt,s,1)",
    ]


def test_outside_hours_a_message_is_not_announced_and_words_are() -> None:
    def closed(**what: str) -> list[str]:
        campaign = make_campaign(hours="office", closed=make_overflow(**what))  # type: ignore[arg-type]
        lines = context(made(make_config(campaigns=[campaign])), "callrouter-campaign-1")
        return lines[lines.index("same => n(closed),Set(CALLROUTER_NOBODY=closed)") + 1 :]

    assert closed(voicemail="Recorded.") == ["same => n,Goto(callrouter-hunt,s,1)"]
    (words, _) = closed(announcement="Closed.", voicemail="Recorded.")
    assert words == f"same => n,Set(CALLROUTER_WORDS={kept(make_config(), 'Closed.')})"


def test_nothing_to_say_is_no_recording() -> None:
    config = make_config(campaigns=[replace(make_campaign(), name="")])
    assert "(spring-flyer,15,,)" in context(made(config), "callrouter-campaign-1")[0]


def test_each_trunk_says_how_it_shows_a_call() -> None:
    trunks = [
        make_trunk(),
        make_trunk("b", "PJSIP/{number}@b", asserts="did", caller_id="anonymous", diversion=True),
        make_trunk("c", "PJSIP/{number}@c", asserts="did", identity="rpid"),
        make_trunk("d", "PJSIP/{number}@d", asserts="did", identity="from", caller_id="+33184809999"),
    ]
    lines = context(
        made(make_config(trunks=trunks, campaigns=[make_campaign(caller_id="caller")])), "callrouter-campaign-1"
    )
    assert lines[1:5] == [
        "same => n,Gosub(callrouter-show,s,1(1,main,caller,,))",
        "same => n,Gosub(callrouter-show,s,1(2,b,anonymous,P-Asserted-Identity,diversion))",
        "same => n,Gosub(callrouter-show,s,1(3,c,caller,Remote-Party-ID,))",
        "same => n,Gosub(callrouter-show,s,1(4,d,+33184809999,,))",
    ]


def test_vips_go_round_the_hours_and_meet_the_others_at_the_overflow() -> None:
    vips = [make_vip(numbers=["+33140000009", "+4420*"]), make_vip("second", to=["alice"])]
    config = make_config(campaigns=[make_campaign(hours="office")], screening=make_screening(vips=vips))
    text = made(config)
    lines = context(text, "callrouter-campaign-1")
    assert lines[2:4] == [
        "same => n,Gosub(callrouter-vip,s,1)",
        'same => n,GotoIf($["${GOSUB_RETVAL}" != ""]?vip)',
    ]
    place = lines.index("same => n(vip),Gosub(callrouter-vip-ring-${GOSUB_RETVAL},s,1(none))")
    assert lines[place - 1 : place + 3] == [
        "same => n,Goto(overflow)",
        lines[place],
        "same => n(overflow),NoOp()",
        "same => n,Goto(callrouter-hunt,s,1)",
    ]
    assert context(text, "callrouter-vip-1") == ["exten => 33140000009,1,Return()", "exten => _4420!,1,Return()"]
    assert "same => n,Gosub(callrouter-person-1,s,1(${ARG1}))" in context(text, "callrouter-vip-ring-2")


def test_who_is_blocked_and_whose_own_line_it_is() -> None:
    screening = make_screening(["+33899*", "+33140000005", "+33899*"], withheld=Withheld.BLOCK)
    text = made(make_config(screening=screening))
    assert context(text, "callrouter-blocked") == [
        "exten => _33899!,1,Return()",
        "exten => 33140000005,1,Return()",
    ]
    assert context(text, "callrouter-mobiles") == [
        f"exten => {ALICE[1:]},1,Return()",
        f"exten => {BOB[1:]},1,Return()",
    ]
    assert "(spring-flyer,15,block," in context(text, "callrouter-campaign-1")[0]


def test_a_desk_phone_needs_no_key_whatever_the_campaign_says() -> None:
    people = [make_salesperson(accept=Accept.NONE), make_salesperson("bob", BOB)]
    campaign = make_campaign(accept=Accept.PRESS_1, accept_timeout=8)
    text = made(make_config(salespeople=people, campaigns=[campaign]))
    assert "(spring-flyer,8,," in context(text, "callrouter-campaign-1")[0]
    assert "same => n,Gosub(callrouter-person-1,s,1(press-1))" in context(text, "callrouter-campaign-1")
    assert context(text, "callrouter-person-1")[1].startswith("same => n,Gosub(callrouter-add,s,1(alice,none,")
    assert context(text, "callrouter-person-2")[1].startswith("same => n,Gosub(callrouter-add,s,1(bob,${ARG1},")


def test_hours_stand_before_the_people_and_always_is_no_question() -> None:
    config = make_config(campaigns=[make_campaign(hours="office")])
    lines = context(made(config), "callrouter-campaign-1")
    assert lines[2:4] == [
        "same => n,Gosub(callrouter-hours-1,s,1)",
        'same => n,GotoIf($["${GOSUB_RETVAL}" != "open"]?closed)',
    ]
    assert not any("hours" in line for line in context(made(config), "callrouter-unknown"))


def test_a_person_is_left_out_on_days_of_absence() -> None:
    alice = make_salesperson(absent=["2026-08-01..2026-08-21"])
    trunks = [make_trunk(), make_trunk("b", "PJSIP/{number}@b", number_format="national")]
    lines = context(
        made(make_config(salespeople=[alice, make_salesperson("bob", BOB)], trunks=trunks)), "callrouter-person-1"
    )
    assert lines == [
        "exten => s,1,Set(LOCAL(today)=${STRFTIME(${EPOCH},Europe/Paris,%Y%m%d)})",
        "same => n,GotoIf($[${today} >= 20260801 & ${today} <= 20260821]?out)",
        f"same => n,Gosub(callrouter-add,s,1(alice,${{ARG1}},1~PJSIP/{ALICE}@trunk,2~PJSIP/0612345678@b))",
        "same => n(out),Return()",
    ]


def test_names_never_reach_the_dialplan() -> None:
    evil = "x)\n same => n,System(id)\n;"
    config = make_config(
        campaigns=[replace(make_campaign(), name=evil, medium=evil)],
        salespeople=[make_salesperson(name=evil), make_salesperson("bob", BOB)],
    )
    assert "System" not in made(config)
