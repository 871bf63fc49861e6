"""Line breaks and NUL in whatever goes to AMI or into ARI: one action, one request, and nothing beside it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.ami import Connection, trunk_health
from router.ari.client import Client
from router.commands.asterisk import build
from router.errors import ConfigError, Problem, RouterError
from router.model import Ami, Config, Secret
from tests.campaign_file import GOOD, read, spoilt
from tests.fake_asterisk import channel, fake_asterisk
from tests.running_link import Running, running
from tests.unit.test_ami import PASSWORD, FakeAmi, contact, serving, trunk

BREAKS = ["\r\n", "\n", "\r", "\0", "\r\n\r\n"]
SECOND = "x{}Action: Originate{}Channel: PJSIP/+33899123456@trunk"
EVIL = [
    *(SECOND.format(each, each) for each in BREAKS),
    "a/../../asterisk/modules/func_shell.so",
    "..",
    ".",
    "c1/answer?x=1&y=2#z",
    "c1 HTTP/1.1\r\nHost: evil\r\n\r\nPOST /ari/channels",
    "c1%2Fhangup%0d%0a",
    '"},{"method":"DELETE","uri":"channels/c2"',
    "\N{RIGHT-TO-LEFT OVERRIDE}é\N{ROCKET}\x1b[2J",
]
ANYTHING = st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)
BROKEN = st.tuples(ANYTHING, st.sampled_from(BREAKS), ANYTHING).map("".join)


# --- AMI ------------------------------------------------------------------------------------------------------


@pytest.fixture
async def fake() -> AsyncIterator[FakeAmi]:
    async with serving() as ami:
        yield ami


async def refused(attempt: Callable[[], object]) -> None:
    with pytest.raises(RouterError, match="holds a line break") as caught:
        await attempt()  # type: ignore[misc]
    assert str(caught.value).isprintable()
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize("value", [*BREAKS, *EVIL[: len(BREAKS)], "x\r", "x\0"])
async def test_a_line_break_cannot_begin_another_action(fake: FakeAmi, value: str) -> None:
    fake.contacts["trunk"] = []
    connection = await Connection.open(fake.ami)
    await connection.log_in(Secret(PASSWORD))
    await refused(lambda: connection.ask("PJSIPShowEndpoint", Endpoint=value))
    await connection.ask("PJSIPShowEndpoint", Endpoint="trunk")
    connection.close()
    assert [action["action"] for action in fake.actions] == ["Login", "PJSIPShowEndpoint"]


@pytest.mark.parametrize("name", ["Ping\r\nAction: Originate", "Ping\0", "Ping\n"])
async def test_nor_can_the_name_of_an_action(fake: FakeAmi, name: str) -> None:
    connection = await Connection.open(fake.ami)
    await connection.log_in(Secret(PASSWORD))
    await refused(lambda: connection.ask(name))
    connection.close()
    assert [action["action"] for action in fake.actions] == ["Login"]


@pytest.mark.parametrize("breaks", BREAKS)
async def test_everything_that_the_question_for_the_trunks_is_made_of(fake: FakeAmi, breaks: str) -> None:
    """The user, the password and the dial template: YAML refuses them already, and here is the second wall."""
    evil = SECOND.format(breaks, breaks)
    user = replace(fake.ami, username=evil)
    await refused(lambda: trunk_health(user, Secret(PASSWORD), [trunk()]))
    await refused(lambda: trunk_health(fake.ami, Secret(PASSWORD + evil), [trunk()]))
    await refused(lambda: trunk_health(fake.ami, Secret(PASSWORD), [trunk(dial=f"PJSIP/{{number}}@{evil}")]))
    asked = {action["action"] for action in fake.actions}
    assert asked == {"Login", "PJSIPShowRegistrationsOutbound"}


@settings(max_examples=60, deadline=None)
@given(value=st.one_of(ANYTHING, BROKEN))
def test_any_text_is_one_field_of_one_action_or_is_refused(value: str) -> None:
    async def attempt() -> list[dict[str, str]]:
        async with serving() as fake:
            connection = await Connection.open(fake.ami)
            await connection.log_in(Secret(PASSWORD))
            try:
                await connection.ask("PJSIPShowEndpoint", Endpoint=value)
            except RouterError:
                assert any(each in value for each in "\r\n\0")
            finally:
                connection.close()
            return fake.actions

    actions = asyncio.run(attempt())
    assert [action["action"] for action in actions[:1]] == ["Login"]
    for action in actions[1:]:
        assert set(action) == {"action", "actionid", "endpoint"}
        assert action["endpoint"].strip() == value.strip()
    assert len(actions) == (1 if any(each in value for each in "\r\n\0") else 2)


async def test_what_asterisk_answers_is_no_action_of_ours_either(fake: FakeAmi) -> None:
    """A contact's URI is what a registering phone says: it may look like an answer of its own."""
    fake.contacts["trunk"] = [contact("Reachable", "1000", "sip:a\r\nStatus: Unreachable\r\n\r\nAction: Originate")]
    (health,) = await trunk_health(fake.ami, Secret(PASSWORD), [trunk()])
    assert health.trunk == "main"
    assert {action["action"] for action in fake.actions} <= {
        "Login",
        "PJSIPShowEndpoint",
        "PJSIPShowRegistrationsOutbound",
    }


# --- ARI ------------------------------------------------------------------------------------------------------

VERBS: dict[str, tuple[str, Callable[[Client, str], object]]] = {
    "answer": ("channels/{}/answer", lambda client, id: client.answer(id)),
    "ring": ("channels/{}/ring", lambda client, id: client.ring(id)),
    "hang up": ("channels/{}", lambda client, id: client.hang_up(id)),
    "continue": ("channels/{}/continue", lambda client, id: client.continue_in_dialplan(id)),
    "variable": ("channels/{}/variable", lambda client, id: client.set_variable(id, "A", "b")),
    "play": ("channels/{}/play/{}", lambda client, id: client.play(id, ["sound:x"], playback=id)),
    "stop": ("playbacks/{}", lambda client, id: client.stop_playback(id)),
    "record": ("channels/{}/record", lambda client, id: client.record(id, "n", longest=1, silence=1)),
    "delete": ("recordings/stored/{}", lambda client, id: client.delete_recording(id)),
    "bridge": ("bridges/{}", lambda client, id: client.create_bridge(id)),
    "add": ("bridges/{}/addChannel", lambda client, id: client.add_to_bridge(id, "c1")),
    "destroy": ("bridges/{}", lambda client, id: client.destroy_bridge(id)),
    "application": ("applications/{}/eventFilter", lambda client, id: client.set_event_filter(id, ["Dial"])),
}


@pytest.fixture(params=["websocket", "http"])
async def it(request: pytest.FixtureRequest) -> AsyncIterator[Running]:
    async with fake_asterisk() as fake, running(fake, transport=request.param) as at_work:
        await at_work.up()
        fake.requests.clear()
        yield at_work


@pytest.mark.parametrize("evil", EVIL)
async def test_an_id_is_one_segment_of_the_path_whatever_it_holds(it: Running, evil: str) -> None:
    for name, (pattern, verb) in VERBS.items():
        it.fake.requests.clear()
        await verb(it.client, evil)  # type: ignore[misc]
        assert len(it.fake.requests) == 1, f"{name} is one request"
        path, _, query = it.fake.requests[0][2].partition("?")
        assert path.isascii(), name
        assert path.isprintable(), name
        assert not set(path) & set(" #;\"'<>\\"), name
        assert query in ("", "reason=normal")
        expected = pattern.split("/")
        found = path.split("/")
        assert [unquote(each) for each in found] == [part.format(evil) for part in expected], name


@pytest.mark.parametrize("evil", EVIL)
async def test_a_value_stays_in_its_field_of_the_body(it: Running, evil: str) -> None:
    """Names of salespeople and campaigns, callers' names, prompts: whatever is put into a request."""
    it.fake.answers[("POST", "channels/create")] = (200, channel("c1-01"))
    await it.client.create(
        f"PJSIP/{evil}@trunk",
        channel_id=evil,
        app_args=evil,
        originator=evil,
        variables={"NAME": evil, f"PJSIP_HEADER(add,{evil})": evil},
    )
    await it.client.set_variable("c1", evil, evil)
    await it.client.play("c1", [f"sound:{evil}"], playback="p1")
    await it.client.record("c1", evil, longest=1, silence=1)
    await it.client.continue_in_dialplan("c1", context=evil, extension=evil)
    bodies = [request[3] for request in it.fake.requests]
    assert [request[1] for request in it.fake.requests] == ["POST"] * 5
    assert bodies[0]["variables"] == {"NAME": evil, f"PJSIP_HEADER(add,{evil})": evil}
    assert {bodies[0][key] for key in ("channelId", "appArgs", "originator")} == {evil}
    assert set(bodies[0]) <= {"endpoint", "channelId", "app", "appArgs", "originator", "variables"}
    assert bodies[1] == {"variable": evil, "value": evil}
    assert bodies[2] == {"media": [f"sound:{evil}"]}
    assert bodies[3]["name"] == evil
    assert bodies[4] == {"context": evil, "extension": evil, "priority": 1}


async def test_no_password_and_no_header_can_be_slipped_in_by_the_url(it: Running) -> None:
    """A query's values are encoded as well."""
    await it.client.hang_up("c1", "normal\r\nX-Evil: 1&channelId=c2")
    ((_, method, uri, _body),) = it.fake.requests
    assert (method, uri.count("&"), uri.count("\r")) == ("DELETE", 0, 0)
    assert unquote(uri.replace("+", " ")).endswith("reason=normal\r\nX-Evil: 1&channelId=c2")


# --- What campaigns.yaml lets in ------------------------------------------------------------------------------

PLACES = {
    "a salesperson's name": "Alice Martin",
    "a campaign's name": "Flyer printemps",
    "a medium": "medium: flyer",
    "the ARI user": "username: callrouter, password_file: secrets/ari",
    "the AMI user": "username: callrouter, password_file: secrets/ami",
    "the application": "app: callrouter",
    "the AMI host": "host: 127.0.0.1",
    "a dial template": "PJSIP/{number}@trunk",
    "ARI's URL": "http://127.0.0.1:8088/ari",
    "a header's name": "x-did",
    "an id": "  spring-flyer:",
}
"""Where a text of campaigns.yaml stands that goes to Asterisk, or beside one that does."""


def hostile(place: str, evil: str) -> str:
    """GOOD with `evil` behind what stands there, in the double quotes in which YAML takes every escape."""
    written = PLACES[place]
    head, value = "", written
    for mark in (": ", "  "):
        if mark in written and not written.startswith("http"):
            head, _, value = written.partition(mark)
            head += mark
            break
    value, comma, rest = value.partition(",")
    colon = value.endswith(":")
    quoted = json.dumps(value.rstrip(":") + evil)
    if GOOD.count(f'"{written}"') == 1:
        return spoilt(f'"{written}"', quoted)
    return spoilt(written, head + quoted + ":" * colon + comma + rest)


def accepted(folder: Path, text: str) -> Config | None:
    """The configuration; None when it is refused, in words that are harmless and with the line."""
    problems: tuple[Problem, ...] = ()
    config = None
    try:
        config = read(folder, text.encode("utf-8", "surrogatepass"))
    except ConfigError as error:
        problems = error.problems
    assert all(problem.text("f").isprintable() and problem.line for problem in problems)
    return config


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("breaks", ["\r\n", "\n", "\0", "\x1b", "\N{LINE SEPARATOR}"])
def test_what_is_read_from_the_file_has_no_line_break(tmp_path: Path, place: str, breaks: str) -> None:
    """Refused with its line, or (in a name) made one line; and then the files for Asterisk have as many lines."""
    evil = f"{breaks}[admin]{breaks}secret = x"
    config = accepted(tmp_path, hostile(place, evil))
    if config is None:
        return
    assert place in ("a salesperson's name", "a campaign's name", "a medium")
    assert breaks not in ("\0", "\x1b"), "no invisible character is let in, even so"
    plain = build(read(tmp_path, GOOD), str(tmp_path))
    config = replace(config, version=read(tmp_path, GOOD).version)
    for name, file in build(config, str(tmp_path)).items():
        assert len(file.text.splitlines()) == len(plain[name].text.splitlines()), name


@pytest.mark.parametrize("user", ["general", "General"])
def test_no_user_is_called_like_the_section_that_is_for_all(tmp_path: Path, user: str) -> None:
    for secret in ("secrets/ari", "secrets/ami"):
        text = spoilt(
            f"username: callrouter, password_file: {secret}", f"username: {user}, password_file: {secret}"
        )
        with pytest.raises(ConfigError, match="is no user name"):
            read(tmp_path, text)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(evil=st.text(max_size=12), place=st.sampled_from(sorted(PLACES)))
def test_any_text_in_any_of_these_places(tmp_path: Path, evil: str, place: str) -> None:
    text = hostile(place, evil)
    config = accepted(tmp_path, text)
    if config is None:
        return
    names = [person.name for person in config.salespeople.values()]
    names += [text for each in config.campaigns.values() for text in (each.name, each.medium, each.id)]
    names += [trunk.dial for trunk in config.trunks.values()]
    names += [config.ari.url, config.ari.username, config.ari.app]
    assert isinstance(config.ami, Ami)
    names += [config.ami.host, config.ami.username]
    assert all(name.isprintable() for name in names)
