"""The text that Prometheus scrapes: it can be read back, and says what the signs and the counts say."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest
from prometheus_client.parser import text_string_to_metric_families

from router import __version__
from router.health.exposition import expose
from router.health.signs import Signs, TrunkState
from router.health.tally import BOUNDS, Counts, Histogram
from tests.health_signs import DOWN, LINK, LOOK, WELL, WRITER, signs

Sample = tuple[str, tuple[tuple[str, str], ...]]


def times(*seconds: float) -> Histogram:
    held = Histogram()
    for each in seconds:
        held.observe(each)
    return held


COUNTS = Counts(
    calls={("spring-flyer", "answered"): 5, ("other", "failed"): 1},
    attempts={("main", "accepted"): 5, ("main", "busy"): 2},
    ring=times(3.0, 18.0, 500.0),
    answer=times(3.0),
)


def samples(shown: Signs = WELL, counts: Counts = COUNTS) -> dict[Sample, float]:
    """Name and labels -> value; each stands there once."""
    found: dict[Sample, float] = {}
    for family in text_string_to_metric_families(expose(shown, counts).decode()):
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in found
            found[key] = sample.value
    return found


def value(name: str, shown: Signs = WELL, **labels: str) -> float:
    return samples(shown)[f"callrouter_{name}", tuple(sorted(labels.items()))]


def test_calls_and_attempts() -> None:
    assert value("calls_total", campaign="spring-flyer", outcome="answered") == 5
    assert value("calls_total", campaign="other", outcome="failed") == 1
    assert value("attempts_total", trunk="main", result="busy") == 2


def test_a_histogram_adds_up() -> None:
    assert value("ring_seconds_bucket", le="2.0") == 0
    assert value("ring_seconds_bucket", le="5.0") == 1
    assert value("ring_seconds_bucket", le="20.0") == 2
    assert value("ring_seconds_bucket", le="300.0") == 2
    assert value("ring_seconds_bucket", le="+Inf") == value("ring_seconds_count") == 3
    assert value("ring_seconds_sum") == 521.0
    assert value("answer_seconds_count") == 1
    buckets = [key for key in samples() if key[0] == "callrouter_answer_seconds_bucket"]
    assert len(buckets) == len(BOUNDS) + 1


@pytest.mark.parametrize(
    ("name", "wrong", "well", "then"),
    [
        ("ready", signs(link=DOWN), 1, 0),
        ("degraded", signs(reload_refused=True, lag=2.0), 0, 2),
        ("loop_lag_seconds", signs(lag=1.5), 0.002, 1.5),
        ("calls_active", signs(calls=50), 4, 50),
        ("ari_up", signs(link=DOWN), 1, 0),
        ("ari_reconnects_total", signs(reconnects=3), 0, 3),
        ("ari_pending_requests", signs(link=replace(LINK, pending=9)), 0, 9),
        ("ari_oldest_request_seconds", signs(link=replace(LINK, oldest=2.5)), 0, 2.5),
        ("ari_unread_messages_total", signs(link=replace(LINK, unread=MappingProxyType({"a": 1, "b": 2}))), 0, 3),
        ("database_ok", signs(writer=replace(WRITER, last_error="locked")), 1, 0),
        ("database_ok", signs(look=replace(LOOK, trouble="locked")), 1, 0),
        ("writer_pending_rows", signs(writer=replace(WRITER, pending=7)), 0, 7),
        ("writer_spooled_rows", signs(writer=replace(WRITER, spooled=6)), 0, 6),
        ("writer_refused_rows_total", signs(writer=replace(WRITER, refused=5)), 0, 5),
        ("disk_free_bytes", signs(look=replace(LOOK, free=5)), 10 * 1024**3, 5),
    ],
)
def test_a_sign_is_told(name: str, wrong: Signs, well: float, then: float) -> None:
    assert value(name) == well
    assert value(name, wrong) == then


def test_callbacks_and_pauses_are_those_of_the_last_look() -> None:
    assert (value("callbacks_open"), value("callbacks_overdue"), value("people_paused")) == (3, 1, 2)


@pytest.mark.parametrize("look", [None, replace(LOOK, owed=None, free=None)])
def test_what_is_not_known_is_not_told(look: None) -> None:
    names = {name for name, _ in samples(signs(look=look))}
    assert not names & {f"callrouter_{name}" for name in ("callbacks_open", "people_paused", "disk_free_bytes")}


def test_trunks() -> None:
    shown = signs(trunks={"main": TrunkState(True, 0), "spare": TrunkState(False, 4)})
    assert value("trunk_down", shown, trunk="main") == 1
    assert value("trunk_down", shown, trunk="spare") == 0
    assert value("trunk_legs", shown, trunk="spare") == 4


def test_which_release_and_which_file_are_in_force() -> None:
    assert value("build_info", version=__version__) == 1
    assert value("config_info", version="0123456789ab") == 1
    assert value("config_info", signs(config=None), version="none") == 1


def test_the_process_is_told_too() -> None:
    names = {name for name, _ in samples()}
    assert {"process_resident_memory_bytes", "process_open_fds", "process_cpu_seconds_total"} <= names


def test_the_labels_are_these_and_no_others() -> None:
    labels = {label for name, labels in samples() if name.startswith("callrouter_") for label, _ in labels}
    assert labels == {"campaign", "outcome", "trunk", "result", "version", "le"}
