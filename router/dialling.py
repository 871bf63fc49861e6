"""How a leg is dialled: its channel is created, and once it is in our application it is dialled.

ARI's originate does both at once, but follows a redirect (302) from the far end to whatever that names, and hangs
up on whoever answers while nobody listens to the application. A channel that is created and dialled does neither.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from router.ari.client import Client
from router.ari.wire import Channel
from router.dress import dress
from router.errors import AriConflict, AriDisconnected
from router.events import Event, Failed, Failure, Originate
from router.log import fact
from router.state import Leg, Phase

if TYPE_CHECKING:
    from router.execute import Live

log: Final = logging.getLogger("router.dialling")

#: Asterisk's function that ends a channel by itself, whole seconds after it is set; 0 unsets it.
DEAD_MAN: Final = "TIMEOUT(absolute)"
#: Seconds for which a leg may live without a router beyond its ring and its key: a farewell, and a busy machine.
DEAD_MAN_SLACK: Final = 10.0
#: A function that is not empty once the far end has said anything at all to an INVITE (100 and 183 leave a channel
#: `Down`; measured on 22.10). A second dial then ends the leg; before an INVITE it is the first.
HEARD: Final = "HANGUPCAUSE_KEYS()"


class Dialling:
    """The legs on their way from created to dialled. `take` is told what goes wrong, never from within a call."""

    def __init__(self, client: Client, take: Callable[[Live, Event], None], clock: Callable[[], float]) -> None:
        self._client = client
        self._take = take
        self._clock = clock
        self._created: dict[str, Originate] = {}
        """Asked for, and not dialled by us."""
        self._unsure: dict[str, Originate] = {}
        """Nobody knows whether Asterisk has dialled them."""

    def create(self, live: Live, command: Originate) -> asyncio.Future[Channel]:
        """Make the leg's channel. It rings nobody before `ready`."""
        call, route = live.call, command.route
        self._created[command.leg] = command
        ours = next(iter(live.config.by_number), "")
        return self._client.create(
            route.endpoint,
            channel_id=command.leg,
            app_args="leg",
            originator=call.channel,
            variables={
                **dress(route, live.config.trunks.get(route.trunk), ours),
                DEAD_MAN: _dead_man(live, command),
            },
            lane=call.id,
        )

    def ready(self, live: Live, leg: str) -> None:
        """The leg is in our application, `Down`: dial it, unless nobody waits for it any more. Once a leg."""
        command = self._created.pop(leg, None)
        state = live.call.leg(leg)
        if command is not None and state is not None and state.live:
            self._dial(live, command)

    def forget(self, leg: str) -> None:
        """The leg is no more, or is not to be dialled."""
        self._created.pop(leg, None)
        self._unsure.pop(leg, None)

    def found(self, calls: Iterable[Live], channels: Mapping[str, Channel]) -> None:
        """Asterisk was asked what lives: dial the legs that stand there, created and never dialled."""
        for live in calls:
            for leg in live.call.live_legs if live.call.phase is Phase.HUNTING else ():
                there = channels.get(leg.id)
                if there is not None and there.state == "Down" and there.app:
                    self._stands(live, leg)

    def _stands(self, live: Live, leg: Leg) -> None:
        """A leg that was waited for stands there, `Down`."""
        unsure = self._unsure.pop(leg.id, None)
        if leg.id in self._created:
            self.ready(live, leg.id)
        elif unsure is not None:
            self._ask(live, unsure)
        elif leg.earlier and leg.id not in live.asked:
            # Whether the earlier run came to dial it, nobody knows. Our own clocks end it long before this one.
            live.asked.add(leg.id)
            longest = live.call.this_hunt.max_wait
            target = leg.target
            self._ask(live, Originate(leg.id, target.salesperson, target.max_calls, leg.route, longest))

    def _ask(self, live: Live, command: Originate) -> None:
        """Dial it if the far end has said nothing yet. Had it been dialled all the same, Asterisk ends the leg (and
        sends no second INVITE): a far end without even a 100 has rung nobody."""

        def heard(future: asyncio.Future[str]) -> None:
            leg = live.call.leg(command.leg)
            if future.cancelled() or leg is None or not leg.live:
                return
            if future.exception() is not None:
                # Nobody knows still: asked again when Asterisk next says what lives.
                self._unsure[command.leg] = command
            elif not future.result():
                log.info(fact(call=live.call.id, event="dialled_late", leg=command.leg))
                self._dial(live, command)

        self._client.variable(command.leg, HEARD, lane=live.call.id).add_done_callback(heard)

    def _dial(self, live: Live, command: Originate) -> None:
        def done(future: asyncio.Future[Any]) -> None:
            error = None if future.cancelled() else future.exception()
            if error is None:
                return
            link = isinstance(error, AriDisconnected)
            if link or isinstance(error, AriConflict):
                self._unsure[command.leg] = command
            if isinstance(error, AriConflict):
                # Asterisk refuses to dial what is not `Down`: it rings or has answered. If not, the next look finds
                # it standing there.
                return
            why = f"{type(error).__name__}: {error}"
            log.debug(fact(call=live.call.id, event="refused", command="dial", why=why))
            # A leg that is gone is no caller who is gone: the hunt goes on.
            self._take(live, Failed(self._clock(), command, Failure.LINK if link else Failure.ERROR))

        future = self._client.dial(command.leg, timeout=command.timeout, lane=live.call.id)
        future.add_done_callback(done)


def _dead_man(live: Live, command: Originate) -> str:
    """When the leg is ended if nobody ever ends it: who answers a dead router hears silence until then."""
    return f"{math.ceil(command.timeout + live.call.plan.accept_timeout + DEAD_MAN_SLACK)}"
