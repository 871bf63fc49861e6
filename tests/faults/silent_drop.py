"""F5's story, for a real loss of packets or a proxy that freezes. `python -m tests.faults.silent_drop FOLDER` tells
it within a network namespace of its own (`unshare -rn`), and writes the figures to FOLDER/figures.json.

In the namespace ARI is reached at 127.0.0.2, to which the kernel goes from 127.0.0.3. A blackhole in place of the
latter loses every packet between the two, both ways and without a word: an open connection falls silent, and a new
one is not answered.
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

from sandbox.tcp_proxy import TcpProxy
from tests.faults.fleet import Fleet
from tests.faults.wire import Wire, wired
from tests.integration.site import PATIENT, TALKED, Site, campaigns
from tests.site_fixtures import as_found

Figure = tuple[str, float | str, str]

LASTS: Final = 60.0
TOLD: Final = 10.0
BACK: Final = 2.0
ASTERISK: Final = "127.0.0.2"
ROUTER: Final = "127.0.0.3"


def tell(wire: Wire, silence: Callable[[], AbstractContextManager[object]]) -> list[Figure]:
    """25 talk and 25 ring when the silence begins; callers come and go in it. What was measured; AssertionError."""
    site = wire.site
    fleet = Fleet(site, ringing=15, talking=15, ring=75.0, talk=75.0)
    leaving = fleet.place(10, PATIENT, cancel_after=15.0)
    hanging_up = fleet.place(10, TALKED, hang_up_after=15.0)
    site.until(lambda: all(leaving.rung().values()), "they ring too")
    site.until(lambda: all(row["answered_at"] for row in hanging_up.rows()), "they talk too")
    with silence():
        began = time.monotonic()
        told = wire.told(503, TOLD)
        # The sign of life is old beyond doubt then: a caller of the first seconds waits for the dead man.
        site.until(lambda: "link" in wire.ready()[1], "the link is given up", TOLD)
        given_up = time.monotonic() - began
        fallback = fleet.place(10, TALKED, hang_up_after=0.5)
        fallback.wait(30)
        leaving.wait(30)
        hanging_up.wait(30)
        ups = wire.ups
        # Nothing to wait for: the silence itself is to last.
        time.sleep(max(0.0, LASTS - (time.monotonic() - began)))
    back = wire.back(ups, 15.0)
    fleet.check(90)
    ways = {row["path"] for row in fallback.rows()}
    assert fleet.talking.outcomes() == {"answered": 15}
    assert fleet.ringing.outcomes() == {"answered": 15}
    assert leaving.outcomes() == {"abandoned": 10}
    assert hanging_up.outcomes() == {"answered": 10}
    assert fallback.outcomes() == {"answered": 10}
    assert ways <= {"agi", "dialplan"}
    assert all(len(legs) == 1 for legs in fleet.all.rung().values()), "nobody is dialled twice"
    assert told < TOLD
    assert back < BACK
    assert given_up < TOLD
    return [
        ("monitoring is told after", told, "s"),
        ("link given up after", given_up, "s"),
        ("back after", back, "s"),
        ("60 calls kept; new ones to", "/".join(sorted(ways)), ""),
    ]


def patient(site: Site, url: str, health: int) -> None:
    """A site whose phones may ring for longer than the silence lasts."""
    content = campaigns(site.asterisk, health={"listen": f"127.0.0.1:{health}"})
    content["asterisk"]["ari"]["url"] = url
    for name in ("patient", "talked"):
        content["campaigns"][name]["ring"] |= {"timeout": "100s", "max_wait": "3m"}
    site.configure(content)
    site.asterisk.load_dialplan(site.stack.generated_dialplan())


def behind_a_proxy(site: Site) -> list[Figure]:
    """The story where no packet can be lost: a proxy passes nothing on."""
    with wired(site) as wire:
        patient(site, f"http://127.0.0.1:{wire.proxy.port}/ari", wire.health)
        with as_found(site, 45.0):
            return tell(wire, wire.proxy.frozen)


# --- Within a namespace -----------------------------------------------------------------------------------


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@contextlib.contextmanager
def _losing() -> Iterator[None]:
    _ip("route", "replace", "blackhole", f"{ROUTER}/32", "table", "local")
    try:
        yield
    finally:
        _ip("route", "del", "blackhole", f"{ROUTER}/32", "table", "local")


def _listen_everywhere(site: Site) -> None:
    """Asterisk's HTTP server on every address of the namespace."""
    conf = site.asterisk.etc / "http.conf"
    text = conf.read_text(encoding="utf-8")
    conf.write_text(re.sub(r"(?m)^bindaddr *=.*$", "bindaddr = 0.0.0.0", text), encoding="utf-8")
    site.asterisk.cli("module reload http")


def main(folder: Path) -> None:
    _ip("link", "set", "lo", "up")
    _ip("route", "replace", "local", ASTERISK, "dev", "lo", "src", ROUTER, "table", "local")
    with Site(folder / "site") as site:
        _listen_everywhere(site)
        port = site.asterisk.ports.http
        health = site.asterisk.ports.spare[-3]
        patient(site, f"http://{ASTERISK}:{port}/ari", health)
        with TcpProxy(port) as unused, as_found(site, 45.0):
            figures = tell(Wire(site, unused, health), _losing)
        site.stop_router()
    (folder / "figures.json").write_text(json.dumps(figures), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
