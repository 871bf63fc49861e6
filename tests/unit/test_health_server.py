"""What monitoring is answered over HTTP, and that whoever asks can do no harm: real sockets on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from router.health import server
from router.health.server import MOST_CLIENTS, HealthServer
from router.health.signs import Note, Verdict
from router.model import Health
from tests.waiting import until

WELL = Verdict((), ())
ANY = Health("127.0.0.1", 0)


class Answers:
    """What the pages say, and how often metrics were made."""

    def __init__(self) -> None:
        self.verdict = WELL
        self.text = b"callrouter_ready 1.0\n"
        self.made = 0
        self.wrong: Exception | None = None

    def judge(self) -> Verdict:
        if self.wrong is not None:
            raise self.wrong
        return self.verdict

    async def metrics(self) -> tuple[str, bytes]:
        self.made += 1
        return "text/plain; version=0.0.4; charset=utf-8", self.text


@pytest.fixture
def answers() -> Answers:
    return Answers()


@asynccontextmanager
async def serving(answers: Answers) -> AsyncIterator[HealthServer]:
    listener = HealthServer(lag=lambda: 0.0125, verdict=answers.judge, metrics=answers.metrics)
    assert await listener.start(ANY)
    try:
        yield listener
    finally:
        await listener.close()


def where(listener: HealthServer) -> tuple[str, int]:
    assert listener.address is not None
    return listener.address


async def asked(listener: HealthServer, path: str, method: str = "GET") -> tuple[int, str, str]:
    """Status, content type and text."""
    host, port = where(listener)
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, f"http://{host}:{port}{path}") as answer,
    ):
        return answer.status, answer.headers.get("Content-Type", ""), await answer.text()


async def raw(listener: HealthServer, request: bytes, *, end: bool = False) -> bytes:
    """All that comes back for these bytes, until the router is done with us."""
    reader, writer = await asyncio.open_connection(*where(listener))
    try:
        writer.write(request)
        if end:
            writer.write_eof()
        async with asyncio.timeout(10):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.transport.abort()


# --- The pages --------------------------------------------------------------------------------------------


async def test_it_lives_and_says_how_late_the_loop_is(answers: Answers) -> None:
    async with serving(answers) as listener:
        status, kind, text = await asked(listener, "/health/live")
    assert (status, kind) == (200, "application/json; charset=utf-8")
    assert json.loads(text) == {"live": True, "lag_seconds": 0.013, "heartbeat_seconds": None}


async def test_ready(answers: Answers) -> None:
    async with serving(answers) as listener:
        status, _, text = await asked(listener, "/health/ready")
    assert status == 200
    assert json.loads(text) == {"ready": True, "reasons": [], "degraded": []}


async def test_not_ready_says_why(answers: Answers) -> None:
    answers.verdict = Verdict((Note("link", "nothing heard"), Note("disk", "is full")), (Note("lag", "late"),))
    async with serving(answers) as listener:
        status, _, text = await asked(listener, "/health/ready")
    assert status == 503
    told = json.loads(text)
    assert told["ready"] is False
    assert told["reasons"] == [{"what": "link", "why": "nothing heard"}, {"what": "disk", "why": "is full"}]
    assert told["degraded"] == [{"what": "lag", "why": "late"}]


async def test_what_is_only_degraded_is_listed_with_200(answers: Answers) -> None:
    answers.verdict = Verdict((), (Note("trunk", "main is down"),))
    async with serving(answers) as listener:
        status, _, text = await asked(listener, "/health/ready")
    assert status == 200
    assert json.loads(text)["degraded"] == [{"what": "trunk", "why": "main is down"}]


async def test_metrics_are_prometheus_text(answers: Answers) -> None:
    async with serving(answers) as listener:
        status, kind, text = await asked(listener, "/metrics")
    assert (status, kind) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert text == "callrouter_ready 1.0\n"


async def test_metrics_are_made_once_for_everybody_who_asks_within_a_second(answers: Answers) -> None:
    async with serving(answers) as listener:
        await asyncio.gather(*(asked(listener, "/metrics") for _ in range(8)))
        assert answers.made == 1
        listener._made_at -= server.FRESH
        await asked(listener, "/metrics")
        assert answers.made == 2


async def test_a_reload_that_moves_the_listener_makes_them_anew(answers: Answers) -> None:
    async with serving(answers) as listener:
        await asked(listener, "/metrics")
        await listener.close()
        assert listener.address is None
        assert await listener.start(ANY)
        assert (await asked(listener, "/metrics"))[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/metrics/", 404),
        ("GET", "/health/../metrics/x", 404),
        ("GET", "/metrics?name[]=x", 200),
        ("HEAD", "/health/live", 200),
        ("POST", "/metrics", 405),
        ("DELETE", "/health/ready", 405),
    ],
)
async def test_other_questions(answers: Answers, method: str, path: str, status: int) -> None:
    async with serving(answers) as listener:
        assert (await asked(listener, path, method))[0] == status


async def test_an_answer_says_nothing_of_what_made_it_and_ends_the_connection(answers: Answers) -> None:
    async with serving(answers) as listener:
        head = (await raw(listener, b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")).partition(b"\r\n\r\n")[0]
    lines = head.decode().lower().split("\r\n")
    assert "server: callrouter" in lines
    assert "connection: close" in lines
    assert "cache-control: no-store" in lines
    assert "python" not in head.decode().lower()


async def test_a_mistake_of_ours_does_not_reach_the_router(
    answers: Answers, caplog: pytest.LogCaptureFixture
) -> None:
    answers.wrong = ZeroDivisionError("+33145678901")
    async with serving(answers) as listener:
        status, _, text = await asked(listener, "/health/ready")
        answers.wrong = None
        assert (await asked(listener, "/health/ready"))[0] == 200
    assert status == 500
    assert "+33" not in text
    (told,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.INFO]
    assert told == "event=internal_error about=health error=ZeroDivisionError"


# --- Where it listens -------------------------------------------------------------------------------------


async def test_a_port_that_is_taken_is_said_and_nothing_else_happens(
    answers: Answers, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        listener = HealthServer(lag=lambda: 0.0, verdict=answers.judge, metrics=answers.metrics)
        assert not await listener.start(Health("127.0.0.1", port))
        assert listener.address is None
        await listener.close()
    assert f"event=no_health listen=127.0.0.1:{port}" in caplog.text


async def test_closing_what_never_started_is_nothing(answers: Answers) -> None:
    await HealthServer(lag=lambda: 0.0, verdict=answers.judge, metrics=answers.metrics).close()


async def test_stopping_lets_everybody_go(answers: Answers) -> None:
    before = asyncio.all_tasks()
    async with serving(answers) as listener:
        reader, writer = await asyncio.open_connection(*where(listener))
        await until(lambda: listener.clients == 1)
    with contextlib.suppress(ConnectionError):
        assert await reader.read() == b""
    writer.transport.abort()
    await until(lambda: asyncio.all_tasks() <= before)


# --- Whoever means harm -----------------------------------------------------------------------------------

HOSTILE = {
    "not http": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 300,
    "a line without end": b"GET /" + b"a" * 1_000_000,
    "a header without end": b"GET /metrics HTTP/1.1\r\nX: " + b"a" * 1_000_000,
    "headers without end": b"GET /metrics HTTP/1.1\r\n" + b"X-Y: z\r\n" * 100_000,
    "a body of 1 MB": b"POST /metrics HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n" + b"a" * 1_000_000,
    "a body that never comes": b"POST /metrics HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n",
    "chunks": b"GET /nothing HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"ff\r\n" + b"a" * 255 + b"\r\n",
    "two lengths": b"GET /nothing HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na",
    "a forged line": b"GET /%0d%0aevent=stopped HTTP/1.1\r\nHost: a\r\nX: \x1b[2J\r\n\r\n",
    "an upgrade": b"GET /nothing HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    "expects": b"POST /metrics HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n",
}


@pytest.mark.parametrize("request_", HOSTILE.values(), ids=HOSTILE)
async def test_what_is_no_question_of_ours_costs_nothing(
    answers: Answers, request_: bytes, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "PATIENCE", 0.3)
    caplog.set_level(logging.INFO)
    async with serving(answers) as listener:
        began = time.monotonic()
        told = await raw(listener, request_)
        assert b" 200 " not in told.partition(b"\r\n")[0]
        assert time.monotonic() - began < 3
        await until(lambda: listener.clients == 0)
        assert answers.made == 0
        assert (await asked(listener, "/health/live"))[0] == 200
    assert not [record for record in caplog.records if record.name != "asyncio"], "nobody fills the journal"


async def test_many_questions_on_one_connection_are_one(answers: Answers) -> None:
    async with serving(answers) as listener:
        told = await raw(listener, b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n" * 1000)
    assert told.count(b"HTTP/1.1 ") <= 1


async def test_who_says_or_reads_nothing_is_let_go(answers: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "PATIENCE", 0.3)
    answers.text = b"# much\n" * 3_000_000
    async with serving(answers) as listener:
        with socket.socket() as silent, socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            silent.connect(where(listener))
            deaf.connect(where(listener))
            deaf.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            await until(lambda: listener.clients == 2)
            await until(lambda: answers.made == 1)
            assert (await asked(listener, "/health/live"))[0] == 200
            await until(lambda: listener.clients == 0)


async def test_a_hundred_connections_are_turned_away_and_gone_in_a_moment(
    answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "PATIENCE", 0.5)
    async with serving(answers) as listener:
        crowd = [await asyncio.open_connection(*where(listener)) for _ in range(100)]
        await until(lambda: listener.clients == MOST_CLIENTS)
        gone = [reader for reader, _ in crowd if reader.at_eof() or reader.exception() is not None]
        assert len(gone) >= 100 - MOST_CLIENTS - 1
        await until(lambda: listener.clients == 0)
        assert (await asked(listener, "/health/live"))[0] == 200
        for _, writer in crowd:
            writer.transport.abort()
