"""REST over HTTP: lanes in order, side by side, through a small pool."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from router.ari import lanes
from router.errors import AriDisconnected, AriError, AriTimeout
from tests.fake_asterisk import FakeAsterisk, channel, fake_asterisk
from tests.running_link import running
from tests.waiting import until


@pytest.fixture
async def fake() -> AsyncIterator[FakeAsterisk]:
    async with fake_asterisk() as asterisk:
        yield asterisk


async def test_a_lane_is_a_chain(fake: FakeAsterisk) -> None:
    async with running(fake, transport="http") as it:
        await it.up()
        fake.hold = lambda _method, path: path.startswith("channels/c1")
        requests = [it.client.answer("c1"), it.client.set_variable("c1", "A", "1"), it.client.hang_up("c1")]
        await it.client.answer("c2")  # Another lane does not wait.
        assert fake.asked() == [("POST", "channels/c1/answer"), ("POST", "channels/c2/answer")]
        fake.release()
        await asyncio.gather(*requests)
        assert fake.asked() == [
            ("POST", "channels/c1/answer"),
            ("POST", "channels/c2/answer"),
            ("POST", "channels/c1/variable"),
            ("DELETE", "channels/c1"),
        ]


async def test_a_failure_does_not_stop_the_lane(fake: FakeAsterisk) -> None:
    fake.answers[("POST", "channels/c1/answer")] = (409, {"message": "Channel not in Stasis application"})
    async with running(fake, transport="http") as it:
        await it.up()
        first, second = it.client.answer("c1"), it.client.hang_up("c1")
        with pytest.raises(AriError, match="not in Stasis"):
            await first
        await second


async def test_connections_are_few(fake: FakeAsterisk) -> None:
    async with running(fake, transport="http") as it:
        await it.up()
        fake.most_at_once = 0
        fake.hold = lambda _method, _path: True
        futures = [it.client.answer(f"c{number}") for number in range(40)]
        await until(lambda: fake.at_once == lanes.POOL)
        fake.release()
        await asyncio.gather(*futures)
        assert len(fake.asked()) == 40
        assert fake.most_at_once == lanes.POOL
        assert it.link.health().pending == 0


async def test_a_deadline_frees_the_lane(fake: FakeAsterisk) -> None:
    async with running(fake, transport="http") as it:
        await it.up()
        fake.hold = lambda _method, path: path == "channels/c1/answer"
        slow = it.link.requests.submit("POST", "channels/c1/answer", lane="c1", deadline=0.05)
        behind = it.client.hang_up("c1")
        with pytest.raises(AriTimeout):
            await slow
        await behind


async def test_what_waits_in_a_lane_expires_too(fake: FakeAsterisk) -> None:
    async with running(fake, transport="http") as it:
        await it.up()
        fake.hold = lambda _method, path: path == "channels/c1/answer"
        slow = it.client.answer("c1")
        behind = it.link.requests.submit("DELETE", "channels/c1", lane="c1", deadline=0.05)
        with pytest.raises(AriTimeout):
            await behind
        fake.release()
        await slow
        await it.client.answer("c2")
        assert ("DELETE", "channels/c1") not in fake.asked()  # Nobody waits for it: it is not sent any more.


async def test_slow_requests_do_not_hold_up_the_websocket(fake: FakeAsterisk) -> None:
    fake.answers[("GET", "channels")] = (200, [channel("a"), channel("b")])
    fake.answers[("GET", "bridges")] = (200, [{"id": "b1", "channels": ["a"]}])
    async with running(fake) as it:
        await it.up()
        fake.hold = lambda method, _path: method == "GET"
        found = it.client.channels()
        await it.client.answer("c1")
        fake.release()
        assert [each.id for each in await found] == ["a", "b"]
        assert [bridge.channels for bridge in await it.client.bridges()] == [("a",)]
        assert fake.asked("http") == [("GET", "channels"), ("GET", "bridges")]
        assert fake.asked("ws") == [("POST", "channels/c1/answer")]


async def test_an_answer_that_cannot_be_read_is_an_error(fake: FakeAsterisk) -> None:
    fake.answers[("GET", "channels")] = (200, {"no": "list"})
    async with running(fake) as it:
        await it.up()
        with pytest.raises(AriError, match="ARI GET channels: unreadable answer: no list"):
            await it.client.channels()


async def test_an_answer_beyond_all_bounds_is_an_error(fake: FakeAsterisk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("router.ari.wire.LONGEST_LIST", 100_000)
    fake.answers[("GET", "channels")] = (200, ["x" * 200_000])
    async with running(fake) as it:
        await it.up()
        with pytest.raises(AriError, match="too large"):
            await it.client.channels()


async def test_a_server_that_goes_away_in_mid_request(fake: FakeAsterisk) -> None:
    async with running(fake, transport="http") as it:
        await it.up()
        fake.hold = lambda _method, _path: True
        future = it.client.answer("c1")
        await until(fake.asked)
        fake.cut_http()
        with pytest.raises(AriDisconnected, match="ARI POST channels/c1/answer: "):
            await future
