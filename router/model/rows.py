"""What reaches the database. Times are seconds since the Unix epoch. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from router.model.calls import Caller
from router.model.words import HangupBy, Outcome, Path, Result


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One row of `calls`. Times are epoch seconds."""

    id: str
    started_at: float
    did: str
    campaign: str
    caller: Caller
    path: Path
    config_version: str
    node: str
    channel: str
    """Asterisk's id of the caller's channel: what adoption after a restart looks for."""
    outcome: Outcome | None = None
    salesperson: str | None = None
    answered_at: float | None = None
    ended_at: float | None = None
    ring_seconds: float | None = None
    talk_seconds: float | None = None
    hangup_by: HangupBy | None = None
    cause: int | None = None
    recording: str | None = None
    """Asterisk's name of the message that was left."""
    recording_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One row of `attempts`; `id` is also the leg's channel id."""

    id: str
    seq: int
    salesperson: str
    trunk: str
    started_at: float
    ringing_at: float | None = None
    answered_at: float | None = None
    accepted_at: float | None = None
    ended_at: float | None = None
    result: Result | None = None
    cause: int | None = None
    sip_status: int | None = None
    caller_id: str | None = None
    """Which rule chose what the mobile showed: `did`, `caller`, `anonymous` or `fixed`."""
    note: str | None = None
    """What was out of the ordinary, in words."""


@dataclass(frozen=True, slots=True)
class CallbackWish:
    """A callback that a missed call asks for, should none be open for this caller and campaign."""

    due_at: float
    expires_at: float


@dataclass(frozen=True, slots=True)
class StaffCall:
    """One row of `staff_calls`: a salesperson dialled one of our numbers. Never a lead, so no row of `calls`."""

    id: str
    node: str
    salesperson: str
    did: str
    started_at: float
    ended_at: float
    verified: bool
    """Whether the PIN was right."""
    actions: tuple[str, ...] = ()
    """What was asked of the menu, in order: `pause`, `resume`, `callbacks`."""


@dataclass(frozen=True, slots=True)
class Pause:
    """A salesperson asks not to be rung from `since` until `until` (None: until resumed)."""

    salesperson: str
    since: float
    until: float | None
    by: str
    """`menu`, or the account that typed the command."""
