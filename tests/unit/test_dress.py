"""What a leg shows of whose call it is: by variables, whatever the caller's side put into its own."""

from __future__ import annotations

import pytest

from router.dress import NOWHERE, dress, number_of
from router.model import Route
from tests.build import CALLER, DID, make_trunk

OTHER = "+33184801009"


def route(shown: str, mode: str = "did", *, identity: str = "", diversion: str = "") -> Route:
    return Route("main", "PJSIP/1@trunk", shown, mode, identity, diversion)


def test_our_number_and_nothing_of_the_callers() -> None:
    assert dress(route(DID), make_trunk(), OTHER) == {
        "CONNECTEDLINE(name,i)": "",
        "CONNECTEDLINE(num,i)": DID,
        "CONNECTEDLINE(pres,i)": "allowed",
        "REDIRECTING(from-num-valid,i)": "0",
        "REDIRECTING(from-name,i)": "",
        "FORWARD_CONTEXT": NOWHERE,
        "TRANSFER_CONTEXT": NOWHERE,
    }


def test_anonymous_is_the_number_that_was_dialled_withheld() -> None:
    variables = dress(route("", "anonymous", identity=DID), make_trunk(), OTHER)
    assert (variables["CONNECTEDLINE(num,i)"], variables["CONNECTEDLINE(pres,i)"]) == (DID, "prohib")
    assert number_of(route("", "anonymous", identity=DID), OTHER) == DID


def test_anonymous_without_a_number_of_ours_has_none_at_all() -> None:
    variables = dress(route("", "anonymous"), None, "")
    assert (variables["CONNECTEDLINE(num,i)"], variables["CONNECTEDLINE(pres,i)"]) == ("", "prohib")


def test_a_diversion_names_the_number_that_was_dialled() -> None:
    variables = dress(route(CALLER, "caller", diversion=DID), make_trunk(), OTHER)
    assert variables["REDIRECTING(from-num,i)"] == DID
    assert variables["REDIRECTING(count,i)"] == "1"
    assert "REDIRECTING(from-num-valid,i)" not in variables


@pytest.mark.parametrize(
    ("identity", "shown", "headers"),
    [
        ("pai", CALLER, {"P-Asserted-Identity": f"<tel:{DID}>"}),
        ("pai", "", {"P-Asserted-Identity": f"<tel:{DID}>", "Privacy": "id"}),
        ("rpid", CALLER, {"Remote-Party-ID": f"<tel:{DID}>;party=calling;privacy=off;screen=no"}),
        ("rpid", "", {"Remote-Party-ID": f"<tel:{DID}>;party=calling;privacy=full;screen=no"}),
    ],
)
def test_our_number_is_asserted_whatever_is_shown(identity: str, shown: str, headers: dict[str, str]) -> None:
    trunk = make_trunk(identity=identity, asserts="did")
    variables = dress(route(shown, "caller" if shown else "anonymous", identity=DID), trunk, OTHER)
    written = {name: value for name, value in variables.items() if name.startswith("PJSIP_HEADER")}
    assert written == {f"PJSIP_HEADER(add,{name})": value for name, value in headers.items()}


def test_a_trunk_that_reads_the_from_alone_gets_no_header() -> None:
    variables = dress(route(CALLER, "caller", identity=DID), make_trunk(identity="from", asserts="did"), OTHER)
    assert not any(name.startswith("PJSIP_HEADER") for name in variables)
