"""`python -m bench`: takes the figures, shows them, and writes results.md and results.svg."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import click

from bench import machine, run, table
from bench.contenders import chosen
from bench.figures import Results, aims
from bench.load import Load
from bench.run import Schedule
from bench.site import CHECKOUT, Site
from sandbox.asterisk import Asterisk
from sandbox.errors import SandboxError

FULL = Schedule(rounds=5, load=Load(20.0, 8.0), steps=5)
QUICK = Schedule(rounds=2, load=Load(20.0, 3.0), steps=0)


@click.command()
@click.option("--quick", is_flag=True, help="About a minute: shorter rounds, no climbs.")
@click.option("--rounds", type=click.IntRange(1, 100), help=f"Turns of each contender (default {FULL.rounds}).")
@click.option("--rate", type=click.FloatRange(1, 500), help=f"Calls a second (default {FULL.load.rate:g}).")
@click.option("--seconds", type=click.FloatRange(1, 600), help=f"Length of a turn (default {FULL.load.seconds:g}).")
@click.option("--only", default="", help="Contenders, by comma: dial,router,fastagi,agi,ari.")
@click.option(
    "--output", type=click.Path(file_okay=False, path_type=Path), default=CHECKOUT / "bench",
    help="Where results.md and results.svg go (default: bench/).",
)  # fmt: skip
def main(
    quick: bool, rounds: int | None, rate: float | None, seconds: float | None, only: str, output: Path
) -> None:
    """Compare the router with plain Dial() and its peers, on one private Asterisk."""
    base = QUICK if quick else FULL
    load = Load(rate or base.load.rate, seconds or base.load.seconds)
    schedule = Schedule(rounds or base.rounds, load, base.steps)
    try:
        results = take(schedule, only)
    except SandboxError as error:
        raise click.ClickException(str(error)) from error
    click.echo()
    click.echo(table.terminal(results))
    write(results, output)


def take(schedule: Schedule, only: str) -> Results:
    """Runs it all. Raises SandboxError; the folder `.sandbox/bench` is then left to be looked at."""
    contenders = chosen(only)
    begin = datetime.now(UTC)
    asterisk = Asterisk(name="bench")
    with asterisk:
        site = Site.on(asterisk)
        with site.carrier:
            before = os.getloadavg()[0]
            summaries = run.rounds(site, contenders, schedule, click.echo)
            held = run.climbs(site, contenders, summaries, schedule, click.echo)
    router = next((summaries[one.name] for one in contenders if one.key == "router"), None)
    compared = any(one.key == "dial" for one in contenders)
    shutil.rmtree(asterisk.folder)
    return Results(
        summaries=summaries,
        held=held,
        aims=aims(router) if router is not None and compared else (),
        setting=_setting(begin, schedule, before, asterisk),
    )


def _setting(begin: datetime, schedule: Schedule, before: float, asterisk: Asterisk) -> tuple[str, ...]:
    return (
        f"Date: {begin:%Y-%m-%d %H:%M} UTC, commit {machine.commit()}",
        f"Machine: {machine.machine()}; load average {before:.1f} before",
        f"Versions: {machine.versions(asterisk.installation)}",
        f"Load: {schedule.rounds} rounds of {schedule.load.calls} calls at {schedule.load.rate:g} a second",
    )


def write(results: Results, output: Path) -> None:
    """results.md and results.svg in `output`; without matplotlib only the first, and it says so."""
    output.mkdir(parents=True, exist_ok=True)
    (output / "results.md").write_text(table.markdown(results), encoding="utf-8")
    try:
        from bench import picture

        picture.draw(results, output / "results.svg")
    except ImportError:
        click.echo("no picture: matplotlib is not installed; type: make setup", err=True)
        return
    click.echo("written: results.md, results.svg")


if __name__ == "__main__":
    main()
