"""The media of phones that are to be heard: their tone and keys go out from here, and what comes in is kept.

SIPp does the signalling. Its session descriptions name a port of ours and, as their session name, what is to be
sent (`Voice`); its message log then says whose call is on which port, where to send, and when it was answered. One
thread serves all phones of this process.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import socket
import struct
import threading
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from sandbox import audio, keys
from sandbox.audio import PACKET_SECONDS, SAMPLES, Heard, Packet
from sandbox.errors import SandboxError
from sandbox.sip_log import Message, MessageLog

PORTS = 'file="ears"'
"""How a scenario asks for the next port, until the name of its process's injection file stands there."""
TICK = 0.005
"""Seconds between two looks at the message logs and the ports: one thread for all, and no wake-up a packet."""
LINGER = 1.0
"""Seconds for which packets may still come after the end of a call."""
LATEST = 0.2
"""A sender that was held up for longer than this goes on from now instead of catching up."""
RTP_HEADER = 12
SO_TIMESTAMPNS = 35
"""Linux: the kernel's own time of arrival comes with each packet (socket(7), asm-generic/socket.h)."""
_VOICE = re.compile(r"^s=voice (\d+) ([0-9.]+) (inband|events) ([0-9A-Dw*#]*)\.\s*$", re.MULTILINE)
_PORT = re.compile(r"^m=audio (\d+) ", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Voice:
    """What a phone sends: a tone (Hz, 0 for none), and keys from `keys_after` seconds after the answer on."""

    tone: int
    keys: str
    keys_after: float
    inband: bool

    def line(self) -> str:
        """As the line of a session description, so that it travels with the call."""
        keys.presses(self.keys, self.keys_after)
        how = "inband" if self.inband else "events"
        return f"s=voice {self.tone} {self.keys_after:.3f} {how} {self.keys}.\n"


def _voice(body: str) -> Voice | None:
    found = _VOICE.search(body)
    return found and Voice(int(found[1]), found[4], float(found[2]), found[3] == "inband")


class Ears:
    """A phone's ports (or a carrier's, for all its mobiles), each for one call at a time, taken in turn."""

    def __init__(self, log: Path, count: int) -> None:
        self._log = MessageLog(log)
        self._sockets = [_bound() for _ in range(count)]
        self._by_port = {int(each.getsockname()[1]): each for each in self._sockets}
        self._calls: dict[str, _Call] = {}
        self._live: list[_Call] = []
        self._invited: dict[str, int] = {}
        self._lock = threading.Lock()
        _pump().add(self)

    def injection(self) -> str:
        """The ports as SIPp's injection file."""
        return "SEQUENTIAL\n" + "".join(f"{port};\n" for port in self._by_port)

    def heard(self, call_id: str) -> Heard:
        """What came in so far. Raises SandboxError when no phone that listens had this call."""
        with self._lock:
            self._read_log()
            call = self._calls.get(call_id)
            if call is None:
                raise SandboxError("this phone was not asked to listen; give it a tone or listen=True")
            if call in self._live:
                call.receive()
            return Heard(tuple(call.packets))

    def press(self, call_id: str, what: str) -> None:
        """Presses these keys now. Raises SandboxError when the call's media is not ours."""
        with self._lock:
            self._read_log()
            call = self._calls.get(call_id)
            if call is None:
                raise SandboxError("this phone cannot press keys at will; give it a tone or listen=True")
            call.press(what, time.time())

    def close(self) -> None:
        """Gives the ports back; what was heard stays."""
        _pump().remove(self)
        with self._lock:
            self._read_log()
            for call in self._live:
                call.receive()
            for each in self._sockets:
                each.close()
            self._sockets, self._live = [], []

    def work(self, now: float) -> None:
        """Reads what SIPp logged and what has arrived, and sends what is due."""
        with self._lock:
            self._read_log()
            for call in self._live:
                call.receive()
                call.send_due(now)
            self._live = [call for call in self._live if not call.forgotten(now)]

    def _read_log(self) -> None:
        for message in self._log.read_on():
            self._note(message)

    def _note(self, message: Message) -> None:
        call_id = message.header("Call-ID")
        named = _PORT.search(message.body)
        call = self._calls.get(call_id)
        if call is None and message.sent and named and (voice := _voice(message.body)):
            port = self._by_port.get(int(named[1]))
            if port is None:
                return
            call = self._calls[call_id] = _Call(port, voice)
            call.towards = self._invited.pop(call_id, 0)
            self._live.append(call)
        if not message.sent and named:
            if call is None:
                self._invited[call_id] = int(named[1])
            else:
                call.towards = int(named[1])
        if call is not None:
            call.note(message)


class _Call:
    """One call's media."""

    def __init__(self, port: socket.socket, voice: Voice) -> None:
        self.packets: list[Packet] = []
        self.towards = 0
        """Asterisk's port; 0 while it is not known."""
        self._socket = port
        self._voice = voice
        self._tone = audio.tone(voice.tone) if voice.tone else b""
        self._accepted = False
        self._answered = False
        self._over_at = 0.0
        self._due: float | None = None
        self._slot = 0
        self._keys: deque[tuple[float, str]] = deque()
        self._pressed: deque[_Piece] = deque()
        self._sequence = random.getrandbits(15)
        self._source = random.getrandbits(32)

    def note(self, message: Message) -> None:
        """Takes in one of the call's messages: when to begin, when to end."""
        if message.method in ("BYE", "CANCEL"):
            self._over_at = self._over_at or message.at
        elif message.method == "INVITE" and message.code == 200:
            self._accepted = True
        elif message.method == "INVITE" and message.code == 183 and message.sent:
            self._due = self._due or message.at
        elif message.method == "ACK" and self._accepted and not self._answered:
            self._answered = True
            self._due = self._due or message.at
            self._keys.extend(
                (message.at + moment, key) for moment, key in keys.presses(self._voice.keys, self._voice.keys_after)
            )

    def press(self, what: str, now: float) -> None:
        self._keys.extend((now + moment, key) for moment, key in keys.presses(what, 0.0))

    def forgotten(self, now: float) -> bool:
        """Whether it ended so long ago that nothing more can come."""
        return bool(self._over_at) and now - self._over_at > LINGER

    def receive(self) -> None:
        """Takes the packets that have come in, each with the kernel's time of arrival."""
        with contextlib.suppress(BlockingIOError):
            while True:
                data, extra, _, _ = self._socket.recvmsg(2048, 64)
                if len(data) < RTP_HEADER:
                    continue
                seconds, nanoseconds = struct.unpack("ll", extra[0][2][:16])
                self.packets.append(Packet(seconds + nanoseconds / 1e9, data[1] & 0x7F, data[RTP_HEADER:]))

    def send_due(self, now: float) -> None:
        """Sends the packets whose time has come."""
        if self._over_at or self._due is None or not self.towards:
            return
        if now - self._due > LATEST:
            skipped = int((now - self._due) / PACKET_SECONDS)
            self._due += skipped * PACKET_SECONDS
            self._slot += skipped
        while self._due <= now:
            piece = self._piece(self._due)
            if piece is not None:
                self._send(piece)
            self._due += PACKET_SECONDS
            self._slot += 1

    def _piece(self, at: float) -> _Piece | None:
        """What goes out at this moment: a part of a key, or of the tone, or nothing."""
        if not self._pressed and self._keys and self._keys[0][0] <= at:
            self._pressed.extend(_key(self._keys.popleft()[1], self._voice.inband))
        if self._pressed:
            return self._pressed.popleft()
        if not self._tone:
            return None
        begin = self._slot * SAMPLES % len(self._tone)
        return _Piece(audio.ULAW, self._tone[begin : begin + SAMPLES])

    def _send(self, piece: _Piece) -> None:
        self._sequence = (self._sequence + 1) & 0xFFFF
        stamp = (self._slot - piece.since) * SAMPLES & 0xFFFFFFFF
        mark = 0x80 if piece.kind == keys.EVENT_PAYLOAD and not piece.since else 0
        head = struct.pack("!BBHII", 0x80, mark | piece.kind, self._sequence, stamp, self._source)
        # Asterisk may have closed its side already: what it thinks of a late packet does not matter.
        with contextlib.suppress(OSError):
            self._socket.sendto(head + piece.payload, ("127.0.0.1", self.towards))


@dataclass(frozen=True, slots=True)
class _Piece:
    """One packet's payload; `since` is how many packets ago the key went down that it belongs to."""

    kind: int
    payload: bytes
    since: int = 0


def _key(key: str, inband: bool) -> list[_Piece]:
    """A key's packets, 20 ms apart; as tones up to the next key, with the silence that ends them."""
    if inband:
        sound = keys.sound(key)
        return [_Piece(audio.ULAW, sound[n : n + SAMPLES]) for n in range(0, len(sound), SAMPLES)]
    steps = round(keys.DOWN / PACKET_SECONDS) - 1
    events = keys.events(key, SAMPLES, steps)
    return [_Piece(keys.EVENT_PAYLOAD, event, since) for since, event in enumerate(events)]


def _bound() -> socket.socket:
    each = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    each.bind(("127.0.0.1", 0))
    each.setblocking(False)
    each.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    return each


class _Pump:
    """The thread that moves all media of this process; it ends when no phone listens, and begins anew."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ears: tuple[Ears, ...] = ()
        self._thread: threading.Thread | None = None

    def add(self, ears: Ears) -> None:
        with self._lock:
            self._ears = (*self._ears, ears)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="ears", daemon=True)
                self._thread.start()

    def remove(self, ears: Ears) -> None:
        with self._lock:
            self._ears = tuple(each for each in self._ears if each is not ears)

    def _run(self) -> None:
        while True:
            with self._lock:
                serving = self._ears
                if not serving:
                    self._thread = None
                    return
            for ears in serving:
                ears.work(time.time())
            time.sleep(TICK)


_PUMPS: dict[int, _Pump] = {}


def _pump() -> _Pump:
    """This process's own: a thread does not survive a fork."""
    return _PUMPS.setdefault(os.getpid(), _Pump())
