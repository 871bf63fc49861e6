"""SIP written by hand, for what SIPp would not send: any bytes anywhere in a request, and requests at odd moments.

Both phones are a UDP socket on loopback and no thread: the test says when something is sent, and when it is read.
"""

from __future__ import annotations

import socket
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from sandbox.errors import SandboxError

SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio {port} RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n"
)
PATIENCE = 5.0
"""Seconds that Asterisk is given for an answer."""


@dataclass(frozen=True, slots=True)
class Received:
    """One message as it came in."""

    start_line: str
    headers: tuple[tuple[str, str], ...]
    body: str = ""

    @property
    def status(self) -> int:
        """A response's status, 0 for a request."""
        return int(self.start_line.split(" ", 2)[1]) if self.start_line.startswith("SIP/2.0 ") else 0

    @property
    def method(self) -> str:
        """What is asked or, for a response, what it answers."""
        return self.header("CSeq").rpartition(" ")[2]

    def header(self, name: str) -> str:
        """The first header of that name, empty when there is none."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")

    def lines(self, *names: str) -> str:
        """The headers of these names as they came, each with its line's end."""
        wanted = [name.lower() for name in names]
        return "".join(f"{key}: {value}\r\n" for key, value in self.headers if key.lower() in wanted)


class _Line:
    """A socket that talks to Asterisk on loopback."""

    def __init__(self, asterisk: int, port: int = 0, *, address: str = "127.0.0.1") -> None:
        self._asterisk = ("127.0.0.1", asterisk)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.bind((address, port))
        except OSError as error:
            self._socket.close()
            raise SandboxError(f"port {port} cannot be used: {error.strerror}") from error
        self.port = int(self._socket.getsockname()[1])

    def send(self, message: bytes) -> None:
        self._socket.sendto(message, self._asterisk)

    def receive(self, patience: float = PATIENCE) -> Received | None:
        """The next message; None when none comes within `patience` seconds."""
        self._socket.settimeout(max(patience, 0.001))
        try:
            text = self._socket.recv(65536).decode(errors="replace")
        except TimeoutError:
            return None
        head, _, body = text.partition("\r\n\r\n")
        start_line, *lines = head.split("\r\n")
        pairs = (line.partition(":") for line in lines)
        return Received(start_line, tuple((name.strip(), value.strip()) for name, _, value in pairs), body)

    def reply(self, request: Received, status: str, headers: str = "", body: str = "") -> None:
        """Answer a request that came in: `486 Busy Here`, and any more headers, each line with its end."""
        same = request.lines("Via", "From", "Call-ID", "CSeq")
        head = f"SIP/2.0 {status}\r\n{same}To: {_own(request)}\r\n{headers}"
        self.send(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class RawCaller(_Line):
    """One call to Asterisk. Every text goes out as it stands: percent-encode what a URI needs encoded.

    `user` None leaves the user part out of the URI. `caller`, `to` and `contact` replace those headers (their tag
    is added to From), `headers` come on top, each line with its end. An empty `caller` leaves From out altogether.
    `body` None sends a session description. It comes from `address`.
    """

    def __init__(
        self,
        asterisk: int,
        user: str | None,
        *,
        caller: str = "<sip:+33140000001@127.0.0.1>",
        to: str = "",
        contact: str = "",
        headers: str = "",
        body: str | None = None,
        address: str = "127.0.0.1",
    ) -> None:
        super().__init__(asterisk, address=address)
        self._uri = f"sip:{user}@127.0.0.1:{asterisk}" if user is not None else f"sip:127.0.0.1:{asterisk}"
        self._call_id = uuid.uuid4().hex
        self._from = f"From: {caller};tag={self._call_id[:8]}\r\n" if caller else ""
        self._to = to or f"<{self._uri}>"
        self._cseq = 1
        self._sdp = SDP.format(port=self.port) if body is None else body
        self._contact = contact or f"<sip:x@{address}:{self.port}>"
        self._via = f"{address}:{self.port}"
        self._invite = self._message("INVITE", 1, self._to, headers, self._sdp)
        self.seen: list[Received] = []
        self.send(self._invite)

    def again(self) -> None:
        """Send the same INVITE once more, byte for byte."""
        self.send(self._invite)

    def status(self, patience: float = PATIENCE) -> int:
        """The INVITE's final status, acknowledged. 0: none came within `patience` seconds."""
        return self.until(lambda message: message.method == "INVITE" and message.status >= 200, patience)

    def ringing(self) -> int:
        """Waits for the INVITE's 180. Returns 180, or 0 where another answer than that is the next."""
        status = self.until(lambda message: message.method == "INVITE" and message.status > 100)
        return status if status == 180 else 0

    def request(self, method: str, headers: str = "", body: str = "") -> int:
        """A further request within the call; its final status, 0 where none comes."""
        self._cseq += 1
        cseq = self._cseq
        self.send(self._message(method, cseq, self._tagged(), headers, body))
        return self.until(lambda message: message.header("CSeq") == f"{cseq} {method}" and message.status >= 200)

    def reinvite(self) -> int:
        return self.request("INVITE", body=self._sdp)

    def refer(self, target: str) -> int:
        """Ask Asterisk to call `target` in our place; what came of it, as a status."""
        status = self.request("REFER", _refer_to(target))
        if status < 300:
            self.until(_is_last_notify)
            status = _told(self.seen[-1])
        return status

    def cancel(self) -> None:
        self.send(self._message("CANCEL", 1, self._to))

    def until(self, wanted: Callable[[Received], bool], patience: float = PATIENCE) -> int:
        """Read on until a message is as wanted; its status. 0 when none is in time."""
        deadline = time.monotonic() + patience
        while (message := self.receive(deadline - time.monotonic())) is not None:
            self.seen.append(message)
            if message.status >= 200 and message.method == "INVITE":
                self._acknowledge(message)
            elif not message.status and message.method != "ACK":
                self.reply(message, "200 OK")
            if wanted(message):
                return message.status
        return 0

    def _acknowledge(self, answer: Received) -> None:
        """A refusal's ACK has the INVITE's branch, an acceptance's its own (RFC 3261, 17.1.1.3 and 13.2.2.4)."""
        cseq = int(answer.header("CSeq").split()[0])
        self.send(self._message("ACK", cseq, answer.header("To"), own_branch=answer.status < 300))

    def _tagged(self) -> str:
        """The To header with Asterisk's tag, from the last answer that had one."""
        tos = (message.header("To") for message in reversed(self.seen) if message.status > 100)
        return next(tos, self._to)

    def _message(
        self, method: str, cseq: int, to: str, headers: str = "", body: str = "", *, own_branch: bool = False
    ) -> bytes:
        branch = uuid.uuid4().hex if own_branch else f"{self._call_id}{cseq}"
        described = "Content-Type: application/sdp\r\n" if body else ""
        text = (
            f"{method} {self._uri} SIP/2.0\r\nVia: SIP/2.0/UDP {self._via};branch=z9hG4bK{branch}\r\n"
            f"Max-Forwards: 70\r\n{self._from}To: {to}\r\nCall-ID: {self._call_id}\r\nCSeq: {cseq} {method}\r\n"
            f"Contact: {self._contact}\r\n{headers}{described}"
        )
        # Lone surrogates stand for bytes that are no UTF-8.
        content = body.encode()
        return f"{text}Content-Length: {len(content)}\r\n\r\n".encode(errors="surrogateescape") + content


class RawMobile(_Line):
    """The far end of a trunk, in place of a Carrier: `invited` waits for a call, the test answers as it likes."""

    def __init__(self, asterisk: int, port: int) -> None:
        super().__init__(asterisk, port)
        self._dialled: dict[str, Received] = {}

    def receive(self, patience: float = PATIENCE) -> Received | None:
        message = super().receive(patience)
        if message is not None and message.start_line.startswith("INVITE "):
            self._dialled.setdefault(message.header("Call-ID"), message)
        return message

    def dialled(self) -> list[str]:
        """The user part of every call that has come in so far, in order."""
        while self.receive(0) is not None:
            pass
        starts = (invite.start_line for invite in self._dialled.values())
        return [start.split(" ")[1].partition(":")[2].partition("@")[0] for start in starts]

    def refer(self, invite: Received, target: str) -> int:
        """Ask Asterisk to call `target` in our place; what came of it, as a status."""
        status = self.request(invite, "REFER", _refer_to(target))
        if status >= 300:
            return status
        while not _is_last_notify(notify := self._next("NOTIFY", "nobody said what came of the REFER")):
            self.reply(notify, "200 OK")
        self.reply(notify, "200 OK")
        return _told(notify)

    def refuse_all(self) -> None:
        """Answer 486 to every call that has come in, so that none of them rings on."""
        for invite in self._dialled.values():
            self.reply(invite, "486 Busy Here")

    def invited(self) -> Received:
        """The next INVITE. Raises SandboxError when none comes."""
        return self._next("INVITE", "the mobile was not invited")

    def hung_up(self) -> None:
        """Waits for the call's BYE, and answers it. Raises SandboxError when none comes."""
        self.reply(self._next("BYE", "the mobile was not released"), "200 OK")

    def _next(self, method: str, otherwise: str) -> Received:
        while (message := self.receive()) is not None:
            if message.start_line.startswith(f"{method} "):
                return message
            if not message.status and message.method != "ACK":
                self.reply(message, "200 OK")
        raise SandboxError(otherwise)

    def answer(self, invite: Received) -> None:
        """Take the call, and wait until that is acknowledged. Raises SandboxError when it is not."""
        contact = f"Contact: <sip:m@127.0.0.1:{self.port}>\r\nContent-Type: application/sdp\r\n"
        self.reply(invite, "200 OK", contact, SDP.format(port=self.port))
        self._next("ACK", "the answer was not acknowledged")

    def request(self, invite: Received, method: str, headers: str = "") -> int:
        """A request of our own within the call of `invite`; its final status, 0 where none comes."""
        uri = invite.header("Contact").partition("<")[2].partition(">")[0]
        self.send(
            f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{self.port};branch=z9hG4bK{uuid.uuid4().hex}\r\n"
            f"Max-Forwards: 70\r\nFrom: {_own(invite)}\r\nTo: {invite.header('From')}\r\nCSeq: 1 {method}\r\n"
            f"Call-ID: {invite.header('Call-ID')}\r\nContact: <sip:m@127.0.0.1:{self.port}>\r\n"
            f"{headers}Content-Length: 0\r\n\r\n".encode()
        )
        while (message := self.receive()) is not None:
            if message.method == method and message.status >= 200:
                return message.status
            if not message.status and message.method != "ACK":
                self.reply(message, "200 OK")
        return 0


def _refer_to(target: str) -> str:
    return f"Refer-To: <sip:{target}@127.0.0.1>\r\n"


def _is_last_notify(message: Received) -> bool:
    ended = message.header("Subscription-State").startswith("terminated")
    return ended and message.start_line.startswith("NOTIFY ")


def _told(notify: Received) -> int:
    """The status in the body of a REFER's NOTIFY (RFC 3515, 2.4.5): `SIP/2.0 404 Not Found`."""
    return int(notify.body.split(" ", 2)[1]) if notify.body.startswith("SIP/2.0 ") else 0


def _own(invite: Received) -> str:
    """The To of a request with our tag in it."""
    to = invite.header("To")
    return to if ";tag=" in to else f"{to};tag=far"
