"""The state machine of a call against the independent model: 20,000 random scenarios, each to the moment."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable

import pytest

from router import call as machine
from router.events import (
    CallerLeft,
    Command,
    Connect,
    Connected,
    Event,
    Farewell,
    HangUpCaller,
    HangUpLeg,
    Key,
    LegDown,
    LegRinging,
    LegUp,
    Originate,
    Save,
    Stage,
    StartTimer,
    StopTimer,
    Timer,
    TimerFired,
)
from router.model import Accept, Caller, Decision, Did, Hunt, Plan, Route, Step, Target
from router.records import attempt_records, call_record
from router.state import Call, Phase
from tests.scenarios.make import phones, scenario
from tests.scenarios.model import Ending, Phone, Scenario, predict

RUNS, EACH = 40, 500
ROUNDING = 1e-6
"""Seconds within which two moments are one: sums of hundredths do not come out even."""
BEGAN = 1000.0
"""Where the engine's clock stands when the call comes."""


def plan(scenario: Scenario) -> Plan:
    accept = Accept.PRESS_1 if scenario.gate else Accept.NONE
    hunts = tuple(
        Hunt(
            tuple(
                Step(tuple(target(person, accept) for person in step.people), step.timeout, step.add)
                for step in hunt.steps
            ),
            hunt.max_wait,
        )
        for hunt in scenario.hunts
    )
    return Plan(hunts, scenario.accept_timeout, ())


def target(person: str, accept: Accept) -> Target:
    return Target(person, person, (Route("main", f"PJSIP/{person}@main", "+33184801001"),), accept)


class Telephony:
    """The phones and the clocks of one call, in time that only the events move on."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.people: dict[str, Phone] = {}
        self.gone: set[str] = set()
        self.saved: list[Stage] = []
        self.caller_there = True
        self._coming: list[tuple[float, int, Event]] = []
        self._count = itertools.count()
        self._timers: dict[tuple[Timer, str], Event] = {}
        decision = Decision("flyer", Did("+33184801001", "exten"), Caller("+33611111111"), plan(scenario), None)
        self.call = Call("c" + "0" * 25, decision, "caller", BEGAN, 1_700_000_000.0, "cafe", "node")
        if scenario.leaves is not None:
            self.later(BEGAN, scenario.leaves, CallerLeft(BEGAN + scenario.leaves))

    def later(self, now: float, seconds: float, event: Event) -> None:
        heapq.heappush(self._coming, (now + seconds, next(self._count), event))

    def run(self) -> None:
        """The call from its first moment until nothing is to come any more."""
        self.call, commands = machine.begin(self.call, BEGAN)
        self.obey(BEGAN, commands)
        while self._coming:
            at, _, event = heapq.heappop(self._coming)
            if not self.still(event):
                continue
            self.call, commands = machine.step(self.call, event)
            self.obey(at, commands)

    def still(self, event: Event) -> bool:
        """Whether it happens: no timer that was stopped, no phone or caller who has gone."""
        match event:
            case TimerFired(timer=timer, leg=leg):
                return self._timers.get((timer, leg)) is event
            case CallerLeft():
                there, self.caller_there = self.caller_there, False
                return there
            case LegDown(leg=leg):
                there = leg not in self.gone
                self.gone.add(leg)
                return there
            case LegRinging(leg=leg) | LegUp(leg=leg) | Key(leg=leg) | Connected(leg=leg):
                return leg not in self.gone
        raise AssertionError(event)

    def obey(self, now: float, commands: Iterable[Command]) -> None:
        for command in commands:
            match command:
                case Originate(leg=leg, salesperson=person):
                    self.dial(now, leg, self.scenario.phones[person])
                case HangUpLeg(leg=leg) | Farewell(leg=leg):
                    self.later(now, 0.0, LegDown(now, leg, cause=16))
                case HangUpCaller():
                    self.later(now, 0.0, CallerLeft(now, 16))
                case Connect(leg=leg):
                    # Connected, they speak for a second.
                    self.later(now, 0.0, Connected(now, leg))
                    self.later(now, 1.0, CallerLeft(now + 1.0, 16))
                case StartTimer(timer=timer, seconds=seconds, leg=leg):
                    fired = TimerFired(now + seconds, timer, leg)
                    self._timers[timer, leg] = fired
                    self.later(now, seconds, fired)
                case StopTimer(timer=timer, leg=leg):
                    self._timers.pop((timer, leg), None)
                case Save(stage=stage):
                    self.saved.append(stage)

    def dial(self, now: float, leg: str, phone: Phone) -> None:
        self.people[leg] = phone
        if phone.rings:
            self.later(now, 0.0, LegRinging(now, leg))
        if phone.after is None:
            return
        acts = now + phone.after
        if phone.refuses:
            self.later(acts, 0.0, LegDown(acts, leg, cause=0, sip_status=phone.refuses))
            return
        self.later(acts, 0.0, LegUp(acts, leg))
        if phone.then is not None:
            then = acts + phone.then
            self.later(then, 0.0, Key(then, leg, phone.key) if phone.key else LegDown(then, leg, cause=16))

    def ending(self) -> Ending:
        """What the database would be told."""
        record, attempts = call_record(self.call), attempt_records(self.call)
        results = tuple((attempt.salesperson, str(attempt.result)) for attempt in attempts)
        return Ending(str(record.outcome), record.salesperson or "", results)


@pytest.mark.parametrize("run", range(RUNS))
def test_a_call_ends_as_the_model_says_and_leaves_nothing(run: int) -> None:
    people = phones(f"machine-{run}", 100)
    for number in range(EACH):
        made = scenario(f"machine-{run}", number, people)
        telephony = Telephony(made)
        telephony.run()
        assert telephony.ending() in predict(made, ROUNDING), made
        hold(telephony)


def hold(telephony: Telephony) -> None:
    call = telephony.call
    assert call.phase is Phase.ENDED, telephony.scenario
    assert call.settled, telephony.scenario
    assert not telephony.caller_there, telephony.scenario
    assert telephony.gone == set(telephony.people), telephony.scenario
    assert telephony.saved[0] is Stage.OPENED
    assert telephony.saved.count(Stage.ENDED) == 1, telephony.scenario
    assert sum(leg.accepted_at is not None for leg in call.legs) <= 1, telephony.scenario
