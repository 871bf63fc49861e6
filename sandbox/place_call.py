"""`make call`: one call to the sandbox that `make run` serves, told as it happens."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from sandbox import processes
from sandbox.errors import SandboxError
from sandbox.phones import Caller, Placed
from sandbox.ports import Ports
from sandbox.serve import STATE

PATIENCE = 120.0
"""Seconds after which a caller gives up."""
WORDS = {
    ">INVITE": "dialling {to}",
    "<180": "it rings",
    "<183": "it rings (early media)",
    "<200": "answered",
    ">BYE": "we hang up",
    "<BYE": "the other side hangs up",
    ">CANCEL": "we give up",
}


def main() -> int:
    """0 when the call took place, answered or not; 1 when it could not be placed."""
    try:
        to, from_number, talk = sys.argv[1], sys.argv[2], float(sys.argv[3])
    except (IndexError, ValueError):
        print("usage: make call TO=+33184801001 [FROM=+33145678901] [TALK=5]", file=sys.stderr)
        return 2
    try:
        state = _serving(STATE)
        with Caller(Ports.from_data(state["ports"]), Path(state["phones"])) as caller:
            placed = caller.place(to, from_number, hang_up_after=talk, cancel_after=PATIENCE)
            _tell(placed, to)
        return 0
    except SandboxError as error:
        print(f"sandbox: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nsandbox: the caller vanished", file=sys.stderr)
        return 130


def _serving(path: Path) -> dict[str, Any]:
    """What `make run` left. Raises SandboxError when none runs."""
    try:
        state: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        state = {}
    if not state or not processes.alive(state["pid"]):
        raise SandboxError("nothing serves in this checkout; type: make run")
    return state


def _tell(placed: Placed, to: str) -> None:
    began = placed.dialog.invited_at
    told = 0
    while True:
        running = placed.running
        messages = placed.dialog.messages
        sequence = placed.dialog.sequence
        for message, name in zip(messages[told:], sequence[told:], strict=True):
            words = WORDS.get(name, "")
            if not words and message.method == "INVITE" and (message.code or 0) >= 300:
                words = f"refused: {message.start_line.removeprefix('SIP/2.0 ')}"
            if words and name not in sequence[:told]:
                print(f"{message.at - began:6.2f} s  {words.format(to=to)}", flush=True)
            told += 1
        if not running:
            return
        time.sleep(0.02)


if __name__ == "__main__":
    sys.exit(main())
