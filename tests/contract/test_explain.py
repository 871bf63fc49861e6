"""`callrouter explain`: the live decision, rule by rule, without a call."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from router.model import Accept, Pause, Sound, Strategy, Withheld
from router.routing import decide
from router.store.operations import PauseSet
from tests.build import (
    ALICE,
    BOB,
    CALLER,
    CAROL,
    DID,
    make_campaign,
    make_config,
    make_hours,
    make_inbound,
    make_overflow,
    make_ring,
    make_salesperson,
    make_screening,
    make_step,
    make_trunk,
)
from tests.decisions import targets
from tests.explained import explain, facts, office
from tests.store_rows import START, answered, whole, write


def test_the_page_says_who_rings_when_over_which_trunk_and_what_the_mobile_shows() -> None:
    result = explain(office(), "--to", "0184801001", "--from", "01 45 67 89 01", "--at", "2026-11-24 10:00")
    assert result.exit_code == 0
    assert result.output == (
        "Call to +33 1 84 80 10 01 from +33 1 45 67 89 01\n"
        "Tue 2026-11-24 10:00:00 CET (Europe/Paris)\n"
        "No database could be read: without pauses, turns and earlier calls.\n"
        "\n"
        "Rules, in the order they were looked at:\n"
        "  asterisk.trunks.main.did_from       +33184801001, from exten\n"
        "  campaigns.spring-flyer              Spring flyer\n"
        "  hours.office.weekly                 open: Tuesday 09:00-12:30\n"
        "  campaigns.spring-flyer.ring         one after the other, 20 s each; 60 s in\n"
        "                                      all\n"
        "  campaigns.spring-flyer.caller_id    the number dialled\n"
        "\n"
        "Who rings, as long as nobody takes the call:\n"
        "      +0 s  Alice, +33 • •• •• •• 78, for 20 s; no key\n"
        "     +20 s  Bob, +33 • •• •• •• 21, for 20 s; no key\n"
        "     +40 s  nobody took it (60 s is the longest wait)\n"
        "\n"
        "What each phone shows:\n"
        "  over main, showing +33 1 84 80 10 01\n"
        "\n"
        "Missed, it opens a callback, due Tue 2026-11-24 10:15 CET.\n"
    )


def test_the_whole_page() -> None:
    """Hunts, a key, a refusal, an overflow's number and an ending."""
    config = make_config(
        campaigns=[
            make_campaign(
                accept=Accept.PRESS_1,
                caller_id="caller",
                ring=make_ring(steps=[make_step(["alice"], 15), make_step(["bob"], 10, keep=True)]),
                overflow=make_overflow(
                    ["carol"], number="+33145000000", announcement="Sorry.", voicemail="Speak.", longest=120
                ),
            )
        ],
        salespeople=[
            make_salesperson(),
            make_salesperson("bob", BOB, accept=Accept.NONE),
            make_salesperson("carol", CAROL),
        ],
        trunks=[make_trunk(asserts="did", diversion=True), make_trunk("spare", endpoint="spare", caller_id="did")],
    )
    output = explain(config, "--to", DID, "--from", "+33145678901", "--at", "2026-11-24 10:00").output
    assert output[output.index("Who rings") :] == (
        "Who rings, as long as nobody takes the call:\n"
        "      +0 s  Alice, +33 • •• •• •• 78, for 25 s; key 1\n"
        "     +15 s  also Bob, +33 • •• •• •• 21, for 10 s; no key\n"
        "     +25 s  nobody took it; on to the overflow (60 s is the longest wait)\n"
        "     +25 s  Carol, +33 • •• •• •• 32, for 20 s; key 1\n"
        "     +45 s  overflow number, +33 • •• •• •• 00, for 30 s; no key\n"
        "     +75 s  nobody took it (90 s is the longest wait)\n"
        "\n"
        "What each phone shows:\n"
        "  over main, showing +33 1 45 67 89 01, asserting +33 1 84 80 10 01, diverted by\n"
        "      +33 1 84 80 10 01\n"
        "    if refused for its caller ID, as did: +33 1 84 80 10 01, asserting\n"
        "      +33 1 84 80 10 01, diverted by +33 1 84 80 10 01\n"
        "  else over spare, showing +33 1 84 80 10 01\n"
        "\n"
        'Key 1: whoever answers hears "Spring flyer", new caller, press 1, and has 15 s\n'
        "to press it.\n"
        "\n"
        'Then the caller hears "Sorry.".\n'
        'Then "Speak." and a tone: a message of up to 120 s may be left.\n'
        "Missed, it opens a callback, due Tue 2026-11-24 10:16 CET.\n"
    )
    told = facts(config, "--to", DID, "--from", "+33145678901")
    assert [(ring["hunt"], ring["offset"], ring["seconds"], ring["keep"]) for ring in told["rings"]] == [
        (0, 0, 25, False),
        (0, 15, 10, True),
        (1, 25, 20, False),
        (1, 45, 30, False),
    ]
    assert [person["accept"] for ring in told["rings"] for person in ring["people"]] == [
        *("press-1", "none", "press-1", "none"),
    ]
    assert told["rings"][0]["people"][0]["routes"] == [
        route("main", "+33145678901", "caller", DID, DID, refused_only=False),
        route("main", DID, "did", DID, DID, refused_only=True),
        route("spare", DID, "did", None, None, refused_only=False),
    ]
    assert told["ending"] == {
        "announcement": {"say": "Sorry."},
        "voicemail": {"announcement": {"say": "Speak."}, "longest": 120},
    }
    assert told["whisper"] == [{"say": "Spring flyer"}, {"prompt": "new-caller"}, {"prompt": "press-1"}]
    assert (told["max_wait"], told["accept_timeout"]) == (150, 15)


def route(
    trunk: str, shown: str | None, mode: str, identity: str | None, diversion: str | None, *, refused_only: bool
) -> dict[str, object]:
    return {
        "trunk": trunk,
        "caller_id": shown,
        "mode": mode,
        "identity": identity,
        "diversion": diversion,
        "refused_only": refused_only,
    }


def test_a_closed_day_says_so_and_when_it_opens() -> None:
    result = explain(office(), "--to", DID, "--from", "+33145678901", "--at", "2026-12-24 10:00")
    assert "hours.office.closed                 closed: 2026-12-24" in result.output
    assert "Nobody rings. The call ends as: closed.\nNext open: Fri 2026-12-25 09:00 CET.\n" in result.output
    assert "due Fri 2026-12-25 09:15 CET." in result.output
    told = facts(office(), "--to", DID, "--at", "2026-12-24 10:00")
    assert (told["outcome"], told["next_open"], told["rings"]) == ("closed", "2026-12-25T09:00:00+01:00", [])


def test_hours_that_never_open_say_so() -> None:
    config = make_config(campaigns=[make_campaign(hours="never")], hours=[make_hours("never", weekly={})])
    assert "Not open within the next 400 days." in explain(config, "--to", DID).output


def test_nobody_left_is_unreachable_and_what_the_caller_hears_is_told() -> None:
    people = [make_salesperson(absent=["2026-11-24"]), make_salesperson("bob", BOB, absent=["2026-11-24"])]
    campaign = make_campaign(overflow=make_overflow(announcement=Sound(file="/srv/sorry.wav")))
    config = make_config(salespeople=people, campaigns=[campaign])
    result = explain(config, "--to", DID, "--from", "+33145678901", "--at", "2026-11-24 10:00")
    assert "salespeople.alice.absent            Alice is absent" in result.output
    assert "The call ends as: unreachable.\nThen the caller hears /srv/sorry.wav.\n" in result.output
    told = facts(config, "--to", DID, "--at", "2026-11-24 10:00")
    assert told["ending"] == {"announcement": {"play": "/srv/sorry.wav"}, "voicemail": None}


def test_a_salesperson_gets_the_menu_and_a_blocked_caller_nothing() -> None:
    output = explain(make_config(), "--to", DID, "--from", BOB).output
    assert "salespeople.bob.mobile              Bob's own line: the menu, no lead\n" in output
    assert output.endswith(
        "Nobody rings: a salesperson's own line gets the menu, once the PIN is right.\n"
        "It is no lead: no call is counted, and no callback is opened.\n"
    )
    told = facts(make_config(), "--to", DID, "--from", BOB)
    assert (told["staff"], told["outcome"], told["callback_due"], told["rings"]) == ("bob", None, None, [])
    blocked = make_config(screening=make_screening(["+3389*"]))
    output = explain(blocked, "--to", DID, "--from", "+33899123456").output
    assert "screening.block[0]                  the caller is blocked" in output
    assert output.endswith(
        "Nobody rings. The call ends as: blocked.\n"
        "It opens no callback, and is in no figure but that of blocked calls.\n"
    )


def test_a_withheld_number_may_be_challenged() -> None:
    config = make_config(screening=make_screening(withheld=Withheld.CHALLENGE))
    assert "\nThe caller must press 1. Nobody rings before.\n\nWho rings" in explain(config, "--to", DID).output
    assert facts(config, "--to", DID)["challenge"] is True
    assert facts(config, "--to", DID, "--from", "+33145678901")["challenge"] is False


def test_outside_hours_the_on_call_list_and_its_number_are_shown() -> None:
    config = office(
        closed=make_overflow(["bob"], number="+33145000000"), overflow=make_overflow(number="+33145000001")
    )
    told = facts(config, "--to", DID, "--at", "2026-11-24 20:00", "--numbers")
    assert [one["mobile"] for ring in told["rings"] for one in ring["people"]] == [BOB, "+33145000000"]
    told = facts(config, "--to", DID, "--at", "2026-11-24 10:00", "--numbers")
    assert [one["mobile"] for ring in told["rings"] for one in ring["people"]] == [ALICE, BOB, "+33145000001"]


def test_pauses_turns_and_earlier_calls_come_out_of_the_database(tmp_path: Path) -> None:
    path = str(tmp_path / "calls.db")
    write(path, whole(answered("one", campaign="spring-flyer")))
    write(path, [PauseSet(Pause("bob", START, START + 7200, "menu"))])
    config = make_config(
        campaigns=[make_campaign(ring=make_ring(("bob", "carol", "alice"), sticky=86400))],
        salespeople=[make_salesperson(), make_salesperson("bob", BOB), make_salesperson("carol", CAROL)],
        database=path,
    )
    told = facts(config, "--to", DID, "--from", CALLER, "--at", "2026-03-01T10:10Z")
    assert told["history"] is True
    assert [one["people"][0]["salesperson"] for one in told["rings"]] == ["alice", "carol"]
    assert {"prompt": "repeat-caller"} in told["whisper"]
    output = explain(config, "--to", DID, "--from", CALLER, "--at", "2026-03-01T10:10Z").output
    assert "No database" not in output
    assert "salespeople.bob                     Bob is paused until 2026-03-01 13:00\n" in output
    assert {
        "rule": "campaigns.spring-flyer.ring.sticky",
        "text": "Alice first, who spoke with this caller last",
    } in told["reasons"]
    stranger = facts(config, "--to", DID, "--from", "+33145678902", "--at", "2026-03-01T10:10Z")
    assert [one["people"][0]["salesperson"] for one in stranger["rings"]] == ["carol", "alice"]
    assert {"prompt": "new-caller"} in stranger["whisper"]


@pytest.mark.parametrize("content", [None, b"", b"no database at all" * 100])
def test_without_a_database_that_can_be_read_it_says_so(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "calls.db"
    if content is not None:
        path.write_bytes(content)
    config = make_config(database=str(path))
    assert (
        "No database could be read: without pauses, turns and earlier calls.\n"
        in explain(config, "--to", DID).output
    )
    assert facts(config, "--to", DID)["history"] is False
    assert path.exists() is (content is not None)


def test_it_is_the_live_decision() -> None:
    """Rules, order, offsets, trunks and caller IDs are those that `decide` gives, for the same call and moment."""
    trunks = [make_trunk(), make_trunk("spare", "PJSIP/{number}@spare", endpoint="spare", number_format="plain")]
    config = make_config(trunks=trunks, campaigns=[make_campaign(caller_id="caller", ring=make_ring(timeout=50))])
    told = facts(config, "--to", DID, "--from", "0145678901", "--at", "2026-11-24T10:00+01:00", "--numbers")
    decision = decide(config, make_inbound(), datetime.fromisoformat("2026-11-24T10:00+01:00"))
    assert decision.plan is not None
    assert [(one["rule"], one["text"]) for one in told["reasons"]] == [
        (reason.rule, reason.text) for reason in decision.reasons
    ]
    assert [[person["salesperson"] for person in ring["people"]] for ring in told["rings"]] == [["alice"], ["bob"]]
    assert [(ring["offset"], ring["seconds"]) for ring in told["rings"]] == [(0, 50), (50, 10)]
    assert [
        (route["trunk"], route["dial"], route["caller_id"]) for route in told["rings"][0]["people"][0]["routes"]
    ] == [(route.trunk, route.endpoint, route.caller_id) for route in targets(decision)[0].routes]


def test_people_whom_the_longest_wait_never_reaches_are_marked() -> None:
    config = make_config(campaigns=[make_campaign(ring=make_ring(timeout=30, max_wait=30))])
    output = explain(config, "--to", DID).output
    assert "+0 s  Alice, +33 • •• •• •• 78, for 30 s; no key\n" in output
    assert "+30 s  Bob, +33 • •• •• •• 21, never: the longest wait is over; no key\n" in output
    assert "+30 s  nobody took it" in output
    assert [ring["seconds"] for ring in facts(config, "--to", DID)["rings"]] == [30, 0]


def test_everybody_at_once_is_one_ring() -> None:
    config = make_config(campaigns=[make_campaign(ring=make_ring(strategy=Strategy.ALL))])
    rings = facts(config, "--to", DID)["rings"]
    assert [[person["name"] for person in ring["people"]] for ring in rings] == [["Alice", "Bob"]]
    assert "     +20 s  nobody took it" in explain(config, "--to", DID).output


@pytest.mark.parametrize("form", ["table", "json"])
def test_mobiles_are_masked_unless_asked_for(form: str) -> None:
    plain = explain(make_config(), "--to", DID, "--format", form).output
    full = explain(make_config(), "--to", DID, "--format", form, "--numbers").output
    for mobile in (ALICE, BOB):
        digits = mobile.removeprefix("+33")
        assert digits not in plain.replace(" ", "")
        assert digits in full.replace(" ", "")


def test_without_from_the_caller_is_withheld() -> None:
    config = make_config(campaigns=[make_campaign(caller_id="caller")])
    output = explain(config, "--to", DID).output
    assert "from a withheld number" in output
    assert "showing anonymous" in output
    assert "Missed, it opens no callback: the number is withheld (--from gives one)." in output
    told = facts(config, "--to", DID)
    assert (told["caller"], told["callback_due"]) == (None, None)
    assert told["rings"][0]["people"][0]["routes"] == [
        route("main", None, "anonymous", DID, None, refused_only=False),
        route("main", DID, "did", None, None, refused_only=True),
    ]


def test_a_campaign_without_callbacks_says_so() -> None:
    config = make_config(campaigns=[make_campaign(callback=None)])
    output = explain(config, "--to", DID, "--from", "+33145678901").output
    assert "Missed, it opens no callback: the campaign has none." in output


@pytest.mark.parametrize("long", ["a-campaign-with-quite-a-long-name-2026", "c"])
def test_the_page_fits_80_columns_and_no_name_reaches_the_terminal_raw(long: str) -> None:
    evil = "Eve\x1b[2J\u202e" + "x" * 300
    config = make_config(
        campaigns=[make_campaign(long, name=evil, hours="office", ring=make_ring(timeout=45))],
        salespeople=[make_salesperson(name=evil), make_salesperson("bob", BOB, absent=["2026-11-24"])],
        hours=[make_hours(weekly={"tue": [f"{hour:02}:00-{hour:02}:30" for hour in range(24)]})],
    )
    for at in ("2026-11-24 10:00", "2026-11-24 10:45"):
        output = explain(config, "--to", DID, "--from", "+33145678901", "--at", at).output
        assert max(map(len, output.splitlines())) <= 80
        assert "\x1b" not in output
        assert "\u202e" not in output
