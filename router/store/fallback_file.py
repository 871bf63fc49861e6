"""Reading one file that the static dialplan left for one call. Pure.

Lines of `key=value&key=value`, each value percent-encoded by Asterisk's URIENCODE (a bare plus is a plus),
the later line adding to the earlier. What the keys mean: docs of the generated dialplan,
asterisk_conf/extensions.conf.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from router.callbacks import wish
from router.dialled import DID_LIMIT
from router.model import (
    AttemptRecord,
    CallRecord,
    Config,
    HangupBy,
    Inbound,
    Outcome,
    Path,
    Result,
)
from router.numbers import safe_text
from router.outcome import call_outcome, leg_result
from router.routing import find_caller
from router.store.ids import attempt_id
from router.store.operations import CallEnded
from router.store.times import LATEST

LONGEST_LINE: Final = 8 * 1024
"""Characters; the dialplan's lines have a few hundred."""
_LONGEST_VALUE: Final = 1024
_MOST_LEGS: Final = 31
_UNKNOWN_ENDS: Final = frozenset({"", "CANCEL"})
"""DIALSTATUS when the caller left while somebody rang."""
_GATE: Final = {"NOT_ACCEPTED": Result.NOT_ACCEPTED, "DECLINED": Result.DECLINED}
"""What the gate says of a leg that was answered."""
_PARTS: Final = 10


@dataclass(frozen=True, slots=True)
class Left:
    """What a file says: the keys of its one call (none when no line could be read), and the lines that are
    bad.
    """

    keys: Mapping[str, str]
    bad: tuple[str, ...]

    @property
    def ended(self) -> bool:
        return bool(self.keys.get("end"))


def parse(text: str) -> Left:
    """Merge the lines; a bad one is one that is cut short, too long, without `key=value`, or of another
    call.
    """
    keys: dict[str, str] = {}
    bad: list[str] = []
    for line in text.split("\n"):
        if not line.strip():
            continue
        read = _line(line)
        if read is None or read["id"] != keys.get("id", read["id"]):
            bad.append(line)
        else:
            keys.update(read)
    return Left(keys, tuple(bad))


def to_operation(keys: Mapping[str, str], call_id: str, config: Config, until: float) -> CallEnded:
    """The call's end. `until`: when it ended if the file does not say (epoch seconds).

    Raises ValueError when what must be there is not, or is no time, or names an outcome that does not exist.
    """
    start = _time(keys["start"])
    end = max(_optional_time(keys.get("end")) or until, start)
    answer = _answer(keys, start, end)
    path = Path(keys.get("path") or Path.DIALPLAN)
    attempts = _attempts(_legs(keys), call_id, path, end)
    outcome = _outcome(keys, answer, attempts)
    caller = find_caller(config, _inbound(keys))
    campaign = config.campaigns.get(keys["campaign"], config.unknown)
    call = CallRecord(
        id=call_id,
        started_at=start,
        did=safe_text(keys["did"], DID_LIMIT) or "unknown",
        campaign=campaign.id,
        caller=caller,
        path=path,
        config_version=safe_text(keys.get("version", "")) or config.version,
        node=config.node,
        channel=keys["id"],
        outcome=outcome,
        salesperson=safe_text(keys.get("salesperson", "")) or None if answer is not None else None,
        answered_at=answer,
        ended_at=end,
        ring_seconds=(end if answer is None else answer) - start,
        talk_seconds=0.0 if answer is None else end - answer,
        hangup_by=HangupBy(keys["hangup_by"]) if keys.get("hangup_by") else None,
        cause=_integer(keys.get("cause", "")),
    )
    hours = config.hours.get(campaign.hours) if campaign.hours is not None else None
    return CallEnded(call, attempts, wish(campaign, hours, caller, outcome, end))


def start_of(keys: Mapping[str, str]) -> float:
    """When the call arrived. Raises ValueError when a key that must be there is missing or wrong."""
    for key in ("id", "start", "did", "campaign"):
        if not keys.get(key):
            raise ValueError(f"{key} is missing")
    return _time(keys["start"])


def _line(line: str) -> dict[str, str] | None:
    if len(line) > LONGEST_LINE:
        return None
    read: dict[str, str] = {}
    for pair in line.strip().split("&"):
        key, equals, value = pair.partition("=")
        plain = unquote(value, errors="replace")
        if not equals or not key.isidentifier() or len(plain) > _LONGEST_VALUE or not plain.isprintable():
            return None
        read[key] = plain
    return read if read.get("id") else None


def _inbound(keys: Mapping[str, str]) -> Inbound:
    presentation = keys.get("pres", "").lower()
    return Inbound(
        exten=keys["did"],
        endpoint="",
        headers={},
        caller_number=keys.get("caller", ""),
        caller_name="",
        withheld=presentation.startswith(("prohib", "unavail")),
    )


def _answer(keys: Mapping[str, str], start: float, end: float) -> float | None:
    """When a human took it: said, or the talk's length before the end."""
    said = _optional_time(keys.get("answer"))
    if said is not None:
        return min(max(said, start), end)
    talk = float(keys.get("talk") or 0.0)
    if not math.isfinite(talk):
        raise ValueError("talk is no duration")
    return max(end - talk, start) if talk > 0 else None


def _legs(keys: Mapping[str, str]) -> list[str]:
    """`leg1`, `leg2` … in the order in which they began; `legs` is the one list of earlier dialplans."""
    said = [keys.get(f"leg{index}", "") for index in range(1, _MOST_LEGS + 2)]
    written = [each for each in (*keys.get("legs", "").split(","), *said) if each.strip(": ")]
    if len(written) > _MOST_LEGS:
        raise ValueError("more legs than a call can have")
    return sorted(written, key=lambda leg: _time(f"{leg}::".split(":")[2]))


def _attempts(legs: list[str], call_id: str, path: Path, end: float) -> tuple[AttemptRecord, ...]:
    return tuple(_attempt(each, call_id, seq, path, end) for seq, each in enumerate(legs, start=1))


def _attempt(leg: str, call_id: str, seq: int, path: Path, end: float) -> AttemptRecord:
    """`salesperson:trunk:start:answer:end:dialstatus:cause:sip:accepted:caller_id`; the last may be missing."""
    parts = leg.split(":")
    if len(parts) > _PARTS:
        raise ValueError("a leg has more parts than it should")
    salesperson, trunk, start, answer, ended, said, cause, sip, accepted, mode = (
        *parts,
        *[""] * (_PARTS - len(parts)),
    )
    answered_at = _optional_time(answer)
    result = _result(said, _integer(sip), _integer(cause) or 0)
    pressed_at = _optional_time(accepted) or answered_at
    return AttemptRecord(
        id=attempt_id(call_id, seq, path),
        seq=seq,
        salesperson=safe_text(salesperson),
        trunk=safe_text(trunk),
        started_at=_time(start),
        answered_at=answered_at,
        accepted_at=pressed_at if result is Result.ACCEPTED else None,
        ended_at=_optional_time(ended) or end,
        result=result,
        cause=_integer(cause),
        sip_status=_integer(sip),
        caller_id=safe_text(mode) or None,
    )


def _result(said: str, sip: int | None, cause: int) -> Result:
    """Asterisk's DIALSTATUS, or what the gate wrote down. ANSWER stands only where a human's yes was heard."""
    if said == "ANSWER":
        return Result.ACCEPTED
    if said in _UNKNOWN_ENDS:
        return Result.CANCELLED
    return _GATE.get(said) or leg_result(sip_status=sip, dialstatus=said, cause=cause, rang=True)


def _outcome(keys: Mapping[str, str], answer: float | None, attempts: tuple[AttemptRecord, ...]) -> Outcome:
    """Said, or answered, or what the legs came to; the caller who left while somebody rang abandoned."""
    if keys.get("outcome"):
        return Outcome(keys["outcome"])
    if answer is not None:
        return Outcome.ANSWERED
    if not keys.get("end"):
        return Outcome.FAILED
    results = [each.result for each in attempts if each.result is not None]
    if keys.get("hangup_by") == HangupBy.CALLER or keys.get("dialstatus") == "CANCEL":
        return Outcome.ABANDONED
    if results:
        return Outcome.ABANDONED if results[-1] is Result.CANCELLED else call_outcome(results)
    if keys.get("dialstatus"):
        return call_outcome([leg_result(sip_status=None, dialstatus=keys["dialstatus"], cause=0, rang=True)])
    return Outcome.FAILED


def _time(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds < LATEST:
        raise ValueError("no time")
    return seconds


def _optional_time(text: str | None) -> float | None:
    """None for what is empty; 0 stands for never in Asterisk's variables."""
    return _time(text) or None if text else None


def _integer(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else None
