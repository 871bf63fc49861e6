"""The signs and the counts as Prometheus reads them (its text format, version 0.0.4).

Imported, with prometheus_client, when the first listener is made; runs in a thread of its own, on copies.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from prometheus_client import ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from router import __version__
from router.health.signs import Signs, judge
from router.health.tally import BOUNDS, Counts, Histogram

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
PREFIX: Final = "callrouter_"

_PROCESS: Final = ProcessCollector(registry=None)


def expose(signs: Signs, counts: Counts) -> bytes:
    """One page of it. Some milliseconds for a hundred campaigns."""
    return generate_latest(_Page(signs, counts))


class _Page(Collector):
    """Stands where generate_latest expects a registry."""

    def __init__(self, signs: Signs, counts: Counts) -> None:
        self._signs = signs
        self._counts = counts

    def collect(self) -> Iterator[Metric]:
        signs, counts = self._signs, self._counts
        yield from _router(signs)
        yield _labelled("calls", "Calls that have ended", ("campaign", "outcome"), counts.calls)
        yield _labelled("attempts", "Legs that were rung", ("trunk", "result"), counts.attempts)
        yield _histogram("ring_seconds", "Seconds until a human took the call or it was over", counts.ring)
        yield _histogram("answer_seconds", "Seconds until a human took the call, of answered calls", counts.answer)
        yield from _link(signs)
        yield from _database(signs)
        yield from _trunks(signs)
        yield from _PROCESS.collect()


def _router(signs: Signs) -> Iterator[Metric]:
    yield _info("build", "The release that runs", __version__)
    yield _info("config", "The configuration in force", signs.config or "none")
    verdict = judge(signs)
    yield _gauge("ready", "1 while /health/ready says 200", verdict.ready)
    yield _gauge("degraded", "Things that are wrong and stop no call", len(verdict.degraded))
    yield _gauge("loop_lag_seconds", "The most by which the event loop was late in the last 15 s", signs.lag)
    if signs.heartbeat is not None:
        what = "How old our sign of life in Asterisk is: new calls go to the fallback from 3 s on"
        yield _gauge("heartbeat_age_seconds", what, signs.heartbeat)
    yield _gauge("dialplan_stale", "1 while the third line is not of this configuration", bool(signs.dialplan))
    yield _gauge("calls_active", "Calls that have not ended", signs.calls)


def _link(signs: Signs) -> Iterator[Metric]:
    link = signs.link
    yield _gauge("ari_up", "1 while Asterisk is connected and caught up with", link.up)
    yield _counter("ari_reconnects", "Connections to Asterisk after the first one", signs.reconnects)
    yield _gauge("ari_pending_requests", "Requests to Asterisk without an answer", link.pending)
    yield _gauge("ari_oldest_request_seconds", "Since the oldest of these was sent", link.oldest)
    yield _counter(
        "ari_unread_messages", "Messages that were not understood or not wanted", sum(link.unread.values())
    )


def _database(signs: Signs) -> Iterator[Metric]:
    writer, look = signs.writer, signs.look
    well = writer.last_error is None and (look is None or not look.trouble)
    yield _gauge("database_ok", "1 while the database takes rows", well)
    yield _gauge("writer_pending_rows", "Rows that are not in the database yet", writer.pending)
    yield _gauge("writer_spooled_rows", "Those of them that wait in the spool on disk", writer.spooled)
    yield _counter("writer_refused_rows", "Rows that no table can hold, set aside", writer.refused)
    if look is not None and look.free is not None:
        yield _gauge("disk_free_bytes", "Free beside the database", look.free)
    if look is not None and look.owed is not None:
        yield _gauge("callbacks_open", "Callbacks that somebody owes, claimed or not", look.owed.open)
        yield _gauge("callbacks_overdue", "Those of them whose time has come", look.owed.overdue)
        yield _gauge("people_paused", "Salespeople who are not rung until they resume", look.owed.paused)


def _trunks(signs: Signs) -> Iterator[Metric]:
    down = GaugeMetricFamily(f"{PREFIX}trunk_down", "1 while the trunk is tried last", labels=("trunk",))
    legs = GaugeMetricFamily(f"{PREFIX}trunk_legs", "Legs that the trunk carries", labels=("trunk",))
    for name, trunk in signs.trunks.items():
        down.add_metric((name,), float(trunk.down))
        legs.add_metric((name,), float(trunk.legs))
    yield down
    yield legs


def _gauge(name: str, what: str, value: float) -> Metric:
    return GaugeMetricFamily(PREFIX + name, what, value=float(value))


def _counter(name: str, what: str, value: float) -> Metric:
    return CounterMetricFamily(PREFIX + name, what, value=float(value))


def _info(name: str, what: str, version: str) -> Metric:
    family = GaugeMetricFamily(f"{PREFIX}{name}_info", what, labels=("version",))
    family.add_metric((version,), 1.0)
    return family


def _labelled(name: str, what: str, labels: tuple[str, str], counted: Mapping[tuple[str, str], int]) -> Metric:
    family = CounterMetricFamily(PREFIX + name, what, labels=labels)
    for values, count in sorted(counted.items()):
        family.add_metric(values, count)
    return family


def _histogram(name: str, what: str, held: Histogram) -> Metric:
    so_far = 0
    buckets: list[tuple[str, float]] = []
    for bound, count in zip((*map(str, BOUNDS), "+Inf"), held.counts, strict=True):
        so_far += count
        buckets.append((bound, so_far))
    return HistogramMetricFamily(PREFIX + name, what, buckets=buckets, sum_value=held.total)
