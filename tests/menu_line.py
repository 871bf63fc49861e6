"""A salesperson's call on the own line, for the tests of router.menu; the fixture `inside` is past its PIN."""

from __future__ import annotations

from dataclasses import replace

import pytest

from router.events import Event, Key, Said, Say, StartTimer, StopTimer, Timer, TimerFired
from router.menu import EndMenu, Menu, MenuCommand, begin, step
from router.model import Secret, StaffCall

PIN = "4711"
EPOCH = 1_772_359_200.0
MENU = Menu("c1", "alice", "+33184801001", "1772359200.7", "test", 100.0, EPOCH, Secret(PIN))


class Line:
    """A call on the own line; `commands` are those of the last event, `all` those since the beginning."""

    def __init__(self, menu: Menu = MENU) -> None:
        self.at = menu.started_at
        self.menu, self.commands = begin(menu, self.at)
        self.all = list(self.commands)

    def take(self, event: Event) -> tuple[MenuCommand, ...]:
        self.menu, self.commands = step(self.menu, event)
        self.all += self.commands
        return self.commands

    def press(self, keys: str) -> tuple[MenuCommand, ...]:
        for key in keys:
            self.at += 0.5
            self.take(Key(self.at, "", key))
        return self.commands

    def said(self) -> tuple[MenuCommand, ...]:
        self.at += 3.0
        return self.take(Said(self.at))

    def fire(self, timer: Timer) -> tuple[MenuCommand, ...]:
        self.at += 10.0
        return self.take(TimerFired(self.at, timer))

    def heard(self) -> tuple[object, ...]:
        """What the last event made the line say, without what only cut it off."""
        return next((command.parts for command in self.commands if isinstance(command, Say)), ())

    def running(self) -> set[Timer]:
        timers: set[Timer] = set()
        for command in self.all:
            if isinstance(command, StartTimer):
                timers.add(command.timer)
            elif isinstance(command, StopTimer):
                timers.discard(command.timer)
        return timers

    def row(self) -> StaffCall:
        (end,) = [command for command in self.all if isinstance(command, EndMenu)]
        return end.staff


@pytest.fixture
def inside() -> Line:
    """A line whose PIN was right and that has said its menu."""
    line = Line(replace(MENU, callbacks=3))
    line.said()
    line.press(PIN)
    line.said()
    return line
