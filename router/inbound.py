"""Reading what the dialplan hands to `Stasis()` about a new call. Pure.

The arguments are `in` and then `key=value`, each value URI-encoded by the dialplan, so that nothing in a SIP header
can end an argument or add one.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote

from router.model import Inbound

#: Longest value read, in characters: a call forwarded many times has that long a Diversion.
LONGEST: Final = 4096

_NOT_HEADERS: Final = frozenset({"did", "ep", "pres"})


def read_inbound(args: tuple[str, ...], caller_number: str, caller_name: str) -> Inbound:
    """The new call as Asterisk described it: `args` of StasisStart, and the caller of the channel's snapshot."""
    values: dict[str, str] = {}
    for arg in args[1:]:
        key, separator, value = arg.partition("=")
        if separator:
            values[key] = unquote(value[: 3 * LONGEST], errors="replace")[:LONGEST]
    return Inbound(
        exten=values.get("did", ""),
        endpoint=values.get("ep", ""),
        headers={key: value for key, value in values.items() if key not in _NOT_HEADERS},
        caller_number=caller_number[:LONGEST],
        caller_name=caller_name[:LONGEST],
        withheld=values.get("pres", "").startswith("prohib"),
    )
