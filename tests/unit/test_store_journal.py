"""The journal: what was said before a kill is in the database after the next start, and costs no call its time."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from router.store.database import open_database
from router.store.journal import Journal
from router.store.operations import CallOpened, Operation, to_line
from router.store.writer import Writer
from tests.store_rows import call, descriptors, dump, missed, nobody_writes, wait_until, whole

ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "calls.db")


def line(operation: Operation) -> bytes:
    return f"{to_line(operation)}\n".encode("ascii")


def journals(path: str) -> list[Path]:
    return [Path(f"{path}.journal.{place}") for place in (0, 1)]


def ids(path: str) -> set[str]:
    return {str(row[0]) for row in dump(path)["calls"]}


def started(path: str, **how: Any) -> Writer:
    writer = Writer(path, node="test", **{"on_trouble": pytest.fail, **how})
    writer.start()
    return writer


def test_cut_at_any_byte_the_lines_before_are_whole_and_the_next_follows_them(path: str) -> None:
    said = whole(missed("first"))
    text = b"".join(map(line, said))
    ends = [sum(len(line(each)) for each in said[:number]) for number in range(len(said) + 1)]
    after = CallOpened(call("after", 9.0))
    for cut in range(len(text) + 1):
        journals(path)[0].write_bytes(text[:cut])
        before = said[: sum(end <= cut for end in ends) - 1]
        journal = Journal(path)
        assert journal.open() == (before, []), cut
        journal.append(line(after))
        # As a kill leaves it: nothing is closed by it but the descriptors.
        again = Journal(path)
        assert again.open() == ([*before, after], []), cut
        for each in (journal, again):
            each.close()


def test_a_kill_loses_nothing_that_was_said(path: str) -> None:
    """SIGKILL at whatever moment: each operation that was reported is in the database after the next start."""
    script = (
        "import os, sys\n"
        "from router.store.writer import Writer\n"
        "from tests.store_rows import call\n"
        f"writer = Writer({path!r}, node='test', on_trouble=print)\n"
        "writer.start()\n"
        "for number in range(1000):\n"
        "    record = call(str(number), number, number=f'+33{number:09}')\n"
        "    writer.call_opened(record)\n"
        "    os.write(1, f'{record.id}\\n'.encode())\n"
        "sys.stdin.read()\n"
    )
    for dies_after in (1, 400, 1000):
        with subprocess.Popen(
            [sys.executable, "-c", script],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": "."},
        ) as process:
            assert process.stdout is not None
            reported = [process.stdout.readline().strip() for _ in range(dies_after)]
            process.kill()
            # Not communicate(), which begins behind what readline() has buffered.
            reported += process.stdout.read().split()
        assert process.returncode == -signal.SIGKILL
        assert any(each.exists() and each.stat().st_size for each in journals(path)), (
            "the kill came after the commit"
        )
        writer = started(path)
        assert writer.flush(20)
        assert ids(path) >= set(reported)
        assert writer.close(10)


def test_it_holds_what_is_owed_and_no_history(path: str) -> None:
    before = descriptors()
    writer = started(path)
    for number in range(300):
        for each in whole(missed(str(number), number, number=f"+33{number:09}")):
            writer.write(each)
    assert all(stat.S_IMODE(each.stat().st_mode) == 0o600 for each in journals(path))
    assert writer.flush(20)
    assert [each.stat().st_size for each in journals(path)] == [0, 0]
    assert writer.close(10)
    assert not any(each.exists() for each in journals(path))
    assert descriptors() == before


def test_what_stands_in_both_files_is_let_go_at_once(path: str) -> None:
    one, two, three = (CallOpened(call(name)) for name in ("first", "second", "third"))
    journal = Journal(path)
    assert journal.open() == ([], [])
    journal.append(line(one))
    journal.append(line(two))
    journal.kept(1)
    journal.append(line(three))
    sizes = [each.stat().st_size for each in journals(path)]
    assert all(sizes), "one waits, the other is written"
    journal.kept(3)
    assert [each.stat().st_size for each in journals(path)] == [0, 0]
    journal.close()


def test_under_a_load_without_a_pause_each_file_is_emptied_in_its_turn(path: str) -> None:
    """Neither waits for a moment in which nothing is said."""
    writer = started(path)
    sizes, emptied = [0, 0], [0, 0]
    until = time.monotonic() + 60.0
    for number in count():
        wait_until(lambda: writer.health().pending < 1000, "the writer comes after")
        writer.call_opened(call(str(number), number, number=f"+33{number:09}"))
        for place, each in enumerate(journals(path)):
            before, sizes[place] = sizes[place], each.stat().st_size
            emptied[place] += sizes[place] < before
        if min(emptied) >= 2:
            break
        assert time.monotonic() < until, "a file only grows"
    assert writer.flush(30)
    assert len(ids(path)) == number + 1
    assert writer.close(10)


def test_a_database_moved_away_takes_its_rows_with_it(path: str) -> None:
    """With all that lies beside it: no old line comes up in the new one, and the new one's lines are its own."""
    writer = started(path, on_trouble=lambda _: None)
    writer.call_opened(call("old"))
    assert writer.flush(10)
    for each in Path(path).parent.iterdir():
        if each.name.startswith("calls.db"):
            each.rename(each.with_name(f"old-{each.name}"))
    writer.call_opened(call("new"))
    assert writer.flush(20)
    writer.call_opened(call("newer"))
    wait_until(
        lambda: any(each.exists() and each.stat().st_size for each in journals(path)), "lines beside the new one"
    )
    assert writer.flush(20)
    assert (ids(path), ids(str(Path(path).with_name("old-calls.db")))) == (
        {call("new").id, call("newer").id},
        {call("old").id},
    )
    assert not any(each.stat().st_size for each in Path(path).parent.glob("old-*journal*"))
    assert writer.close(10)


def test_what_nobody_can_read_is_set_aside_and_the_rest_is_taken(path: str) -> None:
    one, two = whole(missed("first"))
    told: list[str] = []
    journals(path)[0].write_bytes(line(one) + b"no operation\n" + line(two) + b'{"v":')
    writer = started(path, on_trouble=told.append)
    assert writer.flush(10)
    assert [row[5] for row in dump(path)["calls"]] == ["no_answer"]
    assert Path(f"{path}.refused").read_text() == "no operation\n"
    assert any("was set aside" in each for each in told)
    assert writer.close(10)
    assert not any(each.exists() for each in journals(path))


def test_what_the_spool_has_on_disk_the_journal_need_not_hold(path: str) -> None:
    open_database(path).close()
    with closing(nobody_writes(path)):
        writer = started(path, on_trouble=lambda _: None)
        writer.call_opened(call("first"))
        wait_until(lambda: writer.health().spooled == 1, "the call spooled")
        wait_until(lambda: not any(each.stat().st_size for each in journals(path)), "the journal emptied")
    assert writer.flush(20)
    assert writer.close(10)


def test_where_the_spool_cannot_be_written_the_journal_keeps_it_for_the_next_start(path: str) -> None:
    told: list[str] = []
    open_database(path).close()
    os.mkdir(f"{path}.spool")
    with closing(nobody_writes(path)):
        writer = started(path, on_trouble=told.append)
        writer.call_opened(call("first"))
        assert not writer.close(10)
    assert not any("lost" in each for each in told)
    os.rmdir(f"{path}.spool")
    again = started(path)
    assert again.flush(20)
    assert ids(path) == {call("first").id}
    assert again.close(10)


@pytest.mark.parametrize("short", [False, True], ids=["nothing", "half"])
def test_a_full_disk_is_told_once_and_holds_up_nothing(
    path: str, monkeypatch: pytest.MonkeyPatch, short: bool
) -> None:
    told: list[str] = []
    write = os.pwrite

    def full(descriptor: int, data: bytes, offset: int) -> int:
        if short:
            return write(descriptor, data[: len(data) // 2], offset)
        raise OSError(28, "No space left on device")

    writer = started(path, on_trouble=told.append)
    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", full)
        for number in range(3):
            writer.call_opened(call(str(number), number))
            assert writer.flush(10)
    assert told == [
        f"{path}.journal.0: cannot be written (No space left on device): a kill may lose what was just said"
    ]
    journal = Journal(path)
    writer.call_opened(call("after", 9.0))
    assert journal.open() == ([CallOpened(call("after", 9.0))], []), "the half line is written over"
    journal.close()
    assert writer.close(10)
    assert len(ids(path)) == 4


def test_a_disk_that_hangs_holds_up_one_call_in_a_while(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    write = os.pwrite

    def slow(descriptor: int, data: bytes, offset: int) -> int:
        now[0] += 0.5
        return write(descriptor, data, offset)

    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(os, "pwrite", slow)
    journal = Journal(path)
    journal.open()
    for _ in range(100):
        journal.append(line(CallOpened(call("first"))))
    assert now[0] == 100.5, "it was tried once"
    assert journal.missing == 99
    assert journal.trouble() == f"{path}.journal.0: a line took 0.5 s to write"
    assert journal.trouble() is None
    now[0] += 5.0
    journal.append(line(CallOpened(call("first"))))
    assert journal.missing == 99
    journal.close()


@pytest.mark.parametrize("place", [0, 1])
def test_a_journal_that_cannot_be_read_is_left_alone(path: str, place: int) -> None:
    told: list[str] = []
    left, spoilt = journals(path)[place], journals(path)[1 - place]
    spoilt.mkdir()
    left.write_bytes(line(CallOpened(call("first"))))
    writer = started(path, on_trouble=told.append)
    writer.call_opened(call("second"))
    assert writer.flush(10)
    assert writer.close(10)
    assert any("the journal cannot be read" in each for each in told)
    assert left.read_bytes() == line(CallOpened(call("first")))
    spoilt.rmdir()
    again = started(path)
    assert again.flush(10)
    assert again.close(10)
    assert ids(path) == {call("first").id, call("second").id}


# --- What is told to be stored --------------------------------------------------------------------------------


class Stored:
    """What was told to be stored; each must be in the database at that moment."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.told: list[Operation] = []
        self.early: list[str] = []

    def __call__(self, operations: Sequence[Operation]) -> None:
        there = ids(self.path)
        self.told += operations
        self.early += [
            each.call.id for each in operations if isinstance(each, CallOpened) and each.call.id not in there
        ]


def test_told_is_what_is_in_the_database_and_each_once(path: str) -> None:
    stored = Stored(path)
    said = [CallOpened(call(str(number), number)) for number in range(30)]
    writer = started(path, on_stored=stored, on_trouble=lambda _: None)
    for each in said[:10]:
        writer.write(each)
    assert writer.flush(10)
    assert stored.told == said[:10]
    with closing(nobody_writes(path)):
        for each in said[10:20]:
            writer.write(each)
        wait_until(lambda: writer.health().spooled == 10, "ten spooled")
        assert stored.told == said[:10]
    for each in said[20:]:
        writer.write(each)
    assert writer.flush(20)
    assert writer.close(10)
    assert stored.told == said
    assert stored.early == []


def test_what_an_earlier_run_left_is_told_too_and_what_is_set_aside_is_not(path: str) -> None:
    from dataclasses import replace

    left, spooled, good = (CallOpened(call(name)) for name in ("left", "spooled", "good"))
    bad = CallOpened(replace(call("bad"), cause=1 << 70))
    journals(path)[0].write_bytes(line(left))
    Path(f"{path}.spool").write_bytes(line(spooled))
    stored = Stored(path)
    writer = started(path, on_stored=stored, on_trouble=lambda _: None)
    writer.write(bad)
    writer.write(good)
    assert writer.flush(20)
    assert writer.close(10)
    assert sorted(each.call.id for each in stored.told if isinstance(each, CallOpened)) == sorted(
        each.call.id for each in (left, spooled, good)
    )
    assert stored.early == []
    assert Path(f"{path}.refused").read_bytes() == line(bad)


def test_whoever_is_told_and_stumbles_holds_up_nothing(path: str) -> None:
    told: list[str] = []

    def stumble(_: Sequence[Operation]) -> None:
        raise ValueError("no such file")

    writer = started(path, on_stored=stumble, on_trouble=told.append)
    for name in ("first", "second"):
        writer.call_opened(call(name))
        assert writer.flush(10)
    assert told == [f"{path}: what is stored could not be told (ValueError: no such file)"]
    assert writer.close(10)
    assert ids(path) == {call("first").id, call("second").id}
