"""A link that is not let in: said once, and tried again at its pace."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import pytest

from router.ari.pace import Pace, Retries
from tests.fake_asterisk import PASSWORD, FakeAsterisk
from tests.running_link import QUICK, fake, running
from tests.waiting import until

__all__ = ["fake"]


# --- Not getting in -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "why"),
    [
        (401, "Asterisk refuses the ARI user callrouter"),
        (403, "Asterisk refuses the ARI user callrouter"),
        (404, "check asterisk.ari.url"),
        (503, "refuses the websocket (503)"),
    ],
)
async def test_a_refusal_is_said_once_and_tried_again(
    fake: FakeAsterisk, caplog: pytest.LogCaptureFixture, status: int, why: str
) -> None:
    fake.refuse_with = status
    async with running(fake) as it:
        await until(lambda: fake.refused >= 4)
        assert why in it.link.health().trouble
        fake.refuse_with = 0
        await it.up()
    assert caplog.text.count("ari_down") == 1
    assert PASSWORD not in caplog.text


async def test_a_wrong_password_is_named(fake: FakeAsterisk) -> None:
    async with running(fake, username="somebody") as it:
        await until(lambda: "ari.conf" in it.link.health().trouble)
        assert "somebody" in it.link.health().trouble
        assert PASSWORD not in repr(it.link.health())


async def test_asterisk_away_and_back_on_the_same_port(
    fake: FakeAsterisk, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(fake) as it:
        await it.up()
        await fake.stop()
        await until(lambda: "cannot reach" in it.link.health().trouble)
        await fake.start()
        await it.up(times=2)
    assert caplog.text.count("cannot reach") == 1


@pytest.mark.parametrize("url", ["not a url", "http://", "ftp://127.0.0.1/ari", "http://a:hidden@127.0.0.1/ari"])
async def test_an_url_that_is_none(fake: FakeAsterisk, url: str) -> None:
    async with running(fake, url=url) as it:
        await until(lambda: it.link.health().trouble != "not connected yet")
        assert "asterisk.ari.url" in it.link.health().trouble
        assert "hidden" not in it.link.health().trouble


@pytest.mark.parametrize("hang_up", [True, False], ids=["hangs up", "says nothing"])
async def test_a_port_that_is_no_asterisk(fake: FakeAsterisk, hang_up: bool) -> None:
    writers = []

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        if hang_up:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    pace = dataclasses.replace(QUICK, connect=0.05)
    async with running(fake, url=f"http://127.0.0.1:{port}/ari", pace=pace) as it:
        await until(lambda: len(writers) >= 3)
        why = "cannot reach" if hang_up else "does not answer"
        assert it.link.health().trouble.startswith(why) or it.link.health().trouble.endswith(why)
    server.close()
    for writer in writers:
        writer.close()
    await asyncio.gather(*(writer.wait_closed() for writer in writers), return_exceptions=True)


# --- Pace ---------------------------------------------------------------------------------------------------


def test_retries_double_up_to_the_cap_and_start_again_after_a_stable_connection() -> None:
    pace = Pace()
    retries = Retries(pace)
    pauses = [retries.next(0.0) for _ in range(50)]
    for number, pause in enumerate(pauses):
        longest = min(1.0, 0.1 * 2**number)
        assert longest / 2 <= pause <= longest
    assert retries.next(pace.stable) == 0.0
    assert 0.0 < retries.next(0.0) <= 0.1


def test_the_default_pace_notices_a_dead_peer_within_ten_seconds() -> None:
    pace: Any = Pace()
    assert pace.dead + 2 * pace.tick < 10
    assert pace.stall + 2 * pace.tick < 10
