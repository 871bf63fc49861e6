"""What holds of a call whatever happens: after each event, in each row, and at the end."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from typing import Final, Protocol

from router.events import Command, Originate, Save, Stage, Timer
from router.ids import attempt_id
from router.model import AttemptRecord, CallRecord, Outcome, Result
from router.records import attempt_records
from router.state import Call, Phase
from tests.properties.lines import Person

ROUNDING: Final = 1e-6
"""Seconds by which sums of moments may be out."""
_CLOCK: Final = {Phase.CHALLENGE: Timer.INPUT, Phase.HUNTING: Timer.MAX_WAIT, Phase.ENDING: Timer.ENDING}
"""The clock that bounds each phase; a talk is not bounded, and what connects is told by Asterisk."""


class Settled(Protocol):
    """What `hold_end` looks at."""

    call: Call | None
    caller: bool
    timers: dict[tuple[Timer, str], float]
    farewells: set[str]
    row: tuple[CallRecord, Sequence[AttemptRecord]] | None
    dialled: dict[str, str]

    @property
    def legs(self) -> Mapping[str, Person]: ...


def hold_step(before: Call, after: Call, commands: Sequence[Command]) -> None:
    """One step from `before` to `after`."""
    stages = [command.stage for command in commands if type(command) is Save]
    dialled = [command.leg for command in commands if type(command) is Originate]
    assert Stage.OPENED not in stages, "a call is opened once"
    assert stages.count(Stage.ENDED) == (before.phase is not Phase.ENDED and after.phase is Phase.ENDED)
    known = [leg.id for leg in before.legs]
    assert [leg.id for leg in after.legs] == known + dialled, "each leg is dialled once, and none is forgotten"
    if before.phase is not Phase.ENDED:
        return
    assert after.phase is Phase.ENDED, "the end absorbs"
    assert not stages
    assert not dialled, "nobody rings for a call that is over"
    if after.legs is not before.legs:
        assert attempt_records(after) == attempt_records(before), "what was written stays true"
    assert (after.outcome, after.ended_at, after.hangup_by) == (before.outcome, before.ended_at, before.hangup_by)


def hold(call: Call, running: Collection[tuple[Timer, str]]) -> None:
    """A call between two events; `running` are the clocks that it waits for."""
    phase = call.phase
    assert (phase is Phase.ENDED) == (call.outcome is not None) == (call.ended_at is not None)
    live = [leg for leg in call.legs if leg.live]
    accepted = [leg for leg in call.legs if leg.result is Result.ACCEPTED]
    assert len(accepted) <= 1, "at most one winner"
    assert (call.outcome is Outcome.ANSWERED) <= (len(accepted) == 1)
    assert (call.outcome is Outcome.VOICEMAIL) <= (call.recorded is not None)
    if phase in (Phase.CONNECTING, Phase.TALKING):
        assert live == accepted, "who has won is alone with the caller"
    elif phase is not Phase.HUNTING:
        assert not live, "nobody rings for a caller who is asked, hears words or has gone"
    clock = _CLOCK.get(phase)
    for timer, leg in running:
        if timer is Timer.ACCEPT:
            assert any(each.id == leg and each.listening for each in live), "a leg that is waited for listens"
        else:
            assert timer is clock or (timer is Timer.RING and phase is Phase.HUNTING), f"{timer} in {phase}"
    assert clock is None or (clock, "") in running, "every wait is bounded"
    if phase is Phase.HUNTING:
        # A leg that could not be dialled because the caller had gone rings nobody else: that end is on its way.
        cancelled = any(leg.result is Result.CANCELLED for leg in call.legs)
        assert live or cancelled, "somebody rings, or the hunt goes on"
        assert all((Timer.ACCEPT, leg.id) in running for leg in live if leg.listening), "a mailbox is waited out"


def hold_rows(record: CallRecord, attempts: Sequence[AttemptRecord], before: Sequence[AttemptRecord]) -> None:
    """What is handed to the database, after the attempts that it was handed `before`."""
    assert [each.seq for each in attempts] == sorted({each.seq for each in attempts}), "each attempt has its number"
    assert all(each.id == attempt_id(record.id, each.seq) for each in attempts)
    assert {each.id for each in before} <= {each.id for each in attempts}, "no attempt is forgotten"
    for each in attempts:
        _hold_attempt(record, each)
    accepted = [each for each in attempts if each.result is Result.ACCEPTED]
    assert len(accepted) <= 1, "at most one winner"
    assert (record.salesperson is None) == (record.answered_at is None)
    if record.answered_at is not None:
        assert [each.salesperson for each in accepted] == [record.salesperson]
        assert record.ring_seconds is not None
        assert abs(record.started_at + record.ring_seconds - record.answered_at) < ROUNDING
    if record.outcome is not None:
        _hold_ended(record, attempts)


def _hold_ended(record: CallRecord, attempts: Sequence[AttemptRecord]) -> None:
    ended, ring, talk = record.ended_at, record.ring_seconds, record.talk_seconds
    assert ended is not None
    assert ring is not None
    assert talk is not None
    assert ring >= 0
    assert talk >= 0
    whole = ended - record.started_at
    assert ring + talk <= whole + ROUNDING, "nobody rings or talks longer than the call"
    assert (record.outcome is Outcome.ANSWERED) == (record.answered_at is not None)
    if record.answered_at is not None:
        assert record.answered_at <= ended
        assert abs(ring + talk - whole) < ROUNDING, "a call that was answered rang, and then talked"
    else:
        assert talk == 0.0
    assert record.hangup_by is not None
    assert (record.recording is None) == (record.outcome is not Outcome.VOICEMAIL)
    assert all(each.result is not None for each in attempts), "each attempt has its result"


def _hold_attempt(record: CallRecord, attempt: AttemptRecord) -> None:
    end = record.ended_at if record.ended_at is not None else attempt.ended_at
    moments = (attempt.started_at, attempt.answered_at, attempt.accepted_at, attempt.ended_at, end)
    told = [record.started_at, *(moment for moment in moments if moment is not None)]
    assert all(earlier <= later + ROUNDING for earlier, later in pairwise(told)), attempt
    if attempt.ringing_at is not None:
        assert attempt.started_at <= attempt.ringing_at + ROUNDING
        after = attempt.answered_at if attempt.answered_at is not None else attempt.ended_at
        assert after is None or attempt.ringing_at <= after + ROUNDING, "it rings before it is answered"
    assert (attempt.accepted_at is None) <= (attempt.result is not Result.ACCEPTED)
    assert (attempt.ended_at is not None) <= (attempt.result is not None)


def hold_dialled(world: Settled) -> None:
    """The router has just been told what lives, and all that it asked for was done."""
    waited_for = world.call.live_legs if world.call is not None else ()
    created = [leg.id for leg in waited_for if world.legs.get(leg.id) is Person.CREATED]
    assert not created, "nobody is waited for whom nobody has dialled"


def hold_end(world: Settled) -> None:
    """The call is over, and the world has calmed down."""
    assert not world.caller, "the caller is not left in silence"
    assert not world.legs, "no leg outlives its call"
    assert not world.timers, "every clock that was started has an end"
    assert not world.farewells
    assert world.call is None or world.call.settled, "and the router knows that it is over"
    assert world.row is not None
    record, attempts = world.row
    assert record.outcome is not None, "one outcome"
    assert set(world.dialled) <= {each.id for each in attempts}, "whom we dialled is on record"
