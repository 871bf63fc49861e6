"""Which signs stop calls or their rows, and which are only listed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from router.dialplan import LONGEST_SILENCE
from router.health.signs import FULL, LAG, LITTLE, SILENT, SLOW, SPOOLED, TrunkState, judge
from tests.health_signs import DOWN, LINK, LOOK, WELL, WRITER, signs


def test_a_router_that_is_well_is_ready_and_nothing_is_said() -> None:
    verdict = judge(WELL)
    assert verdict.ready
    assert verdict == judge(signs(look=None)), "before the first look nothing is held against the database"
    assert (verdict.reasons, verdict.degraded) == ((), ())


NOT_READY: list[tuple[dict[str, Any], str, str]] = [
    ({"config": None}, "configuration", "none is in force yet"),
    ({"link": DOWN}, "link", "nothing heard from Asterisk for 8 s"),
    ({"heartbeat": LONGEST_SILENCE + 1.0}, "heartbeat", "4 s old"),
    ({"writer": replace(WRITER, last_error="c.db: is locked")}, "database", "is locked"),
    ({"writer": replace(WRITER, spooled=7), "spooled_for": SPOOLED + 0.5}, "database", "7 rows have waited"),
    ({"look": replace(LOOK, trouble="c.db: is locked")}, "database", "is locked"),
    ({"looked": SILENT + 1}, "database", "has not answered for 9 s"),
    ({"look": replace(LOOK, free=FULL - 1)}, "disk", "is full: 127 KiB left"),
]


@pytest.mark.parametrize(("wrong", "what", "why"), NOT_READY)
def test_what_stops_calls_or_their_rows_is_a_reason(wrong: dict[str, Any], what: str, why: str) -> None:
    verdict = judge(signs(**wrong))
    assert not verdict.ready
    (note,) = verdict.reasons
    assert note.what == what
    assert why in note.why
    assert verdict.degraded == ()


DEGRADED: list[tuple[dict[str, Any], str, str]] = [
    ({"trunks": {"main": TrunkState(True, 0), "spare": TrunkState(False, 1)}}, "trunk", "main is down"),
    ({"link": replace(LINK, oldest=SLOW + 1)}, "slow", "for 6 s"),
    ({"lag": LAG + 0.1}, "lag", "late by 0.6 s"),
    ({"writer": replace(WRITER, refused=2)}, "refused", "2 rows"),
    ({"look": replace(LOOK, free=LITTLE - 1)}, "disk", "499 MiB left"),
    ({"reload_refused": True}, "reload", "the old one is in force"),
    ({"fallback_stale": True}, "fallback", "old routes"),
    ({"dialplan": "Asterisk has not loaded it"}, "dialplan", "has not loaded"),
]


@pytest.mark.parametrize(("wrong", "what", "why"), DEGRADED)
def test_what_stops_no_call_is_listed_and_it_is_ready(wrong: dict[str, Any], what: str, why: str) -> None:
    verdict = judge(signs(**wrong))
    assert verdict.ready
    (note,) = verdict.degraded
    assert note.what == what
    assert why in note.why


@pytest.mark.parametrize(
    "well",
    [
        {"spooled_for": SPOOLED, "writer": replace(WRITER, spooled=7)},
        {"writer": replace(WRITER, pending=400)},
        {"looked": SILENT},
        {"link": replace(LINK, oldest=SLOW, pending=9)},
        {"lag": LAG},
        {"heartbeat": None},
        {"heartbeat": float(LONGEST_SILENCE)},
        {"look": replace(LOOK, free=LITTLE)},
        {"look": replace(LOOK, free=None)},
    ],
)
def test_a_busy_router_is_well(well: dict[str, Any]) -> None:
    verdict = judge(signs(**well))
    assert (verdict.reasons, verdict.degraded) == ((), ())


def test_every_reason_is_told_at_once_and_the_same_one_once() -> None:
    locked = "c.db: is locked"
    verdict = judge(
        signs(
            config=None,
            link=DOWN,
            writer=replace(WRITER, last_error=locked, spooled=3),
            spooled_for=60.0,
            look=replace(LOOK, trouble=locked, free=0),
        )
    )
    assert [note.what for note in verdict.reasons] == ["configuration", "link", "database", "disk"]
    assert verdict.degraded == ()
