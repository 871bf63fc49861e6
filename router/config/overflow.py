"""`overflow` and `closed`: what comes when nobody took the call, and what comes outside hours."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import model_validator

from router.config import fields as kinds
from router.config.keys import Keys, or_none
from router.config.refusal import refuse
from router.config.ringing import RingKeys, Timeout, ring
from router.config.sounds import SoundKeys, VoicemailKeys
from router.model import Overflow

TIMEOUT: Final = 30.0


class OverflowKeys(Keys):
    ring: RingKeys | None = None
    number: kinds.Mobile | None = None
    timeout: Timeout | None = None
    announcement: SoundKeys | None = None
    voicemail: VoicemailKeys | None = None

    @model_validator(mode="after")
    def _says_something(self) -> OverflowKeys:
        if all(one is None for one in (self.ring, self.number, self.announcement, self.voicemail)):
            raise refuse("is empty", "write ring, number, announcement or voicemail in it, or none")
        if self.timeout is not None and self.number is None:
            raise refuse("has a timeout and no number", "write number:, or the timeout of people into ring:")
        return self


NO_OVERFLOW: Final = OverflowKeys.model_construct()
"""What `none` becomes: this very object."""

OverflowOrNone = Annotated[
    OverflowKeys, or_none(NO_OVERFLOW, 'write none, or {ring: {to: [alice]}}, {announcement: {say: "…"}}')
]


def overflow(keys: OverflowKeys | None, times: RingKeys) -> Overflow | None:
    """The checked value; `times` completes its ring."""
    if keys is None:
        return None
    return Overflow(
        ring=ring(keys.ring, times) if keys.ring else None,
        number=keys.number or "",
        timeout=keys.timeout or TIMEOUT,
        announcement=keys.announcement.sound() if keys.announcement else None,
        voicemail=keys.voicemail.voicemail() if keys.voicemail else None,
    )
