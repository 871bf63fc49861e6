"""The second line of defence: Asterisk starts this when no router takes a call.

    AGI(callrouter-agi,decide)   whom to ring: the same decision as the router's, from what its last accepted
                                 configuration left (<database>.routes). Sets the channel variables that the ring
                                 loop of the dialplan reads, CALLROUTER_DECIDED last.
    AGI(callrouter-agi,end)      the call is over: writes its rows and opens its callback. Sets CALLROUTER_RECORDED.
    AGI(callrouter-agi,left)     a caller of the router's has hung up, and the router is away: leaves word of when.

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
signal.setitimer(signal.ITIMER_REAL, LONGEST_DECISION if sys.argv[-1] == "decide" else LONGEST_RECORD)

import os
import re
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from io import TextIOBase
from typing import Final
from urllib.parse import quote

from asterisk.agi import AGI, AGIException

from router.config.compiled import lookup, routes_path
from router.errors import RouterError
from router.fallback_plan import recording, variables, whisper
from router.inbound import read_inbound
from router.model import Caller, CallRecord, Config, Decision, Inbound, Outcome, Path, Situation
from router.routing import decide, find_caller
from router.spoken import folder_of
from router.store.pauses import pauses

_SAFE: Final = re.compile(r"[A-Za-z0-9_.:@+/,&~^-]*", re.ASCII)
_SAFE_PATH: Final = re.compile(r"/[A-Za-z0-9_.+/-]*", re.ASCII)
"""A recording that stands elsewhere is not heard; a beep is."""
_NOT_SHOWN: Final = re.compile(r"[^0-9A-Za-z+*#]", re.ASCII)
_DATABASE_WAIT: Final = 1.0
"""Seconds for a locked database; then a file is left for the router instead."""
_SITUATION_WAIT: Final = 0.1
"""Seconds for what only betters a decision."""
_MOST_TRIES: Final = 31


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
    situation = _situation(database, config, find_caller(config, inbound), now)
    decision = decide(config, inbound, datetime.fromtimestamp(now, UTC), situation)
    if decision.staff is not None:
        line.set("CALLROUTER_DECIDED", "staff")
        return
    did = _NOT_SHOWN.sub("", decision.did.number) or "unknown"
    line.set("CALLROUTER_CAMPAIGN", decision.campaign)
    line.set("CALLROUTER_DID", did)
    line.set("CALLROUTER_VERSION", config.version)
    start = line.get("CALLROUTER_START")
    spoken = folder_of(database)
    if decision.ending is not None and decision.ending.announcement is not None:
        _tell_sounds(line, "CALLROUTER_WORDS", [recording(config, decision.ending.announcement, spoken)])
    if decision.plan is not None:
        heard = whisper(config, decision.plan, spoken, line.get("CALLROUTER_SOUNDS"))
        _tell_sounds(line, "__CALLROUTER_WHISPER", heard)
        for name, value in variables(decision.plan, config.trunks, line.get("CALLROUTER_OURS")):
            line.set(name, value)
        line.set("CALLROUTER_DECIDED", "ring")
        line.close()
        from router.store.fallback import record_fallback  # after the decision: the call does not wait for it

        record_fallback(database, _opened(config, decision, did, line, float(start)), timeout=_DATABASE_WAIT)
        return
    refused = decision.refused or Outcome.FAILED
    line.set("CALLROUTER_OUTCOME", refused.value)
    line.set("CALLROUTER_DECIDED", "refuse")


def answer_end(line: Line, database: str, now: float) -> None:
    """Write what the dialplan says of the call that has ended."""
    from router.store.fallback import record_fallback
    from router.store.fallback_file import parse, to_operation
    from router.store.ids import fallback_id

    keys = dict(parse(line.get("CALLROUTER_LINE")).keys)
    tries = line.get("CALLROUTER_TRIES")
    for index in range(1, min(int(tries or 0), _MOST_TRIES) + 1):
        keys[f"leg{index}"] = line.get(f"CALLROUTER_TRY_{index}")
    config = lookup(routes_path(database), keys.get("did", ""))
    if not keys.get("campaign"):
        # The caller left before we had decided: the decision is made now, for the moment at which he came.
        config, inbound = _read(line, database)
        decision = decide(config, inbound, datetime.fromtimestamp(float(keys["start"]), UTC))
        if decision.staff is not None:
            line.set("CALLROUTER_RECORDED", "yes")
            return
        keys |= {"campaign": decision.campaign, "did": decision.did.number, "version": config.version}
    call_id = fallback_id(keys["id"], float(keys["start"]))
    ended = to_operation(keys, call_id, config, now)
    record_fallback(database, ended.call, ended.attempts, ended.callback, timeout=_DATABASE_WAIT)
    line.set("CALLROUTER_RECORDED", "yes")


def answer_left(line: Line, database: str, _now: float) -> None:
    """Leave word for the router: the row of this call is its own."""
    from router.model import Departure
    from router.store.departures import leave

    # The dialplan asks us only where the caller had been picked up: of the others it leaves word itself.
    leave(database, line.environment["agi_uniqueid"], Departure(float(line.get("CALLROUTER_LEFT")), up=True))


def _read(line: Line, database: str) -> tuple[Config, Inbound]:
    """The few routes that this call needs, and the call as the router would have read it."""
    name, number = line.environment.get("agi_calleridname", ""), line.environment.get("agi_callerid", "")
    args = line.get("CALLROUTER_ARGS").split(",")
    inbound = read_inbound(("in", *args), number, "" if name == "unknown" else name)
    values = [value for text in inbound.headers.values() for value in text.split(",")]
    config = lookup(routes_path(database), inbound.exten, *values, caller=number)
    # What a mobile shows when the DID is nobody's: the first of all numbers, which a look-up of a few lacks.
    ours = line.get("CALLROUTER_OURS")
    if ours and ours not in config.by_number:
        config = replace(config, by_number={**config.by_number, ours: config.unknown})
    return config, inbound


def _situation(database: str, config: Config, caller: Caller, now: float) -> Situation:
    """Who has paused, and how often this caller has called within the minute, where the database says so at once.

    Neither is worth the call: whatever goes wrong, everybody counts as present and nobody as a nuisance.
    """
    seed = int.from_bytes(os.urandom(8), "big")
    capped = config.screening.max_per_minute is not None and caller.number is not None
    try:
        address = f"file:{quote(os.path.abspath(database))}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, timeout=_SITUATION_WAIT)) as connection:
            connection.row_factory = sqlite3.Row
            return Situation(
                seed, pauses(connection, now), recent=_recent(connection, now, caller.number) if capped else {}
            )
    except (sqlite3.Error, ValueError, OverflowError):
        return Situation(seed)


def _recent(connection: sqlite3.Connection, now: float, number: str | None) -> Mapping[str, int]:
    from router.store.history import recent  # where calls are capped: it costs some milliseconds

    return recent(connection, now, str(number))


def _tell_sounds(line: Line, name: str, paths: list[str]) -> None:
    line.set(name, "&".join(path for path in paths if _SAFE_PATH.fullmatch(path)))


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
    """`route.py DATABASE decide|end|left|check`. 0 done, 1 the dialplan is to go on without us.

    `check` needs no Asterisk: it says whether the routes can be read, which `callrouter doctor` wants to know.
    """
    database, what = arguments
    try:
        if what == "check":
            lookup(routes_path(database))
        else:
            {"decide": answer_decide, "end": answer_end, "left": answer_left}[what](Line(), database, time.time())
    except AGIException:
        return 1  # The caller has gone: the hang-up handler calls us again.
    except (RouterError, OSError, ValueError, KeyError) as error:
        # One line for Asterisk's journal. Values may be a caller's number: only our own errors speak.
        print(f"callrouter: {error if isinstance(error, RouterError) else type(error).__name__}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
