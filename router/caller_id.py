"""How somebody is reached over each trunk, and which number the mobile's screen then shows. Pure.

The order is that of the file, with the trunks that are known to be down behind the others. A way that shows
anything but a number of ours is followed by one over the same trunk that does, for the carrier that refuses the
first for its caller ID. The number of a caller who withholds it is not even known here.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from router.dialled import E164
from router.model import Caller, Config, Did, Reason, Route, Trunk

DID: Final = "did"
CALLER: Final = "caller"
ANONYMOUS: Final = "anonymous"
FIXED: Final = "fixed"


class Look(NamedTuple):
    """What a leg shows and asserts: the part of a Route that is the same for everybody."""

    caller_id: str
    mode: str
    identity: str
    diversion: str
    refused_only: bool


@dataclass(frozen=True, slots=True)
class Way:
    """One trunk, and how legs on it look: the second look only when the carrier refused the first."""

    trunk: Trunk
    looks: tuple[Look, ...]


def find_ways(
    config: Config, rule: str, key: str, did: Did, caller: Caller, down: Set[str], reasons: list[Reason]
) -> tuple[Way, ...]:
    """The trunks in the order in which they are tried. `rule` is the campaign's caller_id, `key` where it stands;
    a trunk's own goes before it.
    """
    owned = did.number in config.by_number
    ours = did.number if owned else next(iter(config.by_number), "")
    told: set[str] = set()
    working, broken = [], []
    for trunk in config.trunks.values():
        where = f"asterisk.trunks.{trunk.id}.caller_id" if trunk.caller_id else key
        mode, shown, text = _shown(trunk.caller_id or rule, ours, owned, caller)
        if where not in told:
            told.add(where)
            reasons.append(Reason(where, text))
        way = Way(trunk, _looks(trunk, mode, shown, ours))
        if trunk.id in down:
            reasons.append(Reason(f"asterisk.trunks.{trunk.id}", "down: tried last"))
            broken.append(way)
        else:
            working.append(way)
    return (*working, *broken)


def routes(number: str, ways: tuple[Way, ...], country: str) -> tuple[Route, ...]:
    """`number`, which stands in campaigns.yaml, over each trunk; `country` is the company's."""
    found = []
    for way in ways:
        trunk = way.trunk
        endpoint = trunk.dial.replace("{number}", _dialled(number, trunk, country))
        for look in way.looks:
            found.append(Route(trunk.id, endpoint, *look))
    return tuple(found)


def _shown(rule: str, ours: str, owned: bool, caller: Caller) -> tuple[str, str, str]:
    """The mode that comes of a rule, what the mobiles show (E.164, or empty for anonymous), and why.

    `did`: the campaign's number that was dialled. A DID that no campaign owns is shown as the first
    configured number and never as it came: whoever sends the INVITE could choose it, and a carrier refuses a
    number that is not the company's, while an anonymous call is one that many mobiles silence. `caller`: the
    caller's own number; anonymous when withheld, as `did` when it is not a full number.
    """
    if rule == DID:
        return DID, ours, "the number dialled" if owned else "the first of our numbers"
    if rule == ANONYMOUS:
        return ANONYMOUS, "", "anonymous"
    if rule != CALLER:
        return FIXED, rule, f"always {rule}"
    if caller.number is None:
        return ANONYMOUS, "", "the caller's, who is withheld: anonymous"
    if E164.fullmatch(caller.number):
        return CALLER, caller.number, "the caller's"
    return DID, ours, "the caller's is no full number: ours"


def _looks(trunk: Trunk, mode: str, shown: str, ours: str) -> tuple[Look, ...]:
    """An anonymous leg asserts a number of ours: the carrier bills somebody, and shows nobody."""
    diversion = ours if trunk.diversion else ""
    asserts = trunk.asserts == "did"
    look = Look(shown, mode, ours if asserts or not shown else "", diversion, refused_only=False)
    if mode == DID or shown == ours:
        return (look,)
    return look, Look(ours, DID, ours if asserts else "", diversion, refused_only=True)


def _dialled(number: str, trunk: Trunk, country: str) -> str:
    if trunk.number_format == "e164":
        return number
    if trunk.number_format == "plain":
        return number.removeprefix("+")
    return _national(number, country)


@lru_cache(maxsize=4096)
def _national(number: str, country: str) -> str:
    """The digits dialled inside `country`: `0612345678`, and `0032470123456` for a number abroad."""
    import phonenumbers  # imported here: it costs, and only trunks that dial nationally need it

    parsed = phonenumbers.parse(number)
    dialled = phonenumbers.format_out_of_country_calling_number(parsed, country)
    return str(phonenumbers.normalize_digits_only(dialled))
