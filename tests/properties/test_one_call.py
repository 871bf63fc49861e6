"""One call, and all that may happen to it in any order: hypothesis finds the shortest story that breaks it."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from router.model import Decision
from tests.properties.decisions import DECISIONS, ENDS
from tests.properties.lines import Fate, Person
from tests.properties.world import World

NTH = st.integers(0, 11)
"""The nth of however many there are, counted round."""


class OneCall(RuleBasedStateMachine):
    """What is checked after each event and at the end is tests.properties.contract."""

    world: World | None = None

    @initialize(decision=st.sampled_from(DECISIONS))
    def the_call_arrives(self, decision: Decision) -> None:
        self.world = World(decision)

    def teardown(self) -> None:
        if self.world is not None:
            self.world.settle()

    @property
    def there(self) -> World:
        assert self.world is not None
        return self.world

    # --- What is told, in whatever order ------------------------------------------------------------------

    @precondition(lambda self: self.there.flight)
    @rule(nth=NTH, again=st.booleans())
    def an_event_arrives(self, nth: int, again: bool) -> None:
        self.there.deliver(nth % len(self.there.flight), again=again)

    @precondition(lambda self: self.there.flight)
    @rule(nth=NTH)
    def an_event_is_lost(self, nth: int) -> None:
        self.there.lose(nth % len(self.there.flight))

    @precondition(lambda self: self.there.timers)
    @rule(nth=NTH)
    def a_clock_runs_out(self, nth: int) -> None:
        self.there.fire(nth % len(self.there.timers))

    @rule(meanwhile=st.booleans())
    def the_router_asks_what_lives(self, meanwhile: bool) -> None:
        self.there.ask(meanwhile=meanwhile)

    @precondition(lambda self: self.there.call is not None and self.there.call.legs)
    @rule(nth=NTH, which=st.integers(0, 6))
    def a_word_comes_that_nobody_expects(self, nth: int, which: int) -> None:
        assert self.there.call is not None
        legs = self.there.call.legs
        self.there.stray(legs[nth % len(legs)].id, which)

    # --- What happens in Asterisk -------------------------------------------------------------------------

    def leg(self, nth: int) -> str:
        return list(self.there.legs)[nth % len(self.there.legs)]

    @precondition(lambda self: self.there.legs)
    @rule(nth=NTH)
    def the_far_end_of_a_leg_tries(self, nth: int) -> None:
        self.there.tries(self.leg(nth))

    @precondition(lambda self: self.there.legs)
    @rule(nth=NTH)
    def a_mobile_rings(self, nth: int) -> None:
        self.there.rings(self.leg(nth))

    @precondition(lambda self: self.there.legs)
    @rule(nth=NTH)
    def a_mobile_answers(self, nth: int) -> None:
        self.there.answers(self.leg(nth))

    @precondition(lambda self: Person.UP in self.there.legs.values())
    @rule(nth=NTH, digit=st.sampled_from("12#"))
    def a_key_is_pressed(self, nth: int, digit: str) -> None:
        up = [leg for leg, person in self.there.legs.items() if person is Person.UP]
        self.there.press(up[nth % len(up)], digit)

    @precondition(lambda self: self.there.legs)
    @rule(nth=NTH, end=st.sampled_from(ENDS))
    def a_leg_ends(self, nth: int, end: tuple[str, int, int | None]) -> None:
        dialstatus, cause, sip = end
        self.there.gone(self.leg(nth), dialstatus=dialstatus, cause=cause, sip=sip)

    @precondition(lambda self: self.there.caller)
    @rule(digit=st.sampled_from("12"))
    def the_caller_presses_a_key(self, digit: str) -> None:
        self.there.press("", digit)

    @precondition(lambda self: self.there.caller)
    @rule()
    def the_caller_leaves(self) -> None:
        self.there.leave()

    @precondition(lambda self: self.there.playing or self.there.recording)
    @rule(seconds=st.sampled_from([None, 0.4, 12.0]))
    def what_is_played_or_recorded_ends(self, seconds: float | None) -> None:
        self.there.heard()
        self.there.recorded(seconds)

    @precondition(lambda self: self.there.farewells)
    @rule()
    def a_farewell_has_been_heard(self) -> None:
        self.there.farewell_over()

    @precondition(lambda self: self.there.call is not None and self.there.call.legs)
    @rule(nth=NTH)
    def somebody_takes_another_call(self, nth: int) -> None:
        assert self.there.call is not None
        legs = self.there.call.legs
        self.there.engaged(legs[nth % len(legs)].id)

    # --- What goes wrong ----------------------------------------------------------------------------------

    @rule(fate=st.sampled_from(list(Fate)[1:]))
    def the_next_request_fails(self, fate: Fate) -> None:
        self.there.fate = fate

    @precondition(lambda self: self.there.call is not None)
    @rule(commands=st.integers(0, 6))
    def the_router_dies_at_one_of_its_next_commands(self, commands: int) -> None:
        self.there.life = commands

    @rule()
    def the_router_is_killed(self) -> None:
        self.there.die()

    @precondition(lambda self: self.there.call is None)
    @rule(decision=st.none() | st.sampled_from(DECISIONS))
    def the_router_starts(self, decision: Decision | None) -> None:
        """Perhaps with another campaigns.yaml than before."""
        if decision is not None:
            self.there.decision = decision
        self.there.restart()

    @rule(seconds=st.floats(0.0, 30.0))
    def time_passes(self, seconds: float) -> None:
        self.there.now += seconds


TestOneCall = OneCall.TestCase
TestOneCall.settings = settings(max_examples=400, stateful_step_count=40, deadline=None)
