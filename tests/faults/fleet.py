"""Many calls at once, ringing and talking, while a fault is injected; and what must hold of them afterwards."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.behaviours import Answer, Play, RingOut
from sandbox.errors import SandboxError
from sandbox.phones import Placed
from sandbox.sip_log import Dialog
from tests.faults import conditions
from tests.integration.site import ALICE, BOB, PATIENT, TALKED, Site

RATE = 25.0
"""Calls a second: what two busy cores set up with ease."""
UP_WITHIN = 30.0
WRITTEN_WITHIN = 15.0
"""Seconds from the last call's end until all rows must be in the database, those of the fallback's files too."""

CALLS = """
    SELECT calls.*, number FROM calls JOIN callers ON callers.id = calls.caller_id
    WHERE number IN (SELECT value FROM json_each(?)) ORDER BY calls.id
"""
ATTEMPTS = """
    SELECT attempts.*, number
    FROM attempts JOIN calls ON calls.id = call_id JOIN callers ON callers.id = calls.caller_id
    WHERE number IN (SELECT value FROM json_each(?)) ORDER BY attempts.id
"""
CALLBACKS = """
    SELECT callbacks.*, number FROM callbacks JOIN callers ON callers.id = callbacks.caller_id
    WHERE number IN (SELECT value FROM json_each(?)) ORDER BY callbacks.id
"""


def caller_of(dialog: Dialog) -> str:
    """The number in an INVITE's From: the caller's own, on the caller's side, and at the mobiles of PATIENT and
    TALKED, whose campaigns show it."""
    found = re.search(r"sips?:([^@;>]*)", dialog.invite.header("From"))
    return found[1] if found else ""


class Wave:
    """Calls of one SIPp process, each from a number of its own; perhaps none at all."""

    def __init__(self, site: Site, numbers: Sequence[str], placed: Placed | None) -> None:
        self.site = site
        self.numbers = tuple(numbers)
        self.placed = placed

    def __len__(self) -> int:
        return len(self.numbers)

    def dialogs(self) -> dict[str, Dialog]:
        """The callers' side of the calls dialled so far, by the caller's number."""
        return {caller_of(dialog): dialog for dialog in (self.placed.dialogs() if self.placed else ())}

    def wait(self, timeout: float) -> None:
        """Until every caller's call has ended. Raises SandboxError after `timeout` seconds."""
        if self.placed:
            self.placed.wait(timeout)

    def rows(self) -> list[dict[str, Any]]:
        """Rows of `calls`, each with its caller's `number`."""
        return self.site.rows(CALLS, json.dumps(self.numbers))

    def attempts(self) -> list[dict[str, Any]]:
        """Rows of `attempts`, each with its caller's `number`."""
        return self.site.rows(ATTEMPTS, json.dumps(self.numbers))

    def callbacks(self) -> list[dict[str, Any]]:
        """Rows of `callbacks`, each with its caller's `number`."""
        return self.site.rows(CALLBACKS, json.dumps(self.numbers))

    def outcomes(self) -> Counter[str | None]:
        """How many calls ended how; None stands for those that have no outcome yet."""
        return Counter(row["outcome"] for row in self.rows())

    def rung(self) -> dict[str, list[Dialog]]:
        """The INVITEs that reached a mobile, by the caller's number."""
        found: dict[str, list[Dialog]] = {number: [] for number in self.numbers}
        for dialog in self.site.carrier.calls():
            if (caller := caller_of(dialog)) in found:
                found[caller].append(dialog)
        return found


class Fleet:
    """Places `ringing` calls to a mobile that rings, and `talking` calls to one that answers; comes back when all
    of them do so.

    Bob's phone is the one that rings: `ring` seconds, then it answers (None: until it is cancelled). Alice's
    answers at once. A caller of Alice hangs up after `talk` seconds of talk, one of Bob after `short_talk`; None
    waits for the other side. `to_ringing` and `to_talking` are the numbers that they dial, `mobiles` replaces what
    the phones do, `up` False does not wait. Whatever else is given goes to Caller.place, for all calls.
    """

    def __init__(
        self,
        site: Site,
        *,
        ringing: int = 0,
        talking: int = 0,
        ring: float | None = 10.0,
        talk: float | None = 10.0,
        short_talk: float | None = 0.5,
        to_ringing: str | Sequence[str] = PATIENT,
        to_talking: str | Sequence[str] = TALKED,
        mobiles: Mapping[str, Play] | None = None,
        up: bool = True,
        **how: Any,
    ) -> None:
        self.site = site
        self.waves: list[Wave] = []
        site.mobiles(mobiles or {ALICE: Answer(ring=0.1), BOB: RingOut() if ring is None else Answer(ring=ring)})
        # The talkers first: who rings has then only just begun to when the test goes on.
        self.talking = self.place(talking, to_talking, **{"hang_up_after": talk, **how})
        if up:
            self._talks(self.talking)
        self.ringing = self.place(ringing, to_ringing, **{"hang_up_after": short_talk, **how})
        if up:
            self._rings(self.ringing)

    def place(self, calls: int, to: str | Sequence[str], *, rate: float = RATE, **how: Any) -> Wave:
        """More calls, from numbers that no other call of this run has; comes back at once. See Caller.place."""
        numbers = [f"+{next(Site.numbers)}" for _ in range(calls)]
        placed = self.site.stack.call(to, numbers, calls=calls, rate=rate, **how) if calls else None
        self.waves.append(Wave(self.site, numbers, placed))
        return self.waves[-1]

    def _talks(self, wave: Wave) -> None:
        self.site.until(
            lambda: sum(bool(row["answered_at"]) for row in wave.rows()) == len(wave),
            f"{len(wave)} calls are answered, and that is in the database",
            UP_WITHIN,
        )

    def _rings(self, wave: Wave) -> None:
        self.site.until(
            lambda: all(any(leg.at(180) for leg in legs) for legs in wave.rung().values()),
            f"a mobile rings for each of {len(wave)} calls",
            UP_WITHIN,
        )

    # --- All of them --------------------------------------------------------------------------------------

    @property
    def all(self) -> Wave:
        """Every call of the fleet: only its rows and its INVITEs can be asked."""
        return Wave(self.site, [number for wave in self.waves for number in wave.numbers], None)

    def wait(self, timeout: float = 60.0) -> None:
        """Until every caller's call has ended. Raises SandboxError when one needs longer than `timeout` seconds."""
        for wave in self.waves:
            wave.wait(timeout)

    def hang_up(self) -> None:
        """Have Asterisk end whatever is still up: for callers that were told to wait for the other side."""
        self.site.asterisk.cli("channel request hangup all")

    def complaints(self) -> list[str]:
        """What does not hold now of what must hold after every fault."""
        every = self.all
        calls, attempts, callbacks = every.rows(), every.attempts(), every.callbacks()
        return [
            *conditions.one_row_each(every.numbers, calls),
            *conditions.one_outcome_each(calls),
            *conditions.attempts_have_results(attempts),
            *conditions.answered_once(calls, attempts),
            *conditions.one_open_callback_each(callbacks),
            *conditions.the_missed_are_owed_a_call(calls, callbacks),
        ]

    def check(self, timeout: float = 60.0) -> None:
        """The conditions that every fault has in common, once each caller's call is over and its row is written:
        one row and one outcome a call, answered by one person or none, at most one open callback a caller and
        campaign, and one for each who was missed. Fails after `timeout` seconds."""
        self.wait(timeout)
        try:
            self.site.until(lambda: not self.complaints(), "every row is written", WRITTEN_WITHIN)
        except SandboxError:
            wrong = self.complaints()
            assert not wrong, f"{len(wrong)} complaints: " + "; ".join(wrong[:10])
        for word in ("Traceback", "internal_error"):
            assert not self.site.said(word), f"the router's log says {word}"
