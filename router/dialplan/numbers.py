"""Where the number that was dialled stands, and whose it is. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from router.dialplan.shapes import ENDPOINT, HEADER, ID, NUMBER, checked
from router.model import Config, Trunk

DIVERSIONS: Final = 5
"""Diversion headers that are read: each forwarder adds one."""
LONGEST_HEADER: Final = 512
"""Characters of a header that are handed on; of Diversion's values together, LONGEST_DIVERSION. What URIENCODE
makes of one (three times as long at most) must fit Asterisk's 4,096 characters for a function's value."""
LONGEST_DIVERSION: Final = 1200


def header_sources(config: Config) -> tuple[str, ...]:
    """The headers that some trunk's `did_from` names, lower case, each once."""
    sources = (source for trunk in config.trunks.values() for source in trunk.did_from if source != "exten")
    return tuple(dict.fromkeys(checked(HEADER, source) for source in sources))


def header_lines(config: Config) -> Iterator[str]:
    """Reads them; as `,name=value` in CALLROUTER_HEADERS they become arguments of Stasis().

    Not when every trunk looks at the extension first and that is one of our numbers: it decides, whatever the
    headers say.
    """
    headers = header_sources(config)
    yield from ("", "[callrouter-headers]", "exten => s,1,Set(CALLROUTER_HEADERS=)")
    if headers and all(trunk.did_from[0] == "exten" for trunk in config.trunks.values()):
        yield " same => n,Set(CALLROUTER_TEXT=${CALLROUTER_EXTEN})"
        yield " same => n,Gosub(callrouter-lookup,s,1)"
        yield ' same => n,GotoIf($["${CALLROUTER_FOUND}" != ""]?done)'
    for index, header in enumerate(headers, 1):
        yield from _header(index, header)
    yield " same => n(done),Return()"


def _header(index: int, header: str) -> Iterator[str]:
    """Its length is all that may be compared: a quote in it would end the expression's text."""
    name = f"CALLROUTER_H_{index}"
    yield f" same => n,Set({name}=${{PJSIP_HEADER(read,{header})}})"
    yield f" same => n,GotoIf($[${{LEN(${{{name}}})}} = 0]?without{index})"
    if header == "diversion":
        for nth in range(2, DIVERSIONS + 1):
            yield f" same => n,Set(LOCAL(more)=${{PJSIP_HEADER(read,{header},{nth})}})"
            yield f" same => n,GotoIf($[${{LEN(${{more}})}} = 0]?with{index})"
            yield f" same => n,Set({name}=${{{name}}},${{more}})"
    longest = LONGEST_DIVERSION if header == "diversion" else LONGEST_HEADER
    value = f"${{URIENCODE(${{{name}:0:{longest}}})}}"
    yield f" same => n(with{index}),Set(CALLROUTER_HEADERS=${{CALLROUTER_HEADERS}},{header}={value})"
    yield f" same => n(without{index}),NoOp()"


def did_lines(config: Config) -> Iterator[str]:
    """Tries the sources of the trunk on which the call came in; of the first trunk when that is unknown."""
    headers = header_sources(config)
    trunks = list(config.trunks.values())
    yield from ("", "[callrouter-did]")
    yield "exten => s,1,Set(LOCAL(endpoint)=${FILTER(0-9A-Za-z_.@+,${CALLROUTER_ENDPOINT})})"
    for index, trunk in enumerate(trunks):
        if index:
            name = checked(ENDPOINT, trunk.endpoint).replace("-", "")
            yield f' same => n,GotoIf($["${{endpoint}}" = "{name}"]?trunk{index})'
    for index, trunk in enumerate(trunks):
        yield from _sources(trunk, index, headers)
    yield " same => n(done),Return()"


def _sources(trunk: Trunk, index: int, headers: tuple[str, ...]) -> Iterator[str]:
    yield f" same => n(trunk{index}),NoOp({checked(ID, trunk.id)})"
    for source in trunk.did_from:
        if source == "exten":
            yield " same => n,Set(CALLROUTER_TEXT=${CALLROUTER_EXTEN})"
        else:
            yield f" same => n,Set(CALLROUTER_TEXT=${{CALLROUTER_H_{headers.index(source) + 1}}})"
            yield " same => n,Gosub(callrouter-user-part,s,1)"
        yield " same => n,Gosub(callrouter-lookup,s,1)"
        yield ' same => n,GotoIf($["${CALLROUTER_FOUND}" != ""]?done)'
    yield " same => n,Goto(done)"


def number_lines(config: Config) -> Iterator[str]:
    """One line a number, in a context for each pair of last digits.

    Asterisk keeps a context's extensions in one sorted list: 20,000 in one take 1.3 s to load and 100,000 over
    half a minute; 100,000 spread like this take 0.4 s (measured on 22.10).
    """
    context = {campaign.id: index for index, campaign in enumerate(config.campaigns.values(), 1)}
    shards: dict[str, list[str]] = {}
    for number, campaign in config.by_number.items():
        digits = checked(NUMBER, number)[1:]
        line = f"exten => {digits},1,Goto(callrouter-campaign-{context[campaign.id]},s,1)"
        shards.setdefault(digits[-2:], []).append(line)
    for shard in sorted(shards):
        yield from ("", f"[callrouter-numbers-{shard}]", *shards[shard])
