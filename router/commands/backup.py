"""`callrouter backup`: a consistent copy of the database while the router runs."""

from __future__ import annotations

import sys

import click

from router.commands.context import Context


@click.command()
@click.argument("file")
@click.pass_obj
def command(context: Context, file: str) -> None:
    """Write a consistent copy of the live database to FILE.

    FILE must not exist. It is checked before it gets its name, and only you can read it. To restore: stop
    the router, put the copy in the database's place, start it. The key of the pseudonyms (the database's
    name with .key) is a file of its own: keep a copy of it too.
    """
    from router.reports.render import say
    from router.store.backup import back_up

    size = back_up(context.database(), file)
    say(f"{file}: {size:,} bytes, checked", sys.stdout)
