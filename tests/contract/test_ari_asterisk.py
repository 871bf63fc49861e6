"""What router/ari stands on, asked of a real Asterisk: an Asterisk that differs is noticed here first."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from router.ami import Contact, trunk_health
from router.ari import wire
from router.ari.client import Client
from router.ari.link import ENGINE_EVENTS, Link, Up
from router.ari.pace import Pace
from router.ari.requests import LARGEST_BODY
from router.dialling import HEARD
from router.errors import AriAllocation, AriConflict, AriDisconnected, AriError, AriGone, AriNotUp, RouterError
from router.model import Ami, Ari, Secret, Trunk
from sandbox import behaviours
from sandbox.asterisk import Asterisk
from sandbox.behaviours import Behaviour
from sandbox.phones import Carrier
from sandbox.raw_sip import RawMobile
from tests.fake_asterisk import until

pytestmark = pytest.mark.asterisk

APP = "callrouter"

#: Phones without SIP: what answers a `Local/…@legs` channel. `away` is a call for a router that is not there.
DIALPLAN = """\
[legs]
exten => now,1,Answer()
 same => n,Wait(60)
exten => ring,1,Ringing()
 same => n,Wait(60)
exten => busy,1,Ringing()
 same => n,Busy(1)
exten => decline,1,Ringing()
 same => n,Hangup(21)
exten => congestion,1,Congestion(1)
exten => away,1,Stasis(nobody,in)
 same => n,GotoIf($["${STASISSTATUS}" = "FAILED"]?now,1)
exten => caller,1,Stasis(callrouter,in,did=%2B33184801001,x=a%2Cb)
 same => n,Set(GLOBAL(AFTER)=${CHANNEL(name)})
 same => n,Wait(60)
exten => late,1,Set(TIMEOUT(absolute)=60)
 same => n,Stasis(callrouter,in,did=late)
"""


@pytest.fixture(scope="module")
def asterisk(runtime: Path) -> Iterator[Asterisk]:
    """One of our own: it is killed and reloaded here."""
    with Asterisk(runtime / "ari", dialplan=DIALPLAN, verbose=3) as started:
        yield started


class AtWork:
    """A link to the real Asterisk, and what its owner is told."""

    def __init__(
        self, asterisk: Asterisk, transport: str, events: tuple[str, ...], port: int, pace: Pace | None
    ) -> None:
        self.asterisk = asterisk
        self.heard: list[wire.Event] = []
        self.ups: list[Up] = []
        self.downs = 0
        self.link = Link(
            Ari(f"http://127.0.0.1:{port or asterisk.ports.http}/ari", asterisk.user, APP, transport),
            Secret(asterisk.ari_password),
            on_event=self.heard.append,
            on_up=self._up,
            on_down=self._down,
            events=events,
            pace=pace,
        )
        self.client = Client(self.link)
        self.task = asyncio.create_task(self.link.run())

    async def _up(self, up: Up) -> None:
        self.ups.append(up)

    def _down(self) -> None:
        self.downs += 1

    async def up(self, times: int = 1, seconds: float = 15.0) -> None:
        await until(lambda: len(self.ups) >= times and self.link.health().up, seconds)

    def story(self, channel: str) -> list[str]:
        """What was heard of one channel, in order, as words."""
        return [_word(event) for event in self.heard if _channel(event) == channel]

    async def leg(self, endpoint: str, channel_id: str, *, ring: float = 30.0, **more: Any) -> wire.Channel:
        """Create a leg, and dial it when it is in the application."""
        before = self.story(channel_id).count("StasisStart")
        made = await self.client.create(endpoint, channel_id=channel_id, **more)
        await until(lambda: self.story(channel_id).count("StasisStart") > before)
        await self.client.dial(channel_id, timeout=ring)
        return made

    async def answered(self, endpoint: str, channel_id: str, **more: Any) -> None:
        await self.leg(endpoint, channel_id, **more)
        await self.hear(channel_id, "Dial ANSWER")

    async def hear(self, channel: str, word: str, seconds: float = 10.0) -> None:
        await until(lambda: word in self.story(channel), seconds)


def _channel(event: wire.Event) -> str:
    match event:
        case wire.Dial():
            return event.peer.id
        case wire.PlaybackFinished() | wire.ApplicationReplaced():
            return ""
        case _:
            return event.channel.id


def _word(event: wire.Event) -> str:
    match event:
        case wire.Dial():
            return f"Dial {event.dialstatus}".strip()
        case wire.ChannelStateChange():
            return event.channel.state
        case wire.ChannelDestroyed():
            return f"ChannelDestroyed {event.cause} {event.sip_status}"
        case _:
            return type(event).__name__


@asynccontextmanager
async def at_work(
    asterisk: Asterisk,
    transport: str = "auto",
    events: tuple[str, ...] = ENGINE_EVENTS,
    *,
    port: int = 0,
    pace: Pace | None = None,
) -> AsyncIterator[AtWork]:
    it = AtWork(asterisk, transport, events, port, pace)
    try:
        await it.up()
        yield it
    finally:
        await it.link.close()
        await asyncio.gather(it.task, return_exceptions=True)
        asterisk.cli("channel request hangup all")
        await until(asterisk.quiet)


@pytest.fixture(params=["websocket", "http"])
async def it(asterisk: Asterisk, request: pytest.FixtureRequest) -> AsyncIterator[AtWork]:
    async with at_work(asterisk, request.param) as work:
        yield work


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


# --- The verbs, over both ways -----------------------------------------------------------------------------


async def test_a_leg_from_its_creation_to_its_end(it: AtWork) -> None:
    """Events may come before the request's own answer. StasisStart is no answer: Dial is."""
    made = await it.leg("Local/now@legs/n", "leg-01", app_args="leg,2", variables={"CAMPAIGN": "été; 1"}, ring=5)
    assert made.id == "leg-01"
    await it.hear("leg-01", "Dial ANSWER")
    start = next(event for event in it.heard if isinstance(event, wire.StasisStart))
    assert start.args == ("leg", "2")
    assert (start.channel.state, start.channel.app, start.channel.app_args) == ("Down", APP, ("leg", "2"))
    assert (await it.client.channel("leg-01")).state == "Up"
    assert await it.client.variable("leg-01", "CAMPAIGN") == "été; 1"
    await it.client.hang_up("leg-01")
    await it.hear("leg-01", "ChannelDestroyed 16 None")
    assert it.story("leg-01")[-2:] == ["StasisEnd", "ChannelDestroyed 16 None"]
    with pytest.raises(AriGone):
        await it.client.hang_up("leg-01")


async def test_two_channels_in_a_bridge(it: AtWork) -> None:
    for leg in ("leg-01", "leg-02"):
        await it.answered("Local/now@legs/n", leg, app_args="leg")
    await it.client.create_bridge("bridge-01", lane="call")
    with pytest.raises(AriGone):  # All of them or none.
        await it.client.add_to_bridge("bridge-01", "leg-01", "gone", lane="call")
    assert [bridge.channels for bridge in await it.client.bridges()] == [()]
    await asyncio.gather(
        it.client.answer("leg-01", lane="call"),
        it.client.add_to_bridge("bridge-01", "leg-01", "leg-02", lane="call"),
    )
    (bridge,) = [bridge for bridge in await it.client.bridges() if bridge.id == "bridge-01"]
    assert sorted(bridge.channels) == ["leg-01", "leg-02"]
    await it.client.add_to_bridge("bridge-01", "leg-01")  # Once more is no error.
    with pytest.raises(AriConflict):
        await it.client.create_bridge("bridge-01")
    application = await it.client.application()
    assert application.bridges == ("bridge-01",)
    assert {"leg-01", "leg-02"} <= set(application.channels)
    await it.client.destroy_bridge("bridge-01")
    with pytest.raises(AriGone):
        await it.client.destroy_bridge("bridge-01")
    assert {"leg-01", "leg-02"} <= {channel.id for channel in await it.client.channels()}  # They outlive it.


async def test_a_caller_is_rung_answered_and_handed_back(it: AtWork) -> None:
    await it.leg("Local/caller@legs/n", "far", app_args="leg")
    await it.hear("far;2", "StasisStart")
    start = next(e for e in it.heard if isinstance(e, wire.StasisStart) and e.channel.id == "far;2")
    assert start.args == ("in", "did=%2B33184801001", "x=a%2Cb")
    assert start.channel.app_args == start.args
    await it.client.ring("far;2")
    await it.client.answer("far;2")
    await it.client.set_variable("far;2", "TIMEOUT(absolute)", "50")
    await it.client.continue_in_dialplan("far;2")
    await it.hear("far;2", "StasisEnd")
    await until(lambda: "AFTER=Local/caller" in it.asterisk.cli("dialplan show globals"))
    it.asterisk.cli("dialplan set global AFTER none")


async def test_gone_channels_and_bridges_are_gone(it: AtWork) -> None:
    client = it.client
    for future in (
        client.answer("gone"),
        client.ring("gone"),
        client.hang_up("gone"),
        client.continue_in_dialplan("gone"),
        client.set_variable("gone", "X", "1"),
        client.channel("gone"),
        client.add_to_bridge("gone", "gone"),
        client.dial("gone", timeout=5),
        client.variable("gone", "X"),
    ):
        with pytest.raises(AriGone):
            await future


async def test_a_channel_that_is_not_up_refuses_to_play(it: AtWork) -> None:
    await it.client.create("Local/ring@legs/n", channel_id="leg-01")
    await it.hear("leg-01", "StasisStart")
    with pytest.raises(AriNotUp):
        await it.client.play("leg-01", ["sound:beep"], playback="p")


async def test_a_leg_is_created_for_a_caller_who_has_gone_too(it: AtWork) -> None:
    """Hence the question for the caller before the first leg."""
    await it.client.create("Local/now@legs/n", channel_id="leg-01", originator="gone")
    await it.hear("leg-01", "StasisStart")
    assert (await it.client.channel("leg-01")).state == "Down"


async def test_a_leg_that_was_created_rings_nobody_and_can_be_taken_back(it: AtWork) -> None:
    await it.client.create("Local/now@legs/n", channel_id="leg-01")
    await it.client.hang_up("leg-01")
    await it.hear("leg-01", "ChannelDestroyed 16 None")
    assert not any("Dial" in word for word in it.story("leg-01"))


async def test_endpoints_that_cannot_be_created(it: AtWork) -> None:
    for endpoint in ("PJSIP/nosuch", "PJSIP/+33612345678@nosuch", "Nothing/x"):
        with pytest.raises(AriAllocation):
            await it.client.create(endpoint, channel_id="leg-01")
    with pytest.raises(AriError):
        await it.client.create("nonsense", channel_id="leg-01")


async def test_a_conflict_of_ids_and_the_lie_after_it(it: AtWork) -> None:
    """After one true conflict Asterisk answers every endpoint that cannot be created with 409 too, on the same
    connection: which is why the client looks."""
    await it.client.create("Local/now@legs/n", channel_id="leg-01")
    with pytest.raises(AriConflict):
        await it.client.create("Local/now@legs/n", channel_id="leg-01")
    with pytest.raises(AriError) as bare:
        await it.link.requests.submit(
            "POST",
            "channels/create",
            None,
            {"endpoint": "PJSIP/nosuch", "app": APP, "channelId": "leg-02"},
            lane="x",
        )
    if it.ups[0].transport == "websocket":
        assert bare.value.status == 409
    with pytest.raises(AriAllocation):
        await it.client.create("PJSIP/nosuch", channel_id="leg-02")


async def test_ids_conflict_by_prefix(it: AtWork) -> None:
    """Hence ids of one length."""
    await it.client.create("Local/now@legs/n", channel_id="leg-10")
    with pytest.raises(AriAllocation):
        await it.client.create("Local/now@legs/n", channel_id="leg-1")
    await it.client.create("Local/now@legs/n", channel_id="leg-11")


async def test_a_call_for_a_router_that_is_not_there_goes_on_in_the_dialplan(it: AtWork) -> None:
    await it.answered("Local/away@legs/n", "leg-01")


# --- How a leg ends ------------------------------------------------------------------------------------------

ALL_EVENTS = (*ENGINE_EVENTS, "ChannelStateChange", "ChannelHangupRequest")


@pytest.mark.parametrize(
    ("extension", "story"),
    [
        ("decline", ["StasisStart", "ChannelHangupRequest", "StasisEnd", "ChannelDestroyed 21 None"]),
        (
            "ring",
            ["StasisStart", "ChannelHangupRequest", "StasisEnd", "ChannelDestroyed 19 None"],
        ),  # Dial's timeout.
    ],
)
async def test_the_last_words_of_a_local_leg_that_was_never_answered(
    asterisk: Asterisk, extension: str, story: list[str]
) -> None:
    async with at_work(asterisk, events=ALL_EVENTS) as it:
        await it.leg(f"Local/{extension}@legs/n", "leg-01", ring=1)
        await it.hear("leg-01", story[-1])
        ringing = {"Dial", "Dial RINGING", "Ringing"}
        assert [word for word in it.story("leg-01") if word not in ringing] == story
        assert "Ringing" in it.story("leg-01")


NUMBER = "+33612345678"
LET_GO = ("StasisStart", "ChannelHangupRequest", "StasisEnd")
"""No last word of Dial: the application lets go of the leg first."""


@pytest.mark.parametrize(
    ("behaviour", "story"),
    [
        (behaviours.BUSY, [*LET_GO, "ChannelDestroyed 17 486"]),
        (behaviours.DECLINE, [*LET_GO, "ChannelDestroyed 21 603"]),
        (behaviours.NO_SUCH_NUMBER, [*LET_GO, "ChannelDestroyed 1 404"]),
        (behaviours.RingOut(), [*LET_GO, "ChannelDestroyed 19 480"]),
    ],
    ids=["busy", "decline", "unallocated", "ring out"],
)
async def test_the_last_words_of_a_sip_leg_that_was_never_answered(
    asterisk: Asterisk, tmp_path: Path, behaviour: Behaviour, story: list[str]
) -> None:
    with Carrier(asterisk.ports, tmp_path / "phones") as carrier:
        carrier.play({NUMBER: behaviour})
        async with at_work(asterisk, events=ALL_EVENTS) as it:
            await it.leg(f"PJSIP/{NUMBER}@trunk", "leg-01", ring=2)
            await it.hear("leg-01", story[-1])
            ringing = {"Dial", "Dial RINGING", "Ringing"}
            assert [word for word in it.story("leg-01") if word not in ringing] == story


async def test_a_leg_that_we_cancel_while_it_rings(asterisk: Asterisk) -> None:
    async with at_work(asterisk, events=ALL_EVENTS) as it:
        await it.leg("Local/ring@legs/n", "leg-01")
        await it.hear("leg-01", "Dial RINGING")
        await it.client.hang_up("leg-01")
        await it.hear("leg-01", "ChannelDestroyed 16 None")
        assert it.story("leg-01")[-3:] == ["ChannelHangupRequest", "StasisEnd", "ChannelDestroyed 16 None"]


# --- What a dial does, and a second one ----------------------------------------------------------------------


@pytest.mark.parametrize("reply", ["", "100 Trying", "183 Session Progress", "180 Ringing"])
async def test_a_second_dial_sends_no_second_invite(asterisk: Asterisk, reply: str) -> None:
    """It is refused of a leg that rings, and ends one that is still `Down`; whether its far end has said anything
    tells the two states of `Down` apart."""
    with RawMobile(asterisk.ports.sip, asterisk.ports.carrier) as mobile:
        async with at_work(asterisk, events=ALL_EVENTS) as it:
            await it.client.create(f"PJSIP/{NUMBER}@trunk", channel_id="leg-01", app_args="leg")
            await it.hear("leg-01", "StasisStart")
            assert await it.client.variable("leg-01", HEARD) == ""
            await it.client.dial("leg-01", timeout=10)
            invite = await asyncio.to_thread(mobile.invited)
            if reply:
                mobile.reply(invite, reply)
                await heard(it, "leg-01")
            if reply == "180 Ringing":
                await it.hear("leg-01", "Dial RINGING")
                with pytest.raises(AriConflict, match="not in the 'Down' state"):
                    await it.client.dial("leg-01", timeout=10)
                await it.client.hang_up("leg-01")
            else:
                assert (await it.client.channel("leg-01")).state == "Down"
                await it.client.dial("leg-01", timeout=10)
            await it.hear("leg-01", "ChannelDestroyed 16 None")
            dialled = await asyncio.to_thread(mobile.dialled)
            assert dialled == [NUMBER]


async def heard(it: AtWork, leg: str) -> None:
    async with asyncio.timeout(5):
        while not await it.client.variable(leg, HEARD):  # noqa: ASYNC110 - of a 100 no event tells
            await asyncio.sleep(0.01)


async def test_a_redirect_is_followed_nowhere(asterisk: Asterisk) -> None:
    with RawMobile(asterisk.ports.sip, asterisk.ports.carrier) as mobile:
        async with at_work(asterisk, events=ALL_EVENTS) as it:
            await it.leg(f"PJSIP/{NUMBER}@trunk", "leg-01")
            contact = "Contact: <sip:PJSIP/%2B33899123456%40trunk@h>\r\n"
            invite = await asyncio.to_thread(mobile.invited)
            mobile.reply(invite, "302 Moved Temporarily", contact)
            await it.hear("leg-01", "ChannelDestroyed 23 302")
            assert await asyncio.to_thread(mobile.dialled) == [NUMBER]


async def test_whoever_answers_while_nobody_listens_stays_in_the_application(asterisk: Asterisk) -> None:
    with RawMobile(asterisk.ports.sip, asterisk.ports.carrier) as mobile:
        async with at_work(asterisk) as it:
            await it.leg(f"PJSIP/{NUMBER}@trunk", "leg-01", app_args="leg")
            invite = await asyncio.to_thread(mobile.invited)
            await it.link.close()
            await asyncio.to_thread(mobile.answer, invite)
            async with at_work(asterisk) as again:
                leg = await again.client.channel("leg-01")
                assert (leg.state, leg.app, leg.app_args) == ("Up", APP, ("leg",))


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


# --- AMI -----------------------------------------------------------------------------------------------------


async def test_trunk_health_of_a_real_asterisk(asterisk: Asterisk) -> None:
    trunks = [
        Trunk(name, dial, name, "pai", ("exten",))
        for name, dial in (("trunk", "PJSIP/{number}@trunk"), ("x", "PJSIP/nosuch/sip:{number}@x"))
    ]
    ami = Ami("127.0.0.1", asterisk.ports.ami, asterisk.user)
    found = await trunk_health(ami, Secret(asterisk.ami_password), trunks)
    assert [health.contact for health in found] == [Contact.UNQUALIFIED, Contact.NO_ENDPOINT]
    assert found[0].registration is None
    with pytest.raises(RouterError, match="refuses the user"):
        await trunk_health(ami, Secret("wrong"), trunks)
