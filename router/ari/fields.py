"""Single fields of foreign JSON, read with bounds. Pure.

Texts are cut to a length that no honest value reaches and can always be encoded; whole numbers fit 32 bits.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

loads: Callable[[str | bytes], object]
"""JSON to plain objects. Raises ValueError or RecursionError."""
dumps: Callable[[object], bytes]
"""Plain objects to compact JSON."""

try:
    import orjson
except ImportError:
    loads = json.loads

    def _dumps(value: object) -> bytes:
        return json.dumps(value, separators=(",", ":")).encode()

    dumps = _dumps
else:
    # A third to a half of the standard library's time for each event.
    loads = orjson.loads
    dumps = orjson.dumps

T = TypeVar("T")
Raw = Mapping[object, object]

#: Longest single text. Asterisk's own limit for a channel's application data is 8,191 characters.
LONGEST_TEXT: Final = 8192

#: Longest id: Asterisk refuses channel ids over 149 characters (channel.h, AST_MAX_PUBLIC_UNIQUEID).
LONGEST_ID: Final = 160


class Malformed(ValueError):
    """A message or an answer that lacks what it must have."""


def text_at(raw: object, *path: str) -> str:
    """The text that stands at `path` in nested objects, empty where there is none."""
    for key in path:
        raw = raw.get(key) if isinstance(raw, dict) else None
    return read_text(raw)


def read_list(raw: object, read: Callable[[object], T]) -> tuple[T, ...]:
    """What can be read of a list. Raises Malformed when it is no list."""
    if not isinstance(raw, list):
        raise Malformed("no list")
    found = []
    for entry in raw:
        try:
            found.append(read(entry))
        except Malformed:
            continue
    return tuple(found)


def read_id(value: object, what: str) -> str:
    """A text that names something. Raises Malformed."""
    if not isinstance(value, str) or not value or len(value) > LONGEST_ID:
        raise Malformed(f"no {what} id")
    return read_text(value)


def read_text(value: object) -> str:
    """A text, empty for anything else."""
    if not isinstance(value, str):
        return ""
    if len(value) > LONGEST_TEXT:
        value = value[:LONGEST_TEXT]
    if value.isascii():
        return value
    # The standard library lets lone surrogates through, which neither a log nor a database can take.
    return value.encode("utf-8", "replace").decode("utf-8")


def read_texts(value: object) -> tuple[str, ...]:
    """The texts of a list, nothing for anything else."""
    if not isinstance(value, list):
        return ()
    return tuple([read_text(entry) for entry in value if isinstance(entry, str)])


def part(raw: Raw, key: str) -> Raw:
    """An object within an object, empty for anything else."""
    value = raw.get(key)
    return value if isinstance(value, dict) else {}


def whole(value: object) -> int:
    """A whole number that fits 32 bits, 0 for anything else."""
    return value if type(value) is int and -(2**31) <= value < 2**31 else 0


def sip_status(raw: Raw) -> int | None:
    """The SIP status of an end event, None where the channel is no SIP channel or nothing was said."""
    value = raw.get("tech_cause")
    return value if type(value) is int and 100 <= value <= 699 else None


def app_called(dialplan: Raw) -> tuple[str, tuple[str, ...]]:
    """The ARI application that a channel was sent to, and with which arguments; nothing for any other channel.

    `app_data` is what `Stasis()` was called with: `name,argument,argument`. The dialplan encodes commas within
    arguments.
    """
    if dialplan.get("app_name") != "Stasis":
        return "", ()
    name, *args = read_text(dialplan.get("app_data")).split(",")
    return name, tuple(args)


def label(text: str) -> str:
    """At most 80 printable characters, for logs and counters."""
    return "".join(char if char.isprintable() else "?" for char in text[:80])
