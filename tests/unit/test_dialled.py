"""The DID from any source and in any form, and the caller: what arrives is hostile until it reads as a number."""

from __future__ import annotations

import phonenumbers
import pytest

from router.dialled import find_caller, find_did
from router.errors import NumberError
from router.model import Caller, Did
from router.numbers import in_use, read_number
from tests.build import DID, make_campaign, make_config, make_inbound, make_trunk

OTHER = "+33184801002"


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
    assert did.number not in make_config().by_number


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
