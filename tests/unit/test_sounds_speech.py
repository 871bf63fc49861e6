"""Words to sound: the speech program is a script here, so that everything that programs do wrong can be done."""

from __future__ import annotations

import os
import stat
import time
from dataclasses import replace
from pathlib import Path

import pytest

from router.model import Config, Prompt, Sound
from router.sounds import SHIPPED, Sounds, missing, speech
from sandbox import processes
from tests.build import make_campaign, make_config, make_overflow
from tests.unit.test_sounds_wav import file, tone

BEEP = f"sound:{SHIPPED}/fr/beep"
FLYER = Sound("Flyer printemps")


class Site:
    """A folder with campaigns.yaml and a speech program, and how often that was run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cache = folder / "calls.db.sounds"
        self.sounds = Sounds(str(self.cache))
        (folder / "tone.wav").write_bytes(file(tone(440, 22050), 22050))
        self.program('cp "$HOME_OF_TEST/tone.wav" "$2"')

    def program(self, does: str) -> None:
        """$1 language, $2 the file to write, $3 the words."""
        place = self.folder
        script = f"#!/bin/sh\nHOME_OF_TEST='{place}'\nprintf '%s|' \"$1\" \"$3\" >> '{place}/runs'\n{does}\n"
        (place / "say").write_text(script, encoding="utf-8")
        (place / "say").chmod(0o755)

    @property
    def runs(self) -> list[str]:
        held = self.folder / "runs"
        return held.read_text(encoding="utf-8").split("|")[:-1] if held.exists() else []

    def config(self, *sounds: Sound, command: str = "./say", language: str = "fr") -> Config:
        """Each sound is the whisper of a campaign; the unknown number says the first of them too."""
        campaigns = [
            make_campaign(f"c{at}", [f"+3318480100{at}"], whisper=sound) for at, sound in enumerate(sounds)
        ]
        config = make_config(
            campaigns=campaigns, unknown=make_campaign("unknown", [], whisper=sounds[0]),
            file=str(self.folder / "campaigns.yaml"), database=str(self.folder / "calls.db"),
            speech=(command, "{language}", "{file}", "{text}") if command else (),
        )  # fmt: skip
        return replace(config, language=language)

    def heard(self, *parts: Prompt | Sound | str, language: str = "fr") -> tuple[str, ...]:
        return self.sounds.media(parts, language)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


# --- Speaking -------------------------------------------------------------------------------------------------


def test_a_text_is_spoken_once_and_kept(site: Site) -> None:
    assert site.sounds.prepare(site.config(FLYER)) == ()
    (made,) = site.cache.iterdir()
    assert site.heard(FLYER) == (f"sound:{str(made).removesuffix('.wav')}",)
    assert site.sounds.prepare(site.config(FLYER)) == ()
    assert Sounds(str(site.cache)).prepare(site.config(FLYER)) == ()
    assert site.runs == ["fr", "Flyer printemps"]
    assert stat.S_IMODE(site.cache.stat().st_mode) == 0o750
    assert stat.S_IMODE(made.stat().st_mode) == 0o640
    assert made.read_bytes()[20:36] == b"\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0"  # 8 kHz, mono, 16 bits


def test_another_language_or_text_is_another_file(site: Site) -> None:
    site.sounds.prepare(site.config(FLYER))
    site.sounds.prepare(site.config(FLYER, language="en"))
    site.sounds.prepare(site.config(Sound("Affiche")))
    assert len(list(site.cache.iterdir())) == 3


def test_words_are_words_and_nothing_else(site: Site) -> None:
    nasty = "--x {file} {language} $(touch hacked) `id`; 'a' \"b\" & > *"
    assert site.sounds.prepare(site.config(Sound(nasty))) == ()
    assert site.runs == ["fr", nasty.removeprefix("--")]
    assert not list(site.folder.rglob("hacked"))


def test_every_place_that_says_something_is_prepared(site: Site) -> None:
    closed = make_overflow(announcement="Fermé.", voicemail="Enregistré.")
    busy = make_overflow(announcement="Occupé.")
    config = make_config(
        campaigns=[make_campaign("a", name="Le nom", overflow=busy, closed=closed)],
        unknown=make_campaign("unknown", [], name="Inconnu"), file=str(site.folder / "campaigns.yaml"),
        speech=("./say", "{language}", "{file}", "{text}"),
    )  # fmt: skip
    assert site.sounds.prepare(config) == ()
    assert site.runs[1::2] == ["Le nom", "Occupé.", "Fermé.", "Enregistré.", "Inconnu"]
    for words in site.runs[1::2]:
        assert site.sounds.has(Sound(words))


def test_calls_that_began_with_the_configuration_before_still_hear_it(site: Site) -> None:
    site.sounds.prepare(site.config(FLYER))
    before = site.heard(FLYER)
    site.sounds.prepare(site.config(Sound("Affiche")))
    assert site.heard(FLYER) == before != (BEEP,)


# --- What goes wrong ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("does", "why"),
    [
        ("exit 3", "failed (status 3)"), ("echo voice not found >&2; exit 1", "failed (status 1): voice not found"),
        (":", "wrote no file"), ('echo hello > "$2"', "is no WAV file of plain samples"), ('mkdir "$2"', ""),
        ("kill -9 $$", "failed (status -9)"),
    ],
)  # fmt: skip
def test_what_cannot_be_spoken_is_a_beep_and_a_line(site: Site, does: str, why: str) -> None:
    site.program(does)
    (remark,) = site.sounds.prepare(site.config(FLYER))
    assert remark.startswith("campaigns.c0.whisper")
    assert why in remark
    assert remark.endswith("; a beep is heard instead")
    assert "\n" not in remark
    assert site.heard(FLYER) == (BEEP,)
    assert not site.sounds.has(FLYER)
    assert list(site.cache.iterdir()) == []


def test_without_a_program_one_line_says_so_for_all(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(site.folder))
    (remark,) = site.sounds.prepare(site.config(FLYER, Sound("Affiche"), command=""))
    assert remark == "campaigns.c0.whisper and 2 more: espeak-ng is not installed; a beep is heard instead"
    assert not site.cache.exists()


def test_espeak_is_taken_where_it_is(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    (site.folder / "espeak-ng").write_text(
        f'#!/bin/sh\necho "$@" > {site.folder}/asked\n/bin/cp {site.folder}/tone.wav "$4"\n', encoding="utf-8"
    )
    (site.folder / "espeak-ng").chmod(0o755)
    monkeypatch.setenv("PATH", str(site.folder))
    assert site.sounds.prepare(site.config(FLYER, command="")) == ()
    asked = (site.folder / "asked").read_text(encoding="utf-8")
    assert asked.startswith("-v fr -w ")
    assert asked.endswith("spoken.wav Flyer printemps\n")


def test_one_that_hangs_is_ended_with_all_it_started_and_asked_no_more(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speech, "PATIENCE", 2.0)
    site.program(f"sleep 60 & echo $! > {site.folder}/child; wait")
    began = time.monotonic()
    (remark,) = site.sounds.prepare(site.config(FLYER, Sound("Affiche"), Sound("Annonce")))
    assert time.monotonic() - began < 15
    assert "did not end within 2 s" in remark
    assert len(site.runs) == 2
    child = int((site.folder / "child").read_text())
    processes.wait_until(lambda: not processes.alive(child), 5, "what it started has ended")


def test_one_that_writes_without_end_is_ended(site: Site) -> None:
    site.program("while :; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; done")
    (remark,) = site.sounds.prepare(site.config(FLYER))
    assert "wrote more than 64 KiB" in remark


def test_a_folder_that_cannot_be_made_is_a_line(site: Site) -> None:
    site.cache.write_text("in the way")
    (remark,) = site.sounds.prepare(site.config(FLYER))
    assert f"nothing can be kept in {site.cache}" in remark
    assert site.heard(FLYER) == (BEEP,)


# --- Recordings of the administrator ----------------------------------------------------------------------------


def test_a_recording_is_played_from_where_it_lies(site: Site) -> None:
    mine = site.folder / "flyer.gsm"
    mine.write_bytes(b"sound")
    sound = Sound(file=str(mine))
    assert site.sounds.prepare(site.config(sound)) == ()
    assert site.heard(sound) == (f"sound:{site.folder}/flyer",)


def test_one_that_has_gone_is_a_beep_and_a_line(site: Site) -> None:
    sound = Sound(file=str(site.folder / "flyer.wav"))
    (remark,) = site.sounds.prepare(site.config(sound))
    assert f"there is no {site.folder}/flyer.wav" in remark
    assert site.heard(sound, Prompt.TAKEN) == (BEEP, f"sound:{SHIPPED}/fr/taken")
    assert next(use.where for use in missing(site.config(sound), str(site.cache))) == "campaigns.c0.whisper"


def test_a_prompt_may_be_replaced_and_a_language_added(site: Site) -> None:
    for name in ("fr/taken.wav", "de/press-1.ulaw"):
        place = site.folder / "sounds" / name
        place.parent.mkdir(parents=True)
        place.write_bytes(b"sound")
    site.sounds.prepare(site.config(FLYER, language="de"))
    assert site.heard(Prompt.TAKEN) == (f"sound:{site.folder}/sounds/fr/taken",)
    german = site.heard(Prompt.PRESS_1, Prompt.TAKEN, language="de")
    assert german == (f"sound:{site.folder}/sounds/de/press-1", f"sound:{SHIPPED}/en/taken")


# --- Before, and after a long time ------------------------------------------------------------------------------


def test_prompts_are_known_from_the_first_moment(site: Site) -> None:
    assert site.heard(Prompt.PRESS_1, "count-3") == (f"sound:{SHIPPED}/fr/press-1", f"sound:{SHIPPED}/fr/count-3")
    assert site.heard(Prompt.PRESS_1, language="xx") == (f"sound:{SHIPPED}/en/press-1",)
    assert site.heard(FLYER, "no such thing") == (BEEP, BEEP)


def test_what_no_configuration_used_for_a_month_is_removed(site: Site) -> None:
    site.sounds.prepare(site.config(FLYER))
    (flyer,) = site.cache.iterdir()
    old, young, foreign = (site.cache / name for name in ("a" * 32 + ".wav", "b" * 32 + ".wav", "notes.wav"))
    for path in (old, young, foreign):
        path.write_bytes(b"sound")
    draft = site.cache / ".speaking-left"
    draft.mkdir()
    long_ago = time.time() - speech.KEPT - 60
    for path in (old, foreign, flyer, draft):
        os.utime(path, (long_ago, long_ago))
    site.sounds.prepare(site.config(FLYER))
    assert {path.name for path in site.cache.iterdir()} == {flyer.name, young.name, foreign.name}
    assert time.time() - flyer.stat().st_mtime < 60
