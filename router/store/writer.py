"""The one writer: a thread that commits in groups. Whoever calls it never waits and never sees an error.

What is said outlives the process at once (router.store.journal), and a power cut with its commit. What the
database refuses for the moment (locked, full, failing, not there) goes to the spool, in order, and is tried again
with growing pauses for as long as it takes. What it refuses for good (a value that no row can hold) is set aside in
`<database>.refused`, so that it holds up nothing else. Nothing is dropped.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Final

from router.errors import StoreError
from router.model import AttemptRecord, CallbackWish, CallRecord, Pause, StaffCall
from router.store import faults
from router.store.commits import Commits
from router.store.journal import Journal
from router.store.operations import (
    CallAnswered,
    CallEnded,
    CallOpened,
    ConfigAccepted,
    Operation,
    PauseCleared,
    PauseSet,
    StaffCallEnded,
    to_line,
)
from router.store.spool import Spool

GATHER_SECONDS: Final = 0.03
"""After the first operation, how long others are waited for: they share its commit. Nobody waits for this."""
SPACING_SECONDS: Final = 0.3
"""The least time between two commits. A commit on its own costs about 1 ms of CPU, however little it holds."""
GROUP: Final = 500
"""Operations a commit, at most."""
FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 5.0
SWEEP_SECONDS: Final = 60.0
"""How often callbacks past their end are put down as expired; readers go by the rule, and do not wait for it."""


@dataclass(frozen=True, slots=True)
class WriterHealth:
    """`pending`: operations not yet in the database; `spooled`: how many of those are on disk; `refused`:
    set aside since the start; `last_error`: None while all is well.
    """

    pending: int
    spooled: int
    refused: int
    last_error: str | None


class _Mark:
    """Stands in the queue behind what came before it: `reached` is set once all of that is in the database, `kept`
    once it is there or in the spool.
    """

    def __init__(self, *, last: bool = False) -> None:
        self.last = last
        self.reached = threading.Event()
        self.kept = threading.Event()


class Writer:
    """Writes calls, attempts and callbacks. Its thread calls `on_trouble`, with a line, once for each kind of
    trouble; `on_mended`, with a line, when the database takes everything again; `on_stored` with operations once
    they are on disk, each once, those too that waited in the spool or that an earlier run left.
    """

    def __init__(
        self,
        path: str,
        *,
        node: str,
        on_trouble: Callable[[str], None],
        on_mended: Callable[[str], None] | None = None,
        on_stored: Callable[[Sequence[Operation]], None] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._path = path
        self._node = node
        self._on_trouble = on_trouble
        self._on_mended = on_mended
        self._on_stored = on_stored
        self._clock = clock
        self._queue: SimpleQueue[Operation | _Mark] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="callrouter-writer", daemon=True)
        self._spool = Spool(path)
        self._journal = Journal(path)
        self._unread: list[str] = []
        self._commits = Commits(path, self._tell)
        self._settled = 0
        """Operations taken from the queue that the database or the spool has been given."""
        self._marks: list[_Mark] = []
        self._taken = 0
        self._told: set[str] = set()
        self._last_error: str | None = None
        self._pause = FIRST_PAUSE
        self._retry_at = 0.0
        self._sweep_at = 0.0

    # --- The side of the event loop: each of these puts one value on a queue, and its line in the journal

    def start(self) -> None:
        """Begin, with what a killed run still owed. A database that cannot be used is trouble like any other: told,
        and tried again.
        """
        try:
            owed, self._unread = self._journal.open()
        except OSError as error:
            self._tell(f"{self._path}: the journal cannot be read ({error}): a kill may lose what was just said")
        else:
            for each in owed:
                self._queue.put(each)
        self._thread.start()

    def call_opened(self, call: CallRecord, attempts: Sequence[AttemptRecord] = ()) -> None:
        """A call arrived; said again, with every attempt so far, whenever more of its legs are about to be dialled.

        A row that is there stays as it is, and so do the attempts of a call that has its outcome.
        """
        self.write(CallOpened(call, tuple(attempts)))

    def call_answered(self, call: CallRecord, attempts: Sequence[AttemptRecord]) -> None:
        """A human took the call: this closes the caller's open callback of its campaign."""
        self.write(CallAnswered(call, tuple(attempts)))

    def call_ended(
        self, call: CallRecord, attempts: Sequence[AttemptRecord], callback: CallbackWish | None
    ) -> None:
        """The call is over: its row, its attempts and the callback it opens, joins or closes are one
        transaction.
        """
        self.write(CallEnded(call, tuple(attempts), callback))

    def staff_call_ended(self, staff: StaffCall) -> None:
        """A salesperson rang one of our numbers: no lead."""
        self.write(StaffCallEnded(staff))

    def pause_set(self, pause: Pause) -> None:
        """A salesperson is not to be rung. Of two that are told late, the one that was asked for last counts."""
        self.write(PauseSet(pause))

    def pause_cleared(self, salesperson: str, at: float) -> None:
        """A salesperson asked at `at` (epoch seconds), on the own line, to be rung again."""
        self.write(PauseCleared(salesperson, at))

    def write(self, operation: Operation) -> None:
        """Any operation, such as one read back from a file. From any thread."""
        line = f"{to_line(operation)}\n".encode("ascii")
        with self._journal.order:
            self._journal.append(line)
            self._queue.put(operation)

    def config_accepted(self, version: str, at: float, file: str) -> None:
        """The router took this configuration into use at `at` (epoch seconds)."""
        self.write(ConfigAccepted(version, at, file, self._node))

    def health(self) -> WriterHealth:
        pending = self._queue.qsize() + self._taken + len(self._spool)
        return WriterHealth(pending, self._spool.on_disk, self._commits.refused, self._last_error)

    # --- For other threads, and for stopping: these wait

    def flush(self, timeout: float) -> bool:
        """Wait until everything given so far is in the database; False after `timeout` seconds in vain."""
        mark = _Mark()
        self._queue.put(mark)
        return mark.reached.wait(timeout)

    def keep(self, timeout: float) -> bool:
        """As `flush`, but the spool will do: whether everything given so far survives a power cut."""
        mark = _Mark()
        self._queue.put(mark)
        return mark.kept.wait(timeout)

    def close(self, timeout: float) -> bool:
        """Write what is left and stop, within `timeout` seconds. False: some of it is in the spool or the journal,
        for the next start, or the thread did not come back (a disk that hangs); the process may end in any case.
        """
        mark = _Mark(last=True)
        self._queue.put(mark)
        self._thread.join(timeout)
        return mark.reached.is_set()

    # --- The writer's thread

    def _run(self) -> None:
        self._prepare()
        stopping = False
        while not stopping:
            operations, stopping = self._next()
            if operations and (len(self._spool) or not self._carry_out(operations)):
                self._keep(operations)
            self._settled += len(operations)
            self._taken = 0
            if len(self._spool) and time.monotonic() >= self._retry_at:
                self._replay()
            self._let_go()
            self._reach_marks()
            if not len(self._spool):
                self._sweep()
        self._leave()

    def _prepare(self) -> None:
        try:
            self._commits.make_folder()
            self._spool.open()
        except OSError as error:
            self._trouble(error)
        self._carry_out(())
        self._let_go()

    def _next(self) -> tuple[list[Operation], bool]:
        """What has come, gathered for a moment so that it shares a commit; and whether it is the last."""
        due = self._retry_at if len(self._spool) else self._sweep_at
        operations: list[Operation] = []
        try:
            item = self._queue.get(timeout=max(due - time.monotonic(), 0.0))
            if not isinstance(item, _Mark):
                self._gather()
            while True:
                if isinstance(item, _Mark):
                    self._marks.append(item)
                    if item.last:
                        return operations, True
                else:
                    operations.append(item)
                    self._taken = len(operations)
                    if len(operations) >= GROUP:
                        break
                item = self._queue.get_nowait()
        except Empty:
            pass
        return operations, False

    def _gather(self) -> None:
        """Let more come before the next commit, unless a full group is there already."""
        if self._queue.qsize() < GROUP:
            time.sleep(max(GATHER_SECONDS, self._commits.at + SPACING_SECONDS - time.monotonic()))

    def _reach_marks(self) -> None:
        if not self._spool.in_memory:
            for mark in self._marks:
                mark.kept.set()
        if not len(self._spool):
            for mark in self._marks:
                mark.reached.set()
            self._marks.clear()

    def _carry_out(self, operations: Sequence[Operation], unread: Sequence[str] = ()) -> bool:
        """One transaction, told once it is on disk; False when the database does not take it now."""
        try:
            stored = self._commits.carry_out(operations, unread)
        except Exception as error:  # noqa: BLE001 - whatever it is, this thread lives and the rows are kept
            self._trouble(error)
            return False
        self._report(stored)
        if not len(self._spool):
            self._mended()
        return True

    def _report(self, stored: Sequence[Operation]) -> None:
        if stored and self._on_stored is not None:
            try:
                self._on_stored(stored)
            except Exception as error:  # noqa: BLE001 - the rows are there, and this thread lives
                self._tell(f"{self._path}: what is stored could not be told ({type(error).__name__}: {error})")

    # --- Trouble

    def _keep(self, operations: Sequence[Operation]) -> None:
        error = self._spool.add(operations)
        if error is not None:
            self._tell(f"{self._spool.path}: cannot be written ({error.strerror}): rows are kept in memory only")

    def _replay(self) -> None:
        """The next group out of the spool; the one after it at once, unless there is trouble."""
        try:
            operations, unread, amount = self._spool.head(GROUP)
            if not self._carry_out(operations, unread):
                return
            self._spool.taken(amount, len(operations) + len(unread))
        except OSError as error:
            self._trouble(error)
            return
        self._pause, self._retry_at = FIRST_PAUSE, 0.0
        if not len(self._spool):
            self._mended()

    def _leave(self) -> None:
        """One more try for what waits; what then stays is on disk, or said to be lost."""
        waiting = -1
        while len(self._spool) not in (0, waiting):
            waiting = len(self._spool)
            self._replay()
        if self._spool.in_memory:
            self._keep(())
        self._let_go()
        self._reach_marks()
        self._journal.close()
        if lost := self._journal.missing:
            self._tell(f"{self._path}: {lost} operations could be written nowhere and are lost with this process")
        self._commits.disconnect()

    def _let_go(self) -> None:
        """The journal need not hold what is on disk elsewhere."""
        try:
            if self._unread:
                self._commits.refuse(self._unread, "unreadable")
                self._settled += len(self._unread)
                self._unread = []
            self._journal.kept(self._settled - self._spool.in_memory)
        except OSError as error:
            self._tell(str(faults.explain(self._path, error)))
        if (trouble := self._journal.trouble()) is not None:
            self._on_trouble(f"{trouble}: a kill may lose what was just said")

    def _trouble(self, error: Exception) -> None:
        """Say so, let go of the connection when that is better, and come back after a pause."""
        self._commits.failed(error)
        self._last_error = str(faults.explain(self._path, error))
        self._tell(self._last_error)
        self._retry_at = time.monotonic() + self._pause
        self._pause = min(self._pause * 2, LONGEST_PAUSE)

    def _tell(self, line: str) -> None:
        if line not in self._told:
            self._told.add(line)
            self._on_trouble(line)

    def _mended(self) -> None:
        if self._last_error is not None:
            self._last_error = None
            self._told.clear()
            if self._on_mended is not None:
                self._on_mended(f"{self._path}: takes everything again, nothing waits")

    def _sweep(self) -> None:
        if time.monotonic() < self._sweep_at:
            return
        self._sweep_at = time.monotonic() + SWEEP_SECONDS
        try:
            self._commits.write_expired(self._clock())
        except (sqlite3.Error, OSError, StoreError) as error:
            self._trouble(error)
