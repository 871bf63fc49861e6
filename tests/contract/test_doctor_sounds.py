"""What the doctor says of recordings, the speech program and messages."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from router.doctor import sounds
from router.doctor.finding import Finding, State
from router.doctor.machine import User
from router.model import Config, Sound
from router.sounds import Sounds
from router.spoken import folder_of
from tests.build import make_campaign, make_config, make_overflow

NOBODY = User(65534, frozenset({65534}))


@pytest.fixture(autouse=True)
def _no_asterisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever runs on this machine."""
    monkeypatch.setattr(sounds, "asterisks_user", lambda: None)


def config(folder: Path, command: str = "cp", **parts: object) -> Config:
    spring = replace(make_campaign(name="Flyer"), **parts)  # type: ignore[arg-type]
    return make_config(
        campaigns=[spring], unknown=spring, file=str(folder / "campaigns.yaml"), database=str(folder / "calls.db"),
        speech=(command, "{text}", "{file}"),
    )  # fmt: skip


def found(where: Config, check: str) -> Finding:
    (finding,) = (finding for finding in sounds.examine(where) if finding.check == check)
    return finding


def test_a_program_that_is_missing_is_named_with_what_mends_it(tmp_path: Path) -> None:
    finding = found(replace(config(tmp_path, "no-such-program")), "speech")
    assert (finding.state, finding.mend) == (State.WARN, "callrouter check")
    assert "no-such-program is not installed: 2 texts are a beep" in finding.what


def test_what_has_not_been_spoken_yet_is_said_and_then_no_more(tmp_path: Path) -> None:
    from tests.unit.test_sounds_wav import file, tone

    (tmp_path / "Flyer").write_bytes(file(tone(400, 8000), 8000))
    here = config(tmp_path, whisper=Sound(str(tmp_path / "Flyer")))  # `cp` speaks a text that is a file's name
    assert found(here, "speech").state is State.WARN
    assert Sounds(folder_of(here.database)).prepare(here) == ()
    assert found(here, "speech").state is State.OK


def test_a_recording_that_has_gone_is_a_failure(tmp_path: Path) -> None:
    finding = found(config(tmp_path, whisper=Sound(file="/gone.wav")), "speech")
    assert (finding.state, finding.mend) == (State.FAIL, "record it, then: callrouter reload")
    assert "campaigns.spring-flyer.whisper: /gone.wav is not there" in finding.what


def test_what_asterisks_user_may_not_read_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sounds, "asterisks_user", lambda: NOBODY)
    shipped = tmp_path / "shipped" / "fr"
    shipped.mkdir(parents=True)
    (shipped / "beep.ulaw").write_bytes(b"sound")
    monkeypatch.setattr(sounds, "SHIPPED", str(shipped.parent))
    for path in (*shipped.parents, shipped):
        if str(path).startswith(str(tmp_path.parent)):
            path.chmod(0o755)
    monkeypatch.setattr(User, "may", _below(tmp_path, User.may))
    assert found(config(tmp_path), "sounds").state is State.OK
    (shipped / "beep.ulaw").chmod(0o600)
    assert found(config(tmp_path), "sounds").mend.startswith(f"chgrp asterisk {shipped}/beep.ulaw && chmod g+r")
    (shipped / "beep.ulaw").chmod(0o644)
    shipped.chmod(0o700)
    assert found(config(tmp_path), "sounds").mend.startswith(f"chgrp asterisk {shipped} && chmod g+x")


def _below(folder: Path, may: object) -> object:
    """Folders above the test's own are as open as they should be."""
    return lambda user, path, want: not path.startswith(str(folder)) or may(user, path, want)  # type: ignore[operator]


def test_messages_need_a_folder_of_asterisks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sounds, "SPOOL", tmp_path)
    assert not [finding for finding in sounds.examine(config(tmp_path)) if finding.check == "voicemail"]
    recorded = config(tmp_path, overflow=make_overflow(voicemail="Enregistré."))
    finding = found(recorded, "voicemail")
    assert (finding.state, finding.mend[:10]) == (State.FAIL, "install -d")
    (tmp_path / "recording").mkdir(mode=0o755)
    assert found(recorded, "voicemail").state is State.OK
    monkeypatch.setattr(sounds, "asterisks_user", lambda: NOBODY)
    assert found(recorded, "voicemail").state is State.FAIL
