"""From both phones' logs to figures: calls joined, percentiles, medians over rounds, and the aims. Pure.

A call's two legs are joined by the caller's number, which no two calls share: the caller's INVITE carries it in
From, and every contender shows it to the mobile in From.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from sandbox.sip_log import Dialog

FIRST_STOP = 1.5
GOAL = 1.3
"""CPU of Asterisk and application a call, as a multiple of Asterisk's with plain `Dial()`."""
ADDED_LIMIT = 5.0
"""Milliseconds that routing may add to the mobile's INVITE (median)."""
OWN_LIMIT = 2.0
"""The router's own milliseconds of CPU a call, its database on."""


@dataclass(frozen=True, slots=True)
class CallTimes:
    """One call that went as it should: milliseconds since the caller's INVITE."""

    to_mobile: float
    """The mobile's INVITE."""
    to_answer: float
    """The caller's 200."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One contender's turn in one round. CPU in milliseconds a call, memory in bytes."""

    times: tuple[CallTimes, ...]
    placed: int
    asterisk_cpu: float
    application_cpu: float
    memory: int
    rate: float
    """Calls a second that were really placed."""

    @property
    def failed(self) -> int:
        return self.placed - len(self.times)

    @property
    def cpu(self) -> float:
        return self.asterisk_cpu + self.application_cpu


@dataclass(frozen=True, slots=True)
class Summary:
    """One contender over all rounds: medians of the rounds' figures; p99 over the calls of all rounds together."""

    to_mobile: tuple[float, float]
    """p50, p99 in milliseconds."""
    to_answer: tuple[float, float]
    asterisk_cpu: float
    application_cpu: float
    ratio: float
    """CPU a call over that of plain `Dial()` in the same round, median; nan without plain `Dial()`."""
    added: float
    """What it adds to the mobile's INVITE, p50 over p50 of the same round, median, in milliseconds."""
    memory: int
    placed: int
    failed: int


def percentile(values: Iterable[float], percent: float) -> float:
    """The smallest value that at least `percent` % of the values do not exceed (nearest rank); nan of nothing."""
    ordered = sorted(values)
    if not ordered:
        return math.nan
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def number_of(dialog: Dialog) -> str:
    """The caller's number that the INVITE's From shows."""
    _, _, address = dialog.invite.header("From").partition("sip:")
    return address.partition("@")[0]


def join(callers: Iterable[Dialog], mobiles: Iterable[Dialog]) -> tuple[CallTimes, ...]:
    """The calls that went as they should: one mobile was rung, the caller was answered, and the caller hung up."""
    rung: dict[str, list[Dialog]] = {}
    for dialog in mobiles:
        rung.setdefault(number_of(dialog), []).append(dialog)
    times = []
    for dialog in callers:
        legs = rung.get(number_of(dialog), [])
        answered = dialog.at(200)
        if len(legs) == 1 and answered is not None and dialog.hung_up_by_us and legs[0].hung_up_by_us is False:
            begin = dialog.invited_at
            times.append(CallTimes((legs[0].invited_at - begin) * 1000, (answered - begin) * 1000))
    return tuple(times)


def rate_of(callers: Sequence[Dialog]) -> float:
    """Calls a second that these were placed at; 0 for fewer than two."""
    begins = sorted(dialog.invited_at for dialog in callers)
    return (len(begins) - 1) / (begins[-1] - begins[0]) if len(begins) > 1 and begins[-1] > begins[0] else 0.0


def summary(rounds: Sequence[Turn], plain: Sequence[Turn]) -> Summary:
    """`plain`: plain `Dial()`'s turns of the same rounds, or nothing."""
    beside = list(zip(rounds, plain, strict=True)) if plain else []
    calls = [call for turn in rounds for call in turn.times]
    return Summary(
        to_mobile=(median(_rung(turn, 50) for turn in rounds), percentile((c.to_mobile for c in calls), 99)),
        to_answer=(
            median(percentile((c.to_answer for c in turn.times), 50) for turn in rounds),
            percentile((c.to_answer for c in calls), 99),
        ),
        asterisk_cpu=median(turn.asterisk_cpu for turn in rounds),
        application_cpu=median(turn.application_cpu for turn in rounds),
        ratio=median(turn.cpu / base.cpu for turn, base in beside) if beside else math.nan,
        added=median(_rung(turn, 50) - _rung(base, 50) for turn, base in beside) if beside else math.nan,
        memory=max(turn.memory for turn in rounds),
        placed=sum(turn.placed for turn in rounds),
        failed=sum(turn.failed for turn in rounds),
    )


def _rung(turn: Turn, percent: float) -> float:
    return percentile((call.to_mobile for call in turn.times), percent)


@dataclass(frozen=True, slots=True)
class Aim:
    """What issue 2 wants of the router, and what came out."""

    text: str
    measured: str
    met: bool


def aims(router: Summary) -> tuple[Aim, ...]:
    """The router's aims, in a fixed order; nothing is met that was not measured."""
    ratio = f"{router.ratio:.2f}"
    return (
        Aim(f"router + Asterisk CPU a call <= {FIRST_STOP} x plain Dial()", ratio, router.ratio <= FIRST_STOP),
        Aim(f"the same <= {GOAL} x (goal)", ratio, router.ratio <= GOAL),
        Aim(
            f"added to the mobile's INVITE, p50 <= {ADDED_LIMIT:g} ms",
            f"{router.added:.1f} ms",
            router.added <= ADDED_LIMIT,
        ),
        Aim(
            f"router's own CPU a call <= {OWN_LIMIT:g} ms",
            f"{router.application_cpu:.1f} ms",
            router.application_cpu <= OWN_LIMIT,
        ),
    )


@dataclass(frozen=True, slots=True)
class Results:
    """All that is written: by contender's name, in the order of the table. `held` may lack some, or all."""

    summaries: Mapping[str, Summary]
    held: Mapping[str, float]
    """Calls a second without a failure."""
    aims: tuple[Aim, ...]
    setting: tuple[str, ...]
    """Lines on machine, versions and load."""
