"""The link to a real Asterisk: the websocket as it is, and what is there when it was cut or Asterisk restarted."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp
import pytest

from router.ari import wire
from router.ari.link import Link, Up
from router.ari.pace import Pace
from router.ari.requests import LARGEST_BODY
from router.errors import AriDisconnected, RouterError
from router.model import Ari, Secret
from sandbox.asterisk import Asterisk
from tests.real_ari import APP, AtWork, asterisk, at_work
from tests.waiting import until

__all__ = ["asterisk"]

pytestmark = pytest.mark.asterisk


class Raw:
    """A bare websocket to Asterisk's ARI: frames as they are."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self._ws = ws

    async def receive(self, seconds: float = 5.0) -> dict[str, Any]:
        message: dict[str, Any] = await self._ws.receive_json(timeout=seconds)
        return message

    async def ask(self, id: str, method: str, uri: str, body: dict[str, object] | None = None) -> None:
        content = wire.json_body(body) if body is not None else None
        await self._ws.send_str(wire.encode(id, method, uri, content).decode())

    async def say(self, text: str) -> None:
        await self._ws.send_str(text)

    async def ping(self, payload: bytes) -> bytes:
        """What a ping is answered with."""
        await self._ws.ping(payload)
        answer = await self._ws.receive(timeout=5.0)
        assert answer.type is aiohttp.WSMsgType.PONG
        data: bytes = answer.data
        return data


@asynccontextmanager
async def raw_websocket(asterisk: Asterisk, app: str) -> AsyncIterator[Raw]:
    login = base64.b64encode(f"{asterisk.user}:{asterisk.ari_password}".encode()).decode()
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Basic {login}"}) as session,
        session.ws_connect(f"{asterisk.ari_url}/events", params={"app": app}, autoping=False) as ws,
    ):
        yield Raw(ws)


# --- The websocket -------------------------------------------------------------------------------------------


async def test_auto_finds_rest_over_the_websocket(asterisk: Asterisk) -> None:
    async with at_work(asterisk) as it:
        assert it.ups[0].transport == "websocket"
        assert it.ups[0].filtered
        assert (await it.client.asterisk_info()).version == it.ups[0].version


async def test_only_events_that_are_read_are_sent(asterisk: Asterisk) -> None:
    async with at_work(asterisk) as it:
        await it.answered("Local/now@legs/n", "leg-01", variables={"A": "1"})
        await it.client.hang_up("leg-01")
        await it.hear("leg-01", "ChannelDestroyed 16 None")
        assert not it.link.health().unread


async def test_pipelined_requests_are_answered_in_order(asterisk: Asterisk) -> None:
    async with raw_websocket(asterisk, "pipeline") as raw:
        for number in range(50):
            await raw.ask(str(number), "GET", "channels/gone" if number % 2 else "asterisk/ping")
        answers = [await raw.receive() for _ in range(50)]
    assert [answer["request_id"] for answer in answers] == [str(number) for number in range(50)]
    assert [answer["status_code"] for answer in answers[:2]] == [200, 404]
    assert isinstance(answers[0]["message_body"], str)
    assert json.loads(answers[0]["message_body"])["ping"] == "pong"


async def test_answers_are_filtered_like_events(asterisk: Asterisk) -> None:
    """Not to allow RESTResponse loses the answer to the filter itself."""
    async with raw_websocket(asterisk, "filtered") as raw:
        await raw.ask("0", "GET", "asterisk/ping")
        assert (await raw.receive())["request_id"] == "0"
        await raw.ask("1", "PUT", "applications/filtered/eventFilter", {"allowed": [{"type": "Dial"}]})
        await raw.ask("2", "GET", "asterisk/ping")
        with pytest.raises(TimeoutError):
            await raw.receive(seconds=0.5)


async def test_even_the_news_of_being_replaced_is_filtered(asterisk: Asterisk) -> None:
    async with raw_websocket(asterisk, "replaced") as raw:
        await raw.ask("1", "PUT", "applications/replaced/eventFilter", {"allowed": [{"type": "RESTResponse"}]})
        assert (await raw.receive())["status_code"] == 200
        async with raw_websocket(asterisk, "replaced"):
            await raw.ask("2", "GET", "asterisk/ping")
            assert (await raw.receive())["request_id"] == "2"  # Nothing before it, and REST still works.


async def test_a_malformed_frame_is_refused_and_the_link_lives(asterisk: Asterisk) -> None:
    async with raw_websocket(asterisk, "malformed") as raw:
        for text in ("not json", "[]", '{"type": "Foo"}'):
            await raw.say(text)
            answer = await raw.receive()
            assert (answer["request_id"], answer["status_code"]) == ("", 400)
            assert isinstance(wire.decode(json.dumps(answer)), wire.Response)
        await raw.ask("1", "GET", "asterisk/ping")
        assert (await raw.receive())["status_code"] == 200


async def test_the_largest_body_that_is_sent_over_it(asterisk: Asterisk) -> None:
    async with at_work(asterisk, "websocket") as it:
        await it.answered("Local/now@legs/n", "leg-01")
        await it.client.set_variable("leg-01", "X", "v" * (LARGEST_BODY - 40))
        assert it.downs == 0


async def test_a_second_connection_replaces_the_first(asterisk: Asterisk) -> None:
    async with at_work(asterisk) as first, at_work(asterisk) as second:
        with pytest.raises(RouterError, match="another program has connected"):
            await asyncio.wait_for(asyncio.shield(first.task), 5)
        await second.answered("Local/now@legs/n", "leg-01")


# --- Coming back ---------------------------------------------------------------------------------------------


class Cable:
    """A TCP proxy in front of Asterisk: what goes through it can be cut, or fall silent. Later connections work."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._silent: set[asyncio.StreamWriter] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def __aenter__(self) -> Cable:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_why: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut(self._writers)
        await until(lambda: not self._writers)

    def fall_silent(self) -> set[asyncio.StreamWriter]:
        """Swallow everything from now on, both ways. Returns the ends, for `cut`."""
        self._silent |= self._writers
        return set(self._writers)

    def cut(self, ends: set[asyncio.StreamWriter]) -> None:
        for writer in tuple(ends):
            writer.transport.abort()

    def cut_all(self) -> None:
        self.cut(self._writers)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        ends = {writer, far_writer}
        self._writers |= ends
        await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
        self._writers -= ends

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                if writer not in self._silent:
                    writer.write(data)
        if writer not in self._silent:
            writer.close()


async def test_after_a_cut_everything_is_there_but_the_events(asterisk: Asterisk) -> None:
    """Channels and bridges stay; what happened meanwhile is not told; what happens later is."""
    async with Cable(asterisk.ports.http) as cable, at_work(asterisk, port=cable.port) as it:
        for leg in ("leg-01", "leg-02"):
            await it.answered("Local/now@legs/n", leg, app_args="leg")
        await it.client.create_bridge("bridge-01")
        await it.client.add_to_bridge("bridge-01", "leg-01")
        cable.cut_all()
        asterisk.cli(f"channel request hangup {_name(it, 'leg-02')}")
        await it.up(times=2, seconds=2)
        assert it.downs == 1
        channels = {channel.id: channel for channel in await it.client.channels()}
        assert (channels["leg-01"].app, channels["leg-01"].app_args) == (APP, ("leg",))
        assert "leg-02" not in channels
        assert [bridge.channels for bridge in await it.client.bridges()] == [("leg-01",)]
        assert "leg-01" in (await it.client.application()).channels
        assert it.story("leg-02") == ["StasisStart", "Dial", "Dial ANSWER"]
        assert it.story("leg-01").count("StasisStart") == 1
        await it.client.hang_up("leg-01")
        await it.hear("leg-01", "ChannelDestroyed 16 None")
        await it.client.destroy_bridge("bridge-01")


def _name(it: AtWork, channel: str) -> str:
    return next(e.channel.name for e in it.heard if isinstance(e, wire.StasisStart) and e.channel.id == channel)


async def test_the_end_of_a_half_open_connection_does_not_hurt_the_next(asterisk: Asterisk) -> None:
    """The link notices silence; Asterisk learns of the old socket's end after the new one has the application."""
    quick = Pace(tick=0.05, ping=0.2, dead=0.5, stall=60)
    async with Cable(asterisk.ports.http) as cable, at_work(asterisk, port=cable.port, pace=quick) as it:
        old = cable.fall_silent()
        await it.up(times=2)
        cable.cut(old)
        for leg in ("leg-01", "leg-02"):
            await it.answered("Local/now@legs/n", leg)
        assert it.link.health().up
        assert len(it.ups) == 2


async def test_asterisk_answers_pings(asterisk: Asterisk) -> None:
    async with raw_websocket(asterisk, "pings") as raw:
        assert await raw.ping(b"are you there") == b"are you there"


@pytest.mark.parametrize("command", ["module reload http", "core reload", "module reload res_ari"])
async def test_a_reload_costs_no_call_and_no_link(asterisk: Asterisk, command: str) -> None:
    async with at_work(asterisk) as it:
        await it.answered("Local/now@legs/n", "leg-01")
        asterisk.cli(command)
        assert (await it.client.channel("leg-01")).state == "Up"
        await it.client.hang_up("leg-01")
        await it.hear("leg-01", "ChannelDestroyed 16 None")
        assert it.downs == 0


async def test_asterisk_killed_and_started_again(asterisk: Asterisk) -> None:
    async with at_work(asterisk) as it:
        await it.answered("Local/now@legs/n", "leg-01")
        asterisk.kill()
        await until(lambda: it.downs == 1)
        with pytest.raises(AriDisconnected):
            await it.client.answer("leg-01")
        await asyncio.to_thread(asterisk.start)
        await it.up(times=2)
        assert await it.client.channels() == ()
        await it.leg("Local/now@legs/n", "leg-01")
        await until(lambda: it.story("leg-01").count("Dial ANSWER") == 2)


async def test_a_wrong_password_is_refused_and_said(asterisk: Asterisk, caplog: pytest.LogCaptureFixture) -> None:
    link = Link(
        Ari(asterisk.ari_url, asterisk.user, APP),
        Secret("not-the-password"),
        on_event=lambda _event: None,
        on_up=_never,
        on_down=lambda: None,
        pace=Pace(first_retry=0.01, longest_retry=0.02),
    )
    task = asyncio.create_task(link.run())
    await until(lambda: "refuses the ARI user callrouter (401)" in link.health().trouble)
    await link.close()
    await task
    assert "not-the-password" not in caplog.text


async def _never(_up: Up) -> None:
    raise AssertionError
