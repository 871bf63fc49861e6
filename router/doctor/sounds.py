"""What callers and salespeople hear: may Asterisk read it, is there a program that speaks, has it spoken?"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from shlex import quote

from router.doctor.finding import Finding, fail, ok, warn
from router.doctor.machine import User, asterisks_user
from router.model import Config
from router.sounds import SHIPPED, missing, speech, uses
from router.spoken import folder_of

SPOOL = Path("/var/spool/asterisk")
"""Asterisk's `astspooldir`, where nobody has moved it."""


def examine(config: Config) -> list[Finding]:
    user = asterisks_user()
    return [*_readable(config, user), *_spoken(config), *_recording(config, user)]


def _readable(config: Config, user: User | None) -> Iterator[Finding]:
    """Whether Asterisk's user may open every recording, and go into every folder on the way to it."""
    if user is None:
        return
    for path in _recordings(config):
        if os.path.exists(path) and not user.may(path, 4):
            mend = f"chgrp asterisk {quote(path)} && chmod g+r {quote(path)}"
        elif closed := [str(folder) for folder in Path(path).parents if not user.may(str(folder), 1)]:
            mend = f"chgrp asterisk {quote(closed[0])} && chmod g+x {quote(closed[0])}"
        else:
            continue
        yield fail("sounds", f"Asterisk's user (uid {user.uid}) may not read {path}: it is not heard", mend)
        return
    yield ok("sounds", f"Asterisk's user (uid {user.uid}) may read every recording")


def _recordings(config: Config) -> Iterator[str]:
    yield from sorted(str(path) for path in Path(SHIPPED).glob("*/*.ulaw"))
    place = folder_of(config.database)
    if os.path.isdir(place):
        yield from sorted(str(path) for path in Path(place).glob("*.wav"))
    yield from (use.sound.file for use in uses(config) if use.sound.file)


def _spoken(config: Config) -> Iterator[Finding]:
    """Whether all that is to be said has been."""
    beeps = missing(config, folder_of(config.database))
    lost = [use for use in beeps if use.sound.file]
    unsaid = [use for use in beeps if not use.sound.file]
    program = speech.program(config.speech)
    if lost:
        what = f"{lost[0].where}: {lost[0].sound.file} is not there: a beep is heard instead"
        yield fail("speech", what, "record it, then: callrouter reload")
    elif not speech.command_of(config.speech, os.path.dirname(config.file)) and unsaid:
        mend = "apt install espeak-ng, then: callrouter reload" if not config.speech.command else "callrouter check"
        yield warn("speech", f"{program} is not installed: {_listed(len(unsaid))} a beep", mend)
    elif unsaid:
        what = f"{unsaid[0].where} has not been spoken yet: {_listed(len(unsaid))} a beep"
        yield warn("speech", what, "callrouter reload, then: journalctl -u callrouter")
    else:
        yield ok("speech", "all that the configuration says has been spoken, or recorded")


def _recording(config: Config, user: User | None) -> Iterator[Finding]:
    """Asterisk makes no folder for recordings, and its Debian package has none: it then refuses to record."""
    if not any(use.where.endswith("voicemail.announcement") for use in uses(config)) or not SPOOL.is_dir():
        return
    place = SPOOL / "recording"
    if not place.is_dir():
        mend = f"install -d -m 770 -o asterisk -g asterisk {place}"
        yield fail("voicemail", f"{place} is missing: no message can be left", mend)
    elif user is not None and not user.may(str(place), 7):
        mend = f"chown asterisk {place} && chmod u+rwx {place}"
        yield fail("voicemail", f"Asterisk's user (uid {user.uid}) may not write to {place}", mend)
    else:
        yield ok("voicemail", f"messages are left in {place}")


def _listed(count: int) -> str:
    return "1 text is" if count == 1 else f"{count} texts are"
