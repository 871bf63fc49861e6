"""A claim is atomic, and what a move returns is on disk."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from router.callbacks import claim, close, release
from router.errors import NotFound, Refused
from router.store import callbacks as store
from router.store.database import open_database
from router.store.queries import get_callback, list_callbacks
from tests.store_rows import CALLER, START, dump, missed, write

ROOT = Path(__file__).parents[2]
AT_ONCE = 50


@pytest.fixture
def path(tmp_path: Path) -> str:
    path = str(tmp_path / "calls.db")
    write(path, [missed("first")])
    return path


@pytest.fixture
def task(path: str) -> str:
    return str(dump(path)["callbacks"][0][0])


def test_fifty_processes_claim_at_once_and_one_wins(path: str, task: str) -> None:
    """Real processes, held at a line until all are there. The losers are told who won."""
    script = (
        "import sys, time\n"
        "from router.callbacks import claim\n"
        "from router.errors import Refused\n"
        "from router.store import callbacks as store\n"
        "from router.store.database import open_database\n"
        f"connection = open_database({path!r}, create=False, busy=60.0)\n"
        "who = sys.argv[1]\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
        "try:\n"
        f"    _, number = store.claim(connection, {task!r}, lambda task: claim(task, who, 1800.0, {START + 60}),\n"
        f"        user='tester', now={START + 60})\n"
        "    print('won', who, number)\n"
        "except Refused as error:\n"
        "    print('lost', error)\n"
    )
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script, f"seller{number}"],
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(AT_ONCE)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate(timeout=90)[0].strip() for process in processes]
    winners = [line.split() for line in said if line.startswith("won")]
    assert len(winners) == 1, said
    _, winner, number = winners[0]
    assert number == CALLER
    assert sum(f"is claimed by {winner} until" in line for line in said) == AT_ONCE - 1
    row = dump(path)["callbacks"][0]
    assert (row[3], row[7]) == ("claimed", winner)
    assert len(dump(path, ["reveals"])["reveals"]) == 1


def test_a_claim_is_on_disk_when_it_is_told(path: str, task: str) -> None:
    with closing(open_database(path)) as connection, closing(open_database(path)) as other:
        store.claim(connection, task, lambda held: claim(held, "bob", 1800.0, START), user="bob", now=START)
        assert other.execute("SELECT owner FROM callbacks").fetchone()["owner"] == "bob"
        assert connection.execute("PRAGMA synchronous").fetchone()[0] == 2


def test_who_is_shown_the_number_is_on_record(path: str, task: str) -> None:
    with closing(open_database(path)) as connection:
        _, number = store.claim(
            connection, task, lambda held: claim(held, "Bob", 1800.0, START), user="bob", now=START
        )
    assert number == CALLER
    (row,) = dump(path, ["reveals"])["reveals"]
    assert row[1:] == ("2026-03-01T10:00:00.000Z", "bob", f"callbacks claim {task}", "claimed", 1)


def test_a_refused_move_changes_nothing(path: str, task: str) -> None:
    before = dump(path)
    with closing(open_database(path)) as connection:
        with pytest.raises(Refused):
            store.move(connection, task, lambda held: release(held, "bob", START))
        with pytest.raises(Refused):
            store.claim(connection, task, lambda held: claim(held, "bob", 1.0, START * 2), user="bob", now=START)
        assert not connection.in_transaction
    assert dump(path) == before
    assert dump(path, ["reveals"])["reveals"] == []


def test_an_unknown_id(path: str) -> None:
    with closing(open_database(path)) as connection:
        acts: list[Callable[[], object]] = [
            lambda: store.move(connection, "k-none", lambda held: held),
            lambda: store.claim(connection, "k-none", lambda held: held, user="bob", now=START),
            lambda: store.campaign_of(connection, "k-none"),
            lambda: get_callback(connection, "k-none", START),
        ]
        for act in acts:
            with pytest.raises(NotFound, match="no callback has the id 'k-none'; see: callrouter callbacks list"):
                act()


def test_its_campaign(path: str, task: str) -> None:
    with closing(open_database(path)) as connection:
        assert store.campaign_of(connection, task) == "spring"


def test_listings_go_by_the_rules_not_by_what_was_last_written(path: str, task: str) -> None:
    """A lease that ran out shows as open, without its owner; a task past its end as expired."""
    with closing(open_database(path)) as connection:
        store.move(connection, task, lambda held: claim(held, "bob", 600.0, START + 60))

        def seen(after: float, *states: str) -> list[tuple[str, str | None]]:
            rows = list_callbacks(connection, START + after, states=states, campaign=None, limit=10)
            return [(row["state"], row["owner"]) for row in rows]

        assert seen(100, "open", "claimed") == [("claimed", "bob")]
        assert seen(700, "open", "claimed") == [("open", None)]
        assert seen(700, "claimed") == []
        assert seen(999_999, "open", "claimed") == []
        assert seen(999_999, "expired") == [("expired", "bob")]


def test_the_one_due_first_is_on_top(path: str) -> None:
    write(path, [missed("early", -500.0, number="+33145678902"), missed("other", 5.0, campaign="poster")])
    with closing(open_database(path)) as connection:
        rows = list_callbacks(connection, START, states=["open"], campaign=None, limit=2)
        assert [row["caller"] for row in rows] == ["+33145678902", CALLER]
        only = list_callbacks(connection, START, states=["open"], campaign="poster", limit=9)
        assert [row["campaign"] for row in only] == ["poster"]


def test_closing_lets_the_next_missed_call_open_another(path: str, task: str) -> None:
    with closing(open_database(path)) as connection:
        store.move(connection, task, lambda held: close(held, "bob", "sold", START + 60))
    write(path, [missed("second", 600.0)])
    assert sorted(str(row[3]) for row in dump(path)["callbacks"]) == ["done", "open"]
