"""The verbs of ARI that the router uses. Each returns a future at once; errors are those of router.errors.

The `lane` orders requests (see router.ari.requests); without one it is the channel's or bridge's id.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

from router.ari import wire
from router.ari.fields import text_at
from router.ari.requests import DEADLINE
from router.ari.rest import Refused, give_error, segment
from router.errors import AriAllocation, AriConflict, AriError, AriGone

if TYPE_CHECKING:
    from router.ari.link import Link

T = TypeVar("T")

#: Asterisk filters the answers to requests over the websocket like any event, and the news that another connection
#: has taken the application's name: no filter may leave these out.
ALWAYS_ALLOWED: Final = ("RESTResponse", "ApplicationReplaced")


class Client:
    """Asterisk, as far as the router commands it."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._requests = link.requests
        self._app = link.app

    @property
    def steady(self) -> bool:
        """Whether the link is up, and its owner has caught up with what it missed."""
        return self._link.steady

    # --- Channels -----------------------------------------------------------------------------------------

    def answer(self, channel: str, *, lane: str = "") -> asyncio.Future[None]:
        """Pick up a caller (200 OK). AriGone, AriConflict when it is not in the application."""
        return self._requests.submit("POST", f"channels/{segment(channel)}/answer", lane=lane or channel)

    def ring(self, channel: str, *, lane: str = "") -> asyncio.Future[None]:
        """Let the caller hear ringing (180). AriGone, AriConflict."""
        return self._requests.submit("POST", f"channels/{segment(channel)}/ring", lane=lane or channel)

    def hang_up(self, channel: str, reason: str = "normal", *, lane: str = "") -> asyncio.Future[None]:
        """End a channel. `reason` is one of ARI's words: `normal`, `busy`, `congestion`, `no_answer` … AriGone."""
        query = {"reason": reason}
        return self._requests.submit("DELETE", f"channels/{segment(channel)}", query, lane=lane or channel)

    def continue_in_dialplan(
        self, channel: str, *, context: str = "", extension: str = "", priority: int = 0, lane: str = ""
    ) -> asyncio.Future[None]:
        """Let the channel leave the application, and go on in the dialplan: after `Stasis()`, or where it is told.
        AriGone, AriConflict."""
        body: dict[str, object] = {}
        if context:
            body = {"context": context, "extension": extension, "priority": priority or 1}
        path = f"channels/{segment(channel)}/continue"
        return self._requests.submit("POST", path, None, body or None, lane=lane or channel)

    def set_variable(self, channel: str, name: str, value: str, *, lane: str = "") -> asyncio.Future[None]:
        """Set a channel variable, or a dialplan function such as `TIMEOUT(absolute)`. AriGone, AriConflict."""
        path = f"channels/{segment(channel)}/variable"
        body = {"variable": name, "value": value}
        return self._requests.submit("POST", path, None, body, lane=lane or channel)

    def create(
        self,
        endpoint: str,
        *,
        channel_id: str,
        app: str = "",
        app_args: str = "",
        originator: str = "",
        variables: Mapping[str, str] | None = None,
        formats: Sequence[str] = (),
        lane: str = "",
    ) -> asyncio.Future[wire.Channel]:
        """Make the channel `channel_id` towards `endpoint`, which comes to the application `Down`: nobody is rung
        before `dial`. The answer says nothing of whether it is there yet: its StasisStart does.

        `originator` is the channel on whose behalf it is made; one that has gone is no error. `app` is the link's
        own when empty.

        AriAllocation: the endpoint cannot be created. AriConflict: a channel of this id lives. After AriTimeout and
        AriDisconnected the channel may come to life all the same.
        """
        asked: dict[str, object] = {
            "endpoint": endpoint,
            "channelId": channel_id,
            "app": app or self._app,
            "appArgs": app_args,
            "originator": originator,
            "variables": dict(variables or {}),
            "formats": ",".join(formats),
        }
        body = {key: value for key, value in asked.items() if value}
        lane, refused = lane or channel_id, self._check(channel_id, lane or channel_id)
        return self._requests.ask(
            "POST", "channels/create", None, body, read=wire.channel, lane=lane, refused=refused
        )

    def dial(self, channel: str, *, timeout: float, lane: str = "") -> asyncio.Future[None]:
        """Ring what a created channel leads to. It follows no redirect (302), unlike ARI's originate.

        `timeout` is in seconds and rounded up: Asterisk knows whole ones, after which it gives up by itself. No
        `caller` is given: Asterisk would show the mobile that channel's name and number, whatever the leg was
        dressed in. AriGone; AriConflict when it is not in the application yet, or not `Down`.
        """
        body = {"timeout": max(1, math.ceil(timeout))}
        return self._requests.submit("POST", f"channels/{segment(channel)}/dial", None, body, lane=lane or channel)

    def _check(self, channel_id: str, lane: str) -> Refused:
        """Asterisk's 409 to a create cannot be believed: its reason is a variable of the serving thread that is
        never set back, so that after one true conflict every endpoint that cannot be created is a conflict too
        (measured on 22.10). Whether the channel lives is the truth."""

        def refused(future: asyncio.Future[object], error: AriError) -> AriError | None:
            if not isinstance(error, AriConflict):
                return error
            self.channel(channel_id, lane=lane).add_done_callback(lambda found: settle(future, error, found))
            return None

        def settle(future: asyncio.Future[object], conflict: AriError, found: asyncio.Future[wire.Channel]) -> None:
            error = found.exception()
            if error is None:
                give_error(future, conflict)
            elif isinstance(error, AriGone):
                give_error(future, AriAllocation(f"ARI POST channels/create: {channel_id} was not created", 409))
            else:
                give_error(future, error)

        return refused

    def variable(self, channel: str, name: str, *, lane: str = "") -> asyncio.Future[str]:
        """A channel variable or function; empty where it is. AriGone for no such variable, too; AriError."""
        path, query = f"channels/{segment(channel)}/variable", {"variable": name}
        return self._requests.ask("GET", path, query, read=_value, lane=lane or channel)

    def channel(self, channel: str, *, lane: str = "") -> asyncio.Future[wire.Channel]:
        """One channel. AriGone."""
        return self._requests.ask("GET", f"channels/{segment(channel)}", read=wire.channel, lane=lane or channel)

    def channels(self) -> asyncio.Future[tuple[wire.Channel, ...]]:
        """Every channel of this Asterisk, ours or not. Travels over HTTP."""
        return self._list("channels", wire.channels)

    # --- Sounds -------------------------------------------------------------------------------------------

    def play(self, channel: str, media: Sequence[str], *, playback: str, lane: str = "") -> asyncio.Future[None]:
        """Let a channel hear `media` (ARI's media URIs), one after the other. It ends with a PlaybackFinished of
        that name. AriGone, AriConflict."""
        path = f"channels/{segment(channel)}/play/{segment(playback)}"
        return self._requests.submit("POST", path, None, {"media": list(media)}, lane=lane or channel)

    def stop_playback(self, playback: str, *, lane: str = "") -> asyncio.Future[None]:
        """Cut off what is being heard: a channel hears to the end before it does anything else. AriGone when it is
        over."""
        return self._requests.submit("DELETE", f"playbacks/{segment(playback)}", lane=lane or playback)

    def record(
        self, channel: str, name: str, *, longest: float, silence: float, lane: str = ""
    ) -> asyncio.Future[None]:
        """Record the channel as WAV `name` until `#`, hang-up, `silence` seconds without a sound or
        `longest` seconds. It ends with a RecordingFinished of that name. AriGone, AriConflict."""
        body = {
            "name": name,
            "format": "wav",
            "maxDurationSeconds": math.ceil(longest),
            "maxSilenceSeconds": math.ceil(silence),
            "ifExists": "overwrite",
            "beep": False,
            "terminateOn": "#",
        }
        path = f"channels/{segment(channel)}/record"
        return self._requests.submit("POST", path, None, body, lane=lane or channel)

    def delete_recording(self, name: str, *, lane: str = "") -> asyncio.Future[None]:
        """Remove a finished recording. AriGone."""
        path = f"recordings/stored/{segment(name)}"
        return self._requests.submit("DELETE", path, lane=lane or f"recording {name}")

    # --- Bridges ------------------------------------------------------------------------------------------

    def create_bridge(self, bridge: str, *, lane: str = "") -> asyncio.Future[None]:
        """Make a mixing bridge. Plain on purpose: without `dtmf_events` and `proxy_media` two legs in it become
        native RTP, which costs no more than Dial(). AriConflict when it exists."""
        body = {"type": "mixing"}
        return self._requests.submit("POST", f"bridges/{segment(bridge)}", None, body, lane=lane or bridge)

    def add_to_bridge(self, bridge: str, *channels: str, lane: str = "") -> asyncio.Future[None]:
        """Put channels into a bridge: all of them or, when one has gone (AriGone) or is not in the application
        (AriConflict), none."""
        path = f"bridges/{segment(bridge)}/addChannel"
        return self._requests.submit("POST", path, None, {"channel": list(channels)}, lane=lane or bridge)

    def destroy_bridge(self, bridge: str, *, lane: str = "") -> asyncio.Future[None]:
        """Remove a bridge; channels in it stay in the application. AriGone."""
        return self._requests.submit("DELETE", f"bridges/{segment(bridge)}", lane=lane or bridge)

    def bridges(self) -> asyncio.Future[tuple[wire.Bridge, ...]]:
        """Every bridge of this Asterisk, ours or not. Travels over HTTP."""
        return self._list("bridges", wire.bridges)

    # --- The rest -----------------------------------------------------------------------------------------

    def application(self, name: str = "", *, lane: str = "") -> asyncio.Future[wire.Application]:
        """What an application is subscribed to, the link's own by default. AriGone when Asterisk knows none."""
        name = name or self._app
        return self._requests.ask(
            "GET", f"applications/{segment(name)}", read=wire.application, lane=lane or f"app {name}"
        )

    def set_event_filter(
        self, name: str, allowed: Iterable[str], *, deadline: float = DEADLINE
    ) -> asyncio.Future[None]:
        """Have Asterisk send the application events of these types only; ALWAYS_ALLOWED are added. AriGone when
        Asterisk knows no such application, or no filters."""
        types = dict.fromkeys((*allowed, *ALWAYS_ALLOWED))
        body = {"allowed": [{"type": kind} for kind in types]}
        path = f"applications/{segment(name)}/eventFilter"
        return self._requests.submit("PUT", path, None, body, lane=f"app {name}", deadline=deadline)

    def global_variable(self, name: str) -> asyncio.Future[str]:
        """A global variable of the dialplan, or one that Asterisk makes without a channel (`EPOCH`); empty where
        there is none."""
        query = {"variable": name}
        return self._requests.ask("GET", "asterisk/variable", query, read=_value, lane="globals")

    def set_global(self, name: str, value: str) -> asyncio.Future[None]:
        """Set a global variable; an empty value is as good as none."""
        body = {"variable": name, "value": value}
        return self._requests.submit("POST", "asterisk/variable", None, body, lane="globals")

    def reload_module(self, name: str, *, deadline: float = DEADLINE) -> asyncio.Future[None]:
        """Have a module read its files again; answered once it has. Travels over HTTP. AriGone when it does not
        run."""
        path = f"asterisk/modules/{segment(name)}"
        return self._requests.submit("PUT", path, lane=f"module {name}", deadline=deadline, slow=True)

    def asterisk_info(self, *, deadline: float = DEADLINE) -> asyncio.Future[wire.AsteriskInfo]:
        """Which Asterisk this is."""
        return self._requests.ask(
            "GET", "asterisk/info", read=wire.asterisk_info, lane="asterisk", deadline=deadline
        )

    def _list(self, path: str, read: Callable[[object], tuple[T, ...]]) -> asyncio.Future[tuple[T, ...]]:
        return self._requests.ask("GET", path, read=read, lane=f"list {path}", slow=True)


def _value(raw: object) -> str:
    return text_at(raw, "value")
