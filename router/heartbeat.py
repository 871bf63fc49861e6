"""The router's sign of life, where the dialplan sees it: Asterisk's own clock, read and written back each second.

A router that hangs, or a link that is silent, leaves the application registered: Stasis would take new calls, and
nobody would come. So the dialplan looks at this first, and goes straight to the fallback when it is old. What is
written is what Asterisk said the time was before: a value that was on its way for long, or lay in a process that
stood still, is as old as it looks, and no two clocks are compared.
"""

from __future__ import annotations

import asyncio
import logging
import re
from typing import Final

from router.ari.client import Client
from router.dialplan import ALIVE_VARIABLE
from router.errors import AriError
from router.log import fact

log: Final = logging.getLogger("router.heartbeat")

EVERY: Final = 1.0
"""Seconds between the beginnings of two rounds; a round that takes longer is waited for."""
LETTING_GO: Final = 0.5
"""Seconds that Asterisk has to take the last word of a router that stops."""
CLOCK: Final = "EPOCH"
"""The variable that Asterisk makes of its clock without any channel (22.10; STRFTIME is empty there)."""

_EPOCH: Final = re.compile(r"[0-9]{9,12}", re.ASCII)


class Heartbeat:
    """Event loop only, and made within it. One round at a time: a read, and a write once the read is answered."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._loop = asyncio.get_running_loop()
        self._up = asyncio.Event()
        self._over = False
        self._read_at: float | None = None
        """When the value was asked for that Asterisk was last given."""
        self._said = ""

    def connected(self) -> None:
        """The link carries requests, and what it missed is caught up with: new calls are in good hands."""
        if not self._over:
            self._up.set()

    def lost(self) -> None:
        self._up.clear()

    @property
    def age(self) -> float | None:
        """Seconds by which what Asterisk knows of us is old; None while it knows nothing."""
        return None if self._read_at is None else max(0.0, self._loop.time() - self._read_at)

    async def run(self) -> None:
        """For ever."""
        while True:
            await self._up.wait()
            began = self._loop.time()
            await self._round()
            await asyncio.sleep(began + EVERY - self._loop.time())

    async def withdraw(self) -> None:
        """Leave nothing behind that would grow old: without a router Stasis fails at once by itself."""
        self._over = True
        if not self._up.is_set():
            return
        self._up.clear()
        self._read_at = None
        try:
            async with asyncio.timeout(LETTING_GO):
                await self._client.set_global(ALIVE_VARIABLE, "")
        except (AriError, TimeoutError) as error:
            log.debug(fact(event="heartbeat_left", why=error))

    async def _round(self) -> None:
        asked = self._loop.time()
        try:
            epoch = await self._client.global_variable(CLOCK)
            if not _EPOCH.fullmatch(epoch):
                self._say("this Asterisk does not tell its clock")
                # What an earlier router left there would send every call to the fallback.
                await self._client.set_global(ALIVE_VARIABLE, "")
                return
            if not self._up.is_set():
                return  # Lost, or withdrawn, in the meantime.
            await self._client.set_global(ALIVE_VARIABLE, epoch)
        except AriError as error:
            self._say(str(error))
        else:
            if not self._over:
                self._read_at = asked
            self._said = ""

    def _say(self, why: str) -> None:
        """Once for each change: a lost link says so itself, and this each second."""
        if why != self._said and self._up.is_set():
            log.warning(fact(event="no_heartbeat", why=why))
            self._said = why
