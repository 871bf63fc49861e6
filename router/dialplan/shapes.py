"""What may stand in a dialplan: ids, numbers, paths and dial strings, each in a shape that is one word. Pure."""

from __future__ import annotations

import re
from typing import Final

from router.errors import RouterError

ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", re.ASCII)
DIAL: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*/[A-Za-z0-9_.:@+/-]+", re.ASCII)
NUMBER: Final = re.compile(r"\+[1-9][0-9]{4,14}", re.ASCII)
CALLERS: Final = re.compile(r"\+[0-9]{0,15}\*?", re.ASCII)
"""A number, or a prefix that ends in `*`."""
HEADER: Final = re.compile(r"[a-z][a-z0-9-]{0,62}", re.ASCII)
ENDPOINT: Final = re.compile(r"[A-Za-z0-9_.@+-]{1,79}", re.ASCII)
ZONE: Final = re.compile(r"[A-Za-z0-9_+/-]{1,64}", re.ASCII)
PATH: Final = re.compile(r"/[^\x00-\x1f\x7f-\x9f,;=()\[\]{}$\"'\\|]*")
SOUND: Final = re.compile(r"/[^\x00-\x1f\x7f-\x9f,;=()\[\]{}$\"'\\|&]*")
"""A path that may stand beside others, joined by `&`."""
WORD: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)


def checked(shape: re.Pattern[str], text: str) -> str:
    """`text` when it is harmless in a dialplan. Raises RouterError: nothing is ever quoted or repaired."""
    if not shape.fullmatch(text):
        raise RouterError(
            f"{text!r} cannot stand in Asterisk's dialplan; write it without signs that Asterisk reads"
        )
    return text
