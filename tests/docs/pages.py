"""The pages that are for readers, taken apart: code blocks, inline code, links, headings, tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = tuple(
    sorted(
        path.relative_to(ROOT).as_posix()
        for pattern in ("*.md", "docs/*.md", "asterisk_conf/*.md", "bench/*.md")
        for path in ROOT.glob(pattern)
    )
)
"""Relative to the top of the repository."""

_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"(?<!`)`([^`]+)`(?!`)")
_HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    page: str
    language: str
    text: str
    line: int

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


@cache
def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def prose(page: str) -> str:
    """The page without its code blocks."""
    return _FENCE.sub("", read(page))


def blocks(*languages: str) -> list[Block]:
    """The code blocks of all pages in these languages, without their indent."""
    found = []
    for page in PAGES:
        text = read(page)
        for fence in _FENCE.finditer(text):
            lines = [line.removeprefix(fence[1]) for line in fence[3].splitlines()]
            if fence[2] in languages:
                found.append(Block(page, fence[2], "\n".join(lines) + "\n", text.count("\n", 0, fence.start()) + 1))
    return found


def inline(page: str) -> list[str]:
    """What stands between single backticks, a line's end within it being a space."""
    return [" ".join(code.split()) for code in _INLINE.findall(prose(page))]


def anchors(page: str) -> set[str]:
    """The names under which a page's headings are linked to."""
    headings = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in _HEADING.findall(prose(page)))
    return {heading.strip().replace(" ", "-") for heading in headings}


def tables(page: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Each row of each table as column title -> cell, with the heading or the bold line that it stands under."""
    under, titles = "", list[str]()
    for line in prose(page).splitlines():
        if heading := re.fullmatch(r"#+ +(.+)|\*\*(.+)\*\*", line):
            under = heading[1] or heading[2]
        if not line.startswith("|"):
            titles = []
            continue
        cells = [cell.strip() for cell in re.split(r"(?<!`)\|(?!`)", line.strip().strip("|"))]
        if not titles:
            titles = cells
        elif set(line) - set("|-: "):
            yield under, dict(zip(titles, cells, strict=True))


def code(cell: str) -> list[str]:
    """What stands in backticks in a table's cell."""
    return _INLINE.findall(cell)
