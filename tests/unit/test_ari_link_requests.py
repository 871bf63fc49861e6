"""Requests over the websocket: at once, in order, and each with its own answer or error."""

from __future__ import annotations

import asyncio

import pytest

from router.ari.client import Client
from router.ari.link import Link
from router.errors import AriDisconnected, AriTimeout, RouterError
from router.model import Ari, Secret
from tests.fake_asterisk import PASSWORD, USER, FakeAsterisk, channel
from tests.running_link import Owner, fake, running
from tests.waiting import until

__all__ = ["fake"]


async def test_requests_are_sent_at_once_and_in_order(fake: FakeAsterisk) -> None:
    async with running(fake) as it:
        await it.up()
        fake.hold = lambda _method, _path: True
        futures = [it.client.answer(str(number)) for number in range(50)]
        await until(lambda: len(fake.asked()) == 50)
        assert fake.asked() == [("POST", f"channels/{number}/answer") for number in range(50)]
        assert not any(future.done() for future in futures)
        fake.release()
        assert await asyncio.gather(*futures) == [None] * 50


async def test_answers_out_of_order_find_their_requests(fake: FakeAsterisk) -> None:
    fake.answers[("GET", "channels/a")] = (200, channel("a"))
    fake.answers[("GET", "channels/b")] = (200, channel("b"))
    async with running(fake) as it:
        await it.up()
        fake.hold = lambda _method, path: path == "channels/a"
        first, second = it.client.channel("a"), it.client.channel("b")
        assert (await second).id == "b"
        assert not first.done()
        fake.release()
        assert (await first).id == "a"


async def test_a_deadline_fails_one_request_and_not_the_link(fake: FakeAsterisk) -> None:
    async with running(fake) as it:
        await it.up()
        fake.hold = lambda _method, path: path == "channels/slow"
        late = it.link.requests.submit("GET", "channels/slow", lane="x", deadline=0.05)
        with pytest.raises(AriTimeout, match="ARI GET channels/slow: no answer in time"):
            await late
        assert it.link.health().pending == 0
        fake.release()  # The answer comes all the same, and nobody waits for it.
        await it.client.answer("c1")
        await until(lambda: it.link.health().unread)
        assert it.link.health().unread == {"answer that nobody waits for": 1}
        assert len(it.owner.ups) == 1


async def test_a_full_socket_delays_and_loses_nothing(fake: FakeAsterisk) -> None:
    async with running(fake) as it:
        await it.up()
        fake.hold = lambda _method, _path: True
        value = "v" * 20_000
        count = 400  # 8 MB: more than any socket buffer takes at once.
        futures = [it.client.set_variable("c1", f"X{number}", value) for number in range(count)]
        await until(lambda: len(fake.asked()) == count, seconds=20)
        sent = [body["variable"] for _, _, uri, body in fake.requests if "variable" in uri]
        assert sent == [f"X{number}" for number in range(count)]
        fake.release()
        await asyncio.gather(*futures)


async def test_a_large_body_takes_the_other_way(fake: FakeAsterisk) -> None:
    async with running(fake) as it:
        await it.up()
        await it.client.set_variable("c1", "X", "v" * 40_000)
        assert fake.asked("http") == [("POST", "channels/c1/variable")]


async def test_without_a_link_a_request_fails_at_once(fake: FakeAsterisk) -> None:
    link = Link(
        Ari(fake.url, USER, "callrouter"),
        Secret(PASSWORD),
        on_event=lambda _event: None,
        on_up=Owner().on_up,
        on_down=lambda: None,
    )
    future = Client(link).answer("c1")
    assert future.done()
    with pytest.raises(AriDisconnected, match="no link"):
        await future
    await link.close()


async def test_too_many_requests_are_refused(fake: FakeAsterisk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("router.ari.requests.OUTSTANDING", 3)
    async with running(fake) as it:
        await it.up()
        fake.hold = lambda _method, _path: True
        futures = [it.client.answer(str(number)) for number in range(4)]
        with pytest.raises(RouterError, match="3 requests have no answer"):
            await futures[3]
        assert it.link.health().pending == 3
        fake.release()
        await asyncio.gather(*futures[:3])


async def test_errors_that_nobody_reads_are_not_logged(
    fake: FakeAsterisk, caplog: pytest.LogCaptureFixture
) -> None:
    fake.answers[("POST", "channels/gone/answer")] = (404, {"message": "Channel not found"})
    async with running(fake) as it:
        await it.up()
        it.client.answer("gone")
        await it.client.answer("after")
        fake.hold = lambda _method, _path: True
        it.client.answer("lost")
    it.client.answer("too late")
    assert "never retrieved" not in caplog.text
