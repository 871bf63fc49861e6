"""Calls for tests of the state machine: a plan in a few words, and a driver that keeps what was asked for."""

from __future__ import annotations

from router.call import begin, step
from router.events import Command, Connected, Event, LegRinging, LegUp, Originate, Save, Stage
from router.model import (
    Accept,
    Caller,
    Decision,
    Did,
    Ending,
    Hunt,
    Outcome,
    Plan,
    Prompt,
    Result,
    Route,
    Sound,
    Step,
    Target,
)
from router.state import Call, Phase

CALL_ID = "c" + "0" * 25
ACCEPT_TIMEOUT = 15.0
WHISPER = (Sound("Flyer"), Prompt.NEW_CALLER, Prompt.PRESS_1)


def leg_id(seq: int) -> str:
    return f"{CALL_ID}-{seq:02d}"


ONE, TWO = leg_id(1), leg_id(2)


def dialled(seq: int, name: str, trunk: str = "main", timeout: float = 25.0) -> Originate:
    return Originate(leg_id(seq), name, 1, Route(trunk, f"PJSIP/{name}@{trunk}", "+33184801001"), timeout)


def target(name: str, trunks: tuple[str, ...] = ("main",), accept: Accept = Accept.NONE) -> Target:
    routes = tuple(Route(trunk, f"PJSIP/{name}@{trunk}", "+33184801001") for trunk in trunks)
    return Target(name, name.title(), routes, accept)


def hunt(
    *steps: str,
    timeout: float = 20.0,
    max_wait: float = 60.0,
    trunks: tuple[str, ...] = ("main",),
    accept: Accept = Accept.NONE,
) -> Hunt:
    """`hunt("alice", "bob carol", "+dave")`: Alice alone, then Bob and Carol together, then Dave as well."""
    return Hunt(
        tuple(
            Step(
                tuple(target(name, trunks, accept) for name in people.lstrip("+").split()),
                timeout,
                people.startswith("+"),
            )
            for people in steps
        ),
        max_wait,
    )


def plan(
    *steps: str,
    timeout: float = 20.0,
    max_wait: float = 60.0,
    trunks: tuple[str, ...] = ("main",),
    accept: Accept = Accept.NONE,
    overflow: Hunt | None = None,
) -> Plan:
    """A plan of one hunt (see `hunt`), and perhaps the overflow's."""
    first = hunt(*steps, timeout=timeout, max_wait=max_wait, trunks=trunks, accept=accept)
    return Plan((first, overflow) if overflow else (first,), ACCEPT_TIMEOUT, WHISPER)


def gated(*steps: str, overflow: Hunt | None = None, timeout: float = 20.0, max_wait: float = 60.0) -> Plan:
    """As `plan`, for people who must press the key."""
    return plan(*steps, timeout=timeout, max_wait=max_wait, accept=Accept.PRESS_1, overflow=overflow)


def decision(
    plan: Plan | None, refused: Outcome | None = None, ending: Ending | None = None, *, challenge: bool = False
) -> Decision:
    caller = Caller(None) if challenge else Caller("+33611111111")
    return Decision("flyer", Did("+33184801001", "exten"), caller, plan, refused, (), ending, challenge)


class Driver:
    """A call and every command that it has given, in order; but for what is saved on the way, which is counted in
    `saves`."""

    def __init__(
        self,
        plan: Plan | None,
        refused: Outcome | None = None,
        ending: Ending | None = None,
        *,
        challenge: bool = False,
        at: float = 100.0,
        first_seq: int = 1,
    ) -> None:
        made = decision(plan, refused, ending, challenge=challenge)
        call = Call(CALL_ID, made, "1700000000.1", at, 1_700_000_000.0, "cafe", "node")
        self.call, commands = begin(call, at, first_seq=first_seq)
        self.commands: list[Command] = list(commands)
        self.last: tuple[Command, ...] = commands
        self.saves = 0

    def take(self, *events: Event) -> tuple[Command, ...]:
        """Feed events; the commands of all of them."""
        self.last = ()
        for event in events:
            self.call, commands = step(self.call, event)
            kept = tuple(command for command in commands if command != Save(Stage.HUNTING))
            self.saves += len(commands) - len(kept)
            self.last += kept
        self.commands += self.last
        return self.last

    def told(self, kind: type[Command]) -> list[Command]:
        """The commands of one kind that the last `take` gave."""
        return [command for command in self.last if isinstance(command, kind)]


def talking(hunt: Driver) -> Driver:
    hunt.take(LegRinging(101.0, ONE), LegUp(105.0, ONE), Connected(105.1, ONE))
    assert hunt.call.phase is Phase.TALKING
    return hunt


def results(hunt: Driver) -> list[Result | None]:
    return [leg.result for leg in hunt.call.legs]
