"""Lines of the spool: each operation comes back as it went in, and an earlier release's lines are read."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from router.model import CallbackWish, Outcome, Pause, Result, StaffCall
from router.store.operations import (
    FORMAT,
    CallAnswered,
    CallEnded,
    CallOpened,
    ConfigAccepted,
    Operation,
    PauseCleared,
    PauseSet,
    StaffCallEnded,
    from_line,
    to_line,
)
from tests.store_rows import START, answered, attempt, call, missed, voicemail

STAFF = StaffCall(
    "c1", "test", "alice", "+33184801001", START, START + 9, verified=True, actions=("pause", "callbacks")
)
NOTED = replace(attempt(call("noted"), Result.ACCEPTED), caller_id="fixed", note="café \u202e")


@pytest.mark.parametrize(
    "operation",
    [
        CallOpened(call("a", number=None)),
        CallOpened(call("a"), (NOTED,)),
        CallAnswered(call("a"), (NOTED,)),
        missed("a"),
        answered("a"),
        voicemail("a"),
        ConfigAccepted("0123456789ab", START, "/etc/campaigns.yaml", "test"),
        StaffCallEnded(STAFF),
        StaffCallEnded(replace(STAFF, verified=False, actions=())),
        PauseSet(Pause("alice", START, None, "menu")),
        PauseSet(Pause("alice", START, START + 60, "root")),
        PauseCleared("alice", START),
    ],
)
def test_there_and_back(operation: Operation) -> None:
    line = to_line(operation)
    assert line.isascii()
    assert "\n" not in line
    assert json.loads(line)["v"] == FORMAT
    assert from_line(line) == operation


V1_ENDED = (
    '{"v":1,"op":"ended","call":{"id":"c01jikdeb80gpm56kje2celrot","started_at":1772359200.0,"did":"+33184801001",'
    '"campaign":"spring","caller":{"number":"+33145678901","name":""},"path":"ari","config_version":"0123456789ab",'
    '"node":"test","channel":"1772359200.1","outcome":"no_answer","salesperson":null,"answered_at":null,'
    '"ended_at":1772359220.0,"ring_seconds":20.0,"talk_seconds":0.0,"hangup_by":"router","cause":19},'
    '"attempts":[{"id":"c01jikdeb80gpm56kje2celrot-01","seq":1,"salesperson":"alice","trunk":"main",'
    '"started_at":1772359200.0,"ringing_at":1772359201.0,"answered_at":null,"accepted_at":null,'
    '"ended_at":1772359220.0,"result":"no_answer","cause":19,"sip_status":480}],'
    '"callback":{"due_at":1772360120.0,"expires_at":1772446520.0}}'
)
"""As release 0.1 wrote it, word for word."""


def test_a_line_of_the_release_before_is_read() -> None:
    operation = from_line(V1_ENDED)
    assert isinstance(operation, CallEnded)
    assert (operation.call.outcome, operation.call.recording) == (Outcome.NO_ANSWER, None)
    assert (operation.attempts[0].sip_status, operation.attempts[0].note) == (480, None)
    assert operation.callback == CallbackWish(1772360120.0, 1772446520.0)


def test_a_call_that_was_opened_before_attempts_were_told_with_it() -> None:
    line = json.loads(to_line(CallOpened(call("a"))))
    del line["attempts"]
    line["v"] = 2
    assert from_line(json.dumps(line)) == CallOpened(call("a"))


@pytest.mark.parametrize(
    "line",
    [
        "",
        "[]",
        "null",
        V1_ENDED.replace('"v":1', '"v":4'),
        V1_ENDED.replace('"v":1,', ""),
        V1_ENDED.replace('"op":"ended"', '"op":"erased"'),
        V1_ENDED.replace('"no_answer"', '"engaged"'),
        V1_ENDED.replace('"seq":1', '"seq":1,"weight":2'),
        V1_ENDED.replace('"op":"ended"', '"op":"ended","staff":{}'),
        '{"v":2,"op":"staff","staff":{"id":"c1"}}',
        '{"v":2,"op":"staff","staff":{"id":"c1","actions":7}}',
        '{"v":2,"op":"staff"}',
        '{"v":2,"op":"pause","pause":{"salesperson":"alice"}}',
        '{"v":2,"op":"pause","pause":null}',
        '{"v":2,"op":"resume","salesperson":"alice"}',
    ],
)
def test_what_is_no_operation_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="no operation"):
        from_line(line)
