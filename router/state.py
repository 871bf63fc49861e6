"""One call as it stands: its phase and its legs. Only router.call moves it on. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from router.model import Decision, HangupBy, Hunt, Outcome, Plan, Result, Route, Target


class Phase(StrEnum):
    CHALLENGE = "challenge"
    """The caller withholds the number and is asked for a key."""
    HUNTING = "hunting"
    CONNECTING = "connecting"
    TALKING = "talking"
    ENDING = "ending"
    """Nobody took it: the caller hears an announcement or leaves a message."""
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Leg:
    """One attempt: a channel towards one person over one trunk. Times are on the steady clock."""

    id: str
    seq: int
    target: Target
    route: Route
    started_at: float
    unsure: bool = False
    """The link broke while it was being dialled: it may never have existed."""
    earlier: bool = False
    """Dialled by an earlier run of the router: this call does not dial that person again."""
    ringing_at: float | None = None
    answered_at: float | None = None
    accepted_at: float | None = None
    ended_at: float | None = None
    result: Result | None = None
    cause: int | None = None
    sip_status: int | None = None
    gone: bool = False
    """Asterisk has said that the channel no longer exists."""

    @property
    def live(self) -> bool:
        return self.ended_at is None

    @property
    def listening(self) -> bool:
        """Something answered it, and no key has said yet whether that is a human."""
        return self.live and self.answered_at is not None and self.accepted_at is None


@dataclass(frozen=True, slots=True)
class Call:
    """One inbound call. Times are on the steady clock; `epoch` is the Unix time of `started_at`."""

    id: str
    decision: Decision
    channel: str
    started_at: float
    epoch: float
    config_version: str
    node: str
    phase: Phase = Phase.HUNTING
    hunt: int = 0
    """Index into the plan's hunts."""
    hunt_at: float = 0.0
    """When that hunt began."""
    step: int = -1
    """Index into the hunt's steps; -1 before the first."""
    legs: tuple[Leg, ...] = ()
    answered_at: float | None = None
    ended_at: float | None = None
    outcome: Outcome | None = None
    hangup_by: HangupBy | None = None
    cause: int | None = None
    caller_gone: bool = False
    caller_up: bool = False
    """The caller has been answered to hear words."""
    verdict: Outcome | None = None
    """What the call ends as unless a message is left; known before its end while words follow."""
    verdict_at: float | None = None
    recording: bool = False
    """A message is being recorded, or has been."""
    recorded: float | None = None
    """Seconds of the message that was left."""

    @property
    def settled(self) -> bool:
        """Nothing of this call is left in Asterisk."""
        return self.phase is Phase.ENDED and self.caller_gone and all(leg.gone for leg in self.legs)

    @property
    def winner(self) -> Leg | None:
        """The leg that a human accepted and that is still there."""
        return next((leg for leg in self.legs if leg.live and leg.accepted_at is not None), None)

    @property
    def live_legs(self) -> tuple[Leg, ...]:
        return tuple(leg for leg in self.legs if leg.live)

    def leg(self, leg_id: str) -> Leg | None:
        return next((leg for leg in self.legs if leg.id == leg_id), None)

    @property
    def seen(self) -> float:
        """The latest moment of which something is known: it does not end before that."""
        moments = [self.started_at, self.verdict_at]
        for leg in self.legs:
            moments += (leg.started_at, leg.ringing_at, leg.answered_at, leg.accepted_at, leg.ended_at)
        return max(moment for moment in moments if moment is not None)

    @property
    def plan(self) -> Plan:
        """Whom it rings; a refused call has none and never asks."""
        assert self.decision.plan is not None  # noqa: S101 - a call without a plan never hunts
        return self.decision.plan

    @property
    def this_hunt(self) -> Hunt:
        return self.plan.hunts[self.hunt]
