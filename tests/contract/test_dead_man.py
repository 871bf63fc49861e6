"""The dead man's timer on a leg: whoever answers a router that is no more does not hear silence for long."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from router.dialling import DEAD_MAN
from sandbox.asterisk import Asterisk
from tests.real_ari import DIALPLAN, at_work
from tests.waiting import until

pytestmark = pytest.mark.asterisk

SECONDS = 2
LATE = 2.5
"""Seconds by which a busy machine may be late."""


@pytest.fixture(scope="module")
def asterisk(runtime: Path) -> Iterator[Asterisk]:
    with Asterisk(runtime / "dead-man", dialplan=DIALPLAN, verbose=3) as started:
        yield started


async def test_a_leg_that_nobody_ends_is_ended_by_its_timer(asterisk: Asterisk) -> None:
    async with at_work(asterisk) as it:
        began = time.monotonic()
        await it.answered("Local/now@legs", "leg-01", app_args="leg", variables={DEAD_MAN: f"{SECONDS}"})
        await until(lambda: any("ChannelDestroyed" in word for word in it.story("leg-01")))
        assert SECONDS - 0.5 < time.monotonic() - began < SECONDS + LATE


async def test_the_timer_runs_with_no_router_at_all(asterisk: Asterisk) -> None:
    async with at_work(asterisk) as it:
        began = time.monotonic()
        await it.answered("Local/now@legs", "leg-02", app_args="leg", variables={DEAD_MAN: f"{SECONDS}"})
        await it.link.close()
        await until(asterisk.quiet)
        assert SECONDS - 0.5 < time.monotonic() - began < SECONDS + LATE


async def test_a_talk_outlives_the_timers_that_are_ended(asterisk: Asterisk) -> None:
    async with at_work(asterisk) as it:
        for leg in ("leg-03", "leg-04"):
            await it.answered("Local/now@legs", leg, app_args="leg", variables={DEAD_MAN: f"{SECONDS}"})
        await it.client.create_bridge("b03")
        await it.client.add_to_bridge("b03", "leg-03", "leg-04")
        for leg in ("leg-03", "leg-04"):
            await it.client.set_variable(leg, DEAD_MAN, "0")
        ended = time.monotonic() + SECONDS + LATE
        await until(lambda: time.monotonic() > ended)
        assert {channel.id for channel in await it.client.channels()} >= {"leg-03", "leg-04"}
        await it.client.destroy_bridge("b03")
