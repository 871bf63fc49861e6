"""SIPp scenarios as text: the carrier with every mobile behind it, and the caller.

Both are written so that a message may come at any moment: what may arrive stands in `optional="global"` receives
that are jumped over at the start, each of them leading to a label; the main line only sends and pauses.

Jumps hang on sends, receives and pauses: a message that comes while SIPp is at a nop of its own is kept waiting.
Only the caller's INVITE is repeated: SIPp sends nothing else while it waits for the answer to a message that it may
have to repeat, which would keep a crossing CANCEL or BYE without its answer. On loopback nothing gets lost.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from xml.sax.saxutils import quoteattr

from sandbox.behaviours import Answer, Behaviour, EarlyMedia, Refuse, RingOut, Silent
from sandbox.media import EVENT_PAYLOAD, KEY_SECONDS, key_file

FOR_EVER = 3600.0
LATE = 32.0
"""How long a BYE may still come: 64 * T1 (RFC 3261, section 17)."""
START, OPTIONS, CANCELLED, LATE_CANCEL, BYE, END, FIRST_FREE = 1, 2, 3, 4, 5, 6, 11
ACCEPTED, REFUSED, GIVEN_UP, CROSSED = 7, 8, 9, 10

PROVISIONAL = (100, 180, 181, 182, 183, 199)
REFUSALS = (
    *(300, 301, 302, 305, 380),
    *(400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 412, 413, 414, 415, 416, 417, 420, 421, 422, 423, 424),
    *(428, 429, 430, 433, 436, 437, 438, 439, 440, 469, 470, 480, 481, 482, 483, 484, 485, 486, 487, 488, 489, 491),
    *(493, 494, 500, 501, 502, 503, 504, 505, 513, 555, 580, 600, 603, 604, 606, 607, 608),
)
"""The status codes registered for SIP: only SIPp >= 3.7 takes a pattern instead."""

_CONTACT = "Contact: <sip:[local_ip]:[local_port];transport=[transport]>\n"
_VIA = "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch="
_CALLER = "From: [field1];tag=[pid]c[call_number]\n"
_ADDRESS = "sip:[field0]@[remote_ip]:[remote_port] SIP/2.0"
_CALLED = "To: <sip:[field0]@[remote_ip]:[remote_port]>"
_END = "Max-Forwards: 70\nContent-Length: 0\n"
_ANSWER_HEADERS = """\
[last_Via:]
[last_From:]
[last_To:];tag=[pid]m[call_number]
[last_Call-ID:]
"""


_BARRIER = '  <recv request="NONE"/>\n'
"""SIPp wants a mandatory receive after optional ones; this one is jumped over."""
_ACK_WITH_NAMES = """\
  <recv request="ACK">
    <action>
      <ereg regexp=".*" search_in="hdr" header="From:" assign_to="peer"/>
      <ereg regexp=".*" search_in="hdr" header="To:" assign_to="own"/>
    </action>
  </recv>
"""


def sdp(port: str) -> str:
    """A session description with mu-law, A-law and telephone events on `port` (a SIPp keyword)."""
    return (
        "v=0\no=phone 1 1 IN IP[media_ip_type] [media_ip]\ns=-\nc=IN IP[media_ip_type] [media_ip]\nt=0 0\n"
        f"m=audio [{port}] RTP/AVP 0 8 {EVENT_PAYLOAD}\na=rtpmap:0 PCMU/8000\na=rtpmap:8 PCMA/8000\n"
        f"a=rtpmap:{EVENT_PAYLOAD} telephone-event/8000\na=fmtp:{EVENT_PAYLOAD} 0-15\na=ptime:20\na=sendrecv\n"
    )


# --- Elements ---------------------------------------------------------------------------------------------


def _send(text: str, mark: str = "", **attributes: str) -> str:
    """`mark` names a variable for a later `test`, set as soon as it is sent: no message can come between."""
    lines = "".join(f"      {line}\n" for line in text.splitlines())
    action = f'\n    <action><assign assign_to="{mark}" value="1"/></action>' if mark else ""
    return f"  <send{_attributes(attributes)}>\n    <![CDATA[\n{lines}\n    ]]>{action}\n  </send>\n"


def _attributes(attributes: Mapping[str, str]) -> str:
    return "".join(f" {name}={quoteattr(value)}" for name, value in attributes.items())


def _recv(**attributes: str) -> str:
    return f"  <recv{_attributes(attributes)}/>\n"


def _pause(seconds: float, **attributes: str) -> str:
    return f'  <pause milliseconds="{max(0, round(seconds * 1000))}"{_attributes(attributes)}/>\n'


def _label(number: int) -> str:
    return f'  <label id="{number}"/>\n'


def _jump(number: int, test: str = "") -> str:
    return f'  <nop next="{number}"{_attributes({"test": test} if test else {})}/>\n'


def _play(what: str) -> str:
    return f"  <nop><action><exec rtp_stream={quoteattr(what)}/></action></nop>\n"


def _document(name: str, body: str) -> str:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<scenario name="{name}">\n{body}</scenario>\n'


def _keys_and_speech(speak: bool, keys: str, keys_after: float) -> tuple[str, float]:
    """The elements right after the answer, and how long they take."""
    parts = [_play("tone.ulaw,-1,0,PCMU/8000")] if speak and not keys else []
    spent = 0.0
    if keys:
        parts.append(_pause(keys_after))
        for key in keys:
            parts += [_play(f"{key_file(key)},1,{EVENT_PAYLOAD},iLBC/8000"), _pause(KEY_SECONDS)]
        spent = keys_after + KEY_SECONDS * len(keys)
        if speak:
            parts.append(_play("tone.ulaw,-1,0,PCMU/8000"))
    return "".join(parts), spent


def _media_port(speak: bool, keys: str) -> str:
    """A stream has a port of its own; a mute phone names one that nobody listens on, and costs nothing."""
    return "rtpstream_audio_port" if speak or keys else "media_port"


# --- The carrier ------------------------------------------------------------------------------------------


def carrier(mobiles: Mapping[str, Behaviour], otherwise: Behaviour) -> str:
    """One scenario for every mobile: the user part of the request URI says which behaviour is played."""
    numbers = list(mobiles)
    tests = "".join(
        f'      <ereg regexp="^INVITE sip:{re.escape(number)}[;@]" search_in="msg" assign_to="is{n}"/>\n'
        for n, number in enumerate(numbers)
    )
    actions = f"\n    <action>\n{tests}    </action>\n  " if numbers else ""
    head = (
        _recv(request="OPTIONS", optional="true", next=str(OPTIONS))
        + f'  <recv request="INVITE" rrs="true" next="{START}">{actions}</recv>\n'
        + _recv(request="CANCEL", optional="global", next=str(CANCELLED))
        + _recv(request="BYE", optional="global", next=str(BYE))
        + _recv(request="ACK", optional="global", advance_state="false")
        + _BARRIER
        + _label(START)
    )
    choose = "".join(_jump(FIRST_FREE + n, f"is{n}") for n in range(len(numbers)))
    plays = _play_behaviour(otherwise) + "".join(
        _label(FIRST_FREE + n) + _play_behaviour(mobiles[number]) for n, number in enumerate(numbers)
    )
    return _document(
        "carrier", head + choose + plays + _carrier_endings() + '  <Reference variables="answered"/>\n'
    )


def _carrier_endings() -> str:
    return (
        _label(OPTIONS)
        + _reply("200 OK")
        + _jump(END)
        + _label(CANCELLED)
        + _reply("200 OK", next=str(LATE_CANCEL), test="answered")
        + _send(
            "SIP/2.0 487 Request Terminated\n"
            + _ANSWER_HEADERS
            + "CSeq: [last_cseq_number] INVITE\nContent-Length: 0\n"
        )
        + _recv(request="ACK")
        + _jump(END)
        # The CANCEL crossed our final answer: a call that stands is hung up with a BYE.
        + _label(LATE_CANCEL)
        + _pause(LATE)
        + _jump(END)
        + _label(BYE)
        + _reply("200 OK")
        + _label(END)
        + _pause(0)
    )


def _play_behaviour(behaviour: Behaviour) -> str:
    match behaviour:
        case Answer():
            return _answer(behaviour)
        case Refuse(code, ring):
            ringing = _reply("180 Ringing") + _pause(ring) if ring else ""
            return ringing + _reply(f"{code} Refused", mark="answered") + _recv(request="ACK") + _jump(END)
        case RingOut():
            return _reply("180 Ringing") + _pause(FOR_EVER) + _jump(END)
        case EarlyMedia(answer):
            ringing = _reply("183 Session Progress", port="media_port")
            if answer is None:
                return ringing + _pause(FOR_EVER) + _jump(END)
            return ringing + _answer(Answer(ring=answer, provisional=False))
        case Silent():
            return _pause(FOR_EVER) + _jump(END)


def _answer(behaviour: Answer) -> str:
    ringing = _reply("180 Ringing") if behaviour.provisional else ""
    active, spent = _keys_and_speech(behaviour.speak, behaviour.keys, behaviour.keys_after)
    ack = _recv(request="ACK") if behaviour.talk is None else _ACK_WITH_NAMES
    taken = (
        _pause(behaviour.ring)
        + _reply("200 OK", port=_media_port(behaviour.speak, behaviour.keys), mark="answered")
        + ack
        + active
    )
    if behaviour.talk is None:
        return ringing + taken + _pause(FOR_EVER) + _jump(END)
    bye = _send(
        f"BYE [next_url] SIP/2.0\n{_VIA}[branch]\nFrom: [$own]\nTo: [$peer]\n[last_Call-ID:]\nCSeq: 1 BYE\n{_END}",
        start_txn="bye",
    )  # fmt: skip
    return (
        ringing
        + taken
        + _pause(behaviour.talk - spent)
        + bye
        + _recv(response="200", response_txn="bye")
        + _jump(END)
    )


def _reply(status: str, *, port: str = "", mark: str = "", **attributes: str) -> str:
    head = f"SIP/2.0 {status}\n{_ANSWER_HEADERS}[last_CSeq:]\n{_CONTACT}"
    body = f"Content-Type: application/sdp\nContent-Length: [len]\n\n{sdp(port)}" if port else "Content-Length: 0\n"
    return _send(head + body, mark, **attributes)


# --- The caller -------------------------------------------------------------------------------------------


_SAME = "z9hG4bK-[pid]-[call_number]-invite"
"""The INVITE's branch, which its CANCEL and the ACK to a refusal carry too (RFC 3261, 9.1 and 17.1.1.3)."""
_PARTIES = f"{_VIA}{_SAME}\n{_CALLER}{_CALLED}\nCall-ID: [call_id]\n"
_CANCEL = f"CANCEL {_ADDRESS}\n{_PARTIES}CSeq: 1 CANCEL\n{_END}"
_ACK_REFUSAL = f"ACK {_ADDRESS}\n{_VIA}{_SAME}\n{_CALLER}[last_To:]\nCall-ID: [call_id]\nCSeq: 1 ACK\n{_END}"
_BYE_ANSWER = (
    "SIP/2.0 200 OK\n[last_Via:]\n[last_From:]\n[last_To:]\n[last_Call-ID:]\n[last_CSeq:]\nContent-Length: 0\n"
)


def caller(
    *,
    headers: Mapping[str, str],
    hang_up_after: float | None,
    cancel_after: float | None,
    keys: str,
    keys_after: float,
    speak: bool,
    offer: bool = True,
) -> str:
    """A call to [field0] with the From header [field1].

    `hang_up_after`: seconds after the answer; None waits for the other side's BYE. `cancel_after`: seconds after
    the INVITE; None waits for a final answer. `offer` False sends no session description.
    """
    port = _media_port(speak, keys) if offer else ""
    active, spent = _keys_and_speech(speak, keys, keys_after)
    talk = FOR_EVER if hang_up_after is None else hang_up_after - spent
    main_line = (
        _send(_invite(headers, port), retrans="500", next=str(START))
        + "".join(_recv(response=str(code), optional="global", advance_state="false") for code in PROVISIONAL)
        + _recv(response="200", optional="global", next=str(ACCEPTED))
        + "".join(_recv(response=str(code), optional="global", next=str(REFUSED)) for code in REFUSALS)
        + _recv(request="BYE", optional="global", next=str(BYE))
        + _BARRIER
        + _label(ACCEPTED)
        + _send(_in_dialog("ACK", 1))
        + active
        + _pause(talk)
        + _send(_in_dialog("BYE", 2), start_txn="bye")
        + _recv(response="200", response_txn="bye")
        + _jump(END)
        + _label(REFUSED)
        + _send(_ACK_REFUSAL, next=str(END))
        + _label(BYE)
        + _send(_BYE_ANSWER, next=str(END))
        + _label(START)
        + _pause(FOR_EVER if cancel_after is None else cancel_after)
    )
    return _document("caller", main_line + _giving_up() + _label(END) + _pause(0))


def _invite(headers: Mapping[str, str], port: str) -> str:
    more = "".join(f"{name}: {value}\n" for name, value in headers.items())
    body = f"Content-Type: application/sdp\nContent-Length: [len]\n\n{sdp(port)}" if port else "Content-Length: 0\n"
    return (
        f"INVITE {_ADDRESS}\n{_PARTIES}CSeq: 1 INVITE\n{_CONTACT}Max-Forwards: 70\n"
        f"Allow: INVITE, ACK, CANCEL, BYE\n{more}{body}"
    )


def _giving_up() -> str:
    """CANCEL, and the INVITE's 200 that may cross it. SIPp tells 200s apart by the requests that stand before."""
    return (
        _send(_CANCEL, next=str(GIVEN_UP))
        + _CROSSING
        + _BARRIER
        + _label(GIVEN_UP)
        + _pause(FOR_EVER)
        + _recv(response="200", optional="global", advance_state="false")  # the CANCEL's
        + _BARRIER
        + _label(CROSSED)
        + _send(_in_dialog("ACK", 1))
        + _send(_in_dialog("BYE", 2), start_txn="late_bye")
        + _recv(response="200", response_txn="late_bye")
    )


_CROSSING = f"""\
  <recv response="200" optional="global" next="{CROSSED}" test="crossed">
    <action>
      <ereg regexp="INVITE" search_in="hdr" header="CSeq:" assign_to="crossed"/>
    </action>
  </recv>
"""


def _in_dialog(method: str, cseq: int) -> str:
    return (
        f"{method} {_ADDRESS}\n{_VIA}[branch]\n{_CALLER}{_CALLED}[peer_tag_param]\n"
        f"Call-ID: [call_id]\nCSeq: {cseq} {method}\n{_END}"
    )
