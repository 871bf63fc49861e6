"""What `check` says of times that do not fit together: rings, mailboxes, whispers and the caller's patience."""

from __future__ import annotations

import math
import os
import wave
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from router.config.every_ring import Placed, Remarks, campaigns, rings
from router.model import Accept, Campaign, Config, Ring, Sound, Strategy

LONGEST_UNASKED: Final = 25.0
"""Seconds of ringing within which hardly any mobile's mailbox picks up; carriers let choose from 5 to 30."""
CHARACTERS_A_SECOND: Final = 14.0
"""How fast a text is spoken: 160 to 175 words a minute, of five letters and a space."""

_BYTES_A_SECOND: Final = {".ulaw": 8000, ".alaw": 8000, ".g722": 8000, ".gsm": 1650, ".sln16": 32_000}


def time_remarks(config: Config) -> Remarks:
    """Waits that are over too soon, mailboxes that are quicker than we are, keys that nobody can press in time."""
    for placed in rings(config):
        yield from _over_too_soon(placed)
    yield from _mailboxes(config)
    for path, campaign in campaigns(config):
        yield from _gate(path, campaign)


def _over_too_soon(placed: Placed) -> Remarks:
    ring, path = placed.ring, placed.path
    wait = f"max_wait ({ring.max_wait:g}s)"
    if ring.steps:
        begins = 0.0
        for step in ring.steps:
            if begins >= ring.max_wait:
                wrong = f"{wait} is over before {' and '.join(step.to)} ring{'s' * (len(step.to) == 1)}"
                yield path, wrong, "write a longer max_wait, or shorter steps"
                return
            begins += step.timeout
    elif ring.max_wait < ring.timeout:
        wrong = f"{wait} ends before one person's timeout ({ring.timeout:g}s)"
        yield path, wrong, "write a longer max_wait or a shorter timeout"
    elif ring.strategy is not Strategy.ALL and ring.timeout * (len(ring.to) - 1) >= ring.max_wait:
        in_order = ring.strategy is Strategy.SEQUENTIAL
        last = ring.to[math.ceil(ring.max_wait / ring.timeout)] if in_order else "everybody"
        wrong = f"{wait} may be over before {last} {'rings' if in_order else 'has rung'}"
        yield path, wrong, "write a longer max_wait, a shorter timeout, or strategy: all"


def ringing(ring: Ring) -> Mapping[str, float]:
    """Person -> the longest time without a break for which the phone rings, steps that keep it added up."""
    if not ring.steps:
        return dict.fromkeys(ring.to, min(ring.timeout, ring.max_wait))
    found: dict[str, float] = {}
    begins = 0.0
    for place, step in enumerate(ring.steps):
        lasts = step.timeout
        for later in ring.steps[place + 1 :]:
            if not later.keep:
                break
            lasts += later.timeout
        lasts = max(0.0, min(lasts, ring.max_wait - begins))
        for person in step.to:
            found[person] = max(lasts, found.get(person, 0.0))
        begins += step.timeout
    return found


def _mailboxes(config: Config) -> Remarks:
    """One remark a person: where the phone rings longest."""
    longest: dict[str, tuple[float, str]] = {}
    unasked: dict[str, tuple[float, str]] = {}
    for placed in rings(config):
        for id, seconds in ringing(placed.ring).items():
            longest[id] = max((seconds, placed.path), longest.get(id, (0.0, "")), key=lambda one: one[0])
            if (config.salespeople[id].accept or placed.accept) is Accept.NONE:
                unasked[id] = max((seconds, placed.path), unasked.get(id, (0.0, "")), key=lambda one: one[0])
    for person in config.salespeople.values():
        path = f"salespeople.{person.id}.voicemail_after"
        after = person.voicemail_after
        seconds, where = (longest if after is not None else unasked).get(person.id, (0.0, ""))
        if after is not None and seconds > after:
            wrong = f"the mailbox picks up after {after:g}s, and {where} rings for {seconds:g}s"
            yield path, wrong, "ring for less time, or let the mailbox wait longer"
        elif after is None and seconds > LONGEST_UNASKED:
            wrong = (
                f"is not said, and {where} rings for {seconds:g}s with accept: none: a mailbox, which may pick up"
                f" after {LONGEST_UNASKED:g}s, would count as answered"
            )
            yield (
                path,
                wrong,
                f"ring for at most {LONGEST_UNASKED:g}s, write accept: press-1, or say voicemail_after",
            )


def _gate(path: str, campaign: Campaign) -> Remarks:
    if campaign.accept is Accept.NONE:
        return
    key, wait = campaign.accept_timeout, campaign.ring.max_wait
    whisper = seconds_of(campaign.whisper) if campaign.whisper else 0.0
    if whisper >= key:
        wrong = f"lasts about {whisper:.0f}s, and accept_timeout ends after {key:g}s"
        yield f"{path}.whisper", wrong, "say less, or write a longer accept_timeout"
    if key + whisper > wait:
        both = f" and the whisper (about {whisper:.0f}s) outlast" if whisper else " outlasts"
        wrong = f"accept_timeout ({key:g}s){both} max_wait ({wait:g}s)"
        yield f"{path}.accept_timeout", wrong, "write a shorter one, or a longer max_wait"


def seconds_of(sound: Sound) -> float:
    """How long a sound lasts, about; 0 for a file that has gone since it was read."""
    return _file_seconds(sound.file) if sound.file else len(sound.text) / CHARACTERS_A_SECOND


@lru_cache(maxsize=1024)
def _file_seconds(path: str) -> float:
    try:
        if path.endswith(".wav"):
            with wave.open(path, "rb") as recording:
                return recording.getnframes() / (recording.getframerate() or 1)
        return os.path.getsize(path) / _BYTES_A_SECOND[os.path.splitext(path)[1]]
    except (OSError, EOFError, RuntimeError, ValueError, wave.Error):
        return 0.0
