"""The house: which room may know which, and how long a file may be."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.rooms import PURE, files

ROOT = Path(__file__).parents[2]
ROUTER = ROOT / "router"

#: What a pure room may take from outside: values and arithmetic. phonenumbers is a table of numbering plans.
HARMLESS = {
    "__future__",
    "bisect",
    "collections",
    "dataclasses",
    "datetime",
    "decimal",
    "enum",
    "functools",
    "hashlib",
    "heapq",
    "itertools",
    "json",
    "hmac",
    "math",
    "operator",
    "phonenumbers",
    "random",  # only as Random(seed): whoever calls a pure room brings the chance along
    "re",
    "secrets",
    "string",
    "sys",
    "types",
    "typing",
    "unicodedata",
    "urllib",
    "zoneinfo",
}


def imports(file: Path) -> set[str]:
    """Every module that a file imports, inside functions too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return names


def rooms_of(names: set[str]) -> set[str]:
    return {name.split(".")[1] for name in names if name.startswith("router.")}


def sources(*folders: str) -> list[Path]:
    return sorted(file for folder in folders for file in (ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("room", sorted(PURE))
def test_a_pure_room_imports_no_adapter(room: str) -> None:
    for file in files(room):
        names = imports(file)
        known = {child.stem for child in ROUTER.iterdir()}
        assert (rooms_of(names) & known) <= PURE, file
        foreign = {name.split(".")[0] for name in names} - HARMLESS - {"router"}
        assert not foreign, f"{file.name} imports {foreign}"


def test_no_pure_room_makes_chance_of_its_own() -> None:
    for room in PURE:
        for file in files(room):
            assert {name for name in imports(file) if name.split(".")[0] == "random"} <= {"random", "random.Random"}
            calls = [
                node for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)
            ]
            drawn = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "Random"]
            assert all(call.args for call in drawn), f"{file.name} draws without a seed"


@pytest.mark.parametrize("room", ["ari", "store", "config", "reports", "ami"])
def test_an_adapter_knows_neither_the_engine_nor_the_commands(room: str) -> None:
    files = [ROUTER / f"{room}.py"] if (ROUTER / f"{room}.py").exists() else sources(f"router/{room}")
    for file in files:
        assert not rooms_of(imports(file)) & {"engine", "service", "commands", "call"}, file


def test_only_the_engines_room_runs_an_event_loop_over_calls() -> None:
    for file in sources("router/store", "router/config", "router/reports"):
        assert "asyncio" not in imports(file), file


def test_a_file_can_be_read_at_one_sitting() -> None:
    long = {
        str(file.relative_to(ROOT)): lines
        for file in [*sources("router", "sandbox", "bench", "agi_scripts"), ROOT / "cli.py"]
        if (lines := len(file.read_text(encoding="utf-8").splitlines())) > 400
    }
    assert not long
