"""What the router asks to be written: frozen values on a queue, and their lines in the spool.

Each may be carried out twice, or after a later one, and the database comes out the same. The line is JSON
with the version of this format, so that a spool left by one release is read by the next: what an earlier
format did not have is optional.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, TypeAlias

from router.model import (
    AttemptRecord,
    CallbackWish,
    Caller,
    CallRecord,
    HangupBy,
    Outcome,
    Path,
    Pause,
    Result,
    StaffCall,
)

FORMAT: Final = 3
_READ: Final = (1, 2, FORMAT)
"""Formats that are understood: 2 added recordings, notes, pauses and the staff's own calls, 3 the attempts of
a call that waits."""


@dataclass(frozen=True, slots=True)
class CallOpened:
    """A call has arrived, or more of its legs are about to be dialled."""

    call: CallRecord
    attempts: tuple[AttemptRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class CallAnswered:
    """A human has taken the call; it goes on."""

    call: CallRecord
    attempts: tuple[AttemptRecord, ...]


@dataclass(frozen=True, slots=True)
class CallEnded:
    """The call is over. `callback` is what it asks for when it was missed."""

    call: CallRecord
    attempts: tuple[AttemptRecord, ...]
    callback: CallbackWish | None


@dataclass(frozen=True, slots=True)
class ConfigAccepted:
    """The router took this campaigns.yaml into use at `at` (epoch seconds)."""

    version: str
    at: float
    file: str
    node: str


@dataclass(frozen=True, slots=True)
class StaffCallEnded:
    """A salesperson has rung one of our numbers, and has hung up."""

    staff: StaffCall


@dataclass(frozen=True, slots=True)
class PauseSet:
    """A salesperson is not to be rung."""

    pause: Pause


@dataclass(frozen=True, slots=True)
class PauseCleared:
    """A salesperson has said on the own line at `at` (epoch seconds): ring me again."""

    salesperson: str
    at: float


Operation: TypeAlias = (
    CallOpened | CallAnswered | CallEnded | ConfigAccepted | StaffCallEnded | PauseSet | PauseCleared
)

_KINDS: Final[Mapping[str, type[Operation]]] = {
    "opened": CallOpened,
    "answered": CallAnswered,
    "ended": CallEnded,
    "config": ConfigAccepted,
    "staff": StaffCallEnded,
    "pause": PauseSet,
    "resume": PauseCleared,
}
_NAMES: Final = {kind: name for name, kind in _KINDS.items()}
_ENUMS: Final = {"outcome": Outcome, "hangup_by": HangupBy, "path": Path, "result": Result}


_KEYS: Final[Mapping[type[Any], tuple[str, ...]]] = {
    kind: tuple(each.name for each in fields(kind))
    for kind in (*_KINDS.values(), CallRecord, Caller, AttemptRecord, CallbackWish, StaffCall, Pause)
}


def _values(record: Any) -> dict[str, Any]:
    """A record's own fields: dataclasses.asdict copies all that they hold, which takes four times as long."""
    return {key: getattr(record, key) for key in _KEYS[type(record)]}


_ENCODE: Final = json.JSONEncoder(separators=(",", ":"), default=_values).encode


def to_line(operation: Operation) -> str:
    """One line of JSON, ASCII only, without its line end."""
    return _ENCODE({"v": FORMAT, "op": _NAMES[type(operation)], **_values(operation)})


def from_line(line: str) -> Operation:
    """The reverse of `to_line`. Raises ValueError for a line that is no operation of this format."""
    try:
        body = json.loads(line)
        if body.pop("v") not in _READ:
            raise ValueError("written by another release")
        kind = _KINDS[body.pop("op")]
        if "call" in body:
            body["call"] = _record(CallRecord, {**body["call"], "caller": Caller(**body["call"]["caller"])})
        if "attempts" in body:
            body["attempts"] = tuple(_record(AttemptRecord, each) for each in body["attempts"])
        if body.get("callback") is not None:
            body["callback"] = CallbackWish(**body["callback"])
        if "staff" in body:
            body["staff"] = StaffCall(**{**body["staff"], "actions": tuple(body["staff"]["actions"])})
        if "pause" in body:
            body["pause"] = Pause(**body["pause"])
        return kind(**body)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"no operation: {type(error).__name__}") from error


def _record(kind: Any, values: Mapping[str, Any]) -> Any:
    """A record with its closed lists checked; an unknown key is an error, not dropped."""
    known = {each.name for each in fields(kind)}
    if not values.keys() <= known:
        raise ValueError("unknown key")
    read = {
        key: _ENUMS[key](value) if key in _ENUMS and value is not None else value for key, value in values.items()
    }
    return kind(**read)
