"""`callrouter explain`: the live decision, rule by rule, without a call."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from router.commands.context import Context
from router.commands.explain import command, read_time
from router.model import Config, Strategy
from router.routing import decide
from tests.build import (
    ALICE,
    BOB,
    DID,
    make_campaign,
    make_config,
    make_hours,
    make_inbound,
    make_ring,
    make_salesperson,
    make_trunk,
)


def explain(config: Config, *args: str) -> Result:
    class Fixed(Context):
        def config(self) -> Config:
            return config

    return CliRunner().invoke(command, list(args), obj=Fixed("campaigns.yaml", None, False))


def facts(config: Config, *args: str) -> Any:
    result = explain(config, *args, "--format", "json")
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


def office(**campaign: Any) -> Config:
    hours = make_hours(closed=["2026-12-24"])
    return make_config(campaigns=[make_campaign(hours="office", **campaign)], hours=[hours])


def test_the_page_says_who_rings_when_over_which_trunk_and_what_the_mobile_shows() -> None:
    result = explain(office(), "--to", "0184801001", "--from", "01 45 67 89 01", "--at", "2026-11-24 10:00")
    assert result.exit_code == 0
    assert result.output == (
        "Call to +33 1 84 80 10 01 from +33 1 45 67 89 01\n"
        "Tue 2026-11-24 10:00:00 CET (Europe/Paris)\n"
        "\n"
        "Rules, in the order they were looked at:\n"
        "  asterisk.trunks.main.did_from       +33184801001, from exten\n"
        "  campaigns.spring-flyer              Spring flyer\n"
        "  hours.office.weekly                 open: Tuesday 09:00-12:30\n"
        "  campaigns.spring-flyer.caller_id    the number dialled\n"
        "  campaigns.spring-flyer.ring         one after the other, 20 s each; 60 s in\n"
        "                                      all\n"
        "\n"
        "Who rings, as long as nobody answers:\n"
        "      +0 s  Alice, +33 • •• •• •• 78, for 20 s\n"
        "            over main, showing +33 1 84 80 10 01\n"
        "     +20 s  Bob, +33 • •• •• •• 21, for 20 s\n"
        "            over main, showing +33 1 84 80 10 01\n"
        "     +40 s  nobody answered (60 s is the longest wait)\n"
        "Missed, it opens a callback, due Tue 2026-11-24 10:15 CET.\n"
    )


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


def test_nobody_left_is_unreachable() -> None:
    people = [make_salesperson(absent=["2026-11-24"]), make_salesperson("bob", BOB)]
    result = explain(make_config(salespeople=people), "--to", DID, "--from", BOB, "--at", "2026-11-24 10:00")
    assert "salespeople.alice.absent            Alice is absent" in result.output
    assert "salespeople.bob.mobile              Bob is the caller, and not rung" in result.output
    assert "The call ends as: unreachable." in result.output


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
    ] == [(route.trunk, route.endpoint, route.caller_id) for route in decision.plan.steps[0].targets[0].routes]


def test_people_whom_the_longest_wait_never_reaches_are_marked() -> None:
    config = make_config(campaigns=[make_campaign(ring=make_ring(timeout=30, max_wait=30))])
    output = explain(config, "--to", DID).output
    assert "+0 s  Alice, +33 • •• •• •• 78, for 30 s\n" in output
    assert "+30 s  Bob, +33 • •• •• •• 21, never: the longest wait is over\n" in output
    assert "+30 s  nobody answered" in output
    assert [ring["seconds"] for ring in facts(config, "--to", DID)["rings"]] == [30, 0]


def test_everybody_at_once_is_one_ring() -> None:
    config = make_config(campaigns=[make_campaign(ring=make_ring(strategy=Strategy.ALL))])
    rings = facts(config, "--to", DID)["rings"]
    assert [[person["name"] for person in ring["people"]] for ring in rings] == [["Alice", "Bob"]]
    assert "     +20 s  nobody answered" in explain(config, "--to", DID).output


def test_an_unknown_did_shows_the_unknown_numbers_route() -> None:
    result = explain(make_config(), "--to", "+33145000000", "--at", "2026-11-24 10:00")
    assert result.exit_code == 0
    assert "unknown_number                      no campaign owns this number" in result.output
    assert "Alice" in result.output
    assert facts(make_config(), "--to", "+33145000000")["campaign"] == "unknown"


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
    assert told["rings"][0]["people"][0]["routes"] == [{"trunk": "main", "caller_id": None}]


def test_a_campaign_without_callbacks_says_so() -> None:
    config = make_config(campaigns=[make_campaign(callback=None)])
    output = explain(config, "--to", DID, "--from", "+33145678901").output
    assert "Missed, it opens no callback: the campaign has none." in output


def test_a_did_that_the_trunk_reads_from_a_header_is_explained_too() -> None:
    config = make_config(trunks=[make_trunk(did_from=["diversion"])])
    told = facts(config, "--to", "0184801001")
    assert (told["campaign"], told["did"], told["did_source"]) == ("spring-flyer", DID, "diversion")


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
