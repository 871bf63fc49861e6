"""One call between Asterisk and a router that may die: a small model of the world, in which anything may go wrong.

Asterisk's side is the truth: which channels exist. What it tells of them is in flight, and may arrive in any order,
twice, or never; a request may fail with or without having been carried out; the router may die between any two
commands and be started again, with what its rows hold. After each event the call is held against the contract.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from router import recovery
from router.alive import Alive, Away
from router.ari.wire import Bridge
from router.call import begin, take_up
from router.events import (
    Engaged,
    HangUpLeg,
    Key,
    LegRinging,
    LegUp,
    Recorded,
    Said,
    Stage,
    TimerFired,
)
from router.ids import bridge_id
from router.model import AttemptRecord, CallRecord, Departure
from router.state import Call, Phase
from tests.calls import CALL_ID
from tests.properties import contract
from tests.properties.lines import Fate, Person
from tests.properties.requests import Answer
from tests.properties.router import BEGAN, CALLER, EPOCH, Router
from tests.switchboard import channel

ROUNDS: Final = 40
"""After so many rounds of a world in which nothing fails any more, every call has ended."""


class World(Router):
    """All that may happen to the call, and to the router."""

    # --- What is told of Asterisk, and what of it reaches the router --------------------------------------

    def leave(self, cause: int = 16) -> None:
        super().leave(cause)
        if self.away.since is not None:
            self.away = replace(self.away, left={CALLER: Departure(self.wall, self.picked_up)})

    def deliver(self, index: int = 0, *, again: bool = False) -> None:
        """One of those in flight arrives; `again`: and will once more."""
        word = self.flight[index] if again else self.flight.pop(index)
        self.now += 0.25
        word()

    def lose(self, index: int) -> None:
        word = self.flight[index]
        if isinstance(word, Answer):
            word.lose()
        else:
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
        there = self._there()
        found = there.of(self.call)
        if meanwhile and self.timers:
            self.now += 0.25
            self.fire()
        self.take(found)
        self._dial_what_stands(there)

    def _dial_what_stands(self, there: Alive) -> None:
        if self.live is not None:
            self.dialling.found([self.live], there.channels)

    def _there(self) -> Alive:
        channels = {leg: channel(leg, person.state) for leg, person in self.legs.items()}
        if self.caller:
            channels[CALLER] = channel(CALLER)
        together = (CALLER, *self.bridged) if self.bridged else ()
        return Alive(self.now, channels, (Bridge(bridge_id(CALL_ID), together),), self.away)

    # --- A new run ----------------------------------------------------------------------------------------

    def _ours(self) -> dict[str, Call]:
        return {} if self.call is None else {self.call.id: self.call}

    def restart(self) -> None:
        """A new run of the router, which does what the engine does when the link is up for the first time."""
        if self.call is not None:
            return
        self.now += 1.0
        there = self._there()
        self._recover(there)
        self._dial_what_stands(there)
        bridges = [bridge_id(CALL_ID)] if self.bridged else []
        lone, lone_bridges = recovery.orphans([*self.legs, CALLER], bridges, self._ours())
        for leg in lone:
            self.gone(leg, told=False)
        if lone_bridges:
            self.bridged.clear()
        # From now on the router listens: whoever is not there any more has left just now.
        self.away = Away()

    def _recover(self, there: Alive) -> None:
        """The router has been started again: its rows say what there was, Asterisk says what there is."""
        row = self.row
        if row is None:
            if self.caller:
                self.arrive()
            return
        if row[0].outcome is not None:
            return
        channels = frozenset(there.channels)
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
            self.take(there.of(call))
        for record, attempts in found.waiting:
            self._take_up(record, attempts, there)
        for record, attempts in found.lost:
            self.write(Stage.ENDED, record, attempts)

    def _take_up(self, record: CallRecord, attempts: Sequence[AttemptRecord], there: Alive) -> None:
        call = Call(record.id, self.decision, CALLER, BEGAN, EPOCH, "cafe", "node")
        if attempts:
            self.call = recovery.taken_up(call, attempts)
            self.begun(*take_up(self.call, there.of(self.call)))
        else:
            self.begun(*begin(call, self.now, first_seq=recovery.next_seq(record.id, there.channels)))

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
            contract.hold_dialled(self)
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
