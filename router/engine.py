"""The shell around the calls: Asterisk's events in, each call's commands out. Only here do calls meet the world.

Every decision is made in the pure rooms; the engine finds the call an event belongs to, lets `step` move it on, and
carries out what `step` asks for, in order. What fails comes back to the call as an event. Nothing here waits:
requests are handed to the link, rows to the writer.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from router import recovery, routing
from router.ari import wire
from router.ari.client import Client
from router.call import begin, step
from router.dialplan import HANDOVER
from router.events import CallerLeft, Command, Engaged, Event, Found, Key, LegDown, LegRinging, LegUp
from router.execute import CALLER, Ended, Executor, Live
from router.ids import bridge_id, call_of_leg, new_call_id
from router.inbound import read_inbound
from router.log import fact
from router.menu import Menu
from router.model import AttemptRecord, CallRecord, Config, Decision, Inbound
from router.own_line import OwnLine
from router.playback import Player
from router.standing import Standing
from router.state import Call, Leg, Phase
from router.store.writer import Writer
from router.trunks import Trunks

if TYPE_CHECKING:
    from router.sounds import Sounds

log: Final = logging.getLogger("router.engine")

LiveRows = Sequence[tuple[CallRecord, Sequence[AttemptRecord]]]

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
        self._dialstatus: dict[str, str] = {}
        """The last word of Dial events on legs that still exist."""
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
            self._on_leg_up(owner, channel.id)
        elif event.args[:1] == ("in",):
            self._arrive(channel, event.args)
        else:
            # Not the dialplan that we generated: the caller is better served by what comes after Stasis there.
            log.warning(fact(event="foreign_channel", channel=channel.id))
            self._client.continue_in_dialplan(channel.id)

    def _on_leg_up(self, owner: str, leg: str) -> None:
        live = self._calls.get(owner)
        if live is None:
            self._hang_up_orphan(leg)
        else:
            self._take(live, LegUp(self._clock(), leg))

    def _on_dial(self, event: wire.Dial) -> None:
        if event.forwarded:
            # Only campaigns.yaml says what is dialled: what a mobile's side redirects to is cancelled at once.
            log.warning(fact(event="redirect_cancelled", channel=event.peer.id))
            self._client.hang_up(event.forwarded, "normal")
        owner = call_of_leg(event.peer.id)
        live = self._calls.get(owner) if owner else None
        if live is None:
            return
        if event.dialstatus in ("RINGING", "PROGRESS"):
            # 183 is how carriers ring that send their own ringing tone.
            self._take(live, LegRinging(self._clock(), event.peer.id))
        elif event.dialstatus:
            self._dialstatus[event.peer.id] = event.dialstatus

    def _on_gone(self, event: wire.StasisEnd | wire.ChannelDestroyed) -> None:
        """A channel has left: of the several events that say so, the first one counts."""
        channel = event.channel.id
        live = self._callers.get(channel)
        if live is not None:
            self._take(live, CallerLeft(self._clock(), _cause(event)))
            return
        self._own_line.gone(channel)
        owner = call_of_leg(channel)
        live = self._calls.get(owner) if owner else None
        if live is None:
            return
        dialstatus = self._dialstatus.pop(channel, "")
        self._take(live, LegDown(self._clock(), channel, dialstatus, _cause(event), _sip_status(event)))

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
        live = self._calls.get(owner) if owner else None
        return (live, channel) if live is not None else None

    # --- Calls --------------------------------------------------------------------------------------------

    def _arrive(
        self, channel: wire.Channel, args: tuple[str, ...], row: CallRecord | None = None, seq: int = 1
    ) -> None:
        """A caller is in our application: decide, and take the first step.

        `row` is there when an earlier run of the router had opened one; its legs had the numbers below `seq`.
        """
        at, wall = self._clock(), self._wall()
        epoch = row.started_at if row else wall
        try:
            inbound = read_inbound(args, channel.caller_number, channel.caller_name)
            decision = self._decide(inbound, wall)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with us, this caller is not left in silence
            self._hand_over(channel.id, error)
            return
        if decision.staff is not None:
            self._own_line.arrive(self.config, channel.id, decision, decision.staff)
            return
        call = Call(
            id=row.id if row else new_call_id(wall),
            decision=decision,
            channel=channel.id,
            started_at=at - (wall - epoch),
            epoch=epoch,
            config_version=self.config.version,
            node=self.config.node,
        )
        live = Live(call, self.config)
        self._calls[call.id] = self._callers[channel.id] = live
        log.info(fact(call=call.id, campaign=decision.campaign, event="arrived", source=decision.did.source))
        self._commit(live, *begin(call, at, first_seq=seq))

    def _decide(self, inbound: Inbound, wall: float) -> Decision:
        situation = self._standing.situation(wall, self._trunks.down(self._clock()))
        decision = routing.decide(self.config, inbound, datetime.fromtimestamp(wall, UTC), situation)
        self._standing.arrived(decision.caller, wall)
        self._standing.decided(decision, wall)
        return decision

    def _hand_over(self, channel: str, error: Exception) -> None:
        """Let the fallback take a caller for whom we cannot decide. The error's text may hold his number."""
        log.error(fact(event="internal_error", about="decision", channel=channel, error=type(error).__name__))
        log.debug("", exc_info=error)
        context, extension, priority = HANDOVER
        self._client.continue_in_dialplan(channel, context=context, extension=extension, priority=priority)

    def _take(self, live: Live, event: Event) -> None:
        self._commit(live, *step(live.call, event))

    def _commit(self, live: Live, call: Call, commands: tuple[Command, ...]) -> None:
        before = live.call
        live.call = call
        live.stepped_at = self._clock()
        for command in commands:
            self._executor.run(live, command)
        if call.legs is not before.legs:
            self._account(live, before)
        if call.phase is not before.phase and call.phase is not Phase.CONNECTING:
            self._tell(call)
        if call.settled:
            self._forget(live)

    def _account(self, live: Live, before: Call) -> None:
        """Keep count of who is rung and who talks, and of what the trunks carry."""
        known = {leg.id: leg for leg in before.legs}
        for leg in live.call.legs:
            old = known.get(leg.id)
            if leg is old:
                continue
            if _rang(leg) and (old is None or not _rang(old)):
                self._trunks.heard(leg.route.trunk, None, True, self._clock(), rang=True)
            if leg.accepted_at is not None and (old is None or old.accepted_at is None):
                self._engage(live, leg)
            if not leg.live and (old is None or old.live):
                self._leg_ended(live, leg)
            if leg.gone and (old is None or not old.gone):
                self._executor.release(live, leg.id)

    def _engage(self, live: Live, leg: Leg) -> None:
        """Somebody has taken a call: at as many as may be at once, no other call rings that person on."""
        person = leg.target.salesperson
        self._standing.took(live.call.id, person)
        if not 0 < leg.target.max_calls <= self._standing.engaged(person):
            return
        for other in self._calls.values():
            for rung in other.call.live_legs:
                if other is not live and rung.target.salesperson == person and rung.answered_at is None:
                    self._loop.call_soon(self._take, other, Engaged(self._clock(), rung.id))

    def _leg_ended(self, live: Live, leg: Leg) -> None:
        if leg.accepted_at is not None:
            talked = live.call.answered_at is not None
            self._standing.left(live.call.id, leg.target.salesperson, self._wall(), talked=talked)
        if not _rang(leg):
            self._trunks.heard(leg.route.trunk, leg.sip_status, True, self._clock())

    def _tell(self, call: Call) -> None:
        outcome = call.outcome.value if call.outcome else None
        log.info(fact(call=call.id, campaign=call.decision.campaign, event=call.phase.value, outcome=outcome))

    def _forget(self, live: Live) -> None:
        self._calls.pop(live.call.id, None)
        self._callers.pop(live.call.channel, None)
        self._settled.add(live.call.channel)
        self._player.forget(live.call.channel)
        for leg in live.call.legs:
            self._dialstatus.pop(leg.id, None)

    # --- Catching up --------------------------------------------------------------------------------------

    async def reconcile(self, rows: LiveRows = (), *, audit: bool = False) -> None:
        """Ask Asterisk what lives, and put it and our calls in step.

        `rows` are the live rows of an earlier run (at the first connect). An `audit` is the same between two
        connects, and leaves alone the calls that have moved in the last seconds.
        """
        asked_at = self._clock()
        self._settled.clear()
        channels = {channel.id: channel for channel in await self._client.channels()}
        bridges = await self._client.bridges()
        recovered = self._recover(rows, channels)
        for live in list(self._calls.values()):
            if not audit or asked_at - live.stepped_at > SETTLING:
                self._take(live, self._found(live.call, asked_at, channels, bridges))
        self._settled |= self._own_line.found(asked_at, channels)
        for row in recovered.waiting:
            channel = channels[row.channel]
            self._arrive(channel, channel.app_args, row, recovery.next_seq(row.id, channels))
        calls = {call_id: live.call for call_id, live in self._calls.items()}
        legs, lone_bridges = recovery.orphans(channels, [bridge.id for bridge in bridges], calls)
        for leg in legs:
            self._hang_up_orphan(leg)
        for bridge in lone_bridges:
            self._client.destroy_bridge(bridge)
        for channel in channels.values():
            # Whoever has left while we asked still stands in the list.
            if self._is_caller(channel) and not self._is_known(channel.id):
                self._arrive(channel, channel.app_args)

    def _recover(self, rows: LiveRows, channels: dict[str, wire.Channel]) -> recovery.Recovered:
        """Take over the talks of an earlier run, and write the end of what nobody can take over."""
        in_app = frozenset(channel.id for channel in channels.values() if self._is_caller(channel))
        fresh = [row for row in rows if row[0].id not in self._calls and row[0].channel not in self._callers]
        found = recovery.recover(
            fresh, channels=frozenset(channels), in_app=in_app, at=self._clock(), wall=self._wall()
        )
        for call in found.adopted:
            live = Live(call, self.config)
            self._calls[call.id] = self._callers[call.channel] = live
            if call.winner is not None:
                self._standing.took(call.id, call.winner.target.salesperson)
            log.info(fact(call=call.id, campaign=call.decision.campaign, event="adopted"))
        for record, attempts in found.lost:
            log.warning(fact(call=record.id, campaign=record.campaign, event="lost"))
            self._executor.save_end(self.config, record, attempts)
        return found

    def _is_known(self, channel: str) -> bool:
        return channel in self._callers or channel in self._settled or channel in self._own_line

    def _is_caller(self, channel: wire.Channel) -> bool:
        return channel.app == self.config.ari.app and channel.app_args[:1] == ("in",)

    def _found(
        self, call: Call, at: float, channels: dict[str, wire.Channel], bridges: Sequence[wire.Bridge]
    ) -> Found:
        ours = [channels[leg.id] for leg in call.legs if leg.id in channels]
        up = frozenset(channel.id for channel in ours if channel.state == "Up")
        together = next((bridge.channels for bridge in bridges if bridge.id == bridge_id(call.id)), ())
        bridged = frozenset(together) - {call.channel} if call.channel in together else frozenset()
        ringing = frozenset(channel.id for channel in ours) - up
        return Found(at, call.channel in channels, ringing, up, bridged)

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


def _rang(leg: Leg) -> bool:
    return leg.ringing_at is not None or leg.answered_at is not None


def _cause(event: wire.StasisEnd | wire.ChannelDestroyed) -> int:
    return event.cause if isinstance(event, wire.ChannelDestroyed) else 0


def _sip_status(event: wire.StasisEnd | wire.ChannelDestroyed) -> int | None:
    return event.sip_status if isinstance(event, wire.ChannelDestroyed) else None
