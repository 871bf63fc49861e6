"""Whom a call rings: the DID from any source and form, the caller, the plan; nothing dialled out of a header."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.errors import NumberError
from router.model import Accept, Caller, Decision, Did, Outcome, Route, Strategy
from router.numbers import in_use, read_number
from router.routing import decide, find_caller, find_did
from tests.build import (
    ALICE,
    BOB,
    CALLER,
    DID,
    make_campaign,
    make_config,
    make_hours,
    make_inbound,
    make_ring,
    make_salesperson,
    make_trunk,
)

OPEN = datetime(2026, 11, 24, 10, 0, tzinfo=ZoneInfo("Europe/Paris"))
NIGHT = datetime(2026, 11, 24, 23, 0, tzinfo=ZoneInfo("Europe/Paris"))
OTHER = "+33184801002"


def rules(decision: Decision) -> dict[str, str]:
    return {reason.rule: reason.text for reason in decision.reasons}


def rung(decision: Decision) -> list[list[str]]:
    assert decision.plan is not None
    return [[target.salesperson for target in step.targets] for step in decision.plan.steps]


def shown(decision: Decision) -> set[str]:
    assert decision.plan is not None
    return {route.caller_id for step in decision.plan.steps for target in step.targets for route in target.routes}


# --- The DID ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "exten",
    [
        "+33184801001",
        "0033184801001",
        "33184801001",
        "0184801001",
        "+33 (0)1 84 80 10 01",
        "01.84.80.10.01",
        "%2B33184801001",
        "+33184801001;npdi=yes",
        " +33184801001 ",
        "sip:+33184801001@example.net",
        "tel:+33-1-84-80-10-01",
    ],
)
def test_the_did_is_found_in_every_form(exten: str) -> None:
    assert find_did(make_config(), make_inbound(exten)) == Did(DID, "exten")


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("to", '"Shop, open <late>" <sip:+33184801001@10.0.0.1;user=phone>;tag=a1'),
        ("p-called-party-id", "<sip:33184801001@ims.example>"),
        ("diversion", "<sip:0184801001@example.net>;reason=unconditional"),
        ("x-did", "0184801001"),
    ],
)
def test_the_did_is_found_in_every_source(source: str, value: str) -> None:
    config = make_config(trunks=[make_trunk(did_from=["exten", source])])
    assert find_did(config, make_inbound("s", headers={source: value})) == Did(DID, source)
    assert find_did(config, make_inbound("trunk-account", headers={source: value})) == Did(DID, source)


def test_the_order_is_that_of_the_trunk_the_call_came_in_on() -> None:
    config = make_config(
        campaigns=[make_campaign(), make_campaign("other", [OTHER])],
        trunks=[
            make_trunk(did_from=["exten", "to"]),
            make_trunk("second", endpoint="two", did_from=["to", "exten"]),
        ],
    )
    headers = {"to": f"<sip:{OTHER}@example.net>"}
    assert find_did(config, make_inbound(headers=headers)) == Did(DID, "exten")
    assert find_did(config, make_inbound(headers=headers, endpoint="two")) == Did(OTHER, "to")
    assert find_did(config, make_inbound(headers=headers, endpoint="nobody's")) == Did(DID, "exten")


def test_a_configured_did_in_a_later_source_goes_before_any_other_number() -> None:
    config = make_config(trunks=[make_trunk(did_from=["exten", "to"])])
    inbound = make_inbound("+33145000000", headers={"to": "<sip:0184801001@example.net>"})
    assert find_did(config, inbound) == Did(DID, "to")


def test_without_a_configured_did_the_first_number_wins_then_the_first_text_then_unknown() -> None:
    config = make_config(trunks=[make_trunk(did_from=["exten", "to", "x-did"])])
    headers = {"to": "<sip:+33145000000@example.net>", "x-did": "+33145000001"}
    assert find_did(config, make_inbound("account", headers=headers)) == Did("+33145000000", "to")
    assert find_did(config, make_inbound("account", headers={"x-did": "box"})) == Did("account", "exten")
    assert find_did(config, make_inbound("s")) == Did("unknown", "none")
    assert find_did(config, make_inbound("", headers={"to": " \x00\x1b "})) == Did("unknown", "none")


def test_a_source_that_the_trunk_does_not_name_is_not_read() -> None:
    assert find_did(make_config(), make_inbound("", headers={"to": f"<sip:{DID}@example.net>"})).source == "none"


@pytest.mark.parametrize(
    "exten", ["\x1b[2J\x00\u202e", "9" * 4000, "+33" + "0" * 600, "'; DROP TABLE", "${SHELL(id)}", "a" * 5000]
)
def test_a_hostile_did_is_unknown_short_and_safe_to_show(exten: str) -> None:
    did = find_did(make_config(), make_inbound(exten))
    assert did.number.isprintable()
    assert 0 < len(did.number) <= 40
    assert decide(make_config(), make_inbound(exten), OPEN).campaign == "unknown"


# --- Diversion ----------------------------------------------------------------------------------------------


def diverted(value: str) -> Did:
    config = make_config(
        campaigns=[make_campaign(), make_campaign("other", [OTHER])],
        trunks=[make_trunk(did_from=["diversion"])],
    )
    return find_did(config, make_inbound("account", headers={"diversion": value}))


def test_of_two_diversions_the_original_target_counts_which_stands_last() -> None:
    assert diverted(f"<sip:{OTHER}@b>;reason=no-answer, <sip:{DID}@a>;reason=unconditional").number == DID


def test_a_caller_who_dialled_somebody_that_forwards_to_a_campaign_is_found() -> None:
    assert diverted(f"<sip:{DID}@b>;reason=unconditional, <sip:+33145000000@a>;reason=user-busy").number == DID


def test_without_a_campaign_among_the_diversions_the_original_target_is_logged() -> None:
    assert diverted("<sip:+33145000002@b>, <sip:+33145000001@a>").number == "+33145000001"


def test_commas_and_brackets_in_a_display_name_divide_nothing() -> None:
    assert diverted(f'"Durand, \\"Bob, <x>" <sip:{DID}@a>;reason=unknown').number == DID
    assert diverted(f'"a,b" <sip:{OTHER}@b,c>, "Martin, Alice" <sip:{DID}@a>').number == DID


def test_of_a_flood_of_diversions_the_last_few_are_read() -> None:
    flood = "<sip:+33145000009@a>, " * 5000
    assert diverted(flood + f"<sip:{DID}@a>").number == DID
    assert diverted(f"<sip:{DID}@a>, " + flood.rstrip(", ")).number == "+33145000009"


# --- The caller ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("+33145678901", "+33145678901"),
        ("0145678901", "+33145678901"),
        ("0033145678901", "+33145678901"),
        ("33145678901", "+33145678901"),
        ("+330145678901", "+33145678901"),
        ("+33 1 45 67 89 01", "+33145678901"),
        ("<sip:+33145678901@example.net>", "+33145678901"),
        ("+442079460123", "+442079460123"),
        ("+390612345678", "+390612345678"),
        ("+13055550123", "+13055550123"),
        ("3615", "3615"),
        ("100", "100"),
        ("9" * 200, "9" * 32),
        ("+1 310-1234", "+13101234"),
    ],
)
def test_the_callers_number_is_e164_where_it_can_be_else_its_digits(text: str, number: str) -> None:
    assert find_caller(make_config(), make_inbound(caller=text)) == Caller(number)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            " ",
            "anonymous",
            "Anonymous",
            "unknown",
            "unavailable",
            "restricted",
            "Restricted",
            "alice",
            "sip-42",
        ),
        *(
            "0",
            "00000000",
            "+266696687",
            "+7378742833",
            "sip:+8656696@carrier.example",
            "anonymous@anonymous.invalid",
        ),
    ],
)
def test_what_nobody_could_call_back_is_a_withheld_number(text: str) -> None:
    assert find_caller(make_config(), make_inbound(caller=text, name="Somebody")) == Caller(None)


@pytest.mark.parametrize("number", ["+266696687", "+7378742833", "+2562533", "+8656696", "+86282452253"])
def test_no_keypad_word_is_a_number_in_use(number: str) -> None:
    assert find_caller(make_config(), make_inbound(caller=number)).withheld
    assert not in_use(number)


def test_a_withheld_presentation_or_name_hides_number_and_name() -> None:
    assert find_caller(make_config(), make_inbound(name="Zoé", withheld=True)) == Caller(None)
    for name in ("Anonymous", " PRIVATE ", "Restricted", "withheld"):
        assert find_caller(make_config(), make_inbound(name=name)) == Caller(None)
    for name in ("Unknown", "UNAVAILABLE", "Anonymous Coward Ltd"):
        assert not find_caller(make_config(), make_inbound(name=name)).withheld


def test_a_name_is_made_safe() -> None:
    caller = find_caller(make_config(), make_inbound(name="Zoé\x1b[2J\r\n\u202eevil " + "x" * 10_000))
    assert caller.name.startswith("Zoé")
    assert caller.name.isprintable()
    assert len(caller.name) <= 80


def test_a_number_in_use_is_the_callers_as_it_stands_in_every_country() -> None:
    for region in phonenumbers.SUPPORTED_REGIONS:
        for kind in phonenumbers.PhoneNumberType.values():
            number = phonenumbers.example_number_for_type(region, kind)
            if number is not None and phonenumbers.is_possible_number(number):
                text = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
                if len(text) > 8:
                    assert find_caller(make_config(), make_inbound(caller=text)).number == text, region


def test_a_national_prefix_left_standing_is_mended_for_every_country() -> None:
    """One caller is one row, whichever way the carrier writes his number: +33 06… is +33 6…"""
    mended = 0
    for code, regions in phonenumbers.COUNTRY_CODE_TO_REGION_CODE.items():
        for region in regions:
            prefix = phonenumbers.ndd_prefix_for_region(region, True)
            number = phonenumbers.example_number(region)
            if not prefix or number is None:
                continue
            text = f"+{code}{prefix}{phonenumbers.national_significant_number(number)}"
            try:
                read = read_number(text, "FR")
            except NumberError:
                continue
            assert find_caller(make_config(), make_inbound(caller=text)).number == read, region
            mended += read != text
    assert mended > 100


# --- The decision -------------------------------------------------------------------------------------------


def test_one_after_the_other_is_a_step_each_and_every_step_has_its_timeout() -> None:
    decision = decide(make_config(), make_inbound(), OPEN)
    assert (decision.campaign, decision.did, decision.caller) == ("spring-flyer", Did(DID, "exten"), Caller(CALLER))
    assert decision.refused is None
    assert rung(decision) == [["alice"], ["bob"]]
    assert decision.plan is not None
    assert [step.timeout for step in decision.plan.steps] == [20.0, 20.0]
    assert decision.plan.max_wait == 60.0
    assert decision.plan.steps[0].targets[0].name == "Alice"


def test_all_is_one_step_with_everybody() -> None:
    ring = make_ring(strategy=Strategy.ALL, timeout=30)
    config = make_config(campaigns=[make_campaign(ring=ring, accept=Accept.PRESS_1)])
    decision = decide(config, make_inbound(), OPEN)
    assert rung(decision) == [["alice", "bob"]]
    assert decision.plan is not None
    assert decision.plan.accept is Accept.PRESS_1
    assert rules(decision)["campaigns.spring-flyer.ring"] == "everybody at once for 30 s; 60 s in all"


def test_steps_beyond_the_longest_wait_stay_in_the_plan() -> None:
    config = make_config(campaigns=[make_campaign(ring=make_ring(timeout=50, max_wait=40))])
    assert rung(decide(config, make_inbound(), OPEN)) == [["alice"], ["bob"]]


def test_outside_opening_hours_the_call_is_closed_and_nobody_rings() -> None:
    config = make_config(campaigns=[make_campaign(hours="office")])
    assert decide(config, make_inbound(), OPEN).refused is None
    decision = decide(config, make_inbound(), NIGHT)
    assert (decision.plan, decision.refused) == (None, Outcome.CLOSED)
    assert rules(decision)["hours.office.weekly"] == "closed: Tuesday 09:00-12:30, 14:00-18:30"


def test_without_hours_it_is_always_open() -> None:
    assert rules(decide(make_config(), make_inbound(), NIGHT))["campaigns.spring-flyer.hours"] == "always open"


def test_absent_people_are_left_out() -> None:
    people = [make_salesperson(absent=["2026-11-24"]), make_salesperson("bob", BOB)]
    decision = decide(make_config(salespeople=people), make_inbound(), OPEN)
    assert rung(decision) == [["bob"]]
    assert rules(decision)["salespeople.alice.absent"] == "Alice is absent"


def test_with_everybody_absent_the_call_is_unreachable() -> None:
    people = [make_salesperson(absent=["2026-11-24"]), make_salesperson("bob", BOB, absent=["2026-11-24"])]
    decision = decide(make_config(salespeople=people), make_inbound(), OPEN)
    assert (decision.plan, decision.refused) == (None, Outcome.UNREACHABLE)
    assert rules(decision)["campaigns.spring-flyer.ring.to"] == "nobody is left to ring"


@pytest.mark.parametrize("caller", [ALICE, "0612345678", "33612345678"])
def test_the_phone_that_is_calling_is_not_rung(caller: str) -> None:
    decision = decide(make_config(), make_inbound(caller=caller), OPEN)
    assert rung(decision) == [["bob"]]
    assert rules(decision)["salespeople.alice.mobile"] == "Alice is the caller, and not rung"


def test_the_only_person_left_being_the_caller_makes_it_unreachable() -> None:
    config = make_config(campaigns=[make_campaign(to=["alice"])])
    assert decide(config, make_inbound(caller=ALICE), OPEN).refused is Outcome.UNREACHABLE


def test_a_did_that_no_campaign_owns_takes_the_unknown_numbers_route() -> None:
    decision = decide(make_config(), make_inbound("+33145000000"), OPEN)
    assert (decision.campaign, decision.did.number) == ("unknown", "+33145000000")
    assert rung(decision) == [["alice"]]
    assert rules(decision)["unknown_number"] == "no campaign owns this number"


# --- What is dialled ----------------------------------------------------------------------------------------


def test_every_trunk_is_a_route_in_its_order_and_format() -> None:
    trunks = [
        make_trunk(),
        make_trunk("plain", "PJSIP/{number}@plain", endpoint="plain", number_format="plain"),
        make_trunk("national", "PJSIP/9{number}@{number}", endpoint="national", number_format="national"),
    ]
    config = make_config(trunks=trunks, campaigns=[make_campaign(to=["alice"])])
    decision = decide(config, make_inbound(), OPEN)
    assert decision.plan is not None
    assert decision.plan.steps[0].targets[0].routes == (
        Route("main", "PJSIP/+33612345678@trunk", DID),
        Route("plain", "PJSIP/33612345678@plain", DID),
        Route("national", "PJSIP/90612345678@0612345678", DID),
    )


@pytest.mark.parametrize(
    ("country", "mobile", "dialled"),
    [
        ("FR", "+32470123456", "0032470123456"),
        ("US", "+12125550123", "12125550123"),
        ("US", "+33612345678", "01133612345678"),
        ("IT", "+390612345678", "0612345678"),
        ("GB", "+447400123456", "07400123456"),
    ],
)
def test_national_dialling_is_that_of_the_companys_country(country: str, mobile: str, dialled: str) -> None:
    config = make_config(
        country=country,
        trunks=[make_trunk(number_format="national")],
        campaigns=[make_campaign(to=["alice"])],
        salespeople=[make_salesperson(mobile=mobile)],
    )
    decision = decide(config, make_inbound(), OPEN)
    assert decision.plan is not None
    assert decision.plan.steps[0].targets[0].routes[0].endpoint == f"PJSIP/{dialled}@trunk"


hostile = st.text(max_size=60) | st.sampled_from(
    [
        DID,
        ALICE,
        OTHER,
        "${SHELL(id)}",
        "1@evil&PJSIP/2@evil",
        "{number}",
        "<sip:+33184801001@x>,<tel:112>",
        "s",
        "h",
    ]
)


@settings(max_examples=300, deadline=None)
@given(
    exten=hostile,
    caller=hostile,
    name=hostile,
    endpoint=hostile,
    headers=st.dictionaries(st.sampled_from(["to", "diversion", "p-called-party-id", "x-did"]), hostile),
    caller_id=st.sampled_from(["did", "caller", "anonymous", OTHER]),
    withheld=st.booleans(),
)
def test_whatever_arrives_only_the_files_numbers_are_dialled(
    exten: str, caller: str, name: str, endpoint: str, headers: dict[str, str], caller_id: str, withheld: bool
) -> None:
    config = make_config(
        campaigns=[make_campaign(caller_id=caller_id)],
        unknown=make_campaign("unknown", (), caller_id=caller_id),
        trunks=[make_trunk(did_from=["exten", "to", "diversion", "p-called-party-id", "x-did"])],
    )
    inbound = make_inbound(exten, caller, endpoint=endpoint, headers=headers, name=name, withheld=withheld)
    decision = decide(config, inbound, OPEN)
    assert decision.plan is not None
    dialled = {route.endpoint for step in decision.plan.steps for target in step.targets for route in target.routes}
    assert dialled <= {f"PJSIP/{ALICE}@trunk", f"PJSIP/{BOB}@trunk"}
    allowed = {DID, OTHER, ""} | ({decision.caller.number} if caller_id == "caller" else set())
    assert shown(decision) <= allowed
    assert all(_is_a_number_or_empty(one) for one in shown(decision))


def _is_a_number_or_empty(text: str) -> bool:
    return text == "" or (text[0] == "+" and text[1:].isascii() and text[1:].isdigit() and len(text) <= 16)


# --- What the mobile shows ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "caller", "withheld", "screen"),
    [
        ("did", CALLER, False, DID),
        ("did", CALLER, True, DID),
        ("anonymous", CALLER, False, ""),
        ("+33145000000", CALLER, False, "+33145000000"),
        ("caller", CALLER, False, CALLER),
        ("caller", "0145678901", False, CALLER),
        ("caller", CALLER, True, ""),
        ("caller", "anonymous", False, ""),
        ("caller", "3615", False, DID),
    ],
)
def test_the_mobile_shows_what_the_campaign_says(rule: str, caller: str, withheld: bool, screen: str) -> None:
    config = make_config(campaigns=[make_campaign(caller_id=rule)])
    assert shown(decide(config, make_inbound(caller=caller, withheld=withheld), OPEN)) == {screen}


def test_the_number_dialled_is_shown_not_the_campaigns_first() -> None:
    config = make_config(campaigns=[make_campaign(numbers=[DID, OTHER])])
    assert shown(decide(config, make_inbound(OTHER), OPEN)) == {OTHER}


def test_an_unknown_did_is_never_shown_but_the_first_of_our_numbers_or_none() -> None:
    unknown = make_inbound("+33145000000")
    decision = decide(make_config(), unknown, OPEN)
    assert shown(decision) == {DID}
    assert rules(decision)["unknown_number.caller_id"] == "the first of our numbers"
    assert shown(decide(make_config(campaigns=[]), unknown, OPEN)) == {""}


# --- What explain reads -------------------------------------------------------------------------------------


def test_reasons_stand_in_the_order_in_which_the_rules_were_looked_at() -> None:
    config = make_config(
        campaigns=[make_campaign(hours="office", name="Flyer printemps")],
        salespeople=[make_salesperson(absent=["2026-11-24"]), make_salesperson("bob", BOB)],
        hours=[make_hours()],
    )
    assert [(reason.rule, reason.text) for reason in decide(config, make_inbound(), OPEN).reasons] == [
        ("asterisk.trunks.main.did_from", "+33184801001, from exten"),
        ("campaigns.spring-flyer", "Flyer printemps"),
        ("hours.office.weekly", "open: Tuesday 09:00-12:30"),
        ("salespeople.alice.absent", "Alice is absent"),
        ("campaigns.spring-flyer.caller_id", "the number dialled"),
        ("campaigns.spring-flyer.ring", "one after the other, 20 s each; 60 s in all"),
    ]


@pytest.mark.parametrize("rule", ["did", "caller", "anonymous"])
def test_no_reason_holds_a_callers_number_or_a_mobile(rule: str) -> None:
    config = make_config(campaigns=[make_campaign(caller_id=rule)])
    for caller in (CALLER, ALICE):
        told = repr(decide(config, make_inbound(caller=caller), OPEN).reasons)
        assert not any(number[3:] in told for number in (CALLER, ALICE, BOB))


def test_a_decision_is_a_value_that_the_same_call_gives_again() -> None:
    first = decide(make_config(), make_inbound(), OPEN)
    assert first == decide(make_config(), make_inbound(), OPEN.astimezone(UTC))
    assert is_dataclass(first)
    assert {field.name for field in fields(first)} >= {"plan", "refused", "reasons"}
