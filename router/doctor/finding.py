"""One line of what the doctor says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    OK = "ok"
    WARN = "warn"
    """Works, but not as it should, or could not be looked at."""
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Finding:
    """`what` was looked at, what was found, and the command that mends it (empty when all is well)."""

    state: State
    check: str
    what: str
    mend: str = ""


def ok(check: str, what: str) -> Finding:
    return Finding(State.OK, check, what)


def warn(check: str, what: str, mend: str = "") -> Finding:
    return Finding(State.WARN, check, what, mend)


def fail(check: str, what: str, mend: str) -> Finding:
    return Finding(State.FAIL, check, what, mend)
