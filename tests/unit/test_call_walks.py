"""The state machine under events in any order, lost, doubled and late: what holds whatever happens."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from router.events import (
    CallerLeft,
    Command,
    Connect,
    Connected,
    Disconnect,
    Event,
    Failed,
    Failure,
    Found,
    HangUpCaller,
    HangUpLeg,
    LegDown,
    LegRinging,
    LegUp,
    Originate,
    Save,
    Stage,
    StartTimer,
    StopTimer,
    Timer,
    TimerFired,
)
from router.model import Outcome, Result
from router.records import attempt_records, call_record
from router.state import Phase
from tests.calls import Driver, leg_id, plan

LEGS = st.sampled_from([leg_id(seq) for seq in range(1, 6)])
LEG_SETS = st.frozensets(LEGS, max_size=5)
STATUS = st.sampled_from([None, 200, 302, 403, 404, 408, 480, 486, 487, 500, 503, 600, 603])
PLANS = st.sampled_from(
    [
        plan("alice"),
        plan("alice", "bob"),
        plan("alice bob"),
        plan("alice bob", "carol", trunks=("main", "backup")),
        plan("alice", "bob", "carol", trunks=("main", "backup")),
    ]
)


def events(at: float) -> st.SearchStrategy[Event]:
    now = st.just(at)
    return st.one_of(
        st.builds(LegRinging, now, LEGS),
        st.builds(LegUp, now, LEGS),
        st.builds(LegDown, now, LEGS, st.sampled_from(["", "BUSY", "NOANSWER"]), st.integers(0, 127), STATUS),
        st.builds(CallerLeft, now, st.integers(0, 127)),
        st.builds(Connected, now, LEGS),
        st.builds(TimerFired, now, st.sampled_from(Timer)),
        st.builds(Failed, now, commands(), st.sampled_from(Failure)),
        st.builds(Found, now, st.booleans(), LEG_SETS, LEG_SETS, LEG_SETS),
    )


def commands() -> st.SearchStrategy[Command]:
    return st.one_of(
        st.builds(Originate, LEGS, st.just("PJSIP/x@y"), st.just(""), st.just(25.0)),
        st.builds(HangUpLeg, LEGS),
        st.builds(HangUpCaller, st.just("normal")),
        st.builds(Connect, LEGS),
        st.just(Disconnect()),
    )


WALKS = st.lists(st.integers(0, 2), max_size=25).flatmap(
    lambda gaps: st.tuples(*(events(100.0 + sum(gaps[: i + 1])) for i in range(len(gaps))))
)


class Watched(Driver):
    """A call that is held against the contract after each event."""

    def walk(self, walk: tuple[Event, ...]) -> None:
        for event in walk:
            before = self.call
            self.take(event)
            if before.phase is Phase.ENDED:
                assert self.call.outcome == before.outcome
                assert attempt_records(self.call) == attempt_records(before), "what was written stays true"
                assert not self.told(Save), "a call ends once"
                assert not self.told(Originate), "nobody rings for a call that is over"
            self.hold()

    def hold(self) -> None:
        call = self.call
        stages = [command.stage for command in self.commands if isinstance(command, Save)]
        assert stages.count(Stage.ENDED) == (call.phase is Phase.ENDED) == (call.outcome is not None)
        assert stages.count(Stage.OPENED) == 1
        accepted = [leg for leg in call.legs if leg.result is Result.ACCEPTED]
        assert len(accepted) <= 1, "one winner"
        assert (call.outcome is Outcome.ANSWERED) <= (len(accepted) == 1)
        dialled = [command.leg for command in self.commands if isinstance(command, Originate)]
        assert dialled == [leg.id for leg in call.legs], "each leg is dialled once"
        if call.phase is Phase.ENDED:
            assert not call.live_legs
            self.hold_hung_up()
        running = self.timers()
        assert (Timer.MAX_WAIT in running) == (call.phase is Phase.HUNTING), "a hunt is always bounded"
        assert (Timer.RING in running) <= (call.phase is Phase.HUNTING)

    def hold_hung_up(self) -> None:
        """Whatever of an ended call may still exist has been told to go."""
        told = {command.leg for command in self.commands if isinstance(command, HangUpLeg)}
        assert {leg.id for leg in self.call.legs if not leg.gone} <= told
        assert self.call.caller_gone or any(isinstance(command, HangUpCaller) for command in self.commands)

    def timers(self) -> set[Timer]:
        running: set[Timer] = set()
        for command in self.commands:
            if isinstance(command, StartTimer):
                running.add(command.timer)
            elif isinstance(command, StopTimer):
                running.discard(command.timer)
        return running


@settings(max_examples=500, deadline=None)
@given(PLANS, WALKS)
def test_whatever_happens_a_call_has_one_outcome_and_leaves_nothing(hunt: object, walk: tuple[Event, ...]) -> None:
    call = Watched(hunt)  # type: ignore[arg-type]
    call.hold()
    call.walk(walk)
    # However it went: the caller's end ends it, and the legs' ends settle it.
    call.take(CallerLeft(1000.0), *(LegDown(1000.0, leg.id) for leg in call.call.legs))
    call.hold()
    assert call.call.settled
    record = call_record(call.call)
    assert record.ended_at is not None
    assert record.ring_seconds is not None
    assert record.ring_seconds >= 0
    assert record.talk_seconds is not None
    assert record.talk_seconds >= 0
    assert (record.salesperson is not None) == (record.outcome is Outcome.ANSWERED)
