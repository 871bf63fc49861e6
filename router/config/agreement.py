"""What must agree across the whole file: one owner a number, no loop, and a complete answer for each campaign.

Works on the tree, beside pydantic and not after it, so that these errors come with all the others.
"""

from __future__ import annotations

from collections.abc import Iterator

from router.config.fields import Names
from router.config.source import Items, Map, Node, Text
from router.errors import Problem


def disagreements(root: Map, names: Names) -> Iterator[Problem]:
    """Every problem of this kind. `names` holds the numbers that were read."""
    owners = _owners(root, names)
    yield from _owned_twice(root, names, owners)
    yield from _loops(root, names, owners)
    yield from _incomplete(root)


def _section(root: Map, key: str) -> Map:
    found = root.get(key)
    return found if isinstance(found, Map) else Map()


def _numbers(root: Map) -> Iterator[tuple[str, int, Text]]:
    """(campaign, index, number) as they are written."""
    for campaign, keys in _section(root, "campaigns").items():
        listed = keys.get("numbers") if isinstance(keys, Map) else None
        for index, text in enumerate(listed if isinstance(listed, Items) else ()):
            if isinstance(text, Text):
                yield campaign, index, text


def _owners(root: Map, names: Names) -> dict[str, tuple[str, Text]]:
    """E.164 -> the first campaign that has it, and where."""
    found: dict[str, tuple[str, Text]] = {}
    for campaign, _, text in _numbers(root):
        number = names.dids.get(id(text))
        if number is not None:
            found.setdefault(number, (campaign, text))
    return found


def _owned_twice(root: Map, names: Names, owners: dict[str, tuple[str, Text]]) -> Iterator[Problem]:
    seen: set[str] = set()
    for campaign, index, text in _numbers(root):
        number = names.dids.get(id(text))
        if number is None:
            continue
        if number in seen:
            owner, first = owners[number]
            wrong = f"{number} belongs to {owner} already (line {first.line}, column {first.column})"
            path = f"campaigns.{campaign}.numbers[{index}]"
            yield Problem(text.line, text.column, path, wrong, "keep it in one campaign")
        seen.add(number)


def _loops(root: Map, names: Names, owners: dict[str, tuple[str, Text]]) -> Iterator[Problem]:
    for person, keys in _section(root, "salespeople").items():
        mobile = keys.get("mobile") if isinstance(keys, Map) else None
        number = names.mobiles.get(id(mobile))
        if number is not None and number in owners and isinstance(mobile, Text):
            owner, place = owners[number]
            wrong = f"{number} is a number of {owner} (line {place.line}): the call would ring itself"
            yield Problem(mobile.line, mobile.column, f"salespeople.{person}.mobile", wrong, "write a mobile")


def _incomplete(root: Map) -> Iterator[Problem]:
    """Campaigns for which neither they nor the defaults say whom to ring and what accepts a call."""
    defaults = _section(root, "defaults")
    users: list[tuple[str, Node]] = [
        (f"campaigns.{name}", keys) for name, keys in _section(root, "campaigns").items()
    ]
    if "unknown_number" in root:
        users.append(("unknown_number", root["unknown_number"]))
    if "to" not in _section(defaults, "ring"):
        for path, keys in users:
            if isinstance(keys, Map) and "to" not in _section(keys, "ring"):
                wrong = "nobody is rung: ring.to is missing"
                mend = f"write ring: {{to: [{', '.join(list(_section(root, 'salespeople'))[:2])}]}}"
                yield Problem(keys.line, keys.column, path, wrong, mend)
    if "accept" not in defaults and any(isinstance(keys, Map) and "accept" not in keys for _, keys in users):
        place = root.get("defaults", root)
        wrong = "accept is missing, and its default (press-1) comes with the next release"
        yield Problem(place.line, place.column, "defaults", wrong, "write accept: none")
