"""Carrying out what a call asks for: requests to Asterisk, timers, rows. What fails goes back as an event."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any, Final

from router import callbacks
from router.ari.client import Client
from router.ari.wire import RecordingFinished
from router.dialling import DEAD_MAN, Dialling
from router.errors import AriAllocation, AriConflict, AriDisconnected, AriError, AriGone
from router.events import (
    AnswerCaller,
    CallerLeft,
    Command,
    Connect,
    Connected,
    Disconnect,
    Event,
    Failed,
    Failure,
    Farewell,
    HangUpCaller,
    HangUpLeg,
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
    Whisper,
)
from router.finish import SHORTEST_MESSAGE, longest_words
from router.ids import bridge_id
from router.log import fact
from router.model import AttemptRecord, CallRecord, Config, Prompt
from router.playback import Player
from router.records import attempt_records, call_record, recording_name
from router.standing import Standing
from router.state import Call
from router.store.writer import Writer
from router.trunks import Trunks

log: Final = logging.getLogger("router.execute")

#: Seconds after which a timer that came while the link was away looks again.
LOOK_AGAIN: Final = 0.25
#: The caller, among the legs of a call.
CALLER: Final = ""
#: Seconds after which a leg that hears why it is given up is hung up, heard or not.
LONGEST_FAREWELL: Final = 8.0
#: Seconds within which a hang-up is told after what it cut off (measured on 22.10: milliseconds).
HANG_UP_TOLD: Final = 0.1
#: Playbacks of one call: more is a sound that has no length.
MOST_PLAYS: Final = 100
#: Seconds without a sound after which a message is over.
SILENCE: Final = 5.0


Ended = Callable[[CallRecord, Sequence[AttemptRecord]], None]
"""Told of each call that is over, when its row is on its way: once a call, and without waiting."""


class Live:
    """One call in memory, with the configuration it was decided on: a reload does not reach it."""

    __slots__ = (
        "asked", "call", "config", "farewells", "plays", "stepped_at", "timers", "trunks", "words"
    )  # fmt: skip

    def __init__(self, call: Call, config: Config) -> None:
        self.call = call
        self.config = config
        self.timers: dict[tuple[Timer, str], asyncio.TimerHandle] = {}
        self.stepped_at = call.started_at
        self.asked: set[str] = set()
        """Legs of an earlier run of which Asterisk was asked whether they had been dialled."""
        self.trunks: dict[str, str] = {}
        """Leg -> the trunk of which it takes up a place."""
        self.plays = 0
        """How often a whisper was said once more."""
        self.words: Say | None = None
        """What the caller is hearing."""
        self.farewells: dict[str, asyncio.TimerHandle] = {}
        """Legs that hear why they are given up -> when they are hung up at the latest."""


class Executor:
    """The hands of the engine. `take` is called with each event that follows from a command, never from within
    `run`."""

    def __init__(
        self,
        client: Client,
        writer: Writer,
        take: Callable[[Live, Event], None],
        clock: Callable[[], float],
        wall: Callable[[], float],
        on_ended: Ended | None = None,
        *,
        player: Player,
        standing: Standing,
        trunks: Trunks,
    ) -> None:
        self._client = client
        self._writer = writer
        self._take = take
        self._clock = clock
        self._wall = wall
        self._player = player
        self._standing = standing
        self._trunks = trunks
        self.dialling = Dialling(client, take, clock)
        self._on_ended = on_ended
        self._loop = asyncio.get_running_loop()

    def run(self, live: Live, command: Command) -> None:
        """Carry out one command; never blocks, never raises for what Asterisk refuses."""
        self._RUN[type(command)](self, live, command)

    # --- Legs ---------------------------------------------------------------------------------------------

    def _originate(self, live: Live, command: Originate) -> None:
        route = command.route
        if 0 < command.max_calls <= self._standing.engaged(command.salesperson):
            self._refuse(live, command, Failure.ENGAGED)
            return
        if not self._trunks.take(route.trunk):
            self._refuse(live, command, Failure.NOT_PLACED)
            return
        live.trunks[command.leg] = route.trunk
        self._standing.rung(command.salesperson, self._wall())
        self._watch(live, command, self.dialling.create(live, command))

    def _refuse(self, live: Live, command: Command, failure: Failure) -> None:
        """Not carried out, for a reason of our own: told once the commands beside it are under way."""
        self._loop.call_soon(lambda: self._take(live, Failed(self._clock(), command, failure)))

    def release(self, live: Live, leg: str) -> None:
        """The leg is no more: its place on the trunk is free, and nobody hears anything there."""
        trunk = live.trunks.pop(leg, None)
        if trunk is not None:
            self._trunks.release(trunk)
        self._player.forget(leg)
        self.dialling.forget(leg)
        handle = live.farewells.pop(leg, None)
        if handle is not None:
            handle.cancel()

    def _hang_up_leg(self, live: Live, command: HangUpLeg) -> None:
        self._watch(live, command, self._client.hang_up(command.leg, "normal", lane=live.call.id))

    def _whisper(self, live: Live, command: Whisper) -> None:
        parts = live.call.plan.whisper
        self._player.play(command.leg, parts, live.config.language, lane=live.call.id)

    def _farewell(self, live: Live, command: Farewell) -> None:
        self._player.play(command.leg, (command.prompt,), live.config.language, lane=live.call.id)
        latest = self._loop.call_later(LONGEST_FAREWELL, self.run, live, HangUpLeg(command.leg))
        live.farewells[command.leg] = latest

    # --- Both ---------------------------------------------------------------------------------------------

    def _connect(self, live: Live, command: Connect) -> None:
        call, client = live.call, self._client
        bridge = bridge_id(call.id)
        self._player.hush(command.leg, lane=call.id)
        self._player.hush(call.channel, lane=call.id)
        self._watch(
            live,
            command,
            client.answer(call.channel, lane=call.id),
            client.create_bridge(bridge, lane=call.id),
            client.add_to_bridge(bridge, call.channel, command.leg, lane=call.id),
        )
        # The dead man's timers have done their work: a long talk is never cut.
        client.set_variable(call.channel, DEAD_MAN, "0", lane=call.id)
        client.set_variable(command.leg, DEAD_MAN, "0", lane=call.id)

    def _disconnect(self, live: Live, _command: Disconnect) -> None:
        self._client.destroy_bridge(bridge_id(live.call.id), lane=live.call.id)

    # --- The caller ---------------------------------------------------------------------------------------

    def _hang_up_caller(self, live: Live, command: HangUpCaller) -> None:
        self._watch(live, command, self._client.hang_up(live.call.channel, command.reason, lane=live.call.id))

    def _answer_caller(self, live: Live, command: AnswerCaller) -> None:
        call = live.call
        # Words take longer than the ringing that the dialplan's dead-man timer was made for.
        self._client.set_variable(call.channel, DEAD_MAN, f"{longest_words(call):.0f}", lane=call.id)
        self._watch(live, command, self._client.answer(call.channel, lane=call.id))

    def _say(self, live: Live, command: Say) -> None:
        live.words = command
        call = live.call
        future = self._player.play(call.channel, command.parts, live.config.language, lane=call.id)
        self._watch(live, command, future)

    def _ring_back(self, live: Live, _command: RingBack) -> None:
        self._player.hush(live.call.channel, lane=live.call.id)
        live.words = None
        self._client.ring(live.call.channel, lane=live.call.id)

    def _record(self, live: Live, command: Record) -> None:
        call = live.call
        future = self._client.record(
            call.channel, recording_name(call), longest=command.longest, silence=SILENCE, lane=call.id
        )
        self._watch(live, command, future)

    # --- What is heard ------------------------------------------------------------------------------------

    def played(self, live: Live, leg: str, *, failed: bool) -> None:
        """What the leg (or the caller) was to hear is over."""
        if leg in live.farewells:
            live.farewells.pop(leg).cancel()
            self.run(live, HangUpLeg(leg))
        elif leg:
            self._again(live, leg, failed=failed)
        elif live.words is not None:
            words, live.words = live.words, None
            # A beep in the place of words has told the caller nothing.
            if failed or self._player.lacks(words.parts):
                self._later(live, lambda at: Failed(at, words, Failure.ERROR))
            else:
                self._take(live, Said(self._clock()))

    def _again(self, live: Live, leg: str, *, failed: bool) -> None:
        """Whoever has not pressed a key yet hears the whisper once more; a beep where there is nothing to hear."""
        state = live.call.leg(leg)
        if state is not None and state.listening and live.plays < MOST_PLAYS:
            live.plays += 1
            parts = (Prompt.BEEP,) if failed else live.call.plan.whisper
            self._player.play(leg, parts, live.config.language, lane=live.call.id)

    def recorded(self, live: Live, event: RecordingFinished) -> None:
        """The caller's message is over; one that is none is not kept."""
        seconds = None if event.failed else float(event.duration if event.talking is None else event.talking)
        if seconds is not None and seconds < SHORTEST_MESSAGE:
            self._client.delete_recording(event.name, lane=live.call.id)
        self._later(live, lambda at: Recorded(at, seconds))

    def _later(self, live: Live, event: Callable[[float], Event]) -> None:
        """Tell it in a moment: words and recordings that a hang-up cuts off end just before the hang-up is told,
        and who ended the call is to be known first."""
        self._loop.call_later(HANG_UP_TOLD, lambda: self._take(live, event(self._clock())))

    # --- Answers ------------------------------------------------------------------------------------------

    def _watch(self, live: Live, command: Command, *futures: asyncio.Future[Any]) -> None:
        """Tell the call how its command went: once if it was refused, and that it is connected when it is.

        The requests of a call are carried out in order, so the last one's yes is the whole command's. A conflict
        before it (the bridge is there already) is left to it to judge.
        """
        told = False

        def done(future: asyncio.Future[Any]) -> None:
            nonlocal told
            if told or future.cancelled():
                return
            error = future.exception()
            if isinstance(error, AriConflict) and future is not futures[-1]:
                return
            if error is not None:
                told = True
                if isinstance(error, AriAllocation) and isinstance(command, Originate):
                    self._trunks.heard(command.route.trunk, None, False, self._clock())
                why = f"{type(error).__name__}: {error}"
                log.debug(fact(call=live.call.id, event="refused", command=type(command).__name__, why=why))
                self._take(live, Failed(self._clock(), command, _failure(command, error)))
                if isinstance(error, AriGone) and isinstance(command, Connect) and future is futures[0]:
                    # The caller is not there to be answered, and that end was not heard.
                    self._take(live, CallerLeft(self._clock()))
            elif future is futures[-1] and isinstance(command, Connect):
                self._take(live, Connected(self._clock(), command.leg))

        for future in futures:
            future.add_done_callback(done)

    # --- Timers -------------------------------------------------------------------------------------------

    def _start_timer(self, live: Live, command: StartTimer) -> None:
        which = (command.timer, command.leg)
        self._cancel(live, which)
        live.timers[which] = self._loop.call_later(command.seconds, self._fire, live, which)

    def _stop_timer(self, live: Live, command: StopTimer) -> None:
        self._cancel(live, (command.timer, command.leg))

    def _cancel(self, live: Live, which: tuple[Timer, str]) -> None:
        handle = live.timers.pop(which, None)
        if handle is not None:
            handle.cancel()

    def _fire(self, live: Live, which: tuple[Timer, str]) -> None:
        live.timers.pop(which, None)
        if self._client.steady:
            self._take(live, TimerFired(self._clock(), *which))
        else:
            # Nothing could be done about it, and much may have happened: what lives is looked at first. A process
            # that stood still gives its link up for that.
            live.timers[which] = self._loop.call_later(LOOK_AGAIN, self._fire, live, which)

    def let_go(self, live: Live) -> None:
        """The caller is in other hands: nobody is to ring for us, and nothing more is written."""
        for handle in live.timers.values():
            handle.cancel()
        live.timers.clear()
        for leg in live.call.legs:
            if not leg.gone:
                self._client.hang_up(leg.id, "normal", lane=live.call.id)
            self.release(live, leg.id)

    # --- Rows ---------------------------------------------------------------------------------------------

    def _save(self, live: Live, command: Save) -> None:
        record = call_record(live.call)
        if record.outcome is not None and command.stage is not Stage.ENDED:
            # The end follows among the same commands. Should we be killed between the two, a row that has its
            # outcome would be taken for done, and its callback be forgotten.
            return
        if command.stage in (Stage.OPENED, Stage.HUNTING):
            self._writer.call_opened(record, attempt_records(live.call))
        elif command.stage is Stage.ANSWERED:
            self._writer.call_answered(record, attempt_records(live.call))
        else:
            self.save_end(live.config, record, attempt_records(live.call))

    def save_end(self, config: Config, record: CallRecord, attempts: Sequence[AttemptRecord]) -> None:
        """Write the end of a call, and the callback it asks for, as one transaction."""
        campaign = config.campaigns.get(record.campaign, config.unknown)
        hours = config.hours[campaign.hours] if campaign.hours else None
        wish = None
        if record.outcome is not None and record.ended_at is not None:
            wish = callbacks.wish(campaign, hours, record.caller, record.outcome, record.ended_at)
        self._standing.ended(record, owed=wish is not None)
        self._writer.call_ended(record, attempts, wish)
        if self._on_ended is not None:
            self._on_ended(record, attempts)

    _RUN: Final[dict[type, Callable[[Executor, Live, Any], None]]] = {
        Originate: _originate,
        Whisper: _whisper,
        Farewell: _farewell,
        AnswerCaller: _answer_caller,
        Say: _say,
        RingBack: _ring_back,
        Record: _record,
        HangUpLeg: _hang_up_leg,
        HangUpCaller: _hang_up_caller,
        Connect: _connect,
        Disconnect: _disconnect,
        StartTimer: _start_timer,
        StopTimer: _stop_timer,
        Save: _save,
    }


def _failure(command: Command, error: BaseException) -> Failure:
    match error:
        case AriGone():
            return Failure.GONE
        case AriConflict() if isinstance(command, Connect):
            # One of the two has left the application and is on its way out: its own end event says which.
            return Failure.GONE
        case AriAllocation():
            return Failure.NOT_PLACED
        case AriDisconnected():
            return Failure.LINK
        case AriError():
            return Failure.ERROR
        case _:
            raise error
