"""callrouter-extensions.conf on the disk: what stands in it, and how it is written."""

from __future__ import annotations

import contextlib
import os
from datetime import datetime
from pathlib import Path
from typing import Final

from router import asterisk_files, dialplan, spoken
from router.model import Config
from router.shipped import share
from router.store.fallback import folder as spool

MODE: Final = 0o640
"""The salespeople's mobiles stand in it: for its owner and Asterisk's group."""


def text(config: Config, folder: str, at: datetime) -> str:
    """The dialplan for an Asterisk that reads it in `folder` (absolute), beside the AGI script's launcher. `at`
    (aware) is its first day. Raises RouterError."""
    static = (share("asterisk_conf") / asterisk_files.STATIC).read_text(encoding="utf-8")
    places = dialplan.Places(
        agi=os.path.join(folder, asterisk_files.AGI),
        spool=spool(config.database),
        sounds=_prompts(config.language),
        spoken=spoken.folder_of(config.database),
    )
    return dialplan.generate(config, static, places, at)


def replace(path: Path, wanted: str, mode: int = MODE) -> None:
    """Write the file whole or not at all, in the folder's group: Asterisk's own folder gives it to Asterisk.
    Raises OSError."""
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as target:
            target.write(wanted)
            # Only a member of the group may give a file to it; docs/operation.md says what else to do.
            with contextlib.suppress(PermissionError):
                os.fchown(descriptor, -1, path.parent.stat().st_gid)
            os.fchmod(descriptor, mode)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def _prompts(language: str) -> str:
    """The folder of the recordings that come with the program, in this language where there are some."""
    from router.sounds import SHIPPED
    from router.sounds.texts import FALLBACK

    own = os.path.join(SHIPPED, language)
    return own if os.path.isdir(own) else os.path.join(SHIPPED, FALLBACK)
