"""`python -m bench.soak`: ten thousand calls with sound, reports and listings; writes soak.md and soak.svg.

The calls of bench.mix come at a steady rate; among them are so many long talks, with sound from both sides, that a
hundred are up at any moment. All the while one command after another asks for reports and listings.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import click

from bench import machine, mix, soak_text
from bench.gauge import Gauge
from bench.site import CHECKOUT
from bench.soak_text import Soak
from sandbox.errors import SandboxError
from sandbox.phones import Placed
from sandbox.processes import wait_until
from sandbox.stack import Stack

TALKS = 100
"""Talks with sound from both sides that are up at any moment."""
TALK = 25.0
"""Seconds that each of them lasts."""
PAUSE = 1.0
"""Seconds between two commands."""
LOOK = 5.0
"""Seconds between two counts of the sound that Asterisk received."""
COMMANDS: Sequence[Sequence[str]] = (
    ("report", "campaigns"),
    ("calls", "list", "--limit", "50"),
    ("report", "salespeople"),
    ("callbacks", "list"),
    ("report", "hours"),
    ("calls", "live"),
)
AFTERWARDS = 120.0
"""Seconds after the last call was due until its row must be there."""


class Beside(ABC):
    """Works in a thread of its own while the block runs."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._work, name=type(self).__name__, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()

    @abstractmethod
    def _work(self) -> None:
        """Come back once `_done` is set."""


class Asking(Beside):
    """Runs the commands, one after another; how long each took, and what went wrong."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(stack)
        self.seconds: list[float] = []
        self.wrong: list[str] = []

    def _work(self) -> None:
        turn = 0
        while not self._done.wait(PAUSE):
            command = COMMANDS[turn % len(COMMANDS)]
            turn += 1
            began = time.monotonic()
            said = self._stack.callrouter(*command)
            self.seconds.append(time.monotonic() - began)
            if said.returncode:
                self.wrong.append(f"{' '.join(command)}: {said.stderr.strip()[-200:]}")


class Sound(Beside):
    """What Asterisk received from both sides of the talks, looked at now and then."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(stack)
        self.packets = 0
        self.legs: list[int] = []
        """How many of the channels that were up at a look had sent sound since the one before."""
        self.paces: list[float] = []
        """Packets a second of each channel that was up at both."""

    def _work(self) -> None:
        before, looked = self._stack.asterisk.rtp_received(), time.monotonic()
        while not self._done.wait(LOOK):
            now, at = self._stack.asterisk.rtp_received(), time.monotonic()
            sent = {channel: count - before.get(channel, 0) for channel, count in now.items()}
            # The short calls are mute.
            self.legs.append(sum(count > 0 for count in sent.values()))
            self.packets += sum(sent.values())
            # A channel that came between the looks has no whole interval.
            self.paces += [count / (at - looked) for channel, count in sent.items() if count and channel in before]
            before, looked = now, at


@click.command()
@click.option("--calls", type=click.IntRange(200, 1_000_000), default=10_000, show_default=True)
@click.option("--rate", type=click.FloatRange(5, 200), default=20.0, show_default=True, help="Calls a second.")
@click.option("--note", default="", help="A line for the page: what else the machine did.")
@click.option(
    "--output", type=click.Path(file_okay=False, path_type=Path), default=CHECKOUT / "bench",
    help="Where soak.md and soak.svg go (default: bench/).",
)  # fmt: skip
def main(calls: int, rate: float, note: str, output: Path) -> None:
    """Place many calls at a steady rate, with sound, reports and listings, and see what is lost and what grows."""
    try:
        soak = run(calls, rate, note)
    except SandboxError as error:
        raise click.ClickException(str(error)) from error
    output.mkdir(parents=True, exist_ok=True)
    (output / "soak.md").write_text(soak_text.markdown(soak), encoding="utf-8")
    soak_text.draw(soak, output / "soak.svg")
    click.echo(soak_text.terminal(soak))
    if soak.complaints:
        raise click.ClickException("; ".join(soak.complaints))


def run(calls: int, rate: float, note: str = "") -> Soak:
    """Takes the figures. Raises SandboxError; the folder `.sandbox/soak` is then left to be looked at."""
    begin, before = datetime.now(UTC), os.getloadavg()[0]
    with Stack(name="soak", edit=mix.write) as stack:
        mix.play(stack)
        soak = _under_load(stack, calls, rate)
        soak.setting = (
            f"Date: {begin:%Y-%m-%d %H:%M} UTC, commit {machine.commit()}",
            f"Machine: {machine.machine()}; load average {before:.1f} before, {os.getloadavg()[0]:.1f} after",
            f"Versions: {machine.versions(stack.asterisk.installation)}",
            *([f"Besides: {note}"] if note else ()),
        )
    shutil.rmtree(stack.folder)
    return soak


def _under_load(stack: Stack, calls: int, rate: float) -> Soak:
    talk_rate = min(TALKS / TALK, rate / 2)
    talks = round(calls * talk_rate / rate)
    counts = {**mix.split(calls - talks), mix.TALK.name: talks}
    seconds = calls / rate
    asking, sound = Asking(stack), Sound(stack)
    cpu, began = stack.router.cpu_seconds(), time.monotonic()
    with Gauge(stack.router.pid) as gauge, Gauge(stack.asterisk.pid) as asterisk, sound, asking:
        placed = [mix.place(stack, kind, counts[kind.name], (rate - talk_rate) * kind.share) for kind in mix.KINDS]
        placed.append(mix.place(stack, mix.TALK, talks, talk_rate, hang_up_after=TALK, at_once=2 * TALKS))
        took = _wait(placed, began, seconds)
        spent = stack.router.cpu_seconds() - cpu
        wait_until(lambda: mix.ended(stack) >= calls, AFTERWARDS, "every call has its row", every=0.5)
    return Soak(
        calls=calls,
        rate=calls / took,
        counts=counts,
        failed=sum(wave.status != 0 for wave in placed),
        rows=mix.ended(stack),
        complaints=[*mix.complaints(stack, counts), *asking.wrong[:3], *_checked(stack)],
        router=gauge.readings,
        asterisk=asterisk.readings,
        cpu=spent * 1000 / calls,
        asked=asking.seconds,
        packets=sound.packets,
        legs=sound.legs,
        paces=sound.paces,
    )


def _wait(placed: Sequence[Placed], began: float, seconds: float) -> float:
    """Until all calls have ended; the seconds from the first until the last was due to be placed, or was."""
    *short, talks = placed
    for wave in short:
        wave.wait(seconds * 2 + AFTERWARDS)
    took = time.monotonic() - began
    talks.wait(seconds * 2 + AFTERWARDS)
    return took


def _checked(stack: Stack) -> list[str]:
    """What SQLite finds wrong with the database."""
    with closing(sqlite3.connect(f"file:{stack.database}?mode=ro", uri=True)) as connection:
        found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check")]
    return [] if found == ["ok"] else found


if __name__ == "__main__":
    main()
