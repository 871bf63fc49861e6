"""What the router, killed now and then, would ask to be written of a few callers' calls."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from hypothesis import strategies as st

from router.model import CallbackWish, CallRecord, Outcome, Path, Result
from router.store.ids import new_call_id
from router.store.operations import CallAnswered, CallEnded, CallOpened, Operation
from tests.store_rows import CALLER, DUE, EXPIRE, START, answered, attempt, call, ended, missed, whole

OTHER: Final = "+33145678902"
KINDS: Final = ("answered", "missed", "abandoned", "withheld", "lost", "taken over", "taken over in vain")

Happened = tuple[str, str, str, int]
"""Kind, caller, campaign, and the second at which the call came."""

HISTORIES: Final[st.SearchStrategy[list[Happened]]] = st.lists(
    st.tuples(
        st.sampled_from(KINDS),
        st.sampled_from([CALLER, OTHER]),
        st.sampled_from(["spring", "poster"]),
        st.integers(0, 2000) | st.integers(0, int(3 * EXPIRE)),
    ),
    min_size=1,
    max_size=8,
)


def told(history: list[Happened]) -> list[list[Operation]]:
    """The operations of each call, in their order."""
    return [_told(f"call{place}", *happened) for place, happened in enumerate(history)]


def in_time(calls: list[list[Operation]]) -> list[Operation]:
    """The operations of all calls as they came about: each when its call had got so far."""
    moments = [
        (_at(operation), place, nth, operation)
        for place, operations in enumerate(calls)
        for nth, operation in enumerate(operations)
    ]
    return [operation for *_, operation in sorted(moments, key=lambda moment: moment[:3])]


def _at(operation: Operation) -> float:
    assert isinstance(operation, CallOpened | CallAnswered | CallEnded)
    record = operation.call
    return record.ended_at or record.answered_at or record.started_at


def _told(name: str, kind: str, number: str, campaign: str, second: int) -> list[Operation]:
    at = float(second)
    if kind == "answered":
        return _hunted(whole(answered(name, at, number=number, campaign=campaign)))
    if kind == "withheld":
        return whole(missed(name, at, number=None, campaign=campaign))
    if kind in ("missed", "abandoned"):
        outcome = Outcome.ABANDONED if kind == "abandoned" else Outcome.NO_ANSWER
        return _hunted(whole(missed(name, at, number=number, campaign=campaign, outcome=outcome)))
    opened = call(name, at, number=number, campaign=campaign)
    hunting = CallOpened(opened, (attempt(opened, None),))
    if kind == "lost":
        # The router was killed, and the next run found nobody.
        return [hunting, _failed(opened)]
    return [hunting, _failed(opened), _taken_over(name, opened, reached=kind == "taken over")]


def _hunted(operations: list[Operation]) -> list[Operation]:
    """With what is written while phones ring."""
    first, *rest = operations
    assert isinstance(first, CallOpened)
    return [first, CallOpened(first.call, (attempt(first.call, None),)), *rest]


def _failed(opened: CallRecord) -> CallEnded:
    lost = replace(attempt(opened, None), ended_at=opened.started_at + 20, result=Result.FAILED)
    return CallEnded(ended(opened, Outcome.FAILED, 20.0), (lost,), _wish(opened))


def _taken_over(name: str, opened: CallRecord, *, reached: bool) -> CallEnded:
    """What the dialplan, which knows the channel only, writes of the same call under an id of its own."""
    known = replace(opened, id=new_call_id(opened.started_at, name.encode().ljust(32)), path=Path.DIALPLAN)
    if reached:
        return CallEnded(ended(known, Outcome.ANSWERED, 90.0, 30.0), (), None)
    return CallEnded(ended(known, Outcome.NO_ANSWER, 50.0), (), _wish(known))


def _wish(opened: CallRecord) -> CallbackWish:
    due = opened.started_at + 20 + DUE
    return CallbackWish(due, due + EXPIRE)


OUTCOMES: Final = {
    "answered": "answered",
    "missed": "no_answer",
    "abandoned": "abandoned",
    "withheld": "no_answer",
    "lost": "failed",
    "taken over": "answered",
    "taken over in vain": "no_answer",
}
"""What a call of each kind ends as, whatever was written first."""
LATEST: Final = START + 5 * EXPIRE
"""A moment after all of it."""
