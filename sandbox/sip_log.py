"""What SIPp wrote of each message it sent and received, read as dialogs: every figure of a test comes from here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

STAMP_SLACK = 0.05
"""Seconds by which the times of two phones may be out of order without a message having been."""

_HEAD = re.compile(
    rb"^-{20,} (\d{4}-\d\d-\d\d)[ T\t](\d\d:\d\d:\d\d\.\d+)[^\n]*\n"
    rb"\w+ message (sent|received) [^\n]*?\[?(\d+)\]? ?bytes\]?[^\n]*\n\n",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Message:
    """One SIP message. `at` is seconds since the epoch, taken by SIPp just after it sent or received.

    "Just after" may be a few milliseconds on a busy machine: a message can bear an earlier time where it arrived
    than where it left. Compare the times of two phones with `STAMP_SLACK`.
    """

    at: float
    sent: bool
    start_line: str
    headers: tuple[tuple[str, str], ...]
    body: str

    @property
    def code(self) -> int | None:
        """The status of a response, None for a request."""
        return int(self.start_line.split()[1]) if self.start_line.startswith("SIP/2.0 ") else None

    @property
    def method(self) -> str:
        """A request's method; for a response, that of the request it answers."""
        if self.code is None:
            return self.start_line.split(" ", 1)[0]
        return self.header("CSeq").rpartition(" ")[2]

    def header(self, name: str) -> str:
        """The first header of that name, empty when there is none."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")


@dataclass(frozen=True, slots=True)
class Dialog:
    """The messages of one Call-ID, in the order in which this phone saw them."""

    call_id: str
    messages: tuple[Message, ...]

    def at(self, what: int | str) -> float | None:
        """When the first response with this code to the INVITE, or the first request of this method, passed by."""
        return next((m.at for m in self.messages if _is(m, what)), None)

    def took(self, begin: int | str, end: int | str) -> float:
        """Seconds between the two. Raises LookupError when one of them was not seen."""
        first, last = self.at(begin), self.at(end)
        if first is None or last is None:
            raise LookupError(f"{begin if first is None else end} was not seen; seen: {', '.join(self.sequence)}")
        return last - first

    @property
    def invite(self) -> Message:
        return next(m for m in self.messages if m.code is None and m.method == "INVITE")

    @property
    def invited_at(self) -> float:
        return self.invite.at

    @property
    def number(self) -> str:
        """The user part of the INVITE's request URI: who is called."""
        uri = self.invite.start_line.split(" ")[1]
        return uri.partition(":")[2].split("@")[0].split(";")[0]

    @property
    def codes(self) -> tuple[int, ...]:
        """Every response to the INVITE in order, retransmissions included."""
        return tuple(m.code for m in self.messages if m.code is not None and m.method == "INVITE")

    @property
    def final(self) -> int | None:
        """The INVITE's final status: 200, 486, 487 …; None while there is none."""
        return next((code for code in self.codes if code >= 200), None)

    @property
    def hung_up_by_us(self) -> bool | None:
        """Whether this phone sent the first BYE or CANCEL; None when there was none."""
        return next((m.sent for m in self.messages if m.code is None and m.method in ("BYE", "CANCEL")), None)

    @property
    def ended_at(self) -> float | None:
        """When the BYE, the CANCEL or the final refusal passed by; None while it lives."""
        for m in self.messages:
            if (m.code is None and m.method in ("BYE", "CANCEL")) or (
                m.method == "INVITE" and (m.code or 0) >= 300
            ):
                return m.at
        return None

    @property
    def live(self) -> bool:
        return self.ended_at is None

    @property
    def sequence(self) -> tuple[str, ...]:
        """Readable: `>INVITE`, `<180`, `<200`, `>ACK` … (`>` is what this phone sent)."""
        return tuple(
            f"{'>' if m.sent else '<'}{m.code or m.method}"
            + (f"/{m.method}" if m.code and m.method != "INVITE" else "")
            for m in self.messages
        )


def _is(message: Message, what: int | str) -> bool:
    if isinstance(what, int):
        return message.code == what and message.method == "INVITE"
    return message.code is None and message.method == what


class MessageLog:
    """SIPp's message file, read on as it grows."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0
        self._messages: dict[str, list[Message]] = {}
        self._dialogs: dict[str, Dialog] = {}

    def dialogs(self) -> tuple[Dialog, ...]:
        """Every Call-ID with an INVITE in it so far, in the order of their first message."""
        self._gather()
        return tuple(self._dialogs.values())

    def dialog(self, call_id: str) -> Dialog | None:
        """That one, as it stands now."""
        self._gather()
        return self._dialogs.get(call_id)

    def forget(self) -> None:
        """Drops what was read so far."""
        self._gather()
        self._messages.clear()
        self._dialogs.clear()

    def read_on(self) -> Iterator[Message]:
        """The whole messages that were added since the last time. For a reader that keeps them itself."""
        try:
            if self.path.stat().st_size <= self._offset:
                return
            with self.path.open("rb") as file:
                file.seek(self._offset)
                text = file.read()
        except FileNotFoundError:
            return
        begin = self._offset
        for message, used in _messages(text):
            self._offset = begin + used
            yield message

    def _gather(self) -> None:
        changed: dict[str, None] = {}
        for message in self.read_on():
            call_id = message.header("Call-ID")
            self._messages.setdefault(call_id, []).append(message)
            changed[call_id] = None
        for call_id in changed:
            messages = self._messages[call_id]
            if any(m.code is None and m.method == "INVITE" for m in messages):
                self._dialogs[call_id] = Dialog(call_id, tuple(messages))


def _messages(text: bytes) -> Iterator[tuple[Message, int]]:
    """Each whole message with the offset behind it; a half-written last one is left for the next time."""
    position = 0
    while head := _HEAD.search(text, position):
        end = head.end() + int(head[4])
        if end > len(text):
            return
        position = end
        yield _message(head, text[head.end() : end].decode(errors="replace")), end


def _message(head: re.Match[bytes], text: str) -> Message:
    moment = datetime.fromisoformat(f"{head[1].decode()}T{head[2].decode()[:15]}").replace(tzinfo=UTC)
    top, _, body = text.partition("\r\n\r\n")
    start_line, *lines = top.split("\r\n")
    pairs = (line.partition(":") for line in lines)
    headers = tuple((name.strip(), value.strip()) for name, _, value in pairs)
    return Message(moment.timestamp(), head[3] == b"sent", start_line, headers, body)
