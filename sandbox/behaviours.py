"""What a mobile does when it rings. `seconds` everywhere."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    """Rings (180), answers, perhaps presses keys (RFC 4733) and speaks (RTP), then hangs up or waits for it.

    `ring`: from the INVITE to the 200. `provisional` False sends no 180 at all. `talk`: how long until the mobile
    hangs up; None waits for the other side. `keys` are pressed one by one, the first `keys_after` the answer.
    """

    ring: float = 0.2
    talk: float | None = None
    keys: str = ""
    keys_after: float = 0.3
    speak: bool = False
    provisional: bool = True


@dataclass(frozen=True, slots=True)
class Refuse:
    """Answers with a final status; rings (180) for `ring` first when that is more than 0."""

    code: int
    ring: float = 0.0


@dataclass(frozen=True, slots=True)
class RingOut:
    """180, then nothing until it is cancelled (487)."""


@dataclass(frozen=True, slots=True)
class EarlyMedia:
    """183 with a session description, then nothing until it is cancelled; `answer` seconds later 200 when given."""

    answer: float | None = None


@dataclass(frozen=True, slots=True)
class Silent:
    """No reply at all, not even to the CANCEL."""


Behaviour = Answer | Refuse | RingOut | EarlyMedia | Silent

BUSY = Refuse(486)
DECLINE = Refuse(603)
NO_SUCH_NUMBER = Refuse(404)
UNREACHABLE = Refuse(480)
