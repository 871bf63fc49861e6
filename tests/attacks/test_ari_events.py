"""Bad ARI: whatever comes over the websocket in Asterisk's name is counted, said once a kind, and costs neither the
link nor a call. A proxy between the router and the real Asterisk puts it in; the calls are SIPp's."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sandbox import processes
from sandbox.ari_proxy import AriProxy, unchanged
from sandbox.behaviours import BUSY, Answer, RingOut
from tests.integration.site import ALICE, ALONE, BOB, CAROL, IN_TURN, TOGETHER, Call, Site, campaigns

pytestmark = pytest.mark.asterisk

FOREIGN = f"""
[foreign]
exten => other,1,Stasis(callrouter,elsewhere,did=%2B33184801001)
 same => n,Set(GLOBAL(AFTER)=other)
exten => bare,1,Stasis(callrouter)
 same => n,Set(GLOBAL(AFTER)=bare)
exten => leg,1,Stasis(callrouter,leg)
 same => n,Set(GLOBAL(AFTER)=leg)
exten => in,1,Stasis(callrouter,in)
exten => odd,1,Stasis(callrouter,in,did=%ZZ%,did,=,ep=%00,pres,to=%FF%FE,,,)
exten => long,1,Stasis(callrouter,in,did={"9%2B" * 800})
exten => talk,1,Answer()
 same => n,Echo()
"""
"""Somebody else's dialplan, which uses our application by mistake."""


@pytest.fixture(scope="module")
def proxy(site: Site) -> Iterator[AriProxy]:
    with AriProxy(site.asterisk.ports.http) as between:
        content = campaigns(site.asterisk)
        content["asterisk"]["ari"]["url"] = between.url
        site.configure(content)
        site.asterisk.load_dialplan(site.stack.generated_dialplan() + FOREIGN)
        yield between
        site.stop_router()


@pytest.fixture(autouse=True)
def honest(proxy: AriProxy) -> Iterator[None]:
    """Each test begins and ends with a proxy that changes nothing."""
    yield
    proxy.alter = unchanged


@pytest.fixture
def linked(running: Site, proxy: AriProxy) -> Iterator[Site]:
    """The site; its link must live through the test, with no error of our own."""
    ups = running.said("event=ari_up")
    yield running
    assert proxy.connections == 1
    assert running.said("event=ari_up") == ups
    assert not running.said("Traceback")
    assert not running.said("internal_error")


def event(frame: str) -> dict[str, Any] | None:
    """The frame's event; None for the answer to a request."""
    message: dict[str, Any] = json.loads(frame)
    return None if message["type"] == "RESTResponse" else message


def channel(id: str, **more: object) -> dict[str, Any]:
    return {"id": id, "name": f"PJSIP/x-{id}", "state": "Up", "caller": {"name": "", "number": ""}, **more}


# --- What is no event -------------------------------------------------------------------------------------


NO_EVENTS = {
    "not json at all": "not JSON",
    "": "not JSON",
    "\x00\x1b[2J": "not JSON",
    "[" * 100_000: "not JSON",
    '"text"': "not an object",
    "[]": "not an object",
    "{}": "no type",
    '{"type": 1}': "no type",
    '{"type": "StasisStart"}': "StasisStart: no channel",
    '{"type": "StasisEnd", "channel": "1.1"}': "StasisEnd: no channel",
    '{"type": "ChannelDestroyed", "channel": {"id": 7}}': "ChannelDestroyed: no channel id",
    '{"type": "Dial", "caller": {}}': "Dial: no channel",
    '{"type": "RESTResponse", "status_code": 200}': "RESTResponse: no request_id",
    '{"type": "StasisStart", "pad": "' + "x" * 5_000_000 + '"}': "too large",
}


def test_what_is_no_event_is_said_once_a_kind_and_costs_nothing(linked: Site, proxy: AriProxy) -> None:
    linked.mobiles({ALICE: Answer(0.5)})
    call = linked.call(ALONE, hang_up_after=0.2)
    linked.rings(ALICE)
    for _ in range(3):
        proxy.inject(*NO_EVENTS)
    row = call.ended()
    assert (row["outcome"], row["salesperson"]) == ("answered", "alice")
    said = re.findall(r'event=unread_message kind="?(.*?)"?$', linked.log, re.MULTILINE)
    assert sorted(said) == sorted(set(NO_EVENTS.values()))


def test_events_that_nobody_reads_are_not_even_said(linked: Site, proxy: AriProxy) -> None:
    linked.mobiles({ALICE: Answer(0.2)})
    for number in range(300):
        proxy.inject(json.dumps({"type": f"Unheard{number}\x1b[2J", "channel": channel("1.1")}))
    assert linked.call(ALONE, hang_up_after=0.1).ended()["outcome"] == "answered"
    assert "Unheard" not in linked.log


def test_events_of_channels_that_do_not_exist(linked: Site, proxy: AriProxy) -> None:
    linked.mobiles({ALICE: RingOut(), BOB: Answer(0.1)})
    rows = len(linked.rows("SELECT 1 FROM calls"))
    call = linked.call(IN_TURN, hang_up_after=0.1)
    linked.rings(ALICE)
    ghost, leg = "1.1", "c" + "0" * 25 + "-01"
    for id in (ghost, leg):
        proxy.inject(
            json.dumps({"type": "StasisEnd", "channel": channel(id)}),
            json.dumps({"type": "ChannelDestroyed", "channel": channel(id), "cause": "x", "tech_cause": -1}),
            json.dumps({"type": "Dial", "peer": channel(id), "dialstatus": "BUSY"}),
            json.dumps({"type": "StasisStart", "channel": channel(id), "args": "in"}),
            json.dumps({"type": "StasisStart", "channel": channel(id), "args": ["leg", None, {}]}),
        )
    assert call.ended()["outcome"] == "answered"
    assert call.results() == [("alice", "no_answer"), ("bob", "accepted")]
    assert len(linked.rows("SELECT 1 FROM calls")) == rows + 1


def test_a_caller_who_does_not_exist_is_given_up(linked: Site, proxy: AriProxy) -> None:
    """A forged arrival, from somebody who is in the link: when the caller turns out not to be there it is over."""
    linked.mobiles({ALICE: Answer(0.1)})
    caller = channel("4711.1", caller={"number": "+33149000009", "name": "\x1b[2J"})
    proxy.inject(json.dumps({"type": "StasisStart", "channel": caller, "args": ["in", "did=%2B33184801001"]}))
    query = "SELECT outcome FROM calls WHERE channel = '4711.1' AND outcome > ''"
    (ended,) = linked.until(lambda: linked.rows(query), "it has ended")
    assert ended["outcome"] in ("failed", "abandoned")
    linked.until(lambda: not any(leg.live for leg in linked.carrier.calls()), "no phone is off the hook for nobody")
    assert linked.call(ALONE, hang_up_after=0.1).ended()["outcome"] == "answered"


# --- True events, twice and in disorder -------------------------------------------------------------------


def three_calls(site: Site) -> None:
    """One that is answered, one that nobody takes, and one that the caller gives up, as if nothing was wrong."""
    site.mobiles({ALICE: BUSY, BOB: RingOut(), CAROL: Answer(0.2)})
    answered = site.call(IN_TURN, hang_up_after=0.3)
    assert one(answered, "answered")["salesperson"] == "carol"
    assert answered.results() == [("alice", "busy"), ("bob", "no_answer"), ("carol", "accepted")]
    site.mobiles({ALICE: BUSY, BOB: BUSY, CAROL: BUSY})
    busy = site.call(TOGETHER)
    one(busy, "busy")
    assert sorted(busy.results()) == [("alice", "busy"), ("bob", "busy"), ("carol", "busy")]
    assert len(busy.callbacks()) == 1
    site.mobiles({ALICE: RingOut()})
    one(site.call(ALONE, cancel_after=0.4), "abandoned")


def one(call: Call, outcome: str) -> dict[str, Any]:
    row = call.ended()
    assert row["outcome"] == outcome
    return row


def test_every_event_twice(linked: Site, proxy: AriProxy) -> None:
    proxy.alter = lambda frame: [frame, frame] if event(frame) else [frame]
    three_calls(linked)


def test_every_answer_twice(linked: Site, proxy: AriProxy) -> None:
    proxy.alter = lambda frame: [frame] if event(frame) else [frame, frame]
    three_calls(linked)


def later(held_kind: str, until_kinds: tuple[str, ...], but: str = "") -> Callable[[str], list[str]]:
    """Holds events of one kind back until one of the other kinds has passed; not those with this dialstatus."""
    held: list[str] = []

    def alter(frame: str) -> list[str]:
        message = event(frame)
        if message is None:
            return [frame]
        if message["type"] == held_kind and not (but and message.get("dialstatus") == but):
            held.append(frame)
            return []
        if message["type"] in until_kinds:
            released = [frame, *held]
            held.clear()
            return released
        return [frame]

    return alter


def test_every_word_of_ringing_after_the_legs_end(linked: Site, proxy: AriProxy) -> None:
    """All that is lost is that Bob's phone rang."""
    proxy.alter = later("Dial", ("ChannelDestroyed", "StasisEnd"), but="ANSWER")
    linked.mobiles({ALICE: BUSY, BOB: RingOut(), CAROL: Answer(0.2)})
    call = linked.call(IN_TURN, hang_up_after=0.3)
    assert one(call, "answered")["salesperson"] == "carol"
    assert call.results() == [("alice", "busy"), ("bob", "unreachable"), ("carol", "accepted")]


def test_an_arrival_after_its_own_end_rings_nobody(linked: Site, proxy: AriProxy) -> None:
    proxy.alter = later("StasisStart", ("StasisEnd", "ChannelDestroyed"))
    linked.mobiles({ALICE: Answer(0.1)})
    call = linked.call(ALONE, cancel_after=0.2)
    assert call.ended()["outcome"] in ("failed", "abandoned")
    assert linked.carrier.calls() == ()


def test_an_answer_that_cannot_be_read_stops_the_leg_it_was_about(linked: Site, proxy: AriProxy) -> None:
    """What Asterisk did is unknown then: the phone must not ring on for nobody."""

    def alter(frame: str) -> list[str]:
        message = json.loads(frame)
        if message["type"] == "RESTResponse" and message["uri"] == "channels/create":
            message["message_body"] = "<html>not what you asked for</html>"
        return [json.dumps(message)]

    proxy.alter = alter
    linked.mobiles({ALICE: RingOut()})
    call = linked.call(ALONE)
    assert call.ended()["outcome"] == "failed"
    assert call.results() == [("alice", "failed")]
    assert len(call.callbacks()) == 1


# --- Other people's channels ------------------------------------------------------------------------------


def after(site: Site) -> str:
    lines = site.asterisk.cli("dialplan show globals").splitlines()
    return next((line.partition("AFTER=")[2] for line in lines if "AFTER=" in line), "")


@pytest.mark.parametrize("exten", ["other", "bare", "leg"])
def test_a_foreign_channel_goes_on_in_its_own_dialplan(linked: Site, exten: str) -> None:
    rows, said = len(linked.rows("SELECT 1 FROM calls")), linked.said("event=foreign_channel")
    linked.asterisk.cli(f"channel originate Local/{exten}@foreign application Wait 1")
    linked.until(lambda: after(linked) == exten, "it has gone on")
    assert linked.said("event=foreign_channel") == said + 1
    linked.asterisk.cli("channel request hangup all")
    linked.mobiles({ALICE: Answer(0.1)})
    assert linked.call(ALONE, hang_up_after=0.1).ended()["outcome"] == "answered"
    assert len(linked.rows("SELECT 1 FROM calls")) == rows + 1


@pytest.mark.parametrize("exten", ["in", "odd", "long"])
def test_an_arrival_with_odd_arguments_takes_the_unknown_numbers_route(linked: Site, exten: str) -> None:
    linked.mobiles({CAROL: BUSY})
    before = {row["id"] for row in linked.rows("SELECT id FROM calls")}
    linked.asterisk.cli(f"channel originate Local/{exten}@foreign application Wait 5")
    (row,) = linked.until(
        lambda: [
            row
            for row in linked.rows("SELECT * FROM calls WHERE outcome > '' ORDER BY id")
            if row["id"] not in before
        ],
        "its row",
    )
    assert (row["campaign"], row["outcome"]) == ("unknown", "busy")
    assert 0 < len(row["did"]) <= 40
    assert row["did"].isprintable()
    linked.asterisk.cli("channel request hangup all")


def test_a_start_leaves_other_peoples_channels_alone(running: Site) -> None:
    running.asterisk.cli("channel originate Local/talk@foreign application Wait 30")
    running.until(lambda: len(running.asterisk.channels()) == 2, "two channels that are not ours")
    before = set(running.asterisk.channels())
    running.stop_router()
    running.start_router()
    assert set(running.asterisk.channels()) == before
    running.asterisk.cli("channel request hangup all")


# --- A flood of them --------------------------------------------------------------------------------------


def hostile(number: int) -> str:
    """One of many kinds: malformed, unknown, about channels that are not there, and no two the same."""
    id = f"{number}.{number}"
    kinds: tuple[Callable[[], str], ...] = (
        lambda: f"not json {number}",
        lambda: json.dumps({"type": f"Unknown{number}", "channel": channel(id)}),
        lambda: json.dumps({"type": "StasisEnd", "channel": channel(id)}),
        lambda: json.dumps({"type": "ChannelDestroyed", "channel": {"id": {"deep": number}}}),
        lambda: json.dumps({"type": "Dial", "peer": channel(f"c{number:025d}-01"), "dialstatus": "ANSWER"}),
        lambda: json.dumps({"type": "StasisStart", "channel": channel(id), "args": ["leg", f"x{number}"]}),
        lambda: json.dumps({"type": "ChannelDtmfReceived", "channel": channel(id), "digit": "1" * 1000}),
        lambda: json.dumps({"type": "PlaybackFinished", "playback": {"id": id, "target_uri": f"channel:{id}"}}),
        lambda: json.dumps({"type": "RESTResponse", "request_id": f"{number}", "status_code": 200}),
    )
    return kinds[number % len(kinds)]()


def test_twenty_thousand_of_them_cost_no_call_no_memory_and_no_log(linked: Site, proxy: AriProxy) -> None:
    linked.mobiles({ALICE: Answer(0.5)})
    unread = linked.said("event=unread_message")
    proxy.inject(*(hostile(number) for number in range(2_000)))
    linked.call(ALONE, hang_up_after=0.1).ended()
    router = linked.stack.router
    memory, log = processes.memory(router.pid), len(linked.log)
    rows = len(linked.rows("SELECT 1 FROM calls"))
    call = linked.call(ALONE, hang_up_after=0.2)
    for at in range(0, 20_000, 2_000):
        proxy.inject(*(hostile(number) for number in range(at, at + 2_000)))
    assert call.ended()["outcome"] == "answered"
    assert linked.call(ALONE, hang_up_after=0.1).ended()["outcome"] == "answered"
    assert len(linked.rows("SELECT 1 FROM calls")) == rows + 2
    assert processes.memory(router.pid) < memory + 20 * 2**20
    assert linked.said("event=unread_message") - unread <= 2, "once a kind: no JSON, and no channel id"
    foreign = re.findall("event=foreign_channel", linked.log[log:])
    assert len(linked.log) - log < 400 * (len(foreign) + 50)


def test_five_megabytes_again_and_again_leave_memory_flat(linked: Site, proxy: AriProxy) -> None:
    large = '{"type": "StasisStart", "pad": "' + "x" * 5_000_000 + '"}'
    deep = '{"type": "StasisStart", "channel": ' + '{"a":' * 200_000 + "1" + "}" * 200_000 + "}"
    for _ in range(3):
        proxy.inject(large, deep)
    linked.mobiles({ALICE: Answer(0.1)})
    linked.call(ALONE, hang_up_after=0.1).ended()
    memory = processes.memory(linked.stack.router.pid)
    for _ in range(20):
        proxy.inject(large, deep)
    assert linked.call(ALONE, hang_up_after=0.1).ended()["outcome"] == "answered"
    assert processes.memory(linked.stack.router.pid) < memory + 30 * 2**20
