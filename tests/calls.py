"""Calls for tests of the state machine: a plan in a few words, and a driver that keeps what was asked for."""

from __future__ import annotations

from router.call import begin, step
from router.events import Command, Event
from router.model import Accept, Caller, Decision, Did, Outcome, Plan, Route, Step, Target
from router.state import Call

CALL_ID = "c" + "0" * 25


def leg_id(seq: int) -> str:
    return f"{CALL_ID}-{seq:02d}"


def target(name: str, trunks: tuple[str, ...] = ("main",)) -> Target:
    return Target(
        name, name.title(), tuple(Route(trunk, f"PJSIP/{name}@{trunk}", "+33184801001") for trunk in trunks)
    )


def plan(*steps: str, timeout: float = 20.0, max_wait: float = 60.0, trunks: tuple[str, ...] = ("main",)) -> Plan:
    """`plan("alice", "bob carol")`: Alice alone, then Bob and Carol together."""
    return Plan(
        tuple(Step(tuple(target(name, trunks) for name in people.split()), timeout) for people in steps),
        max_wait,
        Accept.NONE,
    )


def decision(hunt: Plan | None, refused: Outcome | None = None) -> Decision:
    return Decision("flyer", Did("+33184801001", "exten"), Caller("+33611111111"), hunt, refused)


class Driver:
    """A call and every command that it has given, in order."""

    def __init__(
        self, hunt: Plan | None, refused: Outcome | None = None, *, at: float = 100.0, first_seq: int = 1
    ) -> None:
        call = Call(CALL_ID, decision(hunt, refused), "1700000000.1", at, 1_700_000_000.0, "cafe", "node")
        self.call, commands = begin(call, at, first_seq=first_seq)
        self.commands: list[Command] = list(commands)
        self.last: tuple[Command, ...] = commands

    def take(self, *events: Event) -> tuple[Command, ...]:
        """Feed events; the commands of all of them."""
        self.last = ()
        for event in events:
            self.call, commands = step(self.call, event)
            self.last += commands
        self.commands += self.last
        return self.last

    def told(self, kind: type[Command]) -> list[Command]:
        """The commands of one kind that the last `take` gave."""
        return [command for command in self.last if isinstance(command, kind)]
