"""The one writer: a thread that commits in groups. Whoever calls it never waits and never sees an error.

What the database refuses for the moment (locked, full, failing, not there) goes to the spool, in order, and
is tried again with growing pauses for as long as it takes. What it refuses for good (a value that no row
can hold) is set aside in `<database>.refused`, so that it holds up nothing else. Nothing is dropped.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Final

from router.errors import StoreError
from router.model import AttemptRecord, CallbackWish, CallRecord, Pause, StaffCall
from router.store import fallback, faults, tasks
from router.store.database import immediate, open_database
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
from router.store.pseudonym import load_key
from router.store.rows import Rows
from router.store.spool import Spool

GATHER_SECONDS: Final = 0.03
"""After the first operation, how long others are waited for: they share its commit. Nobody waits for this."""
SPACING_SECONDS: Final = 0.3
"""The least time between two commits. A commit on its own costs about 1 ms of CPU, however little it holds."""
GROUP: Final = 500
"""Operations a commit, at most."""
BUSY_SECONDS: Final = 0.2
"""How long a commit waits for another program's lock; then it is trouble, and tried again."""
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
    once it is there or in the journal.
    """

    def __init__(self, *, last: bool = False) -> None:
        self.last = last
        self.reached = threading.Event()
        self.kept = threading.Event()


class Writer:
    """Writes calls, attempts and callbacks. `on_trouble` and `on_mended` get one line each, from the
    writer's thread: the first once for each kind of trouble, the second when the database takes everything
    again.
    """

    def __init__(
        self,
        path: str,
        *,
        node: str,
        on_trouble: Callable[[str], None],
        on_mended: Callable[[str], None] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._path = path
        self._node = node
        self._on_trouble = on_trouble
        self._on_mended = on_mended
        self._clock = clock
        self._queue: SimpleQueue[Operation | _Mark] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="callrouter-writer", daemon=True)
        self._spool = Spool(path)
        self._connection: sqlite3.Connection | None = None
        self._rows: Rows | None = None
        self._file: tuple[int, int] | None = None
        self._marks: list[_Mark] = []
        self._taken = 0
        self._told: set[str] = set()
        self._last_error: str | None = None
        self._refused = 0
        self._pause = FIRST_PAUSE
        self._committed_at = 0.0
        self._retry_at = 0.0
        self._sweep_at = 0.0

    # --- The side of the event loop: each of these puts one value on a queue

    def start(self) -> None:
        """Begin. A database that cannot be used is trouble like any other: told, and tried again."""
        self._thread.start()

    def call_opened(self, call: CallRecord) -> None:
        """A call arrived. A row that is there already stays as it is."""
        self._queue.put(CallOpened(call))

    def call_answered(self, call: CallRecord, attempts: Sequence[AttemptRecord]) -> None:
        """A human took the call: this closes the caller's open callback of its campaign."""
        self._queue.put(CallAnswered(call, tuple(attempts)))

    def call_ended(
        self, call: CallRecord, attempts: Sequence[AttemptRecord], callback: CallbackWish | None
    ) -> None:
        """The call is over: its row, its attempts and the callback it opens, joins or closes are one
        transaction.
        """
        self._queue.put(CallEnded(call, tuple(attempts), callback))

    def staff_call_ended(self, staff: StaffCall) -> None:
        """A salesperson rang one of our numbers: no lead."""
        self._queue.put(StaffCallEnded(staff))

    def pause_set(self, pause: Pause) -> None:
        """A salesperson is not to be rung. Of two that are told late, the one that was asked for last counts."""
        self._queue.put(PauseSet(pause))

    def pause_cleared(self, salesperson: str, at: float) -> None:
        """A salesperson asked at `at` (epoch seconds), on the own line, to be rung again."""
        self._queue.put(PauseCleared(salesperson, at))

    def write(self, operation: Operation) -> None:
        """Any operation, such as one read back from a file."""
        self._queue.put(operation)

    def config_accepted(self, version: str, at: float, file: str) -> None:
        """The router took this configuration into use at `at` (epoch seconds)."""
        self._queue.put(ConfigAccepted(version, at, file, self._node))

    def health(self) -> WriterHealth:
        pending = self._queue.qsize() + self._taken + len(self._spool)
        return WriterHealth(pending, self._spool.journalled, self._refused, self._last_error)

    # --- For other threads, and for stopping: these wait

    def flush(self, timeout: float) -> bool:
        """Wait until everything given so far is in the database; False after `timeout` seconds in vain."""
        mark = _Mark()
        self._queue.put(mark)
        return mark.reached.wait(timeout)

    def keep(self, timeout: float) -> bool:
        """As `flush`, but the journal will do: whether everything given so far survives a crash."""
        mark = _Mark()
        self._queue.put(mark)
        return mark.kept.wait(timeout)

    def close(self, timeout: float) -> bool:
        """Write what is left and stop, within `timeout` seconds. False: some of it is in the spool, for the
        next start, or the thread did not come back (a disk that hangs); the process may end in any case.
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
            self._taken = 0
            if len(self._spool) and time.monotonic() >= self._retry_at:
                self._replay()
            self._reach_marks()
            if not len(self._spool):
                self._sweep()
        self._leave()

    def _prepare(self) -> None:
        try:
            self._make_folder()
            self._spool.open()
        except OSError as error:
            self._trouble(error)
        self._carry_out(())

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
            time.sleep(max(GATHER_SECONDS, self._committed_at + SPACING_SECONDS - time.monotonic()))

    def _reach_marks(self) -> None:
        if len(self._spool) == self._spool.journalled:
            for mark in self._marks:
                mark.kept.set()
        if not len(self._spool):
            for mark in self._marks:
                mark.reached.set()
            self._marks.clear()

    def _carry_out(self, operations: Sequence[Operation]) -> bool:
        """One transaction; False when the database does not take it now."""
        try:
            connection, rows = self._connect()
            try:
                self._commit(connection, rows, operations)
            except Exception as error:
                if _passes(error):
                    raise
                for each in operations:
                    self._commit_alone(connection, rows, each)
        except Exception as error:  # noqa: BLE001 - whatever it is, this thread lives and the rows are kept
            self._trouble(error)
            return False
        if not len(self._spool):
            self._mended()
        return True

    def _commit(self, connection: sqlite3.Connection, rows: Rows, operations: Sequence[Operation]) -> None:
        try:
            with immediate(connection):
                for each in operations:
                    rows.apply(each)
            self._committed_at = time.monotonic()
        except BaseException:
            rows.forget()
            raise

    def _commit_alone(self, connection: sqlite3.Connection, rows: Rows, operation: Operation) -> None:
        try:
            self._commit(connection, rows, (operation,))
        except Exception as error:
            if _passes(error):
                raise
            self._refuse([to_line(operation)], type(error).__name__)

    def _refuse(self, lines: Sequence[str], why: str) -> None:
        """Set aside what no row can hold. Raises OSError."""
        descriptor = os.open(f"{self._path}.refused", os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write("".join(f"{line}\n" for line in lines))
            file.flush()
            os.fsync(file.fileno())
        self._refused += len(lines)
        self._tell(
            f"{self._path}: a row that the database cannot hold ({why}) was set aside in {self._path}.refused"
        )

    # --- Trouble

    def _keep(self, operations: Sequence[Operation]) -> None:
        error = self._spool.add(operations)
        if error is not None:
            self._tell(f"{self._spool.path}: cannot be written ({error.strerror}): rows are kept in memory only")

    def _replay(self) -> None:
        """The next group out of the spool; the one after it at once, unless there is trouble."""
        try:
            operations, unread, amount = self._spool.head(GROUP)
            if unread:
                self._refuse([line.encode("ascii", "replace").decode("ascii") for line in unread], "unreadable")
            if not self._carry_out(operations):
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
        if len(self._spool) > self._spool.journalled:
            self._keep(())
        self._reach_marks()
        if lost := len(self._spool) - self._spool.journalled:
            self._tell(f"{self._path}: {lost} operations could be written nowhere and are lost with this process")
        self._disconnect()

    def _trouble(self, error: Exception) -> None:
        """Say so, let go of the connection, and come back after a pause."""
        self._disconnect()
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

    # --- The connection

    def _connect(self) -> tuple[sqlite3.Connection, Rows]:
        """The connection, made anew when the file under its name is another one (moved away, restored)."""
        if self._connection is not None and self._rows is not None and self._file == self._identity():
            return self._connection, self._rows
        self._disconnect()
        self._connection = open_database(self._path, checkpoints=True, busy=BUSY_SECONDS)
        self._rows = Rows(self._connection, load_key(self._path))
        self._file = self._identity()
        self._make_folder()
        return self._connection, self._rows

    def _make_folder(self) -> None:
        """Where the second and third line may leave files; the folder it lies in is not made. Raises OSError."""
        folder = fallback.folder(self._path)
        with contextlib.suppress(FileExistsError):
            os.mkdir(folder, 0o700)
            os.chmod(folder, 0o770)  # noqa: S103 - whatever the umask: a group in common may let Asterisk's user in

    def _identity(self) -> tuple[int, int] | None:
        try:
            status = os.stat(self._path)
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def _disconnect(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
        self._connection = self._rows = None

    def _sweep(self) -> None:
        if time.monotonic() < self._sweep_at:
            return
        self._sweep_at = time.monotonic() + SWEEP_SECONDS
        try:
            connection, _ = self._connect()
            with immediate(connection):
                tasks.write_expired(connection, self._clock())
        except (sqlite3.Error, OSError, StoreError) as error:
            self._trouble(error)


def _passes(error: Exception) -> bool:
    """Whether it is the database's state (locked, full, damaged, gone), not the value that was to be
    written.
    """
    return (
        isinstance(error, (sqlite3.OperationalError, OSError, StoreError)) or type(error) is sqlite3.DatabaseError
    )
