"""An ARI application in the shape of the ARI documentation's dialling example, on aiohttp.

A caller enters and hears ringing; a leg is originated into the application; when that one starts, the caller is
answered, a bridge is made and both are added. When either ends, the other is hung up and the bridge destroyed.
Requests go over HTTP, every event of these channels arrives, and nothing is kept but the pairs.

Usage: naive_ari.py BASE_URL USER PASSWORD_FILE DID=DIAL_STRING...
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import aiohttp
import uvloop

APP = "naive"
ROUTES = dict(argument.split("=", 1) for argument in sys.argv[4:])


class Application:
    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session
        self.callers: dict[str, str] = {}
        self.legs: dict[str, str] = {}
        self.bridges: dict[str, str] = {}

    async def request(self, method: str, path: str, **query: str) -> Any:
        """The answer's JSON; None when what is asked for has gone, as it may at any moment."""
        async with self.session.request(method, f"/ari/{path}", params=query) as response:
            text = await response.text()
            if response.status in (400, 404, 409, 422):
                return None
            response.raise_for_status()
            return await response.json() if text else {}

    async def on_event(self, event: dict[str, Any]) -> None:
        match event["type"]:
            case "StasisStart" if event["args"][:1] == ["dialed"]:
                await self.answered(event["channel"]["id"])
            case "StasisStart":
                await self.arrived(event["channel"], event["args"][0])
            case "StasisEnd":
                await self.ended(event["channel"]["id"])

    async def arrived(self, channel: dict[str, Any], did: str) -> None:
        caller = channel["id"]
        await self.request("POST", f"channels/{caller}/ring")
        leg = await self.request(
            "POST",
            "channels",
            endpoint=ROUTES[did],
            app=APP,
            appArgs="dialed",
            callerId=channel["caller"]["number"],
        )
        if leg is None:
            await self.request("DELETE", f"channels/{caller}")
            return
        self.callers[leg["id"]] = caller
        self.legs[caller] = leg["id"]

    async def answered(self, leg: str) -> None:
        caller = self.callers.get(leg)
        if caller is None:
            await self.request("DELETE", f"channels/{leg}")
            return
        await self.request("POST", f"channels/{caller}/answer")
        bridge = await self.request("POST", "bridges", type="mixing")
        self.bridges[caller] = self.bridges[leg] = bridge["id"]
        await self.request("POST", f"bridges/{bridge['id']}/addChannel", channel=f"{caller},{leg}")

    async def ended(self, channel: str) -> None:
        other = self.legs.pop(channel, None) or self.callers.pop(channel, None)
        if other is not None:
            await self.request("DELETE", f"channels/{other}")
        bridge = self.bridges.pop(channel, None)
        if bridge is not None:
            await self.request("DELETE", f"bridges/{bridge}")


async def main(base: str, user: str, password: str) -> None:
    auth = aiohttp.BasicAuth(user, password)
    async with aiohttp.ClientSession(base, auth=auth) as session:
        application = Application(session)
        async with session.ws_connect(f"/ari/events?app={APP}") as events, asyncio.TaskGroup() as group:
            async for message in events:
                group.create_task(application.on_event(message.json()))


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]).read_text(encoding="utf-8").strip()))
