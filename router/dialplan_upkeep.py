"""Keeps the third line as old as the configuration in force: the generated dialplan, on the disk and in Asterisk.

With `asterisk.dialplan` in campaigns.yaml the file is written anew after each accepted configuration and each week
(it knows the holidays of 400 days), Asterisk reads it, and is then asked whether it has. Without the key it is only
asked. Nothing here stops a call: what goes wrong is logged, said by health and by the doctor, and tried again.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from router import dialplan, dialplan_file
from router.ari.client import Client
from router.errors import AriError, RouterError
from router.log import fact
from router.model import Config
from router.numbers import safe_text

log: Final = logging.getLogger("router.dialplan")

LOOK: Final = 30.0
"""Seconds between two questions which dialplan Asterisk has loaded."""
AGAIN: Final = 300.0
"""Seconds after which what failed is tried again."""
RELOADING: Final = 60.0
"""Seconds that Asterisk has to read its dialplan: 100,000 numbers are several files' worth."""
RENEWED: Final = timedelta(days=7)
MODULE: Final = "pbx_config.so"
LONGEST: Final = 64
"""Characters that are shown of what Asterisk says is the version of its dialplan."""

_MADE: Final = re.compile(rf"^{dialplan.MADE_VARIABLE}=([0-9]{{8}})$", re.ASCII | re.MULTILINE)


class DialplanUpkeep:
    """Event loop only, and made within it."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._config: Config | None = None
        self._up = False
        self._due = asyncio.Event()
        self._written: tuple[str, str] | None = None
        """The version and the day for which the file was last looked after."""
        self._unread = False
        """The file has changed since Asterisk last read it at our wish."""
        self._tried_at = float("-inf")
        self._trouble = ""
        self._loaded: str | None = None
        self._said = ""

    def adopt(self, config: Config) -> None:
        """This configuration is in force."""
        self._config = config
        self._tried_at = float("-inf")
        self._due.set()

    def connected(self) -> None:
        self._up = True
        self._due.set()

    def lost(self) -> None:
        self._up = False

    @property
    def stale(self) -> str:
        """Why the dialplan is not that of the configuration in force; empty when it is, or nobody knows."""
        config = self._config
        if self._trouble or config is None or self._loaded in (None, config.version):
            return self._trouble
        if not self._loaded:
            return f"Asterisk has not loaded {dialplan.FILE}"
        return f"Asterisk has loaded that of configuration {self._loaded}, in force is {config.version}"

    async def run(self) -> None:
        """For ever."""
        while True:
            self._due.clear()
            try:
                await self._look_after()
            except AriError as error:
                log.debug(fact(event="dialplan_unknown", why=error))
            except Exception as error:
                # A mistake of ours in here is not to end the router.
                log.error(fact(event="internal_error", about="dialplan", error=type(error).__name__))
                log.debug("", exc_info=error)
            self._say()
            try:
                async with asyncio.timeout(LOOK):
                    await self._due.wait()
            except TimeoutError:
                continue

    async def _look_after(self) -> None:
        """Raises AriError."""
        config = self._config
        if config is None:
            return
        if not config.dialplan:
            self._trouble = ""
        else:
            await self._write(config)
        if not self._up:
            return
        await self._ask()
        late = self._loaded != config.version and time.monotonic() - self._tried_at >= AGAIN
        if config.dialplan and not self._trouble and (self._unread or late):
            self._tried_at = time.monotonic()
            await self._client.reload_module(MODULE, deadline=RELOADING)
            self._unread = False
            await self._ask()
            if self._loaded == config.version:
                log.info(fact(event="dialplan_loaded", config=config.version))

    async def _ask(self) -> None:
        self._loaded = safe_text(await self._client.global_variable(dialplan.VERSION_VARIABLE), LONGEST)

    async def _write(self, config: Config) -> None:
        now = datetime.now(UTC)
        wanted = (config.version, f"{now:%Y%m%d}")
        if self._written == wanted or (self._trouble and time.monotonic() - self._tried_at < AGAIN):
            return
        try:
            changed = await asyncio.to_thread(renew, config, now)
        except (OSError, RouterError) as error:
            self._tried_at = time.monotonic()
            why = error.strerror or str(error) if isinstance(error, OSError) else str(error)
            self._trouble = f"{config.dialplan}: {why}"
        else:
            self._trouble = ""
            self._unread |= changed
            self._written = wanted

    def _say(self) -> None:
        """Once for each change."""
        if self.stale != self._said:
            self._said = self.stale
            if self._said:
                log.warning(fact(event="dialplan_stale", why=self._said))


def renew(config: Config, now: datetime) -> bool:
    """Write the file when it does not say what it should, or is a week old; True when it was written.

    Raises OSError, and RouterError where the file is somebody else's.
    """
    path = Path(config.dialplan)
    try:
        found = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        found = ""
    if found and not found.startswith(dialplan.FIRST_WORDS):
        raise RouterError("is not a file that callrouter made: name another one in asterisk.dialplan")
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    made = _made(found)
    first_day = made if made is not None and timedelta(0) <= midnight - made < RENEWED else midnight
    wanted = dialplan_file.text(config, str(path.parent), first_day)
    if found == wanted:
        return False
    dialplan_file.replace(path, dialplan_file.text(config, str(path.parent), midnight))
    return True


def _made(text: str) -> datetime | None:
    """The day of which the file says that it was made."""
    found = _MADE.search(text)
    try:
        return datetime.strptime(found[1], "%Y%m%d").replace(tzinfo=UTC) if found else None
    except ValueError:
        return None
