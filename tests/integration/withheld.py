"""Calls that no number tells apart: the row of one is the one that was not there before."""

from __future__ import annotations

from typing import Any, Final

from tests.integration.site import Call, Site

ANONYMOUS: Final = '"Anonymous" <sip:anonymous@anonymous.invalid>'


class Nameless(Call):
    """A call whose caller has no number, or the number of another call. One at a time for each number dialled."""

    def __init__(self, site: Site, did: str, **how: Any) -> None:
        self._did = did
        self._before = {row["id"] for row in site.rows("SELECT id FROM calls")}
        super().__init__(site, site.stack.call(did, how.pop("from_number", "anonymous"), **how), "")

    def rows(self) -> list[dict[str, Any]]:
        """Every row of a call to this number that was not there before."""
        found = self.site.rows("SELECT * FROM calls WHERE did = ? ORDER BY id", self._did)
        return [row for row in found if row["id"] not in self._before]


def withheld(site: Site, did: str, **how: Any) -> Nameless:
    """Somebody calls who withholds the number."""
    return Nameless(site, did, from_header=ANONYMOUS, **how)
