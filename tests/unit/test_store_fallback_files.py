"""The files that the fallback leaves: kept until their rows are on disk, and set aside when they make no call."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import pytest

from router.model import Caller, Config
from router.store.fallback import folder
from router.store.fallback_file import LONGEST_LINE, parse
from router.store.fallback_import import ABANDONED_AFTER, LARGEST_FILE, Imported, import_fallback
from router.store.writer import Writer
from tests.fallback_files import UNIQUEID, Direct, begin, config, end, leave, line, only, path, take
from tests.store_rows import START, dump, nobody_writes

__all__ = ["config", "path"]


def test_a_file_stays_until_its_rows_are_on_disk(
    path: str, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = leave(path, begin() + end())
    sink = Direct(path)
    answers = iter([True, False])
    monkeypatch.setattr(sink, "keep", lambda _timeout: next(answers))
    assert import_fallback(sink, config, now=START + 60) == Imported(waiting=1)
    assert file.exists()
    monkeypatch.undo()
    assert import_fallback(sink, config, now=START + 60) == Imported(calls=1)
    assert not file.exists()


def test_a_call_that_goes_on_is_left_alone(path: str, config: Config) -> None:
    file = leave(path, begin())
    assert take(path, config) == Imported(waiting=1)
    assert file.exists()
    assert dump(path)["calls"] == []


@pytest.mark.parametrize(("keys", "outcome"), [({}, "failed"), ({"answer": START + 8}, "answered")])
def test_a_call_whose_end_nobody_wrote_is_ended_in_time(
    path: str, config: Config, keys: dict[str, object], outcome: str
) -> None:
    """Asterisk itself was killed."""
    leave(path, begin() + (line(id=UNIQUEID, **keys) if keys else ""), age=ABANDONED_AFTER)
    config_now = START + 60
    assert import_fallback(Direct(path), config, now=config_now) == Imported(calls=1)
    assert only(path)["outcome"] == outcome


@pytest.mark.parametrize(
    "spoilt",
    [
        "rubbish\n",
        "end=1772359230\n",
        f"id={UNIQUEID}&end\n",
        f"id={UNIQUEID}&end=" + "9" * LONGEST_LINE + "\n",
        f"id={UNIQUEID}&did=" + "9" * 2000 + "\n",
        f"id={UNIQUEID}&name=%1b%5b2J\n",
        f"id={UNIQUEID}&caller=%00\n",
        "id=another.1&end=1772359230\n",
    ],
)
def test_a_bad_line_is_set_aside_and_the_others_are_taken(path: str, config: Config, spoilt: str) -> None:
    file = leave(path, begin() + spoilt + end(dialstatus="BUSY"))
    assert take(path, config) == Imported(calls=1, bad=1)
    assert only(path)["outcome"] == "busy"
    assert Path(f"{file}.bad").read_text() == spoilt
    assert not file.exists()


@pytest.mark.parametrize(
    "text",
    [
        "rubbish\nmore rubbish\n",
        begin(start="") + end(),
        begin(start="yesterday") + end(),
        begin(start="nan") + end(),
        begin(start="-5") + end(),
        begin(did="") + end(),
        begin(campaign="") + end(),
        begin() + end(end="soon"),
        begin() + end(talk="inf"),
        begin() + end(outcome="engaged"),
        begin() + end(hangup_by="nobody"),
        begin(path="pigeon") + end(),
        begin() + end(legs=",".join(f"a:m:{START}" for _ in range(32))),
        begin() + end(legs=f"a:m:{START}:::BUSY:17:486:more"),
        begin() + end(legs="a:m:never"),
        begin() + end(leg1="a:m:never"),
        begin() + end(leg1="alone"),
    ],
)
def test_a_file_that_makes_no_call_is_set_aside_whole(path: str, config: Config, text: str) -> None:
    file = leave(path, text, age=ABANDONED_AFTER)
    assert take(path, config).bad == 2
    assert dump(path)["calls"] == []
    assert Path(f"{file}.bad").read_text() == text
    assert not file.exists()


def test_what_asterisk_did_not_write_is_not_read(path: str, config: Config, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(begin() + end())
    where = Path(folder(path))
    (where / "link.call").symlink_to(secret)
    os.mkfifo(where / "pipe.call")
    leave(path, "x" * (LARGEST_FILE + 1), "long")
    assert take(path, config) == Imported(bad=3)
    assert dump(path)["calls"] == []
    assert sorted(os.listdir(where)) == ["link.call.bad", "long.call.bad", "pipe.call.bad"]


def test_a_spoilt_operation_is_set_aside(path: str, config: Config) -> None:
    Path(folder(path), "c.ops").write_text("rubbish\n")
    assert take(path, config) == Imported(calls=1, bad=1)
    assert Path(folder(path), "c.ops.bad").read_text() == "rubbish\n"


def test_without_a_folder_there_is_nothing(path: str, config: Config) -> None:
    os.rmdir(folder(path))
    assert take(path, config) == Imported()


def test_a_writer_that_can_keep_nothing_is_given_nothing(path: str, config: Config) -> None:
    file = leave(path, begin() + end())
    sink = Direct(path)
    sink.stores = False
    for _ in range(3):
        assert import_fallback(sink, config, now=START + 60) == Imported(waiting=1)
    assert sink.waiting == []
    assert file.exists()


def test_a_locked_database_leaves_it_in_the_writers_journal(path: str, config: Config) -> None:
    """The real writer: the file goes once the journal has its call, which is stored once the lock is gone."""
    file = leave(path, begin() + end(dialstatus="BUSY"))
    writer = Writer(path, node="test", on_trouble=lambda _: None, clock=lambda: START)
    with closing(nobody_writes(path)):
        writer.start()
        assert import_fallback(writer, config, now=START + 60) == Imported(calls=1)
        assert not file.exists()
        assert Path(f"{path}.spool").read_text().count("\n") == 1
    assert writer.close(20)
    assert only(path)["outcome"] == "busy"


def test_values_are_percent_encoded_and_a_plus_is_a_plus() -> None:
    left = parse("id=1.1&caller=%2B33145678901&did=+33184801001&name=Jos%C3%A9%20%26%20fils\n")
    assert left.keys == {"id": "1.1", "caller": "+33145678901", "did": "+33184801001", "name": "José & fils"}
    assert Caller(left.keys["caller"]).number == "+33145678901"
