"""INVITEs that SIPp would not send: any bytes as the user part, any header."""

from __future__ import annotations

import socket
import uuid

SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio 40000 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n"
)


def invite(
    port: int,
    user: str | None,
    *,
    caller: str = '"x" <sip:+33140000001@127.0.0.1>',
    headers: str = "",
    to: str = "",
) -> int:
    """Send one to Asterisk on loopback; the final status. `user` stands in the URI as it is, percent-encoded."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.bind(("127.0.0.1", 0))
        line.settimeout(10)
        here, call_id = line.getsockname()[1], uuid.uuid4().hex
        uri = f"sip:{user}@127.0.0.1:{port}" if user is not None else f"sip:127.0.0.1:{port}"
        common = (
            f"Via: SIP/2.0/UDP 127.0.0.1:{here};branch=z9hG4bK{call_id}\r\nMax-Forwards: 70\r\n"
            f"From: {caller};tag={call_id[:8]}\r\nCall-ID: {call_id}\r\n"
        )
        request = (
            f"INVITE {uri} SIP/2.0\r\n{common}To: {to or f'<{uri}>'}\r\nCSeq: 1 INVITE\r\n"
            f"Contact: <sip:x@127.0.0.1:{here}>\r\n{headers}"
            f"Content-Type: application/sdp\r\nContent-Length: {len(SDP)}\r\n\r\n{SDP}"
        )
        line.sendto(request.encode(), ("127.0.0.1", port))
        while True:
            answer = line.recv(65536).decode(errors="replace")
            status = int(answer.split(" ", 2)[1]) if answer.startswith("SIP/2.0 ") else 0
            if status < 200:
                continue
            tagged = next(each for each in answer.split("\r\n") if each.lower().startswith("to:"))
            ack = f"ACK {uri} SIP/2.0\r\n{common}{tagged}\r\nCSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n"
            line.sendto(ack.encode(), ("127.0.0.1", port))
            return status
