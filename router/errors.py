"""Every failure that Callrouter expects, as one small tree.

RouterError                     one line for the operator; the command line exits 1
├── ConfigError                 campaigns.yaml is refused: carries every Problem at once
├── NumberError                 a text that is no telephone number
├── StoreError                  the database cannot be used: says what and which command mends it
├── NotFound                    an id that names nothing
├── Refused                     a request that the state of things forbids (already claimed, …)
├── Unhealthy                   exit 3: something that should be running is not
└── AriError                    Asterisk's answer to a REST request
    ├── AriGone                 404, and 400 for a channel that has gone: a normal race
    ├── AriConflict             409: not in Stasis, or the id exists
    ├── AriNotUp                412: the channel is not up yet
    ├── AriAllocation           500 "Allocation failed": the endpoint cannot be created
    ├── AriTimeout              no answer within the deadline
    └── AriDisconnected         the link is down
"""

from __future__ import annotations

from dataclasses import dataclass


class RouterError(Exception):
    """An expected failure: its text says where, what, and what to do, on one line."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in campaigns.yaml. `line` and `column` count from 1; 0 where there is no place."""

    line: int
    column: int
    path: str
    """Dotted key, such as `campaigns.spring-flyer.numbers[0]`; empty for the file as a whole."""
    wrong: str
    mend: str

    def text(self, file: str) -> str:
        """`campaigns.yaml:LINE:COL: key.path: what is wrong; what to write instead`."""
        place = f"{file}:{self.line}:{self.column}" if self.line else file
        return ": ".join(part for part in (place, self.path, f"{self.wrong}; {self.mend}") if part)


class ConfigError(RouterError):
    """campaigns.yaml is refused. `problems` has all of them, in the order of the file."""

    def __init__(self, file: str, problems: tuple[Problem, ...]) -> None:
        self.file = file
        self.problems = problems
        super().__init__("\n".join(problem.text(file) for problem in problems))


class NumberError(RouterError):
    """A text that cannot be read as a telephone number."""


class StoreError(RouterError):
    """The database cannot be opened or used."""


class NotFound(RouterError):
    """An id that names nothing."""


class Refused(RouterError):
    """The state of things forbids what was asked."""


class Unhealthy(RouterError):
    """Something that should be running is not, or another runs in its place (exit 3)."""


class AriError(RouterError):
    """Asterisk refused a REST request; `status` is its HTTP status, 0 where there was none."""

    def __init__(self, message: str, status: int = 0) -> None:
        self.status = status
        super().__init__(message)


class AriGone(AriError):
    """The channel or bridge is no longer there."""


class AriConflict(AriError):
    """The channel is not in Stasis, or the id is taken."""


class AriNotUp(AriError):
    """The channel is not up yet."""


class AriAllocation(AriError):
    """The endpoint could not be created: the trunk is not there."""


class AriTimeout(AriError):
    """No answer within the deadline: whether it was carried out is unknown."""


class AriDisconnected(AriError):
    """The link to Asterisk is down: the request was not sent, or its answer is lost."""
