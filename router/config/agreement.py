"""What must agree across the whole file: one owner a number, no loop, and a complete answer for each campaign.

Works on the tree, beside pydantic and not after it, so that these errors come with all the others.
"""

from __future__ import annotations

from collections.abc import Iterator

from router.config.fields import Names
from router.config.rings import incomplete, overflows, section
from router.config.screening import covers
from router.config.source import Items, Map, Node, Text
from router.errors import Problem


def disagreements(root: Map, names: Names) -> Iterator[Problem]:
    """Every problem of this kind. `names` holds the numbers that were read."""
    owners = _owners(root, names)
    yield from _owned_twice(root, names, owners)
    yield from _loops(root, names, owners)
    yield from _screened_twice(root, names)
    yield from incomplete(root, names.people)


def _numbers(root: Map) -> Iterator[tuple[str, int, Text]]:
    """(campaign, index, number) as they are written."""
    for campaign, keys in section(root, "campaigns").items():
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
    people = section(root, "salespeople").items()
    dialled = [(f"salespeople.{person}.mobile", keys, "mobile") for person, keys in people if isinstance(keys, Map)]
    dialled += [(f"{path}.number", keys, "number") for path, keys in overflows(root)]
    for path, keys, key in dialled:
        text = keys.get(key)
        number = names.mobiles.get(id(text))
        if number is not None and number in owners and isinstance(text, Text):
            owner, place = owners[number]
            wrong = f"{number} is a number of {owner} (line {place.line}): the call would ring itself"
            mend = "write a mobile" if key == "mobile" else "write a number that is none of ours"
            yield Problem(text.line, text.column, path, wrong, mend)


def _screened_twice(root: Map, names: Names) -> Iterator[Problem]:
    """VIPs whose numbers are blocked, or belong to another VIP too."""
    screening = section(root, "screening")
    blocked = _callers(screening.get("block"), names)
    others: list[tuple[str, str]] = []
    for vip, keys in section(screening, "vips").items():
        listed = _callers(keys.get("numbers") if isinstance(keys, Map) else None, names)
        for index, text, number in listed:
            path = f"screening.vips.{vip}.numbers[{index}]"
            block = next((one for one in blocked if covers(one[2], number)), None)
            if block:
                wrong = f"{number} is blocked too (line {block[1].line})"
                yield Problem(text.line, text.column, path, wrong, "keep it in one of the two")
            other = next((name for name, theirs in others if name != vip and theirs == number), None)
            if other:
                wrong = f"{number} belongs to {other} already"
                yield Problem(text.line, text.column, path, wrong, "keep it in one place")
            others.append((vip, number))


def _callers(listed: Node | None, names: Names) -> list[tuple[int, Text, str]]:
    """(index, as written, as read) of a list of callers, without those that could not be read."""
    found = enumerate(listed) if isinstance(listed, Items) else ()
    return [
        (index, text, names.callers[id(text)])
        for index, text in found
        if isinstance(text, Text) and id(text) in names.callers
    ]
