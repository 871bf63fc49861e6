"""One attack on a running site, and the proof that the house stands afterwards."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sandbox.behaviours import BUSY, Behaviour
from sandbox.raw_sip import RawCaller
from sandbox.sip_log import Dialog
from tests.integration.site import ALICE, ALONE, BOB, CAROL, Site, campaigns

DAVE = "+33611223344"
"""Whom the proof of life rings: nobody else's phone."""
SHOWN, HIDDEN, LIVES = "+33184801006", "+33184801007", "+33184801008"
"""Campaigns: the mobiles see the caller's number; they see none; the proof that calls still go through."""
PREMIUM = "+33899123456"
"""What a toll fraud would dial."""
EVERYBODY_BUSY: Mapping[str, Behaviour] = {ALICE: BUSY, BOB: BUSY, CAROL: BUSY}
OUTCOMES = {"answered", "abandoned", "no_answer", "busy", "unreachable", "closed", "failed"}

_NUMBER = re.compile(r"\+?[0-9]{1,32}")


def expose(site: Site) -> None:
    """Open every door there is: all headers are read, callers' numbers are shown, and SHELL() works."""
    content = campaigns(site.asterisk)
    for trunk in content["asterisk"]["trunks"].values():
        trunk["did_from"] = ["exten", "to", "p-called-party-id", "diversion", "x-did"]
    content["salespeople"]["dave"] = {"name": "Dave Roux", "mobile": DAVE}
    content["campaigns"]["shown"] = {"numbers": [SHOWN], "caller_id": "caller", "ring": {"to": ["alice"]}}
    content["campaigns"]["hidden"] = {"numbers": [HIDDEN], "caller_id": "anonymous", "ring": {"to": ["alice"]}}
    content["campaigns"]["lives"] = {"numbers": [LIVES], "ring": {"to": ["dave"]}}
    site.configure(content)
    site.asterisk.load_dialplan(site.stack.generated_dialplan())
    site.asterisk.cli("module load func_shell.so")
    site.start_router()


def bait(site: Site) -> Path:
    """The file that is there once somebody's `SHELL(touch …)` was carried out."""
    return site.folder / "executed"


class Seen:
    """What an attack left behind. Complete once the attack is over."""

    def __init__(self, number: str) -> None:
        self.number = number
        """A caller's number that no other call has, to attack with."""
        self.status = 0
        self.rows: list[dict[str, Any]] = []
        """Its rows of `calls`, each with its caller's `number`."""
        self.invites: tuple[Dialog, ...] = ()
        """What reached the mobiles."""

    @property
    def row(self) -> dict[str, Any]:
        (row,) = self.rows
        return row

    @property
    def rung(self) -> list[str]:
        """The mobiles, in the order in which they were invited."""
        return [invite.number for invite in self.invites]


@contextmanager
def attack(site: Site, mobiles: Mapping[str, Behaviour] | None = EVERYBODY_BUSY) -> Iterator[Seen]:
    """Attack within it. Afterwards: nothing was carried out, nobody was dialled but the salespeople, every row is
    clean, the log too, and the next call goes through. `mobiles` None leaves the trunk to the test."""
    began = datetime.now(UTC).isoformat(timespec="milliseconds")[:23]
    said = len(site.log)
    seen = Seen(f"+{next(site.numbers)}")
    if mobiles is not None:
        site.mobiles({**mobiles, DAVE: BUSY})
    yield seen
    site.quiet()
    if mobiles is None:
        site.mobiles({DAVE: BUSY})
    _lives(site)
    seen.rows = [row for row in _rows(site) if row["started_at"] >= began and row["did"] != LIVES]
    seen.invites = tuple(dialog for dialog in site.carrier.calls() if dialog.number != DAVE)
    _check(site, seen, site.log[said:])


def strike(site: Site, user: str | None = ALONE, *, patience: float = 5.0, **how: Any) -> Seen:
    """One INVITE to mobiles that are all busy; see RawCaller for what it takes. `patience`: seconds until silence
    counts as the refusal that it is; rows are counted later, so that a short one hides nothing."""
    with attack(site) as seen:
        how.setdefault("caller", f"<sip:{seen.number}@127.0.0.1>")
        with RawCaller(site.asterisk.ports.sip, user, **how) as call:
            seen.status = call.status(patience)
    return seen


def talking(site: Site, seen: Seen) -> RawCaller:
    """A call that Alice has taken, and that the database says she has."""
    call = RawCaller(site.asterisk.ports.sip, ALONE, caller=f"<sip:{seen.number}@127.0.0.1>")
    assert call.status() == 200
    until_they_talk(site, seen)
    return call


def until_they_talk(site: Site, seen: Seen) -> None:
    query = "SELECT 1 FROM calls JOIN callers ON callers.id = caller_id WHERE number = ? AND answered_at > ''"
    site.until(lambda: site.rows(query, seen.number), "they talk")


def _rows(site: Site) -> list[dict[str, Any]]:
    return site.rows(
        "SELECT calls.*, callers.number FROM calls JOIN callers ON callers.id = caller_id ORDER BY calls.id"
    )


def _lives(site: Site) -> None:
    """A good call goes through. What was asked of the writer before it is then in the database, and what SIPp saw
    before it is in SIPp's log."""
    number = f"+{next(site.numbers)}"
    with RawCaller(site.asterisk.ports.sip, LIVES, caller=f"<sip:{number}@127.0.0.1>") as call:
        assert call.status() == 486, "the next call goes through"
    site.until(
        lambda: [row for row in _rows(site) if row["number"] == number and row["outcome"] == "busy"], "its row"
    )
    site.until(lambda: site.carrier.calls(DAVE), "its INVITE")
    site.quiet()


def _check(site: Site, seen: Seen, said: str) -> None:
    assert site.asterisk.running
    assert site.router_runs()
    assert not bait(site).exists(), "a caller's text was carried out"
    assert set(seen.rung) <= {ALICE, BOB, CAROL}, "a number that is not in campaigns.yaml was dialled"
    for row in seen.rows:
        check_row(row)
    for dialog in seen.invites:
        check_invite(dialog)
    attempts = site.rows("SELECT call_id FROM attempts WHERE trunk = 'main'")
    ours = {row["id"] for row in seen.rows}
    if seen.invites:
        dialled = sum(attempt["call_id"] in ours for attempt in attempts)
        assert len(seen.invites) == dialled, "each INVITE is an attempt"
    for word in ("Traceback", "internal_error", "database_trouble", "unread_message", "Exception"):
        assert word not in said
    assert seen.number[1:] not in said, "no number of a caller is in the log"
    assert all(line.isprintable() for line in said.splitlines())


def check_row(row: dict[str, Any], path: str = "ari") -> None:
    """Clean, and written by the line of defence that `path` names."""
    assert 0 < len(row["did"]) <= 40
    assert row["did"].isprintable()
    assert row["outcome"] in OUTCOMES
    assert row["ended_at"] >= row["started_at"]
    assert row["path"] == path
    assert row["number"] is None or _NUMBER.fullmatch(row["number"])


def check_invite(dialog: Dialog) -> None:
    """Nothing of the caller's but (where the campaign says so) his number reaches the mobile."""
    for name, value in dialog.invite.headers:
        assert name.lower() not in ("diversion", "x-evil", "x-did", "remote-party-id", "history-info")
        assert value.isascii()
        assert value.isprintable()
        if name in ("From", "P-Asserted-Identity"):
            shown = re.match(r'(?:"Anonymous" )?<sip:(\+[0-9]{8,15}|anonymous)@', value)
            assert shown, value
