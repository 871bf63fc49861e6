"""What a leg shows of whose call it is, as the channel variables that Asterisk is given with it. Pure.

Asterisk hands its originator's name, presentation and Diversion on to a leg, and its number too unless the leg is
given another: what a caller put into them ends here.
"""

from __future__ import annotations

from typing import Final

from router.model import Route, Trunk

#: A dialplan context that does not exist: where a redirect (302) or a transfer (REFER) from the mobile's side ends.
NOWHERE: Final = "callrouter-nowhere"

#: How a trunk wants the number asserted -> the header (RFC 3325; Remote-Party-ID is its predecessor, a draft that
#: many gateways still read).
_HEADERS: Final = {"pai": "P-Asserted-Identity", "rpid": "Remote-Party-ID"}


def asserted_in(trunk: Trunk | None) -> str:
    """The header in which our own number is asserted on this trunk; empty where Asterisk asserts what is shown."""
    return _HEADERS.get(trunk.identity, "") if trunk is not None and trunk.asserts == "did" else ""


def dress(route: Route, trunk: Trunk | None, ours: str) -> dict[str, str]:
    """The variables of a leg over `route`. `ours` is one of our numbers: whose call an anonymous leg is.

    The number asserted is what is shown, by Asterisk itself (`send_pai`, `send_rpid`); where the trunk wants our
    own number asserted whatever is shown (`asserts: did`) the header is written here, and the endpoint sends none.
    """
    withheld = not route.caller_id
    number = number_of(route, ours)
    variables = {
        "CONNECTEDLINE(name,i)": "",
        "CONNECTEDLINE(num,i)": number,
        "CONNECTEDLINE(pres,i)": "prohib" if withheld else "allowed",
        "REDIRECTING(from-name,i)": "",
        "FORWARD_CONTEXT": NOWHERE,
        "TRANSFER_CONTEXT": NOWHERE,
    }
    if route.diversion:
        variables["REDIRECTING(from-num,i)"] = route.diversion
        variables["REDIRECTING(reason,i)"] = "unconditional"
        # None is sent of a call that was never redirected.
        variables["REDIRECTING(count,i)"] = "1"
    else:
        variables["REDIRECTING(from-num-valid,i)"] = "0"
    header = asserted_in(trunk)
    if header:
        asserted = f"<tel:{route.identity or number}>"
        if header == "Remote-Party-ID":
            # Its parameters say what Privacy says of the other: who reads the one need not read the other.
            asserted += f";party=calling;privacy={'full' if withheld else 'off'};screen=no"
        elif withheld:
            variables["PJSIP_HEADER(add,Privacy)"] = "id"
        variables[f"PJSIP_HEADER(add,{header})"] = asserted
    return variables


def number_of(route: Route, ours: str) -> str:
    """The caller ID number of the leg's channel: never the caller's when the leg is anonymous."""
    return route.caller_id or route.identity or ours
