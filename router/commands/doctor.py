"""`callrouter doctor`: what is wrong with this installation, and the command that mends it."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from router.commands.context import Context
from router.errors import ConfigError
from router.reports.render import format_option, named, render

if TYPE_CHECKING:
    from router.doctor.finding import Finding

UNHEALTHY = 3


@click.command()
@format_option
@click.pass_obj
def command(context: Context, output_format: str) -> None:
    """Find what is wrong with this installation, and the command that mends it.

    One line a thing: ok, warn or FAIL, what was found, and after the dash what mends it. Changes nothing. Exit code
    3 when something fails.
    """
    findings = _findings(context)
    if output_format == "table":
        for finding in findings:
            mend = f"  — {finding.mend}" if finding.mend else ""
            click.echo(f"{finding.state:4}  {finding.check}: {finding.what}{mend}")
    else:
        rows = [{**asdict(finding), "mend": finding.mend or None} for finding in findings]
        render(rows, named("state", "check", "what", "mend"), output_format, sys.stdout)
    if any(finding.state == "FAIL" for finding in findings):
        raise click.exceptions.Exit(UNHEALTHY)


def _findings(context: Context) -> list[Finding]:
    from router.commands.asterisk import needed_modules
    from router.doctor import examine
    from router.doctor.finding import fail, ok

    try:
        config = context.config(secrets=True)
    except ConfigError as error:
        more = f" (and {len(error.problems) - 1} more)" if len(error.problems) > 1 else ""
        return [fail("configuration", f"{error.problems[0].text(error.file)}{more}", "callrouter check")]
    sound = ok("configuration", f"{config.file} is valid, version {config.version}")
    return [sound, *examine(config, needed_modules(), time.time())]
