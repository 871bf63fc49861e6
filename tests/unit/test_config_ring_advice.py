"""What check says of rings, mailboxes, whispers and absences that do not fit together."""

from __future__ import annotations

import wave
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from router.config import warnings
from router.config.ring_times import ringing, seconds_of
from router.model import Accept, Campaign, Config, Overflow, Ring, Sound, Vip
from tests.build import (
    ALICE,
    BOB,
    CAROL,
    make_campaign,
    make_config,
    make_hours,
    make_overflow,
    make_ring,
    make_salesperson,
    make_screening,
    make_step,
    make_vip,
)
from tests.campaign_file import TODAY, read, spoilt

RING = "{strategy: all, to: [bob], timeout: 25s}"
POSTER = "campaigns.poster"


def said(config: Config, today: date = TODAY) -> dict[str, str]:
    """Path -> what is wrong; each path once."""
    found = warnings(config, today)
    assert len({one.path for one in found}) == len(found), found
    assert all(one.mend for one in found)
    return {one.path: one.wrong for one in found}


def of_poster(folder: Path, keys: str) -> dict[str, str]:
    """What is said when the poster has these keys besides."""
    return said(read(folder, spoilt("    callback: none\n", f"    callback: none\n    {keys}\n")))


# --- Times --------------------------------------------------------------------------------------------------

TWO = "to: [alice, bob]"


@pytest.mark.parametrize(
    ("ring", "wrong"),
    [
        (
            f"{{strategy: round-robin, {TWO}, max_wait: 20s}}",
            "max_wait (20s) may be over before everybody has rung",
        ),
        (f"{{strategy: longest-idle, {TWO}, max_wait: 20s}}", "before everybody has rung"),
        (f"{{{TWO}, max_wait: 20s}}", "may be over before bob rings"),
        ("{steps: [{to: [alice]}, {add: [bob]}], max_wait: 20s}", "max_wait (20s) is over before bob rings"),
        ("{steps: [{to: [bob]}, {to: [bob, alice]}], max_wait: 5s}", "is over before bob and alice ring"),
    ],
)
def test_people_who_never_ring(tmp_path: Path, ring: str, wrong: str) -> None:
    assert wrong in said(read(tmp_path, spoilt(RING, ring)))[f"{POSTER}.ring"]


@pytest.mark.parametrize(
    "ring",
    [
        f"{{strategy: all, {TWO}, timeout: 20s, max_wait: 20s}}",
        f"{{strategy: round-robin, {TWO}, max_wait: 21s}}",
        "{steps: [{to: [bob]}, {add: [alice], timeout: 5s}], max_wait: 21s}",
    ],
)
def test_people_who_all_ring(tmp_path: Path, ring: str) -> None:
    assert said(read(tmp_path, spoilt(RING, ring))) == {}


def test_the_rings_of_an_overflow_a_closed_office_and_a_vip_are_looked_at_too() -> None:
    slow = make_ring(["alice", "bob"], max_wait=20.0)
    campaign = make_campaign(overflow=make_overflow(ring=slow), closed=make_overflow(ring=slow))
    config = make_config(
        campaigns=[campaign], hours=[], screening=make_screening(vips=[Vip("v", ("+33140000009",), slow)])
    )
    assert set(said(config)) == {
        "campaigns.spring-flyer.overflow.ring",
        "campaigns.spring-flyer.closed.ring",
        "screening.vips.v.ring",
    }


def test_an_overflow_of_the_defaults_is_one_remark_and_not_one_a_campaign() -> None:
    slow = make_overflow(ring=make_ring(["alice", "bob"], max_wait=20.0))
    many = [make_campaign(f"c{n}", [f"+3318480{n:04d}"], overflow=slow) for n in range(50)]
    assert len(said(make_config(campaigns=many, hours=[]))) == 1


@pytest.mark.parametrize(
    ("ring", "seconds"),
    [
        (make_ring(["alice"], timeout=20.0), 20.0),
        (make_ring(["alice"], timeout=20.0, max_wait=12.0), 12.0),
        (make_ring(steps=[make_step(["alice"], 10.0), make_step(["bob"], 7.0, keep=True)]), 17.0),
        (make_ring(steps=[make_step(["alice"], 10.0), make_step(["bob"], 7.0)]), 10.0),
        (make_ring(steps=[make_step(["bob"], 10.0), make_step(["alice"], 7.0, keep=True)]), 7.0),
        (make_ring(steps=[make_step(["bob"], 10.0), make_step(["alice"], 7.0, keep=True)], max_wait=12.0), 2.0),
        (make_ring(steps=[make_step(["bob"], 10.0), make_step(["alice"], 7.0)], max_wait=9.0), 0.0),
        (
            make_ring(
                steps=[
                    make_step(["alice"], 1.0),
                    make_step(["bob"], 2.0, keep=True),
                    make_step(["bob"], 4.0),
                    make_step(["alice"], 2.0, keep=True),
                ]
            ),
            3.0,
        ),
    ],
)
def test_how_long_a_phone_rings_without_a_break(ring: Ring, seconds: float) -> None:
    assert ringing(ring)["alice"] == seconds


def mailbox(after: str, ring: str, accept: str = "press-1") -> str:
    """bob's mobile, in the file."""
    text = spoilt(RING, ring).replace("accept: none", f"accept: {accept}")
    return text.replace("name: Bob Durand,", f"name: Bob Durand, {after}")


def test_a_ring_longer_than_the_mailbox_waits_is_said_with_both_figures(tmp_path: Path) -> None:
    config = read(tmp_path, mailbox("voicemail_after: 15s,", RING))
    assert said(config) == {
        "salespeople.bob.voicemail_after": (
            "the mailbox picks up after 15s, and campaigns.poster.ring rings for 25s"
        )
    }


def test_steps_that_ring_on_are_added_up(tmp_path: Path) -> None:
    steps = "{steps: [{to: [bob], timeout: 15s}, {add: [alice], timeout: 15s}]}"
    found = said(read(tmp_path, mailbox("voicemail_after: 20s,", steps)))["salespeople.bob.voicemail_after"]
    assert "after 20s" in found
    assert "rings for 30s" in found


@pytest.mark.parametrize(
    ("after", "ring", "accept", "remark"),
    [
        ("voicemail_after: 25s,", RING, "press-1", ""),
        ("voicemail_after: 25s,", RING, "none", ""),
        ("", RING, "none", ""),
        ("", "{to: [bob], timeout: 26s}", "none", "rings for 26s with accept: none: a mailbox, which may pick up"),
        ("", "{to: [bob], timeout: 26s}", "press-1", ""),
        ("accept: press-1,", "{to: [bob], timeout: 26s}", "none", ""),
        ("accept: none,", "{to: [bob], timeout: 26s}", "press-1", "rings for 26s with accept: none"),
        ("voicemail_after: 30s,", "{to: [bob], timeout: 26s}", "none", ""),
    ],
)
def test_when_a_mailbox_matters(tmp_path: Path, after: str, ring: str, accept: str, remark: str) -> None:
    found = said(read(tmp_path, mailbox(after, ring, accept)))
    assert found.keys() == ({"salespeople.bob.voicemail_after"} if remark else set())
    assert remark in "".join(found.values())
    assert not remark or "25s" in "".join(found.values())


@pytest.mark.parametrize("timeout", ["3s", "60s"])
def test_a_gate_that_fits(tmp_path: Path, timeout: str) -> None:
    assert of_poster(tmp_path, f"accept: press-1\n    accept_timeout: {timeout}") == {}


def test_a_key_that_may_come_after_the_callers_patience() -> None:
    ring = make_ring(max_wait=30.0, timeout=10.0)
    late = make_campaign(accept=Accept.PRESS_1, accept_timeout=31.0, ring=ring)
    path = "campaigns.spring-flyer.accept_timeout"
    assert said(make_config(campaigns=[late], hours=[]))[path] == "accept_timeout (31s) outlasts max_wait (30s)"


def test_a_whisper_counts_with_it() -> None:
    ring = make_ring(max_wait=30.0, timeout=10.0)
    long = make_campaign(accept=Accept.PRESS_1, accept_timeout=28.0, ring=ring, whisper="x" * 70)
    found = said(make_config(campaigns=[long], hours=[]))
    assert found == {
        "campaigns.spring-flyer.accept_timeout": (
            "accept_timeout (28s) and the whisper (about 5s) outlast max_wait (30s)"
        )
    }


def test_a_whisper_that_nobody_hears_to_its_end() -> None:
    long = make_campaign(accept=Accept.PRESS_1, accept_timeout=5.0, whisper="x" * 84)
    found = said(make_config(campaigns=[long], hours=[]))
    assert found == {"campaigns.spring-flyer.whisper": "lasts about 6s, and accept_timeout ends after 5s"}


def test_without_a_gate_there_is_nothing_to_outlast() -> None:
    campaign = make_campaign(accept_timeout=60.0, whisper="x" * 2000, ring=make_ring(["alice"], max_wait=20.0))
    assert "campaigns.spring-flyer.whisper" not in said(make_config(campaigns=[campaign], hours=[]))


@pytest.mark.parametrize(
    ("suffix", "size", "seconds"),
    [
        (".ulaw", 16_000, 2.0),
        (".alaw", 4000, 0.5),
        (".gsm", 3300, 2.0),
        (".sln16", 32_000, 1.0),
        (".g722", 8000, 1.0),
    ],
)
def test_how_long_a_recording_lasts(tmp_path: Path, suffix: str, size: int, seconds: float) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"x" * size)
    assert seconds_of(Sound(file=str(path))) == seconds


def test_how_long_a_wav_lasts_and_one_that_is_none(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "a.wav"), "wb") as recording:
        recording.setnchannels(1)
        recording.setsampwidth(2)
        recording.setframerate(8000)
        recording.writeframes(bytes(16_000))
    (tmp_path / "b.wav").write_bytes(b"no recording")
    assert seconds_of(Sound(file=str(tmp_path / "a.wav"))) == 1.0
    assert seconds_of(Sound(file=str(tmp_path / "b.wav"))) == 0.0
    assert seconds_of(Sound(file=str(tmp_path / "gone.wav"))) == 0.0


# --- Absences -----------------------------------------------------------------------------------------------


def office(absent: dict[str, list[str]], campaign: Campaign | None = None, closed: Sequence[str] = ()) -> Config:
    """Alice and Bob of one campaign within office hours, Carol besides."""
    people = [
        make_salesperson(id, number, absent=absent.get(id, []))
        for id, number in (("alice", ALICE), ("bob", BOB), ("carol", CAROL))
    ]
    return make_config(
        salespeople=people,
        campaigns=[campaign or make_campaign(hours="office")],
        unknown=make_campaign("unknown", (), name="Unknown number", to=["carol"]),
        hours=[make_hours(closed=closed)],
    )


WEEK = "2026-03-09..2026-03-13"
NOBODY = "campaigns.spring-flyer.ring.to"


def test_days_on_which_nobody_is_there_are_named() -> None:
    found = said(office({"alice": ["2026-03-06..2026-03-20"], "bob": [WEEK, "2026-03-18"]}))
    assert found == {NOBODY: f"everybody in it is absent {WEEK}, 2026-03-18 while it is open"}


@pytest.mark.parametrize(
    "absent",
    [
        {"alice": [WEEK]},
        {"alice": ["2026-03-09..2026-03-10"], "bob": ["2026-03-11..2026-03-13"]},
        {"alice": ["2026-03-08"], "bob": ["2026-03-08"]},
        {"alice": ["2026-05-01..2026-05-31"], "bob": ["2026-05-01..2026-05-31"]},
        {"alice": ["2026-02-01..2026-03-01"], "bob": ["2026-02-01..2026-03-01"]},
    ],
    ids=["one is there", "by turns", "a Sunday", "more than 60 days on", "over"],
)
def test_absences_that_leave_no_gap(absent: dict[str, list[str]]) -> None:
    assert said(office(absent)) == {}


def test_a_closed_week_needs_nobody() -> None:
    assert said(office({"alice": [WEEK], "bob": [WEEK]}, closed=[WEEK])) == {}


def test_many_gaps_are_counted_and_not_all_named() -> None:
    days = [f"2026-03-{day:02d}" for day in (3, 5, 10, 12, 17)]
    found = said(office({"alice": days, "bob": days}))
    assert found == {NOBODY: "everybody in it is absent 2026-03-03, 2026-03-05, 2026-03-10, … while it is open"}


AWAY = {"alice": [WEEK], "bob": [WEEK]}


@pytest.mark.parametrize(
    "overflow",
    [
        make_overflow(["carol"]),
        make_overflow(number="+33145000000"),
        make_overflow(voicemail="It is recorded"),
    ],
    ids=["people", "number", "voicemail"],
)
def test_an_overflow_fills_the_gap(overflow: Overflow) -> None:
    assert said(office(AWAY, make_campaign(hours="office", overflow=overflow))) == {}


def test_an_overflow_whose_people_are_away_too_does_not() -> None:
    campaign = make_campaign(hours="office", overflow=make_overflow(["carol"]))
    found = said(office(AWAY | {"carol": [WEEK]}, campaign))
    assert found[NOBODY].endswith("while it is open, and nobody else of its overflow is there")
    assert set(found) == {NOBODY, "unknown_number.ring.to"}


def test_an_on_call_list_without_anybody() -> None:
    on_call = make_campaign(hours="office", closed=make_overflow(["bob"]))
    found = said(office({"bob": [WEEK]}, on_call))
    assert found == {"campaigns.spring-flyer.closed.ring.to": f"everybody in it is absent {WEEK}"}
    with_a_number = make_campaign(hours="office", closed=make_overflow(["bob"], number="+33145000000"))
    assert said(office({"bob": [WEEK]}, with_a_number)) == {}


def test_vips_who_would_reach_nobody() -> None:
    vips = make_screening(vips=[make_vip(to=["bob"])])
    found = said(replace(office({"bob": [WEEK]}), screening=vips))
    assert found == {"screening.vips.big-account.ring.to": f"everybody in it is absent {WEEK}"}


@pytest.mark.parametrize(
    "campaign",
    [
        make_campaign(to=["alice"], overflow=make_overflow(["bob"])),
        make_campaign(to=["alice"], closed=make_overflow(["bob"])),
    ],
)
def test_whoever_only_an_overflow_rings_is_no_stranger(campaign: Campaign) -> None:
    assert said(make_config(campaigns=[campaign], hours=[])) == {}


def test_whoever_only_vips_reach_is_no_stranger() -> None:
    config = make_config(
        campaigns=[make_campaign(to=["alice"])], hours=[], screening=make_screening(vips=[make_vip(to=["bob"])])
    )
    assert said(config) == {}


def test_absent_for_ever() -> None:
    found = said(office({"alice": ["2020-01-01..2099-12-31"], "bob": ["2020-01-01..2099-12-31"]}))
    assert found == {NOBODY: "everybody in it is absent 2026-03-02..2026-04-30 while it is open"}
