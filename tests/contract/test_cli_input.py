"""Every command under bad conditions: no output, no reader, a full disk, a locale that is not UTF-8, arguments that
are no text. One line or none, never a traceback. What single commands refuse stands in their own tests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.campaign_file import GOOD
from tests.store_rows import answered, call, dump, missed, write

ROOT = Path(__file__).parents[2]
NAME = "Zoë Ñandú \N{ROCKET}"
CALL, TASK = "@CALL@", "@TASK@"
PLAIN = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
"""Python takes the C locale for UTF-8 unless it is told not to."""

COMMANDS: dict[str, tuple[str, ...]] = {
    "help": ("--help",),
    "check": ("check",),
    "explain": ("explain", "--to", "+33184801001"),
    "calls list": ("calls", "list"),
    "calls show": ("calls", "show", CALL),
    "callbacks list": ("callbacks", "list", "--all"),
    "callbacks show": ("callbacks", "show", TASK),
    "people list": ("people", "list"),
    "people pause": ("people", "pause", "alice", "--until", "2h"),
    "report campaigns": ("report", "campaigns"),
    "report missed": ("report", "missed", "--from", "2026-03-01", "--to", "2026-03-31"),
    "report salespeople": ("report", "salespeople"),
    "asterisk conf": ("asterisk", "conf"),
    "a generated file": ("asterisk", "conf", "callrouter-extensions.conf"),
    "reload": ("reload",),
    "doctor": ("doctor",),
}
ENDS = {"reload": 1, "doctor": 3}
"""No router runs, and no Asterisk."""
WIDE = ("asterisk conf", "a generated file", "doctor")
"""Lines of these are as long as the paths in them."""


class Site:
    """A configuration with letters that ASCII lacks, and a database with a call and a callback."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        text = GOOD.replace("data/calls.db", "calls.db").replace("Alice Martin", NAME)
        # Nothing listens on port 9: doctor shall not find somebody else's Asterisk.
        text = text.replace("8088", "9").replace("5038", "9")
        (folder / "campaigns.yaml").write_text(text, encoding="utf-8")
        self.database = str(folder / "calls.db")
        first = missed("first", campaign="spring-flyer")
        write(self.database, [first, answered("other", 60.0, number="+33145678902", campaign="spring-flyer")])
        self.words = {CALL: call("first").id, TASK: str(dump(self.database, ["callbacks"])["callbacks"][0][0])}

    def start(
        self, words: Sequence[str | bytes], *, stdout: int = subprocess.PIPE, redirect: str = "", **environ: str
    ) -> subprocess.Popen[bytes]:
        """The command line at work; `redirect` is a shell's, as `>&-`."""
        command = [sys.executable, str(ROOT / "cli.py"), *(self.words.get(str(word), word) for word in words)]
        if redirect:
            command = ["/bin/sh", "-c", f'"$@" {redirect}', "sh", *command]
        known = {"PATH": os.environ["PATH"], "CALLROUTER_ARI_PASSWORD": "a", "CALLROUTER_AMI_PASSWORD": "b"}
        return subprocess.Popen(
            command, cwd=self.folder, env={**known, **environ}, stdout=stdout, stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def run(self, words: Sequence[str | bytes], **how: str) -> tuple[int, str, str]:
        """Exit status, output and complaints."""
        return ended(self.start(words, **how))  # type: ignore[arg-type]


def ended(process: subprocess.Popen[bytes]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, (out or b"").decode(errors="replace"), err.decode(errors="replace")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(tmp_path_factory.mktemp("cli"))


def quiet(complaints: str) -> bool:
    """Nothing, or one line in the program's own words."""
    return complaints == "" or (complaints.startswith("callrouter: ") and complaints.count("\n") == 1)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_without_a_terminal_output_input_reader_or_utf_8(site: Site, command: str) -> None:
    words, status = COMMANDS[command], ENDS.get(command, 0)
    read, write = os.pipe()
    os.close(read)
    try:
        unread = site.start(words, stdout=write)
    finally:
        os.close(write)
    plain = site.start(words)
    closed = site.start(words, redirect=">&- <&-")
    in_ascii = site.start(words, **PLAIN, PYTHONIOENCODING="ascii")  # type: ignore[arg-type]
    first, out, complaints = ended(plain)
    assert (first, quiet(complaints)) == (status, True)
    assert "\x1b" not in out
    assert max(map(len, out.splitlines()), default=0) <= 80 or command in WIDE
    second, nothing, complaints = ended(closed)
    assert (second, nothing, quiet(complaints)) == (status, "", True)
    third, same, complaints = ended(in_ascii)
    assert (third, bool(same), quiet(complaints)) == (status, bool(out), True)
    last, _, complaints = ended(unread)
    assert quiet(complaints)
    assert last >= 0


@pytest.mark.parametrize("command", ENDS)
def test_a_command_that_may_not_complain_says_it_by_its_status(site: Site, command: str) -> None:
    assert site.run(COMMANDS[command], redirect=">&- 2>&-") == (ENDS[command], "", "")


FULL = "cannot write the output: No space left on device"


@pytest.mark.parametrize(
    "command",
    [
        "calls show",
        "callbacks list",
        "report missed",
        "help",
        "explain",
        "doctor",
    ],
)
def test_a_full_disk_is_one_line(site: Site, command: str) -> None:
    status, _, complaints = site.run(COMMANDS[command], redirect=">/dev/full")
    assert (status, complaints) == (1, f"callrouter: {FULL}\n")


# --- Arguments that are no text ---------------------------------------------------------------------------


BYTES = b"\xff\xfe\x1b[2J"


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("calls", "show", BYTES), 1),
        (("callbacks", "show", BYTES), 1),
        (("report", "campaigns", "--campaign", BYTES), 1),
        (("explain", "--to", BYTES), 0),
        (("explain", "--to", "+33184801001", "--from", BYTES), 0),
        (("--config", BYTES, "calls", "list"), 1),
        (("--db", BYTES, "calls", "list"), 1),
        (("calls", "list", "--from", BYTES), 2),
        (("explain", "--to", "+33184801001", "--at", BYTES), 2),
        ((BYTES,), 2),
    ],
)
@pytest.mark.parametrize("environ", [{}, PLAIN], ids=["UTF-8", "C"])
def test_bytes_that_are_no_text(
    site: Site, words: tuple[str | bytes, ...], status: int, environ: dict[str, str]
) -> None:
    code, out, complaints = site.run(words, **environ)
    assert code == status
    assert "Traceback" not in complaints
    assert "\x1b" not in out + complaints
    if status == 1:
        assert quiet(complaints)


def test_a_path_that_the_locale_cannot_say(tmp_path: Path) -> None:
    folder = tmp_path / "été"
    folder.mkdir()
    status, out, complaints = Site(folder).run(COMMANDS["calls list"], **PLAIN)
    assert (status, complaints) == (0, "")
    assert "spring-flyer" in out
