"""A campaigns.yaml made to eat the machine: refused in words, in bounded time and memory. Each is given to
`callrouter check` in a process of its own, which may have no more than so much."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from router.config.source import LARGEST_FILE, MOST_PROBLEMS
from tests.campaign_file import GOOD, PASSWORDS, spoilt

ROOT = Path(__file__).parents[2]
ADDRESSES = 1 << 30
"""Bytes of memory that a child may ask for at all."""
MEMORY = 600 * 1024 * 1024
"""Resident bytes that it may reach: 8 MB of text as a tree of its values, each with its place."""
BOUNDED = f"""
import os, resource, sys
resource.setrlimit(resource.RLIMIT_AS, ({ADDRESSES}, {ADDRESSES}))
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""
CPU = 20.0
"""Seconds of processor: the slowest of them takes 3 here, on a machine that does nothing else."""


@dataclass(frozen=True)
class Checked:
    """What one check took and said."""

    status: int
    said: str
    cpu: float
    memory: int


def check(folder: Path, data: bytes) -> Checked:
    """`callrouter check` on these bytes."""
    file = folder / "campaigns.yaml"
    file.write_bytes(data)
    said = folder / "said"
    with said.open("wb") as output:
        child = subprocess.Popen(
            [sys.executable, "-c", BOUNDED, str(ROOT / "cli.py"), "--config", str(file), "check"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, **PASSWORDS},
        )
        waited = os.wait4(child.pid, 0)
    used = waited[2]
    child.returncode = os.waitstatus_to_exitcode(waited[1])
    text = said.read_text(encoding="utf-8")
    return Checked(child.returncode, text, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)


def laughs(width: int, depth: int, brackets: str = "[]") -> str:
    """A billion laughs: each line is `width` times the one before."""
    open_, close = brackets[0], brackets[1]
    text = f"a0: &a0 {open_}{', '.join(f'k{at}: x' if open_ == '{' else 'x' for at in range(width))}{close}\n"
    for level in range(1, depth):
        items = [f"k{at}: *a{level - 1}" if open_ == "{" else f"*a{level - 1}" for at in range(width)]
        text += f"a{level}: &a{level} {open_}{', '.join(items)}{close}\n"
    return text


def filled(piece: str, size: int = LARGEST_FILE) -> str:
    """As often as fits into a file that is still read."""
    return piece * (size // len(piece))


BOMBS: dict[str, tuple[Callable[[], str], str]] = {
    "a billion laughs": (lambda: laughs(10, 12), "aliases counted for what they stand for"),
    "a billion laughs in mappings": (lambda: laughs(10, 12, "{}"), "aliases counted for what they stand for"),
    "quadratic aliases": (
        lambda: f"a: &a [{'x, ' * 100_000}]\nb: [{'*a, ' * 100_000}]\n",
        "aliases counted for what they stand for",
    ),
    "a merge key": (
        lambda: "base: &base {name: x}\n" + spoilt("  alice: {name", "  alice: {<<: *base, name"),
        "salespeople.alice",
    ),
    "merge keys of merge keys": (
        lambda: "a0: &a0 {x: y}\n" + "".join(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}\n" for n in range(1, 60)),
        "aliases counted for what they stand for",
    ),
    "a loop": (lambda: "a: &a [*a]\n", "stands for nothing"),
    "10 MB": (lambda: GOOD + filled("# more\n", 10 * 1024 * 1024), "larger than 8 MB"),
    "10 MB on one line": (lambda: "a: " + "x" * (10 * 1024 * 1024), "larger than 8 MB"),
    "8 MB of one word": (lambda: "a: " + "x" * (LARGEST_FILE - 100) + "\n", "a: "),
    "8 MB of one key": (lambda: "x" * (LARGEST_FILE - 100) + ": a\n", ""),
    "8 MB of small values": (lambda: "a: [" + filled("x,", LARGEST_FILE - 100) + "]\n", "values"),
    "8 MB of keys": (lambda: "".join(f"k{n}: x\n" for n in range(700_000)), "mistakes, which is no configuration"),
    "8 MB of one key again and again": (lambda: filled("a: bbbbbbbb\n"), "the key stands already on line 1"),
    "8 MB of lines that are nothing": (lambda: filled("\n", LARGEST_FILE - 10) + "a", "is only a word"),
    "8 MB of anchors": (lambda: "a: [" + filled("&a x,", LARGEST_FILE - 100) + "]\n", ""),
    "8 MB of tags": (lambda: "a: [" + filled("!!str x,", LARGEST_FILE - 100) + "]\n", "the tag !!str is refused"),
    "nested lists": (lambda: "[" * 100_000, "nested too deeply"),
    "nested mappings": (lambda: "{a: " * 100_000, "nested too deeply"),
    "nested by indentation": (lambda: "".join(" " * n + "a:\n" for n in range(1500)), "nested too deeply"),
    "nested lists in blocks": (lambda: "- " * 100_000 + "x", "nested too deeply"),
    "nested keys": (lambda: "? " * 100_000 + "x", "nested too deeply"),
    "a huge integer": (lambda: spoilt("version: 1", f"version: {'9' * 1_000_000}"), "version"),
    "a huge sexagesimal": (lambda: spoilt("Alice Martin", "1" + ":59" * 1_000_000), "salespeople.alice.name"),
    "a huge hexadecimal": (lambda: spoilt("timeout: 20s", f"timeout: 0x{'f' * 1_000_000}"), "timeout"),
    "a huge exponent": (lambda: spoilt("1200 EUR", "1e999999999 EUR"), "amount"),
    "a huge duration": (lambda: spoilt("timeout: 20s", f"timeout: {'9' * 100_000}s"), "timeout"),
    "a huge span of days": (lambda: spoilt("2026-12-28..2026-12-31", "0001-01-01..9999-12-31"), "closed"),
    "!!python": (
        lambda: spoilt("Alice Martin", '!!python/object/apply:os.system ["touch executed"]'),
        "the tag !!python/object/apply:os.system is refused",
    ),
    "!!python/name": (lambda: spoilt("Alice Martin", "!!python/name:os.system x"), "is refused"),
    "!!binary of 4 MB": (lambda: spoilt("Alice Martin", "!!binary " + "QUJD" * 1_000_000), "tag !!binary"),
    "thousands of errors": (
        lambda: GOOD + "".join(f"key{n}: x\n" for n in range(50_000)),
        f"{50_000 - MOST_PROBLEMS} more problems",
    ),
    "thousands of bad numbers": (
        lambda: spoilt('["+33184801001"]', "[" + ", ".join(f'"{n}"' for n in range(20_000)) + "]"),
        f"{20_000 - MOST_PROBLEMS} more problems",
    ),
    "a hundred thousand and more bad numbers": (
        lambda: spoilt('["+33184801001"]', "[" + "1, " * 150_000 + "]"),
        "mistakes, which is no configuration",
    ),
    "8 MB of bad numbers": (
        lambda: spoilt('["+33184801001"]', "[" + "1, " * 1_800_000 + "]"),
        "mistakes, which is no configuration",
    ),
    "8 MB of bad costs": (
        lambda: spoilt('["+33184801001"]', '["+33184801001"]\n    cost: [' + "1," * 1_800_000 + "]"),
        "has 1800000 costs",
    ),
    "thousands of unknown people": (
        lambda: spoilt("to: [alice, bob]", f"to: [{', '.join(f'p{n}' for n in range(20_000))}]"),
        "more problems",
    ),
    "a million documents": (lambda: filled("---\n", 4_000_000), "a second YAML document begins here"),
    "a directive": (lambda: "%YAML 9.9\n---\na: b\n", "is not YAML"),
    "a control character": (lambda: GOOD + "\x00", "control character"),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_it_is_refused_in_words_in_little_time_and_memory(tmp_path: Path, bomb: str) -> None:
    make, says = BOMBS[bomb]
    checked = check(tmp_path, make().encode())
    assert checked.status == 1, checked.said[-2000:]
    for word in ("Traceback", "MemoryError", "RecursionError"):
        assert word not in checked.said
    lines = checked.said.splitlines()
    assert says in checked.said, lines[:3]
    assert 1 <= len(lines) <= MOST_PROBLEMS + 1
    assert all(line.startswith(str(tmp_path / "campaigns.yaml")) for line in lines)
    assert all(line.isprintable() and len(line) < 1000 for line in lines)
    assert checked.cpu < CPU
    assert checked.memory < MEMORY
    assert sorted(path.name for path in tmp_path.iterdir()) == ["campaigns.yaml", "said"], "nothing was carried out"
    assert not (ROOT / "executed").exists()


def test_an_honest_file_is_accepted_within_the_same_bounds(tmp_path: Path) -> None:
    """100,000 numbers: that a bomb is refused is no accident of the bounds."""
    numbers = ", ".join(f'"+3318{n:07d}"' for n in range(100_000))
    checked = check(tmp_path, spoilt('["+33184801001"]', f"[{numbers}]").encode())
    assert checked.status == 0, checked.said[-2000:]
    assert checked.memory < MEMORY


def test_a_child_that_wants_more_memory_is_refused_it(tmp_path: Path) -> None:
    """The bound is one: it can be reached."""
    (tmp_path / "greedy.py").write_text(f"bytearray({ADDRESSES})\n", encoding="ascii")
    child = subprocess.run(
        [sys.executable, "-c", BOUNDED, "greedy.py"], capture_output=True, cwd=tmp_path, check=False
    )
    assert b"MemoryError" in child.stderr
