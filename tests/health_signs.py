"""Signs of a router that is well, for the tests of router.health; a test names only what is not."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Any

from router.ari.link import LinkHealth
from router.health.signs import Signs, TrunkState
from router.store.look import Look, Owed
from router.store.writer import WriterHealth

LINK = LinkHealth(up=True, transport="websocket", pending=0, oldest=0.0, trouble="", unread=MappingProxyType({}))
DOWN = replace(LINK, up=False, trouble="nothing heard from Asterisk for 8 s")
WRITER = WriterHealth(pending=0, spooled=0, refused=0, last_error=None)
LOOK = Look("", 10 * 1024**3, Owed(3, 1, 2))
WELL = Signs(
    config="0123456789ab",
    link=LINK,
    reconnects=0,
    writer=WRITER,
    spooled_for=0.0,
    look=LOOK,
    looked=1.0,
    lag=0.002,
    calls=4,
    trunks={"main": TrunkState(False, 3), "spare": TrunkState(False, 0)},
    reload_refused=False,
    fallback_stale=False,
    heartbeat=0.4,
    dialplan="",
)


def signs(**more: Any) -> Signs:
    return replace(WELL, **more)
