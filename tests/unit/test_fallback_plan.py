"""A plan as the dialplan's variables."""

from __future__ import annotations

from dataclasses import replace

from router.fallback_plan import MOST_LEGS, merged, recording, variables, whisper
from router.model import Accept, Hunt, Plan, Prompt, Route, Sound, Step, Target
from router.spoken import kept_name
from tests.build import DID, make_config, make_trunk

CALLER = "+33140000001"


def target(name: str, *routes: Route, accept: Accept = Accept.PRESS_1) -> Target:
    return Target(name, name.title(), routes or (Route("main", f"PJSIP/{name}@trunk", DID),), accept)


def plan(*hunts: Hunt, accept_timeout: float = 15.0) -> Plan:
    return Plan(hunts, accept_timeout, ())


ALICE, BOB, CAROL = target("alice"), target("bob"), target("carol", accept=Accept.NONE)
TRUNKS = {"main": make_trunk(), "b": make_trunk("b", asserts="did"), "c": make_trunk("c", identity="from")}


def told(made: Plan) -> dict[str, str]:
    return dict(variables(made, TRUNKS, DID))


def test_each_hunt_has_its_steps_and_its_wait() -> None:
    hunts = (Hunt((Step((ALICE, BOB), 20.0),), 60.0), Hunt((Step((CAROL,), 0.2), Step((ALICE,), 9.6)), 30.4))
    found = told(plan(*hunts, accept_timeout=7.6))
    assert {name: value for name, value in found.items() if "STEP" in name or "WAIT" in name} == {
        "CALLROUTER_STEP_1": "1,20,Local/1@callrouter-leg/n&Local/2@callrouter-leg/n",
        "CALLROUTER_STEP_2": "2,1,Local/3@callrouter-leg/n",
        "CALLROUTER_STEP_3": "2,10,Local/4@callrouter-leg/n",
        "CALLROUTER_STEPS": "3",
        "CALLROUTER_WAIT_1": "60",
        "CALLROUTER_WAIT_2": "30",
    }
    assert found["_CALLROUTER_WHO_3"] == "carol,none,1~PJSIP/carol@trunk"
    assert (found["__CALLROUTER_ACCEPT"], found["CALLROUTER_LEGS"]) == ("8", "4")


def test_steps_that_keep_the_earlier_people_are_one() -> None:
    steps = (Step((ALICE,), 5.0, keep=True), Step((BOB, ALICE), 10.0, keep=True), Step((CAROL,), 3.0))
    assert merged(steps) == [((ALICE, BOB), 15.0), ((CAROL,), 3.0)]


def test_a_way_is_shown_as_its_trunk_wants_and_once_more_as_ours_where_it_is_refused() -> None:
    routes = (
        Route("main", "PJSIP/1@trunk", CALLER, "caller"),
        Route("main", "PJSIP/1@trunk", DID, "did", refused_only=True),
        Route("b", "PJSIP/1@b", "", "anonymous", identity=DID, diversion=DID),
        Route("c", "PJSIP/1@c", CALLER, "caller"),
    )
    found = told(plan(Hunt((Step((target("alice", *routes),), 20.0),), 60.0)))
    assert found["_CALLROUTER_WHO_1"] == "alice,press-1,1~PJSIP/1@trunk,2~PJSIP/1@b,3~PJSIP/1@c"
    assert found["__CALLROUTER_DRESS_1"] == f"main^caller^{CALLER}^{CALLER}^^"
    assert found["__CALLROUTER_RETRY_1"] == f"main^did^{DID}^{DID}^^"
    assert found["__CALLROUTER_DRESS_2"] == f"b^anonymous^^{DID}^P-Asserted-Identity^{DID}"
    assert found["__CALLROUTER_RETRY_2"] == found["__CALLROUTER_RETRY_3"] == ""


def test_an_anonymous_leg_without_an_identity_is_one_of_ours() -> None:
    found = told(plan(Hunt((Step((target("alice", Route("gone", "PJSIP/1@x", "", "anonymous")),), 20.0),), 60.0)))
    assert found["__CALLROUTER_DRESS_1"] == f"gone^anonymous^^{DID}^^"


def test_no_more_legs_than_a_record_holds() -> None:
    crowd = tuple(target(f"p{index}") for index in range(MOST_LEGS + 5))
    found = told(plan(Hunt((Step(crowd, 20.0), Step((ALICE,), 20.0)), 60.0)))
    assert found["CALLROUTER_LEGS"] == str(MOST_LEGS)
    assert found["CALLROUTER_STEPS"] == "1"


def test_a_recording_has_the_name_that_the_router_gave_it() -> None:
    for config in (make_config(), make_config(speech=["say", "{text}", "{file}"])):
        name = kept_name(config.speech, config.language, "Bonjour, à vous")
        assert recording(config, Sound("Bonjour, à vous"), "/kept") == f"/kept/{name}".removesuffix(".wav")
    assert recording(make_config(), Sound(file="/srv/own.wav"), "/x") == "/srv/own"


def test_the_whisper_says_nothing_of_what_is_not_known() -> None:
    said = replace(plan(), whisper=(Sound(file="/srv/own.wav"), Prompt.NEW_CALLER, Prompt.PRESS_1))
    assert whisper(make_config(), said, "/kept", "/prompts") == ["/srv/own", "/prompts/press-1"]
