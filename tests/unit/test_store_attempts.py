"""An attempt's row while the call goes on: what is said of it later counts, until it has ended."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from router.model import Outcome, Result
from router.store.operations import CallEnded, CallOpened
from tests.store_rows import attempt, call, dump, ended, write


@pytest.mark.parametrize("result", [Result.CANCELLED, Result.NOT_ACCEPTED, Result.ACCEPTED])
def test_who_accepted_may_still_be_left_alone(tmp_path: Path, result: Result) -> None:
    """The caller, or the phone, hangs up between the key and the first word: nobody took the call after all."""
    path = str(tmp_path / "calls.db")
    opened = call("crossing")
    accepted = attempt(opened, Result.ACCEPTED)
    over = CallEnded(
        ended(opened, Outcome.ANSWERED if result is Result.ACCEPTED else Outcome.ABANDONED, 6.0),
        (replace(accepted, ended_at=opened.started_at + 6, result=result),),
        None,
    )
    write(path, [CallOpened(opened, (accepted,)), over])
    (row,) = dump(path, ("attempts",))["attempts"]
    assert result.value in row
    write(path, [CallOpened(opened, (accepted,)), over])
    assert dump(path, ("attempts",))["attempts"] == [row], "said again, it stays"
