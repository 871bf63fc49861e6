"""A router as it is started, where no Asterisk answers: what it tells monitoring, over its whole life."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fake_asterisk import PASSWORD, USER, fake_asterisk

ROOT = Path(__file__).parents[2]
FILE = f"""\
version: 1
company: {{country: FR, timezone: Europe/Paris}}
asterisk:
  ari: {{url: "http://127.0.0.1:1/ari", username: {USER}}}
  trunks: {{main: {{dial: "PJSIP/{{number}}@trunk"}}}}
salespeople: {{alice: {{mobile: "+33612345678"}}}}
defaults: {{accept: none, ring: {{to: [alice]}}}}
campaigns: {{flyer: {{numbers: ["+33184801001"]}}}}
unknown_number: {{}}
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def soon(check: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.05)


class Router:
    def __init__(self, folder: Path, ari: str = "http://127.0.0.1:1/ari") -> None:
        self.folder = folder
        self.ari = ari
        self.port = free_port()
        self.write(f'health: {{listen: "127.0.0.1:{self.port}"}}\n')
        self._log = open(folder / "log", "w", encoding="utf-8")  # noqa: SIM115 - as long as the process
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "cli.py"), "--config", str(folder / "campaigns.yaml"), "run"],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "CALLROUTER_ARI_PASSWORD": PASSWORD},
            stderr=self._log,
        )

    def write(self, more: str) -> None:
        (self.folder / "campaigns.yaml").write_text(
            FILE.replace("http://127.0.0.1:1/ari", self.ari) + more, encoding="utf-8"
        )

    def reload(self) -> None:
        self.process.send_signal(signal.SIGHUP)

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(encoding="utf-8")

    def ask(self, path: str, port: int | None = None) -> tuple[int, str]:
        """Status and text; 0 while nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port or self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def ready(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.ask("/health/ready")[1] or "{}")
        return {key: [note["what"] for note in told.get(key, ())] for key in ("reasons", "degraded")}

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(20)
        finally:
            self._log.close()


@pytest.fixture
def router(tmp_path: Path) -> Iterator[Router]:
    running = Router(tmp_path)
    try:
        soon(lambda: running.ask("/health/live")[0] == 200)
        soon(lambda: "event=ari_down" in running.log)
        yield running
    finally:
        if running.process.poll() is None:
            running.process.kill()
            running.process.wait()


def test_without_asterisk_it_lives_and_is_not_ready(router: Router) -> None:
    soon(lambda: router.ready()["reasons"] == ["link"])
    assert router.ask("/health/ready")[0] == 503
    soon(lambda: "callrouter_callbacks_open 0.0" in router.ask("/metrics")[1])
    text = router.ask("/metrics")[1]
    assert "callrouter_ari_up 0.0" in text
    assert "callrouter_database_ok 1.0" in text
    assert 'callrouter_trunk_down{trunk="main"} 0.0' in text
    assert PASSWORD not in text + router.log
    assert router.stop() == 0
    assert "event=stopped" in router.log


def test_a_reload_moves_it_switches_it_off_and_a_refused_one_is_told(router: Router) -> None:
    before, router.port = router.port, free_port()
    router.write(f'health: {{listen: "127.0.0.1:{router.port}"}}\n')
    router.reload()
    soon(lambda: router.ask("/health/live")[0] == 200)
    assert router.ask("/health/live", before)[0] == 0
    router.write("nonsense: 1\n")
    router.reload()
    soon(lambda: router.ready()["degraded"] == ["reload"])
    router.write("")
    router.reload()
    soon(lambda: router.ask("/health/live")[0] == 0)
    assert router.stop() == 0


def test_routes_that_cannot_be_written_are_told_and_end_nothing(router: Router) -> None:
    routes = router.folder / "callrouter.db.routes"
    soon(routes.exists)
    routes.unlink()
    routes.mkdir()
    router.reload()
    soon(lambda: router.ready()["degraded"] == ["fallback"])
    assert "event=fallback_not_written" in router.log
    assert router.process.poll() is None
    routes.rmdir()
    router.reload()
    soon(lambda: router.ready()["degraded"] == [])
    assert router.stop() == 0


def test_a_lock_on_the_database_is_told_within_ten_seconds_though_nobody_calls(router: Router) -> None:
    soon(lambda: router.ready()["reasons"] == ["link"])
    with contextlib.closing(sqlite3.connect(router.folder / "callrouter.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        soon(lambda: router.ready()["reasons"] == ["link", "database"], 10.0)
        other.execute("ROLLBACK")
    soon(lambda: router.ready()["reasons"] == ["link"], 10.0)
    assert router.stop() == 0


def test_a_hundred_silent_clients_and_a_megabyte_hold_up_nobody(router: Router) -> None:
    crowd = [socket.create_connection(("127.0.0.1", router.port)) for _ in range(100)]
    large = socket.create_connection(("127.0.0.1", router.port))
    large.settimeout(5)
    with contextlib.suppress(OSError):
        large.sendall(b"GET /" + b"a" * 1_000_000)
    soon(lambda: router.ask("/health/live")[0] == 200, 10.0)
    assert json.loads(router.ask("/health/live")[1])["lag_seconds"] < 1.0
    for client in (*crowd, large):
        client.close()
    assert router.stop() == 0
    assert router.log.count("\n") < 20, router.log


async def test_a_silent_and_a_lost_link_are_told_within_ten_seconds_and_so_is_their_return(tmp_path: Path) -> None:
    async with fake_asterisk() as fake:
        fake.answers |= {("GET", "channels"): (200, []), ("GET", "bridges"): (200, [])}
        running = Router(tmp_path, fake.url)
        try:
            await asyncio.to_thread(soon, lambda: running.ask("/health/ready")[0] == 200)
            fake.mute = True
            await asyncio.to_thread(soon, lambda: running.ready()["reasons"] == ["link"], 10.0)
            fake.mute = False
            await asyncio.to_thread(soon, lambda: running.ask("/health/ready")[0] == 200)
            fake.refuse_with = 503
            await fake.drop()
            await asyncio.to_thread(soon, lambda: running.ready()["reasons"] == ["link"], 1.0)
            fake.refuse_with = 0
            await asyncio.to_thread(soon, lambda: running.ask("/health/ready")[0] == 200)
            text = (await asyncio.to_thread(running.ask, "/metrics"))[1]
            assert "callrouter_ari_up 1.0" in text
            assert "callrouter_ari_reconnects_total 2.0" in text
            assert await asyncio.to_thread(running.stop) == 0
        finally:
            if running.process.poll() is None:
                running.process.kill()
                running.process.wait()
