"""What each channel is hearing: one thing at a time, and cut off before anything else is asked of the channel.

A channel hears to the end before it does what is asked next, and on the websocket every later request of every call
waits with it (measured on Asterisk 22.10): so what is heard is always stopped first.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from router.ari.client import Client
from router.model import Prompt, Sound

if TYPE_CHECKING:
    from router.sounds import Sounds

#: What may be said: a prompt, something of campaigns.yaml, or the name of a recording that comes with Callrouter.
Part = Prompt | Sound | str

_NUMBERS: Final = itertools.count(1)


class Player:
    """Plays sounds to channels. `lane` is the call's: its requests are carried out in order."""

    def __init__(self, client: Client, sounds: Sounds) -> None:
        self._client = client
        self._sounds = sounds
        self._playing: dict[str, str] = {}
        """Channel -> the playback that it hears."""

    def play(self, channel: str, parts: Sequence[Part], language: str, *, lane: str) -> asyncio.Future[None]:
        """Let the channel hear these, instead of what it hears now. AriGone, AriConflict."""
        self.hush(channel, lane=lane)
        playback = self._playing[channel] = f"{lane}-p{next(_NUMBERS)}"
        return self._client.play(channel, self._sounds.media(parts, language), playback=playback, lane=lane)

    def lacks(self, parts: Sequence[Part]) -> bool:
        """Whether a beep stands for one of these."""
        return not all(self._sounds.has(part) for part in parts if isinstance(part, Sound))

    def hush(self, channel: str, *, lane: str) -> None:
        """Cut off what the channel hears, if anything."""
        playback = self._playing.pop(channel, None)
        if playback is not None:
            self._client.stop_playback(playback, lane=lane)

    def over(self, channel: str, playback: str) -> bool:
        """Told that a playback is over: whether it is the one that the channel was to hear."""
        if self._playing.get(channel) != playback:
            return False
        del self._playing[channel]
        return True

    def forget(self, channel: str) -> None:
        """The channel is no more."""
        self._playing.pop(channel, None)
