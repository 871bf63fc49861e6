"""`make demo`: the main job for real. One call is taken on a mobile by pressing 1; another one only meets a
mailbox, so it is missed and becomes a callback.

Every line with a tick was seen or heard: in SIPp's messages, in the phones' sound, in Asterisk or in the database.
It fails when one is not.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable
from typing import Any, TypeVar

from sandbox import processes
from sandbox.behaviours import BUSY, VOICEMAIL, Answer
from sandbox.errors import SandboxError
from sandbox.phones import Placed
from sandbox.sip_log import STAMP_SLACK, Dialog
from sandbox.stack import Stack

T = TypeVar("T")

DID = "+33184801001"
CAMPAIGN = "spring-flyer"
ALICE, BOB = "+33612345678", "+33687654321"
FIRST_CALLER, SECOND_CALLER = "+33145678901", "+33622334455"
ACCEPT_TIMEOUT = 3.0
"""As short as campaigns.yaml allows: nobody wants to listen to a mailbox for 15 s."""
ALICE_TONE, CALLER_TONE = 700, 1000
"""What each of them says, in Hz."""


def main() -> int:
    """0 when every step was seen, 1 with the first that was not."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    began = time.monotonic()
    try:
        with Stack(name="demo", verbose=3, edit=_impatient) as stack:
            demo = Demo(stack)
            demo.introduce()
            demo.answered_call()
            demo.missed_call()
            demo.reports()
    except SandboxError as error:
        print(f"  ✗ {error}\nThe logs are in .sandbox/demo.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stdout = None  # whoever read along has left: say no more, not even on the way out
        return 1
    print(f"Everything above was seen, in {time.monotonic() - began:.0f} s. Next: make run")
    return 0


def _impatient(data: dict[str, Any]) -> None:
    data["campaigns"][CAMPAIGN]["accept_timeout"] = f"{ACCEPT_TIMEOUT:.0f}s"


class Demo:
    """The story, step by step."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack

    def introduce(self) -> None:
        version = ".".join(map(str, self.stack.asterisk.installation.version))
        _say(f"Asterisk {version}, the router and the phones are up, on loopback.")
        status = self.stack.callrouter("check")
        _ensure(status.returncode == 0, "campaigns.yaml is valid", status.stderr.strip())

    def answered_call(self) -> None:
        stack = self.stack
        _say(f"\n1. Somebody holds the flyer and dials {DID}. Alice will take the call.")
        stack.play({ALICE: Answer(ring=1.0, tone=ALICE_TONE), BOB: BUSY})
        with stack.call(DID, FIRST_CALLER, from_name="Jeanne", tone=CALLER_TONE, hang_up_after=2.5) as placed:
            self._rings(placed)
            alice = _see(f"Alice's mobile rings ({ALICE}, from campaigns.yaml)", lambda: self._mobile(ALICE))
            _see("she answers", lambda: stack.carrier.dialog(alice.call_id).at(200))
            self._takes_it(placed, alice)
            _see("Asterisk has both in one bridge", lambda: _talking(stack))
            _see(
                "each hears the other",
                lambda: (
                    placed.heard().tone(ALICE_TONE) > 0.5 and stack.carrier.heard(alice).tone(CALLER_TONE) > 0.5
                ),
            )
            placed.wait(20)
            _ensure(placed.dialog.hung_up_by_us is True, "the caller hangs up")
            told = processes.wait_until(
                lambda: stack.carrier.dialog(alice.call_id).at("BYE"), 10, "Alice's leg ends"
            )
            late = told - (placed.dialog.at("BYE") or 0)
            _ensure(late < 1.0, f"Alice's leg ends too, after {max(0.0, late) * 1000:.0f} ms")
            strange = placed.heard().speech(ALICE_TONE)
            _ensure(strange == 0, "the caller heard nothing but her", f"{strange:.2f} s of something else")
        _see("Asterisk has no channel and no bridge left", stack.asterisk.quiet)
        row = _see("the call is in the database", lambda: self._outcome(1))
        expected = {"campaign": CAMPAIGN, "outcome": "answered", "salesperson": "alice", "hangup_by": "caller"}
        _ensure(expected.items() <= row.items(), f"with {_list(expected)}", str(row))

    def _takes_it(self, placed: Placed, alice: Dialog) -> None:
        carrier = self.stack.carrier
        _see("she hears what the call is about", lambda: carrier.heard(alice).speech(CALLER_TONE) > 0.1)
        _ensure(placed.dialog.final is None, "the caller still hears ringing: nobody has taken the call yet")
        pressed = time.time()
        carrier.press(alice, "1")
        connected = processes.wait_until(lambda: placed.dialog.at(200), 10, "the caller's call is answered")
        _ensure(
            connected >= pressed - STAMP_SLACK,
            f"she presses 1, and only then, {(connected - pressed) * 1000:.0f} ms later, the caller is answered",
        )

    def missed_call(self) -> None:
        stack = self.stack
        _say(f"\n2. Somebody else dials {DID}. Alice's mailbox picks up, Bob is busy.")
        stack.carrier.forget()
        stack.play({ALICE: VOICEMAIL, BOB: BUSY})
        with stack.call(DID, SECOND_CALLER) as placed:
            self._rings(placed)
            alice = _see("Alice's mobile rings", lambda: self._mobile(ALICE))
            _see("her mailbox picks up and talks", lambda: stack.carrier.dialog(alice.call_id).at(200))
            _see(
                f"it presses no key, so after {ACCEPT_TIMEOUT:.0f} s it is hung up",
                lambda: stack.carrier.dialog(alice.call_id).at("BYE"),
                timeout=ACCEPT_TIMEOUT + 10,
            )
            _see("now it is Bob's turn", lambda: self._mobile(BOB))
            _see("Bob's mobile says that he is busy", lambda: stack.carrier.calls(BOB)[0].final == 486)
            placed.wait(20)
            _ensure(200 not in placed.dialog.codes, "the caller's call was never answered: it costs nothing")
        _see("Asterisk has no channel and no bridge left", stack.asterisk.quiet)
        self._is_missed(_see("the call is in the database", lambda: self._outcome(2)))

    def _is_missed(self, row: dict[str, Any]) -> None:
        _ensure(row["outcome"] == "no_answer", "with the outcome no_answer: a mailbox is not an answer", str(row))
        attempts = self.stack.rows(
            "SELECT salesperson, result FROM attempts WHERE call_id = ? ORDER BY seq", [row["id"]]
        )
        tried = [(attempt["salesperson"], attempt["result"]) for attempt in attempts]
        _ensure(
            tried == [("alice", "not_accepted"), ("bob", "busy")],
            "and what became of each attempt: alice not_accepted, bob busy",
            str(tried),
        )
        callback = _see("a callback is open", lambda: self._callbacks(row["id"]))[0]
        _ensure(callback["state"] == "open", f"it is due at {callback['due_at']}")

    def reports(self) -> None:
        for words in (["report", "campaigns"], ["callbacks", "list"]):
            _say(f"\n$ callrouter {' '.join(words)}")
            said = self.stack.callrouter(*words)
            print(said.stdout, end="", flush=True)
            if said.returncode:
                raise SandboxError(f"callrouter {' '.join(words)} failed: {said.stderr.strip()}")
        print()

    def _rings(self, placed: Placed) -> None:
        processes.wait_until(lambda: placed.dialog.at(180), 10, "the caller hears ringing")
        waited = placed.dialog.took("INVITE", 180)
        _ensure(waited < 1.0, f"the caller hears ringing after {waited * 1000:.0f} ms")
        _see(
            "Asterisk gave the call to the router",
            lambda: "Stasis" in self.stack.asterisk.cli("core show channels"),
        )

    def _mobile(self, number: str) -> Dialog | None:
        return next(iter(self.stack.carrier.calls(number)), None)

    def _outcome(self, number: int) -> dict[str, Any] | None:
        ended = [row for row in self.stack.calls() if row["outcome"] is not None]
        return ended[number - 1] if len(ended) >= number else None

    def _callbacks(self, call: str) -> list[dict[str, Any]]:
        return self.stack.rows(
            "SELECT callbacks.* FROM callbacks JOIN callback_calls ON callback_id = callbacks.id WHERE call_id = ?",
            [call],
        )


def _talking(stack: Stack) -> bool:
    return len(stack.asterisk.bridges()) == 1 and len(stack.asterisk.channels()) == 2


def _say(text: str) -> None:
    print(text, flush=True)


def _list(pairs: dict[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in pairs.items())


def _see(what: str, condition: Callable[[], T | None], timeout: float = 10.0) -> T:
    """Waits for it and says that it was seen. Raises SandboxError when it was not, in time."""
    seen = processes.wait_until(condition, timeout, what)
    _say(f"  ✓ {what}")
    return seen


def _ensure(true: bool, what: str, found: str = "") -> None:
    """Says it when it holds. Raises SandboxError with what was found instead."""
    if not true:
        raise SandboxError(f"not so: {what}{f' (but: {found})' if found else ''}")
    _say(f"  ✓ {what}")


if __name__ == "__main__":
    sys.exit(main())
