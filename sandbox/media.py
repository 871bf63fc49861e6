"""What SIPp sends as RTP: a tone, and keys. Files for its `rtp_stream`.

SIPp sends these through ordinary sockets. Its `play_dtmf` and `play_pcap_audio` open raw sockets, which needs root,
so keys go out as a stream whose packets hold telephone events (RFC 4733): `rtp_stream` takes any dynamic payload
type with iLBC's packet size of 50 bytes each 30 ms, and Asterisk reads the event in the first four.
"""

from __future__ import annotations

from pathlib import Path

from sandbox import audio, keys

PACKET = 50
TICKS = 240
TONE = "tone.ulaw,-1,0,PCMU/8000"
"""A second of 425 Hz, again and again."""


def write_files(folder: Path) -> None:
    """`tone.ulaw`, and `key<n>.events` and `key<n>.ulaw` for each key."""
    (folder / "tone.ulaw").write_bytes(audio.tone(425))
    for key in keys.KEYS:
        events = (event.ljust(PACKET, b"\0") for event in keys.events(key, TICKS, 3))
        (folder / f"key{keys.code(key)}.events").write_bytes(b"".join(events))
        (folder / f"key{keys.code(key)}.ulaw").write_bytes(keys.sound(key))


def stream(key: str, *, inband: bool) -> str:
    """What `rtp_stream` is to play for that key. Raises SandboxError when a telephone has no such key."""
    if inband:
        return f"key{keys.code(key)}.ulaw,1,{audio.ULAW},PCMU/8000"
    return f"key{keys.code(key)}.events,1,{keys.EVENT_PAYLOAD},iLBC/8000"
