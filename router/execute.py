"""Carrying out what a call asks for: requests to Asterisk, timers, rows. What fails goes back as an event."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any, Final

from router import callbacks
from router.ari.client import Client
from router.errors import AriAllocation, AriConflict, AriDisconnected, AriError, AriGone
from router.events import (
    Command,
    Connect,
    Connected,
    Disconnect,
    Event,
    Failed,
    Failure,
    HangUpCaller,
    HangUpLeg,
    Originate,
    Save,
    Stage,
    StartTimer,
    StopTimer,
    Timer,
    TimerFired,
)
from router.ids import bridge_id
from router.log import fact
from router.model import AttemptRecord, CallRecord, Config
from router.records import attempt_records, call_record
from router.state import Call
from router.store.writer import Writer

log: Final = logging.getLogger("router.execute")

#: A dialplan context that does not exist: where a redirect (302) or a transfer (REFER) from the mobile's side ends.
NOWHERE: Final = "callrouter-nowhere"


class Live:
    """One call in memory, with the configuration it was decided on: a reload does not reach it."""

    __slots__ = ("call", "config", "stepped_at", "timers")

    def __init__(self, call: Call, config: Config) -> None:
        self.call = call
        self.config = config
        self.timers: dict[Timer, asyncio.TimerHandle] = {}
        self.stepped_at = call.started_at


class Executor:
    """The hands of the engine. `take` is called with each event that follows from a command."""

    def __init__(
        self, client: Client, writer: Writer, take: Callable[[Live, Event], None], clock: Callable[[], float]
    ) -> None:
        self._client = client
        self._writer = writer
        self._take = take
        self._clock = clock
        self._loop = asyncio.get_running_loop()

    def run(self, live: Live, command: Command) -> None:
        """Carry out one command; never blocks, never raises for what Asterisk refuses."""
        self._RUN[type(command)](self, live, command)

    # --- Asterisk -----------------------------------------------------------------------------------------

    def _originate(self, live: Live, command: Originate) -> None:
        number = command.caller_id or next(iter(live.config.by_number), "")
        future = self._client.originate(
            command.endpoint,
            channel_id=command.leg,
            app_args="leg",
            originator=live.call.channel,
            caller_id=number,
            timeout=command.timeout,
            variables=_dress(number, withheld=not command.caller_id),
            lane=live.call.id,
        )
        self._watch(live, command, future)

    def _hang_up_leg(self, live: Live, command: HangUpLeg) -> None:
        self._watch(live, command, self._client.hang_up(command.leg, "normal", lane=live.call.id))

    def _hang_up_caller(self, live: Live, command: HangUpCaller) -> None:
        self._watch(live, command, self._client.hang_up(live.call.channel, command.reason, lane=live.call.id))

    def _connect(self, live: Live, command: Connect) -> None:
        call, client = live.call, self._client
        bridge = bridge_id(call.id)
        self._watch(
            live,
            command,
            client.answer(call.channel, lane=call.id),
            client.create_bridge(bridge, lane=call.id),
            client.add_to_bridge(bridge, call.channel, command.leg, lane=call.id),
        )
        # The dead-man timer of the dialplan has done its work: a long talk is never cut.
        client.set_variable(call.channel, "TIMEOUT(absolute)", "0", lane=call.id)

    def _disconnect(self, live: Live, _command: Disconnect) -> None:
        self._client.destroy_bridge(bridge_id(live.call.id), lane=live.call.id)

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
                why = f"{type(error).__name__}: {error}"
                log.debug(fact(call=live.call.id, event="refused", command=type(command).__name__, why=why))
                self._take(live, Failed(self._clock(), command, _failure(command, error)))
            elif future is futures[-1] and isinstance(command, Connect):
                self._take(live, Connected(self._clock(), command.leg))

        for future in futures:
            future.add_done_callback(done)

    # --- Timers -------------------------------------------------------------------------------------------

    def _start_timer(self, live: Live, command: StartTimer) -> None:
        self._cancel(live, command.timer)
        live.timers[command.timer] = self._loop.call_later(command.seconds, self._fire, live, command.timer)

    def _stop_timer(self, live: Live, command: StopTimer) -> None:
        self._cancel(live, command.timer)

    def _cancel(self, live: Live, timer: Timer) -> None:
        handle = live.timers.pop(timer, None)
        if handle is not None:
            handle.cancel()

    def _fire(self, live: Live, timer: Timer) -> None:
        live.timers.pop(timer, None)
        self._take(live, TimerFired(self._clock(), timer))

    # --- Rows ---------------------------------------------------------------------------------------------

    def _save(self, live: Live, command: Save) -> None:
        record = call_record(live.call)
        if command.stage is Stage.OPENED:
            self._writer.call_opened(record)
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
        self._writer.call_ended(record, attempts, wish)

    _RUN: Final[dict[type, Callable[[Executor, Live, Any], None]]] = {
        Originate: _originate,
        HangUpLeg: _hang_up_leg,
        HangUpCaller: _hang_up_caller,
        Connect: _connect,
        Disconnect: _disconnect,
        StartTimer: _start_timer,
        StopTimer: _stop_timer,
        Save: _save,
    }


def _dress(number: str, *, withheld: bool) -> dict[str, str]:
    """What a leg is to show, and where it must not lead.

    Asterisk hands its originator's name, presentation and Diversion on to a leg, and its number too unless the leg
    is given another: what a caller put into them ends here. Anonymous is one of our numbers, withheld: the carrier
    wants to know whose call it is.
    """
    return {
        "CONNECTEDLINE(name,i)": "",
        "CONNECTEDLINE(num,i)": number,
        "CONNECTEDLINE(pres,i)": "prohib" if withheld else "allowed",
        "REDIRECTING(from-num-valid,i)": "0",
        "REDIRECTING(from-name-valid,i)": "0",
        "FORWARD_CONTEXT": NOWHERE,
        "TRANSFER_CONTEXT": NOWHERE,
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
