"""The link: coming up, catching up before events, noticing loss, and living through bad input."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace

import pytest

from router.ari import link as link_module
from router.ari.link import ENGINE_EVENTS, Up
from router.errors import AriDisconnected, RouterError
from tests.fake_asterisk import FakeAsterisk, channel, stasis_start
from tests.running_link import QUICK, Owner, fake, running
from tests.waiting import until

__all__ = ["fake"]


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
    assert "KeyError at running_link.py" in caplog.text
    assert "+33612345678" not in caplog.text


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
    pace = replace(QUICK, stall=0.3)
    async with running(fake, pace=pace) as it:
        await it.up()
        await fake.send(stasis_start("old"))
        time.sleep(2 * pace.stall)  # noqa: ASYNC251 - the whole process stands still: that is what is tested
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


async def test_who_takes_the_name_may_be_an_earlier_connection_of_our_own(fake: FakeAsterisk) -> None:
    """A slow Asterisk opens a websocket that is no longer waited for, and the later one loses the name to it."""
    fake.opens.clear()
    async with running(fake, pace=replace(QUICK, connect=0.05)) as it:
        await until(lambda: fake.asked_to_open == 2)
        fake.opens.set()
        await it.up()
        await fake.send({"type": "ApplicationReplaced", "application": "callrouter"})
        await it.up(2)
        assert not it.task.done()


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
    assert "ValueError at running_link.py" in caplog.text
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
