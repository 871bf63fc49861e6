"""Reading Asterisk's messages: typed, bounded, and never raising."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.ari import fields, wire
from router.ari.fields import Malformed

CHANNEL: dict[str, Any] = {
    "id": "c0123-01",
    "name": "PJSIP/trunk-00000001",
    "state": "Up",
    "caller": {"name": "Zoé", "number": "+33612345678"},
    "connected": {"name": "", "number": ""},
    "dialplan": {
        "context": "callrouter",
        "exten": "+33184801001",
        "app_name": "Stasis",
        "app_data": "callrouter,in,did=33",
    },
}

SEEN = wire.Channel(
    id="c0123-01",
    name="PJSIP/trunk-00000001",
    state="Up",
    caller_number="+33612345678",
    caller_name="Zoé",
    context="callrouter",
    exten="+33184801001",
    app="callrouter",
    app_args=("in", "did=33"),
)

EVENTS: list[tuple[dict[str, Any], wire.Event]] = [
    (
        {"type": "StasisStart", "args": ["in", "did=33"], "channel": CHANNEL},
        wire.StasisStart(SEEN, ("in", "did=33")),
    ),
    ({"type": "StasisEnd", "channel": CHANNEL}, wire.StasisEnd(SEEN)),
    (
        {"type": "ChannelDestroyed", "cause": 17, "cause_txt": "User busy", "tech_cause": 486, "channel": CHANNEL},
        wire.ChannelDestroyed(SEEN, 17, 486),
    ),
    ({"type": "ChannelDestroyed", "cause": 16, "channel": CHANNEL}, wire.ChannelDestroyed(SEEN, 16, None)),
    ({"type": "ChannelStateChange", "channel": CHANNEL}, wire.ChannelStateChange(SEEN)),
    (
        {"type": "ChannelHangupRequest", "cause": 32, "soft": True, "channel": CHANNEL},
        wire.ChannelHangupRequest(SEEN, 32, None, True),
    ),
    ({"type": "ChannelHangupRequest", "channel": CHANNEL}, wire.ChannelHangupRequest(SEEN, 0, None, False)),
    (
        {"type": "ChannelDtmfReceived", "digit": "1", "duration_ms": 120, "channel": CHANNEL},
        wire.ChannelDtmfReceived(SEEN, "1", 120),
    ),
    ({"type": "Dial", "dialstatus": "RINGING", "peer": CHANNEL}, wire.Dial(SEEN, "RINGING")),
    (
        {"type": "PlaybackFinished", "playback": {"id": "p1", "target_uri": "channel:c1", "state": "done"}},
        wire.PlaybackFinished("p1", "channel:c1", "done"),
    ),
    ({"type": "ApplicationReplaced", "application": "callrouter"}, wire.ApplicationReplaced("callrouter")),
]


@pytest.mark.parametrize(("raw", "event"), EVENTS, ids=[type(event).__name__ for _, event in EVENTS])
def test_an_event_is_read_from_text_and_from_bytes(raw: dict[str, Any], event: wire.Event) -> None:
    assert wire.decode(json.dumps(raw)) == event
    assert wire.decode(json.dumps(raw).encode()) == event


def test_a_response_keeps_its_body_undecoded() -> None:
    raw = {"type": "RESTResponse", "request_id": "7", "status_code": 200, "message_body": '{"a": 1}'}
    assert wire.decode(json.dumps(raw)) == wire.Response("7", 200, '{"a": 1}')


def test_a_response_without_a_body() -> None:
    raw = {"type": "RESTResponse", "request_id": "7", "status_code": 204}
    assert wire.decode(json.dumps(raw)) == wire.Response("7", 204, "")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", "not JSON"),
        ("not json", "not JSON"),
        ("[" * 200_000, "not JSON"),
        ("[]", "not an object"),
        ("null", "not an object"),
        ("{}", "no type"),
        ('{"type": 7}', "no type"),
        ('{"type": []}', "no type"),
        ('{"type": ""}', "no type"),
        ('{"type": "StasisStart"}', "StasisStart: no channel"),
        ('{"type": "StasisStart", "channel": []}', "StasisStart: no channel"),
        ('{"type": "StasisStart", "channel": {}}', "StasisStart: no channel id"),
        ('{"type": "StasisEnd", "channel": {"id": ""}}', "StasisEnd: no channel id"),
        ('{"type": "StasisEnd", "channel": {"id": 5}}', "StasisEnd: no channel id"),
        ('{"type": "StasisEnd", "channel": {"id": "' + "x" * 161 + '"}}', "StasisEnd: no channel id"),
        ('{"type": "Dial", "channel": {"id": "x"}}', "Dial: no channel"),
        ('{"type": "RESTResponse", "status_code": 200}', "RESTResponse: no request_id"),
        ('{"type": "PlaybackFinished", "playback": 1}', "PlaybackFinished: no playback id"),
    ],
)
def test_what_is_malformed_is_named(text: str, kind: str) -> None:
    assert wire.decode(text) == wire.Unknown(kind, malformed=True)


def test_five_megabytes_are_not_even_parsed() -> None:
    text = json.dumps({"type": "StasisEnd", "channel": CHANNEL, "padding": "x" * 5_000_000})
    assert wire.decode(text) == wire.Unknown("too large", malformed=True)


def test_a_sound_event_that_nobody_reads_is_not_malformed() -> None:
    assert wire.decode('{"type": "ChannelVarset"}') == wire.Unknown("type ChannelVarset", malformed=False)


def test_an_unknown_type_is_made_safe_to_log() -> None:
    unknown = wire.decode(json.dumps({"type": "\x1b[2J\u202eEvil" + "x" * 500}))
    assert isinstance(unknown, wire.Unknown)
    assert unknown.kind.isprintable()
    assert len(unknown.kind) < 100


def test_texts_are_cut_and_encodable() -> None:
    raw = {**CHANNEL, "caller": {"name": "n" * 50_000, "number": "\ud800" + "1" * 20}}
    text = json.dumps({"type": "StasisEnd", "channel": raw}).replace("\\ud800", "?")
    event = wire.decode(text)
    assert isinstance(event, wire.StasisEnd)
    assert len(event.channel.caller_name) == fields.LONGEST_TEXT
    assert fields.read_text("\ud800é") == "?é"


@pytest.mark.parametrize("value", [True, "16", 1.5, None, 2**40, -(2**40), [], {}])
def test_a_cause_that_is_no_whole_number_is_zero(value: object) -> None:
    event = wire.decode(
        json.dumps({"type": "ChannelDestroyed", "cause": value, "tech_cause": value, "channel": CHANNEL})
    )
    assert event == wire.ChannelDestroyed(SEEN, 0, None)


def test_a_channel_outside_any_application_has_no_arguments() -> None:
    channel = wire.channel({"id": "x", "dialplan": {"app_name": "Dial", "app_data": "callrouter,in"}})
    assert (channel.app, channel.app_args) == ("", ())


def test_lists_leave_out_what_cannot_be_read() -> None:
    assert wire.channels([CHANNEL, {}, 7, None]) == (SEEN,)
    assert wire.bridges([{"id": "b1", "channels": ["a", 7, "b"]}, "x"]) == (wire.Bridge("b1", ("a", "b")),)
    with pytest.raises(Malformed):
        wire.channels({"id": "x"})


def test_an_application_and_an_asterisk() -> None:
    raw = {"name": "callrouter", "channel_ids": ["a"], "bridge_ids": ["b"]}
    assert wire.application(raw) == wire.Application("callrouter", ("a",), ("b",))
    assert wire.asterisk_info({"system": {"version": "22.1"}}) == wire.AsteriskInfo("22.1", "")
    assert wire.asterisk_info(None) == wire.AsteriskInfo("", "")
    with pytest.raises(Malformed):
        wire.application([])
    with pytest.raises(Malformed):
        wire.bridge(None)


def test_bodies() -> None:
    assert wire.body('{"a": [1]}') == {"a": [1]}
    for text in ("", "{", "[" * 200_000, b"\xff"):
        with pytest.raises(Malformed):
            wire.body(text)


def test_the_body_of_a_refusal() -> None:
    assert wire.error_text('{"message": "Channel not found"}') == "Channel not found"
    assert wire.error_text('{"error": "Allocation failed"}') == "Allocation failed"
    assert wire.error_text("<html>") == ""
    assert wire.error_text("[]") == ""
    assert wire.error_text('{"message": {"a": 1}}') == ""
    assert wire.error_text(json.dumps({"message": "a\nb" + "x" * 300})).startswith("a?b")


def test_a_request_carries_its_body_as_a_string() -> None:
    frame = json.loads(wire.encode("9", "POST", "channels", wire.json_body({"endpoint": 'PJSIP/"é"@trunk'})))
    assert frame == {
        "type": "RESTRequest",
        "request_id": "9",
        "method": "POST",
        "uri": "channels",
        "content_type": "application/json",
        "message_body": frame["message_body"],
    }
    assert json.loads(frame["message_body"]) == {"endpoint": 'PJSIP/"é"@trunk'}
    assert json.loads(wire.encode("9", "GET", "channels", None)) == {
        "type": "RESTRequest",
        "request_id": "9",
        "method": "GET",
        "uri": "channels",
    }


@pytest.fixture
def without_orjson(monkeypatch: pytest.MonkeyPatch) -> None:
    """The standard library's JSON, as on a machine without orjson."""
    monkeypatch.setitem(sys.modules, "orjson", None)
    spec = importlib.util.spec_from_file_location("plain_fields", fields.__file__)
    assert spec is not None
    assert spec.loader is not None
    plain = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(plain)
    assert plain.loads is json.loads
    monkeypatch.setattr(wire, "loads", plain.loads)
    monkeypatch.setattr(wire, "dumps", plain.dumps)


@pytest.mark.usefixtures("without_orjson")
def test_the_standard_librarys_json_reads_and_writes_the_same() -> None:
    for raw, event in EVENTS:
        assert wire.decode(json.dumps(raw).encode()) == event
    for text in ("", "{", "[" * 200_000, b"\xff", '{"type": "StasisEnd", "channel": {"id": "\\ud800"}}'):
        message = wire.decode(text)
        assert isinstance(message, wire.Unknown) or message == wire.StasisEnd(wire.channel({"id": "?"}))
    frame = wire.encode("1", "POST", "channels", wire.json_body({"callerId": "é"}))
    assert json.loads(json.loads(frame)["message_body"]) == {"callerId": "é"}


# --- Fuzzing: whatever comes, an answer comes back ----------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10) | st.just("id"), inner, max_size=4)
    ),
    max_leaves=20,
)
TYPES = st.sampled_from(
    ["RESTResponse", "StasisStart", "StasisEnd", "ChannelDestroyed", "ChannelStateChange", "Dial",
     "ChannelHangupRequest", "ChannelDtmfReceived", "PlaybackFinished", "ApplicationReplaced", "ChannelVarset"]
)  # fmt: skip
FIELDS = st.sampled_from(
    ["channel", "peer", "args", "cause", "tech_cause", "soft", "digit", "duration_ms", "dialstatus", "playback",
     "application", "request_id", "status_code", "message_body"]
)  # fmt: skip
PARTS = st.fixed_dictionaries(
    {},
    optional={
        "id": JSON,
        "name": JSON,
        "state": JSON,
        "caller": JSON,
        "dialplan": JSON | st.fixed_dictionaries({"app_name": st.just("Stasis"), "app_data": JSON}),
        "channels": JSON,
    },
)


def assert_storable(value: Any) -> None:
    """No text in it that a log or a database could not take, and no number that does not fit."""
    for found in dataclasses.astuple(value):
        for part in found if isinstance(found, tuple) else (found,):
            if isinstance(part, str):
                part.encode()
            elif isinstance(part, int):
                assert abs(part) <= 2**31


@given(st.text() | st.binary())
def test_any_text_or_bytes_are_survived(data: str | bytes) -> None:
    message = wire.decode(data)
    assert isinstance(message, wire.Unknown)
    assert message.malformed


@given(TYPES, st.dictionaries(FIELDS, JSON | PARTS, max_size=6))
def test_any_shape_of_any_event_is_survived(kind: str, rest: dict[str, Any]) -> None:
    message = wire.decode(json.dumps({**rest, "type": kind}))
    if isinstance(message, wire.Unknown):
        assert message.kind.isprintable()
    elif not isinstance(message, wire.Response):
        assert_storable(message)


@given(JSON | PARTS | st.lists(PARTS, max_size=4))
def test_any_answer_is_read_or_malformed(raw: object) -> None:
    for read in (wire.channel, wire.channels, wire.bridge, wire.bridges, wire.application, wire.asterisk_info):
        try:
            result = read(raw)
        except Malformed:
            continue
        for value in result if isinstance(result, tuple) else (result,):
            assert_storable(value)
