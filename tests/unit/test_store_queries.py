"""Rows for recovery and for listings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from sqlite3 import Connection

import pytest

from router.errors import NotFound, Refused
from router.model import Outcome
from router.store.database import reader
from router.store.operations import CallAnswered, CallOpened
from router.store.queries import (
    CallFilter,
    attempts_of,
    callback_of,
    calls_of,
    find_id,
    get_call,
    list_calls,
    live_calls,
)
from tests.store_rows import START, answered, call, missed, whole, write


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    """A missed call, an answered one, one that talks and one that rings; the last is another node's."""
    path = str(tmp_path / "calls.db")
    talking = whole(answered("talking", 300.0))[:2]
    ringing = CallOpened(call("ringing", 400.0, number=None, campaign="poster"))
    elsewhere = CallOpened(replace(call("elsewhere", 500.0), node="other"))
    write(path, [missed("missed"), answered("answered", 200.0), *talking, ringing, elsewhere])
    with closing(reader(path)) as opened:
        yield opened


def test_live_calls_come_back_as_they_were_written(connection: Connection) -> None:
    talking, ringing = live_calls(connection, "test")
    _, taken = whole(answered("talking", 300.0))[:2]
    assert isinstance(taken, CallAnswered)
    assert talking == (taken.call, list(taken.attempts))
    assert ringing == (call("ringing", 400.0, number=None, campaign="poster"), [])


def test_live_calls_are_those_of_one_node(connection: Connection) -> None:
    assert [record.id for record, _ in live_calls(connection, "other")] == [call("elsewhere", 500.0).id]
    assert live_calls(connection, "third") == []


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (CallFilter(), ["elsewhere", "ringing", "talking", "answered", "missed"]),
        (CallFilter(limit=2), ["elsewhere", "ringing"]),
        (CallFilter(since=START + 200, until=START + 400), ["talking", "answered"]),
        (CallFilter(campaign="poster"), ["ringing"]),
        (CallFilter(outcome="live"), ["elsewhere", "ringing", "talking"]),
        (CallFilter(outcome="missed"), ["missed"]),
        (CallFilter(outcome=Outcome.ANSWERED), ["answered"]),
        (CallFilter(salesperson="alice"), ["talking", "answered"]),
        (CallFilter(outcome=Outcome.BUSY), []),
    ],
)
def test_calls_are_listed_newest_first(connection: Connection, wanted: CallFilter, found: list[str]) -> None:
    assert [row["channel"].split(".")[1] for row in list_calls(connection, wanted)] == found


def test_one_call_and_what_belongs_to_it(connection: Connection) -> None:
    first = missed("missed").call.id
    assert get_call(connection, first)["outcome"] == "no_answer"
    assert [row["result"] for row in attempts_of(connection, first)] == ["no_answer"]
    callback = callback_of(connection, first)
    assert callback is not None
    assert [row["id"] for row in calls_of(connection, callback)] == [first]
    assert callback_of(connection, answered("answered", 200.0).call.id) is None


def test_an_id_may_be_called_by_its_end(connection: Connection) -> None:
    first = missed("missed").call.id
    assert find_id(connection, "call", first) == first
    assert find_id(connection, "call", first[-6:]) == first
    assert find_id(connection, "callback", first[-8:]) == "k" + first[1:]
    for given in (first[-5:], "x" + first[-6:], "", "%", first + "0"):
        with pytest.raises(NotFound, match="no call has the id"):
            find_id(connection, "call", given)


def test_an_end_that_two_share_is_refused(tmp_path: Path) -> None:
    path = str(tmp_path / "calls.db")
    write(path, [CallOpened(replace(call(f"n{number}"), id=f"c{number:019}abcdef")) for number in range(2)])
    with closing(reader(path)) as opened:
        with pytest.raises(Refused, match="more than one call has an id that ends so: 'abcdef'; give more of it"):
            find_id(opened, "call", "abcdef")
        assert find_id(opened, "call", "1abcdef") == "c0000000000000000001abcdef"


def test_an_unknown_call(connection: Connection) -> None:
    with pytest.raises(NotFound, match="no call has the id 'c-none'; see: callrouter calls list"):
        get_call(connection, "c-none")
