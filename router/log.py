"""Logging: one fact a line, `call=… campaign=… event=…`, no control characters, no secret, no caller's number."""

from __future__ import annotations

import logging
import re
import sys
import time
from typing import Final

_OURS: Final = "router"
_DIGITS: Final = re.compile(r"(?<![0-9.])[0-9]{7,}(?=[0-9]{2})")
"""What could be a telephone number, but for its last two digits."""


class LineFormatter(logging.Formatter):
    """UTC time, level, logger and message on one line: whatever a message carries cannot forge a second one.

    What the program says itself holds no number. What a library says and what stands in a traceback is not known
    beforehand: long rows of digits are hidden in it.
    """

    def format(self, record: logging.LogRecord) -> str:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        text = super().format(record)
        if record.exc_info or record.name.partition(".")[0] != _OURS:
            text = _DIGITS.sub("…", text)
        line = f"{stamp}.{int(record.msecs):03d}Z {record.levelname.lower():7} {record.name} {text}"
        if line.isprintable():
            return line
        return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in line)


def configure(*, debug: bool = False) -> None:
    """Send every log line to standard error (systemd's journal, or the terminal)."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter("%(message)s"))
    logging.basicConfig(level=logging.DEBUG if debug else logging.INFO, handlers=[handler], force=True)


def fact(**fields: object) -> str:
    """`key=value` pairs in the order given, without those that are None; what needs quotes has them."""
    return " ".join(f"{key}={_value(value)}" for key, value in fields.items() if value is not None)


def _value(value: object) -> str:
    text = f"{value:.3f}" if isinstance(value, float) else str(value)
    if text and not any(char.isspace() or char in '="\\' for char in text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
