"""What the contract promises of one call, in as few words as will do: an independent second opinion.

Written from the contract, and imports nothing of the router: outcomes and results are plain texts. Times are
seconds since the call arrived. A call is a set of moments that are still to come. The earliest is next; on a real
machine another that is due within `margin` seconds of it may come first instead, so that both are followed: what
comes out is every ending that is allowed, most often one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

REFUSED: Final = {480: "no_answer", 486: "busy", 600: "busy", 603: "declined", 607: "declined", 608: "declined"}
"""SIP's final statuses; any other is unreachable."""
GIVEN_UP: Final = (408, 487)
"""The far end ended it by itself: a phone that rang was not answered."""
KEYS: Final = {"1": "accepted", "2": "declined", "": "not_accepted"}
LIVE: Final = {"dialled": "unreachable", "ringing": "no_answer", "listening": "not_accepted"}
"""What a leg may be while it lives, and what it was when we give it up."""


@dataclass(frozen=True)
class Phone:
    """A mobile: rings or not; `after` so many seconds answers, or `refuses` with that SIP status; None: never."""

    rings: bool = True
    early: bool = False
    """It rings by early media (183) and not by 180."""
    after: float | None = None
    refuses: int = 0
    then: float | None = None
    """Seconds from its answer until it presses `key`, or hangs up where that is empty. None: it only listens."""
    key: str = ""


@dataclass(frozen=True)
class Step:
    people: tuple[str, ...]
    timeout: float
    add: bool = False
    """Who rang before rings on."""


@dataclass(frozen=True)
class Hunt:
    strategy: str
    """`sequential`, `all` or `steps`: how the file says it; the steps say it in full."""
    steps: tuple[Step, ...]
    max_wait: float


@dataclass(frozen=True)
class Scenario:
    name: str
    phones: Mapping[str, Phone]
    hunts: tuple[Hunt, ...]
    """The campaign's, then its overflow's."""
    accept_timeout: float
    gate: bool = True
    """Whether a key makes the yes (`accept: press-1`); else the answer does."""
    leaves: float | None = None
    """When the caller hangs up who has not been answered."""


@dataclass(frozen=True, order=True)
class Ending:
    outcome: str
    winner: str
    attempts: tuple[tuple[str, str], ...]
    """(person, result) in the order in which they were rung."""


@dataclass(frozen=True)
class Moment:
    due: float
    what: str
    leg: int = -1


@dataclass(frozen=True)
class Story:
    """A call up to `now`: whom it has rung, what each leg is (a key of LIVE, or its result), what is to come."""

    scenario: Scenario = field(compare=False)
    coming: frozenset[Moment]
    now: float = 0.0
    hunt: int = -1
    step: int = -1
    people: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    ending: Ending | None = None

    def next(self, margin: float) -> Iterator[Story]:
        latest = min(moment.due for moment in self.coming) + margin
        for moment in self.coming:
            if moment.due <= latest:
                rest = replace(self, coming=self.coming - {moment}, now=max(self.now, moment.due))
                yield rest.happens(moment.what, moment.leg)

    def happens(self, what: str, leg: int) -> Story:
        match what:
            case "begins":
                return self.next_hunt()
            case "leaves":
                return self.end("abandoned")
            case "max_wait":
                return self.give_up("dialled", "ringing", "listening").next_hunt()
            case "ring_timeout" if any(step.add for step in self.hunted.steps[self.step + 1 : self.step + 2]):
                return self.next_step()
            case "ring_timeout":
                # Whoever has answered may go on listening: the next people ring when that has led to nothing.
                return self.give_up("dialled", "ringing").go_on()
            case "ringing":
                return self.turn(leg, "ringing").acts(leg)
            case "answers" if self.scenario.gate:
                return self.listens(leg)
            case "answers" | "accepted":
                return self.turn(leg, "accepted").end("answered", self.people[leg])
            case result:
                return self.turn(leg, result).go_on()

    # --- A leg --------------------------------------------------------------------------------------------

    def dial(self, person: str) -> Story:
        leg = len(self.people)
        story = replace(self, people=(*self.people, person), states=(*self.states, "dialled"))
        return story.later(0.0, "ringing", leg) if self.scenario.phones[person].rings else story.acts(leg)

    def acts(self, leg: int) -> Story:
        phone = self.scenario.phones[self.people[leg]]
        if phone.after is None:
            return self
        if phone.refuses in GIVEN_UP and phone.rings:
            return self.later(phone.after, "no_answer", leg)
        refused = REFUSED.get(phone.refuses, "unreachable")
        return self.later(phone.after, refused if phone.refuses else "answers", leg)

    def listens(self, leg: int) -> Story:
        phone = self.scenario.phones[self.people[leg]]
        story = self.turn(leg, "listening").later(self.scenario.accept_timeout, "not_accepted", leg)
        return story if phone.then is None else story.later(phone.then, KEYS[phone.key], leg)

    def turn(self, leg: int, state: str) -> Story:
        """The leg's new state; whatever it was about to do, it does no more."""
        coming = frozenset(moment for moment in self.coming if moment.leg != leg)
        return replace(self, coming=coming, states=(*self.states[:leg], state, *self.states[leg + 1 :]))

    def give_up(self, *states: str) -> Story:
        story = self
        for leg, state in enumerate(self.states):
            if state in states:
                story = story.turn(leg, LIVE[state])
        return story

    # --- The hunt -----------------------------------------------------------------------------------------

    @property
    def hunted(self) -> Hunt:
        return self.scenario.hunts[self.hunt]

    def go_on(self) -> Story:
        """The next people ring as soon as nobody rings or listens any more."""
        return self if any(state in LIVE for state in self.states) else self.next_step()

    def next_step(self) -> Story:
        if self.step + 1 == len(self.hunted.steps):
            return self.next_hunt()
        step = self.hunted.steps[self.step + 1]
        story = replace(self.without("ring_timeout"), step=self.step + 1).later(step.timeout, "ring_timeout")
        for person in step.people:
            if (person, "declined") not in zip(self.people, self.states, strict=True):
                story = story.dial(person)
        return story.go_on()

    def next_hunt(self) -> Story:
        story = self.without("max_wait", "ring_timeout")
        if self.hunt + 1 == len(self.scenario.hunts):
            return story.end(self.nobody())
        story = replace(story, hunt=self.hunt + 1, step=-1)
        return story.later(story.hunted.max_wait, "max_wait").next_step()

    def later(self, seconds: float, what: str, leg: int = -1) -> Story:
        return replace(self, coming=self.coming | {Moment(self.now + seconds, what, leg)})

    def without(self, *what: str) -> Story:
        return replace(self, coming=frozenset(moment for moment in self.coming if moment.what not in what))

    # --- The end ------------------------------------------------------------------------------------------

    def nobody(self) -> str:
        if {"no_answer", "not_accepted"} & set(self.states):
            return "no_answer"
        return "busy" if {"busy", "declined"} & set(self.states) else "unreachable"

    def end(self, outcome: str, winner: str = "") -> Story:
        results = tuple("cancelled" if state in LIVE else state for state in self.states)
        return replace(self, ending=Ending(outcome, winner, tuple(zip(self.people, results, strict=True))))


def predict(scenario: Scenario, margin: float = 0.0) -> frozenset[Ending]:
    """Every way in which the call may end, where moments less than `margin` seconds apart come in either order."""
    coming = {Moment(0.0, "begins")} | (
        {Moment(scenario.leaves, "leaves")} if scenario.leaves is not None else set()
    )
    untold, seen, endings = [Story(scenario, frozenset(coming))], set[Story](), set[Ending]()
    while untold:
        for story in untold.pop().next(margin):
            if story.ending is not None:
                endings.add(story.ending)
            elif story not in seen:
                seen.add(story)
                untold.append(story)
    return frozenset(endings)
