"""What lives in Asterisk, as it said when it was last asked, and when it was that the others left."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from router.ari.client import Client
from router.ari.wire import Bridge, Channel
from router.dialplan import ARRIVING, LEAVING
from router.events import Found
from router.ids import bridge_id
from router.model import Departure
from router.state import Call


@dataclass(frozen=True, slots=True)
class Away:
    """What is known of the time in which nobody listened to Asterisk. Unix times."""

    since: float | None = None
    """When it was last heard; None when it was heard all the while.

    Whoever has left without a word is taken to have left then: the dialplan leaves a word (`left`) as soon as the
    router has not been heard for some seconds, so it is wrong by those seconds at most.
    """
    left: Mapping[str, Departure] = field(default_factory=dict)
    """By the caller's channel."""
    over: frozenset[str] = frozenset()
    """Channels of calls that have ended: who is there still was not hung up in time."""

    def end_of(self, channel: str) -> Departure | None:
        """How this caller, who is gone, left; None when that is now."""
        since = None if self.since is None else Departure(self.since)
        return self.left.get(channel, since)


async def all_the_while() -> Away:
    """Asterisk was heard without a gap."""
    return Away()


#: How often, and after how many seconds, who is leaving is looked for once more: the script that leaves word for
#: him takes a tenth of a second of a processor that others may want too.
TRIES: Final = 40
PAUSE: Final = 0.05


@dataclass(frozen=True, slots=True)
class Alive:
    """`at` is the moment of the question, on the steady clock."""

    at: float
    channels: Mapping[str, Channel]
    """By id."""
    bridges: Sequence[Bridge]
    away: Away

    def of(self, call: Call) -> Found:
        """What of it belongs to this call."""
        ours = [self.channels[leg.id] for leg in call.legs if leg.id in self.channels]
        up = frozenset(channel.id for channel in ours if channel.state == "Up")
        together = next((bridge.channels for bridge in self.bridges if bridge.id == bridge_id(call.id)), ())
        bridged = frozenset(together) - {call.channel} if call.channel in together else frozenset()
        ringing = frozenset(channel.id for channel in ours) - up
        caller = call.channel in self.channels
        if caller:
            return Found(self.at, True, ringing, up, bridged)
        left = self.away.end_of(call.channel)
        return Found(self._end(call, left), False, ringing, up, bridged, left is not None and left.up)

    def taken_back(self, call: Call) -> bool:
        """Whether the dialplan has taken the caller back from us: the call and its end are the fallback's then.

        Who came while Asterisk made the list stands in it as on the way to us.
        """
        there = self.channels.get(call.channel)
        return there is not None and not there.app and there.context not in ARRIVING

    def _end(self, call: Call, left: Departure | None) -> float:
        """When the caller left, on the steady clock: after whatever else is known of the call."""
        if left is None:
            return self.at
        return min(self.at, max(call.started_at + (left.at - call.epoch), call.seen))


async def look(
    client: Client, clock: Callable[[], float], ours: Collection[str], away: Callable[[], Awaitable[Away]]
) -> Alive:
    """Ask Asterisk what lives. Who leaves word of having left is not there.

    `ours` are callers' channels: one that is just leaving is waited for, as the dialplan leaves its word before the
    channel is gone. Only then `away` is asked for those words. Raises AriError.
    """
    for _ in range(TRIES):
        at = clock()
        listed = await client.channels()
        if not any(channel.context == LEAVING and channel.id in ours for channel in listed):
            break
        await asyncio.sleep(PAUSE)
    channels = {channel.id: channel for channel in listed if channel.context != LEAVING}
    return Alive(at, channels, await client.bridges(), await away())
