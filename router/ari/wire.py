"""Asterisk's JSON to typed events and back. Pure: no I/O, no clock, no logging.

This is a door through which foreign data comes in: `decode` never raises, it says `Unknown` and why. Only what the
router reads is taken out.
Field names are those of Asterisk's rest-api/api-docs/events.json and channels.json.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from router.ari.fields import (
    Malformed,
    Raw,
    app_called,
    dumps,
    label,
    loads,
    part,
    read_id,
    read_list,
    read_text,
    read_texts,
    sip_status,
    text_at,
    whole,
)

#: Longest event or answer that is read, in bytes (or characters). A channel's snapshot is under 1 kB; a list of a
#: thousand channels, the longest thing asked for, under 1 MB.
LONGEST: Final = 2 * 1024 * 1024

#: Longest answer that is read over HTTP, where the long lists travel.
LONGEST_LIST: Final = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel as Asterisk last saw it."""

    id: str
    name: str
    state: str
    """`Down`, `Ring` (a caller's), `Ringing` (a leg's), `Up`, `Busy` …"""
    caller_number: str
    """As the carrier sent it: a claim, to be read by router.numbers."""
    caller_name: str
    context: str
    exten: str
    app: str
    """The ARI application it was sent to, empty when it is elsewhere in the dialplan."""
    app_args: tuple[str, ...]
    """What the dialplan or the creation handed to that application."""


@dataclass(frozen=True, slots=True)
class Bridge:
    id: str
    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Application:
    """What an ARI application is subscribed to."""

    name: str
    channels: tuple[str, ...]
    bridges: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AsteriskInfo:
    version: str
    started: str
    """When it was started, as ISO 8601."""


@dataclass(frozen=True, slots=True)
class StasisStart:
    """A channel has come to the application: a caller, or a leg that was created and is to be dialled (`Down`)."""

    channel: Channel
    args: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StasisEnd:
    """A channel has left the application. For a caller that hung up it may be the last word; of a leg that nobody
    answered it does not say how it ended."""

    channel: Channel


@dataclass(frozen=True, slots=True)
class ChannelDestroyed:
    """A channel is no more."""

    channel: Channel
    cause: int
    """Q.850, 0 where unknown."""
    sip_status: int | None
    """The SIP status that ended it (`tech_cause`). 480 with cause 19 is also what Asterisk makes up when its own
    dial timeout ends a leg."""


@dataclass(frozen=True, slots=True)
class ChannelStateChange:
    channel: Channel


@dataclass(frozen=True, slots=True)
class ChannelHangupRequest:
    """Somebody wants the channel to end; the end itself follows."""

    channel: Channel
    cause: int
    sip_status: int | None
    soft: bool
    """True when this side asked for it."""


@dataclass(frozen=True, slots=True)
class ChannelDtmfReceived:
    channel: Channel
    digit: str
    duration: int
    """Milliseconds."""


@dataclass(frozen=True, slots=True)
class Dial:
    """How the dialling of a leg goes on."""

    peer: Channel
    """The leg that is dialled."""
    dialstatus: str
    """Empty at the start, `RINGING`, `PROGRESS`, `ANSWER`; of a leg that is refused no more than that is told."""


@dataclass(frozen=True, slots=True)
class PlaybackFinished:
    playback: str
    target: str
    """`channel:<id>` or `bridge:<id>`."""
    state: str
    """`done` or `failed`."""


@dataclass(frozen=True, slots=True)
class RecordingFinished:
    """A recording is over, or could not be made (`failed`)."""

    name: str
    target: str
    """`channel:<id>` or `bridge:<id>`."""
    duration: int
    """Whole seconds, silence at the end included."""
    talking: int | None
    """Whole seconds without the silence, where Asterisk says so."""
    failed: bool


@dataclass(frozen=True, slots=True)
class ApplicationReplaced:
    """Another connection has taken the application's name: nothing more will come on this one."""

    application: str


Event = (
    StasisStart
    | StasisEnd
    | ChannelDestroyed
    | ChannelStateChange
    | ChannelHangupRequest
    | ChannelDtmfReceived
    | Dial
    | PlaybackFinished
    | RecordingFinished
    | ApplicationReplaced
)


@dataclass(frozen=True, slots=True)
class Response:
    """The answer to a request that went over the websocket."""

    request: str
    """The request's id; empty when Asterisk could not read the request at all."""
    status: int
    """HTTP status."""
    body: str
    """JSON once more; empty where there is none."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A message that means nothing here. `kind` is short and safe to log; what was wrong, or which type."""

    kind: str
    malformed: bool
    """False for a sound event of a type that the router does not read."""


# --- Reading ----------------------------------------------------------------------------------------------


def decode(data: str | bytes) -> Event | Response | Unknown:
    """One message of the websocket, as text or UTF-8 bytes. Never raises on bad data."""
    if len(data) > LONGEST:
        return Unknown("too large", True)
    try:
        raw = loads(data)
    except (ValueError, RecursionError):
        return Unknown("not JSON", True)
    if not isinstance(raw, dict):
        return Unknown("not an object", True)
    kind = raw.get("type")
    if not isinstance(kind, str) or not kind:
        return Unknown("no type", True)
    reader = _READERS.get(kind)
    if reader is None:
        return Unknown(f"type {label(kind)}", False)
    try:
        return reader(raw)
    except Malformed as error:
        return Unknown(f"{kind}: {error}", True)


def body(text: str | bytes) -> object:
    """An answer's body. Raises Malformed when it is no JSON or too large."""
    if len(text) > LONGEST_LIST:
        raise Malformed("too large")
    try:
        return loads(text)
    except (ValueError, RecursionError):
        raise Malformed("not JSON") from None


def channel(raw: object) -> Channel:
    """A channel's snapshot. Raises Malformed."""
    if not isinstance(raw, dict):
        raise Malformed("no channel")
    caller = part(raw, "caller")
    dialplan = part(raw, "dialplan")
    app, args = app_called(dialplan)
    return Channel(
        read_id(raw.get("id"), "channel"),
        read_text(raw.get("name")),
        read_text(raw.get("state")),
        read_text(caller.get("number")),
        read_text(caller.get("name")),
        read_text(dialplan.get("context")),
        read_text(dialplan.get("exten")),
        app,
        args,
    )


def channels(raw: object) -> tuple[Channel, ...]:
    """A list of channels; an entry that cannot be read is left out. Raises Malformed when it is no list."""
    return read_list(raw, channel)


def bridge(raw: object) -> Bridge:
    """A bridge. Raises Malformed."""
    if not isinstance(raw, dict):
        raise Malformed("no bridge")
    members = raw.get("channels")
    return Bridge(read_id(raw.get("id"), "bridge"), read_texts(members))


def bridges(raw: object) -> tuple[Bridge, ...]:
    """A list of bridges; an entry that cannot be read is left out. Raises Malformed when it is no list."""
    return read_list(raw, bridge)


def application(raw: object) -> Application:
    """An application. Raises Malformed."""
    if not isinstance(raw, dict):
        raise Malformed("no application")
    channels, bridges = read_texts(raw.get("channel_ids")), read_texts(raw.get("bridge_ids"))
    return Application(read_id(raw.get("name"), "application"), channels, bridges)


def asterisk_info(raw: object) -> AsteriskInfo:
    """What Asterisk says of itself; what it does not say is empty."""
    return AsteriskInfo(text_at(raw, "system", "version"), text_at(raw, "status", "startup_time"))


def error_text(text: str | bytes) -> str:
    """What Asterisk says in the body of a refusal: one short printable line, or nothing."""
    try:
        raw = body(text)
    except Malformed:
        return ""
    return label(text_at(raw, "message") or text_at(raw, "error"))


# --- The kinds of message ---------------------------------------------------------------------------------


def _response(raw: Raw) -> Response:
    request = raw.get("request_id")
    if not isinstance(request, str):
        raise Malformed("no request_id")
    text = raw.get("message_body")
    return Response(request, whole(raw.get("status_code")), text if isinstance(text, str) else "")


def _stasis_start(raw: Raw) -> StasisStart:
    return StasisStart(channel(raw.get("channel")), read_texts(raw.get("args")))


def _destroyed(raw: Raw) -> ChannelDestroyed:
    return ChannelDestroyed(channel(raw.get("channel")), whole(raw.get("cause")), sip_status(raw))


def _hangup_request(raw: Raw) -> ChannelHangupRequest:
    soft = raw.get("soft") is True
    return ChannelHangupRequest(channel(raw.get("channel")), whole(raw.get("cause")), sip_status(raw), soft)


def _dtmf(raw: Raw) -> ChannelDtmfReceived:
    return ChannelDtmfReceived(
        channel(raw.get("channel")), read_text(raw.get("digit")), whole(raw.get("duration_ms"))
    )


def _dial(raw: Raw) -> Dial:
    return Dial(channel(raw.get("peer")), read_text(raw.get("dialstatus")))


def _playback(raw: Raw) -> PlaybackFinished:
    playback = part(raw, "playback")
    return PlaybackFinished(
        read_id(playback.get("id"), "playback"),
        read_text(playback.get("target_uri")),
        read_text(playback.get("state")),
    )


def _recording(raw: Raw) -> RecordingFinished:
    recording = part(raw, "recording")
    talking = recording.get("talking_duration")
    return RecordingFinished(
        read_text(recording.get("name")),
        read_text(recording.get("target_uri")),
        whole(recording.get("duration")),
        None if talking is None else whole(talking),
        raw.get("type") == "RecordingFailed",
    )


_READERS: Final[dict[str, Callable[[Raw], Event | Response]]] = {
    "RESTResponse": _response,
    "StasisStart": _stasis_start,
    "StasisEnd": lambda raw: StasisEnd(channel(raw.get("channel"))),
    "ChannelDestroyed": _destroyed,
    "ChannelStateChange": lambda raw: ChannelStateChange(channel(raw.get("channel"))),
    "ChannelHangupRequest": _hangup_request,
    "ChannelDtmfReceived": _dtmf,
    "Dial": _dial,
    "PlaybackFinished": _playback,
    "RecordingFinished": _recording,
    "RecordingFailed": _recording,
    "ApplicationReplaced": lambda raw: ApplicationReplaced(read_text(raw.get("application"))),
}


# --- Writing ----------------------------------------------------------------------------------------------


def json_body(value: Mapping[str, object]) -> bytes:
    """The body of a request."""
    return dumps(value)


def encode(request: str, method: str, uri: str, content: bytes | None) -> bytes:
    """One REST request as a text frame of the websocket. `uri` is relative to ARI's root, `content` is JSON: it
    travels as a string within the frame (Asterisk's RESTRequest)."""
    message = {"type": "RESTRequest", "request_id": request, "method": method, "uri": uri}
    if content is not None:
        message["content_type"] = "application/json"
        message["message_body"] = content.decode()
    return dumps(message)
