"""How a leg's end, and then a call's end, are named: one table each. Pure.

What Asterisk says of a dead leg comes in several voices. The SIP status is the carrier's own word and is believed
first; then Asterisk's dial status; then the Q.850 cause, which gateways fill carelessly.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from router.model import Outcome, Result

#: SIP final status (RFC 3261 section 21) -> result. A status that is not named goes by its class, below.
SIP_RESULT: Final = {
    403: Result.UNREACHABLE,  # forbidden: the carrier refuses to place it
    404: Result.UNREACHABLE,
    408: Result.UNREACHABLE,  # nobody answered the INVITE at all (a leg that rang: NO_ANSWER, see leg_result)
    410: Result.UNREACHABLE,
    480: Result.NO_ANSWER,  # temporarily unavailable: what mobile carriers send for 'rang out' and 'switched off'
    484: Result.UNREACHABLE,
    486: Result.BUSY,
    487: Result.CANCELLED,
    488: Result.UNREACHABLE,
    600: Result.BUSY,
    603: Result.DECLINED,
    604: Result.UNREACHABLE,
    606: Result.UNREACHABLE,
    607: Result.DECLINED,  # unwanted (RFC 8197)
    608: Result.DECLINED,  # rejected by an intermediary (RFC 8688)
}

#: What a carrier answers to a caller ID that it does not take: forbidden, anonymity disallowed (RFC 5079), and the
#: refusals of STIR (RFC 8224) and of a call's characteristics.
CALLER_ID_REFUSED: Final = frozenset((403, 433, 436, 437, 438, 606))

#: Asterisk's DIALSTATUS -> result.
DIALSTATUS_RESULT: Final = {
    "BUSY": Result.BUSY,
    "NOANSWER": Result.NO_ANSWER,
    "CANCEL": Result.CANCELLED,
    "CONGESTION": Result.UNREACHABLE,
    "CHANUNAVAIL": Result.UNREACHABLE,
    "DONTCALL": Result.DECLINED,
    "TORTURE": Result.DECLINED,
    "INVALIDARGS": Result.FAILED,
}

#: ITU-T Q.850 cause -> result.
CAUSE_RESULT: Final = {
    1: Result.UNREACHABLE,  # unallocated number
    2: Result.UNREACHABLE,
    3: Result.UNREACHABLE,
    17: Result.BUSY,
    18: Result.NO_ANSWER,  # no user responding
    19: Result.NO_ANSWER,  # no answer, user alerted
    20: Result.UNREACHABLE,  # subscriber absent
    21: Result.DECLINED,
    22: Result.UNREACHABLE,
    27: Result.UNREACHABLE,
    28: Result.UNREACHABLE,
    34: Result.UNREACHABLE,
    38: Result.UNREACHABLE,
    41: Result.UNREACHABLE,
    42: Result.UNREACHABLE,
    50: Result.UNREACHABLE,
    55: Result.UNREACHABLE,
    57: Result.UNREACHABLE,
    58: Result.UNREACHABLE,
    88: Result.UNREACHABLE,
    102: Result.NO_ANSWER,  # recovery on timer expiry
    127: Result.UNREACHABLE,
}


def leg_result(*, sip_status: int | None, dialstatus: str, cause: int, rang: bool) -> Result:
    """The result of a leg that ended by itself before a human accepted it.

    `sip_status` is the carrier's final status where known, `dialstatus` Asterisk's (may be empty), `cause` Q.850
    (0 where unknown), `rang` whether the far end ever reported ringing.
    """
    result = None
    if sip_status is not None and sip_status >= 300:
        result = SIP_RESULT.get(sip_status, Result.UNREACHABLE)
    if result is None:
        result = DIALSTATUS_RESULT.get(dialstatus) or CAUSE_RESULT.get(cause)
    if result is None:
        # Hung up without a word: a phone that rang was put down, one that never did was not reached.
        return Result.NO_ANSWER if rang else Result.UNREACHABLE
    if result is Result.UNREACHABLE and sip_status == 408 and rang:
        return Result.NO_ANSWER
    if result is Result.CANCELLED:
        # We did not cancel it (a leg that we cancel is named by us): the far end gave up.
        return Result.NO_ANSWER if rang else Result.UNREACHABLE
    return result


def call_outcome(results: Iterable[Result]) -> Outcome:
    """The outcome of a hunt that reached nobody, in the contract's order: no_answer, busy, unreachable, failed.

    No leg at all is `unreachable`.
    """
    seen = set(results)
    if seen & {Result.NO_ANSWER, Result.NOT_ACCEPTED}:
        return Outcome.NO_ANSWER
    if seen & {Result.BUSY, Result.DECLINED}:
        return Outcome.BUSY
    if seen and seen <= {Result.FAILED, Result.CANCELLED}:
        return Outcome.FAILED
    return Outcome.UNREACHABLE


#: What the caller's phone is told when the router ends its call: the `reason` of ARI's channel hang-up.
CALLER_REASON: Final = {
    Outcome.ANSWERED: "normal",
    Outcome.VOICEMAIL: "normal",
    Outcome.ABANDONED: "normal",
    Outcome.NO_ANSWER: "no_answer",
    Outcome.BUSY: "busy",
    Outcome.UNREACHABLE: "congestion",
    Outcome.CLOSED: "no_answer",
    Outcome.BLOCKED: "busy",
    Outcome.FAILED: "congestion",
}

#: Q.850 causes of those reasons, for the call's row.
REASON_CAUSE: Final = {"normal": 16, "no_answer": 19, "busy": 17, "congestion": 34}
