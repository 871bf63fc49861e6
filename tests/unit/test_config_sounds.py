"""Recordings that campaigns.yaml names: there, of a kind that Asterisk plays, under a name it takes as one."""

from __future__ import annotations

import io
import os
import wave
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.errors import Problem
from router.model import SOUND_FORMATS, Sound
from tests.campaign_file import problems, read, spoilt

WHERE = "campaigns.poster.whisper.play"


def recording(rate: int = 8000, channels: int = 1, width: int = 2) -> bytes:
    held = io.BytesIO()
    with wave.open(held, "wb") as made:
        made.setframerate(rate)
        made.setnchannels(channels)
        made.setsampwidth(width)
        made.writeframes(bytes(rate * channels * width // 10))
    return held.getvalue()


def named(name: str) -> str:
    return spoilt("    callback: none\n", f'    whisper: {{play: "{name}"}}\n')


def the_problem(folder: Path, name: str) -> Problem:
    (problem,) = problems(folder, named(name))
    assert problem.path == WHERE
    assert problem.line > 0
    return problem


@pytest.mark.parametrize("suffix", SOUND_FORMATS)
def test_a_file_beside_the_yaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    monkeypatch.chdir("/")
    (tmp_path / "sounds").mkdir()
    (tmp_path / "sounds" / f"fl yer{suffix}").write_bytes(recording() if suffix == ".wav" else b"x" * 80)
    found = read(tmp_path, named(f"sounds/../sounds/fl yer{suffix}")).campaigns["poster"].whisper
    assert found == Sound(file=str(tmp_path / "sounds" / f"fl yer{suffix}"))


def test_an_absolute_name_and_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "a.wav").write_bytes(recording())
    monkeypatch.setenv("HOME", str(home))
    for name in (str(home / "a.wav"), "~/a.wav"):
        assert read(tmp_path, named(name)).campaigns["poster"].whisper == Sound(file=str(home / "a.wav"))


def test_a_missing_file_is_named_with_its_whole_path(tmp_path: Path) -> None:
    assert str(tmp_path / "sounds" / "none.wav") in the_problem(tmp_path, "sounds/none.wav").wrong


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"")
    assert "is empty" in the_problem(tmp_path, "a.wav").wrong


def test_a_folder_and_a_pipe_that_nobody_waits_for(tmp_path: Path) -> None:
    (tmp_path / "folder.wav").mkdir()
    os.mkfifo(tmp_path / "pipe.wav")
    assert "cannot be read" in the_problem(tmp_path, "folder.wav").wrong
    assert "cannot be read" in the_problem(tmp_path, "pipe.wav").wrong


@pytest.mark.parametrize("odd", [",", "&", "|", ";", "$"])
def test_a_folder_of_the_yaml_that_asterisk_would_split(tmp_path: Path, odd: str) -> None:
    folder = tmp_path / f"a{odd}b"
    folder.mkdir()
    (folder / "a.wav").write_bytes(recording())
    problem = the_problem(folder, "a.wav")
    assert f"holds {odd}" in problem.wrong
    assert str(folder) in problem.wrong


def test_saying_and_playing_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(recording())
    text = spoilt("    callback: none\n", "    whisper: {play: a.wav, say: a}\n")
    (problem,) = problems(tmp_path, text)
    assert (problem.path, problem.wrong) == ("campaigns.poster.whisper", "has both say and play")


@pytest.mark.parametrize(
    ("rate", "channels", "width", "said"),
    [
        (44_100, 2, 2, "44100 Hz, 2 channel(s), 16 bits"),
        (16_000, 1, 2, "16000 Hz, 1 channel(s), 16 bits"),
        (8000, 1, 1, "8000 Hz, 1 channel(s), 8 bits"),
    ],
)
def test_a_wav_of_which_asterisk_would_play_nothing(
    tmp_path: Path, rate: int, channels: int, width: int, said: str
) -> None:
    (tmp_path / "a.wav").write_bytes(recording(rate, channels, width))
    problem = the_problem(tmp_path, "a.wav")
    assert said in problem.wrong
    assert "sox" in problem.mend


@pytest.mark.parametrize(
    "content",
    [
        b"x",
        b"RIFF",
        b"ID3 an MP3 under another name" * 9,
        recording()[:20],
        recording().replace(b"\x01\0", b"\x07\0", 1),
    ],
)
def test_what_only_calls_itself_wav(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.wav").write_bytes(content)
    assert "is no plain WAV file" in the_problem(tmp_path, "a.wav").wrong


@given(st.integers(0, 60), st.binary(min_size=1, max_size=8))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_damage_to_a_header_is_read_or_refused_in_words(tmp_path: Path, at: int, damage: bytes) -> None:
    whole = recording()
    (tmp_path / "a.wav").write_bytes(whole[:at] + damage + whole[at + len(damage) :])
    for problem in problems(tmp_path, named("a.wav")):
        assert problem.path == WHERE
