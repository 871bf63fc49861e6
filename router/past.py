"""What earlier runs, the other lines of defence and the command line left in the database and beside it.

Everything here waits for a disk: it belongs in a thread.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from typing import Final

from router.errors import RouterError
from router.known import HORIZON, History
from router.log import fact
from router.model import AttemptRecord, CallRecord, Config, Departure
from router.store.database import reading
from router.store.departures import departures, forget
from router.store.fallback_import import import_fallback
from router.store.history import history, owed
from router.store.pauses import pauses
from router.store.queries import ended_channels, live_calls
from router.store.writer import Writer

log: Final = logging.getLogger("router.past")

LiveRows = Sequence[tuple[CallRecord, Sequence[AttemptRecord]]]
Asked = tuple[dict[str, float | None], set[tuple[str, str]] | None]

#: Seconds that a question waits for what is still to be written.
FLUSH: Final = 5.0
#: Seconds that the history waits: the writer makes the tables, or brings those of an earlier release up to date.
MIGRATION: Final = 10.0
#: Seconds in which the rows that a departure was needed for must be kept.
KEPT: Final = 10.0


class Past:
    """Reads one database. What cannot be read is told, and is as if it were not there, unless an error is named."""

    def __init__(self, database: str, node: str, writer: Writer) -> None:
        self._database = database
        self._node = node
        self._writer = writer

    def calls(self) -> tuple[LiveRows, frozenset[str]]:
        """Live rows, and the channels of the last calls that have ended."""
        written = self._writer.flush(FLUSH)
        try:
            with reading(self._database) as connection:
                return live_calls(connection, self._node), ended_channels(connection, self._node)
        except RouterError as error:
            log.error(fact(event="no_recovery", why=error, written=written))
            return (), frozenset()

    def unowned(self, ours: frozenset[str], before: float) -> LiveRows:
        """Live rows of calls that arrived before `before` (epoch seconds) and are none of `ours`."""
        if not self._writer.flush(FLUSH):
            # Who waits to be written may have ended long ago.
            return ()
        try:
            with reading(self._database) as connection:
                rows = live_calls(connection, self._node)
        except RouterError as error:
            log.warning(fact(event="not_followed", why=error))
            return ()
        return [row for row in rows if row[0].id not in ours and row[0].started_at < before]

    def departures(self) -> dict[str, Departure]:
        """Of callers who left while no router heard of it, by channel."""
        try:
            return departures(self._database)
        except OSError as error:
            log.warning(fact(event="departures_not_read", why=error))
            return {}

    def forget(self, left: Iterable[str]) -> None:
        """These departures have been taken in: remove them once that is kept."""
        if self._writer.keep(KEPT):
            try:
                forget(self._database, left)
            except OSError as error:
                log.warning(fact(event="departures_not_removed", why=error))

    def fallback(self, config: Config) -> None:
        """Take in the calls of the second and third line."""
        try:
            found = import_fallback(self._writer, config, now=time.time())
        except (OSError, RouterError) as error:
            log.error(fact(event="fallback_not_read", why=error))
            return
        if found.calls or found.bad:
            log.info(fact(event="fallback_read", calls=found.calls, bad=found.bad))

    def history(self) -> History:
        """What was known of callers and people. Raises RouterError."""
        self._writer.flush(MIGRATION)
        now = time.time()
        with reading(self._database) as connection:
            return history(connection, now, now - HORIZON)

    def asked(self, with_owed: bool) -> Asked:
        """Who has paused, and who is owed a call if that is asked for too. Raises RouterError."""
        now = time.time()
        with reading(self._database) as connection:
            return pauses(connection, now), owed(connection, now) if with_owed else None
