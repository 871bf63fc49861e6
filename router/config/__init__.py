"""campaigns.yaml -> Config; each error with its line, its key and the mend.

Nothing heavy is imported until `load` or `warnings` is called: the second line of defence (agi_scripts/route.py)
imports `router.config.compiled` from this package in a forked process, where every millisecond counts.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from router.errors import Problem
    from router.model import Config

__all__ = ["load", "warnings"]


def load(path: str, environ: Mapping[str, str] | None = os.environ, today: date | None = None) -> Config:
    """The checked configuration. `today` (default: the machine's date) anchors holidays and hours never open.

    `environ` None: no password is looked for, and those of the result are empty (for whoever only reads reports).

    Raises ConfigError with every problem of the file, in its order.
    """
    from router.config import build

    return build.load(path, environ, today or _today())


def warnings(config: Config, today: date | None = None) -> tuple[Problem, ...]:
    """What `check` says of an accepted configuration without refusing it."""
    from router.config import advice

    return advice.warnings(config, today or _today())


def _today() -> date:
    return date.today()  # noqa: DTZ011 - the day on the administrator's calendar
