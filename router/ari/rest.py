"""One REST request on its way, and Asterisk's refusals as typed errors. No I/O."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import quote, urlencode

from router.ari import wire
from router.ari.fields import Malformed
from router.errors import AriAllocation, AriConflict, AriError, AriGone, AriNotUp

#: Given a request's future and its error: the error that the sender is told, or None when the future is told later.
Refused = Callable[[asyncio.Future[object], AriError], AriError | None]

#: What Asterisk says with a 400 when a channel that was named has gone (resource_bridges.c, resource_channels.c).
_GONE_400: Final = frozenset({"Channel not found", "Provided originator channel was not found"})

#: What it says with a 409 of a bridge that is just being destroyed (all of ours were made in Stasis).
_BRIDGE_GOING: Final = "Bridge not in Stasis application"


class Request:
    """A request that was not answered yet. `future` is what its sender holds."""

    __slots__ = ("content", "expires", "future", "id", "lane", "method", "read", "refused", "sent", "uri")

    def __init__(
        self,
        id: str,
        method: str,
        uri: str,
        content: bytes | None,
        *,
        lane: str,
        sent: float,
        expires: float,
        future: asyncio.Future[object],
        read: Callable[[object], object] | None = None,
        refused: Refused | None = None,
    ) -> None:
        self.id = id
        self.method = method
        self.uri = uri
        """Relative to ARI's root, with its query."""
        self.content = content
        """JSON, or None."""
        self.lane = lane
        self.sent = sent
        self.expires = expires
        """Both on the event loop's clock."""
        self.future = future
        self.read = read
        """Makes the result of a body; without it the result is None and the body is not even decoded."""
        self.refused = refused

    def answered(self, status: int, body: str | bytes) -> None:
        """Asterisk has answered: give the future its result or its error."""
        if not 200 <= status < 300:
            self.fail(refusal(self.method, self.uri, status, wire.error_text(body)))
            return
        if self.future.done():
            return
        if self.read is None:
            self.future.set_result(None)
            return
        try:
            result = self.read(wire.body(body))
        except Malformed as error:
            self.fail(AriError(f"{self.label}: unreadable answer: {error}", status))
        else:
            self.future.set_result(result)

    def fail(self, error: AriError) -> None:
        """Give the future an error, unless it is done or somebody else will tell."""
        told = self.refused(self.future, error) if self.refused is not None else error
        if told is not None:
            give_error(self.future, told)

    @property
    def label(self) -> str:
        """What was asked, for messages: without the query, which may hold a number."""
        return f"ARI {self.method} {self.uri.partition('?')[0]}"


def give_error(future: asyncio.Future[object], error: BaseException) -> None:
    """Set a future's exception. A sender who does not look at it is nobody's fault: asyncio need not log it."""
    if not future.done():
        future.set_exception(error)
        future.exception()


def relative_uri(path: str, query: Mapping[str, str] | None) -> str:
    """`channels/1.2/answer` and its query, encoded. Path segments must have come through `segment`."""
    return f"{path}?{urlencode(query)}" if query else path


def segment(id: str) -> str:
    """An id as one segment of a path, whatever characters it has."""
    return quote(id, safe="")


def refusal(method: str, uri: str, status: int, text: str) -> AriError:
    """The typed error for an HTTP status that is no success. `text` is Asterisk's own word, made safe."""
    message = f"ARI {method} {uri.partition('?')[0]}: {status} {text or 'no reason given'}"
    match status:
        case 404:
            return AriGone(message, status)
        case 400 if text in _GONE_400:
            return AriGone(message, status)
        case 409 if text == _BRIDGE_GOING:
            return AriGone(message, status)
        # 422 is addChannel's word for a channel that is not in Stasis; everything else says 409.
        case 409 | 422:
            return AriConflict(message, status)
        case 412:
            return AriNotUp(message, status)
        case 500 if text == "Allocation failed":
            return AriAllocation(message, status)
        case _:
            return AriError(message, status)
