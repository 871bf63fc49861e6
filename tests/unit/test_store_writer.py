"""The writer: rows in groups, each call whole; it waits for no reader, and no reader for it."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from router.model import Outcome, Pause, StaffCall
from router.store import commits as module
from router.store.database import open_database, reader
from router.store.fallback import folder
from router.store.writer import Writer
from tests.store_rows import START, answered, call, dump, ended, missed, nobody_writes, voicemail, whole, write
from tests.writer_fixtures import Told, outcomes, path, start, told

__all__ = ["path", "start", "told"]

ROOT = Path(__file__).parents[2]


def test_a_calls_row_is_there_while_the_call_goes_on(path: str, start: Callable[[], Writer]) -> None:
    writer = start()
    writer.call_opened(call("first"))
    assert writer.flush(10)
    with closing(reader(path)) as connection:
        row = connection.execute("SELECT * FROM calls").fetchone()
    assert (row["outcome"], row["ended_at"], row["started_at"]) == (None, None, "2026-03-01T10:00:00.000Z")
    assert (row["did"], row["campaign"], row["path"], row["node"]) == ("+33184801001", "spring", "ari", "test")


def test_its_end_has_all_that_is_known(path: str, start: Callable[[], Writer]) -> None:
    writer = start()
    over = answered("first")
    writer.call_opened(call("first"))
    writer.call_answered(over.call, over.attempts)
    writer.call_ended(over.call, over.attempts, None)
    assert writer.flush(10)
    with closing(reader(path)) as connection:
        row = dict(connection.execute("SELECT * FROM calls").fetchone())
        leg = dict(connection.execute("SELECT * FROM attempts").fetchone())
        caller = dict(connection.execute("SELECT * FROM callers").fetchone())
    assert (row["outcome"], row["salesperson"], row["hangup_by"], row["cause"]) == (
        "answered",
        "alice",
        "caller",
        16,
    )
    assert (row["answered_at"], row["ended_at"]) == ("2026-03-01T10:00:05.000Z", "2026-03-01T10:01:05.000Z")
    assert (row["ring_seconds"], row["talk_seconds"]) == (5.0, 60.0)
    assert (leg["call_id"], leg["result"], leg["accepted_at"]) == (
        row["id"],
        "accepted",
        "2026-03-01T10:00:05.000Z",
    )
    assert (caller["id"], caller["number"]) == (row["caller_id"], "+33145678901")
    assert caller["pseudonym"].startswith("p")


def test_the_configuration_in_use_is_on_record(path: str, start: Callable[[], Writer]) -> None:
    writer = start()
    for _ in range(2):
        writer.config_accepted("0123456789ab", START, "/etc/callrouter/campaigns.yaml")
    assert writer.flush(10)
    assert dump(path, ["configs"])["configs"] == [
        ("0123456789ab", "test", "2026-03-01T10:00:00.000Z", "/etc/callrouter/campaigns.yaml")
    ]


def test_the_staffs_own_calls_and_pauses_are_on_record(path: str, start: Callable[[], Writer]) -> None:
    writer = start()
    staff = StaffCall(
        "c9", "test", "alice", "+33184801001", START, START + 9.5, verified=True, actions=("pause", "x")
    )
    writer.pause_set(Pause("alice", START + 5, None, "menu"))
    writer.pause_set(Pause("bob", START + 5, START + 60, "menu"))
    writer.pause_cleared("bob", START + 6)
    writer.staff_call_ended(staff)
    writer.staff_call_ended(staff)
    assert writer.flush(10)
    tables = dump(path, ["pauses", "staff_calls", "calls"])
    assert tables["pauses"] == [
        ("alice", "2026-03-01T10:00:05.000Z", None, "menu"),
        ("bob", "2026-03-01T10:00:06.000Z", "2026-03-01T10:00:06.000Z", "menu"),
    ]
    times = ("2026-03-01T10:00:00.000Z", "2026-03-01T10:00:09.500Z")
    assert tables["staff_calls"] == [("c9", "test", "alice", "+33184801001", *times, 1, "pause x")]
    assert tables["calls"] == [], "no lead"


def test_a_message_and_what_is_noted_of_a_leg(path: str, start: Callable[[], Writer]) -> None:
    """A leg's note is known at its end, its caller ID from the start: a late writing takes back neither."""
    end = voicemail("message")
    (leg,) = end.attempts
    writer = start()
    writer.call_opened(call("message"))
    writer.call_ended(end.call, [replace(leg, caller_id="caller", note="refused")], end.callback)
    writer.call_ended(end.call, [leg], end.callback)
    assert writer.flush(10)
    with closing(reader(path)) as connection:
        row = connection.execute("SELECT outcome, recording, recording_seconds FROM calls").fetchone()
        assert tuple(row) == ("voicemail", f"callrouter-{end.call.id}", 83.2)
        assert tuple(connection.execute("SELECT caller_id, note FROM attempts").fetchone()) == ("caller", "refused")
        assert connection.execute("SELECT count(*) FROM callback_calls").fetchone()[0] == 1, "a callback is owed"


def test_what_comes_together_shares_a_commit(
    path: str, start: Callable[[], Writer], monkeypatch: pytest.MonkeyPatch
) -> None:
    commits: list[str] = []

    def counting(*args: Any, **options: Any) -> sqlite3.Connection:
        connection = open_database(*args, **options)
        connection.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None)
        return connection

    monkeypatch.setattr(module, "open_database", counting)
    writer = start()
    assert writer.flush(10)
    commits.clear()
    for number in range(200):
        writer.call_opened(call(str(number), number))
    assert writer.flush(10)
    assert len(outcomes(path)) == 200
    assert 1 <= len(commits) <= 5


def test_readers_never_wait_for_the_writer(path: str, start: Callable[[], Writer]) -> None:
    writer = start()
    writer.call_opened(call("first"))
    assert writer.flush(10)
    with closing(nobody_writes(path)), closing(reader(path)) as connection:
        connection.execute("PRAGMA busy_timeout = 0")
        assert connection.execute("SELECT count(*) FROM calls").fetchone()[0] == 1


def test_a_reader_never_holds_up_the_writer(path: str, start: Callable[[], Writer]) -> None:
    writer = start()
    writer.call_opened(call("first"))
    assert writer.flush(10)
    with closing(reader(path)) as connection:
        connection.execute("BEGIN")
        assert connection.execute("SELECT count(*) FROM calls").fetchone()[0] == 1
        writer.call_opened(call("second"))
        assert writer.flush(10)
        assert connection.execute("SELECT count(*) FROM calls").fetchone()[0] == 1
    assert len(outcomes(path)) == 2


def test_an_end_stays_when_its_beginning_is_written_again(path: str, start: Callable[[], Writer]) -> None:
    writer = start()
    over = missed("first")
    writer.call_ended(over.call, over.attempts, over.callback)
    assert writer.flush(10)
    before = dump(path)
    for each in whole(over):
        writer.write(each)
    assert writer.flush(10)
    assert dump(path) == before


def test_a_better_outcome_replaces_a_worse_and_never_the_other_way(path: str, start: Callable[[], Writer]) -> None:
    """Killed and back, the router can but say `failed`; the fallback that carried the call knows better."""
    writer = start()
    opened = call("first")
    for outcome in (Outcome.FAILED, Outcome.NO_ANSWER, Outcome.ANSWERED, Outcome.BUSY, Outcome.FAILED):
        writer.call_ended(ended(opened, outcome, 30.0, 5.0 if outcome is Outcome.ANSWERED else None), (), None)
    assert writer.flush(10)
    assert outcomes(path) == ["answered"]


@pytest.mark.parametrize("did", ["\ud800\udc80", "a\x00b", "'; DROP TABLE calls; --", "+33" + "1" * 4000, "🐈‍⬛"])
def test_odd_text_makes_one_clean_row(path: str, start: Callable[[], Writer], did: str) -> None:
    from dataclasses import replace

    writer = start()
    writer.call_opened(replace(call("first", number=did), did=did))
    assert writer.flush(10)
    assert writer.health().refused == 0
    assert outcomes(path) == [None]


def test_callbacks_past_their_end_are_put_down_as_expired(path: str, told: Told) -> None:
    write(path, [missed("first"), missed("second", 10.0, number="+33145678902", expire=10 * 86400.0)])
    writer = Writer(path, node="test", on_trouble=told.trouble.append, clock=lambda: START + 5 * 86400)
    writer.start()
    assert writer.flush(10)
    assert writer.close(10)
    rows = dump(path)["callbacks"]
    assert sorted(str(row[3]) for row in rows) == ["expired", "open"]


def test_the_folder_of_the_fallback_is_there(path: str, start: Callable[[], Writer]) -> None:
    writer = start()
    assert writer.flush(10)
    assert os.stat(folder(path)).st_mode & 0o7777 == 0o770


def test_killed_at_any_moment_each_call_is_whole_or_not_there(path: str) -> None:
    """SIGKILL while it writes: no row without its attempts and callback, and the next start goes on from there."""
    script = (
        "import sys\n"
        "from router.store.writer import Writer\n"
        "from tests.store_rows import missed, whole\n"
        f"writer = Writer({path!r}, node='test', on_trouble=print)\n"
        "writer.start()\n"
        "for number in range(100000):\n"
        "    for each in whole(missed(str(number), number, number=f'+33{number:09}')):\n"
        "        writer.write(each)\n"
        "    if number % 100 == 99:\n"
        "        writer.flush(10)\n"
        "        print(number, flush=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": "."},
    )
    assert process.stdout is not None
    stored = [int(process.stdout.readline()) for _ in range(3)][-1]
    process.kill()
    process.communicate()
    rows = dump(path)
    over = [row for row in rows["calls"] if row[5] is not None]
    assert len(over) >= stored
    assert len(rows["attempts"]) == len(rows["callbacks"]) == len(rows["callback_calls"]) == len(over)
    again = Writer(path, node="test", on_trouble=print)
    again.start()
    again.call_opened(call("after"))
    assert again.flush(20)
    assert again.close(10)
