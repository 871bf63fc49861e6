"""The scenarios for real: each is a campaign, its people SIP phones, its caller a call; then the database is asked.

People are shared by the campaigns: what a mobile does is the same in every call, and `max_calls: 0` lets it be rung
by several at once, so that no call knows of another.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sandbox.behaviours import Answer, Behaviour, EarlyMedia, Refuse, RingOut, Silent
from sandbox.errors import SandboxError
from sandbox.phones import Placed
from tests.integration.site import Site, campaigns
from tests.scenarios.model import Ending, Hunt, Phone, Scenario, predict

MARGIN: Final = 0.25
"""Seconds within which two moments may come in either order: two cores carry Asterisk, router and phones."""
KEY_SECONDS: Final = 0.12
"""From a key's press to its release, which is when Asterisk tells of it."""
TALK: Final = 0.3
LATE: Final = 0.05
"""Seconds from an INVITE to its 180, on both sides of Asterisk 0.01 to 0.03 on a machine that keeps up."""
CALM: Final = 5
"""How many calls at a time are placed again, and how often at most."""
CALM_ROUNDS: Final = 3
LONGEST: Final = 40.0
"""No scenario takes longer, from the INVITE to the caller's end."""


def configuration(site: Site, scenarios: Sequence[Scenario]) -> dict[str, Any]:
    """A campaigns.yaml with a campaign for each."""
    people = sorted({person for scenario in scenarios for person in scenario.phones})
    content = campaigns(
        site.asterisk,
        salespeople={
            person: {"name": f"Person {person}", "mobile": mobile(person), "max_calls": 0} for person in people
        },
        campaigns={f"c{n:04d}": _campaign(n, scenario) for n, scenario in enumerate(scenarios)},
        unknown_number={"ring": {"to": [people[0]]}},
        hours={},
    )
    content["asterisk"]["trunks"] = {"main": {"dial": "PJSIP/{number}@trunk"}}
    return content


def mobile(person: str) -> str:
    return f"+3361220{int(person.removeprefix('p')):04d}"


def did(n: int) -> str:
    return f"+331848{n:05d}"


def caller(n: int, attempt: int) -> str:
    return f"+33140{attempt + 2}{n:05d}"


def _campaign(n: int, scenario: Scenario) -> dict[str, Any]:
    own, *overflow = scenario.hunts
    return {
        "numbers": [did(n)],
        "accept": "press-1" if scenario.gate else "none",
        "accept_timeout": _seconds(scenario.accept_timeout),
        "ring": _ring(own),
        "overflow": {"ring": _ring(overflow[0])} if overflow else "none",
    }


def _ring(hunt: Hunt) -> dict[str, Any]:
    if hunt.strategy == "steps":
        steps = [
            {"add" if step.add else "to": list(step.people), "timeout": _seconds(step.timeout)}
            for step in hunt.steps
        ]
        return {"steps": steps, "max_wait": _seconds(hunt.max_wait)}
    return {
        "strategy": hunt.strategy,
        "to": [person for step in hunt.steps for person in step.people],
        "timeout": _seconds(hunt.steps[0].timeout),
        "max_wait": _seconds(hunt.max_wait),
    }


def _seconds(seconds: float) -> str:
    return f"{seconds:g}s"


def behaviour(phone: Phone) -> Behaviour:
    if phone.refuses:
        return Refuse(phone.refuses, phone.after or 0.0)
    if phone.after is not None:
        return Answer(
            ring=phone.after,
            provisional=phone.rings,
            early=phone.early,
            keys=phone.key,
            keys_after=max(0.0, (phone.then or 0.0) - KEY_SECONDS),
            talk=phone.then if phone.then is not None and not phone.key else None,
        )
    if not phone.rings:
        return Silent()
    return EarlyMedia() if phone.early else RingOut()


# --- Running them -----------------------------------------------------------------------------------------


class Run:
    """All scenarios as calls, judged by the database."""

    def __init__(self, site: Site, scenarios: Sequence[Scenario]) -> None:
        self.site = site
        self.scenarios = scenarios
        self.placed: dict[str, Placed] = {}
        """By caller's number."""
        self.again = 0
        """How many calls were placed again."""

    def misfits(self, at_once: int) -> list[str]:
        """Place every call; each scenario, written out whole, that did not end once and as the model says.

        A call during which the machine itself was late says nothing about the router, and is placed again among
        fewer others. How late it was is taken from the phones alone.
        """
        found = self._round(range(len(self.scenarios)), 0, at_once)
        for attempt in range(1, CALM_ROUNDS + 1):
            late = [n for n in found if self._late(self.placed[caller(n, attempt - 1)])]
            if not late:
                break
            self.again += len(late)
            found = {n: text for n, text in found.items() if n not in late} | self._round(late, attempt, CALM)
        return list(found.values())

    def endings(self) -> dict[str, list[Ending]]:
        """What the database says, by caller's number: one ending a row of `calls`."""
        left = "SELECT count(*) AS n FROM calls WHERE outcome IS NULL"
        self.site.until(lambda: self.site.rows(left)[0]["n"] == 0, "every call has an outcome", 15)
        attempts: dict[str, list[tuple[str, str]]] = {}
        for row in self.site.rows("SELECT call_id, salesperson, result FROM attempts ORDER BY call_id, seq"):
            attempts.setdefault(row["call_id"], []).append((row["salesperson"], row["result"]))
        told: dict[str, list[Ending]] = {number: [] for number in self.placed}
        for row in self.site.rows("SELECT calls.*, number FROM calls JOIN callers ON callers.id = caller_id"):
            ending = Ending(row["outcome"], row["salesperson"] or "", tuple(attempts.get(row["id"], ())))
            told[row["number"]].append(ending)
        return told

    def _round(self, numbers: Iterable[int], attempt: int, at_once: int) -> dict[int, str]:
        # A phone that sends no reply is remembered by Asterisk for 32 s: these come first, not to be waited for.
        order = sorted(numbers, key=lambda n: not any(map(_dead, self.scenarios[n].phones.values())))
        live: dict[Placed, float] = {}
        for n in order:
            self._wait_for_room(live, at_once - 1)
            placed = self.site.stack.call(
                did(n), caller(n, attempt), cancel_after=self.scenarios[n].leaves, hang_up_after=TALK
            )
            self.placed[caller(n, attempt)] = placed
            live[placed] = time.monotonic()
        self._wait_for_room(live, 0)
        endings = self.endings()
        judged = {n: self._judge(self.scenarios[n], caller(n, attempt), endings) for n in order}
        return {n: text for n, text in judged.items() if text}

    def _wait_for_room(self, live: dict[Placed, float], most: int) -> None:
        def room() -> bool:
            for placed in [placed for placed in live if not placed.running]:
                del live[placed]
            for placed, since in live.items():
                if time.monotonic() - since > LONGEST:
                    raise SandboxError(f"a call does not end: {' '.join(placed.dialog.sequence)}")
            return len(live) <= most

        self.site.until(room, "calls end", 2 * LONGEST)

    def _judge(self, scenario: Scenario, number: str, told: Mapping[str, Sequence[Ending]]) -> str:
        """What is wrong with this call; empty: nothing."""
        endings, dialog = told[number], self.placed[number].dialog
        allowed = predict(scenario, MARGIN)
        # Only a human's yes is an answer, to the caller's phone as to the database. (Who hangs up may cross it.)
        heard = scenario.leaves is not None or (dialog.final == 200) == any(
            e.outcome == "answered" for e in endings
        )
        if len(endings) == 1 and endings[0] in allowed and heard:
            return ""
        may = "\n    ".join(map(str, sorted(allowed)))
        was = "\n    ".join(map(str, endings)) or "no row"
        return (
            f"SCENARIO_SEED={scenario.name}\n  {scenario}\n  may be\n    {may}\n  was\n    {was}\n"
            f"  the caller's phone saw {' '.join(dialog.sequence)}"
        )

    def _late(self, call: Placed) -> bool:
        """Whether some phone that began to ring during this call heard or said so late."""
        began, ended = call.dialog.invited_at, call.dialog.messages[-1].at
        dialogs = [placed.dialog for placed in self.placed.values()] + list(self.site.carrier.calls())
        return any(
            began - 1 <= dialog.invited_at <= ended and dialog.at(180) and dialog.took("INVITE", 180) > LATE
            for dialog in dialogs
        )


def ambiguous(scenario: Scenario) -> bool:
    """Whether more than one outcome or winner is allowed."""
    return len({(ending.outcome, ending.winner) for ending in predict(scenario, MARGIN)}) > 1


def _dead(phone: Phone) -> bool:
    return not phone.rings and phone.after is None
