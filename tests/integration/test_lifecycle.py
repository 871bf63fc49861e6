"""The router comes, goes, reloads and dies; calls do not notice more than they must."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

import pytest
import yaml

from sandbox import processes
from sandbox.asterisk import CHECKOUT
from sandbox.behaviours import Answer, RingOut
from tests.integration.site import ALICE, ALONE, BOB, IN_TURN, Site, campaigns
from tests.waiting import SOON

pytestmark = pytest.mark.asterisk


@pytest.fixture(params=["websocket", "http"])
def transport(request: pytest.FixtureRequest, site: Site) -> str:
    """The router restarted so that REST travels this way."""
    content = campaigns(site.asterisk)
    content["asterisk"]["ari"]["transport"] = request.param
    if site.router_runs():
        site.stop_router()
    site.configure(content)
    site.start_router()
    return str(request.param)


def test_rest_over_the_websocket_and_over_http(transport: str, running: Site) -> None:
    assert running.said(f"rest={transport}")
    running.mobiles({ALICE: RingOut(), BOB: Answer(ring=0.2)})
    call = running.call(IN_TURN, hang_up_after=0.3)
    assert call.ended()["outcome"] == "answered"
    assert call.results() == [("alice", "no_answer"), ("bob", "accepted")]


def test_a_router_that_is_killed_takes_its_talk_over(running: Site) -> None:
    running.mobiles({ALICE: Answer(ring=0.1)})
    call = running.call(ALONE, hang_up_after=6.0)
    running.until(lambda: [row for row in call.rows() if row["answered_at"]], "the talk is in the database")
    running.kill_router()
    assert len(running.asterisk.channels()) == 2, "the talk goes on without us"
    running.start_router()
    assert running.said("event=adopted") == 1
    row = call.ended()
    assert (row["outcome"], row["salesperson"], row["hangup_by"]) == ("answered", "alice", "caller")
    assert row["talk_seconds"] == pytest.approx(6.0, abs=0.8)
    assert call.results() == [("alice", "accepted")]
    (mobile,) = running.carrier.calls(ALICE)
    assert mobile.at("BYE") - call.dialog.at("BYE") < SOON


def test_a_talk_that_ended_while_the_router_was_away_is_as_long_as_it_was(running: Site) -> None:
    running.mobiles({ALICE: Answer(ring=0.1)})
    call = running.call(ALONE, hang_up_after=6.0)
    running.until(lambda: [row for row in call.rows() if row["answered_at"]], "the talk is in the database")
    running.kill_router()
    call.placed.wait()
    gone = time.monotonic()
    words = Path(f"{running.database}.fallback")
    running.until(lambda: [file.suffix for file in words.iterdir()] == [".left"], "word of it is left")
    running.until(lambda: time.monotonic() - gone > 3.0, "the router stays away")
    running.start_router()
    row = call.ended()
    assert (row["outcome"], row["talk_seconds"]) == ("answered", pytest.approx(6.0, abs=0.5))
    assert call.results() == [("alice", "accepted")]
    running.until(lambda: not list(words.iterdir()), "the word is taken in once")


def test_a_phone_that_rang_when_the_router_died_rings_on_and_is_not_dialled_again(running: Site) -> None:
    running.mobiles({ALICE: RingOut(), BOB: Answer(ring=0.1)})
    call = running.call(IN_TURN, hang_up_after=0.3)
    running.rings(ALICE)
    running.until(call.rows, "the row of the ringing call")
    running.kill_router()
    running.start_router()
    assert running.said("event=taken_up") == 1
    row = call.ended()
    assert (row["outcome"], row["salesperson"], row["path"]) == ("answered", "bob", "ari")
    assert call.results() == [("alice", "no_answer"), ("bob", "accepted")]
    assert len(running.carrier.calls(ALICE)) == 1


def test_a_caller_who_left_while_the_router_was_dead_is_owed_a_call(running: Site) -> None:
    running.mobiles({ALICE: RingOut()})
    call = running.call(ALONE, cancel_after=1.0)
    running.until(call.rows, "the row of the ringing call")
    running.kill_router()
    call.placed.wait()
    running.start_router()
    row = call.ended()
    assert row["outcome"] == "failed"
    assert [task["state"] for task in call.callbacks()] == ["open"]
    running.quiet()


def test_ctrl_c_is_quiet(running: Site) -> None:
    running.signal_router(signal.SIGINT)
    running.until(lambda: not running.router_runs(), "it has ended")
    assert running.stop_router() == 0
    assert not running.said("Traceback")
    running.start_router()


def test_a_reload_changes_the_next_call_and_not_this_one(running: Site) -> None:
    content = campaigns(running.asterisk)
    running.configure(content)
    running.mobiles({ALICE: Answer(ring=1.5), BOB: Answer(ring=0.1)})
    first = running.call(ALONE, hang_up_after=0.3)
    running.rings(ALICE)
    content["campaigns"]["alone"]["ring"]["to"] = ["bob"]
    running.configure(content)
    done = running.run("reload")
    assert (done.returncode, done.stderr) == (0, "")
    second = running.call(ALONE, hang_up_after=0.3)
    assert second.ended()["salesperson"] == "bob"
    assert first.ended()["salesperson"] == "alice"
    assert second.ended()["config_version"] != first.ended()["config_version"]
    running.configure(campaigns(running.asterisk))
    assert running.run("reload").returncode == 0


def test_reload_without_a_router_says_how_to_start_one(site: Site) -> None:
    if site.router_runs():
        site.stop_router()
    done = site.run("reload")
    assert done.returncode == 1
    assert "callrouter run" in done.stderr


def test_a_router_without_asterisk_waits_and_uses_nothing(site: Site) -> None:
    content = campaigns(site.asterisk)
    content["asterisk"]["ari"]["url"] = "http://127.0.0.1:9/ari"
    content["database"] = "lonely.db"
    lonely = site.folder / "lonely.yaml"
    lonely.write_text(yaml.safe_dump(content), encoding="utf-8")
    log = site.folder / "lonely.log"
    command = [sys.executable, str(CHECKOUT / "cli.py"), "--config", str(lonely), "run"]
    router = processes.spawn(command, output=log, folder=site.folder)
    site.until(lambda: "ari_down" in log.read_text(encoding="utf-8"), "it says what it waits for")
    assert router.poll() is None
    assert processes.stop(router) == 0
    assert "Traceback" not in log.read_text(encoding="utf-8")
