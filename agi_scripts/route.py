"""The second line of defence: Asterisk starts this when no router takes a call.

    AGI(callrouter-agi,decide)   whom to ring: the same decision as the router's, from what its last accepted
                                 configuration left (<database>.routes). Sets the channel variables that the ring
                                 loop of the dialplan reads, CALLROUTER_DECIDED last.
    AGI(callrouter-agi,end)      the call is over: writes its rows and opens its callback. Sets CALLROUTER_RECORDED.

It exits at once each time: no process stays for the ringing or the talk. Whatever goes wrong, it exits without
its last word, and the dialplan goes on to the third line. Nothing that Asterisk says of the call is dialled or
sent back before its shape has been checked: pyst2 escapes nothing, and a quote or a newline would begin a second
command.
"""

# ruff: noqa: E402 - the alarm is set before anything can hang
import signal
import sys

LONGEST_DECISION = 1.5
"""Seconds. A disk that hangs must not hold the call: the alarm's default action ends the process, and the dialplan
goes on. A decision takes a tenth of a second."""
LONGEST_RECORD = 4.0
"""Seconds for what no caller waits for."""
signal.setitimer(signal.ITIMER_REAL, LONGEST_RECORD if sys.argv[-1] == "end" else LONGEST_DECISION)

import os
import re
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from io import TextIOBase
from typing import Final

from asterisk.agi import AGI, AGIException

from router.config.compiled import lookup, routes_path
from router.errors import RouterError
from router.inbound import read_inbound
from router.model import CallRecord, Config, Decision, Inbound, Outcome, Path, Plan
from router.outcome import CALLER_REASON, REASON_CAUSE
from router.routing import decide

_SAFE: Final = re.compile(r"[A-Za-z0-9_.:@+/,&-]*", re.ASCII)
_NOT_SHOWN: Final = re.compile(r"[^0-9A-Za-z+*#]", re.ASCII)
_DATABASE_WAIT: Final = 1.0
"""Seconds for a locked database; then a file is left for the router instead."""


class Silent(TextIOBase):
    """pyst2 copies all that passes, callers' numbers too, to what it takes for stderr."""

    def write(self, text: str, /) -> int:
        return len(text)


class Line:
    """One conversation with Asterisk."""

    def __init__(self) -> None:
        self._agi = AGI(stderr=Silent())
        self.environment: Mapping[str, str] = self._agi.env

    def get(self, name: str) -> str:
        return str(self._agi.get_variable(name))

    def set(self, name: str, value: str | int) -> None:
        """Raises RouterError for a value that is not made of harmless characters."""
        text = str(value)
        if not _SAFE.fullmatch(text):
            raise RouterError(f"{name}: a value that cannot be sent to Asterisk")
        self._agi.set_variable(name, text)

    def close(self) -> None:
        """Let the call go on: Asterisk waits for the end of our output, not of our process."""
        sys.stdout.flush()
        os.close(sys.stdout.fileno())
        signal.setitimer(signal.ITIMER_REAL, LONGEST_RECORD)


def answer_decide(line: Line, database: str, now: float) -> None:
    """Decide, tell the dialplan, and then write the call's first second."""
    config, inbound = _read(line, database)
    decision = decide(config, inbound, datetime.fromtimestamp(now, UTC))
    did = _NOT_SHOWN.sub("", decision.did.number) or "unknown"
    line.set("CALLROUTER_CAMPAIGN", decision.campaign)
    line.set("CALLROUTER_DID", did)
    line.set("CALLROUTER_VERSION", config.version)
    start = line.get("CALLROUTER_START")
    if decision.plan is not None:
        _tell(line, decision.plan, list(config.trunks))
        line.set("CALLROUTER_DECIDED", "ring")
        line.close()
        from router.store.fallback import record_fallback  # after the decision: the call does not wait for it

        record_fallback(database, _opened(config, decision, did, line, float(start)), timeout=_DATABASE_WAIT)
        return
    refused = decision.refused or Outcome.FAILED
    line.set("CALLROUTER_OUTCOME", refused.value)
    line.set("CALLROUTER_REASON", REASON_CAUSE[CALLER_REASON[refused]])
    line.set("CALLROUTER_DECIDED", "refuse")


def answer_end(line: Line, database: str, now: float) -> None:
    """Write what the dialplan says of the call that has ended."""
    from router.store.fallback import record_fallback
    from router.store.fallback_file import parse, to_operation
    from router.store.ids import fallback_id

    keys = dict(parse(line.get("CALLROUTER_LINE")).keys)
    config = lookup(routes_path(database), keys.get("did", ""))
    if not keys.get("campaign"):
        # The caller left before we had decided: the decision is made now, for the moment at which he came.
        config, inbound = _read(line, database)
        decision = decide(config, inbound, datetime.fromtimestamp(float(keys["start"]), UTC))
        keys |= {"campaign": decision.campaign, "did": decision.did.number, "version": config.version}
    call_id = fallback_id(keys["id"], float(keys["start"]))
    ended = to_operation(keys, call_id, config, now)
    record_fallback(database, ended.call, ended.attempts, ended.callback, timeout=_DATABASE_WAIT)
    line.set("CALLROUTER_RECORDED", "yes")


def _read(line: Line, database: str) -> tuple[Config, Inbound]:
    """The few routes that this call needs, and the call as the router would have read it."""
    name, number = line.environment.get("agi_calleridname", ""), line.environment.get("agi_callerid", "")
    args = line.get("CALLROUTER_ARGS").split(",")
    inbound = read_inbound(("in", *args), number, "" if name == "unknown" else name)
    values = [value for text in inbound.headers.values() for value in text.split(",")]
    config = lookup(routes_path(database), inbound.exten, *values)
    # What a mobile shows when the DID is nobody's: the first of all numbers, which a look-up of a few lacks.
    ours = line.get("CALLROUTER_OURS")
    if ours and ours not in config.by_number:
        config = replace(config, by_number={**config.by_number, ours: config.unknown})
    return config, inbound


def _tell(line: Line, plan: Plan, trunks: list[str]) -> None:
    """The hunt, as the dialplan's ring loop reads it: `seconds,people,way over trunk 1,way over trunk 2,…`."""
    line.set("CALLROUTER_SHOWN", plan.steps[0].targets[0].routes[0].caller_id)
    line.set("CALLROUTER_TRUNKS", "&".join(trunks))
    line.set("CALLROUTER_MAX_WAIT", max(1, round(plan.max_wait)))
    for index, step in enumerate(plan.steps, 1):
        people = "&".join(target.salesperson for target in step.targets)
        ways = zip(*([route.endpoint for route in target.routes] for target in step.targets), strict=True)
        fields = [str(max(1, round(step.timeout))), people, *("&".join(way) for way in ways)]
        line.set(f"CALLROUTER_STEP_{index}", ",".join(fields))
    line.set("CALLROUTER_STEPS", len(plan.steps))


def _opened(config: Config, decision: Decision, did: str, line: Line, start: float) -> CallRecord:
    from router.store.ids import fallback_id

    channel = line.environment["agi_uniqueid"]
    return CallRecord(
        id=fallback_id(channel, start),
        started_at=start,
        did=did,
        campaign=decision.campaign,
        caller=decision.caller,
        path=Path.AGI,
        config_version=config.version,
        node=config.node,
        channel=channel,
    )


def main(arguments: list[str]) -> int:
    """`route.py DATABASE decide|end|check`. 0 done, 1 the dialplan is to go on without us.

    `check` needs no Asterisk: it says whether the routes can be read, which `callrouter doctor` wants to know.
    """
    database, what = arguments
    try:
        if what == "check":
            lookup(routes_path(database))
        else:
            {"decide": answer_decide, "end": answer_end}[what](Line(), database, time.time())
    except AGIException:
        return 1  # The caller has gone: the hang-up handler calls us again.
    except (RouterError, OSError, ValueError, KeyError) as error:
        # One line for Asterisk's journal. Values may be a caller's number: only our own errors speak.
        print(f"callrouter: {error if isinstance(error, RouterError) else type(error).__name__}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
