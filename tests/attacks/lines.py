"""One line of defence alone, and the proof that an attack on it led nowhere."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from router.config import load
from router.store.fallback_import import import_fallback
from router.store.writer import Writer
from sandbox.behaviours import Behaviour, Refuse
from sandbox.phones import Carrier
from sandbox.raw_sip import RawCaller
from sandbox.sip_log import Dialog
from tests.integration.attack import bait, check_invite, check_row
from tests.integration.site import ALICE, BOB, CAROL, Site

OURS = {ALICE, BOB, CAROL}
BUSY: Final = Refuse(486, ring=0.1)
"""Of a mobile that refuses within 3 ms, beside 40 others, Asterisk sometimes tells neither status nor cause."""
SALESPEOPLE: Final[Mapping[str, Behaviour]] = {ALICE: BUSY, BOB: BUSY, CAROL: Refuse(503)}
"""What they do on the first trunk: with the 503 Carol is dialled over the second one too."""
SILENCE = 0.5
"""Seconds in which Asterisk says `100 Trying` to whatever it reads at all."""

AT_ONCE = {"ari": 40, "agi": 3, "dialplan": 40}
"""Calls at once. Of the AGI script each is a process of its own."""
WRITTEN_BY = {"ari": {"ari"}, "agi": {"agi", "dialplan"}, "dialplan": {"dialplan"}}
"""Line -> whose rows there may be: on a busy machine the script may come too late: the dialplan takes the call."""

_ROWS = "SELECT calls.*, callers.number FROM calls JOIN callers ON callers.id = caller_id ORDER BY calls.id"


def _placed(carrier: Carrier, invites: int) -> bool:
    return len(carrier.calls()) >= invites


class Line:
    """Calls that only this line routes: `ari` the router, `agi` the script, `dialplan` the dialplan alone."""

    def __init__(self, site: Site, path: str) -> None:
        self.site = site
        self.path = path
        self._before: set[str] = set()
        self._said = 0

    def enter(self) -> None:
        """Make it the one that routes calls, and forget what was before."""
        if self.site.router_runs() and self.path != "ari":
            self.site.stop_router()
        script = self.site.folder / "generated" / "callrouter-agi"
        if (self.path == "dialplan") is script.exists():
            self.site.asterisk.load_dialplan(self.site.stack.generated_dialplan())
            if self.path == "dialplan":
                script.unlink()
        if not self.site.router_runs() and self.path == "ari":
            self.site.start_router()
        self.forget()

    def forget(self, mobiles: Mapping[str, Behaviour] = SALESPEOPLE) -> None:
        """What the salespeople do from now on; only what comes after is looked at."""
        self.site.quiet()
        self.site.mobiles(mobiles)
        self.site.stack.second_carrier.play({CAROL: BUSY})
        self.site.stack.second_carrier.forget()
        self._before = {row["id"] for row in self.site.rows(_ROWS)}
        self._said = len(self.site.log)

    def call_all(self, calls: Sequence[Mapping[str, Any]]) -> list[int]:
        """These INVITEs, as many at once as the line takes (see RawCaller); the final status of each, 0 where
        Asterisk does not answer."""
        many = AT_ONCE[self.path]
        return [status for at in range(0, len(calls), many) for status in self._batch(calls[at : at + many])]

    def _batch(self, calls: Sequence[Mapping[str, Any]]) -> list[int]:
        placed: list[RawCaller] = []
        try:
            for call in calls:
                placed.append(RawCaller(self.site.asterisk.ports.sip, **call))
            silent = time.monotonic() + SILENCE
            statuses = []
            for each in placed:
                status = each.status(max(silent - time.monotonic(), 0.01))
                statuses.append(status or (each.status(20) if each.seen else 0))
            return statuses
        finally:
            for each in placed:
                each.close()

    def rows(self) -> list[dict[str, Any]]:
        """The rows that came since."""
        return [row for row in self.site.rows(_ROWS) if row["id"] not in self._before]

    def held(self, calls: int) -> list[dict[str, Any]]:
        """The rows of so many calls. Whatever was sent: each of these is one clean row with an outcome, nobody was
        dialled but the salespeople, nothing was carried out, and the log has neither trouble nor a control."""
        site, rows = self.site, self.ended(calls)
        self._only_salespeople(rows)
        assert site.asterisk.running
        assert not bait(site).exists(), "a caller's text was carried out"
        said = site.log[self._said :]
        assert all(line.isprintable() for line in said.splitlines())
        for word in ("Traceback", "internal_error", "database_trouble"):
            assert word not in said
        return rows

    def ended(self, calls: int) -> list[dict[str, Any]]:
        """The rows of so many calls once they are over, each of them one clean row."""
        self.site.quiet()
        self.site.until(lambda: self._ended() >= calls, f"{calls} rows", 30)
        rows = self.rows()
        assert len(rows) == calls, "one call is one row"
        paths = {row["path"] for row in rows}
        assert not calls or self.path in paths
        assert paths <= WRITTEN_BY[self.path]
        for row in rows:
            check_row(row, row["path"])
        return rows

    def invites(self) -> tuple[Dialog, ...]:
        """What has come out of Asterisk since, on either trunk."""
        return (*self.site.carrier.calls(), *self.site.stack.second_carrier.calls())

    def _only_salespeople(self, rows: list[dict[str, Any]]) -> None:
        ours = {row["id"] for row in rows}
        every = self.site.rows("SELECT call_id, trunk FROM attempts")
        trunks = [each["trunk"] for each in every if each["call_id"] in ours]
        second: Carrier = self.site.stack.second_carrier
        for carrier, trunk in ((self.site.carrier, "main"), (second, "second")):
            self.site.until(partial(_placed, carrier, trunks.count(trunk)), "the INVITEs")
            assert len(carrier.calls()) == trunks.count(trunk), "each INVITE is an attempt of one of the calls"
        for dialog in self.invites():
            assert dialog.number in OURS, "a number that is not in campaigns.yaml was dialled"
            check_invite(dialog)

    def _ended(self) -> int:
        """How many rows have an outcome."""
        if self.path != "ari":
            self._take_in()
        return sum(row["outcome"] is not None for row in self.rows())

    def _take_in(self) -> None:
        """What a router that comes back does with what the dialplan left."""
        config = load(str(self.site.config))
        writer = Writer(config.database, node=config.node, on_trouble=lambda _: None)
        writer.start()
        try:
            import_fallback(writer, config, now=time.time())
        finally:
            assert writer.close(20)
