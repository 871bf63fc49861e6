"""`screening`: what is done with a caller before anybody rings."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import AfterValidator, PlainValidator, ValidationInfo

from router.config import fields as kinds
from router.config.keys import Keys, each_once, filled
from router.config.refusal import refuse, shown
from router.config.ringing import RingKeys, ring
from router.config.source import Text
from router.model import Screening, Vip, Withheld
from router.numbers import read_number, safe_text

MOST_PER_MINUTE: Final = 1000

_PREFIX = re.compile(r"\+[1-9][0-9]{0,13}\*", re.ASCII)
_SPACING = re.compile(r"[ .\-\u00a0\u202f]")


def _callers(value: object, info: ValidationInfo) -> str:
    """A number as E.164, or the beginning of numbers: `+3389*`."""
    known = kinds.names(info)
    if not isinstance(value, Text) or "*" not in value:
        text = kinds.number_text(value)
        found = kinds.read_with(text, known, read_number)
    else:
        text = value
        found = _SPACING.sub("", text)
        if not found.strip("+*"):
            raise refuse(f"{shown(text)} stands for every caller", 'write the beginning of numbers: "+3389*"')
        if not _PREFIX.fullmatch(found):
            mend = 'write it from the plus on, with the * at the end: "+3389*"'
            raise refuse(f"{shown(safe_text(text))} is no beginning of numbers", mend)
    known.callers[id(text)] = found
    return found


def _withheld(value: object) -> Withheld:
    return Withheld(kinds.one_of(value, tuple(Withheld)))


Callers = Annotated[str, PlainValidator(_callers)]
WithheldWord = Annotated[Withheld, PlainValidator(_withheld)]
PerMinute = Annotated[int | None, PlainValidator(kinds.unless_none(kinds.whole(1, MOST_PER_MINUTE), None))]


class VipKeys(Keys):
    numbers: Annotated[tuple[Callers, ...], AfterValidator(each_once)]
    ring: RingKeys


class ScreeningKeys(Keys):
    block: Annotated[tuple[Callers, ...], AfterValidator(each_once)] | None = None
    vips: Annotated[dict[kinds.Id, VipKeys], AfterValidator(filled)] | None = None
    withheld: WithheldWord = Withheld.ALLOW
    max_per_minute: PerMinute = None


def screening(keys: ScreeningKeys, times: RingKeys) -> Screening:
    """The checked value; `times` completes the rings of the VIPs."""
    return Screening(
        block=keys.block or (),
        vips=tuple(Vip(name, one.numbers, ring(one.ring, times)) for name, one in (keys.vips or {}).items()),
        withheld=keys.withheld,
        max_per_minute=keys.max_per_minute,
    )


def covers(pattern: str, numbers: str) -> bool:
    """Whether everything that `numbers` (a number, or a beginning with `*`) stands for is in `pattern`."""
    if pattern.endswith("*"):
        return numbers.rstrip("*").startswith(pattern[:-1])
    return pattern == numbers
