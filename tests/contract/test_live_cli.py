"""`callrouter calls live` as a user types it, beside a router that answers and beside none."""

from __future__ import annotations

import asyncio
import codecs
import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from router.live import Document, LiveServer, socket_path
from router.lock import RouterLock
from tests.live_calls import document, menu, several

ROOT = Path(__file__).parents[2]
HIDDEN = ("145678", "07123", "anonymous")


class Router:
    """Answers like a running router, in a thread; `told` is what it says."""

    def __init__(self, database: str) -> None:
        self.told: Document = document(*several(), menus=(menu(),))
        self._path = socket_path(database)
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._over = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))

    async def _serve(self) -> None:
        server = LiveServer(self._path, lambda: self.told)
        await server.start()
        self._ready.set()
        await self._over.wait()
        await server.close()

    def __enter__(self) -> Router:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def stop(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._over.set)
            self._thread.join(10)
            self._loop.close()

    def __exit__(self, *_why: object) -> None:
        self.stop()


@pytest.fixture
def db(tmp_path: Path) -> str:
    return str(tmp_path / "c.db")


@pytest.fixture
def router(db: str) -> Iterator[Router]:
    with Router(db) as running:
        yield running


def command(db: str, *more: str) -> list[str]:
    return [sys.executable, str(ROOT / "cli.py"), "--db", db, "calls", "live", *more]


def run(db: str, *more: str, **environ: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "PYTHONUTF8": "1", **environ}
    return subprocess.run(
        command(db, *more), cwd=ROOT, env=env, capture_output=True, check=False, timeout=60, encoding="utf-8"
    )


class Terminal:
    """The command in a terminal of 80 columns, and what has been written on it."""

    def __init__(self, *words: str, lines: int = 24) -> None:
        self._screen, other = pty.openpty()
        fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", lines, 80, 0, 0))
        env = {"PATH": os.environ["PATH"], "TERM": "xterm-256color", "PYTHONUTF8": "1"}
        self._process = subprocess.Popen(
            words, cwd=ROOT, env=env, stdin=other, stdout=other, stderr=other, start_new_session=True
        )
        os.close(other)
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self.text = ""

    def see(self, what: str, seconds: float = 20.0) -> None:
        """Read on until `what` is there."""
        self._read(lambda: what in self.text, seconds)
        assert what in self.text, self.text

    def end(self, number: int | None = None) -> int:
        """Send a signal if one is given, and read to the end; the exit status."""
        if number is not None:
            self._process.send_signal(number)
        self._read(lambda: False, 20.0)
        os.close(self._screen)
        return self._process.wait(20)

    def _read(self, enough: object, seconds: float) -> None:
        assert callable(enough)
        deadline = time.monotonic() + seconds
        while not enough() and time.monotonic() < deadline:
            if not select.select([self._screen], [], [], 0.2)[0]:
                continue
            try:
                part = os.read(self._screen, 65536)
            except OSError:
                # How Linux says that nobody holds the terminal any more.
                return
            # A sign may be cut in two by where a reading ends.
            self.text += self._decoder.decode(part)


# --- Said once --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("more", [(), ("--once",)])
@pytest.mark.usefixtures("router")
def test_a_table_of_80_columns_where_there_is_no_terminal(db: str, more: tuple[str, ...]) -> None:
    done = run(db, *more)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in done.stdout
    assert lines[0] == "6 calls: 1 ringing, 2 talking, 1 challenge, 1 ending, 1 menu"
    assert lines[1].split() == ["Campaign", "Caller", "Call", "Waited", "Who", "Does", "For"]
    assert [line.split()[-3:] for line in lines if "alice" in line or "bob" in line] == [
        ["alice", "listens", "0:05"],
        ["bob", "rings", "0:20"],
    ]
    assert any(
        line.split()[1:] == ["+44••••••••67", "talking", "0:25", "erin", "talks", "1:06:15"] for line in lines
    )
    assert any(line.split()[:4] == ["spring-flyer", "withheld", "challenge", "0:04"] for line in lines)
    assert any(line.split() == ["–", "–", "menu", "0:09", "dave", "listens", "0:09"] for line in lines)


def test_nothing_goes_on(db: str, router: Router) -> None:
    router.told = document()
    assert run(db).stdout == "No calls\n"


def test_a_link_that_is_down_is_said(db: str, router: Router) -> None:
    router.told = document(several()[0], link_up=False)
    assert run(db).stdout.startswith("1 call: 1 ringing; THE LINK TO ASTERISK IS DOWN\n")


@pytest.mark.usefixtures("router")
def test_json_is_the_routers_own_document(db: str) -> None:
    done = run(db, "--format", "json")
    assert done.returncode == 0
    assert json.loads(done.stdout) == document(*several(), menus=(menu(),))


@pytest.mark.parametrize("form", ["table", "json"])
@pytest.mark.usefixtures("router")
def test_numbers_are_always_masked(db: str, form: str) -> None:
    done = run(db, "--format", form)
    assert done.returncode == 0
    assert not [part for part in HIDDEN if part in done.stdout.replace(" ", "")]
    assert run(db, "--numbers", "--reason", "why").returncode == 2


@pytest.mark.usefixtures("router")
def test_a_terminal_that_only_knows_ascii(db: str) -> None:
    done = run(db, PYTHONUTF8="0", PYTHONIOENCODING="ascii", LC_ALL="C")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.isascii()
    assert "+33???????01" in done.stdout


# --- In a terminal ----------------------------------------------------------------------------------------


def test_it_follows_the_calls_until_ctrl_c(db: str, router: Router) -> None:
    router.told = document()
    terminal = Terminal(*command(db, "--every", "0.5s"))
    terminal.see("No calls")
    router.told = document(*several())
    terminal.see("alice")
    router.told = document(several()[1])
    terminal.see("1 call: 1 talking")
    assert terminal.end(signal.SIGINT) == 0
    assert terminal.text.rstrip().endswith("\x1b[?25h"), "the cursor is back"
    assert "Abort" not in terminal.text
    assert "Traceback" not in terminal.text


@pytest.mark.usefixtures("router")
def test_a_low_terminal_says_what_it_leaves_out(db: str) -> None:
    terminal = Terminal(*command(db), lines=8)
    terminal.see("and 4 more lines")
    assert terminal.end(signal.SIGINT) == 0
    assert "withheld" not in terminal.text


@pytest.mark.usefixtures("router")
def test_once_in_a_terminal(db: str) -> None:
    terminal = Terminal(*command(db, "--once"))
    assert terminal.end() == 0
    assert "6 calls" in terminal.text


def test_a_router_that_stops_ends_it(db: str, router: Router) -> None:
    terminal = Terminal(*command(db, "--every", "0.5s"))
    terminal.see("6 calls")
    router.stop()
    assert terminal.end() == 3
    assert "no router is running" in terminal.text
    assert "\x1b[?25h" in terminal.text


# --- No router --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["table", "json"])
def test_no_router_is_unhealthy(db: str, form: str) -> None:
    done = run(db, "--format", form)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == f"callrouter: no router is running on {db}; start it: callrouter run\n"
    assert os.listdir(os.path.dirname(db)) == []


def test_a_router_that_runs_but_does_not_answer(db: str) -> None:
    with RouterLock(db):
        done = run(db)
    assert done.returncode == 3
    assert done.stderr.startswith(f"callrouter: the router does not answer at {db}.sock: nobody listens there; ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("every", ["1", "0.1s", "2h", "-1s", "1s;", "999m", "fast\x1b"])
def test_a_wrong_interval(db: str, every: str) -> None:
    done = run(db, f"--every={every}")
    assert done.returncode == 2
    assert "such as 1s" in done.stderr
    assert "\x1b" not in done.stderr
