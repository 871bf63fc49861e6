"""Every ring of the file, wherever it stands, and whether it is complete: somebody is rung, and weighed.

Works on the tree, as agreement.py does: what a campaign leaves out stands in the defaults.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from router.config.source import Items, Map, Node, Text
from router.errors import Problem
from router.model import Strategy


@dataclass(frozen=True, slots=True)
class Written:
    """One ring as it is written. `around`: the mapping in which it stands, to be blamed where it is missing."""

    path: str
    around: Map
    own: Map
    defaults: Map

    def says(self, key: str) -> Node | None:
        """The key's value, its own or that of the defaults."""
        return self.own.get(key, self.defaults.get(key))

    @property
    def place(self) -> Map:
        return self.own if hasattr(self.own, "line") else self.around


def section(root: Map, key: str) -> Map:
    """The mapping under `key`; an empty one without a place where there is none."""
    found = root.get(key)
    return found if isinstance(found, Map) else Map()


def campaign_likes(root: Map) -> Iterator[tuple[str, Map]]:
    """(path, keys) of each campaign and of unknown_number."""
    for name, keys in section(root, "campaigns").items():
        if isinstance(keys, Map):
            yield f"campaigns.{name}", keys
    unknown = root.get("unknown_number")
    if isinstance(unknown, Map):
        yield "unknown_number", unknown


def overflows(root: Map) -> Iterator[tuple[str, Map]]:
    """(path, keys) of each `overflow` and `closed`."""
    for path, keys in [("defaults", section(root, "defaults")), *campaign_likes(root)]:
        for name in ("overflow", "closed"):
            found = keys.get(name)
            if isinstance(found, Map):
                yield f"{path}.{name}", found


def incomplete(root: Map, people: Collection[str]) -> Iterator[Problem]:
    """Rings that ring nobody, and weights that do not fit those who are rung."""
    example = ", ".join(list(section(root, "salespeople"))[:2])
    for ring in _written(root):
        if not any(key in ring.own for key in ("to", "steps")) and not (
            "to" in ring.defaults or ("steps" in ring.defaults and not _by_rule(ring.own))
        ):
            wrong = "nobody is rung: ring.to is missing"
            mend = f"write ring: {{to: [{example}]}}"
            yield Problem(ring.around.line, ring.around.column, ring.path.rpartition(".")[0], wrong, mend)
        elif "steps" not in ring.own and ("steps" not in ring.defaults or _by_rule(ring.own)):
            yield from _weights(ring, people)
    shared = section(section(root, "defaults"), "ring")
    if "weights" in shared and "strategy" in shared:
        yield from _useless(Written("defaults.ring", shared, shared, Map()))


def _by_rule(ring: Map) -> bool:
    return any(key in ring for key in ("strategy", "to", "weights"))


def _written(root: Map) -> Iterator[Written]:
    """Every ring that calls may come to."""
    defaults = section(section(root, "defaults"), "ring")
    for path, keys in campaign_likes(root):
        if isinstance(keys.get("ring", Map()), Map):
            yield Written(f"{path}.ring", keys, section(keys, "ring"), defaults)
    for path, keys in overflows(root):
        if isinstance(keys.get("ring"), Map):
            yield Written(f"{path}.ring", keys, section(keys, "ring"), Map())
    for name, vip in section(section(root, "screening"), "vips").items():
        if isinstance(vip, Map) and isinstance(vip.get("ring"), Map):
            yield Written(f"screening.vips.{name}.ring", vip, section(vip, "ring"), Map())


def _weights(ring: Written, people: Collection[str]) -> Iterator[Problem]:
    """A weight for each of `to`, and in one's own weights none for anybody else."""
    if ring.says("strategy") != Strategy.WEIGHTED.value:
        if "weights" in ring.own:
            yield from _useless(ring)
        return
    to, weights = ring.says("to"), ring.says("weights")
    listed = [str(one) for one in to if isinstance(one, Text)] if isinstance(to, Items) else []
    shares = ", ".join(f"{person}: {max(1, 100 // len(listed))}" for person in listed)
    place: Map = ring.place
    if weights is None:
        yield Problem(
            place.line, place.column, ring.path, "weights are missing", f"write weights: {{{shares}}}, as you want"
        )
    elif isinstance(weights, Map) and weights:
        if "weights" in ring.own:
            place = weights
        missing = [person for person in listed if person in people and person not in weights]
        if missing:
            wrong = f"weights are missing for {', '.join(missing)}"
            yield Problem(place.line, place.column, f"{ring.path}.weights", wrong, f"write {missing[0]}: 1 or more")
        for key in weights if "weights" in ring.own else ():
            if isinstance(key, Text) and key in people and key not in listed:
                wrong = f"{key} is not in ring.to"
                yield Problem(key.line, key.column, f"{ring.path}.weights.{key}", wrong, "remove the weight")


def _useless(ring: Written) -> Iterator[Problem]:
    weights = ring.own["weights"]
    if ring.own.get("strategy") != Strategy.WEIGHTED.value and "steps" not in ring.own:
        wrong = "count only with strategy: weighted"
        yield Problem(weights.line, weights.column, f"{ring.path}.weights", wrong, "write strategy: weighted")
