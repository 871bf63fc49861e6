"""The shell around the calls: Asterisk's events in, each call's commands out. Only here do calls meet the world.

Every decision is made in the pure rooms; the engine finds the call an event belongs to, lets `step` move it on, and
carries out what `step` asks for, in order. What fails comes back to the call as an event. Nothing here waits:
requests are handed to the link, rows to the writer.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from router import recovery, routing
from router.accounts import Accounts
from router.alive import Alive, Away, all_the_while, look
from router.ari import wire
from router.ari.client import Client
from router.call import begin, step, take_up
from router.dialplan import HANDOVER
from router.events import CallerLeft, Command, Event, Key, LegDown, LegRinging, LegUp
from router.execute import CALLER, Ended, Executor, Live
from router.ids import call_of_leg, new_call_id
from router.inbound import read_inbound
from router.log import fact
from router.menu import Menu
from router.model import AttemptRecord, CallRecord, Config, Decision
from router.own_line import OwnLine
from router.past import LiveRows
from router.playback import Player
from router.standing import Standing
from router.state import Call, Phase
from router.store.writer import Writer
from router.trunks import Trunks

if TYPE_CHECKING:
    from router.sounds import Sounds

log: Final = logging.getLogger("router.engine")

#: Seconds without a step after which the regular audit believes Asterisk's lists over its own: what was asked for a
#: moment ago may not stand in them yet.
SETTLING: Final = 10.0


class Engine:
    """All the calls of this router. Everything runs on one event loop; no method blocks."""

    def __init__(
        self,
        config: Config,
        client: Client,
        writer: Writer,
        *,
        sounds: Sounds,
        standing: Standing,
        trunks: Trunks,
        on_ended: Ended | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.config = config
        self._client = client
        self._clock = clock
        self._wall = wall
        self._loop = asyncio.get_running_loop()
        self._standing = standing
        self._trunks = trunks
        self._player = Player(client, sounds)
        self._executor = Executor(
            client, writer, self._take, clock, wall, on_ended, player=self._player, standing=standing, trunks=trunks
        )
        self._own_line = OwnLine(client, writer, self._player, standing, clock, wall)
        self._calls: dict[str, Live] = {}
        """Calls that are not settled, by call id."""
        self._callers: dict[str, Live] = {}
        """The same, by the caller's channel."""
        self._accounts = Accounts(
            self._calls, self._take, self._executor, standing=standing, trunks=trunks, clock=clock, wall=wall
        )
        self._dialstatus: dict[str, str] = {}
        """The last word of Dial events on legs that still exist."""
        self._left: deque[str] = deque(maxlen=64)
        """Channels of nobody's that have ended: an arrival that comes after its own end rings nobody."""
        self._settled: set[str] = set()
        """Callers whose calls were settled since Asterisk was last asked what lives."""

    # --- What others look at ------------------------------------------------------------------------------

    @property
    def calls(self) -> tuple[Call, ...]:
        """Every call that is not settled."""
        return tuple(live.call for live in self._calls.values())

    @property
    def active(self) -> int:
        """How many calls have not ended."""
        return sum(live.call.phase is not Phase.ENDED for live in self._calls.values())

    @property
    def menus(self) -> tuple[Menu, ...]:
        """Every salesperson who is on the own line."""
        return self._own_line.menus

    # --- Events in ----------------------------------------------------------------------------------------

    def on_event(self, event: object) -> None:
        """Take one event of Asterisk's; those of channels that are not ours mean nothing to us."""
        handler = self._HANDLERS.get(type(event))
        if handler is not None:
            handler(self, event)

    def _on_stasis_start(self, event: wire.StasisStart) -> None:
        channel = event.channel
        if channel.id in self._callers or channel.id in self._own_line:
            return
        owner = call_of_leg(channel.id)
        if owner is not None:
            self._on_leg(owner, channel.id, up=channel.state == "Up")
        elif event.args[:1] == ("in",):
            self._arrive(channel, event.args)
            live = self._callers.get(channel.id)
            if live is not None and channel.id in self._left:
                self._take(live, CallerLeft(self._clock()))
        else:
            # Not the dialplan that we generated: the caller is better served by what comes after Stasis there.
            log.warning(fact(event="foreign_channel", channel=channel.id))
            self._client.continue_in_dialplan(channel.id)

    def _on_leg(self, owner: str, leg: str, *, up: bool) -> None:
        """A leg is in our application: to be dialled, unless it is `up`."""
        live = self._calls.get(owner)
        if live is None:
            self._hang_up_orphan(leg)
        elif up:
            self._take(live, LegUp(self._clock(), leg))
        else:
            self._executor.dialling.ready(live, leg)

    def _on_dial(self, event: wire.Dial) -> None:
        leg = event.peer.id
        owner = call_of_leg(leg)
        live = self._calls.get(owner or "")
        if owner is not None and event.dialstatus == "ANSWER":
            self._on_leg(owner, leg, up=True)
        elif live is not None and event.dialstatus in ("RINGING", "PROGRESS"):
            # 183 is how carriers ring that send their own ringing tone.
            self._take(live, LegRinging(self._clock(), leg))
        elif live is not None and event.dialstatus:
            self._dialstatus[leg] = event.dialstatus

    def _on_gone(self, event: wire.StasisEnd | wire.ChannelDestroyed) -> None:
        """A channel has left: the first event that says so counts, but a leg that nobody answered ends with its
        last one, which alone tells how."""
        channel = event.channel.id
        cause, status = (event.cause, event.sip_status) if isinstance(event, wire.ChannelDestroyed) else (0, None)
        live = self._callers.get(channel)
        if live is not None:
            self._take(live, CallerLeft(self._clock(), cause))
            return
        self._own_line.gone(channel)
        owner = call_of_leg(channel)
        if owner is None:
            self._left.append(channel)
        live = self._calls.get(owner or "")
        leg = live.call.leg(channel) if live else None
        if not live or not leg or (isinstance(event, wire.StasisEnd) and leg.answered_at is None):
            return
        dialstatus = self._dialstatus.pop(channel, "")
        self._take(live, LegDown(self._clock(), channel, dialstatus, cause, status))

    def _on_key(self, event: wire.ChannelDtmfReceived) -> None:
        found = self._owner(event.channel.id)
        if found is None:
            self._own_line.key(event.channel.id, event.digit)
        else:
            live, leg = found
            self._take(live, Key(self._clock(), leg, event.digit))

    def _on_played(self, event: wire.PlaybackFinished) -> None:
        channel = event.target.removeprefix("channel:")
        if not self._player.over(channel, event.playback):
            return
        found = self._owner(channel)
        if found is None:
            self._own_line.played(channel)
        else:
            live, leg = found
            self._executor.played(live, leg, failed=event.state != "done")

    def _on_recorded(self, event: wire.RecordingFinished) -> None:
        live = self._callers.get(event.target.removeprefix("channel:"))
        if live is not None:
            self._executor.recorded(live, event)

    def _owner(self, channel: str) -> tuple[Live, str] | None:
        """The call that a channel belongs to, and which leg it is: empty for the caller."""
        live = self._callers.get(channel)
        if live is not None:
            return live, CALLER
        owner = call_of_leg(channel)
        live = self._calls.get(owner or "")
        return (live, channel) if live else None

    # --- Calls --------------------------------------------------------------------------------------------

    def _arrive(self, channel: wire.Channel, args: tuple[str, ...]) -> None:
        """A caller is in our application: decide, and take the first step."""
        wall = self._wall()
        decision = self._decide(channel, args, wall)
        if decision is None:
            return
        self._standing.arrived(decision.caller, wall)
        self._standing.decided(decision, wall)
        if decision.staff is not None:
            self._own_line.arrive(self.config, channel.id, decision, decision.staff)
            return
        live = self._enter(new_call_id(wall), channel.id, decision, wall)
        log.info(fact(call=live.call.id, campaign=decision.campaign, event="arrived", source=decision.did.source))
        self._commit(live, *begin(live.call, live.call.started_at))

    def _take_up(self, row: CallRecord, attempts: Sequence[AttemptRecord], there: Alive) -> None:
        """A caller whom an earlier run of the router had let in waits still: go on where it was. Whether to let him
        in was decided then."""
        channel = there.channels[row.channel]
        decision = self._decide(channel, channel.app_args, row.started_at, again=True)
        if decision is None:
            return
        live = self._enter(row.id, channel.id, decision, row.started_at)
        log.info(fact(call=row.id, campaign=decision.campaign, event="taken_up", legs=len(attempts)))
        if attempts:
            live.call = recovery.taken_up(live.call, attempts)
            self._accounts.taken_over(live.call)
            self._commit(live, *take_up(live.call, there.of(live.call)))
        else:
            self._commit(
                live, *begin(live.call, self._clock(), first_seq=recovery.next_seq(row.id, there.channels))
            )

    def _enter(self, call_id: str, channel: str, decision: Decision, epoch: float) -> Live:
        call = Call(
            id=call_id,
            decision=decision,
            channel=channel,
            started_at=self._clock() - (self._wall() - epoch),
            epoch=epoch,
            config_version=self.config.version,
            node=self.config.node,
        )
        live = self._calls[call.id] = self._callers[channel] = Live(call, self.config)
        return live

    def _decide(
        self, channel: wire.Channel, args: tuple[str, ...], wall: float, again: bool = False
    ) -> Decision | None:
        """Whom to ring for who came at `wall` (Unix time), `again` if counted; None: the fallback decides."""
        try:
            inbound = read_inbound(args, channel.caller_number, channel.caller_name)
            situation = self._standing.situation(wall, self._trunks.down(self._clock()))
            if again:
                situation = replace(situation, recent={})
            return routing.decide(self.config, inbound, datetime.fromtimestamp(wall, UTC), situation)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with us, this caller is not left in silence
            self._hand_over(channel.id, error)
            return None

    def _hand_over(self, channel: str, error: Exception) -> None:
        """Let the fallback take a caller for whom we cannot decide. The error's text may hold his number."""
        log.error(fact(event="internal_error", about="decision", channel=channel, error=type(error).__name__))
        log.debug("", exc_info=error)
        context, exten, priority = HANDOVER
        self._client.continue_in_dialplan(channel, context=context, extension=exten, priority=priority)

    def _take(self, live: Live, event: Event) -> None:
        self._commit(live, *step(live.call, event))

    def _commit(self, live: Live, call: Call, commands: tuple[Command, ...]) -> None:
        before = live.call
        live.call = call
        live.stepped_at = self._clock()
        for command in commands:
            self._executor.run(live, command)
        if call.legs is not before.legs:
            self._accounts.stepped(live, before)
        if call.phase is not before.phase and call.phase not in (Phase.CONNECTING, Phase.ENDED):
            log.info(fact(call=call.id, campaign=call.decision.campaign, event=call.phase.value))
        if call.settled:
            self._forget(live)

    def _forget(self, live: Live) -> None:
        self._calls.pop(live.call.id, None)
        self._callers.pop(live.call.channel, None)
        self._settled.add(live.call.channel)
        self._player.forget(live.call.channel)
        for leg in live.call.legs:
            self._dialstatus.pop(leg.id, None)

    # --- Catching up --------------------------------------------------------------------------------------

    async def reconcile(
        self, rows: LiveRows = (), away: Callable[[], Awaitable[Away]] = all_the_while, *, audit: bool = False
    ) -> None:
        """Ask Asterisk what lives, and put it and our calls in step.

        `rows` are the live rows of an earlier run (at the first connect); `away` tells of the time in which nobody
        listened. An `audit` is the same between two connects, and leaves alone the calls that have moved in the
        last seconds.
        """
        self._settled.clear()
        ours = () if audit else {*self._callers, *(row[0].channel for row in rows)}
        there = await look(self._client, self._clock, ours, away)
        channels = there.channels
        recovered = self._recover(rows, there)
        for live in list(self._calls.values()):
            if live.call.phase is not Phase.ENDED and there.taken_back(live.call):
                self._let_go(live)
            elif not audit or there.at - live.stepped_at > SETTLING:
                self._take(live, there.of(live.call))
        self._settled |= self._own_line.found(there.at, channels, SETTLING if audit else 0.0)
        for row, attempts in recovered.waiting:
            self._take_up(row, attempts, there)
        self._executor.dialling.found(self._calls.values(), channels)
        calls = {call_id: live.call for call_id, live in self._calls.items()}
        legs, lone_bridges = recovery.orphans(channels, [bridge.id for bridge in there.bridges], calls)
        for leg in legs:
            self._hang_up_orphan(leg)
        for bridge in lone_bridges:
            self._client.destroy_bridge(bridge)
        found = [channel for channel in channels.values() if self._is_caller(channel)]
        for channel in await self._waiting([channel for channel in found if not self._is_known(channel.id)]):
            # Whoever has left while we asked still stands in the list.
            if self._is_known(channel.id):
                continue
            if channel.id in there.away.over:
                # The earlier run died after it had written the end, and before it hung up.
                self._client.hang_up(channel.id, "normal")
            else:
                self._arrive(channel, channel.app_args)

    def _let_go(self, live: Live) -> None:
        """The fallback rings for this caller now, and writes the end of the row that we opened."""
        log.warning(fact(call=live.call.id, campaign=live.call.decision.campaign, event="let_go"))
        self._accounts.let_go(live.call)
        self._executor.let_go(live)
        self._forget(live)

    async def _waiting(self, callers: Sequence[wire.Channel]) -> list[wire.Channel]:
        """Those of them that we can still serve. Asterisk lists a caller whom it could not give to us, as nobody
        was there, until the fallback takes its first step; whoever is not in our application cannot be made to
        ring."""
        rung = await asyncio.gather(*(self._client.ring(caller.id) for caller in callers), return_exceptions=True)
        return [caller for caller, answer in zip(callers, rung, strict=True) if answer is None]

    def _recover(self, rows: LiveRows, there: Alive) -> recovery.Recovered:
        """Take over the talks of an earlier run, and write the end of what nobody can take over."""
        in_app = frozenset(channel.id for channel in there.channels.values() if self._is_caller(channel))
        fresh = [row for row in rows if row[0].id not in self._calls and row[0].channel not in self._callers]
        found = recovery.recover(
            fresh,
            channels=frozenset(there.channels),
            in_app=in_app,
            at=self._clock(),
            wall=self._wall(),
            end_of=there.away.end_of,
        )
        for call in found.adopted:
            live = Live(call, self.config)
            self._calls[call.id] = self._callers[call.channel] = live
            self._accounts.taken_over(call)
            log.info(fact(call=call.id, campaign=call.decision.campaign, event="adopted"))
        for record, attempts in found.lost:
            log.warning(fact(call=record.id, campaign=record.campaign, event="lost"))
            self._executor.save_end(self.config, record, attempts)
        return found

    def _is_known(self, channel: str) -> bool:
        return channel in self._callers or channel in self._settled or channel in self._own_line

    def _is_caller(self, channel: wire.Channel) -> bool:
        return channel.app == self.config.ari.app and channel.app_args[:1] == ("in",)

    def _hang_up_orphan(self, leg: str) -> None:
        log.warning(fact(event="orphan_leg", channel=leg))
        self._client.hang_up(leg, "normal")

    _HANDLERS: Final[dict[type, Callable[[Engine, Any], None]]] = {
        wire.StasisStart: _on_stasis_start,
        wire.Dial: _on_dial,
        wire.StasisEnd: _on_gone,
        wire.ChannelDestroyed: _on_gone,
        wire.ChannelDtmfReceived: _on_key,
        wire.PlaybackFinished: _on_played,
        wire.RecordingFinished: _on_recorded,
    }
