"""Ids: sortable by time, unique between nodes, of one fixed length. Pure, and nothing but the standard
library.

A call id is `c` and 25 characters of base 32 in ASCII order: 10 of them the time in milliseconds, 15 (75
bits) that tell two calls of one millisecond apart. Ids of what belongs to a call are made from it, so that
writing the same thing twice meets the same row.
"""

from __future__ import annotations

import hashlib
from typing import Final

from router.model import Path

_DIGITS: Final = "0123456789abcdefghijklmnopqrstuv"
"""RFC 4648's extended hex alphabet, section 7: text order is number order."""
_LINE: Final = {Path.AGI: "a", Path.DIALPLAN: "d"}


def new_call_id(now: float, entropy: bytes) -> str:
    """The id of a call that arrives at `now` (epoch seconds). `entropy`: at least 10 random bytes, else
    ValueError.
    """
    if len(entropy) < 10:
        raise ValueError("10 bytes of entropy tell two calls apart, fewer may not")
    spread = int.from_bytes(entropy[:10], "big") & ((1 << 75) - 1)
    return "c" + _base32(round(now * 1000), 10) + _base32(spread, 15)


def fallback_id(uniqueid: str, start: float) -> str:
    """The id of a call that the router did not see, out of Asterisk's uniqueid and the epoch second it
    arrived.

    The AGI script and the dialplan come to the same id for the same call, and so does a second import.
    """
    return new_call_id(start, hashlib.sha256(uniqueid.encode("utf-8", "replace")).digest())


def attempt_id(call: str, seq: int, path: Path = Path.ARI) -> str:
    """The id of the call's attempt number `seq` (from 1), which over ARI is also the leg's channel id.

    The three lines of defence count apart, so that none overwrites what another one rang: up to 99 attempts
    over ARI, 31 over each of the others. Raises ValueError past that.
    """
    line = _LINE.get(path)
    if not 1 <= seq <= (99 if line is None else 31):
        raise ValueError(f"attempt {seq} of a call has no id")
    return f"{call}-{seq:02d}" if line is None else f"{call}-{line}{_DIGITS[seq]}"


def bridge_id(call: str) -> str:
    """The id of the call's bridge in Asterisk."""
    return "b" + call[1:]


def callback_id(call: str) -> str:
    """The id of the callback that this missed call opens."""
    return "k" + call[1:]


def caller_id(call: str, pseudonym: str) -> str:
    """The id of a caller whose first call this was: sorts by that call's time, one for each pseudonym."""
    return "n" + call[1:11] + pseudonym[1:]


def _base32(number: int, length: int) -> str:
    if not 0 <= number < 1 << (5 * length):
        raise ValueError(f"{number} does not fit into {length} characters")
    return "".join(_DIGITS[number >> shift & 31] for shift in range(5 * (length - 1), -1, -5))
