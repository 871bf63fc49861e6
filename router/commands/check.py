"""`callrouter check`: validate campaigns.yaml, every error at once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from router.commands.context import Context, one_line
from router.errors import ConfigError, Problem

if TYPE_CHECKING:
    from router.model import Config


@click.command(name="check")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Text for people and editors, JSON for programs.",
)
@click.pass_obj
def command(context: Context, form: str) -> None:
    """Validate campaigns.yaml: every error at once, each with its line and what to write instead.

    Exit code 0 when the file is accepted, warnings or not; 1 when it is refused.
    """
    from router.config import warnings

    file = context.config_path
    config: Config | None = None
    errors: tuple[Problem, ...] = ()
    try:
        config = context.config(secrets=True)
    except ConfigError as error:
        errors = error.problems
    remarks = warnings(config) if config else ()
    if form == "json":
        report = _report(file, config, errors, remarks)
        click.echo(json.dumps(report, ensure_ascii=not file.isprintable(), indent=2))
    else:
        _say(file, config, errors, remarks)
    if config is None:
        raise click.exceptions.Exit(1)


def _say(file: str, config: Config | None, errors: tuple[Problem, ...], remarks: tuple[Problem, ...]) -> None:
    file = one_line(file)
    for problem in errors:
        click.echo(problem.text(file), err=True)
    for remark in remarks:
        click.echo(f"{file}: warning: {remark.path}: {remark.wrong}; {remark.mend}")
    if config is not None:
        counts = ", ".join(f"{many} {word if many != 1 else one}" for many, word, one in _counts(config))
        click.echo(f"{file}: {counts}: ok")


def _counts(config: Config) -> tuple[tuple[int, str, str], ...]:
    return (
        (len(config.campaigns), "campaigns", "campaign"),
        (len(config.by_number), "numbers", "number"),
        (len(config.salespeople), "salespeople", "salesperson"),
    )


def _report(
    file: str, config: Config | None, errors: tuple[Problem, ...], remarks: tuple[Problem, ...]
) -> dict[str, object]:
    counts = {word: many for many, word, _ in _counts(config)} if config else {}
    return {
        "file": file,
        "ok": config is not None,
        "version": config.version if config else None,
        **counts,
        "errors": [_entry(problem) for problem in errors],
        "warnings": [_entry(remark) for remark in remarks],
    }


def _entry(problem: Problem) -> dict[str, object]:
    return {
        "line": problem.line or None,
        "column": problem.column or None,
        "path": problem.path,
        "wrong": problem.wrong,
        "mend": problem.mend,
    }
