"""What a mobile does when it rings. `seconds` everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Dtmf = Literal["rfc4733", "info", "info-plain", "inband"]
"""How keys travel: as events in the RTP stream, as SIP INFO with `application/dtmf-relay` or the older
`application/dtmf`, or as tones in the speech."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Rings (180), answers, perhaps presses keys and speaks (RTP), then hangs up or waits for it.

    `ring`: from the INVITE to the 200. `provisional` False sends no 180 at all, `early` a 183 with a session
    description in its place. `talk`: how long until the mobile hangs up; None waits for the other side.

    `keys` are pressed one by one, the first `keys_after` the answer; `w` is a pause of half a second. `events` says
    whether telephone events are negotiated; None does what fits `dtmf`.

    `speak` sends sound that nobody looks for. `tone` sends that frequency (Hz) for as long as the call is up;
    with it or with `listen`, what this phone receives is kept (Carrier.heard).
    """

    ring: float = 0.2
    talk: float | None = None
    keys: str = ""
    keys_after: float = 0.3
    speak: bool = False
    provisional: bool = True
    dtmf: Dtmf = "rfc4733"
    events: bool | None = None
    tone: int = 0
    listen: bool = False
    early: bool = False


@dataclass(frozen=True, slots=True)
class Refuse:
    """Answers with a final status; rings (180) for `ring` first when that is more than 0."""

    code: int
    ring: float = 0.0


@dataclass(frozen=True, slots=True)
class Redirect:
    """Says 302: the call is to go to the number `to` instead."""

    to: str


@dataclass(frozen=True, slots=True)
class RingOut:
    """180, then nothing until it is cancelled (487)."""


@dataclass(frozen=True, slots=True)
class EarlyMedia:
    """183 with a session description, then nothing until it is cancelled; `answer` seconds later 200 when given.

    With `tone` (Hz) it is heard from the 183 on.
    """

    answer: float | None = None
    tone: int = 0


@dataclass(frozen=True, slots=True)
class Silent:
    """No reply at all, not even to the CANCEL."""


@dataclass(frozen=True, slots=True)
class Screened:
    """A carrier that looks at the caller ID: `then` when the From's user is one of `allowed`, else `otherwise`."""

    allowed: tuple[str, ...]
    then: Simple = Answer()
    otherwise: Simple = Refuse(403)


Simple = Answer | Refuse | Redirect | RingOut | EarlyMedia | Silent
Behaviour = Simple | Screened
Play = Behaviour | Sequence[Behaviour]
"""A list is played call by call: the first INVITE gets the first, and so on; the last repeats."""

BUSY = Refuse(486)
DECLINE = Refuse(603)
NO_SUCH_NUMBER = Refuse(404)
UNREACHABLE = Refuse(480)
VOICEMAIL = Answer(ring=1.0, speak=True, talk=60.0)
"""Picks up, talks for a minute and presses nothing: a mailbox, or a robot that screens calls."""
