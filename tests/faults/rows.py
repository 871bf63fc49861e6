"""The rows of the table of faults: what each is called, in few words."""

from __future__ import annotations

from typing import Final

ROWS: Final = {
    "F1": "router killed",
    "F2": "router gone for good",
    "F3": "router hangs",
    "F4": "socket reset",
    "F5": "silent drop",
    "F6": "clean close",
    "F7": "two routers",
    "F8": "Asterisk killed",
    "F9": "Asterisk reloads",
    "F10": "caller leaves at any moment",
    "F11": "caller leaves in an outage",
    "F12": "answer against timeout",
    "F13": "every refusal",
    "F14": "no trunk",
    "F15": "HTTP exhausted",
    "F16": "slow REST",
    "F17": "disk full",
    "F18": "database locked",
    "F19": "fsync fails",
    "F20": "any crash point",
    "F21": "order of the disk",
    "F22": "cut in mid-originate",
    "F23": "clock",
    "F24": "bad reload",
    "F25": "SIGTERM",
    "F26": "flood",
    "F27": "soak",
    "F28": "event loop blocked",
    "F29": "a long talk",
}
