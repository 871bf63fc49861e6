"""What AMI knows and ARI does not: whether each trunk is reachable and registered.

panoramisk speaks the protocol. It would let a line break in a value through (a second action), and after a break it
would ask once more what had no answer: here a line break is refused, and a connection that broke is over.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from panoramisk import Manager
from panoramisk.ami_protocol import AMIProtocol

from router.errors import RouterError
from router.model import Ami, Config, Secret, Trunk
from router.numbers import safe_text

#: Seconds for the whole question, connecting included.
DEADLINE: Final = 5.0

#: panoramisk logs whole actions, the login with its password too: nobody listens to it.
_SILENT: Final = logging.getLogger("router.ami.panoramisk")
_SILENT.propagate = False
_SILENT.addHandler(logging.NullHandler())

Answer = Mapping[str, str]
"""One message, its field names in lower case."""


class Contact(StrEnum):
    """Whether the other side of a trunk answers, as far as Asterisk has asked it (`qualify_frequency`)."""

    REACHABLE = "reachable"
    UNREACHABLE = "unreachable"
    UNQUALIFIED = "not asked"
    """Asterisk does not ask: qualify_frequency is 0."""
    NONE = "no contact"
    """Asterisk knows no address to send calls to."""
    NO_ENDPOINT = "no such endpoint"
    OTHER = "not a PJSIP trunk"


@dataclass(frozen=True, slots=True)
class TrunkHealth:
    """One trunk of campaigns.yaml, as Asterisk sees it."""

    trunk: str
    endpoint: str
    """The PJSIP endpoint that its calls leave through, empty for another technology."""
    contact: Contact
    rtt: float | None
    """Round trip of the last OPTIONS, in seconds."""
    registration: str | None
    """`registered`, `unregistered`, `rejected` …; None when this trunk registers nowhere."""

    @property
    def healthy(self) -> bool:
        """Whether a call could be placed, as far as can be known without placing one."""
        reaches = self.contact in (Contact.REACHABLE, Contact.UNQUALIFIED, Contact.OTHER)
        return reaches and self.registration in (None, "registered")


async def trunk_health(
    ami: Ami, password: Secret, trunks: Iterable[Trunk], *, deadline: float = DEADLINE
) -> tuple[TrunkHealth, ...]:
    """Ask Asterisk for each trunk's contact and registration. Closes its connection again.

    Raises RouterError, in one line: AMI not there, login refused, no permission, no answer in time.
    """
    try:
        async with asyncio.timeout(deadline):
            connection = await Connection.open(ami)
            try:
                await connection.log_in(password)
                return await connection.health(trunks)
            finally:
                connection.close()
    except TimeoutError:
        raise _silent(ami) from None


class Watch:
    """The same question again and again, over one connection: a login every time would fill Asterisk's log."""

    def __init__(self) -> None:
        self._connection: Connection | None = None
        self._as: tuple[Ami, str] | None = None
        """Where the connection leads, and the password that it was opened with."""

    async def ask(self, config: Config, *, deadline: float = DEADLINE) -> tuple[TrunkHealth, ...] | None:
        """The trunks' health; None where `config` names no AMI. Raises RouterError as `trunk_health` does.

        A connection that broke, or that the configuration no longer means, is replaced by a new one.
        """
        ami, password = config.ami, config.ami_password
        if ami is None or password is None:
            self.close()
            return None
        try:
            async with asyncio.timeout(deadline):
                connection = await self._open(ami, password)
                return await connection.health(config.trunks.values())
        except TimeoutError:
            self.close()
            raise _silent(ami) from None
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the connection, where there is one."""
        if self._connection is not None:
            self._connection.close()
        self._connection = self._as = None

    async def _open(self, ami: Ami, password: Secret) -> Connection:
        wanted = (ami, password.reveal())
        if self._connection is not None and (self._connection.lost or self._as != wanted):
            self.close()
        if self._connection is None:
            # Kept before the login: whatever happens from here on, it is closed.
            self._connection, self._as = await Connection.open(ami), wanted
            await self._connection.log_in(password)
        return self._connection


def _silent(ami: Ami) -> RouterError:
    return RouterError(f"AMI at {ami.host}:{ami.port} does not answer: check asterisk.ami and manager.conf")


class Connection:
    """One connection to AMI. Once it is lost it stays lost."""

    def __init__(self, ami: Ami, transport: asyncio.BaseTransport, protocol: object) -> None:
        self._ami = ami
        self._place = f"{ami.host}:{ami.port}"
        loop = asyncio.get_running_loop()
        self._lost: asyncio.Future[None] = loop.create_future()
        self._manager: Any = Manager(loop=loop, log=_SILENT)
        # panoramisk's own answer to a loss is to connect again, for ever.
        self._manager.connection_lost = self._on_lost
        made = loop.create_future()
        made.set_result((transport, protocol))
        self._manager.connection_made(made)

    @classmethod
    async def open(cls, ami: Ami) -> Connection:
        """Connect. Raises RouterError."""
        try:
            made = await asyncio.get_running_loop().create_connection(AMIProtocol, ami.host, ami.port)
        except OSError as error:
            number = error.errno or 0
            why = os.strerror(number) if number > 0 else error.strerror or "no connection"
            raise RouterError(
                f"cannot reach AMI at {ami.host}:{ami.port}: {why}; check asterisk.ami and manager.conf"
            ) from None
        return cls(ami, *made)

    async def log_in(self, password: Secret) -> None:
        """Raises RouterError when Asterisk does not take the user and password."""
        answers = await self.ask("Login", Username=self._ami.username, Secret=password.reveal(), Events="off")
        if _refused(answers):
            raise RouterError(
                f"AMI at {self._place} refuses the user {self._ami.username}: "
                "compare asterisk.ami and its password with manager.conf"
            )

    async def ask(self, action: str, **fields: str) -> Sequence[Answer]:
        """Carry out one action. Returns its messages: the response, and for a list the entries and the closing one.

        Raises RouterError when the connection is gone, when a field holds a line break (which would begin another
        action), and when the user may not do this.
        """
        for name, value in {"the name of the action": action, **fields}.items():
            if re.search(r"[\r\n\0]", name + value):
                raise RouterError(f"AMI {safe_text(action)}: {safe_text(name)} holds a line break")
        if self._lost.done():
            raise self._gone()
        asked: asyncio.Future[Any] = self._manager.send_action({"Action": action, **fields})
        await asyncio.wait((asked, self._lost), return_when=asyncio.FIRST_COMPLETED)
        if not asked.done():
            raise self._gone()
        found = asked.result()
        answers = [_plain(message) for message in (found if isinstance(found, list) else [found])]
        if answers[0].get("message", "").startswith("Permission denied"):
            raise RouterError(
                f"the AMI user {self._ami.username} may not do {action}: manager.conf has to give it "
                "read and write = system,reporting"
            )
        return answers

    async def health(self, trunks: Iterable[Trunk]) -> tuple[TrunkHealth, ...]:
        """Each trunk's contact and registration. Raises RouterError as `ask` does."""
        registrations = await _registrations(self)
        return tuple([await _health(self, trunk, registrations) for trunk in trunks])

    @property
    def lost(self) -> bool:
        """Whether it was closed, by us or by the other side."""
        return self._lost.done()

    def close(self) -> None:
        """Let go of the connection."""
        if not self._lost.done():
            self._lost.set_result(None)
        self._manager.close()

    def _on_lost(self, _why: object) -> None:
        if not self._lost.done():
            self._lost.set_result(None)

    def _gone(self) -> RouterError:
        return RouterError(f"AMI at {self._place} closed the connection: is that Asterisk's manager port?")


def _plain(message: Mapping[str, object]) -> Answer:
    return {key.lower(): str(value[-1] if isinstance(value, list) else value) for key, value in message.items()}


def _refused(answers: Sequence[Answer]) -> bool:
    return answers[0].get("response", "").lower() in ("error", "fail", "failure", "")


# --- Questions --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Registration:
    endpoint: str
    name: str
    host: str
    status: str


async def _registrations(connection: Connection) -> tuple[_Registration, ...]:
    # Refused when there are none, or when the module is not loaded: no trunk registers then.
    return tuple(
        _Registration(
            answer.get("endpoint", ""),
            answer.get("objectname", ""),
            _host(answer.get("serveruri", "")),
            answer.get("status", "").lower(),
        )
        for answer in await connection.ask("PJSIPShowRegistrationsOutbound")
        if answer.get("event") == "OutboundRegistrationDetail"
    )


async def _health(connection: Connection, trunk: Trunk, registrations: Sequence[_Registration]) -> TrunkHealth:
    endpoint = outbound_endpoint(trunk.dial)
    if not endpoint:
        return TrunkHealth(trunk.id, "", Contact.OTHER, None, None)
    answers = await connection.ask("PJSIPShowEndpoint", Endpoint=endpoint)
    if _refused(answers):
        return TrunkHealth(trunk.id, endpoint, Contact.NO_ENDPOINT, None, None)
    contacts = [answer for answer in answers if answer.get("event") == "ContactStatusDetail"]
    contact, rtt = _best(contacts)
    hosts = {_host(answer.get("uri", "")) for answer in contacts}
    return TrunkHealth(trunk.id, endpoint, contact, rtt, _registration(endpoint, hosts, registrations))


def outbound_endpoint(dial: str) -> str:
    """The endpoint of a dial template: `PJSIP/{number}@trunk` and `PJSIP/trunk/sip:{number}@host` both say `trunk`.
    Empty for another technology."""
    technology, _, rest = dial.partition("/")
    return rest.partition("/")[0].rpartition("@")[2] if technology.upper() == "PJSIP" else ""


def _best(contacts: Sequence[Answer]) -> tuple[Contact, float | None]:
    """The best of a trunk's contacts: one that answers is enough for a call."""
    statuses = {answer.get("status", "").lower() for answer in contacts}
    if "reachable" in statuses:
        trips = [
            int(trip) / 1e6
            for answer in contacts
            if answer.get("status", "").lower() == "reachable"
            and (trip := answer.get("roundtripusec", "")).isascii()
            and trip.isdigit()
        ]
        return Contact.REACHABLE, min(trips, default=None)
    if not statuses:
        return Contact.NONE, None
    return (Contact.UNREACHABLE if statuses == {"unreachable"} else Contact.UNQUALIFIED), None


def _registration(endpoint: str, hosts: set[str], registrations: Sequence[_Registration]) -> str | None:
    """A registration is a trunk's by its `endpoint` or its name, else by the carrier's host; the worst counts."""
    own = [each for each in registrations if endpoint in (each.endpoint, each.name)]
    own = own or [each for each in registrations if not each.endpoint and each.host in hosts - {""}]
    statuses = [each.status for each in own]
    return next((status for status in statuses if status != "registered"), statuses[0] if statuses else None)


def _host(uri: str) -> str:
    """`sip:me@sip.example.net:5060;transport=tcp` -> `sip.example.net:5060`."""
    return uri.partition(":")[2].rpartition("@")[2].partition(";")[0].lower()
