"""What every command shares: where the configuration and the database are."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from router.model import Config


@dataclass(frozen=True, slots=True)
class Context:
    """The group's options. Use with `@click.pass_obj`."""

    config_path: str
    db_override: str | None
    debug: bool

    def config(self, *, secrets: bool = False) -> Config:
        """The checked configuration, with `--db` applied. Raises ConfigError.

        `secrets`: with Asterisk's passwords. Whoever does not talk to Asterisk needs none, and may not be
        allowed to read them.
        """
        from router.config import load

        if secrets:
            _dump_nothing()
        config = load(self.config_path) if secrets else load(self.config_path, None)
        return replace(config, database=os.path.abspath(self.db_override)) if self.db_override else config

    def database(self) -> str:
        """The database's path; with `--db` the configuration is not read at all. Raises ConfigError."""
        if self.db_override:
            return os.path.abspath(self.db_override)
        return self.config().database


def _dump_nothing() -> None:
    """From here on a core dump of this process and its children has none of their memory (core(5)): passwords are
    in it. Unlike RLIMIT_CORE, that holds for dumps that are piped to a program too."""
    with contextlib.suppress(OSError), open("/proc/self/coredump_filter", "w", encoding="ascii") as wanted:
        wanted.write("0")


def one_line(text: str) -> str:
    """On one line, without what moves a terminal: file names and arguments may hold anything."""
    if text.isprintable():
        return text
    from router.numbers import safe_text

    return safe_text(text, len(text))
