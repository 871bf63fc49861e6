"""Each part that SIPp plays, proved on the private Asterisk with a plain Dial(): what other tests then build on."""

from __future__ import annotations

import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox import processes, scenarios
from sandbox.asterisk import CHECKOUT, Asterisk
from sandbox.behaviours import BUSY, DECLINE, UNREACHABLE, Answer, EarlyMedia, Refuse, RingOut, Silent
from sandbox.errors import SandboxError
from sandbox.phones import Caller, Carrier
from sandbox.sip_log import STAMP_SLACK
from tests.waiting import SOON

pytestmark = pytest.mark.asterisk

DID = "+33184801001"
MOBILE = "+33612345678"
RING_TIME = 2
EPHEMERAL = 32_768
PLAIN = f"""\
[callrouter]
exten => {DID},1,Dial(PJSIP/{MOBILE}@trunk,{RING_TIME},${{OPTIONS}})
 same => n,Hangup(${{HANGUPCAUSE}})
exten => +33184801003,1,Dial(PJSIP/{MOBILE}@backup,10)
exten => +33184801004,1,Playback(demo-congrats)
 same => n,Hangup()
exten => +33184801005,1,Set(GLOBAL(DISPLAYED)=${{CALLERID(name)}}|${{PJSIP_HEADER(read,X-Did)}})
 same => n,Hangup(17)
"""


@pytest.fixture(autouse=True)
def plain_dial(asterisk: Asterisk) -> None:
    asterisk.load_dialplan(PLAIN)


def globals_of(asterisk: Asterisk) -> dict[str, str]:
    lines = asterisk.cli("dialplan show globals").splitlines()
    return {name.strip(): value for name, _, value in (line.partition("=") for line in lines) if value}


# --- Answering and hanging up -----------------------------------------------------------------------------


def test_a_mobile_rings_and_answers_and_the_caller_hangs_up(carrier: Carrier, caller: Caller) -> None:
    carrier.play({MOBILE: Answer(ring=0.3)})
    placed = caller.place(DID, hang_up_after=0.4).wait(10)
    mobile = carrier.calls(MOBILE)[0]
    assert mobile.sequence == ("<INVITE", ">180", ">200", "<ACK", "<BYE", ">200/BYE")
    assert placed.status == 0
    assert placed.dialog.final == 200
    assert 0.3 <= mobile.took("INVITE", 200) < 0.3 + SOON
    assert 0.4 <= placed.dialog.took(200, "BYE") < 0.4 + SOON
    answered = placed.dialog.at(200)
    assert answered is not None
    assert answered >= (mobile.at(200) or 0) - STAMP_SLACK
    assert placed.dialog.hung_up_by_us is True
    assert mobile.hung_up_by_us is False


def test_a_mobile_hangs_up_after_its_talk(carrier: Carrier, caller: Caller) -> None:
    carrier.play({MOBILE: Answer(ring=0.1, talk=0.5)})
    placed = caller.place(DID).wait(10)
    mobile = carrier.calls(MOBILE)[0]
    assert mobile.hung_up_by_us is True
    assert placed.dialog.hung_up_by_us is False
    assert 0.5 <= mobile.took(200, "BYE") < 0.5 + SOON
    assert (placed.dialog.at("BYE") or 0) - (mobile.at("BYE") or 0) < SOON


def test_a_mobile_may_answer_without_ringing_first(carrier: Carrier, caller: Caller) -> None:
    carrier.play({MOBILE: Answer(ring=0.1, provisional=False)})
    caller.place(DID, hang_up_after=0).wait(10)
    assert carrier.calls(MOBILE)[0].codes == (200,)


# --- Not answering ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "behaviour", [BUSY, DECLINE, UNREACHABLE, Refuse(403), Refuse(404), Refuse(488), Refuse(500), Refuse(503)]
)
def test_a_mobile_refuses_with_any_status(behaviour: Refuse, carrier: Carrier, caller: Caller) -> None:
    carrier.play({MOBILE: behaviour})
    placed = caller.place(DID).wait(10)
    assert carrier.calls(MOBILE)[0].sequence == ("<INVITE", f">{behaviour.code}", "<ACK")
    assert placed.dialog.final is not None
    assert placed.dialog.final >= 400


def test_a_mobile_rings_before_it_declines(carrier: Carrier, caller: Caller) -> None:
    carrier.play({MOBILE: Refuse(603, ring=0.5)})
    caller.place(DID).wait(10)
    mobile = carrier.calls(MOBILE)[0]
    assert mobile.codes == (180, 603)
    assert 0.5 <= mobile.took(180, 603) < 0.5 + SOON


@pytest.mark.parametrize(("behaviour", "provisional"), [(RingOut(), 180), (EarlyMedia(), 183)])
def test_a_mobile_that_nobody_picks_up_is_cancelled(
    behaviour: RingOut | EarlyMedia, provisional: int, carrier: Carrier, caller: Caller
) -> None:
    carrier.play({MOBILE: behaviour})
    caller.place(DID).wait(10)
    mobile = carrier.calls(MOBILE)[0]
    assert mobile.sequence == ("<INVITE", f">{provisional}", "<CANCEL", ">200/CANCEL", ">487", "<ACK")
    assert RING_TIME <= mobile.took("INVITE", "CANCEL") < RING_TIME + 0.5


def test_early_media_may_turn_into_an_answer(carrier: Carrier, caller: Caller) -> None:
    carrier.play({MOBILE: EarlyMedia(answer=0.3)})
    placed = caller.place(DID, hang_up_after=0.2).wait(10)
    assert carrier.calls(MOBILE)[0].codes == (183, 200)
    assert placed.dialog.final == 200


@pytest.mark.settle(45)  # Asterisk repeats the INVITE for 32 s (RFC 3261, timer B) before it lets go
def test_a_silent_mobile_gives_no_reply_at_all(carrier: Carrier, caller: Caller) -> None:
    carrier.play({MOBILE: Silent()})
    placed = caller.place(DID).wait(10)
    mobile = carrier.calls(MOBILE)[0]
    assert mobile.codes == ()
    assert not any(message.sent for message in mobile.messages)
    assert placed.dialog.final is not None


def test_a_number_without_a_mobile_does_not_exist(carrier: Carrier, caller: Caller) -> None:
    carrier.play({"+33600000000": Answer()})
    caller.place(DID).wait(10)
    assert carrier.calls(MOBILE)[0].final == 404


# --- Cancelling -------------------------------------------------------------------------------------------


def test_a_caller_gives_up_while_it_rings(carrier: Carrier, caller: Caller) -> None:
    carrier.play({MOBILE: RingOut()})
    placed = caller.place(DID, cancel_after=0.5).wait(10)
    assert placed.dialog.final == 487
    assert 0.5 <= placed.dialog.took("INVITE", "CANCEL") < 0.5 + SOON
    assert carrier.calls(MOBILE)[0].hung_up_by_us is False


@pytest.mark.parametrize("after", [0.290, 0.297, 0.300, 0.303, 0.306, 0.312, 0.320])
def test_a_cancel_that_crosses_the_answer_ends_cleanly(after: float, carrier: Carrier, caller: Caller) -> None:
    carrier.play({MOBILE: Answer(ring=0.3)})
    placed = caller.place(DID, cancel_after=after, hang_up_after=0).wait(10)
    assert placed.status == 0
    assert placed.dialog.final in (200, 487)
    processes.wait_until(lambda: not carrier.calls(MOBILE)[0].live, 2, "the mobile is told")


def test_a_caller_that_vanishes_sends_nothing_more(asterisk: Asterisk, carrier: Carrier, caller: Caller) -> None:
    carrier.play({MOBILE: Answer(ring=0.1)})
    with caller.place(DID) as placed:
        processes.wait_until(lambda: placed.dialog.final, 5, "the call is answered")
    assert placed.dialog.sequence[-1] == ">ACK"
    asterisk.cli("channel request hangup all")


# --- Speech ------------------------------------------------------------------------------------------------


def test_both_sides_speak_and_are_heard(asterisk: Asterisk, carrier: Carrier, caller: Caller) -> None:
    carrier.play({MOBILE: Answer(ring=0.1, speak=True)})
    with caller.place(DID, speak=True, hang_up_after=3600) as placed:
        processes.wait_until(lambda: placed.dialog.final, 5, "the call is answered")
        processes.wait_until(lambda: len(asterisk.rtp_received()) == 2, 5, "both legs have media")
        processes.wait_until(
            lambda: all(count > 50 for count in asterisk.rtp_received().values()),
            5,
            "a second of speech on both legs",
        )
    asterisk.cli("channel request hangup all")


def test_asterisk_plays_its_own_sounds(asterisk: Asterisk, caller: Caller) -> None:
    placed = caller.place("+33184801004")
    processes.wait_until(lambda: "Playback" in asterisk.cli("core show channels"), 5, "the sound is played")
    asterisk.cli("channel request hangup all")
    assert placed.wait(5).dialog.final == 200
    said = asterisk.log.read_text(encoding="utf-8", errors="replace")
    assert "does not exist in any format" not in said


# --- Numbers, names and headers ---------------------------------------------------------------------------


def test_names_and_headers_reach_asterisk(asterisk: Asterisk, caller: Caller) -> None:
    placed = caller.place("+33184801005", from_name="Zoé d'Été", headers={"X-Did": "+33199"}).wait(10)
    assert placed.dialog.final == 486
    assert globals_of(asterisk)["DISPLAYED"] == "Zoé d'Été|+33199"


def test_the_second_trunk_has_a_carrier_of_its_own(
    carrier: Carrier, second_carrier: Carrier, caller: Caller
) -> None:
    carrier.play({})
    second_carrier.play({MOBILE: Answer(ring=0.1)})
    assert caller.place("+33184801003", hang_up_after=0.1).wait(10).dialog.final == 200
    assert not carrier.calls()
    assert len(second_carrier.calls(MOBILE)) == 1


def test_a_load_is_read_call_by_call(carrier: Carrier, caller: Caller) -> None:
    carrier.play({MOBILE: Answer(ring=0.1)})
    callers = [f"+3314000{n:04}" for n in range(20)]
    placed = caller.place(DID, callers, calls=40, rate=40, hang_up_after=0.2).wait(20)
    assert placed.status == 0
    assert [dialog.final for dialog in placed.dialogs()] == [200] * 40
    assert len(carrier.calls(MOBILE)) == 40
    starts = sorted(dialog.invited_at for dialog in placed.dialogs())
    assert 0.8 < starts[-1] - starts[0] < 0.8 + SOON


def test_forget_begins_anew(carrier: Carrier, caller: Caller) -> None:
    carrier.play({MOBILE: BUSY})
    caller.place(DID).wait(10)
    carrier.forget()
    assert carrier.calls() == ()
    caller.place(DID).wait(10)
    assert len(carrier.calls()) == 1


# --- The house --------------------------------------------------------------------------------------------


def test_everything_listens_on_loopback_only(asterisk: Asterisk, carrier: Carrier) -> None:
    carrier.play({})
    pids = (asterisk.pid, carrier.pid)
    inodes = {
        target.removeprefix("socket:[").rstrip("]")
        for pid in pids
        for link in Path(f"/proc/{pid}/fd").iterdir()
        if (target := str(link.readlink())).startswith("socket:")
    }
    bound = {
        line.split()[1].partition(":")[0]
        for table in ("udp", "tcp", "udp6", "tcp6")
        for line in Path(f"/proc/net/{table}").read_text(encoding="ascii").splitlines()[1:]
        # Above are the sockets from which PJSIP would ask the DNS.
        if line.split()[9] in inodes and int(line.split()[1].rpartition(":")[2], 16) < EPHEMERAL
    }
    assert bound == {"0100007F"}


def test_passwords_are_for_the_owner_only(asterisk: Asterisk) -> None:
    files = [asterisk.ari_password_file, asterisk.ami_password_file, *asterisk.etc.iterdir()]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_nothing_is_written_outside_its_folder(asterisk: Asterisk) -> None:
    opened = [str(link.readlink()) for link in Path(f"/proc/{asterisk.pid}/fd").iterdir()]
    written = [path for path in opened if path.startswith("/") and not path.startswith("/dev/")]
    assert written
    assert [path for path in written if not path.startswith(str(asterisk.folder))] == []


def test_a_second_copy_runs_beside_the_first(asterisk: Asterisk, tmp_path: Path) -> None:
    with Asterisk(tmp_path / "second") as second:
        assert second.ports.sip != asterisk.ports.sip
        assert second.channels() == ()


def test_it_starts_again_where_it_was_killed(tmp_path: Path) -> None:
    with Asterisk(tmp_path / "killed") as short_lived:
        ports, password = short_lived.ports, short_lived.ari_password
        short_lived.kill()
        assert not short_lived.running
        short_lived.start()
        assert (short_lived.ports, short_lived.ari_password) == (ports, password)
        assert short_lived.quiet()


def test_a_long_path_does_not_matter(tmp_path: Path) -> None:
    with Asterisk(tmp_path / ("deep" * 40)) as deep:
        assert deep.channels() == ()


def test_a_broken_configuration_is_said_in_one_line(tmp_path: Path) -> None:
    broken = Asterisk(tmp_path / "broken")
    broken.prepare()
    (broken.etc / "modules.conf").write_text(
        "[modules]\nautoload = no\nrequire = res_nothing.so\n", encoding="utf-8"
    )
    with pytest.raises(SandboxError) as refused:
        broken.start(timeout=20)
    broken.stop()
    assert "\n" not in str(refused.value)
    assert str(tmp_path) in str(refused.value)


def test_asterisk_dies_with_the_one_who_started_it(tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from sandbox.asterisk import Asterisk\n"
        "a = Asterisk(Path(sys.argv[1])).start(); print(a.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    child = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "orphan")],
        cwd=CHECKOUT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    pid = int(child.stdout)
    processes.wait_until(lambda: not processes.alive(pid), 5, "the orphan is gone")


def test_sipp_that_cannot_dial_is_said(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scenarios, "caller", lambda **_: "no scenario")
    with pytest.raises(SandboxError, match="SIPp did not dial"):
        _ = caller.place(DID).dialog


def test_a_key_that_no_phone_has_is_refused(caller: Caller) -> None:
    with pytest.raises(SandboxError, match="'Z' is no key"):
        caller.place(DID, keys="1Z")


def test_a_taken_carrier_port_is_said(asterisk: Asterisk, tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", asterisk.ports.carrier))
        with pytest.raises(SandboxError, match="SIPp"):
            Carrier(asterisk.ports, tmp_path).play({})
