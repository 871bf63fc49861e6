"""A process is ended, or held, at the very write that a test has chosen."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox import processes, strace
from sandbox.errors import SandboxError

PROGRAM = """
import os, sys
one, two, other = (os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND) for path in sys.argv[1:])
print("ready", flush=True)
sys.stdin.readline()
for n in range(3):
    for file in (one, two, other):
        os.write(file, b"%d" % n)
"""


class Writer:
    """A process that writes 0, 1, 2 to each of three files in turn, once it is told to."""

    def __init__(self, folder: Path) -> None:
        self.files = one, two, self.other = folder / "one", folder / "two", folder / "other"
        self.watched = one, two
        self.log = folder / "log"
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *map(str, self.files)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def written(self) -> list[str]:
        return [file.read_text() for file in self.files]


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    made = Writer(tmp_path)
    try:
        strace.Strace(made.process.pid, tmp_path / "probe", "-e", "trace=none").stop()
        yield made
    except SandboxError as error:
        pytest.skip(f"THIS MACHINE LETS NOBODY TRACE A PROCESS: {error}")
    finally:
        made.process.kill()
        made.process.communicate()


def test_killed_before_the_third_write_to_either_file(writer: Writer) -> None:
    with strace.kill_before(writer.process.pid, writer.log, 3, *writer.watched):
        writer.go()
        assert writer.process.wait(10) == -9
    assert writer.written() == ["0", "0", "0"]


def test_held_after_the_third_write_and_killed_there(writer: Writer) -> None:
    with strace.hold_after(writer.process.pid, writer.log, 3, *writer.watched) as held:
        writer.go()
        processes.wait_until(lambda: any("(DELAYED)" in line for line in held.lines()), 10, "it is held")
        assert writer.written() == ["01", "0", "0"]
        held.kill()
        assert writer.process.wait(10) == -9
    assert writer.written() == ["01", "0", "0"]


def test_let_go_it_goes_on(writer: Writer) -> None:
    with strace.Strace(writer.process.pid, writer.log, "-e", "inject=write:error=EIO:when=100"):
        pass
    writer.go()
    assert writer.process.wait(10) == 0
    assert writer.written() == ["012"] * 3


def test_who_is_not_there_is_not_followed(tmp_path: Path) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    with pytest.raises(SandboxError, match="strace does not follow"):
        strace.Strace(gone.pid, tmp_path / "log")
