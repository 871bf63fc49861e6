"""`make run`: Asterisk, the phones and the router, serving on loopback until Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import yaml

from sandbox.asterisk import CHECKOUT
from sandbox.behaviours import BUSY, VOICEMAIL, Answer, Behaviour, RingOut
from sandbox.errors import SandboxError
from sandbox.stack import Stack

STATE = CHECKOUT / ".sandbox" / "run.json"
"""Where `make call` finds the one that serves."""
MANNERS: tuple[tuple[str, Behaviour], ...] = (
    ("answers after 2 s and presses 1", Answer(ring=2.0, keys="1", keys_after=1.0, speak=True)),
    ("is busy", BUSY),
    ("lets the mailbox pick up after 5 s", replace(VOICEMAIL, ring=5.0)),
    ("never picks up", RingOut()),
)
"""What the salespeople's mobiles do, in the order of campaigns.yaml."""


def main() -> int:
    """0 after Ctrl-C or SIGTERM, 1 with one line when something does not start or does not stay up."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with Stack(name="run", verbose=3) as stack:
            manners = _manners(stack.config)
            stack.play({mobile: behaviour for _, mobile, _, behaviour in manners})
            with _state(stack):
                _introduce(stack, manners)
                _follow(stack)
    except SandboxError as error:
        print(f"sandbox: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped.")
    return 0


def _manners(config: Path) -> list[tuple[str, str, str, Behaviour]]:
    """Name, mobile, what it does in words, what it does: for each salesperson."""
    from router.numbers import read_number

    data = yaml.safe_load(config.read_text(encoding="utf-8"))
    people: list[Mapping[str, str]] = list(data["salespeople"].values())
    country = data["company"]["country"]
    return [
        (person["name"], read_number(person["mobile"], country), *MANNERS[index % len(MANNERS)])
        for index, person in enumerate(people)
    ]


def _introduce(stack: Stack, manners: list[tuple[str, str, str, Behaviour]]) -> None:
    config = os.path.relpath(stack.config)
    version = ".".join(map(str, stack.asterisk.installation.version))
    print(f"Asterisk {version} takes calls on 127.0.0.1:{stack.asterisk.ports.sip}; the router is ready.")
    for name, mobile, words, _ in manners:
        print(f"  {name} ({mobile}) {words}")
    numbers = [
        (number, campaign.get("name", key))
        for key, campaign in yaml.safe_load(stack.config.read_text(encoding="utf-8"))["campaigns"].items()
        for number in campaign["numbers"]
    ]
    print("Place a call from another terminal:")
    for number, name in numbers:
        print(f"  make call TO={number}     {name}")
    print(f"Look:  .venv/bin/callrouter --config {config} calls list")
    print("Ctrl-C stops everything. The router's log:", flush=True)


@contextmanager
def _state(stack: Stack) -> Iterator[None]:
    state = {"pid": os.getpid(), "phones": str(stack.folder / "phones"), "ports": asdict(stack.asterisk.ports)}
    STATE.write_text(json.dumps(state), encoding="utf-8")
    try:
        yield
    finally:
        STATE.unlink(missing_ok=True)


def _follow(stack: Stack) -> None:
    """Prints the router's log as it grows, for as long as all of it lives."""
    with stack.router.log.open(encoding="utf-8", errors="replace") as log:
        while True:
            for line in log:
                print(line, end="", flush=True)
            for what, up in (
                ("the router", stack.router.running),
                ("Asterisk", stack.asterisk.running),
                ("the carrier", stack.carrier.running),
            ):
                if not up:
                    raise SandboxError(f"{what} has ended; its log is in {stack.folder}")
            time.sleep(0.2)


if __name__ == "__main__":
    sys.exit(main())
