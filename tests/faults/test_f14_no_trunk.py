"""F14: a trunk that Asterisk cannot dial over, or that nobody is behind. The next trunk takes the calls, then the
next person is tried, then the caller is told and owed a call: never left in silence."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from sandbox.behaviours import Answer
from sandbox.sip_log import Dialog
from tests.faults.conftest import Fault
from tests.faults.fleet import Fleet, Wave
from tests.integration.site import ALICE, ALONE, BOB, CAROL, IN_TURN, Site

pytestmark = [pytest.mark.asterisk, pytest.mark.fault("F14", "no trunk")]

CALLS = 25
TOLD_WITHIN = 8.0
"""Seconds until a caller hears that nobody can be reached: three people over two trunks, fifty callers at once."""
EVERYBODY = {number: Answer(ring=0.1) for number in (ALICE, BOB, CAROL)}


class Trunks:
    """The contacts of the sandbox's endpoints `trunk` and `backup`."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.file = site.asterisk.etc / "pjsip.conf"
        self.whole = self.file.read_text(encoding="utf-8")

    def remove(self, *names: str) -> None:
        """Asterisk no longer knows where these are."""
        text = self.whole
        for name in names:
            text = re.sub(rf"(\[{name}\]\ntype = aor\n)contact = \S+\n", r"\1", text)
        assert text != self.whole
        self._load(text)
        for name in names:
            self.site.until(lambda name=name: f"{name}/sip:" not in self._contacts(), f"{name} has no contact")  # type: ignore[misc]

    def ask(self, name: str) -> None:
        """Asterisk asks there once a second whether somebody lives."""
        text = self.whole.replace(
            f"[{name}]\ntype = aor\n", f"[{name}]\ntype = aor\nqualify_frequency = 1\nqualify_timeout = 0.5\n"
        )
        assert text != self.whole
        self._load(text)
        self.site.until(lambda: "Avail" in self._contacts(), f"{name} has answered")

    def restore(self) -> None:
        if self.file.read_text(encoding="utf-8") != self.whole:
            self._load(self.whole)
            self.site.until(lambda: "trunk/sip:" in self._contacts(), "the contacts are back")

    def _contacts(self) -> str:
        return self.site.asterisk.cli("pjsip show contacts")

    def _load(self, text: str) -> None:
        self.file.write_text(text, encoding="utf-8")
        self.site.asterisk.cli("module reload res_pjsip.so")


@pytest.fixture
def trunks(site: Site) -> Iterator[Trunks]:
    """Both are as they were, before and afterwards, and the router knows nothing bad of them."""
    if site.router_runs():
        site.stop_router()
    found = Trunks(site)
    yield found
    found.restore()
    site.stack.second_carrier.play({})
    site.stop_router()


def test_without_a_contact_the_next_trunk_takes_every_call(trunks: Trunks, running: Site, fault: Fault) -> None:
    fleet = Fleet(running, mobiles={})
    running.stack.second_carrier.play(EVERYBODY)
    running.stack.second_carrier.forget()
    trunks.remove("trunk")
    fleet.place(CALLS, ALONE, hang_up_after=0.3)
    fleet.place(CALLS, IN_TURN, hang_up_after=0.3)
    fleet.check()
    fault.measured(f"no contact, {2 * CALLS} calls over the next trunk, answered", fleet.all.outcomes()["answered"])
    fault.measured("the last one after", slowest(fleet, 200), "s")
    assert fleet.all.outcomes() == {"answered": 2 * CALLS}
    assert running.carrier.calls() == ()
    assert {dialog.number for dialog in running.stack.second_carrier.calls()} == {ALICE}, "nobody was passed over"
    assert all(row["trunk"] == "second" for row in fleet.all.attempts() if row["result"] == "accepted")


def test_a_trunk_that_is_asked_and_is_silent_is_passed_over(trunks: Trunks, running: Site, fault: Fault) -> None:
    trunks.ask("trunk")
    fleet = Fleet(running, mobiles=EVERYBODY)
    running.stack.second_carrier.play(EVERYBODY)
    down = "event=trunk_down trunk=main"
    before = running.said(down)
    running.carrier.stop()
    running.until(lambda: running.said(down) > before, "the router hears that nobody is there", 30)
    fleet.place(CALLS, ALONE, hang_up_after=0.3)
    fleet.check()
    fault.measured(f"unreachable, {CALLS} calls over the next trunk, answered", fleet.all.outcomes()["answered"])
    fault.measured("the last one after", slowest(fleet, 200), "s")
    assert fleet.all.outcomes() == {"answered": CALLS}
    assert {row["trunk"] for row in fleet.all.attempts()} == {"second"}


@pytest.mark.settle(45)
def test_where_nobody_replies_the_next_person_is_rung_and_the_caller_is_told(
    trunks: Trunks, running: Site, fault: Fault
) -> None:
    """Nobody is behind the trunk and Asterisk does not ask: only the ring's time tells."""
    assert trunks.file.exists()
    fleet = Fleet(running, mobiles={})
    running.carrier.stop()
    fleet.place(CALLS, ALONE), fleet.place(5, IN_TURN)
    fleet.check()
    took = max(dialog.ended_at - dialog.invited_at for dialog in dialogs(fleet) if dialog.ended_at)
    fault.measured("nobody replies, callers are told within", took, "s")
    assert fleet.all.outcomes() == {"unreachable": CALLS + 5}
    assert {who for who, _ in tried(fleet.waves[-1])} == {"alice", "bob", "carol"}
    assert took < 6.0 + 2.0, "the longest wait of the file"
    assert [task["state"] for task in fleet.all.callbacks()] == ["open"] * (CALLS + 5)


def test_without_any_contact_the_callers_are_told_and_owed_a_call(
    trunks: Trunks, running: Site, fault: Fault
) -> None:
    fleet = Fleet(running, mobiles=EVERYBODY)
    running.stack.second_carrier.play(EVERYBODY)
    running.stack.second_carrier.forget()
    trunks.remove("trunk", "backup")
    alone, in_turn = fleet.place(CALLS, ALONE), fleet.place(CALLS, IN_TURN)
    fleet.check()
    took = max(dialog.ended_at - dialog.invited_at for dialog in dialogs(fleet) if dialog.ended_at)
    fault.measured(f"no trunk at all, {2 * CALLS} callers are told within", took, "s")
    assert fleet.all.outcomes() == {"unreachable": 2 * CALLS}
    assert {dialog.final for dialog in dialogs(fleet)} == {503}
    assert took < TOLD_WITHIN
    assert all(dialog.at(180) for dialog in dialogs(fleet)), "they hear ringing until then"
    assert tried(alone) == {("alice", "main"), ("alice", "second")}
    assert tried(in_turn) == {(who, trunk) for who in ("alice", "bob", "carol") for trunk in ("main", "second")}
    assert len(in_turn.attempts()) == 6 * CALLS, "each person once over each trunk"
    assert [task["state"] for task in fleet.all.callbacks()] == ["open"] * 2 * CALLS
    # And it is over when they are back: a trunk that is down is tried all the same when no other takes the call.
    trunks.restore()
    after = fleet.place(5, ALONE, hang_up_after=0.3)
    fleet.check()
    assert after.outcomes() == {"answered": 5}


def dialogs(fleet: Fleet) -> list[Dialog]:
    return [dialog for wave in fleet.waves for dialog in wave.dialogs().values()]


def slowest(fleet: Fleet, what: int) -> float:
    """Seconds from an INVITE to this answer, of the call that waited longest."""
    return max(dialog.took("INVITE", what) for dialog in dialogs(fleet))


def tried(wave: Wave) -> set[tuple[str, str]]:
    return {(row["salesperson"], row["trunk"]) for row in wave.attempts()}
