"""What router/ari asks of a real Asterisk and is told of a leg: an Asterisk that differs is noticed here first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from router.ami import Contact, trunk_health
from router.ari import wire
from router.ari.link import ENGINE_EVENTS
from router.dialling import HEARD
from router.errors import AriAllocation, AriConflict, AriError, AriGone, AriNotUp, RouterError
from router.model import Ami, Secret, Trunk
from sandbox import behaviours
from sandbox.asterisk import Asterisk
from sandbox.behaviours import Behaviour
from sandbox.phones import Carrier
from sandbox.raw_sip import RawMobile
from tests.real_ari import APP, AtWork, asterisk, at_work
from tests.waiting import until

__all__ = ["asterisk"]

pytestmark = pytest.mark.asterisk


@pytest.fixture(params=["websocket", "http"])
async def it(asterisk: Asterisk, request: pytest.FixtureRequest) -> AsyncIterator[AtWork]:
    async with at_work(asterisk, request.param) as work:
        yield work


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
