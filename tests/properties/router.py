"""The router's half of the world: a call in the memory of a run that may die between any two of its commands, what
it asks of Asterisk, and the row that it leaves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from router.alive import Away
from router.call import begin, step
from router.dialling import Dialling
from router.errors import AriDisconnected, AriGone
from router.events import (
    AnswerCaller,
    Command,
    Connect,
    Disconnect,
    Event,
    Failed,
    Failure,
    Farewell,
    HangUpCaller,
    HangUpLeg,
    Originate,
    Record,
    RingBack,
    Save,
    Say,
    Stage,
    StartTimer,
    StopTimer,
    Timer,
)
from router.execute import Live
from router.model import AttemptRecord, CallRecord, Decision, Outcome
from router.records import attempt_records, call_record
from router.state import Call
from tests.build import make_config
from tests.calls import CALL_ID
from tests.properties import contract
from tests.properties.lines import Fate, Lines
from tests.properties.requests import Requests

CALLER: Final = "1700000000.1"
"""The caller's channel."""
EPOCH: Final = 1_700_000_000.0
HEARD: Final = 0.5
"""Seconds before its death in which the router last wrote down that it hears Asterisk."""
BEGAN: Final = 1000.0
"""What the steady clock says when the wall clock says EPOCH."""
CONFIG: Final = make_config()
_FAILURES: Final[dict[type, Failure]] = {AriGone: Failure.GONE, AriDisconnected: Failure.LINK}
"""What becomes of a leg that could not be created; anything else is an error."""


class Router(Lines):
    """One call, and the run of the router that has it, if one lives."""

    def __init__(self, decision: Decision, story: list[str] | None = None) -> None:
        super().__init__()
        self.decision = decision
        self.story = story
        """Where each step is told, for whoever wants to read it."""
        self.now = BEGAN
        self.steps = 0
        self.live: Live | None = None
        """None while the router is down."""
        self.dialling = self._hands()
        self.away = Away()
        self.timers: dict[tuple[Timer, str], float] = {}
        self.farewells: set[str] = set()
        self.life: int | None = None
        """How many more commands are carried out before the router dies."""
        self.row: tuple[CallRecord, Sequence[AttemptRecord]] | None = None
        """What the database holds of the call."""
        self.dialled: dict[str, str] = {}
        """Leg -> whom it is to ring, whichever run of the router asked for it."""
        self.before: set[str] = set()
        """Whom earlier runs of the router have rung."""
        self.arrive()

    @property
    def call(self) -> Call | None:
        return self.live.call if self.live is not None else None

    @call.setter
    def call(self, call: Call | None) -> None:
        if call is None:
            self.live = None
        elif self.live is None:
            self.live = Live(call, CONFIG)
        else:
            self.live.call = call

    @property
    def wall(self) -> float:
        """Unix time."""
        return EPOCH + self.now - BEGAN

    def _hands(self) -> Dialling:
        """What a run of the router dials with."""
        return Dialling(Requests(self), lambda _, event: self.take(event), lambda: self.now)  # type: ignore[arg-type]

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
        self._release()
        self.hold()

    def _release(self) -> None:
        """As the executor: who has gone hears nothing more, and is not dialled."""
        for leg in self.call.legs if self.call is not None else ():
            if leg.gone:
                self.farewells.discard(leg.id)
                self.dialling.forget(leg.id)

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
        self.dialling = self._hands()
        self.away = Away(since=self.wall - HEARD)
        self.life = None
        self.fate = Fate.DONE
        self.flight.clear()
        self.timers.clear()
        self.farewells.clear()
        self.before |= set(self.dialled.values())

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
        assert self.live is not None
        answer = self.dialling.create(self.live, command)
        answer.add_done_callback(lambda _: self._not_created(command, answer.exception()))

    def _not_created(self, command: Originate, error: BaseException | None) -> None:
        """As the executor tells it."""
        if error is not None:
            self.take(Failed(self.now, command, _FAILURES.get(type(error), Failure.ERROR)))

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

    _CARRY_OUT: Final[dict[type, Callable[[Router, Any], None]]] = {
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

    # --- What it is told ----------------------------------------------------------------------------------

    def tell(self, kind: Callable[..., Event], *what: Any) -> None:
        """What happens while the router is down is told to nobody."""
        if self.call is not None:
            self.flight.append(lambda: self.take(kind(self.now, *what)))

    def enters(self, leg: str) -> None:
        self.flight.append(lambda: self._entered(leg))

    def _entered(self, leg: str) -> None:
        """As the engine: a leg of a call that is over is hung up, any other dialled."""
        if self.call is None or self.call.settled:
            if leg in self.legs:
                self.gone(leg, told=False)
        elif self.live is not None:
            self.dialling.ready(self.live, leg)

    def dials(self, leg: str) -> None:
        assert self.call is not None
        state = self.call.leg(leg)
        assert state is not None
        assert state.live, "nobody is dialled who is not waited for"
