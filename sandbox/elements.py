"""The parts that SIPp's scenarios are made of, as text, and what a phone does right after the answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

from sandbox import keys as telephone
from sandbox import media
from sandbox.behaviours import Dtmf
from sandbox.ears import PORTS, Voice

BARRIER = '  <recv request="NONE"/>\n'
"""SIPp wants a mandatory receive after optional ones; this one is jumped over."""
CONTACT = "Contact: <sip:[local_ip]:[local_port];transport=[transport]>\n"
VIA = "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch="
END_OF_HEADERS = "Max-Forwards: 70\nContent-Length: 0\n"


def send(text: str, mark: str = "", **attributes: str) -> str:
    """`mark` names a variable for a later `test`, set as soon as it is sent: no message can come between."""
    lines = "".join(f"      {line}\n" for line in text.splitlines())
    action = f'\n    <action><assign assign_to="{mark}" value="1"/></action>' if mark else ""
    return f"  <send{_attributes(attributes)}>\n    <![CDATA[\n{lines}\n    ]]>{action}\n  </send>\n"


def _attributes(attributes: Mapping[str, str]) -> str:
    return "".join(f" {name}={quoteattr(value)}" for name, value in attributes.items())


def recv(**attributes: str) -> str:
    return f"  <recv{_attributes(attributes)}/>\n"


def pause(seconds: float, **attributes: str) -> str:
    return f'  <pause milliseconds="{max(0, round(seconds * 1000))}"{_attributes(attributes)}/>\n'


def label(number: int) -> str:
    return f'  <label id="{number}"/>\n'


def jump(number: int, test: str = "", actions: str = "") -> str:
    """Goes on at that label when the variable `test` is set, or in any case; `actions` come first."""
    inner = f"<action>{actions}</action>" if actions else ""
    return f'  <nop next="{number}"{_attributes({"test": test} if test else {})}>{inner}</nop>\n'


def play(what: str) -> str:
    return f"  <nop><action><exec rtp_stream={quoteattr(what)}/></action></nop>\n"


def document(name: str, body: str) -> str:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<scenario name="{name}">\n{body}</scenario>\n'


@dataclass(frozen=True, slots=True)
class Media:
    """What a phone sends once the call is answered, for `talk` seconds at most, and whether it listens."""

    keys: str = ""
    keys_after: float = 0.3
    dtmf: Dtmf = "rfc4733"
    events: bool | None = None
    speak: bool = False
    tone: int = 0
    listen: bool = False
    talk: float | None = None

    @property
    def heard(self) -> bool:
        """Whether its media is Python's (sandbox.ears): SIPp neither makes tones nor keeps what it receives."""
        return bool(self.tone) or self.listen

    def presses(self) -> list[tuple[float, str]]:
        return telephone.presses(self.keys, self.keys_after, self.talk)

    @property
    def infos(self) -> int:
        """How many requests its keys make in the dialog."""
        return len(self.presses()) if self.dtmf.startswith("info") else 0

    def sdp(self) -> str:
        """Mu-law, A-law and telephone events, on the port of whoever plays this."""
        events = self.events if self.events is not None else self.dtmf == "rfc4733"
        port = "media_port"
        if self.heard:
            port = f"field0 {PORTS}"
        elif self.speak or (self.keys and not self.infos):
            # A stream has a port of its own; a mute phone names one that nobody listens on, and costs nothing.
            port = "rtpstream_audio_port"
        payload = telephone.EVENT_PAYLOAD
        return (
            f"v=0\no=phone 1 1 IN IP[media_ip_type] [media_ip]\n{self._session_name()}"
            f"c=IN IP[media_ip_type] [media_ip]\nt=0 0\n"
            f"m=audio [{port}] RTP/AVP 0 8{f' {payload}' if events else ''}\n"
            "a=rtpmap:0 PCMU/8000\na=rtpmap:8 PCMA/8000\n"
            + (f"a=rtpmap:{payload} telephone-event/8000\na=fmtp:{payload} 0-15\n" if events else "")
            + "a=ptime:20\na=sendrecv\n"
        )

    def _session_name(self) -> str:
        if not self.heard:
            return "s=-\n"
        keys = "" if self.infos else self.keys
        return Voice(self.tone, keys, self.keys_after, self.dtmf == "inband").line()

    def after_answer(self, info: Callable[[str, int], str]) -> tuple[str, float]:
        """The elements right after the answer, and how many seconds they take; `info(body, n)` is the nth INFO."""
        if self.heard and not self.infos:
            return "", 0.0
        speech = play(media.TONE) if self.speak and not self.heard else ""
        spent = 0.0
        parts: list[str] = []
        for number, (moment, key) in enumerate(self.presses()):
            parts.append(pause(moment - spent))
            spent = moment
            if self.infos:
                said = telephone.info(key, plain=self.dtmf == "info-plain")
                parts += [
                    send(info(said, number), start_txn=f"info{number}"),
                    recv(response="200", response_txn=f"info{number}"),
                ]
            else:
                parts.append(play(media.stream(key, inband=self.dtmf == "inband")))
        if self.infos:
            return speech + "".join(parts), spent
        if parts and (self.talk is None or spent + telephone.KEY_SECONDS < self.talk):
            parts.append(pause(telephone.KEY_SECONDS))
            spent += telephone.KEY_SECONDS
        return "".join(parts) + speech, spent
