"""The state machine told anything at all, true or not: what holds even then. (Of a world that does not lie more
holds: tests.properties.contract.)"""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from router.events import (
    CallerLeft,
    Command,
    Connect,
    Connected,
    Disconnect,
    Engaged,
    Event,
    Failed,
    Failure,
    Farewell,
    Found,
    HangUpCaller,
    HangUpLeg,
    Key,
    LegDown,
    LegRinging,
    LegUp,
    Originate,
    Record,
    Recorded,
    Said,
    Save,
    Say,
    Stage,
    StartTimer,
    StopTimer,
    Timer,
    TimerFired,
)
from router.model import Ending, Outcome, Plan, Result, Route, Sound, Voicemail
from router.records import attempt_records, call_record
from router.state import Phase
from tests.calls import Driver, gated, hunt, leg_id, plan

LEGS = st.sampled_from([leg_id(seq) for seq in range(1, 5)])
LEG_SETS = st.frozensets(LEGS, max_size=5)
STATUS = st.sampled_from([None, 200, 302, 403, 404, 408, 480, 486, 487, 500, 503, 600, 603])
PLANS = st.sampled_from(
    [
        plan("alice"),
        plan("alice", "bob"),
        plan("alice bob"),
        plan("alice bob", "carol", trunks=("main", "backup")),
        plan("alice", "bob", "carol", trunks=("main", "backup")),
        gated("alice", "bob"),
        gated("alice bob", "carol", overflow=hunt("dave")),
        gated("alice", "+bob", "+carol"),
    ]
)
SORRY = Sound("Sorry")
ENDINGS = st.sampled_from(
    [None, Ending(SORRY), Ending(SORRY, Voicemail(SORRY, 60.0)), Ending(None, Voicemail(SORRY, 60.0))]
)


def commands() -> st.SearchStrategy[Command]:
    return st.one_of(
        st.builds(Originate, LEGS, st.just("x"), st.just(1), st.just(Route("y", "PJSIP/x@y", "")), st.just(25.0)),
        st.just(Say((SORRY,))),
        st.just(Record(60.0)),
        st.builds(HangUpLeg, LEGS),
        st.builds(HangUpCaller, st.just("normal")),
        st.builds(Connect, LEGS),
        st.just(Disconnect()),
    )


NOW = st.just(0.0)
EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(LegRinging, NOW, LEGS),
    st.builds(LegUp, NOW, LEGS),
    st.builds(LegDown, NOW, LEGS, st.sampled_from(["", "BUSY", "NOANSWER"]), st.integers(0, 127), STATUS),
    st.builds(CallerLeft, NOW, st.integers(0, 127)),
    st.builds(Connected, NOW, LEGS),
    st.builds(TimerFired, NOW, st.sampled_from(Timer), st.just("") | LEGS),
    st.builds(Key, NOW, st.just("") | LEGS, st.sampled_from("123#")),
    st.builds(Said, NOW),
    st.builds(Recorded, NOW, st.none() | st.floats(0, 90)),
    st.builds(Engaged, NOW, LEGS),
    st.builds(Failed, NOW, commands(), st.sampled_from(Failure)),
    st.builds(Found, NOW, st.booleans(), LEG_SETS, LEG_SETS, LEG_SETS),
)
WALKS = st.lists(st.tuples(st.integers(0, 2), EVENTS), max_size=25)
"""Events, and how many seconds after the one before each comes."""


class Watched(Driver):
    """A call that is held against the contract after each event."""

    def walk(self, walk: list[tuple[int, Event]]) -> None:
        now = 100.0
        for gap, event in walk:
            now += gap
            before = self.call
            self.take(replace(event, at=now))
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
        assert ((Timer.MAX_WAIT, "") in running) == (call.phase is Phase.HUNTING), "a hunt is always bounded"
        assert ((Timer.RING, "") in running) <= (call.phase is Phase.HUNTING)
        assert ((Timer.INPUT, "") in running) == (call.phase is Phase.CHALLENGE), "so is a question"
        assert ((Timer.ENDING, "") in running) == (call.phase is Phase.ENDING), "and so are words"
        listening = {leg.id for leg in call.legs if leg.listening}
        assert listening <= {leg for timer, leg in running if timer is Timer.ACCEPT}, "and the wait for a key"
        if call.phase in (Phase.CHALLENGE, Phase.ENDING):
            assert not call.live_legs, "nobody rings for a caller who hears words"
        if any(isinstance(command, Record) for command in self.commands):
            assert self.call.recording
        assert (call.outcome is Outcome.VOICEMAIL) <= (call.recorded is not None)

    def hold_hung_up(self) -> None:
        """Whatever of an ended call may still exist has been told to go."""
        told = {command.leg for command in self.commands if isinstance(command, (HangUpLeg, Farewell))}
        assert {leg.id for leg in self.call.legs if not leg.gone} <= told
        assert self.call.caller_gone or any(isinstance(command, HangUpCaller) for command in self.commands)

    def timers(self) -> set[tuple[Timer, str]]:
        running: set[tuple[Timer, str]] = set()
        for command in self.commands:
            if isinstance(command, StartTimer):
                running.add((command.timer, command.leg))
            elif isinstance(command, StopTimer):
                running.discard((command.timer, command.leg))
        return running


@settings(max_examples=250, deadline=None)
@given(PLANS, ENDINGS, st.booleans(), WALKS)
def test_whatever_happens_a_call_has_one_outcome_and_leaves_nothing(
    plan: Plan, ending: Ending | None, challenge: bool, walk: list[tuple[int, Event]]
) -> None:
    call = Watched(plan, None, ending, challenge=challenge)
    call.hold()
    call.walk(walk)
    # However it went: the caller's end ends it, a message aside, and the legs' ends settle it.
    call.take(
        CallerLeft(1000.0), TimerFired(1003.0, Timer.ENDING), *(LegDown(1004.0, leg.id) for leg in call.call.legs)
    )
    call.hold()
    assert call.call.settled
    record = call_record(call.call)
    assert record.ended_at is not None
    assert record.ring_seconds is not None
    assert record.ring_seconds >= 0
    assert record.talk_seconds is not None
    assert record.talk_seconds >= 0
    assert (record.salesperson is not None) == (record.outcome is Outcome.ANSWERED)
