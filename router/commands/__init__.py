"""The command line: a group that imports a command only when it is used (`--help` stays fast)."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any, Final, NoReturn

import click

from router import __version__
from router.commands.context import Context, one_line
from router.errors import ConfigError, RouterError, Unhealthy

COMMANDS: Final = {
    "check": "Validate campaigns.yaml: every error at once, with its line.",
    "explain": "Say who would ring for a number, when, and which rule decided.",
    "run": "Run the router.",
    "reload": "Make a running router read campaigns.yaml again.",
    "doctor": "Find what is wrong with this installation, and the command that mends it.",
    "calls": "Look at calls.",
    "callbacks": "Look at callbacks, claim, release and close them.",
    "people": "Say who is paused, pause people and let them be rung again.",
    "report": "What the calls were worth.",
    "asterisk": "Generate what an existing Asterisk includes.",
    "backup": "Write a consistent copy of the live database.",
}


class LazyGroup(click.Group):
    """A group whose commands are modules of router.commands, each exporting `command`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"router.commands.{cmd_name}")
        command = module.command
        assert isinstance(command, click.Command)  # noqa: S101 - a programming error, not input
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run, and turn every expected failure into one line and the contract's exit code."""
        try:
            try:
                return super().main(*args, **extra)
            finally:
                # Here, where its failure can be told: at the interpreter's end it could not.
                if sys.stdout is not None:
                    sys.stdout.flush()
        except ConfigError as error:
            _refuse("\n".join(one_line(problem.text(error.file)) for problem in error.problems), 1)
        except RouterError as error:
            _refuse(one_line(str(error)), 3 if isinstance(error, Unhealthy) else 1)
        except UnicodeEncodeError:
            _refuse("an argument is no text; write it in UTF-8", 1)
        except BrokenPipeError:
            _silence()
            sys.exit(1)
        except OSError as error:
            _silence()
            _refuse(one_line(f"{error.filename or 'cannot write the output'}: {error.strerror}"), 1)


def _refuse(why: str, status: int) -> NoReturn:
    """One line on standard error; with `--debug` the traceback of what is being handled."""
    if "--debug" in sys.argv:
        raise  # noqa: PLE0704 - called while an exception is handled
    click.echo(f"callrouter: {why}", err=True)
    sys.exit(status)


def _silence() -> None:
    """Nothing more can be written: what is left is not tried again on the way out."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def default_config() -> str:
    """campaigns.yaml here, or the installed one: sudo passes no CALLROUTER_CONFIG on."""
    here, installed = "campaigns.yaml", "/etc/callrouter/campaigns.yaml"
    return installed if not os.path.exists(here) and os.path.exists(installed) else here


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    "config_path",
    default=default_config,
    envvar="CALLROUTER_CONFIG",
    show_default="campaigns.yaml, else /etc/callrouter/campaigns.yaml",
    metavar="FILE",
    help="The campaigns file.",
)
@click.option("--db", "db_override", metavar="FILE", help="Use this database instead of the one in the file.")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@click.version_option(__version__, prog_name="callrouter")
@click.pass_context
def group(ctx: click.Context, config_path: str, db_override: str | None, debug: bool) -> None:
    """Route and track the calls to your campaign numbers, beside Asterisk."""
    ctx.obj = Context(config_path, db_override, debug)
