"""A salesperson dials one of our numbers from the mobile: the PIN, the menu, what it does. Real Asterisk."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from sandbox.behaviours import BUSY, Answer
from sandbox.phones import Placed
from tests.integration.recordings import in_order, prompts
from tests.integration.site import ALICE, BOB, CAROL, Site, campaigns

pytestmark = pytest.mark.asterisk

DID, OTHERS = "+33184801051", "+33184801052"
ALICES_PIN, BOBS_PIN = "471183", "90210"
CALLER: Final = 700
TONES: Final = {
    "enter-pin": 1100,
    "wrong-pin": 1200,
    "no-menu": 1300,
    "available": 1400,
    "paused": 1500,
    "menu": 1600,
    "no-callbacks": 1700,
    "callbacks-open": 1800,
    "goodbye": 1900,
    "count-2": 2000,
}
"""Hz: what stands for each prompt."""


@pytest.fixture(scope="module", autouse=True)
def lines(site: Site) -> None:
    content = campaigns(site.asterisk, pins_file="secrets/pins")
    content["campaigns"] = {
        "ours": {"numbers": [DID], "ring": {"to": ["alice", "bob"]}},
        "others": {"numbers": [OTHERS], "ring": {"to": ["carol"]}},
    }
    pins = site.config.parent / "secrets" / "pins"
    pins.parent.mkdir(exist_ok=True)
    pins.write_text(f'alice: "{ALICES_PIN}"\nbob: "{BOBS_PIN}"\n', encoding="utf-8")
    pins.chmod(0o600)
    prompts(site.config.parent, "fr", TONES)
    site.configure(content)


class Line:
    """One call to the menu, and what its owner hears."""

    def __init__(self, site: Site, mobile: str, **how: Any) -> None:
        self.site = site
        self._before = {row["id"] for row in site.rows("SELECT id FROM staff_calls")}
        self.placed: Placed = site.stack.call(DID, mobile, tone=CALLER, **how)

    def hears(self, *prompts: str) -> None:
        """Wait until the last of these has been heard; the others have been before it, in this order."""
        last = TONES[prompts[-1]]
        self.site.until(lambda: self.placed.heard().tone(last) > 0.2, f"{prompts[-1]} is heard")
        heard = self.placed.heard()
        assert in_order(heard, *(TONES[prompt] for prompt in prompts))

    def heard(self, prompt: str) -> bool:
        return self.placed.heard().tone(TONES[prompt]) > 0

    def press(self, keys: str) -> None:
        self.placed.press(keys)

    def acts(self, key: str, prompt: str) -> None:
        """Press a key of the menu, and hear once more than before what it says."""
        before = self.placed.heard().tone(TONES[prompt])
        self.press(key)
        self.site.until(lambda: self.placed.heard().tone(TONES[prompt]) > before + 0.2, f"{prompt} for {key}")

    def ended(self) -> dict[str, Any]:
        """Its row in staff_calls, the only one that came."""
        self.placed.wait(15)
        query = "SELECT * FROM staff_calls ORDER BY started_at"
        found = self.site.until(
            lambda: [row for row in self.site.rows(query) if row["id"] not in self._before], "the row of the call"
        )
        assert len(found) == 1
        return found[0]


def state(site: Site, person: str) -> str:
    said = site.run("people", "list", "--format", "json")
    assert said.returncode == 0, said.stderr
    return next(str(row["state"]) for row in json.loads(said.stdout) if row["id"] == person)


def test_pause_and_resume_with_the_right_pin(running: Site) -> None:
    calls = len(running.rows("SELECT id FROM calls"))
    running.mobiles({})
    line = Line(running, ALICE)
    line.hears("enter-pin")
    line.press(f"{ALICES_PIN}#")
    line.hears("enter-pin", "available", "menu")
    line.acts("1", "paused")
    line.acts("9", "goodbye")
    row = line.ended()
    assert (row["salesperson"], row["did"], row["verified"], row["node"]) == ("alice", DID, 1, "test")
    assert row["actions"] == "pause"
    assert len(running.rows("SELECT id FROM calls")) == calls, "it is no lead"
    running.until(lambda: state(running, "alice") == "paused", "Alice is paused")
    running.mobiles({ALICE: Answer(0.1), BOB: Answer(0.1)})
    while_paused = running.call(DID, hang_up_after=0.1)
    while_paused.ended()
    assert while_paused.results() == [("bob", "accepted")]
    assert running.carrier.calls(ALICE) == ()
    line = Line(running, ALICE)
    line.hears("enter-pin")
    line.press(ALICES_PIN)
    line.hears("enter-pin", "paused", "menu")
    line.acts("2", "available")
    line.press("9")
    assert line.ended()["actions"] == "resume"
    running.until(lambda: state(running, "alice") == "available", "Alice is back")
    again = running.call(DID, hang_up_after=0.1)
    again.ended()
    assert again.results() == [("alice", "accepted")]


def test_the_number_of_open_callbacks_of_ones_own_campaigns(running: Site) -> None:
    running.mobiles({ALICE: BUSY, BOB: BUSY, CAROL: BUSY})
    line = Line(running, ALICE, keys=f"w{ALICES_PIN}w3ww9")
    line.hears("no-callbacks", "goodbye")
    assert line.ended()["actions"] == "callbacks"
    missed = [running.call(did) for did in (DID, DID, OTHERS)]
    assert [call.ended()["outcome"] for call in missed] == ["busy"] * 3
    assert [len(call.callbacks()) for call in missed] == [1, 1, 1]
    line = Line(running, ALICE)
    line.hears("enter-pin")
    line.press(ALICES_PIN)
    line.hears("available")
    line.press("3")
    line.hears("count-2", "callbacks-open")
    line.press("9")
    assert line.ended()["actions"] == "callbacks"


def test_whoever_has_no_pin_has_no_menu(running: Site) -> None:
    line = Line(running, CAROL)
    line.hears("no-menu")
    row = line.ended()
    assert (row["salesperson"], row["verified"], row["actions"]) == ("carol", 0, "")
    assert not line.heard("enter-pin")
    assert line.placed.dialog.hung_up_by_us is False


@pytest.mark.parametrize("after", [0.05, 0.3, 0.7, 1.5])
def test_the_owner_hangs_up_at_any_moment(running: Site, after: float) -> None:
    line = Line(running, ALICE, keys=f"{ALICES_PIN}11", keys_after=0.1, hang_up_after=after)
    row = line.ended()
    assert row["ended_at"] >= row["started_at"]
    running.quiet()
    if row["verified"] and row["actions"]:
        assert state(running, "alice") == "paused"
        assert running.run("people", "resume", "alice").returncode == 0


def test_the_mobile_of_a_salesperson_who_hides_the_number_is_a_caller(running: Site) -> None:
    running.mobiles({ALICE: BUSY, BOB: BUSY})
    before = len(running.rows("SELECT id FROM staff_calls"))
    hidden = {"P-Asserted-Identity": f"<sip:{ALICE}@carrier>", "Privacy": "id"}
    placed = running.stack.call(DID, ALICE, from_header="<sip:anonymous@anonymous.invalid>", headers=hidden)
    assert placed.wait(15).dialog.final == 486
    assert len(running.rows("SELECT id FROM staff_calls")) == before


def test_three_wrong_pins_end_a_call_and_five_close_the_line(running: Site) -> None:
    """Last of this file: Bob's line stays closed."""
    line = Line(running, BOB)
    line.hears("enter-pin")
    line.press("11111#")
    line.hears("enter-pin", "wrong-pin")
    line.press("9021#22222#")
    line.hears("enter-pin", "wrong-pin", "goodbye")
    row = line.ended()
    assert (row["salesperson"], row["verified"]) == ("bob", 0)
    second = Line(running, BOB, keys="w33333w44444", hang_up_after=4.0)
    row = second.ended()
    assert (row["verified"], row["actions"]) == (0, "")
    third = Line(running, BOB, keys=BOBS_PIN)
    third.hears("no-menu")
    row = third.ended()
    assert (row["verified"], third.heard("enter-pin")) == (0, False)
    assert Line(running, ALICE, keys=f"{ALICES_PIN}w9").ended()["verified"] == 1, "others' lines are open"
    running.stop_router()
    log = running.log
    assert log.count("event=wrong_pin") == 5
    for secret in (ALICES_PIN, BOBS_PIN, "11111", "22222", "33333", "44444", ALICE[1:], BOB[1:], CAROL[1:]):
        assert secret not in log
