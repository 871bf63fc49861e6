"""The commands: each stands in the pages, each that stands there can be typed, and exit codes are as said."""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from router.commands import group as main
from router.store.database import open_database
from tests.docs.pages import PAGES, ROOT, blocks, code, inline, read, tables

ALL_PAGES = " ".join(" ".join(read(page).split()) for page in PAGES)


def tree(
    command: click.Command = main, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command but the groups, with its words."""
    if not isinstance(command, click.Group):
        yield path, command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        below = command.get_command(context, name)
        assert below is not None
        yield from tree(below, (*path, name))


LEAVES = dict(tree())
NAMES = {path[:length] for path in LEAVES for length in range(len(path) + 1)}
"""Commands and groups without their arguments."""


def shown() -> Iterator[tuple[str, str]]:
    """(where, command line) for each use of `callrouter` in the pages."""
    for block in blocks("console", "sh"):
        for number, line in enumerate(block.text.splitlines(), block.line + 1):
            typed = re.fullmatch(r"[$#] (?:sudo )?(callrouter(?: .*)?)", line)
            if typed:
                yield f"{block.page}:{number}", typed[1]
    for page in PAGES:
        for text in inline(page):
            if re.match(r"callrouter(?: |$)", text) and "…" not in text:
                yield page, text


SHOWN = sorted(set(shown()))


def words(line: str) -> list[str]:
    """The command's arguments, up to a comment or the next command."""
    line = re.sub(r"\$\([^)]*\)", "TODAY", line)
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split, lexer.commenters = True, "#"
    found: list[str] = []
    for word in lexer:
        if set(word) <= set("();<>|&"):
            break
        found.append(word)
    return found[1:]


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_every_command_stands_in_the_pages(path: tuple[str, ...]) -> None:
    assert f"callrouter {' '.join(path)}" in ALL_PAGES


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_every_option_stands_in_the_pages_and_says_what_it_does(path: tuple[str, ...]) -> None:
    for parameter in (*LEAVES[path].params, *main.params):
        if isinstance(parameter, click.Option):
            name = max(parameter.opts, key=len)
            assert re.search(rf"{name}(?![\w-])", ALL_PAGES), name
            assert parameter.help or isinstance(parameter.type, click.Choice), name


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_every_command_says_what_it_does_within_80_columns(path: tuple[str, ...]) -> None:
    said = CliRunner().invoke(main, [*path, "--help"], terminal_width=80)
    assert said.exit_code == 0
    assert LEAVES[path].help
    too_long = [line for line in said.output.splitlines() if len(line) > 80 and not line.lstrip().startswith("--")]
    assert not too_long


@pytest.mark.parametrize(("where", "line"), SHOWN, ids=[f"{where} {line}" for where, line in SHOWN])
def test_every_command_that_is_shown_can_be_typed(where: str, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for command in LEAVES.values():
        monkeypatch.setattr(command, "callback", lambda **_: None)
    arguments = words(line)
    if tuple(arguments) in NAMES:
        return  # Spoken of, not typed.
    said = CliRunner().invoke(main, arguments)
    assert said.exit_code == 0, f"{where}: {said.output}"


def test_there_are_commands_to_be_looked_at() -> None:
    assert len(LEAVES) >= 19
    assert len(SHOWN) >= 60


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {target for page in PAGES for target in re.findall(r"(?<=`)make ([a-z]+)", read(page))}
    assert named >= {"setup", "demo", "run", "call", "test", "bench"}
    assert named <= targets


# --- Exit codes ---------------------------------------------------------------------------------------------

NOBODY_THERE = """\
version: 1
company: {country: FR, timezone: Europe/Paris}
asterisk:
  ari: {url: "http://127.0.0.1:1/ari", username: callrouter}
  trunks: {main: {dial: "PJSIP/{number}@trunk"}}
salespeople: {alice: {mobile: "+33612345678"}}
defaults: {accept: none, ring: {to: [alice]}}
campaigns: {flyer: {numbers: ["+33184801001"]}}
unknown_number: {}
"""


def run(folder: Path, *arguments: str, text: str = NOBODY_THERE) -> Result:
    (folder / "campaigns.yaml").write_text(text, encoding="utf-8")
    environment = {"CALLROUTER_ARI_PASSWORD": "word"}
    return CliRunner(env=environment).invoke(main, ["--config", str(folder / "campaigns.yaml"), *arguments])


def test_the_readme_lists_the_exit_codes() -> None:
    rows = [row for _, row in tables("README.md") if "exit" in row]
    assert [row["exit"] for row in rows] == ["0", "1", "2", "3"]


def test_0_is_done(tmp_path: Path) -> None:
    assert run(tmp_path, "check").exit_code == 0


@pytest.mark.parametrize(
    "arguments", [["calls", "list"], ["callbacks", "list"], ["report", "missed"], ["backup", "copy.db"], ["reload"]]
)
def test_1_is_refused_with_one_line_on_standard_error(tmp_path: Path, arguments: list[str]) -> None:
    said = run(tmp_path, *arguments)
    assert said.exit_code == 1
    assert said.stdout == ""
    assert len(said.stderr.splitlines()) == 1


def test_1_is_an_invalid_file_with_a_line_for_each_mistake(tmp_path: Path) -> None:
    said = run(tmp_path, "check", text=NOBODY_THERE.replace('"+33', "+33"))
    assert said.exit_code == 1
    assert len(said.stderr.splitlines()) == 2


@pytest.mark.parametrize("arguments", [["nonsense"], ["check", "--nonsense"], ["calls", "show"], ["explain"]])
def test_2_is_a_wrong_call(tmp_path: Path, arguments: list[str]) -> None:
    assert run(tmp_path, *arguments).exit_code == 2


def test_3_is_something_that_does_not_run(tmp_path: Path) -> None:
    said = run(tmp_path, "doctor")
    assert said.exit_code == 3
    assert "FAIL  ari: " in said.stdout


# --- What the pages say of the doctor and of the log ----------------------------------------------------------


def literals(pattern: str, folder: str) -> set[str]:
    """What `pattern` finds in the source files of a folder."""
    files = (ROOT / folder).rglob("*.py")
    return {found for file in files for found in re.findall(pattern, file.read_text(encoding="utf-8"))}


def test_every_line_of_the_doctor_is_explained() -> None:
    lines = literals(r'\b(?:ok|warn|fail)\(\s*"([a-z ]+)"', "router/doctor") | {"configuration"}
    explained = {code(row["line"])[0] for under, row in tables("docs/operation.md") if "doctor" in under}
    assert lines | {"trunk NAME", "calls from ENDPOINT"} == explained


def test_every_event_that_is_explained_is_logged() -> None:
    logged = literals(r'event="([a-z_]+)"', "router")
    rows = [row for under, row in tables("docs/operation.md") if under == "Logs"]
    explained = {event for row in rows for event in code(row["`event=`"])}
    assert len(explained) > 10
    assert explained <= logged


def test_every_query_that_is_shown_runs(tmp_path: Path) -> None:
    queries = [query for block in blocks("console") for query in re.findall(r'"(SELECT .+)"', block.text)]
    assert queries
    with contextlib.closing(open_database(str(tmp_path / "callrouter.db"))) as connection:
        for query in queries:
            connection.execute(query)
