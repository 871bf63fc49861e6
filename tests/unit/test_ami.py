"""Trunk health over AMI: read right, bounded in time, and nothing slipped in or asked twice."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from router.ami import Connection, Contact, TrunkHealth, outbound_endpoint, trunk_health
from router.errors import RouterError
from router.model import Ami, Secret, Trunk
from tests.waiting import until

PASSWORD = "an-ami-s3cret"


class FakeAmi:
    """A manager port that answers what a test tells it to."""

    def __init__(self) -> None:
        self.port = 0
        self.connections = 0
        self.open = 0
        self.actions: list[dict[str, str]] = []
        self.contacts: dict[str, list[dict[str, str]]] = {}
        """Endpoint -> its contacts; an endpoint that is not in it does not exist."""
        self.registrations: list[dict[str, str]] = []
        self.greeting = "Asterisk Call Manager/11.0.0\r\n"
        self.silent = False
        self.hang_up_on = ""
        self.denied: set[str] = set()

    @property
    def ami(self) -> Ami:
        return Ami("127.0.0.1", self.port, "callrouter")

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        try:
            writer.write(self.greeting.encode())
            while block := await reader.readuntil(b"\r\n\r\n"):
                lines = [line.partition(": ") for line in block.decode().split("\r\n") if line]
                action = {key.lower(): value for key, _, value in lines}
                self.actions.append(action)
                if action["action"] == self.hang_up_on:
                    return
                if not self.silent:
                    for message in self.reply(action):
                        fields = {**message, "ActionID": action["actionid"]}
                        text = "".join(f"{key}: {value}\r\n" for key, value in fields.items())
                        writer.write(f"{text}\r\n".encode())
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
            self.open -= 1

    def reply(self, action: dict[str, str]) -> list[dict[str, str]]:
        name = action["action"]
        if name in self.denied:
            return [{"Response": "Error", "Message": "Permission denied"}]
        if name == "Login":
            if action["secret"] != PASSWORD:
                return [{"Response": "Error", "Message": "Authentication failed"}]
            return [{"Response": "Success", "Message": "Authentication accepted"}]
        if name == "PJSIPShowRegistrationsOutbound":
            return self.listing("OutboundRegistrationDetail", self.registrations)
        contacts = self.contacts.get(action["endpoint"])
        if contacts is None:
            return [{"Response": "Error", "Message": f"Unable to retrieve endpoint {action['endpoint']}"}]
        return self.listing("ContactStatusDetail", contacts)

    def listing(self, event: str, entries: list[dict[str, str]]) -> list[dict[str, str]]:
        start = {"Response": "Success", "EventList": "start", "Message": "A listing follows"}
        end = {"Event": f"{event}Complete", "EventList": "Complete", "ListItems": str(len(entries))}
        return [start, *({"Event": event, **entry} for entry in entries), end]


@asynccontextmanager
async def serving() -> AsyncIterator[FakeAmi]:
    fake = FakeAmi()
    server = await asyncio.start_server(fake.serve, "127.0.0.1", 0)
    fake.port = server.sockets[0].getsockname()[1]
    try:
        yield fake
        await until(lambda: fake.open == 0)
    finally:
        server.close()


@pytest.fixture
async def fake() -> AsyncIterator[FakeAmi]:
    async with serving() as ami:
        yield ami


def trunk(id: str = "main", dial: str = "PJSIP/{number}@trunk") -> Trunk:
    return Trunk(id, dial, "trunk", "pai", ("exten",))


def contact(status: str, trip: str = "N/A", uri: str = "sip:carrier.example:5060") -> dict[str, str]:
    return {"URI": uri, "Status": status, "RoundtripUsec": trip}


def registration(
    status: str, endpoint: str = "", name: str = "r", server: str = "sip:other.example"
) -> dict[str, str]:
    return {"ObjectName": name, "Endpoint": endpoint, "ServerUri": server, "Status": status}


async def health(fake: FakeAmi, *trunks: Trunk) -> tuple[TrunkHealth, ...]:
    return await trunk_health(fake.ami, Secret(PASSWORD), trunks or (trunk(),))


# --- What it says -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("contacts", "state", "rtt"),
    [
        ([contact("Reachable", "1250")], Contact.REACHABLE, 0.00125),
        ([contact("Reachable", "900"), contact("Reachable", "500")], Contact.REACHABLE, 0.0005),
        ([contact("Unreachable"), contact("Reachable", "500")], Contact.REACHABLE, 0.0005),
        ([contact("Reachable", "N/A")], Contact.REACHABLE, None),
        ([contact("Reachable", "²")], Contact.REACHABLE, None),
        ([contact("Unreachable")], Contact.UNREACHABLE, None),
        ([contact("NonQualified")], Contact.UNQUALIFIED, None),
        ([contact("Unreachable"), contact("NonQualified")], Contact.UNQUALIFIED, None),
        ([], Contact.NONE, None),
    ],
)
async def test_contacts(fake: FakeAmi, contacts: list[dict[str, str]], state: Contact, rtt: float | None) -> None:
    fake.contacts["trunk"] = contacts
    assert await health(fake) == (TrunkHealth("main", "trunk", state, rtt, None),)


@pytest.mark.parametrize(
    ("registrations", "status"),
    [
        ([], None),
        ([registration("Registered", endpoint="trunk")], "registered"),
        ([registration("Rejected", name="trunk")], "rejected"),
        ([registration("Registered", server="sip:carrier.example:5060")], "registered"),
        ([registration("Registered", server="sip:me@Carrier.example:5060;transport=tcp")], "registered"),
        ([registration("Rejected", server="sip:other.example")], None),
        ([registration("Rejected", endpoint="another", server="sip:carrier.example:5060")], None),
        (
            [registration("Registered", endpoint="trunk"), registration("Unregistered", endpoint="trunk")],
            "unregistered",
        ),
    ],
)
async def test_registrations(fake: FakeAmi, registrations: list[dict[str, str]], status: str | None) -> None:
    fake.contacts["trunk"] = [contact("Reachable", "1000")]
    fake.registrations = registrations
    (found,) = await health(fake)
    assert found.registration == status
    assert found.healthy is (status in (None, "registered"))


async def test_trunks_come_back_in_their_order_over_one_connection(fake: FakeAmi) -> None:
    fake.contacts["a"] = [contact("Reachable", "1000")]
    found = await health(
        fake,
        trunk("one", "PJSIP/{number}@a"),
        trunk("two", "Local/{number}@b"),
        trunk("three", "PJSIP/nosuch/sip:{number}@carrier"),
    )
    assert [(each.trunk, each.contact, each.healthy) for each in found] == [
        ("one", Contact.REACHABLE, True),
        ("two", Contact.OTHER, True),
        ("three", Contact.NO_ENDPOINT, False),
    ]
    assert fake.connections == 1
    await until(lambda: fake.open == 0)


@pytest.mark.parametrize(
    ("dial", "endpoint"),
    [
        ("PJSIP/{number}@trunk", "trunk"),
        ("pjsip/{number}@trunk", "trunk"),
        ("PJSIP/trunk/sip:{number}@carrier.example:5060", "trunk"),
        ("PJSIP/trunk", "trunk"),
        ("Local/{number}@trunk", ""),
        ("", ""),
    ],
)
def test_the_endpoint_of_a_dial_template(dial: str, endpoint: str) -> None:
    assert outbound_endpoint(dial) == endpoint


# --- What goes wrong ----------------------------------------------------------------------------------------


async def fails(attempt: Callable[[], object], what: str) -> None:
    with pytest.raises(RouterError) as caught:
        await attempt()  # type: ignore[misc]
    assert what in str(caught.value)
    assert "\n" not in str(caught.value)
    assert PASSWORD not in str(caught.value)


async def test_nobody_there() -> None:
    async with serving() as other:
        free = other.port
    await fails(
        lambda: trunk_health(Ami("127.0.0.1", free, "callrouter"), Secret(PASSWORD), [trunk()]),
        f"cannot reach AMI at 127.0.0.1:{free}: Connection refused",
    )


async def test_a_wrong_password(fake: FakeAmi) -> None:
    wrong = Secret("wrong")
    await fails(lambda: trunk_health(fake.ami, wrong, [trunk()]), "refuses the user callrouter: compare")
    await until(lambda: fake.open == 0)


async def test_a_user_who_may_not(fake: FakeAmi) -> None:
    fake.denied = {"PJSIPShowEndpoint"}
    await fails(lambda: health(fake), "may not do PJSIPShowEndpoint: manager.conf")


@pytest.mark.parametrize("greeting", ["", "HTTP/1.1 400 Bad Request\r\n\r\n", "x" * 100_000])
async def test_a_port_that_is_no_ami(fake: FakeAmi, greeting: str) -> None:
    fake.greeting, fake.silent = greeting, True
    await fails(
        lambda: trunk_health(fake.ami, Secret(PASSWORD), [trunk()], deadline=0.1),
        f"AMI at 127.0.0.1:{fake.port} does not answer",
    )
    await until(lambda: fake.open == 0)


@pytest.mark.parametrize("action", ["Login", "PJSIPShowRegistrationsOutbound", "PJSIPShowEndpoint"])
async def test_a_connection_that_breaks_is_over(
    fake: FakeAmi, action: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.hang_up_on = action
    made: list[object] = []
    loop = asyncio.get_running_loop()
    original = loop.call_later

    def call_later(
        delay: float, callback: Callable[..., object], *args: Any, **context: Any
    ) -> asyncio.TimerHandle:
        made.append(callback)
        return original(delay, callback, *args, **context)

    monkeypatch.setattr(loop, "call_later", call_later)
    await fails(lambda: health(fake), "closed the connection")
    assert fake.connections == 1
    assert not [callback for callback in made if getattr(callback, "__name__", "") == "connect"]


async def test_nothing_is_asked_while_disconnected(fake: FakeAmi) -> None:
    connection = await Connection.open(fake.ami)
    await connection.log_in(Secret(PASSWORD))
    connection.close()
    await fails(lambda: connection.ask("Ping"), "closed the connection")
    assert [action["action"] for action in fake.actions] == ["Login"]


async def test_the_password_is_not_logged(fake: FakeAmi, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    fake.contacts["trunk"] = [contact("Reachable", "1000")]
    await health(fake)
    fake.hang_up_on = "Login"
    with pytest.raises(RouterError):
        await health(fake)
    assert PASSWORD not in caplog.text
