"""What the tests of a router that is no more set and look at in Asterisk."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from tests.integration.site import Site

STEP = re.compile(
    r"^\[([-0-9: .]+)\] VERBOSE\[\d+\]\[(C-[0-9a-f]+)\].*Executing \[s@callrouter-(arrival|fallback):1\]",
    re.MULTILINE,
)


@contextmanager
def dead_man(site: Site, seconds: int) -> Iterator[None]:
    """Callers who arrive meanwhile are taken back from a dead router after so many seconds."""
    usual = re.search(r"CALLROUTER_DEAD_MAN=(\d+)", site.asterisk.cli("dialplan show globals"))
    assert usual is not None
    site.asterisk.cli(f"dialplan set global CALLROUTER_DEAD_MAN {seconds}")
    try:
        yield
    finally:
        site.asterisk.cli(f"dialplan set global CALLROUTER_DEAD_MAN {usual[1]}")


@contextmanager
def watched(site: Site) -> Iterator[Path]:
    """A log of every line of the dialplan that is carried out meanwhile."""
    log = site.asterisk.log.with_name("steps")
    log.unlink(missing_ok=True)
    site.asterisk.cli("logger add channel steps verbose(3)")
    try:
        yield log
    finally:
        site.asterisk.cli("logger remove channel steps")


def detours(steps: Path) -> list[float]:
    """Seconds from the arrival of each call in the dialplan until it was in the fallback, in order; only of calls
    that came there."""
    text = steps.read_text(encoding="utf-8", errors="replace") if steps.exists() else ""
    arrived: dict[str, float] = {}
    found = []
    for step in STEP.finditer(text):
        at = datetime.fromisoformat(step[1]).timestamp()
        if step[3] == "arrival":
            arrived[step[2]] = at
        elif step[2] in arrived:
            found.append(at - arrived.pop(step[2]))
    return found
