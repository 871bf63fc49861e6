"""The contenders: the same call, routed in five ways."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.application import Application, Daemon, Forked, Nothing, Router
from bench.site import CHECKOUT, DID, MOBILE, PEERS, Site
from sandbox.errors import SandboxError

ROUTE = f"{DID}=PJSIP/{MOBILE}@trunk"
"""What the peers are told on their command lines."""
DIAL = f"""\
[callrouter]
exten => {DID},1,Dial(PJSIP/{MOBILE}@trunk,20)
 same => n,Hangup()
"""
AGI = f"""\
[callrouter]
exten => {DID},1,AGI({{agi}})
 same => n,Dial(${{{{TARGET}}}},20)
 same => n,Hangup()
"""
STASIS = f"""\
[callrouter]
exten => {DID},1,Stasis(naive,{DID})
 same => n,Hangup()
"""


@dataclass(frozen=True, slots=True)
class Contender:
    """`key` names it on the command line, `name` in the results."""

    key: str
    name: str
    dialplan: Callable[[Site], str]
    application: Callable[[Site], Application]


def _fast_agi_port(site: Site) -> int:
    """A TCP port; the phones use UDP only."""
    return site.asterisk.ports.spare[-3]


def _fast_agi(site: Site) -> Application:
    port = _fast_agi_port(site)
    command = [sys.executable, str(PEERS / "fast_agi.py"), str(port), ROUTE]
    return Daemon(command, site.folder / "fast_agi.log", lambda: _listens(port))


def _naive(site: Site) -> Application:
    asterisk = site.asterisk
    base = f"http://127.0.0.1:{asterisk.ports.http}"
    command = [
        sys.executable,
        str(PEERS / "naive_ari.py"),
        base,
        asterisk.user,
        str(asterisk.ari_password_file),
        ROUTE,
    ]
    return Daemon(command, site.folder / "naive_ari.log", lambda: "naive" in asterisk.cli("ari show apps"))


def _router(site: Site) -> Application:
    return Router(Path(_write_campaigns(site)), site.folder / "callrouter.log")


def _router_dialplan(site: Site) -> str:
    """The very dialplan that an administrator gets for the campaigns. Raises SandboxError."""
    generated = site.folder / "generated"
    command = [sys.executable, str(CHECKOUT / "cli.py"), "--config", _write_campaigns(site)]
    said = subprocess.run(
        [*command, "asterisk", "conf", "--output", str(generated)], capture_output=True, text=True, check=False
    )
    if said.returncode:
        raise SandboxError(f"callrouter asterisk conf failed: {said.stderr.strip()}")
    return f"#include {generated}/callrouter-extensions.conf\n"


def _write_campaigns(site: Site) -> str:
    """The file's path. `caller_id: caller`, because the caller's number joins the two legs of a call."""
    asterisk = site.asterisk
    text = f"""\
version: 1
company: {{country: FR, timezone: Europe/Paris, language: fr}}
asterisk:
  ari:
    url: "{asterisk.ari_url}"
    username: {asterisk.user}
    password_file: "{asterisk.ari_password_file}"
    app: callrouter
  trunks:
    main: {{dial: "PJSIP/{{number}}@trunk", identity: pai}}
database: callrouter.db
salespeople:
  alice: {{name: Alice Martin, mobile: "{MOBILE}", max_calls: 0}}
defaults:
  hours: always
  accept: none
  caller_id: caller
  ring: {{strategy: sequential, timeout: 20s, max_wait: 60s}}
  callback: {{due: 15m, retries: [10m, 1h, 4h], expire: 5d}}
campaigns:
  spring-flyer:
    name: Flyer printemps
    medium: flyer
    numbers: ["{DID}"]
    ring: {{to: [alice]}}
unknown_number: {{ring: {{to: [alice]}}}}
"""
    site.folder.mkdir(parents=True, exist_ok=True)
    path = site.folder / "campaigns.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


CONTENDERS = (
    Contender("dial", "plain Dial()", lambda _: DIAL, lambda _: Nothing()),
    Contender("router", "callrouter", _router_dialplan, _router),
    Contender(
        "fastagi", "FastAGI + Dial()", lambda s: AGI.format(agi=f"agi://127.0.0.1:{_fast_agi_port(s)}"), _fast_agi
    ),
    Contender(
        "agi",
        "forked AGI + Dial()",
        lambda _: AGI.format(agi=f"{sys.executable},{PEERS / 'forked_agi.py'},{ROUTE}"),
        lambda s: Forked(lambda: s.asterisk.pid),
    ),
    Contender("ari", "ARI over HTTP", lambda _: STASIS, _naive),
)


def chosen(keys: str) -> tuple[Contender, ...]:
    """`dial,router`: those, in the usual order; everything when empty. Raises SandboxError for an unknown one."""
    wanted = [key.strip() for key in keys.split(",") if key.strip()]
    known = [contender.key for contender in CONTENDERS]
    unknown = [key for key in wanted if key not in known]
    if unknown:
        raise SandboxError(f"no contender is called {unknown[0]!r}; there are {', '.join(known)}")
    return tuple(contender for contender in CONTENDERS if not wanted or contender.key in wanted)


def _listens(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
