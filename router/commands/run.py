"""`callrouter run`: the router itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import click

from router.commands.context import Context


@click.command()
@click.option("--watch", is_flag=True, help="Read the campaigns file again whenever it changes.")
@click.pass_obj
def command(context: Context, watch: bool) -> None:
    """Run the router until SIGTERM or Ctrl-C. SIGHUP reads the campaigns file again."""
    config = context.config(secrets=True)

    from router import log
    from router.lock import RouterLock
    from router.service import Service

    log.configure(debug=context.debug)

    async def main(lock: RouterLock) -> None:
        await Service(config, lock, watch=watch).serve()

    with RouterLock(config.database) as lock, asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(main(lock))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's loop where it is installed (the extra `fast`): half the CPU a call."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
