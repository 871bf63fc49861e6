"""Gathers the signs of life, and answers for them. Runs beside the calls: nothing of theirs waits for it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from router.ari.link import LinkHealth
from router.health.server import HealthServer
from router.health.signs import Signs, TrunkState, judge
from router.health.tally import Tally
from router.log import fact
from router.model import Config, Health
from router.store.look import Look, look
from router.store.writer import WriterHealth
from router.trunks import Trunks

log: Final = logging.getLogger("router.health")

BEAT: Final = 0.5
"""Seconds between two beats of the loop's pulse."""
KEPT: Final = 30
"""Beats that are remembered: 15 s, so that no scrape misses one."""
LOOK: Final = 2.5
"""Seconds between two looks at whether the database takes rows."""
COUNT: Final = 6
"""Every so many looks, what is owed is counted: every 15 s."""


class Monitor:
    """Event loop only. Make it within the loop."""

    def __init__(
        self,
        *,
        link: Callable[[], LinkHealth],
        writer: Callable[[], WriterHealth],
        calls: Callable[[], int],
        trunks: Trunks,
        heartbeat: Callable[[], float | None] = lambda: None,
        dialplan: Callable[[], str] = lambda: "",
    ) -> None:
        """`calls`: how many have not ended. `heartbeat`: the age of our sign of life. `dialplan`: why it is
        stale."""
        self.tally = Tally()
        self._link = link
        self._writer = writer
        self._calls = calls
        self._trunks = trunks
        self._heartbeat = heartbeat
        self._dialplan = dialplan
        self._config: Config | None = None
        self._server = HealthServer(
            lag=self._lag, heartbeat=heartbeat, verdict=lambda: judge(self.signs()), metrics=self._metrics
        )
        self._where: Health | None = None
        """Where it listens."""
        self._connections = 0
        self._reload_refused = False
        self._fallback_stale = False
        self._lags: deque[float] = deque(maxlen=KEPT)
        self._spooled_since: float | None = None
        self._look: Look | None = None
        self._looked_at = time.monotonic()

    # --- What the service says ----------------------------------------------------------------------------

    async def listen(self, where: Health | None) -> None:
        """Answer there, and nowhere else; None: nowhere."""
        if where == self._where:
            return
        if self._where is not None:
            await self._server.close()
            self._where = None
        if where is not None and await self._server.start(where):
            self._where = where
            # From now on somebody listens to what the looks find.
            self._look, self._looked_at = None, time.monotonic()
            log.info(fact(event="health", listen=f"{where.host}:{where.port}"))

    async def adopt(self, config: Config, *, fallback_stale: bool) -> None:
        """This configuration is in force."""
        self._config = config
        self._reload_refused, self._fallback_stale = False, fallback_stale
        self.tally.configure(config)
        await self.listen(config.health)

    def reload_refused(self) -> None:
        self._reload_refused = True

    def connected(self) -> None:
        """To Asterisk, and caught up with it."""
        self._connections += 1

    # --- Regular work -------------------------------------------------------------------------------------

    async def run(self) -> None:
        """For ever; cancelled, it ends at once."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._beat())
            group.create_task(self._watch_database())

    async def close(self) -> None:
        await self.listen(None)

    async def _beat(self) -> None:
        while True:
            began = time.monotonic()
            await asyncio.sleep(BEAT)
            now = time.monotonic()
            self._lags.append(max(0.0, now - began - BEAT))
            if not self._writer().spooled:
                self._spooled_since = None
            elif self._spooled_since is None:
                self._spooled_since = now

    async def _watch_database(self) -> None:
        """While anybody may ask: in a thread, as a disk may take its time."""
        turn = 0
        while True:
            if self._where is not None and self._config is not None:
                count = turn % COUNT == 0 or self._look is None or self._look.owed is None
                turn += 1
                config = self._config
                try:
                    found = await asyncio.to_thread(
                        look, config.database, time.time(), config.salespeople, count=count
                    )
                except Exception as error:
                    # A mistake of ours in here is not to end the router; the answer will be that none came.
                    log.error(fact(event="internal_error", about="health", error=type(error).__name__))
                    log.debug("", exc_info=error)
                else:
                    self._take(found, count=count)
            await asyncio.sleep(LOOK)

    def _take(self, found: Look, *, count: bool) -> None:
        if not count and self._look is not None and not found.trouble:
            found = Look(found.trouble, found.free, self._look.owed)
        self._look, self._looked_at = found, time.monotonic()

    # --- What is answered ---------------------------------------------------------------------------------

    def signs(self) -> Signs:
        """The state of things now."""
        now = time.monotonic()
        config = self._config
        down = self._trunks.down(now)
        since = self._spooled_since
        return Signs(
            config=None if config is None else config.version,
            link=self._link(),
            reconnects=max(0, self._connections - 1),
            writer=self._writer(),
            spooled_for=0.0 if since is None else max(0.0, now - since),
            look=self._look,
            looked=now - self._looked_at,
            lag=self._lag(),
            calls=self._calls(),
            trunks={
                name: TrunkState(name in down, self._trunks.legs(name))
                for name in (() if config is None else config.trunks)
            },
            reload_refused=self._reload_refused,
            fallback_stale=self._fallback_stale,
            heartbeat=self._heartbeat(),
            dialplan=self._dialplan(),
        )

    def _lag(self) -> float:
        return max(self._lags, default=0.0)

    async def _metrics(self) -> tuple[str, bytes]:
        signs, counts = self.signs(), self.tally.counts()

        def make() -> tuple[str, bytes]:
            from router.health.exposition import CONTENT_TYPE, expose  # prometheus_client is for those who ask

            return CONTENT_TYPE, expose(signs, counts)

        return await asyncio.to_thread(make)
