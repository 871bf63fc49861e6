"""SQL in whatever reaches the database: it is stored, or asked for, as the text that it is."""

from __future__ import annotations

import ast
import json
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.commands import group
from router.model import Caller, Pause, StaffCall
from router.store import pauses
from router.store.database import immediate, writing
from router.store.operations import StaffCallEnded
from router.store.queries import CallFilter, list_callbacks, list_calls
from router.store.reveals import write_reveal
from tests.campaign_file import GOOD
from tests.store_rows import START, answered, dump, missed, voicemail, whole, write

ROOT = Path(__file__).parents[2]
TABLES = ("callers", "calls", "attempts", "callbacks", "callback_calls", "pauses", "reveals", "staff_calls")
PAYLOADS = [
    "'; DROP TABLE calls; --",
    "' OR '1'='1",
    '" OR ""="',
    "x') UNION SELECT number, number FROM callers --",
    "%' OR 1=1 /*",
    ":campaign",
    "?",
    "\\'; DELETE FROM callbacks",
    "(SELECT number FROM callers)",
    "x'; ATTACH DATABASE '/tmp/evil' AS evil; --",
    "{which}",
    "a_%",
]


# --- No statement is made of what is not ours -----------------------------------------------------------------


@dataclass(frozen=True)
class Statement:
    """One `execute` whose SQL is not made of constants alone."""

    file: str
    function: str
    text: str


ALLOWED = {
    ("router/config/compiled.py", "_insert"): "the table is a word of _fill",
    ("router/config/compiled.py", "_text"): "both of its callers give it a constant",
    ("router/store/callbacks.py", "_row"): "the names of columns, a constant split and joined",
    ("router/store/migrations.py", "migrate"): "a pragma takes no parameter: how many versions there are",
    ("router/store/migrations.py", "_version"): "the statements of schema.py",
    ("router/store/migrations.py", "carry_out"): "the statements of schema.py",
    ("router/store/queries.py", "list_calls"): "conditions of ours, each with a mark for its value",
    ("router/store/queries.py", "find_id"): "the table is one of two words, the length a number",
    ("router/store/queries.py", "list_callbacks"): "a mark for each state",
}
"""Whose SQL a reader has looked at, and why it is safe."""


def fixed(node: ast.expr | None, function: ast.AST, depth: int = 4) -> bool:
    """Whether an expression is made of constants alone: literals, CONSTANTS of a module, and what the same function
    puts together of these."""
    match node:
        case ast.Constant():
            return True
        case ast.Name(id=name) if name.strip("_").isupper():
            return True
        case ast.Name(id=name) if depth:
            given = [
                each.value
                for each in ast.walk(function)
                if isinstance(each, ast.Assign) and any(ast.unparse(target) == name for target in each.targets)
            ]
            return bool(given) and all(fixed(value, function, depth - 1) for value in given)
        case ast.JoinedStr(values=values):
            return all(fixed(value, function, depth) for value in values)
        case ast.FormattedValue(value=value):
            return fixed(value, function, depth)
        case ast.IfExp(body=body, orelse=other):
            return fixed(body, function, depth) and fixed(other, function, depth)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return fixed(left, function, depth) and fixed(right, function, depth)
        case ast.Call(func=ast.Attribute(value=pattern, attr="format"), args=args, keywords=words):
            return all(fixed(each, function, depth) for each in [pattern, *args, *(word.value for word in words)])
    return False


def open_statements(source: str, file: str) -> Iterator[Statement]:
    for function in ast.walk(ast.parse(source)):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for call in ast.walk(function):
            if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
                continue
            if call.func.attr in ("execute", "executemany", "executescript"):
                sql = call.args[0] if call.args else None
                if not fixed(sql, function):
                    yield Statement(file, function.name, ast.unparse(call))


def test_no_sql_is_put_together_of_what_comes_from_outside() -> None:
    found = [
        statement
        for folder in ("router", "agi_scripts")
        for file in sorted((ROOT / folder).rglob("*.py"))
        for statement in open_statements(file.read_text(encoding="utf-8"), str(file.relative_to(ROOT)))
    ]
    unknown = [each for each in found if (each.file, each.function) not in ALLOWED]
    assert not unknown, "SQL that is not constant, and that nobody has vouched for"
    stale = ALLOWED.keys() - {(each.file, each.function) for each in found}
    assert not stale, "vouched for, and no longer there"


@pytest.mark.parametrize(
    "line",
    [
        'c.execute("SELECT " + name)',
        'c.execute(f"SELECT * FROM calls WHERE id = {name!r}")',
        'c.execute("SELECT %s" % name)',
        'c.executescript("SELECT {}".format(name))',
        "sql = name\n    c.execute(sql)",
        "sql = _CALLS\n    sql = sql.replace('x', name)\n    c.execute(sql)",
    ],
)
def test_the_walk_would_find_it(line: str) -> None:
    assert list(open_statements(f"def f(c, name):\n    {line}\n", "f.py"))


# --- What is written ------------------------------------------------------------------------------------------

NASTY = st.one_of(
    st.sampled_from(PAYLOADS),
    st.text(max_size=40),
    st.tuples(st.sampled_from(["'", '"', ";", "--", "\0", "`", "]"]), st.text(max_size=20)).map("".join),
)


def schema(path: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT type, name, sql FROM sqlite_schema ORDER BY name").fetchall()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.lists(NASTY, min_size=12, max_size=12))
def test_any_text_in_any_field_is_stored_as_text(tmp_path_factory: pytest.TempPathFactory, text: list[str]) -> None:
    path = str(tmp_path_factory.mktemp("sql") / "calls.db")
    write(path, [missed("clean", campaign="clean")])
    before = schema(path)
    end = missed("evil", 60.0, number=f"+{text[0]}", campaign=text[1])
    call = replace(
        end.call, did=text[2], config_version=text[3], node=text[4], channel=text[5], salesperson=text[6],
        caller=Caller(f"+{text[0]}", text[7]), recording=text[8],
    )  # fmt: skip
    leg = replace(end.attempts[0], salesperson=text[6], trunk=text[9], caller_id=text[10], note=text[11])
    staff = StaffCall(
        "c" + "9" * 25, text[4], text[6], text[2], START, START + 9, verified=True, actions=(text[0],)
    )
    write(path, [*whole(replace(end, call=call, attempts=(leg,))), StaffCallEnded(staff)])
    with writing(path) as connection:
        pauses.pause(connection, Pause(text[6], START, None, text[7]))
        with immediate(connection):
            write_reveal(connection, at=START, user=text[0], command=text[1], reason=text[2], rows=1)
    assert schema(path) == before
    rows = {table: len(found) for table, found in dump(path, TABLES).items()}
    assert rows == dict.fromkeys(TABLES, 2) | {"reveals": 1, "pauses": 1, "staff_calls": 1}
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_it_is_found_again_and_finds_nothing_else(tmp_path: Path, payload: str) -> None:
    path = str(tmp_path / "calls.db")
    write(path, [missed("clean"), missed("evil", 60.0, number="+33140000002", campaign=payload)])
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        found = list_calls(connection, CallFilter(campaign=payload))
        assert [row["campaign"] for row in found] == [payload]
        assert list_calls(connection, CallFilter(salesperson=payload)) == []
        assert list_calls(connection, CallFilter(outcome=payload)) == []
        waiting = list_callbacks(connection, START + 70, states=("open", payload), campaign=payload, limit=9)
        assert [row["campaign"] for row in waiting] == [payload]


# --- What is asked for ----------------------------------------------------------------------------------------


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CALLROUTER_ARI_PASSWORD", "a")
    monkeypatch.setenv("CALLROUTER_AMI_PASSWORD", "b")
    (tmp_path / "campaigns.yaml").write_text(GOOD.replace("data/calls.db", "calls.db"), encoding="utf-8")
    rows = [missed("first", campaign="spring-flyer"), answered("second", 60.0, number="+33140000002")]
    monkeypatch.setattr(time, "time", lambda: START + 120)
    write(str(tmp_path / "calls.db"), [*rows, voicemail("third", 90.0, campaign="poster")])
    return tmp_path


FILTERS: dict[str, Sequence[str]] = {
    "calls list --campaign": ("calls", "list", "--campaign", "@"),
    "calls list --salesperson": ("calls", "list", "--salesperson", "@"),
    "calls list --outcome": ("calls", "list", "--outcome", "@"),
    "calls list --from": ("calls", "list", "--from", "@"),
    "calls list --to": ("calls", "list", "--to", "@"),
    "calls list --limit": ("calls", "list", "--limit", "@"),
    "calls show": ("calls", "show", "@"),
    "callbacks list --campaign": ("callbacks", "list", "--all", "--campaign", "@"),
    "callbacks list --state": ("callbacks", "list", "--state", "@"),
    "callbacks show": ("callbacks", "show", "@"),
    "callbacks claim": ("callbacks", "claim", "@", "--as", "eve"),
    "callbacks release": ("callbacks", "release", "@", "--as", "eve"),
    "callbacks close": ("callbacks", "close", "@", "--as", "eve"),
    "people pause": ("people", "pause", "@"),
    "people resume": ("people", "resume", "@"),
    "report campaigns": ("report", "campaigns", "--campaign", "@"),
    "report missed": ("report", "missed", "--campaign", "@"),
    "report hours": ("report", "hours", "--campaign", "@"),
    "report --from": ("report", "salespeople", "--from", "@"),
    "explain --to": ("explain", "--to", "@"),
    "explain --from": ("explain", "--to", "+33184801001", "--from", "@"),
}
LISTS = {"calls list --campaign", "calls list --salesperson", "callbacks list --campaign"}


@pytest.mark.parametrize("which", FILTERS)
def test_no_filter_of_the_command_line_is_sql(site: Path, which: str) -> None:
    path = str(site / "calls.db")
    before, whole_schema = dump(path, TABLES), schema(path)
    for payload in PAYLOADS:
        words = [payload if word == "@" else word for word in FILTERS[which]]
        as_json = ["--format", "json"] if which in LISTS else []
        config = str(site / "campaigns.yaml")
        result = CliRunner().invoke(group, ["--config", config, *words, *as_json], prog_name="callrouter")
        assert result.exit_code in (0, 1, 2), (payload, result.output)
        assert not isinstance(result.exception, sqlite3.Error), payload
        assert "Traceback" not in result.output
        if as_json:
            assert json.loads(result.stdout) == [], f"{payload} finds no row"
    assert dump(path, TABLES) == before
    assert schema(path) == whole_schema


@pytest.mark.parametrize("payload", PAYLOADS)
def test_nor_is_the_name_or_the_reason_of_whoever_claims(site: Path, payload: str) -> None:
    path, config = str(site / "calls.db"), str(site / "campaigns.yaml")
    task = str(dump(path, ["callbacks"])["callbacks"][0][0])
    for words in (
        ["claim", task, "--as", payload],
        ["release", task, "--as", payload],
        ["close", task, "--as", payload, "--reason", payload],
        ["list", "--all", "--numbers", "--reason", payload],
    ):
        result = CliRunner().invoke(group, ["--config", config, "callbacks", *words], prog_name="callrouter")
        assert result.exit_code == 0, (words, result.output)
    stored = [value for row in dump(path, ("callbacks", "reveals"))["callbacks"] for value in row]
    assert payload in stored, "the reason, as it was written"
    assert {table: len(rows) for table, rows in dump(path, TABLES).items()}["calls"] == 3
