"""The router as a process: what is started in which order, kept going, reloaded, and stopped.

Crash-only: stopping is letting go. The database is flushed and the link closed; whatever talks goes on in Asterisk,
and the next start takes it over. New calls meanwhile fall through to the AGI script and the static dialplan.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import logging
import os
import random
import signal
import time
from collections.abc import Coroutine, Iterable
from dataclasses import replace
from typing import Any, Final

from router import systemd
from router.alive import Away
from router.ari.client import Client
from router.ari.link import Link, Up
from router.config import load
from router.config.compiled import write as write_routes
from router.dialplan_upkeep import DialplanUpkeep
from router.engine import SETTLING, Engine
from router.errors import ConfigError, RouterError
from router.health.monitor import Monitor
from router.heartbeat import Heartbeat
from router.live import Document, LiveServer, snapshot, socket_path
from router.lock import RouterLock
from router.log import fact
from router.model import Config, Departure
from router.past import LiveRows, Past
from router.sounds import Sounds
from router.spoken import folder_of
from router.standing import Standing
from router.store.operations import CallEnded, Operation
from router.store.writer import Writer
from router.trunks import Trunks, watch

log: Final = logging.getLogger("router.service")

#: Seconds between two audits of Asterisk's channels against ours.
AUDIT: Final = 60.0
#: Seconds between those that follow a connection.
SOON: Final = (2.0, 4.0, 9.0)
#: Seconds between two looks at what the second and third line left for the database.
FALLBACK: Final = 10.0
#: Seconds between two looks at what the command line has written of pauses; every so many looks, of callbacks too.
FOLLOW: Final = 1.0
OWED_TURNS: Final = 10
#: Seconds between two looks at the file's date, with `--watch`.
WATCH: Final = 1.0
#: Seconds between two signs of life on the disk.
ALIVE: Final = 1.0


class Service:
    """One running router: `serve()` returns after SIGTERM or SIGINT."""

    def __init__(self, config: Config, lock: RouterLock, *, watch: bool) -> None:
        self._config = config
        self._lock = lock
        self._heard_at = lock.before
        """When this router or an earlier one last heard Asterisk, while nobody does."""
        self._watch = watch
        self._stop = asyncio.Event()
        self._reload = asyncio.Event()
        self._writer = Writer(
            config.database,
            node=config.node,
            on_trouble=self._trouble,
            on_mended=self._mended,
            on_stored=self._stored,
        )
        self._past = Past(config.database, config.node, self._writer)
        self._link = Link(
            config.ari, config.ari_password, on_event=self._on_event, on_up=self._on_up, on_down=self._on_down
        )
        client = Client(self._link)
        self._heartbeat = Heartbeat(client)
        self._dialplan = DialplanUpkeep(client)
        self._sounds = Sounds(folder_of(config.database))
        self._standing = Standing(random.Random())  # noqa: S311 - whose turn it is, is no secret
        self._trunks = Trunks(config)
        self._live = LiveServer(socket_path(config.database), self._snapshot)
        self._monitor = Monitor(
            link=self._link.health,
            writer=self._writer.health,
            calls=lambda: self._engine.active,
            trunks=self._trunks,
            heartbeat=lambda: self._heartbeat.age,
            dialplan=lambda: self._dialplan.stale,
        )
        self._started_at = time.time()
        self._recovered = False
        self._soon: asyncio.Task[None] | None = None
        self._catching_up = asyncio.Lock()
        """Two that ask at once what lives would each take the other's ended calls for new ones."""

    async def serve(self) -> None:
        """Run until told to stop."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._reload.set)
        # Here, as it belongs to this loop.
        self._engine = Engine(
            self._config,
            Client(self._link),
            self._writer,
            sounds=self._sounds,
            standing=self._standing,
            trunks=self._trunks,
            on_ended=self._monitor.tally.ended,
        )
        await self._monitor.listen(self._config.health)
        self._writer.start()
        await self._accept(self._config)
        await self._live.start()
        jobs: list[Coroutine[Any, Any, None]] = [
            self._link.run(),
            self._heartbeat.run(),
            self._dialplan.run(),
            self._stop_when_told(),
            self._reload_when_told(),
            self._audit_regularly(),
            self._gather_fallback(),
            self._remember(),
            self._follow(),
            self._monitor.run(),
            watch(lambda: self._config, self._trunks),
            self._watchdog(),
            self._stay_alive(),
        ]
        if self._watch:
            jobs.append(self._watch_file())
        try:
            async with asyncio.TaskGroup() as group:
                for job in jobs:
                    group.create_task(job)
        except* _Stopped:
            pass
        except* RouterError as errors:
            raise errors.exceptions[0] from None
        finally:
            systemd.notify("STOPPING=1")
            await self._live.close()
            await self._monitor.close()
            await self._link.close()
            await asyncio.to_thread(self._writer.close, 5.0)
            log.info(fact(event="stopped", calls=self._engine.active))

    # --- The link -----------------------------------------------------------------------------------------

    def _on_event(self, event: object) -> None:
        self._engine.on_event(event)

    async def _on_up(self, info: Up) -> None:
        rows: LiveRows = ()
        over: frozenset[str] = frozenset()
        if not self._recovered:
            await asyncio.to_thread(self._past.fallback, self._config)
            rows, over = await asyncio.to_thread(self._past.calls)
        left: dict[str, Departure] = {}

        async def away() -> Away:
            left.update(await asyncio.to_thread(self._past.departures))
            return Away(self._heard_at, left, over)

        async with self._catching_up:
            await self._engine.reconcile(rows, away)
        self._recovered = True
        if self._soon is not None:
            self._soon.cancel()
        self._soon = asyncio.create_task(self._audit_soon())
        self._forgetting = asyncio.create_task(asyncio.to_thread(self._past.forget, left))
        self._monitor.connected()
        self._heartbeat.connected()
        self._dialplan.connected()
        log.info(
            fact(
                event="ready",
                app=self._config.ari.app,
                config=self._config.version,
                asterisk=info.version,
                rest=info.transport,
            )
        )
        systemd.notify("READY=1")

    def _on_down(self) -> None:
        self._heard_at = time.time()
        self._heartbeat.lost()
        self._dialplan.lost()
        log.warning(fact(event="link_down", calls=self._engine.active))

    # --- The configuration --------------------------------------------------------------------------------

    async def _reload_when_told(self) -> None:
        while True:
            await self._reload.wait()
            self._reload.clear()
            systemd.notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
            try:
                fresh = await asyncio.to_thread(load, self._config.file)
            except ConfigError as error:
                for problem in error.problems:
                    log.error(fact(event="reload_refused", why=problem.text(error.file)))
                self._monitor.reload_refused()
            else:
                await self._adopt_config(fresh)
            systemd.notify("READY=1")

    async def _adopt_config(self, fresh: Config) -> None:
        old = self._config
        fresh = replace(fresh, database=old.database)
        if (fresh.ari, fresh.node) != (old.ari, old.node):
            log.warning(fact(event="restart_needed", why="asterisk.ari or node changed; the rest is in force"))
            fresh = replace(fresh, ari=old.ari, node=old.node)
        self._config = self._engine.config = fresh
        self._trunks.configure(fresh)
        await self._accept(fresh)
        log.info(fact(event="reloaded", config=fresh.version, campaigns=len(fresh.campaigns)))

    async def _accept(self, config: Config) -> None:
        """Leave the configuration for the AGI script, say in the database that it is in force, and have what it
        says spoken: a call that comes before that hears a beep."""
        stale = False
        try:
            await asyncio.to_thread(write_routes, config, f"{config.database}.routes")
        except (OSError, RouterError) as error:
            # A full disk, say: calls go on.
            stale = True
            log.error(fact(event="fallback_not_written", why=error, mend="the AGI script has old routes"))
        self._writer.config_accepted(config.version, time.time(), config.file)
        self._dialplan.adopt(config)
        await self._monitor.adopt(config, fallback_stale=stale)
        self._speaking = asyncio.create_task(self._speak(config))

    async def _speak(self, config: Config) -> None:
        for remark in await asyncio.to_thread(self._sounds.prepare, config):
            log.warning(fact(event="sound", why=remark))

    async def _watch_file(self) -> None:
        seen = _stamp(self._config.file)
        while True:
            await asyncio.sleep(WATCH)
            stamp = await asyncio.to_thread(_stamp, self._config.file)
            if stamp is not None and stamp != seen:
                seen = stamp
                self._reload.set()

    # --- What the database knows --------------------------------------------------------------------------

    async def _remember(self) -> None:
        """What earlier runs knew of callers and people; calls that come before it is there do without."""
        try:
            self._standing.load(await asyncio.to_thread(self._past.history))
        except RouterError as error:
            log.warning(fact(event="no_history", why=error))
            return
        # Hundreds of thousands of numbers that stay: the collector need not walk through them ever again.
        gc.collect()
        gc.freeze()

    async def _follow(self) -> None:
        """Take in what the command line has written: pauses at once, closed callbacks a little later."""
        for turn in itertools.count():
            await asyncio.sleep(FOLLOW)
            try:
                paused, owed = await asyncio.to_thread(self._past.asked, turn % OWED_TURNS == 0)
            except RouterError as error:
                log.debug(fact(event="not_followed", why=error))
                continue
            self._standing.set_pauses(paused)
            if owed is not None:
                self._standing.set_owed(owed)

    # --- Regular work -------------------------------------------------------------------------------------

    async def _audit_regularly(self) -> None:
        while True:
            await asyncio.sleep(AUDIT)
            await self._audit()

    async def _audit_soon(self) -> None:
        """After a connection: what a busy Asterisk lists may be seconds old, and the event of a caller who came in
        between went to the connection that was lost."""
        for pause in SOON:
            await asyncio.sleep(pause)
            await self._audit()

    async def _audit(self) -> None:
        if self._link.health().up:
            try:
                async with self._catching_up:
                    await self._engine.reconcile(await self._unowned(), audit=True)
            except RouterError as error:
                log.warning(fact(event="audit_failed", why=error))

    async def _unowned(self) -> LiveRows:
        """Live rows of calls that nobody has: neither we, nor, once its files are read, the fallback."""
        ours, before = frozenset(call.id for call in self._engine.calls), time.time() - SETTLING
        await asyncio.to_thread(self._past.fallback, self._config)
        return await asyncio.to_thread(self._past.unowned, ours, before)

    async def _gather_fallback(self) -> None:
        while True:
            await asyncio.sleep(FALLBACK)
            await asyncio.to_thread(self._past.fallback, self._config)

    def _snapshot(self) -> Document:
        """What `calls live` shows."""
        return snapshot(
            self._engine.calls,
            at=time.monotonic(),
            now=time.time(),
            config=self._config.version,
            since=self._started_at,
            link_up=self._link.health().up,
            menus=self._engine.menus,
        )

    async def _stay_alive(self) -> None:
        """Leave a sign of life on the disk, for the next router."""
        while True:
            await asyncio.sleep(ALIVE)
            try:
                await asyncio.to_thread(self._lock.beat)
            except OSError as error:
                log.debug(fact(event="no_sign_of_life", why=error))

    async def _watchdog(self) -> None:
        """Tell systemd that the loop turns: from the loop itself, so that a hung one falls silent."""
        interval = systemd.watchdog_interval()
        while interval is not None:
            systemd.notify("WATCHDOG=1")
            await asyncio.sleep(interval)

    async def _stop_when_told(self) -> None:
        await self._stop.wait()
        await self._heartbeat.withdraw()
        raise _Stopped

    # --- The writer's thread ------------------------------------------------------------------------------

    def _stored(self, operations: Iterable[Operation]) -> None:
        """An outcome is told once it is on the disk: what has been said is true after a power cut too."""
        for each in operations:
            if isinstance(each, CallEnded):
                call = each.call
                log.info(fact(call=call.id, campaign=call.campaign, event="ended", outcome=call.outcome))

    def _trouble(self, text: str) -> None:
        log.error(fact(event="database_trouble", why=text))

    def _mended(self, text: str = "") -> None:
        log.info(fact(event="database_mended", why=text or None))


class _Stopped(Exception):
    pass


def _stamp(path: str) -> tuple[int, int, int] | None:
    """What changes when a file is written or replaced; None while it is not there."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
