"""The verbs: what they ask of Asterisk, and its refusals as typed errors."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable

import pytest

from router.ari import wire
from router.ari.client import Client
from router.errors import (
    AriAllocation,
    AriConflict,
    AriDisconnected,
    AriError,
    AriGone,
    AriNotUp,
)
from tests.fake_asterisk import PASSWORD, channel, fake_asterisk
from tests.running_link import Running, running
from tests.waiting import until

Call = Callable[[Client], "asyncio.Future[object]"]


@pytest.fixture
async def it() -> AsyncIterator[Running]:
    async with fake_asterisk() as fake, running(fake) as at_work:
        await at_work.up()
        fake.requests.clear()
        yield at_work


@pytest.mark.parametrize(
    ("call", "request_"),
    [
        (lambda c: c.answer("c1"), ("POST", "channels/c1/answer", None)),
        (lambda c: c.ring("c1"), ("POST", "channels/c1/ring", None)),
        (lambda c: c.hang_up("c1"), ("DELETE", "channels/c1?reason=normal", None)),
        (lambda c: c.hang_up("c1", "busy"), ("DELETE", "channels/c1?reason=busy", None)),
        (lambda c: c.answer("a/b?c;2 é"), ("POST", "channels/a%2Fb%3Fc%3B2%20%C3%A9/answer", None)),
        (lambda c: c.continue_in_dialplan("c1"), ("POST", "channels/c1/continue", None)),
        (
            lambda c: c.continue_in_dialplan("c1", context="callrouter", extension="s", priority=3),
            ("POST", "channels/c1/continue", {"context": "callrouter", "extension": "s", "priority": 3}),
        ),
        (
            lambda c: c.set_variable("c1", "TIMEOUT(absolute)", "0"),
            ("POST", "channels/c1/variable", {"variable": "TIMEOUT(absolute)", "value": "0"}),
        ),
        (
            lambda c: c.set_global("CALLROUTER_ALIVE", "1795335872"),
            ("POST", "asterisk/variable", {"variable": "CALLROUTER_ALIVE", "value": "1795335872"}),
        ),
        (lambda c: c.create_bridge("b1"), ("POST", "bridges/b1", {"type": "mixing"})),
        (
            lambda c: c.add_to_bridge("b1", "c1", "c1-01"),
            ("POST", "bridges/b1/addChannel", {"channel": ["c1", "c1-01"]}),
        ),
        (lambda c: c.destroy_bridge("b1"), ("DELETE", "bridges/b1", None)),
        (
            lambda c: c.set_event_filter("other", ["Dial", "RESTResponse"]),
            (
                "PUT",
                "applications/other/eventFilter",
                {"allowed": [{"type": "Dial"}, {"type": "RESTResponse"}, {"type": "ApplicationReplaced"}]},
            ),
        ),
    ],
)
async def test_a_verb_asks_for_this(it: Running, call: Call, request_: tuple[str, str, object]) -> None:
    assert await call(it.client) is None
    assert it.fake.requests == [("ws", *request_)]


async def test_create_says_everything_in_the_body(it: Running) -> None:
    it.fake.answers[("POST", "channels/create")] = (200, channel("c1-01", state="Down"))
    made = await it.client.create(
        "PJSIP/+33612345678@trunk",
        channel_id="c1-01",
        app_args="leg",
        originator="17.1",
        variables={"PJSIP_HEADER(add,P-X)": "1"},
        formats=("alaw", "ulaw"),
        lane="c1",
    )
    assert (made.id, made.state) == ("c1-01", "Down")
    assert it.fake.requests == [
        (
            "ws",
            "POST",
            "channels/create",
            {
                "endpoint": "PJSIP/+33612345678@trunk",
                "channelId": "c1-01",
                "app": "callrouter",
                "appArgs": "leg",
                "originator": "17.1",
                "variables": {"PJSIP_HEADER(add,P-X)": "1"},
                "formats": "alaw,ulaw",
            },
        )
    ]


async def test_create_leaves_out_what_is_not_wanted(it: Running) -> None:
    it.fake.answers[("POST", "channels/create")] = (200, channel("x"))
    await it.client.create("Local/1@x", channel_id="x", app="other")
    assert it.fake.requests[0][3] == {"endpoint": "Local/1@x", "channelId": "x", "app": "other"}


@pytest.mark.parametrize(("seconds", "whole"), [(19.2, 20), (0.2, 1)])
async def test_dial_names_whole_seconds_and_no_caller(it: Running, seconds: float, whole: int) -> None:
    """With a caller the mobile would see that channel's name and number."""
    await it.client.dial("c1-01", timeout=seconds)
    assert it.fake.requests == [("ws", "POST", "channels/c1-01/dial", {"timeout": whole})]


async def test_what_is_read_is_typed(it: Running) -> None:
    it.fake.answers[("GET", "channels/c1")] = (200, channel("c1"))
    it.fake.answers[("GET", "applications/callrouter")] = (200, {"name": "callrouter", "channel_ids": ["c1"]})
    assert (await it.client.channel("c1")).name == "PJSIP/trunk-c1"
    assert await it.client.application() == wire.Application("callrouter", ("c1",), ())
    assert (await it.client.asterisk_info()).version == "22.10.1"
    it.fake.answers[("GET", "asterisk/variable")] = (200, {"value": "1795335872"})
    assert await it.client.global_variable("EPOCH") == "1795335872"
    it.fake.answers[("GET", "channels/c1/variable")] = (200, {"value": "Ring"})
    assert await it.client.variable("c1", "CHANNEL(state)") == "Ring"


async def test_a_module_is_reloaded_beside_what_goes_over_the_websocket(it: Running) -> None:
    await it.client.reload_module("pbx_config.so")
    assert it.fake.requests == [("http", "PUT", "asterisk/modules/pbx_config.so", None)]


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (404, {"message": "Channel not found"}, AriGone),
        (400, {"message": "Channel not found"}, AriGone),
        (400, {"message": "Provided originator channel was not found"}, AriGone),
        (400, {"message": "Invalid endpoint specified"}, AriError),
        (409, {"message": "Channel not in Stasis application"}, AriConflict),
        (409, {"message": "Bridge not in Stasis application"}, AriGone),
        (422, {"message": "Channel not in Stasis application"}, AriConflict),
        (412, {"message": "Channel not up"}, AriNotUp),
        (500, {"error": "Allocation failed"}, AriAllocation),
        (500, {"message": "Error"}, AriError),
        (503, None, AriError),
        (302, None, AriError),
    ],
)
async def test_refusals_are_typed(it: Running, status: int, body: object, error: type[AriError]) -> None:
    it.fake.answers[("POST", "bridges/b/addChannel")] = (status, body)
    with pytest.raises(AriError) as caught:
        await it.client.add_to_bridge("b", "c1")
    assert type(caught.value) is error
    assert caught.value.status == status
    assert str(caught.value).startswith(f"ARI POST bridges/b/addChannel: {status} ")
    assert "\n" not in str(caught.value)


async def test_no_error_tells_a_number(it: Running) -> None:
    it.fake.answers[("POST", "channels/create")] = (400, {"message": "Invalid endpoint specified"})
    it.fake.answers[("DELETE", "channels/c1")] = (404, None)
    with pytest.raises(AriError) as dialled:
        await it.client.create("PJSIP/+33612345678@trunk", channel_id="c1-01")
    with pytest.raises(AriGone) as ended:
        await it.client.hang_up("c1")
    for text in (str(dialled.value), str(ended.value)):
        assert "33" not in text
        assert "reason" not in text.partition("no reason")[0]


# --- Asterisk's 409 to a create -----------------------------------------------------------------------------

CONFLICT = (409, {"message": "Channel with given unique ID already exists"})


async def test_a_conflict_is_believed_when_the_channel_lives(it: Running) -> None:
    it.fake.answers[("POST", "channels/create")] = CONFLICT
    it.fake.answers[("GET", "channels/c1-01")] = (200, channel("c1-01"))
    with pytest.raises(AriConflict, match="already exists"):
        await it.client.create("Local/1@x", channel_id="c1-01")


async def test_a_conflict_without_a_channel_is_an_endpoint_that_cannot_be_created(it: Running) -> None:
    it.fake.answers[("POST", "channels/create")] = CONFLICT
    it.fake.answers[("GET", "channels/c1-01")] = (404, {"message": "Channel not found"})
    with pytest.raises(AriAllocation, match="c1-01"):
        await it.client.create("Local/1@x", channel_id="c1-01")


async def test_a_conflict_that_cannot_be_looked_into_says_so(it: Running) -> None:
    it.fake.answers[("POST", "channels/create")] = CONFLICT
    it.fake.hold = lambda method, _path: method == "GET"
    future = it.client.create("Local/1@x", channel_id="c1-01")
    await until(lambda: ("GET", "channels/c1-01") in it.fake.asked())
    await it.fake.drop()
    with pytest.raises(AriDisconnected):
        await future


async def test_a_cancelled_create_is_nobodys_trouble(it: Running, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    it.fake.answers[("POST", "channels/create")] = CONFLICT
    future = it.client.create("Local/1@x", channel_id="c1-01")
    future.cancel()
    await until(lambda: ("GET", "channels/c1-01") in it.fake.asked())
    await it.client.answer("c2")
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_the_password_shows_nowhere(it: Running, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await it.client.answer("c1")
    await it.fake.drop()
    await it.up(times=2)
    assert PASSWORD not in caplog.text
    assert PASSWORD not in repr(vars(it.link))
