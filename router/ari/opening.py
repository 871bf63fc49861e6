"""Opening the websocket to Asterisk, and saying in one line why it does not open."""

from __future__ import annotations

import asyncio
import base64
import os
import re
from typing import Final

import aiohttp

from router.ari import lanes, websocket
from router.model import Ari, Secret

#: Seconds after which an idle HTTP connection is closed. Each holds one of Asterisk's threads, and a new one costs
#: less than a millisecond on loopback. Asterisk closes it after 15: being first spares a request that meets the
#: close.
IDLE: Final = 2.0

#: Seconds for TCP to connect. Where packets get lost it asks again after 1 s and then only after 3 (RFC 6298): a
#: fresh try is sooner.
REACH: Final = 1.5


class Unreachable(Exception):
    """The websocket could not be opened; the text says why."""

    def __init__(self, why: str, *, asked: bool = False) -> None:
        self.asked = asked
        """Asterisk was asked for it and did not answer in time: it may open it yet."""
        super().__init__(why)


def root_url(ari: Ari) -> str:
    """ARI's URL without a trailing slash."""
    return ari.url.rstrip("/")


def new_session(ari: Ari, password: Secret) -> aiohttp.ClientSession:
    """The HTTP session of a link. The password goes into a header, never into a URL: URLs reach logs."""
    login = f"{ari.username}:{password.reveal()}".encode()
    return aiohttp.ClientSession(
        headers={"Authorization": f"Basic {base64.b64encode(login).decode()}"},
        connector=aiohttp.TCPConnector(limit=lanes.POOL + 1, keepalive_timeout=IDLE),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=REACH),
        trust_env=False,
    )


def shown_url(ari: Ari) -> str:
    """ARI's URL for messages: should somebody have put a password into it, without that."""
    return re.sub(r"//[^/]*@", "//", root_url(ari))


async def open_websocket(
    session: aiohttp.ClientSession, ari: Ari, deadline: float
) -> aiohttp.ClientWebSocketResponse:
    """The websocket for the application's events. Raises Unreachable, without a cause: aiohttp's errors carry the
    request with all its headers."""
    shown = shown_url(ari)
    try:
        async with asyncio.timeout(deadline):
            return await session.ws_connect(
                f"{root_url(ari)}/events",
                params={"app": ari.app, "subscribeAll": "false"},
                autoping=False,
                max_msg_size=websocket.LARGEST_MESSAGE,
                timeout=aiohttp.ClientWSTimeout(ws_close=websocket.CLOSING),
            )
    except aiohttp.WSServerHandshakeError as error:
        raise Unreachable(_refused(ari, error.status)) from None
    except TimeoutError as error:
        asked = not isinstance(error, aiohttp.ServerTimeoutError)
        raise Unreachable(f"{shown} does not answer", asked=asked) from None
    except aiohttp.ClientConnectorError as error:
        number = error.errno or 0
        why = os.strerror(number) if number > 0 else error.strerror or "no connection"
        raise Unreachable(f"cannot reach {shown}: {why}") from None
    except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError):
        raise Unreachable("asterisk.ari.url is no URL of a web server: http://host:port/ari") from None
    except ValueError:
        raise Unreachable(
            "asterisk.ari.url holds a user or password: they stand in username and password_file"
        ) from None
    except (aiohttp.ClientError, OSError) as error:
        raise Unreachable(f"cannot reach {shown}: {type(error).__name__}") from None


def _refused(ari: Ari, status: int) -> str:
    match status:
        case 401 | 403:
            return (
                f"Asterisk refuses the ARI user {ari.username} ({status}): "
                "compare asterisk.ari.username and its password with ari.conf"
            )
        case 404:
            return f"no ARI at {shown_url(ari)} (404): check asterisk.ari.url, and that ari.conf says enabled=yes"
        case _:
            return f"{shown_url(ari)} refuses the websocket ({status})"
