"""Whoever may open the live view's socket or monitoring's port, in numbers, slowly and with too much to say: the
router goes on taking calls. One client at a time is tried in test_live.py and test_health_server.py."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from router.health.server import MOST_CLIENTS as MOST_MONITORS
from router.live import MOST_CLIENTS, PATIENCE, LiveServer, NoRouter, ask, socket_path
from sandbox.behaviours import BUSY
from tests.integration.site import ALICE, ALONE, Site, campaigns
from tests.live_calls import document

NOBODY = 65534
CROWD = 100
MEGABYTE = b"x" * 1024 * 1024
MEMORY = 30 * 1024 * 1024
"""Resident bytes that a crowd may have cost the router."""
SOON = 3.0
"""Seconds in which a call is through, attacked or not: with nobody there it takes 0.1."""


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody may enter, so that the socket's own mode decides."""
    folder = Path(tempfile.mkdtemp(prefix="callrouter-live-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="NOT TESTED: only root can try it as another user; run as root")
async def test_another_user_cannot_connect(open_folder: Path) -> None:
    path = socket_path(str(open_folder / "c.db"))
    server = LiveServer(path, document)
    await server.start()
    try:
        with as_nobody(), pytest.raises(NoRouter, match="denied"):
            ask(path, patience=1)
        os.chmod(path, 0o666)  # noqa: S103 - what would be wrong with it
        with as_nobody(), socket.socket(socket.AF_UNIX) as allowed:
            allowed.connect(path)
    finally:
        await server.close()


async def test_it_is_closed_to_others_from_its_first_moment_on(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the umask: it is narrowed before anybody can connect."""
    path = socket_path(str(open_folder / "c.db"))
    modes: list[int] = []
    listen = socket.socket.listen

    def seen(self: socket.socket, *args: int) -> None:
        modes.append(os.stat(path).st_mode & 0o777)
        listen(self, *args)

    monkeypatch.setattr(socket.socket, "listen", seen)
    old = os.umask(0)
    server = LiveServer(path, document)
    try:
        await server.start()
        assert os.stat(path).st_mode & 0o777 == 0o600
    finally:
        os.umask(old)
        await server.close()
    assert set(modes) <= {0o600}


# --- The router as it is started ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def port(site: Site) -> int:
    found: int = site.asterisk.ports.spare[0]
    site.configure(campaigns(site.asterisk, health={"listen": f"127.0.0.1:{found}"}))
    site.asterisk.load_dialplan(site.stack.generated_dialplan())
    return found


@pytest.fixture
def attacked(port: int, running: Site) -> Site:  # noqa: ARG001 - configured before it is started
    return running


@contextlib.contextmanager
def crowd(address: tuple[str, int] | str, first: bytes = b"") -> Iterator[list[socket.socket]]:
    """So many connections, each with its first bytes said; those that are turned away are in it all the same."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with contextlib.ExitStack() as stack:
        lines = []
        for _ in range(CROWD):
            line = stack.enter_context(socket.socket(family))
            line.settimeout(5)
            with contextlib.suppress(BlockingIOError, ConnectionError):
                line.connect(address)
                line.sendall(first)
            lines.append(line)
        yield lines


def unharmed(site: Site) -> None:
    """A call is through in no more than its time, and the log has no mistake of ours."""
    site.mobiles({ALICE: BUSY})
    began = time.monotonic()
    call = site.call(ALONE)
    site.rings(ALICE, SOON)
    assert time.monotonic() - began < SOON
    assert call.ended()["outcome"] == "busy"
    assert site.router_runs()
    for word in ("internal_error", "Traceback"):
        assert word not in site.log


def answers(site: Site, port: int) -> None:
    """Those who have a right to know are told again, once the patience with the others is over."""
    path = socket_path(str(site.database))
    site.until(lambda: _told(path), "the live view answers", 4 * PATIENCE)
    site.until(lambda: _ready(port), "monitoring is answered", 60)


def _told(path: str) -> bool:
    with contextlib.suppress(NoRouter):
        return "calls" in ask(path, patience=1)
    return False


def _ready(port: int) -> bool:
    with (
        contextlib.suppress(OSError),
        urllib.request.urlopen(f"http://127.0.0.1:{port}/health/live", timeout=2) as answer,
    ):
        return bool(answer.status == 200)
    return False


@pytest.mark.asterisk
@pytest.mark.parametrize("first", [b"", b"li", b"live\n", MEGABYTE, b"\0" * 4096, b"live\n" * 1000])
def test_a_crowd_at_the_socket(attacked: Site, port: int, first: bytes) -> None:
    assert CROWD > MOST_CLIENTS
    before = attacked.stack.router.memory()
    with crowd(socket_path(str(attacked.database)), first):
        unharmed(attacked)
    answers(attacked, port)
    assert attacked.stack.router.memory() - before < MEMORY


@pytest.mark.asterisk
@pytest.mark.parametrize(
    "first",
    [
        b"",
        b"GET /metrics HTTP/1.1\r\nHost: x\r\n",
        b"GET /metrics HTTP/1.1\r\nX-Long: " + MEGABYTE,
        b"GET /" + MEGABYTE,
        b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\n\r\n" + MEGABYTE,
        b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 1000,
        b"\x16\x03\x01" + b"\xff" * 4096,
    ],
    ids=["silent", "half a request", "1 MB header", "1 MB path", "1 GB body", "1000 in a row", "TLS"],
)
def test_a_crowd_at_the_health_port(attacked: Site, port: int, first: bytes) -> None:
    assert CROWD > MOST_MONITORS
    before = attacked.stack.router.memory()
    for _ in range(2):
        with crowd(("127.0.0.1", port), first):
            unharmed(attacked)
        answers(attacked, port)
    assert attacked.stack.router.memory() - before < MEMORY


@pytest.mark.asterisk
def test_slow_clients_that_never_come_to_an_end(attacked: Site, port: int) -> None:
    """A header a moment, for ever: they are let go however lively they are."""
    with crowd(("127.0.0.1", port), b"GET /metrics HTTP/1.1\r\n") as lines:
        deadline = time.monotonic() + 60
        alive = list(lines)
        unharmed(attacked)
        while alive and time.monotonic() < deadline:
            for line in tuple(alive):
                try:
                    line.sendall(b"X-A: b\r\n")
                except OSError:
                    alive.remove(line)
            time.sleep(0.2)
        assert not alive, "each was let go"
    answers(attacked, port)
