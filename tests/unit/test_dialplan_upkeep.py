"""The generated dialplan kept as old as the configuration: written, loaded, looked at; never in a call's way."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from router import dialplan_upkeep
from router.dialplan_upkeep import DialplanUpkeep, renew
from router.errors import AriTimeout, RouterError
from router.model import Config
from tests.build import make_campaign, make_config
from tests.switchboard import FakeClient, turn
from tests.waiting import until

NOW = datetime(2026, 3, 4, 15, 30, tzinfo=UTC)


def config_for(path: Path, version: str = "0123456789ab") -> Config:
    return replace(
        make_config(campaigns=[make_campaign("flyer")]),
        version=version,
        dialplan=str(path),
        database=str(path.parent / "c.db"),
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "callrouter-extensions.conf"


# --- The file ---------------------------------------------------------------------------------------------


def test_it_is_written_once_for_each_configuration(path: Path) -> None:
    config = config_for(path)
    assert renew(config, NOW)
    text = path.read_text(encoding="utf-8")
    assert "\nCALLROUTER_DIALPLAN=0123456789ab\n" in text
    assert f"\nCALLROUTER_AGI={path.parent}/callrouter-agi\n" in text
    assert path.stat().st_mode & 0o777 == 0o640
    before = path.stat().st_ino
    assert not renew(config, NOW)
    assert path.stat().st_ino == before
    assert renew(config_for(path, "ba9876543210"), NOW)
    assert "\nCALLROUTER_DIALPLAN=ba9876543210\n" in path.read_text(encoding="utf-8")
    assert os.listdir(path.parent) == [path.name]


def test_its_days_are_renewed_each_week_and_not_each_day(path: Path) -> None:
    config = config_for(path)
    renew(config, NOW)
    assert not renew(config, NOW + timedelta(days=6))
    assert renew(config, NOW + timedelta(days=7))
    assert "\nCALLROUTER_DIALPLAN_MADE=20260311\n" in path.read_text(encoding="utf-8")


def test_a_clock_that_was_set_back_renews_it_too(path: Path) -> None:
    config = config_for(path)
    renew(config, NOW)
    assert renew(config, NOW - timedelta(days=1))


def test_somebody_elses_file_is_left_alone(path: Path) -> None:
    path.write_text("[general]\nstatic = yes\n", encoding="utf-8")
    with pytest.raises(RouterError, match="not a file that callrouter made"):
        renew(config_for(path), NOW)
    assert path.read_text(encoding="utf-8") == "[general]\nstatic = yes\n"


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        renew(config_for(tmp_path / "nowhere" / "x.conf"), NOW)


def test_a_file_with_a_day_that_is_none_is_made_anew(path: Path) -> None:
    config = config_for(path)
    renew(config, NOW)
    text = path.read_text(encoding="utf-8").replace("MADE=20260304", "MADE=20261399")
    path.write_text(text, encoding="utf-8")
    assert renew(config, NOW)


# --- In Asterisk ------------------------------------------------------------------------------------------


class AtWork:
    """An Asterisk whose dialplan is of `loaded`, and becomes of `on_disk` with a reload."""

    def __init__(self) -> None:
        self.client = FakeClient()
        self.upkeep = DialplanUpkeep(self.client)  # type: ignore[arg-type]
        self.loaded = "old"
        self.includes: Path | None = None
        self.task = asyncio.create_task(self.upkeep.run())
        self._seen = 0

    async def answer(self, turns: int = 200) -> None:
        """Answer whatever is asked until nothing more comes for a while."""
        for _ in range(turns):
            await asyncio.sleep(0.002)
            for asked in self.client.asked[self._seen :]:
                self._seen += 1
                if asked.verb == "reload_module":
                    self._reload()
                    asked.future.set_result(None)
                else:
                    asked.future.set_result(self.loaded)

    def _reload(self) -> None:
        if self.includes is not None:
            lines = self.includes.read_text(encoding="utf-8").splitlines()
            self.loaded = next(line.partition("=")[2] for line in lines if line.startswith("CALLROUTER_DIALPLAN="))

    async def sees(self, stale: bool) -> None:
        async def asking() -> None:
            while bool(self.upkeep.stale) is not stale:
                await self.answer(1)

        await asyncio.wait_for(asking(), 10)


@pytest.fixture
async def it(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[AtWork]:
    monkeypatch.setattr(dialplan_upkeep, "LOOK", 0.02)
    at_work = AtWork()
    yield at_work
    at_work.task.cancel()
    await asyncio.gather(at_work.task, return_exceptions=True)


async def test_a_new_configuration_is_written_loaded_and_verified(it: AtWork, path: Path) -> None:
    it.includes = path
    it.upkeep.connected()
    it.upkeep.adopt(config_for(path))
    await until(path.exists)
    await it.answer(100)
    assert (it.loaded, it.upkeep.stale) == ("0123456789ab", "")
    assert it.client.last("reload_module").name == "pbx_config.so"
    it.upkeep.adopt(config_for(path, "ba9876543210"))
    await until(lambda: "ba9876543210" in path.read_text(encoding="utf-8"))
    await it.answer(100)
    assert (it.loaded, it.upkeep.stale) == ("ba9876543210", "")
    assert len(it.client.all("reload_module")) == 2, "once for each"


async def test_without_the_key_it_is_only_looked_at(
    it: AtWork, path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    it.upkeep.connected()
    it.upkeep.adopt(replace(config_for(path), dialplan=""))
    await it.sees(stale=True)
    assert "configuration old, in force is 0123456789ab" in it.upkeep.stale
    await it.answer(50)
    assert sum("event=dialplan_stale" in record.getMessage() for record in caplog.records) == 1
    it.loaded = "0123456789ab"
    await it.sees(stale=False)
    assert os.listdir(tmp_path) == []
    assert "reload_module" not in it.client.verbs


async def test_an_asterisk_without_our_dialplan_is_told_from_one_that_is_old(it: AtWork, path: Path) -> None:
    it.loaded = ""
    it.upkeep.connected()
    it.upkeep.adopt(replace(config_for(path), dialplan=""))
    await it.sees(stale=True)
    assert it.upkeep.stale == "Asterisk has not loaded callrouter-extensions.conf"


async def test_an_asterisk_that_does_not_include_the_file_is_not_reloaded_again_and_again(
    it: AtWork, path: Path
) -> None:
    it.upkeep.connected()
    it.upkeep.adopt(config_for(path))
    await until(path.exists)
    await it.sees(stale=True)
    await it.answer(150)
    assert len(it.client.all("reload_module")) == 1
    assert len(it.client.all("global_variable")) > 3, "it is looked at all the same"


async def test_what_cannot_be_written_is_said_and_stops_nothing(
    it: AtWork, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    os.mkdir(path)
    it.upkeep.connected()
    it.upkeep.adopt(config_for(path))
    await it.sees(stale=True)
    assert "Is a directory" in it.upkeep.stale
    await it.answer(50)
    assert "reload_module" not in it.client.verbs
    assert sum("event=dialplan_stale" in record.getMessage() for record in caplog.records) == 1
    it.includes = path.with_name("other.conf")
    it.upkeep.adopt(config_for(it.includes))
    await until(lambda: it.includes is not None and it.includes.exists())
    await it.sees(stale=False)


async def test_it_is_written_without_a_link_and_loaded_when_there_is_one(it: AtWork, path: Path) -> None:
    it.includes = path
    it.upkeep.adopt(config_for(path))
    await until(path.exists)
    await turn()
    assert it.client.asked == []
    assert it.upkeep.stale == "", "nobody knows"
    it.upkeep.connected()
    await it.answer(100)
    assert it.loaded == "0123456789ab"


async def test_a_refusal_of_asterisk_is_no_end(it: AtWork, path: Path) -> None:
    it.upkeep.connected()
    it.upkeep.adopt(replace(config_for(path), dialplan=""))
    await until(lambda: it.client.asked)
    it._seen = 1
    it.client.asked[0].future.set_exception(AriTimeout("no answer in time"))
    await it.sees(stale=True)


async def test_a_mistake_of_ours_does_not_end_the_router(
    it: AtWork, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)

    def broken(*_: object) -> bool:
        raise ZeroDivisionError

    monkeypatch.setattr(dialplan_upkeep, "renew", broken)
    it.upkeep.adopt(config_for(path))
    await until(lambda: "event=internal_error" in caplog.text)
    assert not it.task.done()
