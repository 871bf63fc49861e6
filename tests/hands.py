"""An executor with its fakes, for one call: the events that it gives back are kept."""

from __future__ import annotations

import random

import pytest

from router.events import Event, Originate
from router.execute import Executor, Live
from router.model import Config, Route
from router.playback import Player
from router.standing import Standing
from router.state import Call
from router.trunks import Trunks
from tests.build import make_campaign, make_config
from tests.calls import CALL_ID, decision, gated, leg_id
from tests.switchboard import FakeClient, FakeSounds, FakeWriter, turn
from tests.waiting import until

LEG = leg_id(1)
ROUTE = Route("main", "PJSIP/+33612345678@trunk", "+33184801001")
ORIGINATE = Originate(LEG, "alice", 1, ROUTE, 25.0)


class Hands:
    """An executor with its fakes, and the events that it gave back."""

    def __init__(self, config: Config | None = None) -> None:
        self.client, self.writer = FakeClient(), FakeWriter()
        self.events: list[Event] = []
        call = Call(CALL_ID, decision(gated("alice")), "1.1", 100.0, 1_700_000_000.0, "cafe", "node")
        config = config or make_config(campaigns=[make_campaign("flyer")])
        self.live = Live(call, config)
        self.standing = Standing(random.Random(1))
        self.trunks = Trunks(config)
        self.sounds = FakeSounds()
        self.player = Player(self.client, self.sounds)  # type: ignore[arg-type]
        self.executor = Executor(
            self.client,  # type: ignore[arg-type]
            self.writer,  # type: ignore[arg-type]
            self.take,
            lambda: 7.0,
            lambda: 1_700_000_007.0,
            player=self.player,
            standing=self.standing,
            trunks=self.trunks,
        )

    def take(self, live: Live, event: Event) -> None:
        assert live is self.live
        self.events.append(event)

    def run(self, *commands: object) -> None:
        for command in commands:
            self.executor.run(self.live, command)  # type: ignore[arg-type]

    async def refuse(self, verb: str, error: BaseException) -> None:
        self.client.last(verb).future.set_exception(error)
        await turn()

    async def grant(self, *verbs: str) -> None:
        for verb in verbs:
            self.client.last(verb).future.set_result(None)
        await turn()


@pytest.fixture
async def hands() -> Hands:
    return Hands()


async def fired(hands: Hands, count: int) -> list[Event]:
    await until(lambda: len(hands.events) >= count)
    return hands.events
