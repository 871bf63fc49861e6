"""Reading the arguments of Stasis()."""

from __future__ import annotations

from router.inbound import LONGEST, read_inbound


def test_the_arguments_of_the_dialplan() -> None:
    inbound = read_inbound(
        ("in", "did=%2B33184801001", "ep=trunk", "pres=allowed_not_screened", "to=%3Csip%3A1%40a%3E"),
        "+33611111111",
        "A",
    )
    assert (inbound.exten, inbound.endpoint, inbound.withheld) == ("+33184801001", "trunk", False)
    assert inbound.headers == {"to": "<sip:1@a>"}
    assert (inbound.caller_number, inbound.caller_name) == ("+33611111111", "A")


def test_a_prohibited_presentation_withholds_the_caller() -> None:
    assert read_inbound(("in", "pres=prohib_passed_screen"), "+33611111111", "").withheld


def test_what_is_missing_or_broken_is_empty_and_what_is_endless_is_cut() -> None:
    inbound = read_inbound(("in", "junk", "did=%ZZ%ff", "to=" + "9" * 9000), "9" * 9000, "n" * 9000)
    assert (inbound.exten, inbound.endpoint) == ("%ZZ\ufffd", "")
    assert len(inbound.headers["to"]) == len(inbound.caller_number) == len(inbound.caller_name) == LONGEST


def test_a_comma_in_a_header_cannot_add_an_argument() -> None:
    assert read_inbound(("in", "to=1%2Cdid%3D666", "did=5"), "", "").exten == "5"
