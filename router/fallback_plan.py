"""A Plan as the channel variables from which asterisk_conf/extensions.conf rings, when the router is away. Pure.

The AGI script sends these, and the generated dialplan makes the same ones by itself. Each leg has a number in the
call; how a way over a trunk is shown (its dress) is the same for everybody, so it is said once.

What the dialplan cannot do is brought into a form that it can: steps that keep the earlier people on ringing become
one in which all of them ring from the first second, for as long as all of the steps together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from router.dress import asserted_in
from router.model import Config, Plan, Prompt, Route, Sound, Step, Target, Trunk
from router.spoken import file_of

MOST_LEGS: Final = 31
"""As many tries as a call's record holds (router.store.ids); a plan is cut there."""


@dataclass(frozen=True, slots=True)
class _Ringing:
    """People who ring together, of hunt `hunt` (from 1), for `timeout` seconds."""

    hunt: int
    targets: tuple[Target, ...]
    timeout: float


def seconds(duration: float) -> int:
    """Whole seconds, as Dial() counts; never 0, which would ring for ever."""
    return max(1, round(duration))


def recording(config: Config, sound: Sound, folder: str) -> str:
    """Where a sound lies, as Playback() is told: without its ending. Empty for one that says nothing."""
    if not (sound.file or sound.text):
        return ""
    return file_of(config, sound, folder).rpartition(".")[0]


def whisper(config: Config, plan: Plan, folder: str, prompts: str) -> list[str]:
    """The recordings of a plan's whisper. Whether a caller is known is the router's knowledge, and left out."""
    said = (part for part in plan.whisper if isinstance(part, Sound) or part is Prompt.PRESS_1)
    return [
        recording(config, part, folder) if isinstance(part, Sound) else f"{prompts}/{part.value}" for part in said
    ]


def variables(plan: Plan, trunks: Mapping[str, Trunk], ours: str) -> Iterator[tuple[str, str]]:
    """Name and value of each. Those that a leg reads begin with an underscore, those that a mobile's channel reads
    with two: so they are inherited. `ours` is one of our numbers, for a leg that shows none."""
    dresses: dict[tuple[str, str], int] = {}
    legs = 0
    steps = 0
    for ringing in _rings(plan):
        people = []
        for target in ringing.targets:
            if legs == MOST_LEGS:
                break
            legs += 1
            ways = [f"{_index(dresses, look)}~{endpoint}" for look, endpoint in _ways(target, trunks, ours)]
            yield f"_CALLROUTER_WHO_{legs}", ",".join((target.salesperson, target.accept.value, *ways))
            people.append(f"Local/{legs}@callrouter-leg/n")
        if people:
            steps += 1
            yield (
                f"CALLROUTER_STEP_{steps}",
                f"{ringing.hunt},{seconds(ringing.timeout)},{'&'.join(people)}",
            )
    for index, hunt in enumerate(plan.hunts, 1):
        yield f"CALLROUTER_WAIT_{index}", str(seconds(hunt.max_wait))
    for (first, again), index in dresses.items():
        yield f"__CALLROUTER_DRESS_{index}", first
        yield f"__CALLROUTER_RETRY_{index}", again
    yield "__CALLROUTER_ACCEPT", str(seconds(plan.accept_timeout))
    yield "CALLROUTER_LEGS", str(legs)
    yield "CALLROUTER_STEPS", str(steps)


def merged(steps: Iterable[Step]) -> list[tuple[tuple[Target, ...], float]]:
    """The steps, those that keep the earlier people joined to the one before: each person once."""
    found: list[tuple[tuple[Target, ...], float]] = []
    for step in steps:
        if step.keep and found:
            before, timeout = found.pop()
            found.append((tuple(dict.fromkeys((*before, *step.targets))), timeout + step.timeout))
        else:
            found.append((step.targets, step.timeout))
    return found


def _rings(plan: Plan) -> Iterator[_Ringing]:
    for index, hunt in enumerate(plan.hunts, 1):
        for targets, timeout in merged(hunt.steps):
            yield _Ringing(index, targets, timeout)


def _ways(target: Target, trunks: Mapping[str, Trunk], ours: str) -> Iterator[tuple[tuple[str, str], str]]:
    """Each way to dial somebody with its dress, and the dress for when the carrier refuses that one."""
    for index, route in enumerate(target.routes):
        if route.refused_only:
            continue
        after = target.routes[index + 1] if index + 1 < len(target.routes) else route
        again = after if after.refused_only and after.trunk == route.trunk else None
        dress = _dress(route, trunks, ours)
        yield (dress, _dress(again, trunks, ours) if again is not None else ""), route.endpoint


def _dress(route: Route, trunks: Mapping[str, Trunk], ours: str) -> str:
    asserted = route.identity or route.caller_id or ours
    header = asserted_in(trunks.get(route.trunk))
    return "^".join((route.trunk, route.mode, route.caller_id, asserted, header, route.diversion))


def _index(dresses: dict[tuple[str, str], int], look: tuple[str, str]) -> int:
    return dresses.setdefault(look, len(dresses) + 1)
