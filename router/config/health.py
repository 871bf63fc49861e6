"""`health`: where the router answers monitoring."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Annotated, Final

from pydantic import PlainValidator

from router.config.fields import scalar
from router.config.keys import Keys
from router.config.refusal import refuse, shown
from router.model import Health

HOST: Final = "127.0.0.1"
PORT: Final = 9180


def _listen(value: object) -> tuple[str, int]:
    mend = f'write an address and a port, such as "{HOST}:{PORT}" or "[::1]:{PORT}"'
    text = scalar(value, mend)
    found = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]{2,45})\]|([0-9.]{7,15})):([0-9]{1,5})", text, re.ASCII)
    try:
        if found is None or not 0 < int(found[3]) < 65536:
            raise ValueError
        host = ip_address(found[1] or found[2])
        if (host.version == 6) != bool(found[1]):
            raise ValueError
    except ValueError:
        raise refuse(f"{shown(text)} is no address and port", mend) from None
    return str(host), int(found[3])


class HealthKeys(Keys):
    listen: Annotated[tuple[str, int], PlainValidator(_listen)] = (HOST, PORT)

    def health(self) -> Health:
        return Health(*self.listen)
