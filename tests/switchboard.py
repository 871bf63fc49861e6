"""An engine without Asterisk and without a disk: the test answers every request, and reads every row."""

from __future__ import annotations

import asyncio
import inspect
import random
from collections.abc import Callable, Sequence
from typing import Any

from router.ari import wire
from router.ari.client import Client
from router.engine import Engine
from router.errors import AriConflict
from router.ids import call_of_leg
from router.model import AttemptRecord, CallbackWish, CallRecord, Config, Pause, Prompt, Sound, StaffCall
from router.standing import Standing
from router.store.writer import Writer
from router.trunks import Trunks
from tests.build import ALICE, BOB, CALLER, DID, make_campaign, make_config, make_salesperson

CAROL = "+33698765432"
OTHER = "+33184801002"
FOR_SPRING = ("in", "did=%2B33184801001")
WALL = 1_772_359_200.0
"""2026-03-01 10:00:00 UTC: what the wall clock says when the steady one says 1000."""


class Asked:
    """One request to Asterisk, open until the test answers it."""

    def __init__(self, verb: str, arguments: dict[str, Any]) -> None:
        self.verb = verb
        self.arguments = arguments
        self.future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def __getattr__(self, name: str) -> Any:
        try:
            return self.arguments[name]
        except KeyError:
            raise AttributeError(name) from None


class FakeClient:
    """Takes whatever the real client would take, and nothing else. Lists are answered at once from `there` and
    `bridges_there`, unless `hold_lists` is set; `ring` is refused at once for the callers of `elsewhere`."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.steady = True
        self.there: tuple[wire.Channel, ...] = ()
        self.bridges_there: tuple[wire.Bridge, ...] = ()
        self.hold_lists = False
        self.elsewhere: set[str] = set()

    def __getattr__(self, verb: str) -> Callable[..., asyncio.Future[Any]]:
        signature = inspect.signature(getattr(Client, verb))

        def request(*args: Any, **keywords: Any) -> asyncio.Future[Any]:
            bound = signature.bind(self, *args, **keywords)
            bound.apply_defaults()
            asked = Asked(verb, {name: value for name, value in bound.arguments.items() if name != "self"})
            self.asked.append(asked)
            if verb in ("channels", "bridges") and not self.hold_lists:
                asked.future.set_result(self.there if verb == "channels" else self.bridges_there)
            elif verb == "ring" and asked.channel in self.elsewhere:
                asked.future.set_exception(AriConflict("not in a Stasis application"))
            elif verb == "ring":
                asked.future.set_result(None)
            return asked.future

        return request

    @property
    def verbs(self) -> list[str]:
        return [asked.verb for asked in self.asked]

    def last(self, verb: str) -> Asked:
        return [asked for asked in self.asked if asked.verb == verb][-1]

    def all(self, verb: str) -> list[Asked]:
        return [asked for asked in self.asked if asked.verb == verb]


class FakeWriter:
    """Keeps what it was given, as (`opened` | `answered` | `ended`, call) and the rest beside it. The attempts that
    are saved on the way are in `dialled`."""

    def __init__(self) -> None:
        self.wrote: list[tuple[str, CallRecord]] = []
        self.attempts: Sequence[AttemptRecord] = ()
        self.dialled: list[Sequence[AttemptRecord]] = []
        self.wish: CallbackWish | None = None
        self.staff: list[StaffCall] = []
        self.pauses: list[Pause | tuple[str, float]] = []

    def call_opened(self, call: CallRecord, attempts: Sequence[AttemptRecord] = ()) -> None:
        if call.id not in {known.id for stage, known in self.wrote if stage == "opened"}:
            self.wrote.append(("opened", call))
        self.dialled.append(attempts)

    def call_answered(self, call: CallRecord, attempts: Sequence[AttemptRecord]) -> None:
        self.wrote.append(("answered", call))
        self.attempts = attempts

    def call_ended(
        self, call: CallRecord, attempts: Sequence[AttemptRecord], callback: CallbackWish | None
    ) -> None:
        self.wrote.append(("ended", call))
        self.attempts, self.wish = attempts, callback

    def staff_call_ended(self, staff: StaffCall) -> None:
        self.staff.append(staff)

    def pause_set(self, pause: Pause) -> None:
        self.pauses.append(pause)

    def pause_cleared(self, salesperson: str, at: float) -> None:
        self.pauses.append((salesperson, at))

    @property
    def stages(self) -> list[str]:
        return [stage for stage, _ in self.wrote]

    @property
    def ended(self) -> CallRecord:
        """The row of the one call that ended."""
        (row,) = [call for stage, call in self.wrote if stage == "ended"]
        return row


class FakeSounds:
    """Every part by its own name; `missing` are those that nobody can hear."""

    def __init__(self) -> None:
        self.missing: set[Sound] = set()

    def has(self, sound: Sound) -> bool:
        return sound not in self.missing

    def media(self, parts: Sequence[Prompt | Sound | str], language: str) -> tuple[str, ...]:
        return tuple(f"{language}:{part.text or part.file if isinstance(part, Sound) else part}" for part in parts)


def two_campaigns(**more: Any) -> Config:
    """Alice then Bob for one number, Carol for another; Carol for a number that nobody owns."""
    return make_config(
        campaigns=[make_campaign("spring", [DID], **more), make_campaign("other", [OTHER], to=["carol"])],
        salespeople=[
            make_salesperson("alice", ALICE),
            make_salesperson("bob", BOB),
            make_salesperson("carol", CAROL),
        ],
        unknown=make_campaign("unknown", (), to=["carol"]),
    )


class Switchboard:
    """An engine with its fakes; make it within a running event loop."""

    def __init__(self, config: Config | None = None) -> None:
        self.now = 1000.0
        """The steady clock; the wall clock goes with it."""
        config = config or two_campaigns()
        self.client = FakeClient()
        self.writer = FakeWriter()
        self.standing = Standing(random.Random(1))
        self.trunks = Trunks(config)
        self.reached: set[str] = set()
        """Legs that are in the application."""
        self.told: list[tuple[CallRecord, Sequence[AttemptRecord]]] = []
        """Calls that the engine said were over."""
        sounds: Any = FakeSounds()
        client: Any = self.client
        writer: Any = self.writer
        assert not set(dir(FakeWriter)) - set(dir(Writer)) - {"stages", "ended", "staff", "pauses"}
        self.engine = Engine(
            config,
            client,
            writer,
            sounds=sounds,
            standing=self.standing,
            trunks=self.trunks,
            on_ended=lambda call, attempts: self.told.append((call, attempts)),
            clock=lambda: self.now,
            wall=lambda: self.now - 1000.0 + WALL,
        )

    # --- Asterisk's side ----------------------------------------------------------------------------------

    def arrives(self, id: str = "1.1", did: str = DID, caller: str = CALLER) -> None:
        args = ("in", f"did={did.replace('+', '%2B')}", "ep=trunk", "pres=allowed")
        self.engine.on_event(wire.StasisStart(caller_channel(id, args, caller), args))

    def leg(self, nth: int = -1) -> str:
        """The channel id of the nth leg that was dialled, the last one by default."""
        return str(self.client.all("create")[nth].channel_id)

    def reaches(self, leg: str) -> None:
        """The leg's channel, which was created, comes to the application: it can be dialled."""
        self.reached.add(leg)
        self.engine.on_event(wire.StasisStart(channel(leg, "Down"), ("leg",)))

    def rings(self, leg: str) -> None:
        if leg not in self.reached:
            self.reaches(leg)
        self.engine.on_event(wire.Dial(channel(leg, "Ringing"), "RINGING"))

    def answers(self, leg: str) -> None:
        if leg not in self.reached:
            self.reaches(leg)
        self.engine.on_event(wire.Dial(channel(leg), "ANSWER"))

    def presses(self, id: str, digit: str) -> None:
        """A key on a leg, or the caller's."""
        self.engine.on_event(wire.ChannelDtmfReceived(channel(id), digit, 120))

    def heard(self, nth: int = -1, state: str = "done") -> None:
        """What was played nth, by default last, is over."""
        asked = self.client.all("play")[nth]
        self.engine.on_event(wire.PlaybackFinished(asked.playback, f"channel:{asked.channel}", state))

    def ends(self, leg: str, *, cause: int = 16, sip: int | None = None) -> None:
        """The leg: both events that Asterisk sends."""
        self.engine.on_event(wire.StasisEnd(channel(leg)))
        self.engine.on_event(wire.ChannelDestroyed(channel(leg), cause, sip))

    async def connects(self, leg: str) -> None:
        """The leg answers and Asterisk bridges the two."""
        self.answers(leg)
        for verb in ("answer", "create_bridge", "add_to_bridge"):
            self.client.last(verb).future.set_result(None)
        await turn()

    def leaves(self, id: str = "1.1") -> None:
        """The caller: both events that Asterisk sends."""
        self.engine.on_event(wire.StasisEnd(channel(id)))
        self.engine.on_event(wire.ChannelDestroyed(channel(id), 16, None))


async def turn() -> None:
    """Let the callbacks of finished futures run, and those of what they finish."""
    for _ in range(3):
        await asyncio.sleep(0)


def channel(id: str, state: str = "Up", **more: Any) -> wire.Channel:
    given = {"name": f"PJSIP/trunk-{id}", "caller_number": "", "caller_name": "", "context": "", "exten": ""}
    args = more.pop("app_args", ("leg",) if call_of_leg(id) else ())
    return wire.Channel(id=id, state=state, app=more.pop("app", "callrouter"), app_args=args, **{**given, **more})


def caller_channel(
    id: str, args: tuple[str, ...] = ("in", "did=%2B33184801001"), number: str = CALLER
) -> wire.Channel:
    """A caller in our application, as events and lists show it."""
    return channel(id, "Ring", app_args=args, caller_number=number)
