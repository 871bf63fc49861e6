"""What a campaign says of ringing, and what it has from the defaults."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from router.model import (
    Accept,
    Campaign,
    Config,
    Overflow,
    Ring,
    RingStep,
    Screening,
    Sound,
    Speech,
    Strategy,
    Vip,
    Voicemail,
    Withheld,
)
from tests.build import make_overflow, make_ring, make_step
from tests.campaign_file import GOOD, problems, read, spoilt

DEFAULTS = "{strategy: sequential, timeout: 20s, max_wait: 60s}"
RING = "{strategy: all, to: [bob], timeout: 25s}"
SPRING = "{to: [alice, bob]}"


def ring(folder: Path, own: str, defaults: str = DEFAULTS) -> Ring:
    """The poster's ring."""
    return read(folder, GOOD.replace(RING, own).replace(DEFAULTS, defaults)).campaigns["poster"].ring


def poster(folder: Path, own: str, defaults: str = "") -> Campaign:
    """The poster with more keys, and defaults with more keys."""
    text = spoilt("  accept: none\n", f"  {defaults}\n")
    return read(folder, text.replace("    callback: none\n", f"    callback: none\n    {own}\n")).campaigns[
        "poster"
    ]


def top(folder: Path, text: str) -> Config:
    return read(folder, f"{text}\n{GOOD}")


# --- ring ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", [one for one in Strategy if one is not Strategy.WEIGHTED])
def test_every_strategy(tmp_path: Path, strategy: Strategy) -> None:
    found = ring(tmp_path, f"{{strategy: {strategy}, to: [bob, alice]}}")
    assert found == make_ring(["bob", "alice"], strategy=strategy)


def test_weights(tmp_path: Path) -> None:
    found = ring(tmp_path, "{strategy: weighted, to: [bob, alice], weights: {alice: 70, bob: 1000}}")
    assert found == make_ring(["bob", "alice"], strategy=Strategy.WEIGHTED, weights={"alice": 70, "bob": 1000})
    assert list(found.weights) == ["bob", "alice"]


def test_weights_of_the_defaults_are_those_of_whoever_is_rung(tmp_path: Path) -> None:
    shared = "{strategy: weighted, weights: {alice: 70, bob: 30}}"
    found = ring(tmp_path, "{to: [bob]}", shared)
    assert (found.to, dict(found.weights)) == (("bob",), {"bob": 30})


def test_a_weight_that_the_defaults_lack_is_missed_where_it_is_needed(tmp_path: Path) -> None:
    text = GOOD.replace(DEFAULTS, "{strategy: weighted, weights: {alice: 70}}").replace(RING, "{to: [alice, bob]}")
    found = {one.path: one for one in problems(tmp_path, text)}
    assert set(found) == {"campaigns.spring-flyer.ring.weights", "campaigns.poster.ring.weights"}
    assert found["campaigns.poster.ring.weights"].line == GOOD[: GOOD.index(RING)].count("\n") + 1
    assert "missing for bob" in found["campaigns.poster.ring.weights"].wrong


def test_another_strategy_leaves_the_weights_of_the_defaults_behind(tmp_path: Path) -> None:
    shared = "{strategy: weighted, weights: {alice: 70, bob: 30}}"
    assert ring(tmp_path, "{strategy: all, to: [bob]}", shared) == make_ring(["bob"], strategy=Strategy.ALL)


def test_weights_beside_another_strategy_in_the_defaults(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, spoilt(DEFAULTS, "{strategy: all, weights: {alice: 70, bob: 30}}"))
    assert (problem.path, problem.wrong) == ("defaults.ring.weights", "count only with strategy: weighted")


def test_steps(tmp_path: Path) -> None:
    text = "{steps: [{to: [bob], timeout: 15s}, {add: [alice]}, {to: [alice, bob], timeout: 5s}], max_wait: 45s}"
    steps = (
        RingStep(("bob",), 15.0, False),
        RingStep(("alice",), 20.0, True),
        RingStep(("alice", "bob"), 5.0, False),
    )
    assert ring(tmp_path, text) == Ring(Strategy.SEQUENTIAL, ("bob", "alice"), 20.0, 45.0, steps=steps)


def test_a_step_lasts_as_long_as_the_campaigns_own_timeout_says(tmp_path: Path) -> None:
    found = ring(tmp_path, "{steps: [{to: [bob]}], timeout: 7s}")
    assert found == make_ring(steps=[make_step(["bob"], 7.0)], timeout=7.0)


SHARED_STEPS = "{steps: [{to: [alice], timeout: 15s}, {add: [bob], timeout: 10s}], max_wait: 40s}"


@pytest.mark.parametrize("own", ["{to: [bob]}", "{strategy: all, to: [bob]}"])
def test_a_rule_of_its_own_replaces_steps_of_the_defaults(tmp_path: Path, own: str) -> None:
    strategy = Strategy.ALL if "all" in own else Strategy.SEQUENTIAL
    assert ring(tmp_path, own, SHARED_STEPS) == make_ring(["bob"], strategy=strategy, max_wait=40.0)


def test_steps_of_its_own_replace_the_rule_of_the_defaults(tmp_path: Path) -> None:
    shared = "{strategy: weighted, to: [alice], weights: {alice: 1, bob: 1}, sticky: 1h}"
    found = ring(tmp_path, "{steps: [{to: [bob], timeout: 5s}]}", shared)
    assert found == make_ring(steps=[make_step(["bob"], 5.0)], sticky=3600.0)


def test_steps_of_the_defaults_ring_whoever_says_nothing(tmp_path: Path) -> None:
    text = GOOD.replace(DEFAULTS, SHARED_STEPS).replace("    ring: " + RING, "    medium: poster")
    found = read(tmp_path, text).campaigns["poster"].ring
    assert found.to == ("alice", "bob")
    assert [step.keep for step in found.steps] == [False, True]


def test_only_a_strategy_over_steps_of_the_defaults_rings_nobody(tmp_path: Path) -> None:
    found = problems(tmp_path, GOOD.replace(DEFAULTS, SHARED_STEPS).replace(RING, "{strategy: all}"))
    assert [(one.path, one.wrong) for one in found] == [("campaigns.poster", "nobody is rung: ring.to is missing")]


@pytest.mark.parametrize(
    ("own", "shared", "seconds"),
    [
        ("", "", 0.0),
        (", sticky: 30d", "", 30 * 86400.0),
        ("", ", sticky: 30d", 30 * 86400.0),
        (", sticky: 1m", ", sticky: 30d", 60.0),
        (", sticky: none", ", sticky: 30d", 0.0),
    ],
)
def test_sticky(tmp_path: Path, own: str, shared: str, seconds: float) -> None:
    assert ring(tmp_path, f"{{to: [bob]{own}}}", f"{{timeout: 20s{shared}}}").sticky == seconds


# --- accept, whisper, overflow, closed ----------------------------------------------------------------------


def test_press_1_is_what_nobody_need_write(tmp_path: Path) -> None:
    config = read(tmp_path, GOOD.replace("  accept: none\n", ""))
    assert {one.accept for one in (*config.campaigns.values(), config.unknown)} == {Accept.PRESS_1}
    assert {one.accept_timeout for one in config.campaigns.values()} == {15.0}


@pytest.mark.parametrize(
    ("own", "shared", "accept", "timeout"),
    [
        ("accept: none", "accept: press-1", Accept.NONE, 15.0),
        ("accept: press-1", "accept: none", Accept.PRESS_1, 15.0),
        ("accept_timeout: 3s", "accept_timeout: 60s", Accept.PRESS_1, 3.0),
        ("medium: poster", "accept_timeout: 60s", Accept.PRESS_1, 60.0),
    ],
)
def test_the_gate(tmp_path: Path, own: str, shared: str, accept: Accept, timeout: float) -> None:
    found = poster(tmp_path, own, shared)
    assert (found.accept, found.accept_timeout) == (accept, timeout)


SAID = 'whisper: {say: "Le  flyer"}'


@pytest.mark.parametrize(
    ("own", "shared", "whisper"),
    [
        ("medium: poster", "accept: none", None),
        ("medium: poster", SAID, Sound("Le flyer")),
        ("whisper: {say: Poster}", SAID, Sound("Poster")),
        ("whisper: none", SAID, None),
    ],
)
def test_a_whisper(tmp_path: Path, own: str, shared: str, whisper: Sound | None) -> None:
    assert poster(tmp_path, own, shared).whisper == whisper


OVERFLOW = (
    "overflow: {ring: {to: [alice], timeout: 5s}, number: '01 45 00 00 00', timeout: 25s,"
    " announcement: {say: Busy}, voicemail: {announcement: {say: Recorded}, longest: 90s}}"
)
BUILT = make_overflow(
    ring=make_ring(["alice"], timeout=5.0),
    number="+33145000000",
    timeout=25.0,
    announcement="Busy",
    voicemail="Recorded",
    longest=90.0,
)


def test_an_overflow_with_everything(tmp_path: Path) -> None:
    assert poster(tmp_path, OVERFLOW).overflow == BUILT


def test_closed_has_the_same_shape(tmp_path: Path) -> None:
    found = poster(tmp_path, OVERFLOW.replace("overflow:", "closed:"))
    assert (found.closed, found.overflow) == (BUILT, None)


@pytest.mark.parametrize(
    ("text", "built"),
    [
        ("{ring: {to: [alice]}}", Overflow(ring=make_ring(["alice"]))),
        ("{number: '+33145000000'}", Overflow(number="+33145000000", timeout=30.0)),
        ("{announcement: {say: Busy}}", Overflow(announcement=Sound("Busy"))),
        ("{voicemail: {announcement: {say: Go}}}", Overflow(voicemail=Voicemail(Sound("Go"), 120.0))),
    ],
)
def test_each_part_of_an_overflow_may_stand_alone(tmp_path: Path, text: str, built: Overflow) -> None:
    assert poster(tmp_path, f"overflow: {text}").overflow == built


@pytest.mark.parametrize("key", ["overflow", "closed"])
def test_an_overflow_replaces_that_of_the_defaults_as_a_whole(tmp_path: Path, key: str) -> None:
    shared = OVERFLOW.replace("overflow:", f"{key}:")
    assert getattr(poster(tmp_path, "medium: poster", shared), key) == BUILT
    assert getattr(poster(tmp_path, f"{key}: none", shared), key) is None
    assert getattr(poster(tmp_path, f"{key}: {{announcement: {{say: Later}}}}", shared), key) == make_overflow(
        announcement="Later"
    )


def test_its_ring_has_the_times_of_the_defaults_and_nothing_else_of_them(tmp_path: Path) -> None:
    shared = "{strategy: all, to: [bob], timeout: 11s, max_wait: 44s, sticky: 1h}"
    text = GOOD.replace(DEFAULTS, shared).replace("    callback: none\n", "    overflow: {ring: {to: [alice]}}\n")
    found = read(tmp_path, text).campaigns["poster"].overflow
    assert found == make_overflow(ring=make_ring(["alice"], timeout=11.0, max_wait=44.0))


def test_the_unknown_number_may_say_all_that_a_campaign_may(tmp_path: Path) -> None:
    own = f"accept: press-1, accept_timeout: 9s, whisper: {{say: Unknown}}, {OVERFLOW}, closed: none"
    unknown = read(tmp_path, spoilt("{ring: {to: [alice]}}", f"{{ring: {{to: [alice]}}, {own}}}")).unknown
    assert (unknown.accept, unknown.accept_timeout, unknown.whisper) == (Accept.PRESS_1, 9.0, Sound("Unknown"))
    assert (unknown.overflow, unknown.closed) == (BUILT, None)


# --- screening, speech, people, trunks ----------------------------------------------------------------------


def test_no_screening(tmp_path: Path) -> None:
    assert read(tmp_path).screening == Screening()
    assert read(tmp_path).speech == Speech()
    assert top(tmp_path, "screening: {max_per_minute: none}").screening == Screening()


def test_screening(tmp_path: Path) -> None:
    found = top(
        tmp_path,
        "screening: {block: ['0899 123 456', '+33 89*'], withheld: challenge, max_per_minute: 6, vips: {"
        "big: {numbers: ['01 40 00 00 09', '+3314100*'], ring: {strategy: all, to: [bob]}}}}",
    ).screening
    assert found == Screening(
        block=("+33899123456", "+3389*"),
        vips=(Vip("big", ("+33140000009", "+3314100*"), make_ring(["bob"], strategy=Strategy.ALL)),),
        withheld=Withheld.CHALLENGE,
        max_per_minute=6,
    )


def test_a_blocked_number_within_the_beginning_of_a_vips_is_no_contradiction(tmp_path: Path) -> None:
    vips = "vips: {big: {numbers: ['+3314*'], ring: {to: [bob]}}}"
    found = top(tmp_path, f"screening: {{block: ['+33140000009'], {vips}}}").screening
    assert (found.block, found.vips[0].numbers) == (("+33140000009",), ("+3314*",))


@pytest.mark.parametrize("word", list(Withheld))
def test_withheld(tmp_path: Path, word: Withheld) -> None:
    assert top(tmp_path, f"screening: {{withheld: {word}}}").screening.withheld is word


def test_speech(tmp_path: Path) -> None:
    found = top(tmp_path, """speech: {command: "'/opt/my voice' --out={file} -l {language} {text}"}""").speech
    assert found.command == ("/opt/my voice", "--out={file}", "-l", "{language}", "{text}")


def test_a_salespersons_own_limits(tmp_path: Path) -> None:
    person = "max_calls: 0, accept: none, voicemail_after: 20s, mobile"
    config = read(tmp_path, spoilt("name: Alice Martin, mobile", person))
    alice, bob = config.salespeople["alice"], config.salespeople["bob"]
    assert (alice.max_calls, alice.accept, alice.voicemail_after) == (0, Accept.NONE, 20.0)
    assert (bob.max_calls, bob.accept, bob.voicemail_after) == (1, None, None)


def test_a_trunks_own_rules(tmp_path: Path) -> None:
    more = 'identity: rpid, caller_id: "01 84 80 10 01", asserts: did, diversion: true, max_calls: 30'
    config = read(tmp_path, spoilt("identity: pai", more))
    main, spare = config.trunks["main"], config.trunks["spare"]
    assert (main.caller_id, main.asserts, main.diversion, main.max_calls) == ("+33184801001", "did", True, 30)
    assert (spare.caller_id, spare.asserts, spare.diversion, spare.max_calls) == ("", "shown", False, None)
    assert read(tmp_path, spoilt("identity: pai", "max_calls: none, diversion: false")).trunks["main"] == replace(
        main, identity="pai", caller_id="", asserts="shown", diversion=False, max_calls=None
    )
