"""`callrouter reload`: the running router reads campaigns.yaml again."""

from __future__ import annotations

import os
import signal
import time
from typing import Final

import click

from router.commands.context import Context, one_line
from router.errors import Refused, Unhealthy

#: Seconds that a reload may take: reading 100,000 numbers takes a few.
PATIENCE: Final = 30.0


@click.command()
@click.pass_obj
def command(context: Context) -> None:
    """Check campaigns.yaml, and put it in force without losing a call.

    All or nothing: an invalid file changes nothing, and calls in progress keep what they started with.
    """
    config = context.config(secrets=True)

    from router.lock import holder
    from router.store.database import reading
    from router.store.queries import accepted_at

    pid = holder(config.database)
    if not pid:
        raise Refused(f"no router runs on {config.database}; start it with: callrouter run")
    with reading(config.database) as connection:
        before = accepted_at(connection, config.version, config.node)
        try:
            os.kill(pid, signal.SIGHUP)
        except PermissionError:
            raise Refused(f"process {pid} belongs to another user; reload as that user, or as root") from None
        deadline = time.monotonic() + PATIENCE
        while accepted_at(connection, config.version, config.node) == before:
            if time.monotonic() > deadline:
                raise Unhealthy(f"process {pid} did not take the file within {PATIENCE:.0f} s; look at its log")
            time.sleep(0.05)
    click.echo(f"{one_line(config.file)}: in force as {config.version}")
