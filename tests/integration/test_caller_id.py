"""What a mobile's network is told of whose call it is: the INVITEs that really leave, one for each setting."""

from __future__ import annotations

import re
from typing import Any, Final

import pytest

from sandbox.behaviours import Answer, Screened
from tests.integration.site import ALICE, Site, campaigns
from tests.integration.withheld import ANONYMOUS, Nameless, withheld

pytestmark = pytest.mark.asterisk

SHOWS_DID, SHOWS_CALLER, SHOWS_NOBODY, SHOWS_FIXED = (f"+3318480102{digit}" for digit in range(4))
FIXED: Final = "+33184801077"
CALLER: Final = "+33140107771"
FORGED: Final = "+33199999999"


def trunk(endpoint: str, identity: str, asserts: str, diversion: bool = False, **more: Any) -> dict[str, Any]:
    dial = {"dial": f"PJSIP/{{number}}@{endpoint}", "endpoint": endpoint}
    return {**dial, "identity": identity, "asserts": asserts, "diversion": diversion, **more}


TRUNKS: Final = {
    "pai": trunk("pai", "pai", "shown"),
    "pai-div": trunk("pai-diversion", "pai", "shown", True),
    "pai-did": trunk("bare", "pai", "did"),
    "rpid": trunk("rpid", "rpid", "shown"),
    "rpid-did-div": trunk("bare-diversion", "rpid", "did", True),
    "from": trunk("bare", "from", "shown"),
    "from-did": trunk("bare", "from", "did"),
    # An administrator's endpoint that sends what campaigns.yaml does not ask for.
    "open": trunk("rpid-diversion", "rpid", "shown"),
}
"""In the order in which they are tried; each endpoint is what `callrouter asterisk conf` writes for it."""


@pytest.fixture(scope="module", autouse=True)
def trunks(site: Site) -> None:
    content = campaigns(site.asterisk)
    content["asterisk"]["trunks"] = TRUNKS
    ring = {"to": ["alice"], "timeout": "10s", "max_wait": "30s"}
    rules = {SHOWS_DID: "did", SHOWS_CALLER: "caller", SHOWS_NOBODY: "anonymous", SHOWS_FIXED: FIXED}
    content["campaigns"] = {
        f"shows-{rule.strip('+')}": {"numbers": [did], "caller_id": rule, "ring": ring}
        for did, rule in rules.items()
    }
    site.configure(content)


# --- The golden INVITEs -----------------------------------------------------------------------------------


def headers(*, shown: str, ours: str) -> dict[str, tuple[str, ...]]:
    """Trunk -> the lines of its INVITE that say whose call it is, for a leg that shows `shown`."""
    who = f"From: <sip:{shown}@HERE>"
    diverted = f"Diversion: <sip:{ours}@HERE>;reason=unconditional"
    rpid = "party=calling;privacy=off;screen=no"
    return {
        "pai": (who, f"P-Asserted-Identity: <sip:{shown}@HERE>"),
        "pai-div": (who, f"P-Asserted-Identity: <sip:{shown}@HERE>", diverted),
        "pai-did": (who, f"P-Asserted-Identity: <tel:{ours}>"),
        "rpid": (who, f"Remote-Party-ID: <sip:{shown}@HERE>;{rpid}"),
        "rpid-did-div": (who, f"Remote-Party-ID: <tel:{ours}>;{rpid}", diverted),
        "from": (who,),
        "from-did": (who,),
        "open": (who, f"Remote-Party-ID: <sip:{shown}@HERE>;{rpid}"),
    }


def hidden(*, ours: str) -> dict[str, tuple[str, ...]]:
    """The same for an anonymous leg: what is asserted is ours, for the carrier's eyes only."""
    who = f"From: {ANONYMOUS}"
    diverted = f"Diversion: <sip:{ours}@anonymous.invalid>;reason=unconditional"
    rpid = "party=calling;privacy=full;screen=no"
    return {
        "pai": (who, f"P-Asserted-Identity: <sip:{ours}@HERE>", "Privacy: id"),
        "pai-div": (who, f"P-Asserted-Identity: <sip:{ours}@HERE>", "Privacy: id", diverted),
        "pai-did": (who, f"P-Asserted-Identity: <tel:{ours}>", "Privacy: id"),
        "rpid": (who, f"Remote-Party-ID: <sip:{ours}@HERE>;{rpid}"),
        "rpid-did-div": (who, f"Remote-Party-ID: <tel:{ours}>;{rpid}", diverted),
        "from": (who,),
        "from-did": (who,),
        "open": (who, f"Remote-Party-ID: <sip:{ours}@HERE>;{rpid}"),
    }


ORDER: Final = ("From", "P-Asserted-Identity", "Remote-Party-ID", "Privacy", "Diversion", "History-Info")


def sent(site: Site) -> dict[str, tuple[str, ...]]:
    """Trunk -> such lines of the INVITE that left over it."""
    invites = [dialog.invite for dialog in site.carrier.calls(ALICE)]
    assert len(invites) == len(TRUNKS)
    return {name: _identity(invite) for name, invite in zip(TRUNKS, invites, strict=True)}


def _identity(invite: Any) -> tuple[str, ...]:
    found = [(name, value) for name, value in invite.headers if name in ORDER]
    lines = [f"{name}: {value}" for name, value in sorted(found, key=lambda each: ORDER.index(each[0]))]
    return tuple(re.sub(r"@127\.0\.0\.1(:\d+)?", "@HERE", line.partition(";tag=")[0]) for line in lines)


def text_of(site: Site) -> str:
    """Every INVITE that reached the mobile, whole."""
    return "\n".join(str(dialog.invite) for dialog in site.carrier.calls(ALICE))


@pytest.mark.parametrize(
    ("did", "mode", "expected"),
    [
        (SHOWS_DID, "did", headers(shown=SHOWS_DID, ours=SHOWS_DID)),
        (SHOWS_CALLER, "caller", headers(shown=CALLER, ours=SHOWS_CALLER)),
        (SHOWS_FIXED, "fixed", headers(shown=FIXED, ours=SHOWS_FIXED)),
        (SHOWS_NOBODY, "anonymous", hidden(ours=SHOWS_NOBODY)),
    ],
)
def test_what_each_trunk_is_told_of_a_caller_with_a_number(
    running: Site, did: str, mode: str, expected: dict[str, tuple[str, ...]]
) -> None:
    running.mobiles({})
    # The caller's side names itself in every header that there is.
    named = {
        "P-Asserted-Identity": f'"Evil Name" <sip:{CALLER}@carrier>',
        "Remote-Party-ID": f'"Evil Name" <sip:{CALLER}@carrier>;party=calling',
        "Diversion": f'"Evil Name" <sip:{FORGED}@carrier>;reason=unconditional;counter=2',
    }
    call = Nameless(running, did, from_number=CALLER, from_name="Evil Name", headers=named)
    assert call.ended()["outcome"] == "unreachable"
    assert sent(running) == expected
    text = text_of(running)
    assert FORGED not in text
    assert "Evil" not in text
    assert "carrier" not in text
    assert (CALLER[3:] in text) is (mode == "caller")
    assert {attempt["caller_id"] for attempt in call.attempts()} == {mode}


@pytest.mark.parametrize(
    ("did", "mode", "expected"),
    [
        (SHOWS_DID, "did", headers(shown=SHOWS_DID, ours=SHOWS_DID)),
        (SHOWS_CALLER, "anonymous", hidden(ours=SHOWS_CALLER)),
        (SHOWS_FIXED, "fixed", headers(shown=FIXED, ours=SHOWS_FIXED)),
        (SHOWS_NOBODY, "anonymous", hidden(ours=SHOWS_NOBODY)),
    ],
)
def test_the_number_of_a_caller_who_withholds_it_leaves_over_no_trunk(
    running: Site, did: str, mode: str, expected: dict[str, tuple[str, ...]]
) -> None:
    running.mobiles({})
    # The carrier asserts it to us all the same, as it must for emergency services and billing.
    asserted = {"P-Asserted-Identity": f'"Jean Dupont" <sip:{CALLER}@carrier>', "Privacy": "id"}
    call = withheld(running, did, headers=asserted)
    assert call.ended()["caller_id"] == "withheld"
    assert sent(running) == expected
    text = text_of(running)
    assert CALLER[3:] not in text
    assert "Dupont" not in text
    assert {attempt["caller_id"] for attempt in call.attempts()} == {mode}
    assert CALLER[3:] not in running.log


def test_a_number_that_is_not_whole_is_not_shown(running: Site) -> None:
    running.mobiles({})
    Nameless(running, SHOWS_CALLER, from_number="7771").ended()
    assert sent(running) == headers(shown=SHOWS_CALLER, ours=SHOWS_CALLER)


# --- A carrier that refuses the caller ID -----------------------------------------------------------------


def test_a_refused_caller_id_is_tried_once_more_as_ours_on_the_same_trunk(running: Site) -> None:
    running.mobiles({ALICE: Screened(allowed=(SHOWS_CALLER,))})
    call = running.call(SHOWS_CALLER, hang_up_after=0.2)
    row = call.ended()
    assert (row["outcome"], row["salesperson"]) == ("answered", "alice")
    first, second = call.attempts()
    assert (first["trunk"], first["caller_id"], first["result"], first["sip_status"], first["note"]) == (
        "pai",
        "caller",
        "unreachable",
        403,
        None,
    )
    assert (second["trunk"], second["caller_id"], second["result"]) == ("pai", "did", "accepted")
    assert "refused the caller ID" in second["note"]
    refused, taken = (dialog.invite for dialog in running.carrier.calls(ALICE))
    assert (call.number in refused.header("From"), SHOWS_CALLER in taken.header("From")) == (True, True)
    assert call.number[1:] not in str(taken)
    shown = running.run("calls", "show", row["id"])
    assert "refused the caller ID" in " ".join(shown.stdout.split())


def test_refused_as_ours_too_the_next_trunk_is_tried(running: Site) -> None:
    running.mobiles({ALICE: Screened(allowed=("nobody",))})
    call = running.call(SHOWS_CALLER)
    assert call.ended()["outcome"] == "unreachable"
    tried = [(attempt["trunk"], attempt["caller_id"]) for attempt in call.attempts()]
    assert tried == [(name, mode) for name in TRUNKS for mode in ("caller", "did")]
    assert {attempt["sip_status"] for attempt in call.attempts()} == {403}


def test_an_anonymous_call_that_is_refused_is_tried_as_ours(running: Site) -> None:
    running.mobiles({ALICE: Screened(allowed=(SHOWS_NOBODY,), then=Answer(0.1))})
    call = running.call(SHOWS_NOBODY, hang_up_after=0.1)
    assert call.ended()["outcome"] == "answered"
    assert [attempt["caller_id"] for attempt in call.attempts()] == ["anonymous", "did"]


def test_our_own_number_refused_is_not_tried_again(running: Site) -> None:
    running.mobiles({ALICE: Screened(allowed=("nobody",))})
    call = running.call(SHOWS_DID)
    assert call.ended()["outcome"] == "unreachable"
    assert [attempt["trunk"] for attempt in call.attempts()] == list(TRUNKS)
