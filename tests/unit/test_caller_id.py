"""What is dialled over each trunk, what the mobile shows, what is asserted, and what follows a refusal."""

from __future__ import annotations

import pytest

from router.caller_id import find_ways, routes
from router.model import Caller, Config, Did, Reason, Route, Trunk
from tests.build import ALICE, CALLER, DID, make_campaign, make_config, make_trunk

OTHER = "+33184801002"
FOREIGN = "+33145000000"


def found(
    rule: str,
    caller: str | None = CALLER,
    *trunks: Trunk,
    did: str = DID,
    down: frozenset[str] = frozenset(),
    config: Config | None = None,
) -> tuple[tuple[Route, ...], list[Reason]]:
    config = config or make_config(trunks=trunks or [make_trunk()])
    reasons: list[Reason] = []
    ways = find_ways(config, rule, "campaigns.x.caller_id", Did(did, "exten"), Caller(caller), down, reasons)
    return routes(ALICE, ways, config.country), reasons


# --- What the mobile shows ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "caller", "shown", "mode", "why"),
    [
        ("did", CALLER, DID, "did", "the number dialled"),
        ("did", None, DID, "did", "the number dialled"),
        ("anonymous", CALLER, "", "anonymous", "anonymous"),
        (FOREIGN, CALLER, FOREIGN, "fixed", f"always {FOREIGN}"),
        (FOREIGN, None, FOREIGN, "fixed", f"always {FOREIGN}"),
        ("caller", CALLER, CALLER, "caller", "the caller's"),
        ("caller", None, "", "anonymous", "the caller's, who is withheld: anonymous"),
        ("caller", "3615", DID, "did", "the caller's is no full number: ours"),
        ("caller", "0145678901", DID, "did", "the caller's is no full number: ours"),
    ],
)
def test_the_mobile_shows_what_the_rule_says(
    rule: str, caller: str | None, shown: str, mode: str, why: str
) -> None:
    ways, reasons = found(rule, caller)
    assert (ways[0].caller_id, ways[0].mode, ways[0].refused_only) == (shown, mode, False)
    assert reasons == [Reason("campaigns.x.caller_id", why)]


def test_an_unknown_did_is_never_shown_but_the_first_of_our_numbers_or_none() -> None:
    ways, reasons = found("did", did=FOREIGN)
    assert [way.caller_id for way in ways] == [DID]
    assert reasons[0].text == "the first of our numbers"
    ways, _ = found("did", did=FOREIGN, config=make_config(campaigns=[]))
    assert ways == (Route("main", f"PJSIP/{ALICE}@trunk", "", "did"),)


def test_the_number_dialled_is_shown_not_the_campaigns_first() -> None:
    config = make_config(campaigns=[make_campaign(numbers=[DID, OTHER])])
    assert found("did", did=OTHER, config=config)[0][0].caller_id == OTHER


def test_a_trunks_own_rule_goes_before_the_campaigns() -> None:
    trunks = (make_trunk(), make_trunk("strict", endpoint="strict", caller_id="did"), make_trunk("third"))
    ways, reasons = found("caller", CALLER, *trunks)
    assert [(way.trunk, way.mode, way.refused_only) for way in ways] == [
        ("main", "caller", False),
        ("main", "did", True),
        ("strict", "did", False),
        ("third", "caller", False),
        ("third", "did", True),
    ]
    assert reasons == [
        Reason("campaigns.x.caller_id", "the caller's"),
        Reason("asterisk.trunks.strict.caller_id", "the number dialled"),
    ]


# --- What is asserted ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "asserts", "identity", "behind"),
    [
        ("did", "shown", "", None),
        ("did", "did", DID, None),
        ("caller", "shown", "", ""),
        ("caller", "did", DID, DID),
        ("anonymous", "shown", DID, ""),
        ("anonymous", "did", DID, DID),
        (FOREIGN, "shown", "", ""),
        (FOREIGN, "did", DID, DID),
    ],
)
@pytest.mark.parametrize("diversion", [True, False])
def test_every_mode_asserts_and_diverts_as_the_trunk_wants(
    rule: str, asserts: str, identity: str, behind: str | None, diversion: bool
) -> None:
    ways, _ = found(rule, CALLER, make_trunk(asserts=asserts, diversion=diversion))
    assert ways[0].identity == identity
    assert [way.identity for way in ways[1:]] == ([] if behind is None else [behind])
    assert {way.diversion for way in ways} == {DID if diversion else ""}


def test_behind_every_way_but_as_did_the_same_trunk_follows_as_did_for_a_refusal() -> None:
    ways, _ = found("caller")
    assert ways == (
        Route("main", f"PJSIP/{ALICE}@trunk", CALLER, "caller"),
        Route("main", f"PJSIP/{ALICE}@trunk", DID, "did", refused_only=True),
    )


def test_what_was_refused_is_not_sent_again_unchanged() -> None:
    ways, _ = found(DID)
    assert [(way.caller_id, way.mode) for way in ways] == [(DID, "fixed")]
    ways, _ = found("anonymous", config=make_config(campaigns=[]))
    assert [way.mode for way in ways] == ["anonymous"]


def test_a_withheld_caller_is_anonymous_and_the_carrier_bills_a_number_of_ours() -> None:
    ways, _ = found("caller", None)
    assert (ways[0].caller_id, ways[0].mode, ways[0].identity) == ("", "anonymous", DID)
    assert (ways[1].caller_id, ways[1].refused_only) == (DID, True)


# --- The trunks ---------------------------------------------------------------------------------------------


def test_a_trunk_that_is_down_is_tried_last() -> None:
    trunks = [make_trunk(), make_trunk("second"), make_trunk("third")]
    ways, reasons = found("caller", CALLER, *trunks, down=frozenset({"main", "gone"}))
    assert [way.trunk for way in ways] == ["second", "second", "third", "third", "main", "main"]
    assert reasons[-1] == Reason("asterisk.trunks.main", "down: tried last")
    ways, reasons = found("did", CALLER, *trunks, down=frozenset({"main", "second", "third"}))
    assert [way.trunk for way in ways] == ["main", "second", "third"]
    assert len(reasons) == 4


def test_every_trunk_is_a_way_in_its_order_and_format() -> None:
    trunks = [
        make_trunk(),
        make_trunk("plain", "PJSIP/{number}@plain", endpoint="plain", number_format="plain"),
        make_trunk("national", "PJSIP/9{number}@{number}", endpoint="national", number_format="national"),
    ]
    assert found("did", CALLER, *trunks)[0] == (
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
    config = make_config(country=country, trunks=[make_trunk(number_format="national")])
    ways = find_ways(config, "did", "x", Did(DID, "exten"), Caller(CALLER), frozenset(), [])
    assert routes(mobile, ways, country)[0].endpoint == f"PJSIP/{dialled}@trunk"
