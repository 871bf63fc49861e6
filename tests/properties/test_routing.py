"""Whatever arrives, whatever is configured and whatever happened before: who may be rung, and what may be shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from router.model import (
    OVERFLOW,
    Acquaintance,
    Campaign,
    Config,
    Decision,
    Overflow,
    Ring,
    RingStep,
    Route,
    Salesperson,
    Situation,
    Strategy,
    Withheld,
)
from router.routing import decide
from tests.build import (
    ALICE,
    BOB,
    CALLER,
    CAROL,
    DID,
    VIP,
    make_campaign,
    make_config,
    make_inbound,
    make_overflow,
    make_ring,
    make_salesperson,
    make_screening,
    make_step,
    make_trunk,
    make_vip,
)

OPEN = datetime(2026, 11, 24, 10, 0, tzinfo=ZoneInfo("Europe/Paris"))
NIGHT = datetime(2026, 11, 24, 23, 0, tzinfo=ZoneInfo("Europe/Paris"))
NOW = OPEN.timestamp()
OTHER = "+33184801002"
SWITCHBOARD = "+33145000000"
MOBILES = {"alice": ALICE, "bob": BOB, "carol": CAROL, "dave": "+33611223344"}
NUMBERS = {*MOBILES.values(), SWITCHBOARD}
IDS = tuple(MOBILES)


# --- Anything that may stand in the file --------------------------------------------------------------------

some = st.lists(st.sampled_from(IDS), min_size=1, max_size=4, unique=True)


@st.composite
def by_hand(draw: st.DrawFn) -> Ring:
    """Steps of which each person stands in one."""
    left = list(draw(some))
    steps: list[RingStep] = []
    while left:
        count = draw(st.integers(1, len(left)))
        steps.append(make_step(left[:count], 10.0, keep=bool(steps) and draw(st.booleans())))
        left = left[count:]
    return make_ring(steps=steps, timeout=15, max_wait=120, sticky=draw(st.sampled_from([0.0, 3600.0])))


@st.composite
def by_rule(draw: st.DrawFn) -> Ring:
    people = draw(some)
    strategy = draw(st.sampled_from(list(Strategy)))
    weights = {person: draw(st.integers(1, 1000)) for person in people}
    return make_ring(
        people,
        strategy=strategy,
        timeout=10,
        max_wait=120,
        weights=weights,
        sticky=draw(st.sampled_from([0.0, 3600.0])),
    )


rings = by_rule() | by_hand()
overflows = st.none() | st.builds(
    lambda ring, number, words: make_overflow(ring=ring, number=number, announcement=words),
    st.none() | rings,
    st.sampled_from(["", SWITCHBOARD]),
    st.sampled_from([None, "Sorry."]),
)
caller_ids = st.sampled_from(["did", "caller", "anonymous", OTHER])
hostile = st.text(max_size=60) | st.sampled_from(
    [
        *(DID, ALICE, OTHER, CALLER, VIP, SWITCHBOARD, "s", "h"),
        *("${SHELL(id)}", "1@evil&PJSIP/2@evil", "{number}", "<sip:+33184801001@x>,<tel:112>"),
    ]
)


@st.composite
def configs(draw: st.DrawFn) -> Config:
    def campaign(id: str, numbers: tuple[str, ...]) -> Campaign:
        ring: Ring = draw(rings)
        overflow: Overflow | None = draw(overflows)
        closed: Overflow | None = draw(overflows)
        hours = draw(st.sampled_from([None, "office"]))
        rule = draw(caller_ids)
        return make_campaign(id, numbers, hours=hours, caller_id=rule, ring=ring, overflow=overflow, closed=closed)

    people: list[Salesperson] = [
        make_salesperson(id, mobile, absent=["2026-11-24"] if draw(st.booleans()) else [])
        for id, mobile in MOBILES.items()
    ]
    sources = ["exten", "to", "diversion", "p-called-party-id", "x-did"]
    trunks = [
        make_trunk(
            id,
            f"PJSIP/{{number}}@{id}",
            endpoint=id,
            did_from=sources,
            caller_id=draw(st.just("") | caller_ids),
            asserts=draw(st.sampled_from(["shown", "did"])),
            diversion=draw(st.booleans()),
        )
        for id in ("main", "spare")
    ]
    return make_config(
        campaigns=[campaign("spring-flyer", (DID,))],
        unknown=campaign("unknown", ()),
        salespeople=people,
        trunks=trunks,
        screening=make_screening(
            draw(st.lists(st.sampled_from(["+3389*", CALLER]), unique=True)),
            vips=[make_vip(to=["dave"])],
            withheld=draw(st.sampled_from(list(Withheld))),
            max_per_minute=draw(st.none() | st.just(2)),
        ),
    )


times = st.dictionaries(st.sampled_from(IDS), st.floats(0, NOW))
situations = st.builds(
    Situation,
    seed=st.integers(0, 2**64 - 1),
    paused=st.dictionaries(st.sampled_from(IDS), st.none() | st.floats(NOW - 9e4, NOW + 9e4)),
    first=st.dictionaries(st.sampled_from(["spring-flyer", "unknown"]), st.sampled_from([*IDS, OVERFLOW, "gone"])),
    last_rung=times,
    last_talk=times,
    known=st.dictionaries(
        st.sampled_from([CALLER, VIP]),
        st.builds(
            Acquaintance, st.just(NOW), st.sampled_from([*IDS, "", OVERFLOW, "gone"]), st.floats(NOW - 7200, NOW)
        ),
    ),
    owed=st.frozensets(st.tuples(st.just("spring-flyer"), st.just(CALLER))),
    recent=st.dictionaries(st.sampled_from([CALLER, VIP]), st.integers(0, 5)),
    trunks_down=st.frozensets(st.sampled_from(["main", "spare"])),
)
callers = st.sampled_from([CALLER, VIP, SWITCHBOARD, "3615", "anonymous", *MOBILES.values()])


# --- What always holds --------------------------------------------------------------------------------------


def routes(decision: Decision) -> list[Route]:
    hunts = decision.plan.hunts if decision.plan else ()
    return [route for hunt in hunts for step in hunt.steps for target in step.targets for route in target.routes]


def check_shape(decision: Decision) -> None:
    if decision.plan is None:
        assert (decision.refused is None) == (decision.staff is not None)
        assert not decision.challenge
        return
    assert decision.refused is None
    assert decision.staff is None
    assert 1 <= len(decision.plan.hunts) <= 2
    for hunt in decision.plan.hunts:
        assert hunt.steps
        assert hunt.max_wait > 0
        assert not hunt.steps[0].keep
        for step in hunt.steps:
            assert step.targets
            assert step.timeout > 0
            assert all(target.routes and not target.routes[0].refused_only for target in step.targets)


def away(config: Config, situation: Situation, at: datetime) -> set[str]:
    paused = {id for id, until in situation.paused.items() if until is None or until > at.timestamp()}
    return paused | {person.id for person in config.salespeople.values() if person.absent}


def expected(config: Config, ring: Ring, situation: Situation, at: datetime) -> set[str]:
    return set(ring.to) - away(config, situation, at)


def any_call(test: Callable[..., None]) -> Callable[..., None]:
    """With any configuration, situation and caller, in opening hours and at night."""
    asked = given(
        config=configs(),
        situation=situations,
        caller=callers,
        withheld=st.booleans(),
        at=st.sampled_from([OPEN, NIGHT]),
    )
    return settings(max_examples=400, deadline=None)(asked(test))


@any_call
def test_nobody_away_is_rung_and_everybody_present_once_a_hunt(
    config: Config, situation: Situation, caller: str, withheld: bool, at: datetime
) -> None:
    decision = decide(config, make_inbound(caller=caller, withheld=withheld, endpoint="main"), at, situation)
    check_shape(decision)
    if decision.plan is None:
        return
    campaign = config.campaigns["spring-flyer"]
    rules = {reason.rule for reason in decision.reasons}
    vip = "screening.vips.big-account" in rules
    is_open = vip or campaign.hours is None or at is OPEN
    first = make_ring(["dave"]) if vip else campaign.ring
    after = campaign.overflow if is_open else campaign.closed
    wanted = [expected(config, first, situation, at)] if is_open else []
    second = expected(config, after.ring, situation, at) if after and after.ring else set()
    if after and after.number and decision.caller.number != after.number:
        second = second | {OVERFLOW}
    hunts = [
        Counter(target.salesperson for step in hunt.steps for target in step.targets)
        for hunt in decision.plan.hunts
    ]
    assert hunts == [Counter(people) for people in (*wanted, second) if people]


@any_call
def test_a_callers_number_is_shown_by_the_rule_caller_alone_and_never_when_withheld(
    config: Config, situation: Situation, caller: str, withheld: bool, at: datetime
) -> None:
    decision = decide(config, make_inbound(caller=caller, withheld=withheld, endpoint="main"), at, situation)
    for route in routes(decision):
        shown = {route.caller_id, route.identity, route.diversion}
        allowed = {route.caller_id} if route.mode == "caller" else set()
        assert decision.caller.number not in shown - allowed
        assert (route.mode == "caller") <= (route.caller_id == decision.caller.number)
        if withheld:
            assert route.mode != "caller"
            assert caller not in shown
        assert (route.mode == "anonymous") == (route.caller_id == "")
        assert route.identity in ("", DID)
        assert route.diversion in ("", DID)
    for behind, route in zip(routes(decision), routes(decision)[1:], strict=False):
        if route.refused_only:
            assert (route.trunk, route.endpoint, route.mode) == (behind.trunk, behind.endpoint, "did")
            assert behind.caller_id != route.caller_id


@any_call
def test_no_reason_holds_a_callers_number_or_a_mobile(
    config: Config, situation: Situation, caller: str, withheld: bool, at: datetime
) -> None:
    decision = decide(config, make_inbound(caller=caller, withheld=withheld, endpoint="main"), at, situation)
    told = repr(decision.reasons)
    assert not any(number[3:] in told for number in (*MOBILES.values(), CALLER, VIP, SWITCHBOARD))


@settings(max_examples=400, deadline=None)
@given(
    config=configs(),
    situation=situations,
    exten=hostile,
    caller=hostile,
    name=hostile,
    endpoint=hostile,
    headers=st.dictionaries(st.sampled_from(["to", "diversion", "p-called-party-id", "x-did"]), hostile),
    withheld=st.booleans(),
)
def test_whatever_arrives_only_the_files_numbers_are_dialled(
    config: Config,
    situation: Situation,
    exten: str,
    caller: str,
    name: str,
    endpoint: str,
    headers: dict[str, str],
    withheld: bool,
) -> None:
    inbound = make_inbound(exten, caller, endpoint=endpoint, headers=headers, name=name, withheld=withheld)
    decision = decide(config, inbound, OPEN, situation)
    check_shape(decision)
    for route in routes(decision):
        assert route.endpoint in {f"PJSIP/{number}@{route.trunk}" for number in NUMBERS}
        assert route.caller_id in {DID, OTHER, ""} | ({decision.caller.number} if route.mode == "caller" else set())
        assert _is_a_number_or_empty(route.caller_id)


def _is_a_number_or_empty(text: str) -> bool:
    return text == "" or (text[0] == "+" and text[1:].isascii() and text[1:].isdigit() and len(text) <= 16)
