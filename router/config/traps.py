"""What YAML 1.1 makes of an unquoted scalar, where that is not what was written."""

from __future__ import annotations

import re
from typing import Final

from router.config.source import Text

LONGEST_SHOWN: Final = 20
"""Characters of a sexagesimal whose value is worked out for the message."""

_TRUE: Final = frozenset(("yes", "on", "true"))
_FALSE: Final = frozenset(("no", "off", "false"))
_NULL: Final = frozenset(("", "~", "null"))
_SIXTIES = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?", re.ASCII)
_ODD_INTEGER = re.compile(r"[-+]?(?:0b[01_]+|0x[0-9a-f_]+|0[0-9_]+|[0-9]+_[0-9_]*)|[-+][0-9]+", re.ASCII)
_FLOAT = re.compile(r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*(?:e[-+]?[0-9]+)?|\.[0-9]+|\.inf|\.nan)", re.ASCII)


def misread(text: Text) -> str | None:
    """What YAML reads instead of the text (`the number 1020`), or None where it reads what was written.

    The rules are those of YAML 1.1's type repository (bool, int, float, null); a leading zero counts whatever
    follows it, since YAML 1.2 drops it where 1.1 reads octal. Plain decimals are left alone.
    """
    if not text.plain:
        return None
    word = text.lower()
    if word in _NULL:
        return "nothing"
    if word in _TRUE:
        return "true"
    if word in _FALSE:
        return "false"
    if _SIXTIES.fullmatch(word):
        return f"the number {_in_sixties(word)}" if len(word) <= LONGEST_SHOWN else "a number"
    if _ODD_INTEGER.fullmatch(word) or _FLOAT.fullmatch(word):
        return "a number"
    return None


def _in_sixties(word: str) -> int:
    """`17:00` is 17 x 60 + 0: sexagesimal, a fraction left out."""
    total = 0
    for part in word.lstrip("+-").partition(".")[0].split(":"):
        total = total * 60 + int(part.replace("_", ""))
    return -total if word.startswith("-") else total
