"""What the second and third line leave reaches the database, once, as one row a call."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from router.errors import StoreError
from router.model import CallRecord, Config, Outcome
from router.model import Path as Line
from router.store.database import open_database
from router.store.fallback import folder, record_fallback
from router.store.fallback_import import Imported
from router.store.ids import fallback_id
from router.store.operations import CallOpened
from router.store.queries import CallFilter, list_calls
from router.store.times import to_text
from tests.fallback_files import UNIQUEID, begin, config, end, leave, line, only, path, take
from tests.store_rows import START, attempt, call, dump, missed, nobody_writes, whole, write

__all__ = ["config", "path"]

ROOT = Path(__file__).parents[2]


# --- The second line --------------------------------------------------------------------------------------


def agi_call(outcome: Outcome | None = None) -> CallRecord:
    record = replace(call("agi"), id=fallback_id(UNIQUEID, START), channel=UNIQUEID, path=Line.AGI)
    return record if outcome is None else replace(record, outcome=outcome, ended_at=START + 30)


def test_the_second_line_writes_its_own_rows(path: str) -> None:
    assert record_fallback(path, agi_call()) == "database"
    assert only(path)["outcome"] == "live"
    over = missed("agi")
    assert record_fallback(path, agi_call(Outcome.BUSY), over.attempts, over.callback) == "database"
    row = only(path)
    assert (row["outcome"], row["path"], row["callbacks"]) == ("busy", "agi", ["open"])
    assert [leg["result"] for leg in row["legs"]] == ["no_answer"]
    assert os.listdir(folder(path)) == []


def test_locked_it_leaves_a_file_that_the_router_takes_in(path: str, config: Config) -> None:
    with closing(nobody_writes(path)):
        assert record_fallback(path, agi_call(), timeout=0.05) == "folder"
        assert record_fallback(path, agi_call(Outcome.BUSY), timeout=0.05) == "folder"
    names = os.listdir(folder(path))
    assert len(names) == 2
    assert all(name.startswith(agi_call().id) and name.endswith(".ops") for name in names)
    assert take(path, config) == Imported(calls=2)
    assert only(path)["outcome"] == "busy"
    assert os.listdir(folder(path)) == []


@pytest.mark.parametrize("spoil", [os.unlink, lambda path: Path(path).write_text("hello " * 99)])
def test_without_a_usable_database_it_leaves_a_file(path: str, spoil: object) -> None:
    spoil(path)  # type: ignore[operator]
    before = Path(path).read_bytes() if os.path.exists(path) else None
    assert record_fallback(path, agi_call()) == "folder"
    assert (Path(path).read_bytes() if os.path.exists(path) else None) == before


def test_where_neither_can_be_written_it_says_so_in_one_line(path: str) -> None:
    os.unlink(path)
    os.rmdir(folder(path))
    with pytest.raises(StoreError, match=r"\.ops: cannot be written .*; make its folder writable") as caught:
        record_fallback(path, agi_call())
    assert "\n" not in str(caught.value)
    assert "+33" not in str(caught.value)


def test_the_second_line_imports_the_standard_library_only(path: str) -> None:
    script = (
        "import sys\n"
        "before = set(sys.modules)\n"
        "from router.store.fallback import record_fallback\n"
        "from tests.store_rows import call\n"
        f"print(record_fallback({path!r}, call('agi')))\n"
        "new = {name.split('.')[0] for name in set(sys.modules) - before if '_sysconfigdata' not in name}\n"
        "print(sorted(new - set(sys.stdlib_module_names) - {'router', 'tests'}))\n"
    )
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    said = subprocess.run([sys.executable, "-c", script], env=environ, capture_output=True, text=True, check=True)
    assert said.stdout.split("\n")[:2] == ["database", "[]"]


# --- The third line ---------------------------------------------------------------------------------------


def test_an_answered_call(path: str, config: Config) -> None:
    legs = f"alice:main:{START + 1}:{START + 9}:{START + 30}:ANSWER:16:200"
    file = leave(path, begin() + end(talk=21, salesperson="alice", dialstatus="ANSWER", cause=16, legs=legs))
    assert take(path, config) == Imported(calls=1)
    row = only(path)
    assert row["id"] == fallback_id(UNIQUEID, START)
    assert (row["outcome"], row["path"], row["salesperson"]) == ("answered", "dialplan", "alice")
    assert (row["answered_at"], row["ended_at"]) == (to_text(START + 9), to_text(START + 30))
    assert (row["ring_seconds"], row["talk_seconds"], row["cause"]) == (9.0, 21.0, 16)
    assert (row["did"], row["caller"], row["channel"]) == ("+33184801001", "+33145678901", UNIQUEID)
    assert (row["config_version"], row["node"]) == ("fedcba987654", "test")
    (leg,) = row["legs"]
    assert (leg["salesperson"], leg["trunk"], leg["result"], leg["seq"]) == ("alice", "main", "accepted", 1)
    assert leg["accepted_at"] == to_text(START + 9)
    assert not file.exists()


@pytest.mark.parametrize(
    ("keys", "outcome", "results"),
    [
        ({"legs": f"alice:main:{START + 1}::{START + 21}:NOANSWER"}, "no_answer", ["no_answer"]),
        ({"legs": f"alice:main:{START + 1}::{START + 21}:BUSY:17:486"}, "busy", ["busy"]),
        (
            {"legs": f"alice:main:{START + 1}:::BUSY:17:486,bob:main:{START + 5}:::NOANSWER"},
            "no_answer",
            ["busy", "no_answer"],
        ),
        ({"legs": f"alice:main:{START + 1}::{START + 2}:CHANUNAVAIL:20"}, "unreachable", ["unreachable"]),
        ({"legs": f"alice:main:{START + 1}::{START + 2}:CANCEL"}, "abandoned", ["cancelled"]),
        ({"legs": f"alice:main:{START + 1}"}, "abandoned", ["cancelled"]),
        ({"legs": f"alice:main:{START + 1}:::BUSY", "hangup_by": "caller"}, "abandoned", ["busy"]),
        ({"dialstatus": "CANCEL"}, "abandoned", []),
        ({"dialstatus": "NOANSWER"}, "no_answer", []),
        ({"dialstatus": "CONGESTION"}, "unreachable", []),
        ({"outcome": "closed"}, "closed", []),
        ({}, "failed", []),
    ],
)
def test_a_missed_call_has_its_true_outcome_and_a_callback(
    path: str, config: Config, keys: dict[str, str], outcome: str, results: list[str]
) -> None:
    leave(path, begin() + end(**keys))
    assert take(path, config) == Imported(calls=1)
    row = only(path)
    assert row["outcome"] == outcome
    assert [leg["result"] for leg in row["legs"]] == results
    assert row["callbacks"] == ["open"]


@pytest.mark.parametrize("pres", ["prohib", "prohib_not_screened", "unavailable"])
def test_a_withheld_number_opens_no_callback(path: str, config: Config, pres: str) -> None:
    leave(path, begin(pres=pres) + end(dialstatus="NOANSWER"))
    take(path, config)
    row = only(path)
    assert (row["caller"], row["pseudonym"], row["callbacks"]) == (None, "withheld", [])


def test_taking_in_twice_gives_one_row(path: str, config: Config) -> None:
    text = begin() + end(dialstatus="NOANSWER", legs=f"alice:main:{START + 1}:::NOANSWER")
    leave(path, text)
    take(path, config)
    before = dump(path)
    leave(path, text)
    assert take(path, config) == Imported(calls=1)
    assert dump(path) == before


def test_a_call_that_the_router_had_opened_stays_one_row(path: str, config: Config) -> None:
    """The router was killed while it rang; the dead-man timer led the call into the static dialplan."""
    opened = replace(call("router", -2.0), channel=UNIQUEID)
    write(path, [CallOpened(opened)])
    leave(path, begin() + end(talk=10, salesperson="bob", legs=f"bob:main:{START + 1}:::ANSWER"))
    take(path, config)
    row = only(path)
    assert (row["id"], row["outcome"], row["path"], row["salesperson"]) == (
        opened.id,
        "answered",
        "dialplan",
        "bob",
    )
    assert row["started_at"] == to_text(START - 2)


def test_what_the_router_could_only_call_failed_gets_its_true_outcome(path: str, config: Config) -> None:
    opened = replace(call("router", -2.0), channel=UNIQUEID)
    lost = replace(missed("router", -2.0), call=replace(opened, outcome=Outcome.FAILED, ended_at=START + 40))
    write(path, [lost])
    leave(path, begin() + end(talk=10, salesperson="bob"))
    take(path, config)
    row = only(path)
    assert (row["outcome"], row["callbacks"]) == ("answered", ["done"])


def test_the_second_lines_row_is_completed_by_the_third(path: str, config: Config) -> None:
    record_fallback(path, agi_call(), [attempt(agi_call(), None)])
    leave(path, begin() + end(dialstatus="NOANSWER", legs=f"alice:main:{START + 4}:::NOANSWER"))
    take(path, config)
    row = only(path)
    assert (row["id"], row["outcome"], row["path"]) == (agi_call().id, "no_answer", "dialplan")


def test_a_leg_a_line_with_what_the_gate_wrote_down(path: str, config: Config) -> None:
    """A mailbox has answered and accepted nothing; whoever began first comes first, whatever line it stood on."""
    legs = {
        "leg1": f"carol:main:{START + 9}:{START + 11}::ANSWER:::{START + 13}:caller",
        "leg2": f"alice:main:{START + 1}:{START + 2}:{START + 5}:NOT_ACCEPTED::::did",
        "leg3": f"bob:main:{START + 5}:{START + 6}:{START + 8}:DECLINED::::did",
        "leg4": f"dan:main:{START + 9}:{START + 10}::::::did",
    }
    lines = "".join(line(id=UNIQUEID, **{key: text}) for key, text in legs.items())
    leave(path, begin() + lines + end(answer=START + 13, salesperson="carol", dialstatus="ANSWER"))
    assert take(path, config) == Imported(calls=1)
    row = only(path)
    assert (row["outcome"], row["salesperson"], row["answered_at"]) == ("answered", "carol", to_text(START + 13))
    assert [(leg["salesperson"], leg["result"], leg["accepted_at"]) for leg in row["legs"]] == [
        ("alice", "not_accepted", None),
        ("bob", "declined", None),
        ("carol", "accepted", to_text(START + 13)),
        ("dan", "cancelled", None),
    ]
    assert row["legs"][2]["answered_at"] == to_text(START + 11)
    assert [leg["caller_id"] for leg in row["legs"]] == ["did", "did", "caller", "did"]


def test_a_mailbox_and_a_no_are_what_the_call_came_to(path: str, config: Config) -> None:
    leave(path, begin() + end(hangup_by="router", leg1=f"a:m:{START}:{START + 1}:{START + 2}:DECLINED"))
    leave(
        path,
        begin(id="1.2")
        + line(id="1.2", end=START + 9, hangup_by="router", leg1=f"a:m:{START}:{START}::NOT_ACCEPTED"),
        "1.2",
    )
    assert take(path, config) == Imported(calls=2)
    with closing(open_database(path)) as connection:
        assert {row["outcome"] for row in list_calls(connection, CallFilter())} == {"busy", "no_answer"}


def test_a_campaign_that_is_no_more_is_the_unknown_numbers(path: str, config: Config) -> None:
    leave(path, begin(campaign="removed") + end())
    take(path, config)
    assert only(path)["campaign"] == "unknown"


def test_the_routers_row_written_after_the_fallbacks_is_the_same_row(path: str, config: Config) -> None:
    """The router's rows come late, out of its journal: the channel tells that it is one call."""
    leave(path, begin() + end(talk=10, salesperson="bob"))
    take(path, config)
    opened = replace(call("router", -2.0), channel=UNIQUEID)
    lost = replace(opened, outcome=Outcome.FAILED, ended_at=START + 40)
    write(path, [CallOpened(opened), replace(missed("router", -2.0), call=lost)])
    row = only(path)
    assert (row["id"], row["outcome"]) == (fallback_id(UNIQUEID, START), "answered")
    assert [leg["id"] for leg in row["legs"]] == [f"{row['id']}-01"]


def test_a_channels_name_that_comes_again_after_years_is_another_call(path: str) -> None:
    first, again = call("first"), replace(call("again", 9e7), channel=call("first").channel)
    write(path, [CallOpened(first), CallOpened(again), CallOpened(first), CallOpened(again)])
    assert len(dump(path)["calls"]) == 2


def test_whole_calls_are_what_the_helpers_say() -> None:
    """The test's own rows: an opened call has no end."""
    assert [type(each).__name__ for each in whole(missed("x"))] == ["CallOpened", "CallEnded"]
