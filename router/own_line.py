"""The salespeople's own lines: whoever dials one of our numbers from a mobile of ours. The hands of router.menu.

Such a call is no lead: it has a row of its own kind, and nothing of it reaches the calls. The menu wants a PIN, as
a caller ID can be forged; too many wrong ones, over however many calls, and the line is closed for a while.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Container
from typing import Any, Final

from router import menu as machine
from router.ari.client import Client
from router.errors import AriDisconnected, AriError, AriGone
from router.events import (
    AnswerCaller,
    CallerLeft,
    Command,
    Event,
    Failed,
    Failure,
    Found,
    HangUpCaller,
    Key,
    Said,
    Say,
    StartTimer,
    StopTimer,
    Timer,
    TimerFired,
)
from router.ids import new_call_id
from router.log import fact
from router.menu import ClearPause, EndMenu, Menu, MenuCommand, SetPause, WrongPin
from router.model import Config, Decision, Pause
from router.playback import Player
from router.standing import Standing
from router.store.pauses import MENU
from router.store.writer import Writer

log: Final = logging.getLogger("router.own_line")

#: Wrong PINs of one person after which the line is closed.
MOST_WRONG: Final = 5
#: Seconds for which it stays closed, from the last wrong PIN on. Twenty tries a day: whoever guesses at four digits
#: takes 250 days on average, and each wrong one is logged.
CLOSED_SECONDS: Final = 6 * 3600.0


class _Line:
    """One call to the menu."""

    __slots__ = ("language", "menu", "since", "timers")

    def __init__(self, menu: Menu, language: str, since: float) -> None:
        self.menu = menu
        self.since = since
        self.language = language
        self.timers: dict[Timer, asyncio.TimerHandle] = {}


class OwnLine:
    """Every call to the menu, by its channel. Event loop only; nothing here waits."""

    def __init__(
        self,
        client: Client,
        writer: Writer,
        player: Player,
        standing: Standing,
        clock: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self._client = client
        self._writer = writer
        self._player = player
        self._standing = standing
        self._clock = clock
        self._wall = wall
        self._loop = asyncio.get_running_loop()
        self._lines: dict[str, _Line] = {}
        self._wrong: dict[str, tuple[int, float]] = {}
        """Salesperson -> wrong PINs since the last right one, and when the last of them was."""

    def __contains__(self, channel: str) -> bool:
        return channel in self._lines

    @property
    def menus(self) -> tuple[Menu, ...]:
        return tuple(line.menu for line in self._lines.values())

    # --- Events in ----------------------------------------------------------------------------------------

    def arrive(self, config: Config, channel: str, decision: Decision, salesperson: str) -> None:
        """A mobile of ours has dialled one of our numbers."""
        at, wall = self._clock(), self._wall()
        situation = self._standing.situation(wall)
        until = situation.paused.get(salesperson, 0.0)
        menu = Menu(
            id=new_call_id(wall),
            salesperson=salesperson,
            did=decision.did.number,
            channel=channel,
            node=config.node,
            started_at=at,
            epoch=wall,
            pin=config.pins.get(salesperson),
            paused=until is None or until > wall,
            callbacks=sum(_serves(config, salesperson, campaign) for campaign, _ in situation.owed),
            locked=self._locked(salesperson, wall),
        )
        line = self._lines[channel] = _Line(menu, config.language, self._clock())
        log.info(fact(call=menu.id, event="own_line", salesperson=salesperson, locked=menu.locked or None))
        self._commit(line, *machine.begin(menu, at))

    def key(self, channel: str, digit: str) -> None:
        """A key was pressed."""
        self._take(channel, Key(self._clock(), "", digit))

    def played(self, channel: str) -> None:
        """The words have been heard."""
        self._take(channel, Said(self._clock()))

    def gone(self, channel: str) -> None:
        """The channel has left."""
        self._take(channel, CallerLeft(self._clock()))

    def found(self, at: float, channels: Container[str], settling: float = 0.0) -> frozenset[str]:
        """Catch up with what Asterisk, asked `at`, says is alive; the channels of calls that were settled by it.

        Who came in the last `settling` seconds before, or since, may not stand in its list yet.
        """
        before = frozenset(name for name, line in self._lines.items() if line.since <= at - settling)
        for channel in before:
            self._take(channel, Found(at, channel in channels, frozenset(), frozenset(), frozenset()))
        return before - self._lines.keys()

    def _take(self, channel: str, event: Event) -> None:
        line = self._lines.get(channel)
        if line is not None:
            self._commit(line, *machine.step(line.menu, event))

    def _commit(self, line: _Line, menu: Menu, commands: tuple[MenuCommand, ...]) -> None:
        verified = menu.verified and not line.menu.verified
        line.menu = menu
        if verified:
            self._wrong.pop(menu.salesperson, None)
        for command in commands:
            self._RUN[type(command)](self, line, command)
        if any(isinstance(command, WrongPin) for command in commands):
            self._lock(menu.salesperson)
        if menu.settled:
            self._lines.pop(menu.channel, None)
            self._player.forget(menu.channel)

    def _lock(self, salesperson: str) -> None:
        """Many calls at once have no more tries than one after the other."""
        if self._locked(salesperson, self._wall()):
            for line in tuple(self._lines.values()):
                if line.menu.salesperson == salesperson:
                    self._commit(line, *machine.lock(line.menu))

    def _locked(self, salesperson: str, wall: float) -> bool:
        count, last = self._wrong.get(salesperson, (0, 0.0))
        return count >= MOST_WRONG and wall - last < CLOSED_SECONDS

    # --- Commands out -------------------------------------------------------------------------------------

    def _answer(self, line: _Line, command: AnswerCaller) -> None:
        menu = line.menu
        # The menu takes longer than the ringing that the dialplan's dead-man timer was made for.
        longest = f"{machine.LONGEST + 2 * machine.GOODBYE_SECONDS:.0f}"
        self._client.set_variable(menu.channel, "TIMEOUT(absolute)", longest, lane=menu.id)
        self._watch(line, command, self._client.answer(menu.channel, lane=menu.id))

    def _hang_up(self, line: _Line, command: HangUpCaller) -> None:
        menu = line.menu
        self._watch(line, command, self._client.hang_up(menu.channel, command.reason, lane=menu.id))

    def _say(self, line: _Line, command: Say) -> None:
        menu = line.menu
        if command.parts:
            future = self._player.play(menu.channel, command.parts, line.language, lane=menu.id)
            self._watch(line, command, future)
        else:
            self._player.hush(menu.channel, lane=menu.id)

    def _watch(self, line: _Line, command: Command, future: asyncio.Future[Any]) -> None:
        def done(future: asyncio.Future[Any]) -> None:
            error = None if future.cancelled() else future.exception()
            if isinstance(error, AriError):
                self._take(line.menu.channel, Failed(self._clock(), command, _failure(error)))

        future.add_done_callback(done)

    def _start_timer(self, line: _Line, command: StartTimer) -> None:
        self._stop_timer(line, StopTimer(command.timer))
        line.timers[command.timer] = self._loop.call_later(command.seconds, self._fire, line, command.timer)

    def _fire(self, line: _Line, timer: Timer) -> None:
        line.timers.pop(timer, None)
        self._take(line.menu.channel, TimerFired(self._clock(), timer))

    def _stop_timer(self, line: _Line, command: StopTimer) -> None:
        handle = line.timers.pop(command.timer, None)
        if handle is not None:
            handle.cancel()

    def _set_pause(self, line: _Line, command: SetPause) -> None:
        asked = Pause(line.menu.salesperson, self._wall(), command.until, MENU)
        self._standing.pause(asked)
        self._writer.pause_set(asked)

    def _clear_pause(self, line: _Line, _command: ClearPause) -> None:
        self._standing.resume(line.menu.salesperson)
        self._writer.pause_cleared(line.menu.salesperson, self._wall())

    def _wrong_pin(self, line: _Line, _command: WrongPin) -> None:
        person, wall = line.menu.salesperson, self._wall()
        count, last = self._wrong.get(person, (0, 0.0))
        self._wrong[person] = (count + 1 if wall - last < CLOSED_SECONDS else 1, wall)
        log.warning(fact(call=line.menu.id, event="wrong_pin", salesperson=person, count=self._wrong[person][0]))

    def _end(self, _line: _Line, command: EndMenu) -> None:
        staff = command.staff
        log.info(fact(call=staff.id, event="own_line_ended", verified=staff.verified, actions=len(staff.actions)))
        self._writer.staff_call_ended(staff)

    _RUN: Final[dict[type, Callable[[OwnLine, _Line, Any], None]]] = {
        AnswerCaller: _answer,
        HangUpCaller: _hang_up,
        Say: _say,
        StartTimer: _start_timer,
        StopTimer: _stop_timer,
        SetPause: _set_pause,
        ClearPause: _clear_pause,
        WrongPin: _wrong_pin,
        EndMenu: _end,
    }


def _serves(config: Config, salesperson: str, campaign: str) -> bool:
    return salesperson in config.campaigns.get(campaign, config.unknown).ring.to


def _failure(error: AriError) -> Failure:
    if isinstance(error, AriGone):
        return Failure.GONE
    return Failure.LINK if isinstance(error, AriDisconnected) else Failure.ERROR
