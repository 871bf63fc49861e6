"""One call between Asterisk and a router that may die: a small model of the world, in which anything may go wrong.

Asterisk's side is the truth: which channels exist. What it tells of them is in flight, and may arrive in any order,
twice, or never; a request may fail with or without having been carried out; the router may die between any two
commands and be started again, with what its rows hold. After each event the call is held against the contract.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

from router import recovery
from router.alive import Alive, Away
from router.ari.wire import Bridge
from router.call import begin, step, take_up
from router.events import (
    AnswerCaller,
    Command,
    Connect,
    Disconnect,
    Engaged,
    Event,
    Farewell,
    Found,
    HangUpCaller,
    HangUpLeg,
    Key,
    LegRinging,
    LegUp,
    Originate,
    Record,
    Recorded,
    RingBack,
    Said,
    Save,
    Say,
    Stage,
    StartTimer,
    StopTimer,
    Timer,
    TimerFired,
)
from router.ids import bridge_id
from router.model import AttemptRecord, CallRecord, Decision, Departure, Outcome
from router.records import attempt_records, call_record
from router.state import Call, Phase
from tests.calls import CALL_ID
from tests.properties import contract
from tests.properties.lines import Fate, Lines, Person
from tests.switchboard import channel

CALLER: Final = "1700000000.1"
"""The caller's channel."""
EPOCH: Final = 1_700_000_000.0
HEARD: Final = 0.5
"""Seconds before its death in which the router last wrote down that it hears Asterisk."""
BEGAN: Final = 1000.0
"""What the steady clock says when the wall clock says EPOCH."""
ROUNDS: Final = 40
"""After so many rounds of a world in which nothing fails any more, every call has ended."""


class World(Lines):
    """One call. `alive` channels are Asterisk's, `flight` holds what it has told and nobody has taken."""

    def __init__(self, decision: Decision, story: list[str] | None = None) -> None:
        super().__init__()
        self.decision = decision
        self.story = story
        """Where each step is told, for whoever wants to read it."""
        self.now = BEGAN
        self.steps = 0
        self.call: Call | None = None
        """None while the router is down."""
        self.away = Away()
        self.timers: dict[tuple[Timer, str], float] = {}
        self.farewells: set[str] = set()
        self.life: int | None = None
        """How many more commands are carried out before the router dies."""
        self.row: tuple[CallRecord, Sequence[AttemptRecord]] | None = None
        """What the database holds of the call."""
        self.dialled: dict[str, str] = {}
        """Leg -> whom it was to ring, whichever run of the router asked for it."""
        self.before: set[str] = set()
        """Whom earlier runs of the router have rung."""
        self.arrive()

    @property
    def wall(self) -> float:
        """Unix time."""
        return EPOCH + self.now - BEGAN

    # --- The router ---------------------------------------------------------------------------------------

    def arrive(self) -> None:
        call = Call(CALL_ID, self.decision, CALLER, BEGAN, EPOCH, "cafe", "node")
        self.begun(*begin(call, self.now))

    def begun(self, call: Call, commands: tuple[Command, ...]) -> None:
        """The first step of a run of the router."""
        self._tell_story("begins", commands)
        self.call = call
        self.obey(commands)
        self.hold()

    def take(self, event: Event) -> None:
        """The router takes one event."""
        before = self.call
        if before is None:
            return
        self.steps += 1
        self.call, commands = step(before, event)
        self._tell_story(event, commands)
        if self.call is before and not commands:
            return
        contract.hold_step(before, self.call, commands)
        self.obey(commands)
        if self.farewells and self.call is not None:
            # As the executor: who has gone hears nothing more.
            self.farewells.difference_update(leg.id for leg in self.call.legs if leg.gone)
        self.hold()

    def _tell_story(self, event: Event | str, commands: Sequence[Command]) -> None:
        if self.story is not None:
            phase = self.call.phase if self.call else "-"
            self.story.append(f"{self.now:9.2f} {event} => {phase}")
            self.story += [f"    {command}" for command in commands]

    def hold(self) -> None:
        """What is true of a living call at any time."""
        if self.call is not None:
            contract.hold(self.call, self.timers)

    def die(self) -> None:
        """The router is killed: whatever it had in memory, and whatever was on its way to it, is gone."""
        self._tell_story("killed", ())
        self.call = None
        self.away = Away(since=self.wall - HEARD)
        self.life = None
        self.fate = Fate.DONE
        self.flight.clear()
        self.timers.clear()
        self.farewells.clear()
        self.before |= set(self.dialled.values())

    def _ours(self) -> dict[str, Call]:
        return {} if self.call is None else {self.call.id: self.call}

    def restart(self) -> None:
        """A new run of the router, which does what the engine does when the link is up for the first time."""
        if self.call is not None:
            return
        self.now += 1.0
        self.recover()
        bridges = [bridge_id(CALL_ID)] if self.bridged else []
        lone, lone_bridges = recovery.orphans([*self.legs, CALLER], bridges, self._ours())
        for leg in lone:
            self.gone(leg, told=False)
        if lone_bridges:
            self.bridged.clear()
        # From now on the router listens: whoever is not there any more has left just now.
        self.away = Away()

    # --- What the router asks for -------------------------------------------------------------------------

    def obey(self, commands: tuple[Command, ...]) -> None:
        for command in commands:
            if self.life is not None:
                if self.life == 0:
                    self.die()
                    return
                self.life -= 1
            carry_out = self._CARRY_OUT.get(type(command))
            if carry_out is not None:
                carry_out(self, command)

    def _originate(self, command: Originate) -> None:
        assert command.leg not in self.dialled, "a leg's id is used once, whichever run of the router asks"
        assert command.salesperson not in self.before, "whom an earlier run has dialled is not dialled again"
        assert self.row is not None
        assert command.leg in {attempt.id for attempt in self.row[1]}, "a leg is on record before it is dialled"
        self.dialled[command.leg] = command.salesperson
        self.originate(command)

    def _farewell(self, command: Farewell) -> None:
        self.farewells.add(command.leg)

    def _start_timer(self, command: StartTimer) -> None:
        self.timers[command.timer, command.leg] = self.now + command.seconds

    def _stop_timer(self, command: StopTimer) -> None:
        self.timers.pop((command.timer, command.leg), None)

    def _save(self, command: Save) -> None:
        assert self.call is not None
        record = call_record(self.call)
        if record.outcome is None or command.stage is Stage.ENDED:
            # As router.execute has it: of a call that ends in the same step only the end is written.
            self.write(command.stage, record, attempt_records(self.call))

    def write(self, stage: Stage, record: CallRecord, attempts: Sequence[AttemptRecord]) -> None:
        assert self.row is None or self.row[0].outcome is None, "a call has one outcome, and its row is then closed"
        assert (stage is Stage.ENDED) == (record.outcome is not None)
        assert record.outcome is not Outcome.ANSWERED or self.picked_up, "nobody talks to a caller who is not there"
        contract.hold_rows(record, attempts, self.row[1] if self.row else ())
        self.row = (record, attempts)

    _CARRY_OUT: Final[dict[type, Callable[[World, Any], None]]] = {
        Originate: _originate,
        HangUpLeg: Lines.hang_up_leg,
        Farewell: _farewell,
        HangUpCaller: Lines.hang_up_caller,
        AnswerCaller: Lines.answer_caller,
        Connect: Lines.connect,
        Disconnect: Lines.disconnect,
        Say: Lines.say,
        RingBack: Lines.ring_back,
        Record: Lines.record,
        StartTimer: _start_timer,
        StopTimer: _stop_timer,
        Save: _save,
    }

    # --- What is told of Asterisk, and what of it reaches the router --------------------------------------

    def tell(self, kind: Callable[..., Event], *what: Any) -> None:
        """What happens while the router is down is told to nobody."""
        if self.call is not None:
            super().tell(kind, *what)

    def leave(self, cause: int = 16) -> None:
        super().leave(cause)
        if self.away.since is not None:
            self.away = replace(self.away, left={CALLER: Departure(self.wall, self.picked_up)})

    def deliver(self, index: int = 0, *, again: bool = False) -> None:
        """One of those in flight arrives; `again`: and will once more."""
        kind, what = self.flight[index] if again else self.flight.pop(index)
        self.now += 0.25
        self.take(kind(self.now, *what))

    def lose(self, index: int) -> None:
        del self.flight[index]

    def fire(self, index: int = 0) -> None:
        """A clock runs out, in time or late."""
        which = sorted(self.timers, key=lambda each: self.timers[each])[index]
        self.now = max(self.now, self.timers.pop(which))
        self.take(TimerFired(self.now, *which))

    def farewell_over(self) -> None:
        if self.farewells:
            leg = min(self.farewells)
            self.farewells.discard(leg)
            self.hang_up_leg(HangUpLeg(leg))

    def engaged(self, leg: str) -> None:
        """The person whom it rings has taken another call."""
        self.take(Engaged(self.now, leg))

    def stray(self, leg: str, which: int) -> None:
        """A word that nobody expects: of a phone that is not asked, of what is not played."""
        if which == 0 and self.legs.get(leg) is Person.UP:
            self.take(LegUp(self.now, leg))
        elif which == 1:
            self.take(LegRinging(self.now, leg))
        elif which == 2:
            self.take(Key(self.now, leg, "1"))
        elif which == 3:
            self.take(Key(self.now, "", "1"))
        elif which == 4:
            self.take(Said(self.now))
        else:
            self.take(Recorded(self.now, 30.0 if which == 5 else None))

    def ask(self, *, meanwhile: bool = False) -> None:
        """The router asks Asterisk what lives, and takes the answer; a clock may run out `meanwhile`."""
        if self.call is None:
            return
        self.now += 0.25
        found = self._found(self.call)
        if meanwhile and self.timers:
            self.now += 0.25
            self.fire()
        self.take(found)

    def _found(self, call: Call) -> Found:
        channels = {leg: channel(leg, state) for leg, state in self.legs.items()}
        if self.caller:
            channels[CALLER] = channel(CALLER, Person.UP)
        together = (CALLER, *self.bridged) if self.bridged else ()
        return Alive(self.now, channels, (Bridge(bridge_id(CALL_ID), together),), self.away).of(call)

    # --- A new run ----------------------------------------------------------------------------------------

    def recover(self) -> None:
        """The router has been started again: its rows say what there was, Asterisk says what there is."""
        row = self.row
        if row is None:
            if self.caller:
                self.arrive()
            return
        if row[0].outcome is not None:
            return
        channels = frozenset([*self.legs, *([CALLER] if self.caller else [])])
        found = recovery.recover(
            [row],
            channels=channels,
            in_app=channels & {CALLER},
            at=self.now,
            wall=self.wall,
            end_of=self.away.end_of,
        )
        for call in found.adopted:
            self.call = call
            self.take(self._found(call))
        for record, attempts in found.waiting:
            self._take_up(record, attempts, channels)
        for record, attempts in found.lost:
            self.write(Stage.ENDED, record, attempts)

    def _take_up(self, record: CallRecord, attempts: Sequence[AttemptRecord], channels: frozenset[str]) -> None:
        call = Call(record.id, self.decision, CALLER, BEGAN, EPOCH, "cafe", "node")
        if attempts:
            self.call = recovery.taken_up(call, attempts)
            self.begun(*take_up(self.call, self._found(self.call)))
        else:
            self.begun(*begin(call, self.now, first_seq=recovery.next_seq(record.id, channels)))

    # --- The end ------------------------------------------------------------------------------------------

    @property
    def over(self) -> bool:
        """Nothing is left of the call, in Asterisk or in the router."""
        return not self.legs and not self.caller and (self.call is None or self.call.settled)

    def settle(self) -> None:
        """From here on nothing fails: the call ends by itself, however often nobody says or does anything."""
        self.life, self.fate = None, Fate.DONE
        for _ in range(ROUNDS):
            self.restart()
            while self.flight:
                self.deliver()
            self.ask()
            while self.flight:
                self.deliver()
            if self.over:
                break
            self._go_on()
        contract.hold_end(self)

    def _go_on(self) -> None:
        call = self.call
        if call is None or call.phase is Phase.ENDED:
            # A caller whose hang-up was swallowed by a crash leaves in the end.
            while self.farewells:
                self.farewell_over()
            if call is None and self.caller:
                self.leave()
        elif call.phase is Phase.TALKING and call.winner is not None and call.winner.id in self.legs:
            self.gone(call.winner.id, cause=16)
        elif self.timers:
            self.fire()
        while self.farewells:
            self.farewell_over()
