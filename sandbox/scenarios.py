"""SIPp scenarios as text: the carrier with every mobile behind it, and the caller.

Both are written so that a message may come at any moment: what may arrive stands in `optional="global"` receives
that are jumped over at the start, each of them leading to a label; the main line only sends and pauses.

Jumps hang on sends, receives and pauses: a message that comes while SIPp is at a nop of its own is kept waiting.
Only the caller's INVITE is repeated: SIPp sends nothing else while it waits for the answer to a message that it may
have to repeat, which would keep a crossing CANCEL or BYE without its answer. On loopback nothing gets lost.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence

from sandbox.behaviours import (
    Answer,
    Behaviour,
    EarlyMedia,
    Play,
    Redirect,
    Refuse,
    RingOut,
    Screened,
    Silent,
    Simple,
)
from sandbox.elements import (
    BARRIER,
    CONTACT,
    END_OF_HEADERS,
    VIA,
    Media,
    document,
    jump,
    label,
    pause,
    recv,
    send,
)

FOR_EVER = 3600.0
LATE = 32.0
"""How long a BYE may still come: 64 * T1 (RFC 3261, section 17)."""
START, OPTIONS, CANCELLED, LATE_CANCEL, BYE, END, FIRST_FREE = 1, 2, 3, 4, 5, 6, 12
ACCEPTED, REFUSED, GIVEN_UP, CROSSED, OTHERWISE = 7, 8, 9, 10, 11

PROVISIONAL = (100, 180, 181, 182, 183, 199)
REFUSALS = (
    *(300, 301, 302, 305, 380),
    *(400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 412, 413, 414, 415, 416, 417, 420, 421, 422, 423, 424),
    *(428, 429, 430, 433, 436, 437, 438, 439, 440, 469, 470, 480, 481, 482, 483, 484, 485, 486, 487, 488, 489, 491),
    *(493, 494, 500, 501, 502, 503, 504, 505, 513, 555, 580, 600, 603, 604, 606, 607, 608),
)
"""The status codes registered for SIP: only SIPp >= 3.7 takes a pattern instead."""

_CALLER = "From: [field1];tag=[pid]c[call_number]\n"
_ADDRESS = "sip:[field0]@[remote_ip]:[remote_port] SIP/2.0"
_CALLED = "To: <sip:[field0]@[remote_ip]:[remote_port]>"
_ANSWER_HEADERS = """\
[last_Via:]
[last_From:]
[last_To:];tag=[pid]m[call_number]
[last_Call-ID:]
"""
_ACK_WITH_NAMES = """\
  <recv request="ACK">
    <action>
      <ereg regexp=".*" search_in="hdr" header="From:" assign_to="peer"/>
      <ereg regexp=".*" search_in="hdr" header="To:" assign_to="own"/>
    </action>
  </recv>
"""


# --- The carrier ------------------------------------------------------------------------------------------


def carrier(mobiles: Mapping[str, Play], otherwise: Behaviour) -> str:
    """One scenario for every mobile: the user part of the request URI says which behaviour is played.

    Numbers that do the same share one part; a list has a part, and a count, for each number.
    """
    sheet = _Carrier()
    alike: dict[tuple[str, tuple[Behaviour, ...]], list[str]] = {}
    for number, what in mobiles.items():
        turns = tuple(what) if isinstance(what, Sequence) else (what,)
        alike.setdefault((number if len(turns) > 1 else "", turns), []).append(number)
    parts = [(numbers, turns) for (_, turns), numbers in alike.items()]
    choices = sheet.by_number(parts) if parts else ""
    plays = choices + label(OTHERWISE) + sheet.behaviour(otherwise)
    actions = f"\n    <action>\n{''.join(sheet.tests)}    </action>\n  " if sheet.tests else ""
    head = (
        recv(request="OPTIONS", optional="true", next=str(OPTIONS))
        + f'  <recv request="INVITE" rrs="true" next="{START}">{actions}</recv>\n'
        + recv(request="CANCEL", optional="global", next=str(CANCELLED))
        + recv(request="BYE", optional="global", next=str(BYE))
        + recv(request="ACK", optional="global", advance_state="false")
        + BARRIER
        + label(START)
    )
    counts = f'  <Global variables="{",".join(sheet.counts)}"/>\n' if sheet.counts else ""
    return document("carrier", counts + head + plays + _carrier_endings() + '  <Reference variables="answered"/>\n')


class _Carrier:
    """What the carrier's scenario gathers while its parts are written.

    Each jump costs SIPp about a millisecond: one of a hundred numbers is found by halves.
    """

    def __init__(self) -> None:
        self.tests: list[str] = []
        """On the INVITE: who is called, and by whom."""
        self.counts: list[str] = []
        self._labels = itertools.count(FIRST_FREE)

    def by_number(self, parts: Sequence[tuple[Sequence[str], Sequence[Behaviour]]]) -> str:
        """What each of these groups of numbers does."""
        place = next(self._labels)
        if len(parts) == 1:
            numbers, turns = parts[0]
            found = jump(place, self._is_for(numbers, place)) + jump(OTHERWISE)
            return found + label(place) + self._in_turn(turns)
        half = len(parts) // 2
        later = [number for numbers, _ in parts[half:] for number in numbers]
        return (
            jump(place, self._is_for(later, place))
            + self.by_number(parts[:half])
            + label(place)
            + self.by_number(parts[half:])
        )

    def behaviour(self, behaviour: Behaviour) -> str:
        if not isinstance(behaviour, Screened):
            return _play_behaviour(behaviour)
        place = next(self._labels)
        test = f"from{place}"
        users = "|".join(re.escape(user) for user in behaviour.allowed)
        self.tests.append(
            f'      <ereg regexp="sips?:({users})[;@]" search_in="hdr" header="From:" assign_to="{test}"/>\n'
        )
        return (
            jump(place, test)
            + _play_behaviour(behaviour.otherwise)
            + label(place)
            + _play_behaviour(behaviour.then)
        )

    def _in_turn(self, behaviours: Sequence[Behaviour]) -> str:
        if len(behaviours) == 1:
            return self.behaviour(behaviours[0])
        count = f"calls{len(self.counts)}"
        self.counts.append(count)
        return self._by_count(behaviours, 0, count, f'<add assign_to="{count}" value="1"/>')

    def _by_count(self, behaviours: Sequence[Behaviour], before: int, count: str, counting: str = "") -> str:
        """These, where the first of them is for the call after the number `before`."""
        if len(behaviours) == 1:
            return self.behaviour(behaviours[0])
        place = next(self._labels)
        half = len(behaviours) // 2
        test = f'<test assign_to="turn" variable="{count}" compare="greater_than" value="{before + half}"/>'
        return (
            jump(place, "turn", counting + test)
            + self._by_count(behaviours[:half], before, count)
            + label(place)
            + self._by_count(behaviours[half:], before + half, count)
        )

    def _is_for(self, numbers: Sequence[str], place: int) -> str:
        """The variable that is set when the INVITE is for one of these."""
        users = "|".join(re.escape(number) for number in numbers)
        users = f"({users})" if len(numbers) > 1 else users
        self.tests.append(f'      <ereg regexp="^INVITE sip:{users}[;@]" search_in="msg" assign_to="is{place}"/>\n')
        return f"is{place}"


def _carrier_endings() -> str:
    return (
        label(OPTIONS)
        + _reply("200 OK")
        + jump(END)
        + label(CANCELLED)
        + _reply("200 OK", next=str(LATE_CANCEL), test="answered")
        + send(
            "SIP/2.0 487 Request Terminated\n"
            + _ANSWER_HEADERS
            + "CSeq: [last_cseq_number] INVITE\nContent-Length: 0\n"
        )
        + recv(request="ACK")
        + jump(END)
        # The CANCEL crossed our final answer: a call that stands is hung up with a BYE.
        + label(LATE_CANCEL)
        + pause(LATE)
        + jump(END)
        + label(BYE)
        + _reply("200 OK")
        + label(END)
        + pause(0)
    )


def _play_behaviour(behaviour: Simple) -> str:
    match behaviour:
        case Answer():
            return _answer(behaviour)
        case Refuse(code, ring):
            return _refuse(f"{code} Refused", ring)
        case Redirect(to):
            return _refuse("302 Moved Temporarily", 0, f"Contact: <sip:{to}@[local_ip]:[local_port]>\n")
        case RingOut():
            return _reply("180 Ringing") + pause(FOR_EVER) + jump(END)
        case EarlyMedia(None, tone):
            return _reply("183 Session Progress", sdp=Media(tone=tone).sdp()) + pause(FOR_EVER) + jump(END)
        case EarlyMedia(answer, tone):
            return _answer(Answer(ring=answer or 0.0, early=True, tone=tone))
        case Silent():
            return pause(FOR_EVER) + jump(END)


def _refuse(status: str, ring: float, contact: str = CONTACT) -> str:
    ringing = _reply("180 Ringing") + pause(ring) if ring else ""
    return ringing + _reply(status, mark="answered", contact=contact) + recv(request="ACK") + jump(END)


def _answer(behaviour: Answer) -> str:
    media = Media(
        behaviour.keys, behaviour.keys_after, behaviour.dtmf, behaviour.events, behaviour.speak,
        behaviour.tone, behaviour.listen, behaviour.talk,
    )  # fmt: skip
    sdp = media.sdp()
    ringing = _reply("180 Ringing") if behaviour.provisional else ""
    if behaviour.early:
        ringing = _reply("183 Session Progress", sdp=sdp)
    active, spent = media.after_answer(lambda body, number: _request("INFO", number + 1, body))
    ack = _ACK_WITH_NAMES if media.infos or behaviour.talk is not None else recv(request="ACK")
    taken = ringing + pause(behaviour.ring) + _reply("200 OK", sdp=sdp, mark="answered") + ack + active
    if behaviour.talk is None:
        return taken + pause(FOR_EVER) + jump(END)
    return (
        taken
        + pause(behaviour.talk - spent)
        + send(_request("BYE", media.infos + 1), start_txn="bye")
        + recv(response="200", response_txn="bye")
        + jump(END)
    )


def _request(method: str, cseq: int, body: str = "") -> str:
    """Of the mobile, in the dialog."""
    rest = f"Max-Forwards: 70\n{body}" if body else END_OF_HEADERS
    return (
        f"{method} [next_url] SIP/2.0\n{VIA}[branch]\nFrom: [$own]\nTo: [$peer]\n[last_Call-ID:]\n"
        f"CSeq: {cseq} {method}\n{rest}"
    )


def _reply(status: str, *, sdp: str = "", mark: str = "", contact: str = CONTACT, **attributes: str) -> str:
    head = f"SIP/2.0 {status}\n{_ANSWER_HEADERS}[last_CSeq:]\n{contact}"
    body = f"Content-Type: application/sdp\nContent-Length: [len]\n\n{sdp}" if sdp else "Content-Length: 0\n"
    return send(head + body, mark, **attributes)


# --- The caller -------------------------------------------------------------------------------------------


_SAME = "z9hG4bK-[pid]-[call_number]-invite"
"""The INVITE's branch, which its CANCEL and the ACK to a refusal carry too (RFC 3261, 9.1 and 17.1.1.3)."""
_PARTIES = f"{VIA}{_SAME}\n{_CALLER}{_CALLED}\nCall-ID: [call_id]\n"
_CANCEL = f"CANCEL {_ADDRESS}\n{_PARTIES}CSeq: 1 CANCEL\n{END_OF_HEADERS}"
_ACK_REFUSAL = (
    f"ACK {_ADDRESS}\n{VIA}{_SAME}\n{_CALLER}[last_To:]\nCall-ID: [call_id]\nCSeq: 1 ACK\n{END_OF_HEADERS}"
)
_BYE_ANSWER = (
    "SIP/2.0 200 OK\n[last_Via:]\n[last_From:]\n[last_To:]\n[last_Call-ID:]\n[last_CSeq:]\nContent-Length: 0\n"
)


def caller(*, headers: Mapping[str, str], cancel_after: float | None, media: Media, offer: bool = True) -> str:
    """A call to [field0] with the From header [field1].

    `media.talk`: seconds from the answer until it hangs up; None waits for the other side's BYE. `cancel_after`:
    seconds after the INVITE; None waits for a final answer. `offer` False sends no session description.
    """
    active, spent = media.after_answer(lambda body, number: _in_dialog("INFO", number + 2, body))
    talk = FOR_EVER if media.talk is None else media.talk - spent
    main_line = (
        send(_invite(headers, media.sdp() if offer else ""), retrans="500", next=str(START))
        + "".join(recv(response=str(code), optional="global", advance_state="false") for code in PROVISIONAL)
        + recv(response="200", optional="global", next=str(ACCEPTED))
        + "".join(recv(response=str(code), optional="global", next=str(REFUSED)) for code in REFUSALS)
        + recv(request="BYE", optional="global", next=str(BYE))
        + BARRIER
        + label(ACCEPTED)
        + send(_in_dialog("ACK", 1))
        + active
        + pause(talk)
        + send(_in_dialog("BYE", 2 + media.infos), start_txn="bye")
        + recv(response="200", response_txn="bye")
        + jump(END)
        + label(REFUSED)
        + send(_ACK_REFUSAL, next=str(END))
        + label(BYE)
        + send(_BYE_ANSWER, next=str(END))
        + label(START)
        + pause(FOR_EVER if cancel_after is None else cancel_after)
    )
    return document("caller", main_line + _giving_up() + label(END) + pause(0))


def _invite(headers: Mapping[str, str], sdp: str) -> str:
    more = "".join(f"{name}: {value}\n" for name, value in headers.items())
    body = f"Content-Type: application/sdp\nContent-Length: [len]\n\n{sdp}" if sdp else "Content-Length: 0\n"
    return (
        f"INVITE {_ADDRESS}\n{_PARTIES}CSeq: 1 INVITE\n{CONTACT}Max-Forwards: 70\n"
        f"Allow: INVITE, ACK, CANCEL, BYE\n{more}{body}"
    )


def _giving_up() -> str:
    """CANCEL, and the INVITE's 200 that may cross it. SIPp tells 200s apart by the requests that stand before."""
    return (
        send(_CANCEL, next=str(GIVEN_UP))
        + _CROSSING
        + BARRIER
        + label(GIVEN_UP)
        + pause(FOR_EVER)
        + recv(response="200", optional="global", advance_state="false")  # the CANCEL's
        + BARRIER
        + label(CROSSED)
        + send(_in_dialog("ACK", 1))
        + send(_in_dialog("BYE", 2), start_txn="late_bye")
        + recv(response="200", response_txn="late_bye")
    )


_CROSSING = f"""\
  <recv response="200" optional="global" next="{CROSSED}" test="crossed">
    <action>
      <ereg regexp="INVITE" search_in="hdr" header="CSeq:" assign_to="crossed"/>
    </action>
  </recv>
"""


def _in_dialog(method: str, cseq: int, body: str = "") -> str:
    rest = f"Max-Forwards: 70\n{body}" if body else END_OF_HEADERS
    return (
        f"{method} {_ADDRESS}\n{VIA}[branch]\n{_CALLER}{_CALLED}[peer_tag_param]\n"
        f"Call-ID: [call_id]\nCSeq: {cseq} {method}\n{rest}"
    )
