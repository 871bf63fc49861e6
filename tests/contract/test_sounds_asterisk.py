"""What router.sounds and its users stand on, asked of a real Asterisk: playing, stopping, ringing, recording."""

from __future__ import annotations

import asyncio
import json
import re
import time
import wave
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from router.model import Prompt, Sound
from router.sounds import Sounds, wav
from router.sounds.texts import NAMES, TEXTS
from sandbox.asterisk import Asterisk
from sandbox.behaviours import Answer, Play, RingOut
from sandbox.phones import Caller, Carrier
from sandbox.processes import wait_until
from tests.unit.test_sounds_wav import tone
from tests.waiting import until

pytestmark = pytest.mark.asterisk

TALKS, KEYS, LEAVES, SILENT, RINGS = (f"+3361234567{n}" for n in range(5))
MOBILES: dict[str, Play] = {
    TALKS: Answer(ring=0.05, speak=True),
    KEYS: Answer(ring=0.05, keys="5#", keys_after=0.6),
    LEAVES: Answer(ring=0.05, talk=2.0, speak=True),
    SILENT: Answer(ring=0.05),
    RINGS: RingOut(),
}
DIALPLAN = """\
[callrouter]
exten => _[+0-9]!,1,Ringing()
 same => n,Stasis(callrouter,in)
 same => n,Hangup()
"""

Event = dict[str, Any]


class Told(list[Event]):
    """What Asterisk has said, and its ARI over HTTP."""

    def __init__(self, asterisk: Asterisk, session: aiohttp.ClientSession) -> None:
        super().__init__()
        self.asterisk = asterisk
        self.session = session

    async def ask(self, method: str, path: str, **body: object) -> int:
        async with self.session.request(method, f"{self.asterisk.ari_url}/{path}", json=body or None) as answer:
            await answer.read()
            return answer.status

    async def first(self, wanted: Callable[[Event], bool], seconds: float = 10.0) -> Event:
        await until(lambda: any(map(wanted, self)), seconds)
        return next(event for event in self if wanted(event))

    async def leg(self, number: str, name: str) -> str:
        await self.ask(
            "POST", "channels", endpoint=f"PJSIP/{number}@trunk", app="callrouter", channelId=name, timeout=10
        )
        await self.first(lambda event: event["type"] == "StasisStart" and event["channel"]["id"] == name)
        return name

    async def play(self, channel: str, playback: str, *media: str) -> int:
        return await self.ask("POST", f"channels/{channel}/play/{playback}", media=list(media))

    async def finished(self, playback: str, seconds: float = 10.0) -> str:
        found = await self.first(
            lambda event: event["type"] == "PlaybackFinished" and event["playback"]["id"] == playback, seconds
        )
        return str(found["playback"]["state"])

    async def record(self, channel: str, name: str, **more: object) -> int:
        asked = {"format": "wav", "ifExists": "fail", "terminateOn": "#", "maxSilenceSeconds": 3, **more}
        return await self.ask("POST", f"channels/{channel}/record", name=name, **asked)

    async def recorded(self, name: str) -> Event:
        found = await self.first(
            lambda event: (
                event["type"].startswith("Recording")
                and event["type"] != "RecordingStarted"
                and event["recording"]["name"] == name
            )
        )
        return {**found["recording"], "type": found["type"]}

    def types(self, channel: str) -> list[str]:
        return [
            event["type"]
            for event in self
            if (event.get("channel") or {}).get("id") == channel
            or (event.get("recording") or event.get("playback") or {}).get("target_uri") == f"channel:{channel}"
        ]


@asynccontextmanager
async def told(asterisk: Asterisk) -> AsyncIterator[Told]:
    headers = {"Authorization": aiohttp.encode_basic_auth(asterisk.user, asterisk.ari_password)}
    async with aiohttp.ClientSession(headers=headers) as session:
        said = Told(asterisk, session)
        async with session.ws_connect(f"{asterisk.ari_url}/events?app=callrouter") as socket:

            async def listen() -> None:
                async for message in socket:
                    said.append(json.loads(message.data))

            listening = asyncio.create_task(listen())
            try:
                yield said
            finally:
                for channel in {event["channel"]["id"] for event in said if event["type"] == "StasisStart"}:
                    await said.ask("DELETE", f"channels/{channel}")
                listening.cancel()


@pytest.fixture(scope="module")
def asterisk(runtime: Path) -> Iterator[Asterisk]:
    """One of our own: its pool of threads grows with what is played at once."""
    with Asterisk(runtime / "sounds", dialplan=DIALPLAN, verbose=3) as started:
        yield started


@pytest.fixture(autouse=True)
def _mobiles(asterisk: Asterisk, tmp_path: Path) -> Iterator[None]:
    """Every test ends with no channel and no bridge."""
    with Carrier(asterisk.ports, tmp_path / "phones") as carrier:
        carrier.play(MOBILES)
        yield
        wait_until(asterisk.quiet, 10, "all channels and bridges are gone")


@pytest.fixture
def caller(asterisk: Asterisk, tmp_path: Path) -> Iterator[Caller]:
    with Caller(asterisk.ports, tmp_path / "phones") as phone:
        yield phone


@pytest.fixture
def long(tmp_path: Path) -> str:
    """Five seconds of tone."""
    (tmp_path / "long.wav").write_bytes(wav.as_wav(tone(1000, 8000, 5.0)))
    return f"sound:{tmp_path}/long"


def packets(sent: str, channel: str) -> int:
    """RTP packets sent to the channel's phone."""
    row = re.search(rf"{channel}\s+\d\d:\d\d:\d\d\s+\w+\s+\d+\s+\d+\s+\d+\s+[\d.]+\s+(\d+)", sent)
    return int(row[1]) if row else 0


# --- Playing ----------------------------------------------------------------------------------------------------


async def test_every_recording_plays_one_after_the_other(asterisk: Asterisk, tmp_path: Path) -> None:
    """All of a language in one list: each is opened; the short ones are heard to their end."""
    sounds = Sounds(str(tmp_path / "none"))
    async with told(asterisk) as said:
        leg = await said.leg(SILENT, "leg-shipped")
        for language in TEXTS:
            for name in NAMES:
                (media,) = sounds.media((name,), language)
                assert await said.play(leg, f"{language}-{name}", media) == 201
                assert await said.ask("DELETE", f"playbacks/{language}-{name}") == 204
                assert await said.finished(f"{language}-{name}") == "done"
        assert await said.play(leg, "heard", *sounds.media((Prompt.BEEP, "count-3"), "fr")) == 201
        assert await said.finished("heard") == "done"
        started = [event["playback"]["media_uri"] for event in said if event["type"] == "PlaybackStarted"]
        assert started[-2:] == list(sounds.media((Prompt.BEEP, "count-3"), "fr"))
    assert "does not exist in any format" not in asterisk.log.read_text(encoding="utf-8", errors="replace")


async def test_a_sound_that_is_not_there_costs_only_itself(asterisk: Asterisk, tmp_path: Path) -> None:
    beep, gone = Sounds(str(tmp_path)).media((Prompt.BEEP,), "fr")[0], f"sound:{tmp_path}/gone"
    async with told(asterisk) as said:
        leg = await said.leg(SILENT, "leg-missing1")
        await said.play(leg, "middle", beep, gone, beep)
        assert await said.finished("middle") == "done"
        await said.play(leg, "last", beep, gone)
        assert await said.finished("last") == "failed"
        # An unknown sound of ours never gets that far.
        await said.play(leg, "ours", *Sounds(str(tmp_path)).media((Sound("words"),), "fr"))
        assert await said.finished("ours") == "done"


async def test_keys_are_told_while_something_plays_and_it_can_be_stopped(asterisk: Asterisk, long: str) -> None:
    async with told(asterisk) as said:
        leg = await said.leg(KEYS, "leg-keys")
        await said.play(leg, "words", long)
        key = await said.first(lambda event: event["type"] == "ChannelDtmfReceived")
        assert key["digit"] == "5"
        assert not [event for event in said if event["type"] == "PlaybackFinished"]
        began = time.monotonic()
        assert await said.ask("DELETE", "playbacks/words") == 204
        assert await said.finished("words") == "done"
        assert time.monotonic() - began < 1
        assert await said.ask("DELETE", "playbacks/words") == 404


async def test_a_bridge_waits_for_what_plays_and_not_for_what_was_stopped(asterisk: Asterisk, long: str) -> None:
    async with told(asterisk) as said:
        legs = [await said.leg(SILENT, "leg-bridge1"), await said.leg(SILENT, "leg-bridge2")]
        await said.ask("POST", "bridges/held", type="mixing")
        await said.play(legs[0], "held", long)
        adding = asyncio.create_task(said.ask("POST", "bridges/held/addChannel", channel=legs))
        done, _ = await asyncio.wait([adding], timeout=1.0)
        assert not done, "addChannel no longer waits for what plays: stopping it first is not needed any more"
        assert await said.ask("DELETE", "playbacks/held") == 204
        assert await asyncio.wait_for(adding, 2) == 204
        await said.ask("DELETE", "bridges/held")


async def test_a_ring_is_heard_by_an_answered_channel_until_it_is_bridged(asterisk: Asterisk) -> None:
    async with told(asterisk) as said:
        legs = [await said.leg(SILENT, "leg-ring1"), await said.leg(SILENT, "leg-ring2")]
        assert await said.ask("POST", f"channels/{legs[0]}/ring") == 204
        name = next(
            event["channel"]["name"]
            for event in said
            if event["type"] == "StasisStart" and event["channel"]["id"] == legs[0]
        ).removeprefix("PJSIP/")
        await until(lambda: packets(asterisk.cli("pjsip show channelstats"), name) >= 20, 5)
        await said.ask("POST", "bridges/rung", type="mixing")
        began = time.monotonic()
        assert await said.ask("POST", "bridges/rung/addChannel", channel=legs) == 204
        assert time.monotonic() - began < 1
        await said.ask("DELETE", "bridges/rung")


async def test_only_a_caller_may_hear_something_before_the_answer(asterisk: Asterisk, caller: Caller) -> None:
    beep = Sounds("/nowhere").media((Prompt.BEEP,), "fr")[0]
    async with told(asterisk) as said:
        await said.ask(
            "POST", "channels", endpoint=f"PJSIP/{RINGS}@trunk", app="callrouter", channelId="leg-early", timeout=10
        )
        await said.first(lambda event: event["type"] == "Dial" and event["dialstatus"] == "RINGING")
        assert await said.play("leg-early", "early", beep) == 409
        await said.ask("DELETE", "channels/leg-early")
        placed = caller.place("+33184801001", cancel_after=1.5)
        arrived = await said.first(lambda event: event["type"] == "StasisStart")
        assert await said.play(arrived["channel"]["id"], "before", beep) == 201
        assert await said.finished("before") == "done"
        assert "<183" in placed.dialog.sequence
        assert "<200" not in placed.dialog.sequence


async def test_a_hang_up_ends_what_plays(asterisk: Asterisk, long: str) -> None:
    async with told(asterisk) as said:
        leg = await said.leg(LEAVES, "leg-leaves1")
        await said.play(leg, "cut", long)
        assert await said.finished("cut") == "failed"
        await said.first(lambda event: event["type"] == "StasisEnd")
        told_of = said.types(leg)
        assert told_of.index("PlaybackFinished") < told_of.index("StasisEnd")
        assert await said.play(leg, "late", long) == 404


# --- Recording ----------------------------------------------------------------------------------------------------


async def test_a_message_is_recorded_behind_the_words_and_kept_when_the_caller_leaves(
    asterisk: Asterisk, tmp_path: Path
) -> None:
    file = asterisk.folder / "spool" / "recording" / "voicemail" / f"{tmp_path.name}.wav"
    async with told(asterisk) as said:
        leg = await said.leg(LEAVES, "leg-leaves2")
        name = f"voicemail/{tmp_path.name}"
        await said.play(leg, "announced", *Sounds("/nowhere").media((Prompt.BEEP,), "fr"))
        assert await said.record(leg, name) == 201
        message = await said.recorded(name)
        await said.first(lambda event: event["type"] == "StasisEnd")
        assert (message["type"], message["state"], message["duration"]) == ("RecordingFinished", "done", 1)
        assert message["talking_duration"] == 1
        order = said.types(leg)
        assert order.index("PlaybackFinished") < order.index("RecordingStarted")
        assert order.index("RecordingFinished") < order.index("StasisEnd")
        with wave.open(str(file)) as read:
            assert read.getparams()[:3] == (1, 2, 8000)
            assert 1.0 < read.getnframes() / 8000 < 2.0
        assert await said.ask("DELETE", f"recordings/stored/voicemail%2F{tmp_path.name}") == 204
        assert not file.exists()


async def test_the_hash_key_ends_a_recording_and_a_name_is_taken_once(asterisk: Asterisk, tmp_path: Path) -> None:
    name = f"voicemail/{tmp_path.name}"
    async with told(asterisk) as said:
        leg = await said.leg(KEYS, "leg-hash")
        assert await said.record(leg, name) == 201
        assert (await said.recorded(name))["duration"] == 0
        assert {event["digit"] for event in said if event["type"] == "ChannelDtmfReceived"} == {"5", "#"}
        assert await said.record(leg, name) == 409
        assert await said.record(leg, "../outside") == 500
        assert await said.record(leg, f"{name}-other", format="nonsense") == 422


async def test_without_its_folder_asterisk_does_not_record(asterisk: Asterisk) -> None:
    folder = asterisk.folder / "spool" / "recording"
    async with told(asterisk) as said:
        leg = await said.leg(SILENT, "leg-folder")
        folder.rename(folder.with_name("away"))
        try:
            assert await said.record(leg, "voicemail/nowhere") == 500
        finally:
            folder.with_name("away").rename(folder)
