"""What the doctor says of monitoring: nothing where none is asked for, else what `/health/ready` says."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from router.doctor import answers
from router.doctor.answers import examine
from router.doctor.finding import Finding, State
from router.health.server import HealthServer
from router.health.signs import Note, Verdict
from router.lock import RouterLock
from router.model import Config, Health
from tests.build import make_config


@pytest.fixture
def config(tmp_path: Path) -> Iterator[Config]:
    """A router runs on its database."""
    made = make_config(database=str(tmp_path / "c.db"))
    with RouterLock(made.database):
        yield made


def at(config: Config, port: int, host: str = "127.0.0.1") -> Config:
    return replace(config, health=Health(host, port))


async def said(config: Config, verdict: Verdict, host: str = "127.0.0.1", asked: str = "") -> Finding:
    async def metrics() -> tuple[str, bytes]:
        return "text/plain", b""

    server = HealthServer(lag=lambda: 0.0, verdict=lambda: verdict, metrics=metrics)
    assert await server.start(Health(host, 0))
    assert server.address is not None
    (finding,) = await asyncio.to_thread(examine, at(config, server.address[1], asked or host))
    await server.close()
    return finding


async def test_ready(config: Config) -> None:
    finding = await said(config, Verdict((), ()))
    assert (finding.state, finding.check, finding.mend) == (State.OK, "health", "")
    assert finding.what.endswith("/health/ready says ready")


async def test_not_ready_with_the_reasons(config: Config) -> None:
    verdict = Verdict((Note("link", "lost"), Note("disk", "is \x1b[2Jfull")), (Note("lag", "late"),))
    finding = await said(config, verdict)
    assert finding.state is State.FAIL
    assert "not ready: link: lost; disk: is" in finding.what
    assert "lag: late" in finding.what
    assert "\x1b" not in finding.what
    assert finding.mend


async def test_degraded(config: Config) -> None:
    finding = await said(config, Verdict((), (Note("trunk", "main is down"),)))
    assert finding.state is State.WARN
    assert "trunk: main is down" in finding.what


async def test_who_listens_everywhere_is_asked_on_loopback(config: Config) -> None:
    finding = await said(config, Verdict((), ()), host="0.0.0.0")  # noqa: S104
    assert finding.state is State.OK
    assert "http://127.0.0.1:" in finding.what


def test_nothing_where_no_monitoring_is_asked_for(config: Config) -> None:
    assert examine(config) == []


def test_no_router_no_answer(tmp_path: Path) -> None:
    (finding,) = examine(at(make_config(database=str(tmp_path / "other.db")), 9))
    assert finding.state is State.WARN
    assert finding.mend


def test_nobody_listens(config: Config) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    (finding,) = examine(at(config, port))
    assert finding.state is State.FAIL
    assert "does not answer" in finding.what
    assert "no_health" in finding.mend


def test_a_router_that_hangs_does_not_hold_the_doctor(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "PATIENCE", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        (finding,) = examine(at(config, server.getsockname()[1]))
    assert finding.state is State.FAIL
    assert "does not answer" in finding.what


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ntrue",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\n<html",
        b"HTTP/1.1 200 OK\r\nContent-Length: 44\r\n\r\n" + b'{"ready": 1, "reasons": [1], "degraded": []}',
    ],
)
async def test_another_program_on_the_port(config: Config, answer: bytes) -> None:
    async def other(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(other, "127.0.0.1", 0)
    async with server:
        (finding,) = await asyncio.to_thread(examine, at(config, server.sockets[0].getsockname()[1]))
    assert finding.state is State.FAIL
    assert "another program answers" in finding.what
