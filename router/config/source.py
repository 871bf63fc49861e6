"""From the bytes of campaigns.yaml to a tree of text in which every value and key knows its line and column.

YAML's own reading of scalars is left out on purpose: it turns `+33612345678` into an integer, `17:00` into 1020
and `no` into False. Here a scalar stays the text that was written; `Text.plain` says that it stood without quotes,
so that a field can refuse what others would misread (see traps.py). The stream of parser events is read directly:
no YAML object is ever built, depth is bounded, and an alias costs what it stands for before it is followed.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, Final, TypeAlias

import yaml

from router.errors import Problem

LARGEST_FILE: Final = 8 * 1024 * 1024
"""Bytes. 100,000 numbers need 2 MB as lists, 6 MB as 100,000 small campaigns."""
MOST_VALUES: Final = 2_000_000
"""Keys and values, aliases counted for all that they stand for: what 8 MB of honest file cannot reach."""
DEEPEST: Final = 32
"""Levels of nesting; the contract's file has six."""
MOST_PROBLEMS: Final = 1_000
"""An editor shows no more, and a hostile file shall not fill the memory with complaints."""

LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Text(str):
    """A scalar or key as written. Lines and columns count from 1."""

    __slots__ = ("column", "line", "plain")
    line: int
    column: int
    plain: bool


class Map(dict[str, "Node"]):
    """A mapping; its keys are `Text`."""

    __slots__ = ("column", "line")
    line: int
    column: int


class Items(list["Node"]):
    """A sequence."""

    __slots__ = ("column", "line")
    line: int
    column: int


Node: TypeAlias = Text | Map | Items
Event: TypeAlias = Any
"""One of PyYAML's parser events: C and Python loaders have classes of their own that share no base."""


class NotPlain(OSError):
    """A folder, pipe or device where a file is needed."""


class Unreadable(Exception):
    """The file as a whole cannot be read. `problem` says why."""

    def __init__(self, wrong: str, mend: str, line: int = 0, column: int = 0) -> None:
        self.problem = Problem(line, column, "", wrong, mend)
        super().__init__(wrong)


@contextmanager
def plain_file(path: str) -> Iterator[tuple[BinaryIO, int]]:
    """An ordinary file for reading, and its mode. Never waits. Raises OSError, NotPlain for what is no file."""
    # Without O_NONBLOCK the opening of a named pipe waits for a writer that may never come.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        raise NotPlain(0, "a folder or a device")
    with os.fdopen(descriptor, "rb") as file:
        yield file, stat.S_IMODE(mode)


def read_bytes(path: str) -> bytes:
    """The file's bytes, never beyond the cap. Raises Unreadable."""
    try:
        with plain_file(path) as (file, _):
            data = file.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        raise Unreadable("there is no such file", "write it, or name it with --config FILE") from None
    except PermissionError:
        raise Unreadable("you may not read it", f"chmod u+r {path}, or run as its owner") from None
    except NotPlain:
        raise Unreadable("is a folder or a device", "name a plain file with --config FILE") from None
    except OSError as error:
        raise Unreadable(f"cannot be read ({error.strerror})", "name a plain file with --config FILE") from None
    if len(data) > LARGEST_FILE:
        limit = LARGEST_FILE // (1024 * 1024)
        raise Unreadable(f"is larger than {limit} MB", "remove what is no configuration, or split it over routers")
    return data


def decode(data: bytes) -> str:
    """The text of the file. Raises Unreadable for what is not UTF-8, at the first byte that is not."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Unreadable("is written in UTF-16", "save it as UTF-8", 1, 1)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", "replace")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        wrong = f"byte 0x{data[error.start]:02x} is not UTF-8 (an older encoding such as Latin-1?)"
        raise Unreadable(wrong, "save the file as UTF-8", line, column) from None


def read_tree(text: str) -> tuple[Map, list[Problem]]:
    """The mapping at the top of the file, and what is wrong with its YAML (duplicate keys, tags, …).

    Raises Unreadable where there is no mapping to go on with.
    """
    builder = _Builder()
    try:
        root = builder.document(text)
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        wrong = f"a control character (U+{_code(error.character):04X}) stands in the file"
        raise Unreadable(wrong, "remove it", line, column) from None
    except yaml.MarkedYAMLError as error:
        raise _syntax(error, text) from None
    if isinstance(root, Items):
        raise Unreadable("is a list", "write keys at the top: version, company, …", root.line, root.column)
    if not isinstance(root, Map):
        wrong = f"is only a word: {root[:40]!r}" if root else "is empty"
        raise Unreadable(wrong, "write version: 1, company: … as in the example", root.line, root.column)
    return root, builder.problems


def _code(character: object) -> int:
    """The C parser gives a code, the Python one a character."""
    return ord(character) if isinstance(character, str) else int(str(character))


def _syntax(error: yaml.MarkedYAMLError, text: str) -> Unreadable:
    """The YAML parser's complaint with a mend that fits the commonest causes."""
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
    lines = text.splitlines()
    written = lines[line - 1] if 0 < line <= len(lines) else ""
    rest = written[column - 1 :] if column else ""
    if "\t" in written[: len(written) - len(written.lstrip())] or rest.startswith("\t"):
        return Unreadable("is not YAML: a tab indents this line", "indent with spaces", line, column)
    what = " ".join(part for part in (error.problem, error.context) if part)
    mend = "write the line as in the example; text with : # { [ @ % or * belongs in quotes"
    return Unreadable(f"is not YAML: {what}", mend, line, column)


class _Builder:
    """Builds the tree from the parser's events, and collects what is wrong on the way."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self._anchors: dict[str, tuple[Node, int]] = {}
        self._values = 0

    def document(self, text: str) -> Node:
        """The only document of the file. Raises Unreadable and yaml.YAMLError."""
        events: Iterator[Event] = iter(yaml.parse(text, LOADER))
        next(events)
        event = next(events)
        if isinstance(event, yaml.StreamEndEvent):
            raise Unreadable("is empty", "write version: 1, company: … as in the example")
        root = self._node(next(events), events, 0, "")
        next(events)
        event = next(events)
        if not isinstance(event, yaml.StreamEndEvent):
            mark = event.start_mark
            wrong = "a second YAML document begins here"
            raise Unreadable(wrong, "keep one document: remove the line ---", mark.line + 1, mark.column + 1)
        return root

    def _node(self, event: Event, events: Iterator[Event], depth: int, path: str) -> Node:
        mark = event.start_mark
        self._count(1, mark)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        if depth > DEEPEST:
            raise Unreadable("is nested too deeply", "write it as in the example", mark.line + 1, mark.column + 1)
        before = self._values
        if isinstance(event, yaml.ScalarEvent):
            node: Node = _text(event)
        elif isinstance(event, yaml.MappingStartEvent):
            node = self._map(events, depth, path, mark)
        else:
            node = self._items(events, depth, path, mark)
        if event.tag is not None:
            wrong = f"the tag {_short_tag(event.tag)} is refused: a configuration makes no objects"
            self._wrong(mark, path, wrong, "remove the tag")
        if event.anchor is not None:
            self._anchors[event.anchor] = (node, self._values - before + 1)
        return node

    def _map(self, events: Iterator[Event], depth: int, path: str, mark: Event) -> Map:
        found = Map()
        found.line, found.column = mark.line + 1, mark.column + 1
        firsts: dict[str, Node] = {}
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key = self._node(event, events, depth + 1, path)
            below = _below(path, key)
            value = self._node(next(events), events, depth + 1, below)
            if not isinstance(key, Text):
                self._wrong(event.start_mark, path, "a key is a list or a mapping", "write a word as the key")
            elif key in found:
                firsts = firsts or {str(known): known for known in found if isinstance(known, Text)}
                wrong = f"the key stands already on line {firsts[key].line}"
                self._wrong(event.start_mark, below, wrong, "keep one of the two")
            else:
                found[key] = value
                if firsts:
                    firsts[key] = key
        return found

    def _items(self, events: Iterator[Event], depth: int, path: str, mark: Event) -> Items:
        found = Items()
        found.line, found.column = mark.line + 1, mark.column + 1
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            found.append(self._node(event, events, depth + 1, f"{path}[{len(found)}]"))
        return found

    def _alias(self, event: Event) -> Node:
        """What an alias stands for, counted as if it were written out: an anchor bomb never gets this far."""
        mark = event.start_mark
        known = self._anchors.get(event.anchor)
        if known is None:
            wrong = f"the alias *{event.anchor[:40]} stands for nothing that is complete"
            raise Unreadable(wrong, f"write &{event.anchor[:40]} before it", mark.line + 1, mark.column + 1)
        node, values = known
        self._count(values, mark)
        return node

    def _count(self, more: int, mark: Event) -> None:
        self._values += more
        if self._values > MOST_VALUES:
            wrong = f"holds more than {MOST_VALUES} values, aliases counted for what they stand for"
            raise Unreadable(wrong, "write fewer, or without aliases", mark.line + 1, mark.column + 1)

    def _wrong(self, mark: Event, path: str, wrong: str, mend: str) -> None:
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(Problem(mark.line + 1, mark.column + 1, path, wrong, mend))


def _below(path: str, key: Node) -> str:
    """The path of a key's value. A key of megabytes is cut, since each value below it carries the path."""
    if not isinstance(key, Text):
        return path
    return f"{path}.{key[:80]}" if path else key[:80]


def _text(event: Event) -> Text:
    text = Text(event.value)
    mark = event.start_mark
    text.line, text.column = mark.line + 1, mark.column + 1
    text.plain = not event.style
    return text


def _short_tag(tag: str) -> str:
    return tag.replace("tag:yaml.org,2002:", "!!")[:60]
