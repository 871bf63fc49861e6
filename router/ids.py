"""Ids that sort by time and cannot collide between nodes, and what they name in Asterisk.

A call's id is `c`, ten base32 digits of milliseconds since 1970 and fifteen of chance (75 bits). Its legs are that
id with `-01`, `-02` …, its bridge is `b` with the same 25 digits. All have a fixed length: Asterisk refuses a
channel id that is a prefix of a living one.
"""

from __future__ import annotations

import re
import secrets
from typing import Final

_DIGITS: Final = "0123456789abcdefghijklmnopqrstuv"
"""RFC 4648's extended hex alphabet: the order of texts is the order of numbers."""
_LEG: Final = re.compile(r"c[0-9a-v]{25}-\d\d\Z")
_BRIDGE: Final = re.compile(r"b[0-9a-v]{25}\Z")


def new_call_id(epoch: float) -> str:
    """A new id for a call that arrived at `epoch` (Unix seconds)."""
    return call_id(epoch, secrets.randbits(75))


def call_id(epoch: float, chance: int) -> str:
    """The id of a call at `epoch` whose fifteen last digits are the low 75 bits of `chance`."""
    return "c" + _base32(int(epoch * 1000), 10) + _base32(chance, 15)


def attempt_id(call: str, seq: int) -> str:
    """The id of a call's `seq`-th attempt, which is its channel's id too."""
    return f"{call}-{seq:02d}"


def bridge_id(call: str) -> str:
    """The id of a call's bridge."""
    return "b" + call[1:]


def call_of_leg(channel: str) -> str | None:
    """The call whose leg a channel is; None for a channel that is not a leg of ours."""
    return channel[:-3] if _LEG.match(channel) else None


def call_of_bridge(bridge: str) -> str | None:
    """The call whose bridge it is; None for a bridge that is not ours."""
    return "c" + bridge[1:] if _BRIDGE.match(bridge) else None


def _base32(value: int, digits: int) -> str:
    return "".join(_DIGITS[value >> shift & 31] for shift in range(5 * (digits - 1), -1, -5))
