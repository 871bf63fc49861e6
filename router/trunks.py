"""The trunks this moment: how many legs each carries, and which of them is down.

A trunk is down for half a minute when the carrier or Asterisk says that it could not take a leg, and twice as long
each time that repeats, up to five minutes; then one more leg tries it. AMI's word counts besides: what it calls
unreachable is down until it says otherwise, or can no longer be asked. Times are seconds on one steady clock.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from router.ami import Contact, TrunkHealth, Watch
from router.errors import RouterError
from router.log import fact
from router.model import Config

log: Final = logging.getLogger("router.trunks")

SHORTEST: Final = 30.0
"""Seconds for which a trunk is left alone at first."""
LONGEST: Final = 300.0
"""Seconds for which a trunk is left alone at most."""
POLL: Final = 10.0
"""Seconds between two questions to AMI."""
NOT_THE_TRUNK: Final = frozenset((501, 505, 513))
"""Server errors (RFC 3261 section 21.5) that are about this one request and not about the server: method not
implemented, version not supported, message too large."""


@dataclass(slots=True)
class _Trunk:
    max_calls: int | None = None
    legs: int = 0
    until: float | None = None
    """When a leg may try it again; None: nothing was said against it."""
    seconds: float = 0.0
    """How long it was left alone the last time."""
    reachable: bool | None = None
    """AMI's word."""

    @property
    def spare(self) -> bool:
        return self.max_calls is None or self.legs < self.max_calls

    def down(self, now: float) -> bool:
        return self.reachable is False or (self.until is not None and now < self.until)


class Trunks:
    """Event loop only; no method waits."""

    def __init__(self, config: Config | None = None) -> None:
        self._trunks: dict[str, _Trunk] = {}
        if config is not None:
            self.configure(config)

    def configure(self, config: Config) -> None:
        """The trunks and their caps are these now; legs that are up still count, and what is known of one stays."""
        for trunk in config.trunks.values():
            self._of(trunk.id).max_calls = trunk.max_calls
        for gone in self._trunks.keys() - config.trunks.keys():
            if self._trunks[gone].legs:
                self._trunks[gone].max_calls = None
            else:
                del self._trunks[gone]

    # --- Places -------------------------------------------------------------------------------------------

    def take(self, trunk: str) -> bool:
        """A place for one leg; False where all are taken. A trunk that is in the file no more has no limit."""
        found = self._of(trunk)
        if not found.spare:
            return False
        found.legs += 1
        return True

    def release(self, trunk: str) -> None:
        """The leg is over: once for each `take` that was granted."""
        found = self._of(trunk)
        found.legs = max(0, found.legs - 1)

    def legs(self, trunk: str) -> int:
        """How many legs this trunk carries."""
        found = self._trunks.get(trunk)
        return 0 if found is None else found.legs

    # --- Health -------------------------------------------------------------------------------------------

    def heard(self, trunk: str, sip_status: int | None, placed: bool, now: float, *, rang: bool = False) -> None:
        """What became of a leg: its final SIP status where known, whether it could be created, whether it `rang`
        (ringing, early media or an answer). A leg for which `take` had no place says nothing about the trunk.
        """
        found = self._of(trunk)
        if rang:
            if found.until is not None:
                found.until, found.seconds = None, 0.0
                log.info(fact(event="trunk_up", trunk=trunk, why="a leg rang"))
            return
        why = _complaint(sip_status, placed)
        if why is None or (found.until is not None and now < found.until):
            # Legs that were on their way when it went down are the same news.
            return
        repeated = found.until is not None and now - found.until < LONGEST
        found.seconds = min(found.seconds * 2, LONGEST) if repeated else SHORTEST
        found.until = now + found.seconds
        log.warning(fact(event="trunk_down", trunk=trunk, why=why, seconds=round(found.seconds)))

    def down(self, now: float) -> frozenset[str]:
        """The trunks that are to be tried last."""
        return frozenset(name for name, trunk in self._trunks.items() if trunk.down(now))

    def set_health(self, reachable: Mapping[str, bool | None]) -> None:
        """AMI's word on each trunk; None, and a trunk that is not named: it has none."""
        for name, trunk in self._trunks.items():
            before, trunk.reachable = trunk.reachable, reachable.get(name)
            if trunk.reachable is False and before is not False:
                log.warning(fact(event="trunk_down", trunk=name, why="AMI: unreachable"))
            elif before is False and trunk.reachable is not False:
                log.info(fact(event="trunk_up", trunk=name, why="AMI" if trunk.reachable else "AMI says no more"))

    def _of(self, trunk: str) -> _Trunk:
        return self._trunks.setdefault(trunk, _Trunk())


def _complaint(sip_status: int | None, placed: bool) -> str | None:
    """Why a leg that never rang says that its trunk is down; None when it says nothing of the kind."""
    if not placed:
        return "not placed"
    if sip_status is None or sip_status in NOT_THE_TRUNK:
        return None
    return f"SIP {sip_status}" if sip_status == 408 or 500 <= sip_status <= 599 else None


# --- AMI --------------------------------------------------------------------------------------------------


async def watch(config: Callable[[], Config], trunks: Trunks, *, every: float = POLL) -> None:
    """Ask AMI about the trunks for ever, over one connection; without `asterisk.ami` there is nobody to ask.

    Away and back are each said once. Cancelled, it closes its connection.
    """
    connection = Watch()
    away = False
    try:
        while True:
            try:
                found = await connection.ask(config())
            except (RouterError, OSError, ValueError) as error:
                # Whatever AMI sends, or a file says of it: calls go on without.
                trunks.set_health({})
                if not away:
                    log.warning(fact(event="ami_away", why=error))
                away = True
            else:
                if away:
                    log.info(fact(event="ami_back" if found is not None else "ami_no_more"))
                away = False
                trunks.set_health({each.trunk: _reachable(each) for each in found or ()})
            await asyncio.sleep(every)
    finally:
        connection.close()


def _reachable(health: TrunkHealth) -> bool | None:
    """A trunk without a contact may still be dialled by its address: only the next leg can say."""
    return {Contact.REACHABLE: True, Contact.UNREACHABLE: False}.get(health.contact)
