"""What goes on this moment, for whoever may open `<database>.sock`: one line asked, one JSON document told.

The socket is the owner's alone (mode 0600), and callers' numbers leave it masked. A client costs next to nothing: a
document is made twice a second at most, however many ask; a question has a length and a time, and so has an answer.
"""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import os
import socket
import stat
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import lru_cache
from typing import Any, Final

from router import __version__
from router.log import fact
from router.menu import Menu, Stage
from router.numbers import masked, safe_text
from router.records import epoch
from router.state import Call, Leg, Phase

log: Final = logging.getLogger("router.live")

QUESTION: Final = b"live"
LONGEST_QUESTION: Final = 256
"""Bytes of a line; more is not ours."""
PATIENCE: Final = 5.0
"""Seconds for a client to ask and to read."""
MOST_CLIENTS: Final = 16
"""At once; the next one is turned away."""
FRESH: Final = 0.5
"""Seconds for which a document is told again as it is."""

Document = dict[str, Any]


def socket_path(database: str) -> str:
    """Where the router of this database answers."""
    return f"{database}.sock"


# --- The document -----------------------------------------------------------------------------------------


def snapshot(
    calls: Iterable[Call],
    *,
    at: float,
    now: float,
    config: str,
    since: float,
    link_up: bool,
    menus: Iterable[Menu] = (),
) -> Document:
    """All that goes on, oldest call first. Pure: `at` is this moment on the steady clock, `now` as epoch seconds.

    `config` is the version of the configuration in force, `since` when this router started, `menus` the calls of
    salespeople on their own line. Times in it are epoch seconds.
    """
    rows = [_call_row(call, at) for call in calls if call.phase is not Phase.ENDED]
    rows += [_menu_row(menu, at) for menu in menus if menu.stage is not Stage.ENDED]
    rows.sort(key=lambda row: (row["started"], row["id"]))
    return {
        "router": __version__,
        "config": config,
        "since": round(since, 3),
        "now": round(now, 3),
        "link": "up" if link_up else "down",
        "calls": rows,
    }


def _menu_row(menu: Menu, at: float) -> Document:
    """A salesperson's call to the menu: no campaign, no caller, but who listens to it."""
    waiting = round(max(0.0, at - menu.started_at), 1)
    leg = {"salesperson": menu.salesperson, "state": "listens", "since": round(menu.epoch, 3), "trunk": None}
    return _row(menu.id, None, safe_text(menu.did), None, menu.epoch, "menu", waiting, None, [leg])


def _call_row(call: Call, at: float) -> Document:
    """`waiting`: seconds until a human took it, so far; `talking`: seconds since, None before."""
    decision = call.decision
    answered = call.answered_at
    waiting = round(max(0.0, (at if answered is None else answered) - call.started_at), 1)
    talking = None if answered is None else round(max(0.0, at - answered), 1)
    number = decision.caller.number
    caller = "withheld" if number is None else _masked(number)
    phase = "ringing" if call.phase is Phase.HUNTING else call.phase.value
    legs = [_leg_row(call, leg) for leg in call.legs if leg.live]
    did = safe_text(decision.did.number)
    return _row(call.id, decision.campaign, did, caller, call.epoch, phase, waiting, talking, legs)


def _row(
    id: str,
    campaign: str | None,
    did: str,
    caller: str | None,
    started: float,
    phase: str,
    waiting: float,
    talking: float | None,
    legs: list[Document],
) -> Document:
    return {
        "id": id,
        "campaign": campaign,
        "did": did,
        "caller": caller,
        "started": round(started, 3),
        "phase": phase,
        "waiting": waiting,
        "talking": talking,
        "legs": legs,
    }


def _leg_row(call: Call, leg: Leg) -> Document:
    """`since`: when it came into this state; a leg that has not said that it rings rings since it was dialled."""
    if leg.accepted_at is not None:
        state, since = "talks", leg.accepted_at
    elif leg.answered_at is not None:
        state, since = "listens", leg.answered_at
    else:
        state, since = "rings", leg.started_at if leg.ringing_at is None else leg.ringing_at
    began = epoch(call, since)
    assert began is not None  # noqa: S101 - epoch gives None for None alone
    return {
        "salesperson": leg.target.salesperson,
        "state": state,
        "since": round(began, 3),
        "trunk": leg.route.trunk,
    }


@lru_cache(maxsize=4096)
def _masked(number: str) -> str:
    # Reading a number takes some ten microseconds; the same calls are shown every second.
    return masked(number)


# --- The socket -------------------------------------------------------------------------------------------


class LiveServer:
    """Answers on a Unix socket. Where it cannot, that is logged, and the router runs on without it."""

    def __init__(self, path: str, snapshot: Callable[[], Document]) -> None:
        self._path = path
        self._snapshot = snapshot
        self._server: asyncio.Server | None = None
        self._inode: tuple[int, int] | None = None
        """Which file is ours: another router's is not removed."""
        self._clients: set[asyncio.Task[None]] = set()
        self._document = b""
        self._made_at = float("-inf")

    async def start(self) -> None:
        """Listen. A socket that a dead router left is replaced: the lock on the database says that it is dead."""
        try:
            listener = self._bind()
        except OSError as error:
            log.warning(fact(event="no_live_view", path=self._path, why=error.strerror or str(error)))
            return
        self._server = await asyncio.start_unix_server(self._client, sock=listener, limit=LONGEST_QUESTION)

    async def close(self) -> None:
        """Answer nobody any more, and remove the socket."""
        if self._server is None:
            return
        self._server.close()
        for client in self._clients:
            client.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)
        self._server = None
        with suppress(OSError):
            if _inode(self._path) == self._inode:
                os.unlink(self._path)

    def _bind(self) -> socket.socket:
        with suppress(FileNotFoundError):
            if stat.S_ISSOCK(os.lstat(self._path).st_mode):
                os.unlink(self._path)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        try:
            listener.bind(self._path)
            # Nobody can connect before listen(): it is never open to others, not even for a moment.
            os.chmod(self._path, 0o600)
            self._inode = _inode(self._path)
        except BaseException:
            listener.close()
            raise
        return listener

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - asyncio runs it as one
        full = len(self._clients) >= MOST_CLIENTS
        self._clients.add(task)
        try:
            if not full:
                async with asyncio.timeout(PATIENCE):
                    await self._answer(reader, writer)
        except (TimeoutError, OSError):
            return
        finally:
            self._clients.discard(task)
            # What the client has not read by now it does not get.
            writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = await reader.readline()
        except ValueError:
            return
        if line.strip() != QUESTION:
            return
        # Else drain() would be content while much is still unread.
        writer.transport.set_write_buffer_limits(0)
        writer.write(self._told())
        writer.write_eof()
        await writer.drain()

    def _told(self) -> bytes:
        """The document as it was half a second ago, or now."""
        now = time.monotonic()
        if now - self._made_at >= FRESH:
            try:
                document = self._snapshot()
            except Exception as error:
                # A mistake of ours in here is not to end the router.
                log.error(fact(event="internal_error", about="live view", error=type(error).__name__))
                log.debug("", exc_info=error)
                document = {"error": "internal error, see the router's log"}
            self._document = json.dumps(document).encode() + b"\n"
            self._made_at = now
        return self._document


def _inode(path: str) -> tuple[int, int]:
    status = os.lstat(path)
    return status.st_dev, status.st_ino


# --- The other end ----------------------------------------------------------------------------------------


class NoRouter(Exception):
    """Nobody answers on the socket; the text says why, in a few words."""


def ask(path: str, *, patience: float = PATIENCE) -> Document:
    """What goes on, from the router that listens at `path`; blocks for `patience` seconds at most a step.

    Raises NoRouter.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as channel:
            channel.settimeout(patience)
            channel.connect(path)
            channel.sendall(QUESTION + b"\n")
            parts = []
            while part := channel.recv(65536):
                parts.append(part)
    except OSError as error:
        raise NoRouter(_why(error)) from error
    try:
        document = json.loads(b"".join(parts))
    except ValueError as error:
        raise NoRouter("the router's answer was cut short") from error
    if not isinstance(document, dict) or "calls" not in document:
        raise NoRouter("the router has no answer, see its log")
    return document


def _why(error: OSError) -> str:
    if error.errno in (errno.ENOENT, errno.ECONNREFUSED):
        return ""
    return error.strerror or str(error)
