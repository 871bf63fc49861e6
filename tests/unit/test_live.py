"""The live view: what it says of each call, and that whoever asks on its socket can do no harm."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from router import live
from router.live import MOST_CLIENTS, Document, LiveServer, NoRouter, ask, socket_path
from router.state import Phase
from tests.live_calls import EPOCH, NUMBER, call, document, leg, menu, several
from tests.waiting import until

HIDDEN = "145678"


def rows(told: Document) -> dict[str, Document]:
    return {row["id"]: row for row in told["calls"]}


# --- The document -----------------------------------------------------------------------------------------


def test_what_is_said_of_the_router() -> None:
    told = document()
    assert told.pop("router")
    assert told == {"config": "0123456789ab", "since": EPOCH - 3600, "now": EPOCH, "link": "up", "calls": []}
    assert document(link_up=False)["link"] == "down"


def test_what_is_said_of_a_call_that_rings() -> None:
    told = rows(document(*several()))["ringing"]
    assert told == {
        "id": "ringing",
        "campaign": "spring-flyer",
        "did": "+33184801001",
        "caller": "+33 • •• •• •• 01",
        "started": EPOCH - 40,
        "phase": "ringing",
        "waiting": 40.0,
        "talking": None,
        "legs": [
            {"salesperson": "alice", "state": "listens", "since": EPOCH - 5, "trunk": "main"},
            {"salesperson": "bob", "state": "rings", "since": EPOCH - 20, "trunk": "main"},
        ],
    }


def test_waiting_ends_with_the_answer() -> None:
    told = rows(document(*several()))["talking"]
    assert (told["waiting"], told["talking"]) == (14.0, 186.0)
    assert told["legs"][0]["state"] == "talks"
    assert told["legs"][0]["since"] == EPOCH - 186


def test_every_phase_has_its_name_and_what_is_over_is_left_out() -> None:
    told = rows(document(*several(), menus=(menu(),)))
    assert {name: row["phase"] for name, row in told.items()} == {
        "long": "talking",
        "talking": "talking",
        "ringing": "ringing",
        "ending": "ending",
        "menu": "menu",
        "challenge": "challenge",
    }
    assert rows(document(call("c", 1, Phase.CONNECTING)))["c"]["phase"] == "connecting"


def test_the_oldest_call_comes_first() -> None:
    started = [row["started"] for row in document(*several(), menus=(menu(),))["calls"]]
    assert started == sorted(started)
    assert len(started) == 6


def test_a_salesperson_at_the_menu() -> None:
    told = rows(document(menus=(menu(9.0),)))["menu"]
    assert (told["campaign"], told["caller"], told["waiting"]) == (None, None, 9.0)
    assert told["legs"] == [{"salesperson": "dave", "state": "listens", "since": EPOCH - 9, "trunk": None}]


def test_a_leg_that_has_said_nothing_yet_rings_since_it_was_dialled() -> None:
    told = rows(document(call("c", 9, Phase.HUNTING, leg("alice", 8), leg("bob", 8, 6))))["c"]
    assert [each["since"] for each in told["legs"]] == [EPOCH - 8, EPOCH - 6]


def test_no_number_leaves_whole() -> None:
    text = json.dumps(document(*several(), menus=(menu(),)), ensure_ascii=False)
    assert HIDDEN not in text.replace(" ", "")
    assert "\x1b" not in text
    assert rows(document(*several()))["challenge"]["caller"] == "withheld"


# --- The socket -------------------------------------------------------------------------------------------


@pytest.fixture
def path(tmp_path: Path) -> str:
    return socket_path(str(tmp_path / "c.db"))


def there(path: str) -> bool:
    return os.path.lexists(path)


@asynccontextmanager
async def serving(path: str, snapshot: Callable[[], Document] = document) -> AsyncIterator[LiveServer]:
    server = LiveServer(path, snapshot)
    await server.start()
    try:
        yield server
    finally:
        await server.close()


async def asked(path: str) -> Document:
    return await asyncio.to_thread(ask, path)


async def test_one_line_brings_one_document(path: str) -> None:
    async with serving(path, lambda: document(*several())):
        assert await asked(path) == document(*several())
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b"live\n")
        text = await reader.read()
        writer.close()
    assert text.count(b"\n") == 1
    assert json.loads(text) == document(*several())


async def test_the_socket_is_the_owners_alone_and_goes_with_the_router(path: str) -> None:
    async with serving(path):
        status = os.stat(path)
        assert stat.S_ISSOCK(status.st_mode)
        assert stat.S_IMODE(status.st_mode) == 0o600
    assert not there(path)


async def test_a_dead_routers_socket_is_replaced(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
    with pytest.raises(NoRouter) as caught:
        await asked(path)
    assert str(caught.value) == ""
    async with serving(path):
        assert (await asked(path))["calls"] == []


async def test_a_file_that_is_no_socket_is_left_alone(path: str, caplog: pytest.LogCaptureFixture) -> None:
    with open(path, "w", encoding="ascii") as file:  # noqa: ASYNC230 - a test's own file
        file.write("mine")
    async with serving(path):
        assert "no_live_view" in caplog.text
    assert os.stat(path).st_size == 4


async def test_another_routers_socket_is_not_removed(path: str) -> None:
    async with serving(path):
        os.unlink(path)
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(path)
    assert there(path)


@pytest.mark.parametrize("place", ["x" * 120, "missing/c.db"])
async def test_a_place_where_no_socket_can_be(tmp_path: Path, place: str, caplog: pytest.LogCaptureFixture) -> None:
    path = socket_path(str(tmp_path / place))
    async with serving(path):
        assert [record.levelno for record in caplog.records] == [logging.WARNING]
        assert "event=no_live_view" in caplog.text
        with pytest.raises(NoRouter):
            await asked(path)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("question", [b"", b"\n", b"GET / HTTP/1.1\r\n\r\n", b"x" * 1_000_000, b"\xff\x00live\n"])
async def test_other_questions_have_no_answer(path: str, question: bytes) -> None:
    made = 0

    def snapshot() -> Document:
        nonlocal made
        made += 1
        return document()

    async with serving(path, snapshot):
        reader, writer = await asyncio.open_unix_connection(path)
        try:
            writer.write(question)
            if not question:
                writer.write_eof()
            async with asyncio.timeout(5):
                assert await reader.read() == b""
        except ConnectionError:
            # Whoever is turned away in mid-sentence may hear it like this.
            pass
        finally:
            writer.transport.abort()
        assert made == 0
        assert (await asked(path))["calls"] == []


async def test_who_says_or_reads_nothing_is_let_go(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "PATIENCE", 0.2)
    large = document(*(call(f"c{index}", 9, Phase.HUNTING, leg("alice", 8)) for index in range(5000)))
    async with serving(path, lambda: large) as server:
        with socket.socket(socket.AF_UNIX) as silent, socket.socket(socket.AF_UNIX) as deaf:
            silent.connect(path)
            deaf.connect(path)
            deaf.sendall(b"live\n")
            await until(lambda: len(server._clients) == 2)
            assert await asked(path) == large
            await until(lambda: not server._clients)


async def test_a_crowd_is_turned_away_and_costs_one_document(path: str) -> None:
    made = 0

    def snapshot() -> Document:
        nonlocal made
        made += 1
        return document()

    async with serving(path, snapshot) as server:
        crowd = [await asyncio.open_unix_connection(path) for _ in range(MOST_CLIENTS)]
        await until(lambda: len(server._clients) == MOST_CLIENTS)
        with pytest.raises(NoRouter):
            await asked(path)
        for reader, writer in crowd:
            writer.write(b"live\n")
            assert json.loads(await reader.read())["calls"] == []
            writer.close()
        await until(lambda: not server._clients)
        await asked(path)
    assert made == 1


async def test_a_mistake_of_ours_does_not_reach_the_router(path: str, caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> Document:
        raise ZeroDivisionError(NUMBER)

    async with serving(path, broken):
        with pytest.raises(NoRouter, match="see its log"):
            await asked(path)
    (told,) = [record.getMessage() for record in caplog.records]
    assert told == 'event=internal_error about="live view" error=ZeroDivisionError'


async def test_stopping_lets_everybody_go(path: str) -> None:
    before = asyncio.all_tasks()
    async with serving(path) as server:
        reader, writer = await asyncio.open_unix_connection(path)
        await until(lambda: server._clients)
    assert await reader.read() == b""
    writer.close()
    await until(lambda: asyncio.all_tasks() <= before)


async def test_closing_what_never_started_is_nothing(path: str) -> None:
    await LiveServer(path, document).close()
    assert not there(path)
