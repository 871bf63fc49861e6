"""The whole benchmark: rounds in which every contender has its turn, then each one's climb."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench.climb import Climb, first_rate, went_well
from bench.contenders import Contender
from bench.figures import Summary, Turn, percentile, summary
from bench.load import Load, measure, on_stage
from bench.site import CLIMB_TALK, TALK, Site
from sandbox.errors import SandboxError

PHONES = 3.0
"""Milliseconds of CPU that both SIPp processes take a call, logs included: only says where a climb begins."""
STEP_SECONDS = 2.5

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Schedule:
    """`steps`: how many rates a climb may try; 0 leaves the climbs out."""

    rounds: int
    load: Load
    steps: int


def rounds(site: Site, contenders: Sequence[Contender], schedule: Schedule, say: Say) -> dict[str, Summary]:
    """Every contender's figures, by name. They take turns, so that what else the machine does hits all alike."""
    turns: dict[str, list[Turn]] = {contender.name: [] for contender in contenders}
    for number in range(schedule.rounds):
        for contender in contenders:
            with on_stage(site, contender) as application:
                turn = measure(site, application, schedule.load, talk=TALK)
            turns[contender.name].append(turn)
            say(_line(f"round {number + 1}/{schedule.rounds}", contender, turn))
    plain = next((turns[contender.name] for contender in contenders if contender.key == "dial"), [])
    return {name: summary(mine, plain) for name, mine in turns.items()}


def climbs(
    site: Site, contenders: Sequence[Contender], summaries: Mapping[str, Summary], schedule: Schedule, say: Say
) -> dict[str, float]:
    """The calls a second that each contender held, by name; each begins with an Asterisk just started."""
    held: dict[str, float] = {}
    for contender in contenders if schedule.steps else ():
        site.asterisk.kill()
        site.asterisk.start()
        found = summaries[contender.name]
        cpu = found.asterisk_cpu + found.application_cpu
        held[contender.name] = _climb(
            site, contender, first_rate(cpu, phones=PHONES, cores=_cores()), schedule.steps, say
        )
    return held


def _climb(site: Site, contender: Contender, start: float, steps: int, say: Say) -> float:
    climb = Climb(start, steps)
    with on_stage(site, contender) as application:
        while (rate := climb.next) is not None:
            try:
                turn = measure(site, application, Load(rate, STEP_SECONDS), talk=CLIMB_TALK)
            except SandboxError as error:
                say(f"{contender.name}: {error}")
                return climb.held or 0.0
            late = percentile((call.to_mobile for call in turn.times), 99)
            well = went_well(failed=turn.failed, asked=rate, placed_at=turn.rate, p99=late)
            climb = climb.after(turn.rate if well else rate, well=well)
            say(_line(f"{rate:5.0f} calls/s", contender, turn) + ("" if well else ", not held"))
    return climb.held or 0.0


def _line(what: str, contender: Contender, turn: Turn) -> str:
    rung = percentile((call.to_mobile for call in turn.times), 50)
    rung_text = "-" if math.isnan(rung) else f"{rung:.1f} ms"
    failed = f", {turn.failed} failed" if turn.failed else ""
    cpu = f"CPU {turn.asterisk_cpu:4.1f} + {turn.application_cpu:4.1f} ms"
    return f"{what:<11} {contender.name:<19} {cpu}, rung in {rung_text}{failed}"


def _cores() -> int:
    return len(os.sched_getaffinity(0))
