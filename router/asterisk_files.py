"""The files that an Asterisk includes, made from the templates of asterisk_conf/ and campaigns.yaml. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from router.errors import RouterError
from router.model import Config, Trunk

AGI: Final = "callrouter-agi"
TEMPLATES: Final = ("pjsip.conf", "ari.conf", "http.conf", "manager.conf", "modules.conf", "asterisk.conf")
TRUNK: Final = "trunk.conf"
STATIC: Final = "extensions.conf"

_HIDDEN: Final = "********"
_WORD: Final = re.compile(r"@([A-Z]+)@")
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1", "0.0.0.0", "::"})  # noqa: S104 - not listened on
"""How this machine is reached from itself; an address that stands for all of them is no wish to listen on all."""


@dataclass(frozen=True, slots=True)
class File:
    """One file to write. `shown` is its text for the screen, with the password hidden."""

    text: str
    mode: int
    shown: str


def files(config: Config, templates: Mapping[str, str], folder: str) -> dict[str, File]:
    """Every file but the dialplan and the launcher, by the name under which it is written into `folder`.

    Raises RouterError for a password that a configuration file of Asterisk cannot hold.
    """
    made = {}
    for name in TEMPLATES:
        words, password = _words(config, name, templates, folder)
        if words is None:
            continue
        made[f"callrouter-{name}"] = File(
            text=_filled(templates[name], {**words, "PASSWORD": password or ""}),
            mode=0o644 if password is None else 0o640,
            shown=_filled(templates[name], {**words, "PASSWORD": _HIDDEN}),
        )
    return made


def launcher(python: str, route: str, search: tuple[str, ...], database: str, timeout: str | None) -> str:
    """The shell script that Asterisk starts as an AGI: its own environment is bare, so every path is absolute.

    `timeout` is coreutils' program of that name: it ends a Python that hangs before its own alarm is set.
    """
    guard = f"{_quoted(timeout)} -k 1 6 " if timeout else ""
    path = _quoted(":".join(search))
    return f"""#!/bin/sh
# Started by Asterisk when the router does not take a call: see agi_scripts/route.py.
# Made by `callrouter asterisk conf` for this installation; make it again when Python or Callrouter move.
# -s -S: nothing is looked for in home or site folders, which takes time that a caller waits.
unset PYTHONHOME PYTHONSTARTUP
PYTHONPATH={path} exec {guard}{_quoted(python)} -s -S {_quoted(route)} {_quoted(database)} "$@"
"""


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _words(
    config: Config, name: str, templates: Mapping[str, str], folder: str
) -> tuple[dict[str, str] | None, str | None]:
    """What stands for the template's words, and the password in it (None: it has none). No words: no such file."""
    words = {"FOLDER": folder}
    if name == "pjsip.conf":
        trunks = (_filled(templates[TRUNK], _trunk(trunk)) for trunk in config.trunks.values())
        return words | {"TRUNKS": "\n" + "\n".join(trunks)}, None
    if name == "ari.conf":
        return words | {"USERNAME": config.ari.username}, _password(config.ari_password.reveal())
    if name == "http.conf":
        url = urlsplit(config.ari.url)
        return words | {"HOST": _address(url.hostname or ""), "PORT": str(url.port or 8088)}, None
    if name == "manager.conf":
        if config.ami is None or config.ami_password is None:
            return None, None
        ami = {"USERNAME": config.ami.username, "HOST": _address(config.ami.host), "PORT": str(config.ami.port)}
        return words | ami, _password(config.ami_password.reveal())
    return words, None


def _address(host: str) -> str:
    return "127.0.0.1" if host.lower() in _LOOPBACK else host


def _trunk(trunk: Trunk) -> dict[str, str]:
    # Asterisk asserts what is shown. Another number than that is written by us: its header would be a second one.
    sent = trunk.identity if trunk.asserts == "shown" else ""
    return {
        "TRUNK": trunk.id,
        "ENDPOINT": trunk.endpoint,
        "IDENTITY": trunk.identity,
        "ASSERTS": trunk.asserts,
        "PAI": "yes" if sent == "pai" else "no",
        "RPID": "yes" if sent == "rpid" else "no",
        "DIVERSION": "yes" if trunk.diversion else "no",
    }


def _filled(template: str, words: Mapping[str, str]) -> str:
    return _WORD.sub(lambda found: words[found[1]], template)


def _password(password: str) -> str:
    """As Asterisk's files have it: a semicolon would begin a comment."""
    if not password.isprintable() or password != password.strip() or "\\" in password:
        raise RouterError(
            "a password with spaces at its ends, backslashes or control characters cannot stand in Asterisk's "
            "files; make another one: openssl rand -hex 24"
        )
    return password.replace(";", "\\;")
