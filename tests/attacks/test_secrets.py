"""Passwords, PINs and callers' numbers: where a router that works leaves them, and where it must not. Real
Asterisk, with `--debug`, and with the passwords in the environment as well."""

from __future__ import annotations

import json
import os
import re
import stat
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sandbox.behaviours import Answer, Refuse
from tests.integration.site import ALICE, ALONE, BOB, CAROL, IN_TURN, NOBODYS, Site, campaigns

pytestmark = pytest.mark.asterisk

PIN = "80417395"
CALLERS = ("+33140271828", "+33145318281", "+33147182845")
HIDDEN = tuple(number[-8:-2] for number in CALLERS)
"""What of their numbers no log may hold, whichever way they are written."""
WHOLE = re.compile(r"(?:\+|00|\b)33140271828|0140271828|0145318281|0147182845")


@dataclass
class Kept:
    """A site after some calls, and all that it has said and written."""

    site: Site
    secrets: tuple[str, ...]
    said: dict[str, str] = field(default_factory=dict)
    """What -> its text: logs, answers, outputs."""
    modes: dict[str, int] = field(default_factory=dict)
    """Files beside the database, by what follows its name, while the router ran."""

    def holds(self, text: str) -> list[str]:
        return [what for what, said in self.said.items() if text in said]


def proc(pid: int, what: str) -> str:
    return Path(f"/proc/{pid}/{what}").read_bytes().decode(errors="replace").replace("\0", " ")


@pytest.fixture(scope="module")
def kept(site: Site) -> Iterator[Kept]:
    asterisk, folder = site.asterisk, site.config.parent
    port = asterisk.ports.spare[0]
    speaker = folder / "speaker"
    speaker.write_text(
        f"#!/bin/sh\nenv > '{folder}/speaker.env'\nexit 1\n",
        encoding="utf-8",
    )
    speaker.chmod(0o755)
    (folder / "secrets").mkdir(exist_ok=True)
    (folder / "secrets" / "pins").write_text(f'alice: "{PIN}"\n', encoding="utf-8")
    (folder / "secrets" / "pins").chmod(0o600)
    content = campaigns(asterisk, pins_file="secrets/pins", health={"listen": f"127.0.0.1:{port}"})
    content["speech"] = {"command": "./speaker {language} {file} {text}"}
    content["campaigns"]["alone"] |= {"name": "Alone", "whisper": {"say": "somebody calls"}}
    site.configure(content)
    site.asterisk.load_dialplan(site.stack.generated_dialplan())
    passwords = {
        "CALLROUTER_ARI_PASSWORD": asterisk.ari_password,
        "CALLROUTER_AMI_PASSWORD": asterisk.ami_password,
    }
    site.stack.router._environment.update(passwords)
    old = os.umask(0o022)
    try:
        site.stack.router.start(debug=True)
        here = Kept(site, (*passwords.values(), PIN))
        _calls(here)
        _ask(here, port)
        yield here
    finally:
        os.umask(old)
        site.stop_router()


def _calls(kept: Kept) -> None:
    """One that is answered, one that is not, one that is refused, a salesperson's own, and a cut link."""
    site = kept.site
    site.mobiles({ALICE: Answer(0.1), BOB: Refuse(486), CAROL: Refuse(404)})
    site.call(ALONE, from_number=CALLERS[0], hang_up_after=0.5).ended()
    site.call(NOBODYS, from_number=CALLERS[1]).ended()
    site.mobiles({ALICE: Refuse(603), BOB: Refuse(486), CAROL: Refuse(503)})
    site.call(IN_TURN, from_number=CALLERS[2]).ended()
    site.stack.call(ALONE, ALICE, hang_up_after=0.5).wait(20)
    site.asterisk.cli("module reload http")
    site.quiet()


def _ask(kept: Kept, port: int) -> None:
    """Everything that the site says while its router runs."""
    site, said = kept.site, kept.said
    router = site.stack.router
    for words in (
        ("doctor",), ("check",), ("check", "--format", "json"), ("reload",), ("calls", "list"), ("people", "list"),
        ("calls", "live", "--once"), ("calls", "live", "--format", "json"), ("callbacks", "list"),
        ("asterisk", "conf"),
        ("asterisk", "conf", "callrouter-ari.conf"), ("asterisk", "conf", "callrouter-manager.conf"),
        ("asterisk", "conf", "callrouter-extensions.conf"), ("--debug", "calls", "show", "nonesuch"),
        ("--debug", "backup", "/nonexistent/x"), ("--debug", "asterisk", "conf", "none"),
    ):  # fmt: skip
        done = site.run(*words)
        said[f"output of {' '.join(words)}"] = done.stdout + done.stderr
    for page in ("metrics", "health/ready", "health/live"):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{page}", timeout=10) as answer:
            said[page] = answer.read().decode()
    said["command line of the router"] = proc(router.pid, "cmdline")
    said["core dump filter"] = proc(router.pid, "coredump_filter").strip()
    folder = site.config.parent
    for file in sorted(folder.iterdir()):
        name = file.name.removeprefix(site.database.name)
        if name != file.name or file == site.database:
            kept.modes[name] = stat.S_IMODE(file.lstat().st_mode)
        if file.is_file() and file.suffix != ".xml":
            said[f"file {file.name}"] = file.read_bytes().decode("utf-8", "replace")
    said["file callrouter-extensions.conf"] = (folder / "generated" / "callrouter-extensions.conf").read_text()
    said["log"] = site.log


def test_the_scenario_was_played(kept: Kept) -> None:
    """What is looked for below could have been found: the router had it, and everything was asked."""
    environment = proc(kept.site.stack.router.pid, "environ")
    assert all(secret in environment for secret in kept.secrets[:2])
    assert "event=arrived" in kept.said["log"]
    assert "--debug" in kept.said["command line of the router"]
    assert "event=own_line" in kept.said["log"]
    assert "callrouter_calls" in kept.said["metrics"]
    assert "Traceback" in kept.said["output of --debug calls show nonesuch"]
    assert kept.said["file speaker.env"]
    for name in ("file callrouter.db.routes", "file callrouter-extensions.conf", "output of doctor"):
        assert kept.said[name], name


def test_no_password_and_no_pin_is_anywhere(kept: Kept) -> None:
    for secret in kept.secrets:
        assert kept.holds(secret) == []


def test_the_speech_program_is_not_given_them(kept: Kept) -> None:
    """It inherits the environment, but for what is ours."""
    assert "PATH=" in kept.said["file speaker.env"]
    assert "CALLROUTER_" not in kept.said["file speaker.env"]


def test_no_callers_number_is_in_the_log_at_any_level(kept: Kept) -> None:
    log = kept.said["log"]
    assert not WHOLE.search(log)
    assert not [hidden for hidden in HIDDEN if hidden in log]
    assert all(line.isprintable() for line in log.splitlines())


def test_nor_in_what_monitoring_or_a_listing_shows(kept: Kept) -> None:
    """The database has them, and `--numbers` with a reason; nothing else does."""
    found = {what for what, text in kept.said.items() if WHOLE.search(text)}
    assert {what.partition("callrouter.db")[2] for what in found if what.startswith("file ")} <= {
        "", "-wal", ".spool", ".journal",
    }  # fmt: skip
    assert not {what for what in found if not what.startswith("file ")}


def test_no_mobile_is_in_the_log_or_the_metrics(kept: Kept) -> None:
    for what in ("log", "metrics", "output of calls live --format json", "output of people list"):
        for mobile in (ALICE, BOB, CAROL):
            assert mobile[-8:] not in kept.said[what].replace(" ", ""), what


def test_the_routers_memory_stays_out_of_core_dumps(kept: Kept) -> None:
    assert int(kept.said["core dump filter"], 16) == 0


DOCUMENTED = {
    ".lock": 0o644,  # a process id
    ".sounds": 0o750,
    ".fallback": 0o770,
}


def test_what_it_writes_is_its_users_alone_whatever_the_umask(kept: Kept) -> None:
    assert {"", "-wal", "-shm", ".key", ".routes", ".sock", ".lock"} <= kept.modes.keys()
    wide = {
        name: oct(mode)
        for name, mode in kept.modes.items()
        if mode & ~DOCUMENTED.get(name, 0o600) and mode != 0o700
    }
    assert not wide


def test_a_backup_and_the_generated_files_are_as_narrow(kept: Kept) -> None:
    folder = kept.site.folder / "made"
    folder.mkdir(mode=0o700)
    assert kept.site.run("backup", str(folder / "copy.db")).returncode == 0
    assert kept.site.run("asterisk", "conf", "--output", str(folder / "conf")).returncode == 0
    assert stat.S_IMODE((folder / "copy.db").stat().st_mode) == 0o600
    made = {file.name: stat.S_IMODE(file.stat().st_mode) for file in (folder / "conf").iterdir()}
    secret = {name for name in made if any(word in (folder / "conf" / name).read_text() for word in kept.secrets)}
    assert secret == {"callrouter-ari.conf", "callrouter-manager.conf"}
    for name in (*secret, "callrouter-extensions.conf"):
        assert made[name] == 0o640
    assert not [name for name, mode in made.items() if mode & 0o022], "nobody else writes what Asterisk reads"


def live(site: Site) -> str:
    told = site.run("calls", "live", "--format", "json").stdout
    return told if json.loads(told)["calls"] else ""


def test_the_live_view_says_of_a_call_no_more_than_its_mask(kept: Kept) -> None:
    site = kept.site
    site.mobiles({ALICE: Answer(0.1)})
    call = site.call(ALONE, hang_up_after=20.0)
    told = site.until(lambda: live(site), "it is shown", 20)
    call.placed.stop()
    site.asterisk.cli("channel request hangup all")
    site.quiet()
    assert call.number[-8:-2] not in told.replace(" ", "")
    assert "•" in json.loads(told)["calls"][0]["caller"]
