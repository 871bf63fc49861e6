"""The monitor: it measures the loop, watches the spool and the database, and tells each page what it found."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from router.health import exposition
from router.health import monitor as module
from router.health.monitor import Monitor
from router.model import Config, Health, Outcome
from router.store import look as look_module
from router.store.database import open_database
from router.store.look import Look
from router.trunks import Trunks
from tests.build import make_campaign, make_config
from tests.health_signs import DOWN, LINK, WRITER
from tests.store_rows import call, ended
from tests.waiting import until


class House:
    """What the monitor looks at."""

    def __init__(self, database: str) -> None:
        self.config = make_config(database=database)
        self.link = LINK
        self.writer = WRITER
        self.calls = 0
        self.trunks = Trunks(self.config)
        self.monitor = Monitor(
            link=lambda: self.link, writer=lambda: self.writer, calls=lambda: self.calls, trunks=self.trunks
        )

    def with_health(self, port: int) -> Config:
        return replace(self.config, health=Health("127.0.0.1", port))


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture
async def house(tmp_path: Path) -> House:
    path = str(tmp_path / "c.db")
    open_database(path).close()
    return House(path)


@asynccontextmanager
async def running(house: House, config: Config) -> AsyncIterator[Monitor]:
    await house.monitor.adopt(config, fallback_stale=False)
    task = asyncio.create_task(house.monitor.run())
    try:
        yield house.monitor
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await house.monitor.close()


async def asked(port: int, path: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path}") as answer:
        return answer.status, await answer.text()


async def reasons(port: int) -> list[str]:
    status, text = await asked(port, "/health/ready")
    told = json.loads(text)
    assert (status == 200) == told["ready"] == (not told["reasons"])
    return [note["what"] for note in told["reasons"]]


async def metric(port: int, name: str) -> float | None:
    await asyncio.sleep(0)
    text = (await asked(port, "/metrics"))[1]
    found = [line.rpartition(" ")[2] for line in text.splitlines() if line.startswith(f"callrouter_{name} ")]
    return float(found[0]) if found else None


# --- Off and on -------------------------------------------------------------------------------------------


async def test_without_the_key_nothing_listens_and_the_database_is_left_alone(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[str] = []
    monkeypatch.setattr(module, "LOOK", 0.01)
    monkeypatch.setattr(module, "look", lambda path, *_, **__: looks.append(path))
    async with running(house, house.config) as monitor:
        await asyncio.sleep(0.05)
        assert monitor._server.address is None
    assert looks == []


async def test_a_reload_moves_the_listener_switches_it_off_and_on(house: House, port: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        other = int(server.getsockname()[1])
    async with running(house, house.with_health(port)) as monitor:
        assert (await asked(port, "/health/live"))[0] == 200
        await monitor.adopt(house.with_health(other), fallback_stale=False)
        assert (await asked(other, "/health/live"))[0] == 200
        with pytest.raises(aiohttp.ClientConnectorError):
            await asked(port, "/health/live")
        await monitor.adopt(house.config, fallback_stale=False)
        with pytest.raises(aiohttp.ClientConnectorError):
            await asked(other, "/health/live")


async def test_a_reload_that_does_not_move_it_cuts_nobody_off(house: House, port: int) -> None:
    async with running(house, house.with_health(port)) as monitor:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await until(lambda: monitor._server.clients == 1)
        await monitor.adopt(replace(house.with_health(port), version="fedcba987654"), fallback_stale=False)
        writer.write(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 200")
        writer.close()


async def test_a_port_that_was_taken_is_tried_again_with_the_next_reload(house: House, port: int) -> None:
    async with running(house, house.config) as monitor:
        with socket.create_server(("127.0.0.1", port)):
            await monitor.adopt(house.with_health(port), fallback_stale=False)
            assert monitor._server.address is None
        await monitor.adopt(house.with_health(port), fallback_stale=False)
        assert (await asked(port, "/health/live"))[0] == 200


async def test_before_a_configuration_is_in_force_it_is_not_ready(house: House, port: int) -> None:
    await house.monitor.listen(Health("127.0.0.1", port))
    assert await reasons(port) == ["configuration"]
    await house.monitor.adopt(house.with_health(port), fallback_stale=False)
    assert await reasons(port) == []
    await house.monitor.close()


# --- What is noticed --------------------------------------------------------------------------------------


async def test_a_lost_link_is_told_at_once_and_so_is_its_return(house: House, port: int) -> None:
    async with running(house, house.with_health(port)):
        assert await reasons(port) == []
        house.link = DOWN
        assert await reasons(port) == ["link"]
        house.link = LINK
        assert await reasons(port) == []


async def test_a_writer_in_trouble_is_told_at_once(house: House, port: int) -> None:
    async with running(house, house.with_health(port)):
        house.writer = replace(WRITER, last_error="c.db: the disk is full")
        assert await reasons(port) == ["database"]


async def test_rows_that_stay_in_the_spool_are_told(
    house: House, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BEAT", 0.01)
    monkeypatch.setattr("router.health.signs.SPOOLED", 0.3)
    async with running(house, house.with_health(port)) as monitor:
        house.writer = replace(WRITER, spooled=3)
        await until(lambda: monitor.signs().spooled_for > 0)
        assert await reasons(port) == []
        await until(lambda: monitor.signs().spooled_for > 0.3)
        assert await reasons(port) == ["database"]
        house.writer = WRITER
        await until(lambda: monitor.signs().spooled_for == 0)
        assert await reasons(port) == []


async def test_a_database_that_another_program_locks_is_told_without_a_call(
    house: House, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOK", 0.02)
    monkeypatch.setattr(look_module, "PATIENCE", 0.05)
    async with running(house, house.with_health(port)) as monitor:
        await until(lambda: monitor.signs().look is not None)
        with closing(open_database(house.config.database)) as other:
            other.execute("BEGIN EXCLUSIVE")
            await until(lambda: monitor._look is not None and bool(monitor._look.trouble))
            assert await reasons(port) == ["database"]
            other.execute("ROLLBACK")
        await until(lambda: monitor._look is not None and not monitor._look.trouble)
        assert await reasons(port) == []


async def test_a_database_that_does_not_answer_is_told(house: House, port: int) -> None:
    async with running(house, house.with_health(port)) as monitor:
        await until(lambda: monitor.signs().look is not None)
        assert monitor.signs().looked < 5
        monitor._looked_at -= 9.0
        assert await reasons(port) == ["database"]


async def test_a_mistake_in_a_look_does_not_end_the_router(
    house: House, port: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = [ZeroDivisionError("+33145678901")]

    def looked(*_: object, **__: object) -> Look:
        if wrong:
            raise wrong.pop()
        return Look("", 10**12, None)

    monkeypatch.setattr(module, "LOOK", 0.01)
    monkeypatch.setattr(module, "look", looked)
    async with running(house, house.with_health(port)) as monitor:
        await until(lambda: monitor.signs().look is not None)
    assert "event=internal_error about=health error=ZeroDivisionError" in caplog.text
    assert "+33" not in caplog.text


async def test_what_is_owed_is_counted_every_sixth_look_and_kept_between(
    house: House, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[bool] = []

    def looked(*given: object, count: bool) -> Look:
        counted.append(count)
        return look_module.look(*given, count=count)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "LOOK", 0.01)
    monkeypatch.setattr(module, "look", looked)
    async with running(house, house.with_health(port)) as monitor:
        await until(lambda: len(counted) > 9)
        assert counted[:8] == [True, False, False, False, False, False, True, False]
        found = monitor.signs().look
        assert found is not None
        assert found.owed is not None
        assert await metric(port, "callbacks_open") == 0


async def test_the_loop_measures_how_late_it_is(house: House, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BEAT", 0.01)
    async with running(house, house.with_health(port)) as monitor:
        await until(lambda: len(monitor._lags) == module.KEPT)
        time.sleep(0.7)  # noqa: ASYNC251 - this is the fault
        await until(lambda: monitor.signs().lag > 0.6)
        assert json.loads((await asked(port, "/health/ready"))[1])["degraded"][0]["what"] == "lag"
        assert json.loads((await asked(port, "/health/live"))[1])["lag_seconds"] > 0.6
        await until(lambda: monitor.signs().lag < 0.6)


async def test_reloads_reconnects_and_routes(house: House, port: int) -> None:
    async with running(house, house.with_health(port)) as monitor:
        monitor.connected()
        assert monitor.signs().reconnects == 0
        monitor.connected()
        monitor.connected()
        assert monitor.signs().reconnects == 2
        monitor.reload_refused()
        assert monitor.signs().reload_refused
        await monitor.adopt(house.with_health(port), fallback_stale=True)
        assert not monitor.signs().reload_refused
        assert monitor.signs().fallback_stale


async def test_trunks_are_those_of_the_file(house: House) -> None:
    await house.monitor.adopt(house.config, fallback_stale=False)
    house.trunks.take("main")
    house.trunks.take("gone")
    house.trunks.heard("main", 503, True, time.monotonic())
    state = house.monitor.signs().trunks
    assert list(state) == ["main"]
    assert (state["main"].down, state["main"].legs) == (True, 1)


async def test_calls_that_ended_are_in_the_metrics(house: House, port: int) -> None:
    async with running(house, house.with_health(port)) as monitor:
        monitor.tally.ended(ended(call("one", campaign="spring-flyer"), Outcome.ABANDONED, 9.0), ())
        house.calls = 7
        text = (await asked(port, "/metrics"))[1]
        assert 'callrouter_calls_total{campaign="spring-flyer",outcome="abandoned"} 1.0' in text
        assert "callrouter_calls_active 7.0" in text
        assert "3314567" not in text


# --- What it costs ----------------------------------------------------------------------------------------


async def test_metrics_are_made_beside_the_loop(house: House, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    turned = threading.Event()

    def slowly(*_: object) -> bytes:
        return b"turned\n" if turned.wait(10) else b"stood still\n"

    monkeypatch.setattr(exposition, "expose", slowly)
    async with running(house, house.with_health(port)):
        answer = asyncio.create_task(asked(port, "/metrics"))
        assert (await asked(port, "/health/live"))[0] == 200
        turned.set()
        assert (await answer)[1] == "turned\n"


async def test_a_file_with_a_thousand_campaigns_is_told_whole(house: House, port: int) -> None:
    names = [f"campaign-{index}" for index in range(1000)]
    config = replace(house.with_health(port), campaigns={name: make_campaign(name, ()) for name in names})
    async with running(house, config) as monitor:
        for name in names:
            for outcome in Outcome:
                monitor.tally.ended(ended(call("one", campaign=name), outcome, 9.0), ())
        assert (await asked(port, "/metrics"))[1].count("callrouter_calls_total{") == 9000
