"""How a field says what is wrong with it, and how pydantic's findings become `Problem`s with a line and a mend."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterable, Mapping
from contextvars import ContextVar, copy_context
from typing import TYPE_CHECKING, Final, TypeVar

from pydantic_core import PydanticCustomError

from router.config.source import Items, Map, Node, Text
from router.errors import Problem
from router.numbers import safe_text

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

EXAMPLES: Final[Mapping[str, str]] = {
    "version": "version: 1",
    "company": "company: {country: FR, timezone: Europe/Paris, language: fr}",
    "country": "country: FR",
    "timezone": "timezone: Europe/Paris",
    "asterisk": "asterisk: {ari: …, trunks: …} as in the example",
    "ari": 'ari: {url: "http://127.0.0.1:8088/ari", username: callrouter, password_file: secrets/ari}',
    "url": 'url: "http://127.0.0.1:8088/ari"',
    "username": "username: callrouter",
    "password_file": "password_file: secrets/ari",
    "ami": "ami: {host: 127.0.0.1, port: 5038, username: callrouter, password_file: secrets/ami}",
    "trunks": 'trunks: {main: {dial: "PJSIP/{number}@trunk"}}',
    "dial": 'dial: "PJSIP/{number}@trunk"',
    "did_from": "did_from: [exten, to]",
    "hours": 'hours: {office: {weekly: {mon-fri: ["09:00-12:30"]}}}',
    "weekly": 'weekly: {mon-fri: ["09:00-12:30", "14:00-18:30"]}',
    "closed": 'closed: ["2026-12-24"]',
    "open": 'open: ["2026-12-13 10:00-17:00"]',
    "salespeople": 'salespeople: {alice: {name: Alice Martin, mobile: "+33612345678"}}',
    "mobile": 'mobile: "+33612345678"',
    "absent": 'absent: ["2026-08-01..2026-08-21"]',
    "defaults": "defaults: {hours: office, accept: press-1}",
    "ring": "ring: {to: [alice, bob]}",
    "weights": "weights: {alice: 70, bob: 30}, with strategy: weighted",
    "steps": "steps: [{to: [alice], timeout: 15s}, {add: [bob], timeout: 10s}]",
    "add": "add: [bob]",
    "announcement": 'announcement: {say: "the words"}, or announcement: {play: sounds/closed.wav}',
    "voicemail": 'voicemail: {announcement: {say: "This call is recorded. Speak after the tone."}}',
    "screening": 'screening: {block: ["+3389*"]}',
    "block": 'block: ["+33899123456", "+3389*"]',
    "vips": 'vips: {big-account: {numbers: ["+33140000009"], ring: {to: [alice]}}}',
    "speech": 'speech: {command: "espeak-ng -v {language} -w {file} {text}"}',
    "health": 'health: {listen: "127.0.0.1:9180"}',
    "to": "to: [alice, bob]",
    "callback": "callback: {due: 15m, retries: [10m, 1h], expire: 5d}, or callback: none",
    "retries": "retries: [10m, 1h, 4h]",
    "campaigns": 'campaigns: {spring-flyer: {numbers: ["+33184801001"], ring: {to: [alice]}}}',
    "numbers": 'numbers: ["+33184801001"]',
    "cost": "cost: [{amount: 1200 EUR, from: 2026-03-01, to: 2026-05-31}]",
    "amount": "amount: 1200 EUR",
    "unknown_number": "unknown_number: {ring: {to: [alice]}}",
}
"""What to write for a key that is missing or has the wrong kind of value."""

MOST_COMPARED: Final = 1_000
"""Names among which the nearest is looked for: comparing takes microseconds for each."""
MOST_NAMED: Final = 12

SECRET_KEYS: Final = frozenset(("password", "secret", "pass"))

Result = TypeVar("Result")

MOST_FOUND: Final = 100_000
"""Beyond so many mistakes none is told: pydantic keeps each, 1 kB of it, and only then hands out the first."""


class TooMany(Exception):
    """More than MOST_FOUND mistakes. No ValueError, so that pydantic stops at it."""


_left: ContextVar[int | None] = ContextVar("_left", default=None)


def few_mistakes(validate: Callable[[], Result]) -> Result:
    """What `validate` returns. Raises TooMany once it has refused more than MOST_FOUND values."""

    def counted() -> Result:
        _left.set(MOST_FOUND)
        return validate()

    return copy_context().run(counted)


def refuse(wrong: str, mend: str | Callable[[], str]) -> PydanticCustomError:
    """What a field's validator raises. A mend that takes looking for is called only when it will be shown."""
    left = _left.get()
    if left is not None:
        if not left:
            raise TooMany
        _left.set(left - 1)
    return PydanticCustomError("refused", "{wrong}", {"wrong": wrong, "mend": mend})


def said(error: PydanticCustomError | ErrorDetails) -> tuple[str, str]:
    """What is wrong and what to write instead, of something that `refuse` made."""
    context = (error.get("ctx") if isinstance(error, dict) else error.context) or {}
    mend = context["mend"]
    return str(context["wrong"]), mend() if callable(mend) else str(mend)


def nearest(word: str, known: Collection[str], otherwise: str = "") -> str:
    """The mend for a name that does not exist: the nearest one, else `otherwise`, else some of those that do."""
    names = known if len(known) <= MOST_COMPARED else [name for name in known if name[:1] == word[:1]]
    folded = {name.lower(): name for name in sorted(names)[:MOST_COMPARED]}
    close = difflib.get_close_matches(word.lower()[:80], folded, n=1, cutoff=0.6)
    if close:
        return f"did you mean {folded[close[0]]}?"
    if otherwise or not known:
        return otherwise or "define it first"
    return f"write one of: {', '.join(sorted(known)[:MOST_NAMED])}" + (", …" if len(known) > MOST_NAMED else "")


def shown(text: str) -> str:
    """A value of the file, quoted in a message: one short, harmless line."""
    return f'"{safe_text(text, 60)}"'


def kind(node: object) -> str:
    """`is a list`, for messages."""
    if isinstance(node, Map):
        return "is a mapping" if node else "is an empty mapping"
    if isinstance(node, Items):
        return "is a list" if node else "is an empty list"
    return f"is {shown(str(node))}" if str(node) else "is empty"


class Places:
    """Finds the line and column of a dotted path in the tree."""

    def __init__(self, root: Map) -> None:
        self._root = root
        self._keys: dict[int, dict[str, Text]] = {}

    def value(self, path: Iterable[str | int]) -> Node:
        """The value at `path`, or the innermost one that exists on the way to it."""
        node: Node = self._root
        for step in path:
            below: Node | None = None
            if isinstance(node, Map) and isinstance(step, str):
                below = node.get(step)
            elif isinstance(node, Items) and isinstance(step, int) and step < len(node):
                below = node[step]
            if below is None:
                break
            node = below
        return node

    def key(self, path: tuple[str | int, ...]) -> Node:
        """The last key of `path` itself, where its mapping has it; else as `value`."""
        holder = self.value(path[:-1])
        if not isinstance(holder, Map):
            return self.value(path)
        known = self._keys.get(id(holder))
        if known is None:
            known = {key: key for key in holder if isinstance(key, Text)}
            self._keys[id(holder)] = known
        return known.get(str(path[-1]), holder)


def dotted(path: Iterable[str | int]) -> str:
    """`campaigns.spring-flyer.numbers[0]`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{safe_text(step, 64)}" if text else safe_text(step, 64)
    return text


def problem(error: ErrorDetails, places: Places, keys: Mapping[str, tuple[str, ...]]) -> Problem:
    """One finding of pydantic. `keys`: the keys that each mapping of the file knows, by its name."""
    of_key = bool(error["loc"]) and error["loc"][-1] == "[key]"
    path = error["loc"][:-1] if of_key else error["loc"]
    what = error["type"]
    node = places.key(path) if what == "extra_forbidden" or of_key else places.value(path)
    wrong, mend = _said(error, path, places, keys)
    return Problem(node.line, node.column, dotted(path), wrong, mend)


def _said(
    error: ErrorDetails, path: tuple[str | int, ...], places: Places, keys: Mapping[str, tuple[str, ...]]
) -> tuple[str, str]:
    name = str(path[-1]) if path else ""
    example = f"write {EXAMPLES[name]}" if name in EXAMPLES else "write it as in the example"
    if error["type"] == "refused":
        return said(error)
    if error["type"] == "missing":
        return "is missing", example
    if error["type"] == "extra_forbidden":
        if name in SECRET_KEYS:
            return "a secret never stands in this file", "write password_file: and the name of a file"
        return "is no key that belongs here", nearest(name, _keys_at(path, keys))
    return kind(places.value(path)), example


def _keys_at(path: tuple[str | int, ...], keys: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The keys that the mapping around `path` knows: a mapping goes by its own name or by that of its folder
    (`campaigns.spring-flyer` by `campaigns.*`)."""
    around = [step for step in path[:-1] if isinstance(step, str)]
    for name in ([f"{around[-2]}.*"] if len(around) > 1 else []) + around[-1:]:
        if name in keys:
            return keys[name]
    return keys[""]
