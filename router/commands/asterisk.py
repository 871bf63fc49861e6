"""`callrouter asterisk conf`: what an existing Asterisk includes, made from campaigns.yaml."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from router.errors import NotFound, StoreError
from router.shipped import share

if TYPE_CHECKING:
    from router.asterisk_files import File
    from router.commands.context import Context
    from router.model import Config

WHAT = {
    "callrouter-extensions.conf": "the way of a call, and the fallback",
    "callrouter-agi": "starts agi_scripts/route.py when the router is away",
    "callrouter-pjsip.conf": "an example of a trunk, to compare with yours",
    "callrouter-ari.conf": "the router's ARI user, with its password",
    "callrouter-http.conf": "ARI's server, on loopback",
    "callrouter-manager.conf": "the AMI user, with its password",
    "callrouter-modules.conf": "the modules that are needed, to compare",
    "callrouter-asterisk.conf": "one option that matters, to compare",
}
INCLUDED = ("extensions", "ari", "http", "manager")


@click.group()
def command() -> None:
    """Generate what an existing Asterisk includes."""


@command.command()
@click.argument("name", required=False, metavar="[FILE]")
@click.option("--output", metavar="DIR", help="Write the files into this folder; it is made when it is missing.")
@click.pass_obj
def conf(context: Context, name: str | None, output: str | None) -> None:
    """The files for Asterisk, generated from campaigns.yaml.

    Without --output, lists them; with a FILE of that list, prints it (its password hidden). The dialplan names the
    folder it is written to: write it to where Asterisk will read it.
    """
    config = context.config(secrets=True)
    folder = os.path.abspath(output or ".")
    made = build(config, folder)
    if name is not None:
        if name not in made:
            raise NotFound(f"{name} is none of the files: {', '.join(made)}")
        click.echo(made[name].shown, nl=False)
    elif output is None:
        _list(made)
    else:
        _write(made, Path(folder))
        _tell_next(config, made, folder)


def build(config: Config, folder: str) -> dict[str, File]:
    """All the files by name, for an Asterisk that reads them in `folder` (absolute). Raises RouterError."""
    from router import asterisk_files, dialplan, dialplan_file

    templates = {
        name: (share("asterisk_conf") / name).read_text(encoding="utf-8")
        for name in (*asterisk_files.TEMPLATES, asterisk_files.TRUNK)
    }
    extensions = dialplan_file.text(config, folder, datetime.now(UTC))
    route = share("agi_scripts") / "route.py"
    script = asterisk_files.launcher(
        sys.executable, str(route), _search_path(), config.database, shutil.which("timeout")
    )
    return {
        dialplan.FILE: asterisk_files.File(extensions, dialplan_file.MODE, extensions),
        asterisk_files.AGI: asterisk_files.File(script, 0o755, script),
        **asterisk_files.files(config, templates, folder),
    }


def needed_modules() -> tuple[str, ...]:
    """The modules that asterisk_conf/modules.conf lists and that every Asterisk has."""
    lines = (share("asterisk_conf") / "modules.conf").read_text(encoding="utf-8").splitlines()
    return tuple(line.partition("=")[2].strip() for line in lines if re.fullmatch(r"load = \S+", line))


def _search_path() -> tuple[str, ...]:
    """Where the AGI script's packages lie, each folder once: it is started without Python's own search."""
    from importlib.util import find_spec

    found = [str(Path(__file__).parents[2])]
    for package in ("asterisk", "six", "phonenumbers", "tzdata"):
        spec = find_spec(package)
        if spec is not None and spec.origin is not None:
            origin = Path(spec.origin)
            found.append(str(origin.parents[1] if origin.name == "__init__.py" else origin.parent))
    return tuple(dict.fromkeys(found))


def _list(made: dict[str, File]) -> None:
    for name, file in made.items():
        click.echo(f"{name:28} {file.mode:o}  {len(file.text.splitlines()):>7} lines  {WHAT[name]}")
    click.echo("\nSee one:    callrouter asterisk conf FILE")
    click.echo("Write all:  callrouter asterisk conf --output /etc/asterisk/callrouter")


def _write(made: dict[str, File], folder: Path) -> None:
    from router.dialplan_file import replace

    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, file in made.items():
            replace(folder / name, file.text, file.mode)
    except OSError as error:
        raise StoreError(
            f"{error.filename or folder}: {error.strerror}; write to a folder that is yours"
        ) from error


def _tell_next(config: Config, made: dict[str, File], folder: str) -> None:
    click.echo(f"{len(made)} files in {folder}. Next:")
    click.echo("\n1. Include them, each at the end of its file in /etc/asterisk:")
    for name in INCLUDED:
        if f"callrouter-{name}.conf" in made:
            click.echo(f"     {name + '.conf:':18} #include {folder}/callrouter-{name}.conf")
    click.echo(f"2. Give the trunk's endpoint `context = callrouter` (compare {folder}/callrouter-pjsip.conf).")
    click.echo(
        "3. Let Asterisk's user (here `asterisk`) read them, and run the router as that user too: the AGI script"
    )
    click.echo(f"   shares {config.database} with it.")
    click.echo(f"     chgrp -R asterisk {shlex.quote(folder)}")
    click.echo('4. asterisk -rx "core reload"')
    click.echo("5. callrouter doctor")
    click.echo('\nAfter each change of campaigns.yaml: the same command, then: asterisk -rx "dialplan reload"')
