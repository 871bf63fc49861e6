"""The link: connecting, catching up before events, noticing loss, and never going away by itself."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from router.ari import link as link_module
from router.ari import wire
from router.ari.client import Client
from router.ari.link import ENGINE_EVENTS, Link, Up
from router.ari.pace import Pace, Retries
from router.errors import AriDisconnected, AriTimeout, RouterError
from router.model import Ari, Secret
from tests.fake_asterisk import (
    PASSWORD,
    USER,
    FakeAsterisk,
    channel,
    fake_asterisk,
    stasis_start,
    until,
)

QUICK = Pace(
    first_retry=0.01,
    longest_retry=0.05,
    stable=60.0,
    connect=1.0,
    probe=0.2,
    tick=0.02,
    ping=0.1,
    dead=0.3,
    stall=0.3,
)


class Owner:
    """What an engine would be: it writes down what it is told, in order."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.ups: list[Up] = []
        self.may_come_up = asyncio.Event()
        self.may_come_up.set()
        self.fail_up: list[Exception] = []
        self.fail_event: Exception | None = None

    async def on_up(self, up: Up) -> None:
        self.heard.append("up")
        await self.may_come_up.wait()
        if self.fail_up:
            raise self.fail_up.pop(0)
        self.ups.append(up)
        self.heard.append("caught up")

    def on_down(self) -> None:
        self.heard.append("down")

    def on_event(self, event: wire.Event) -> None:
        if self.fail_event is not None:
            raise self.fail_event
        name = type(event).__name__
        self.heard.append(f"{name} {event.channel.id}" if hasattr(event, "channel") else name)


class Running:
    """A link at work, with the fake that it talks to."""

    def __init__(self, fake: FakeAsterisk, owner: Owner, link: Link, task: asyncio.Task[None]) -> None:
        self.fake = fake
        self.owner = owner
        self.link = link
        self.client = Client(link)
        self.task = task

    async def up(self, times: int = 1) -> None:
        await until(lambda: len(self.owner.ups) >= times and self.link.health().up)


@asynccontextmanager
async def running(
    fake: FakeAsterisk, owner: Owner | None = None, *, transport: str = "auto", pace: Pace = QUICK, **ari: str
) -> AsyncIterator[Running]:
    owner = owner or Owner()
    settings = Ari(**{"url": fake.url, "username": USER, "app": "callrouter", "transport": transport, **ari})
    link = Link(
        settings,
        Secret(PASSWORD),
        on_event=owner.on_event,
        on_up=owner.on_up,
        on_down=owner.on_down,
        pace=pace,
    )
    task = asyncio.create_task(link.run())
    try:
        yield Running(fake, owner, link, task)
    finally:
        await link.close()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def fake() -> AsyncIterator[FakeAsterisk]:
    async with fake_asterisk() as asterisk:
        yield asterisk


# --- Coming up ----------------------------------------------------------------------------------------------


async def test_the_owner_is_told_once_the_filter_is_set(fake: FakeAsterisk) -> None:
    async with running(fake) as it:
        await it.up()
        assert it.owner.ups == [Up("22.10.1", "websocket", filtered=True)]
        kind, method, uri, body = fake.requests[-1]
        assert (kind, method, uri) == ("ws", "PUT", "applications/callrouter/eventFilter")
        allowed = [entry["type"] for entry in body["allowed"]]
        assert allowed == [*ENGINE_EVENTS, "RESTResponse", "ApplicationReplaced"]


async def test_an_asterisk_without_filters_is_lived_with(fake: FakeAsterisk) -> None:
    fake.has_filters = False
    async with running(fake) as it:
        await it.up()
        assert it.owner.ups[0].filtered is False


async def test_auto_falls_back_to_http(fake: FakeAsterisk) -> None:
    fake.rest_over_websocket = False
    async with running(fake) as it:
        await it.up()
        assert it.owner.ups == [Up("22.10.1", "http", filtered=True)]
        await it.client.answer("c1")
        assert fake.asked("http") == [("POST", "channels/c1/answer")]


async def test_http_can_be_forced(fake: FakeAsterisk) -> None:
    async with running(fake, transport="http") as it:
        await it.up()
        await it.client.answer("c1")
        assert [kind for kind, *_ in fake.requests] == ["http"] * 3
        assert it.link.health().transport == "http"


async def test_a_forced_websocket_says_when_asterisk_has_none(
    fake: FakeAsterisk, caplog: pytest.LogCaptureFixture
) -> None:
    fake.rest_over_websocket = False
    async with running(fake, transport="websocket") as it:
        await until(lambda: fake.opened >= 2)
        assert not it.owner.ups
        assert "asterisk.ari.transport" in it.link.health().trouble
    assert caplog.text.count("asterisk.ari.transport") == 1


async def test_events_wait_until_the_owner_has_caught_up(fake: FakeAsterisk) -> None:
    owner = Owner()
    owner.may_come_up.clear()
    fake.greeting = [stasis_start("a"), stasis_start("b")]
    async with running(fake, owner) as it:
        await until(lambda: owner.heard == ["up"])
        await fake.send(stasis_start("c"))
        await it.client.answer("x")  # An answer that came after the events: they are there, and held.
        assert owner.heard == ["up"]
        owner.may_come_up.set()
        await it.up()
        await fake.send(stasis_start("d"))
        await until(lambda: len(owner.heard) == 6)
        assert owner.heard == ["up", "caught up", *(f"StasisStart {name}" for name in "abcd")]


async def test_too_many_events_while_catching_up_start_the_connection_afresh(
    fake: FakeAsterisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "HELD", 3)
    owner = Owner()
    owner.may_come_up.clear()
    fake.greeting = [stasis_start(str(number)) for number in range(5)]
    async with running(fake, owner) as it:
        await until(lambda: fake.opened >= 2)
        fake.greeting = []
        owner.may_come_up.set()
        await it.up()
        assert not [word for word in owner.heard if word.startswith("StasisStart")]


async def test_an_owner_that_cannot_catch_up_gets_a_new_connection(
    fake: FakeAsterisk, caplog: pytest.LogCaptureFixture
) -> None:
    owner = Owner()
    owner.fail_up = [AriDisconnected("the list was lost"), KeyError("+33612345678")]
    async with running(fake, owner) as it:
        await it.up()
        assert owner.heard == ["up", "down", "up", "down", "up", "caught up"]
    assert "the list was lost" in caplog.text
    assert "internal_error" in caplog.text
    assert "KeyError at test_ari_link.py" in caplog.text
    assert "+33612345678" not in caplog.text


# --- Requests over the websocket ----------------------------------------------------------------------------


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


# --- Losing it ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", ["websocket", "http"])
async def test_a_cut_link_fails_what_is_pending_and_comes_back(fake: FakeAsterisk, transport: str) -> None:
    async with running(fake, transport=transport) as it:
        await it.up()
        fake.hold = lambda _method, path: path.startswith("channels")
        future = it.client.answer("c1")
        await until(fake.asked)
        await fake.drop()
        with pytest.raises(AriDisconnected, match="ARI POST channels/c1/answer: the link broke"):
            await future
        fake.hold = lambda _method, _path: False
        await it.up(times=2)
        assert it.owner.heard == ["up", "caught up", "down", "up", "caught up"]
        await it.client.answer("c1")


async def test_twenty_closes_in_a_row_are_twenty_returns(
    fake: FakeAsterisk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "router.ari")
    async with running(fake) as it:
        for times in range(1, 21):
            await it.up(times)
            await fake.close()
            await until(lambda: not it.link.health().up)
        await it.up(21)
    assert caplog.text.count("ari_up") == 21
    assert caplog.text.count("closed by Asterisk (code 1000)") == 20


async def test_silence_is_noticed(fake: FakeAsterisk) -> None:
    async with running(fake) as it:
        await it.up()
        fake.mute = True
        await until(lambda: "down" in it.owner.heard)
        assert "nothing heard from Asterisk" in it.link.health().trouble
        fake.mute = False
        await it.up(times=2)


async def test_a_quiet_link_that_answers_pings_is_kept(fake: FakeAsterisk) -> None:
    async with running(fake) as it:
        await it.up()
        await until(lambda: fake.pings >= 2 * QUICK.dead / QUICK.ping)
        assert fake.opened == 1


async def test_asterisks_own_pings_are_answered(fake: FakeAsterisk) -> None:
    async with running(fake) as it:
        await it.up()
        await fake.ping()
        await until(lambda: fake.pongs)
        assert it.owner.heard == ["up", "caught up"]


async def test_after_a_standstill_old_events_are_not_acted_upon(fake: FakeAsterisk) -> None:
    async with running(fake) as it:
        await it.up()
        await fake.send(stasis_start("old"))
        time.sleep(2 * QUICK.stall)  # noqa: ASYNC251 - the whole process stands still: that is what is tested
        await it.up(times=2)
        await fake.send(stasis_start("new"))
        await until(lambda: "StasisStart new" in it.owner.heard)
        assert it.owner.heard == ["up", "caught up", "down", "up", "caught up", "StasisStart new"]


async def test_a_replaced_application_is_the_end(fake: FakeAsterisk) -> None:
    async with running(fake) as it:
        await it.up()
        await fake.send({"type": "ApplicationReplaced", "application": "callrouter"})
        with pytest.raises(
            RouterError, match="another program has connected to Asterisk as the ARI application callrouter"
        ):
            await it.task
        assert it.owner.heard[-1] == "down"


async def test_close_ends_run_and_the_websocket(fake: FakeAsterisk) -> None:
    async with running(fake) as it:
        await it.up()
        await it.link.close()
        assert it.task.done()
        assert it.task.exception() is None
        await until(lambda: not fake.connected)
        assert it.owner.heard == ["up", "caught up", "down"]


async def test_a_cancelled_run_cleans_up(fake: FakeAsterisk) -> None:
    async with running(fake) as it:
        await it.up()
        it.task.cancel()
        await asyncio.gather(it.task, return_exceptions=True)
        assert it.task.cancelled()
        await until(lambda: not fake.connected)
        assert it.owner.heard[-1] == "down"


async def test_close_while_the_owner_catches_up(fake: FakeAsterisk) -> None:
    owner = Owner()
    owner.may_come_up.clear()
    async with running(fake, owner) as it:
        await until(lambda: owner.heard == ["up"])
        await it.link.close()
        assert owner.heard == ["up", "down"]


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


# --- Bad input ----------------------------------------------------------------------------------------------


async def test_garbage_is_counted_said_once_and_survived(
    fake: FakeAsterisk, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(fake) as it:
        await it.up()
        for _ in range(3):
            await fake.send_raw("not json")
            await fake.send_raw('{"type": "StasisStart", "channel": null}')
            await fake.send({"type": "ChannelVarset"})
        await fake.send_raw('{"type": "StasisStart", "padding": "' + "x" * 5_000_000 + '"}')
        await fake.send({"type": "StasisStart", "args": ["in"], "channel": channel("ok")})
        await until(lambda: "StasisStart ok" in it.owner.heard)
        assert it.link.health().unread == {
            "not JSON": 3,
            "StasisStart: no channel": 3,
            "type ChannelVarset": 3,
            "too large": 1,
        }
        assert len(it.owner.ups) == 1
    assert caplog.text.count("unread_message") == 3  # What is sound and merely not read is no warning.


async def test_endless_kinds_fill_no_memory(fake: FakeAsterisk) -> None:
    async with running(fake) as it:
        await it.up()
        for number in range(500):
            await fake.send({"type": f"Kind{number}"})
        await fake.send(stasis_start("ok"))
        await until(lambda: "StasisStart ok" in it.owner.heard)
        unread = it.link.health().unread
        assert sum(unread.values()) == 500
        assert len(unread) == link_module.KINDS + 1


async def test_a_message_beyond_all_bounds_costs_only_the_connection(
    fake: FakeAsterisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("router.ari.websocket.LARGEST_MESSAGE", 100_000)
    async with running(fake) as it:
        await it.up()
        await fake.send_raw("x" * 200_000)
        await it.up(times=2)


async def test_an_owner_that_fails_on_an_event_keeps_the_link(
    fake: FakeAsterisk, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(fake) as it:
        await it.up()
        it.owner.fail_event = ValueError("a caller's number: +33612345678")
        await fake.send(stasis_start("a"))
        await until(lambda: "internal_error" in caplog.text)
        it.owner.fail_event = None
        await fake.send(stasis_start("b"))
        await until(lambda: "StasisStart b" in it.owner.heard)
        assert len(it.owner.ups) == 1
    assert "StasisStart" in caplog.text
    assert "ValueError at test_ari_link.py" in caplog.text
    assert "+33612345678" not in caplog.text


async def test_an_owner_that_fails_on_its_loss_keeps_the_link(
    fake: FakeAsterisk, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = Owner()

    def fail() -> None:
        raise LookupError

    monkeypatch.setattr(owner, "on_down", fail)
    async with running(fake, owner) as it:
        await it.up()
        await fake.drop()
        await it.up(times=2)
    assert "LookupError at test_ari_link.py" in caplog.text


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
