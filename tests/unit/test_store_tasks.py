"""One open task a caller and campaign, whatever order calls are written in."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.callbacks import REACHED_US
from router.model import Outcome
from router.store.callbacks import move
from router.store.database import immediate, open_database
from router.store.operations import CallEnded, Operation, from_line, to_line
from router.store.tasks import write_expired
from router.store.times import to_text
from tests.store_rows import DUE, EXPIRE, START, answered, call, dump, ended, missed, whole, write


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "calls.db")


def tasks(path: str) -> list[dict[str, object]]:
    """Every callback with the ids of its calls, in the order in which they were opened."""
    with closing(open_database(path)) as connection:
        rows = connection.execute("SELECT * FROM callbacks ORDER BY opened_at, id").fetchall()
        found: list[dict[str, object]] = []
        for row in rows:
            joined = connection.execute("SELECT call_id FROM callback_calls WHERE callback_id = ?", (row["id"],))
            found.append({**dict(row), "calls": sorted(each["call_id"] for each in joined)})
    return found


def test_a_missed_call_opens_one(path: str) -> None:
    first = missed("first")
    write(path, [first])
    (task,) = tasks(path)
    assert (task["campaign"], task["state"], task["attempts"], task["owner"]) == ("spring", "open", 0, None)
    assert (task["opened_at"], task["due_at"]) == (to_text(START + 20), to_text(START + 20 + DUE))
    assert task["expires_at"] == to_text(START + 20 + DUE + EXPIRE)
    assert task["calls"] == [first.call.id]


def test_further_missed_calls_join_it_and_the_due_time_stays(path: str) -> None:
    calls = [missed("first"), missed("second", 300.0, outcome=Outcome.ABANDONED), missed("third", 5000.0)]
    write(path, calls)
    (task,) = tasks(path)
    assert task["due_at"] == to_text(START + 20 + DUE)
    assert task["calls"] == sorted(each.call.id for each in calls)


def test_another_campaign_or_caller_has_its_own(path: str) -> None:
    write(path, [missed("a"), missed("b", campaign="poster"), missed("c", number="+33145678902")])
    assert len(tasks(path)) == 3


def test_a_withheld_number_is_counted_and_opens_none(path: str) -> None:
    write(path, [missed("first", number=None), missed("second", 10.0, number=None)])
    rows = dump(path)
    assert [row[5] for row in rows["calls"]] == ["no_answer", "no_answer"]
    assert [(row[0], row[1], row[2]) for row in rows["callers"]] == [("withheld", None, "withheld")]
    assert rows["callbacks"] == []


def test_a_call_without_a_wish_opens_none(path: str) -> None:
    opened = call("first")
    write(path, [CallEnded(ended(opened, Outcome.BLOCKED, 1.0), (), None)])
    assert tasks(path) == []


def test_the_caller_getting_through_closes_it(path: str) -> None:
    write(path, [missed("first"), answered("second", 600.0)])
    (task,) = tasks(path)
    assert (task["state"], task["close_reason"]) == ("done", REACHED_US)
    assert task["closed_at"] == to_text(START + 605)


def test_it_is_closed_when_the_human_answers_not_when_the_talk_is_over(path: str) -> None:
    write(path, [missed("first"), *whole(answered("second", 600.0))[:2]])
    assert [task["state"] for task in tasks(path)] == ["done"]


def test_getting_through_on_another_campaign_closes_nothing(path: str) -> None:
    write(path, [missed("first"), answered("second", 600.0, campaign="poster")])
    assert [task["state"] for task in tasks(path)] == ["open"]


def test_it_closes_one_that_somebody_has_claimed(path: str) -> None:
    from router.callbacks import claim

    write(path, [missed("first")])
    with closing(open_database(path)) as connection:
        move(connection, str(tasks(path)[0]["id"]), lambda task: claim(task, "bob", 9999.0, START + 100))
    write(path, [answered("second", 600.0)])
    (task,) = tasks(path)
    assert (task["state"], task["owner"], task["lease_until"]) == ("done", "bob", None)


def test_missed_again_after_getting_through_is_owed_again(path: str) -> None:
    write(path, [missed("first"), answered("second", 600.0), missed("third", 900.0)])
    assert [task["state"] for task in tasks(path)] == ["done", "open"]


def test_missed_while_the_same_number_talks_is_owed(path: str) -> None:
    """A company's one number: a colleague is talking, and another one rings in vain."""
    write(path, [missed("inside", 30.0), *whole(answered("talk"))])
    assert [task["state"] for task in tasks(path)] == ["open"]


def test_written_late_a_missed_call_does_not_come_back_once_the_caller_got_through(path: str) -> None:
    """Out of the fallback's folder, after the answered call that followed it."""
    write(path, [*whole(answered("second", 600.0)), missed("first")])
    (task,) = tasks(path)
    assert (task["state"], task["close_reason"]) == ("done", REACHED_US)


def test_past_its_end_it_is_expired_and_the_next_missed_call_opens_another(path: str) -> None:
    later = DUE + EXPIRE + 100
    write(path, [missed("first"), missed("second", later)])
    assert [(task["state"], task["close_reason"]) for task in tasks(path)] == [
        ("expired", "expired"),
        ("open", None),
    ]


def test_the_same_call_found_answered_after_all_closes_what_it_opened(path: str) -> None:
    """The router, killed, wrote `failed`; the fallback knows that Alice took the call."""
    opened = call("first")
    lost = missed("first")
    write(path, [CallEnded(ended(opened, Outcome.FAILED, 20.0), (), lost.callback)])
    write(path, [CallEnded(ended(opened, Outcome.ANSWERED, 300.0, 12.0), (), None)])
    assert [task["state"] for task in tasks(path)] == ["done"]
    write(path, [CallEnded(ended(opened, Outcome.FAILED, 20.0), (), lost.callback)])
    assert [task["state"] for task in tasks(path)] == ["done"]


def test_expiry_is_put_down_once(path: str) -> None:
    write(path, [missed("first"), missed("second", number="+33145678902", expire=9 * EXPIRE)])
    with closing(open_database(path)) as connection, immediate(connection):
        assert write_expired(connection, START + 2 * EXPIRE) == 1
        assert write_expired(connection, START + 2 * EXPIRE) == 0


CALLS = st.lists(
    st.tuples(
        st.sampled_from(["missed", "answered", "abandoned"]),
        st.sampled_from(["+33145678901", "+33145678902"]),
        st.sampled_from(["spring", "poster"]),
        st.integers(0, 2000),
    ),
    min_size=1,
    max_size=8,
)


def operations(calls: Sequence[tuple[str, str, str, int]]) -> list[Operation]:
    """What the engine would hand over, call by call."""
    found: list[Operation] = []
    for place, (kind, number, campaign, at) in enumerate(calls):
        if kind == "answered":
            found += whole(answered(f"call{place}", float(at), number=number, campaign=campaign))
        else:
            outcome = Outcome.ABANDONED if kind == "abandoned" else Outcome.NO_ANSWER
            found += whole(missed(f"call{place}", float(at), number=number, campaign=campaign, outcome=outcome))
    return found


@given(CALLS)
def test_what_is_journalled_is_what_is_read_back(calls: list[tuple[str, str, str, int]]) -> None:
    for each in operations(calls):
        assert from_line(to_line(each)) == each


@pytest.mark.parametrize(
    "line",
    [
        "",
        "no json",
        "[]",
        "{}",
        '{"v":2,"op":"opened"}',
        '{"v":1,"op":"dropped"}',
        '{"v":1,"op":"opened"}',
        '{"v":1,"op":"opened","call":{"id":"c"}}',
        '{"v":1,"op":"config","version":"a","at":1,"file":"f","node":"n","more":1}',
    ],
)
def test_a_line_that_is_no_operation_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="no operation"):
        from_line(line)


def test_a_word_that_no_closed_list_has_is_refused() -> None:
    line = to_line(missed("first"))
    with pytest.raises(ValueError, match="no operation"):
        from_line(line.replace('"no_answer"', '"engaged"'))
    with pytest.raises(ValueError, match="no operation"):
        from_line(line.replace('"hangup_by"', '"hung_up_by"'))
