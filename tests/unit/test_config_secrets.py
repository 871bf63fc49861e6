"""Passwords: from the environment, else from a file that only its owner may read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic_core import PydanticCustomError

from router.config import load
from router.config.passwords import password
from router.errors import Problem
from tests.campaign_file import GOOD, PASSWORDS, TODAY, problems, read, spoilt


def write(folder: Path, name: str, content: bytes, mode: int = 0o600) -> Path:
    path = folder / "secrets" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)
    return path


def the_problem(folder: Path, environ: dict[str, str], name: str = "ari") -> Problem:
    found = problems(folder, GOOD, environ)
    mine = [one for one in found if one.path == f"asterisk.{name}.password_file"]
    assert len(mine) == 1, found
    return mine[0]


def test_the_files_are_read_beside_the_yaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    write(tmp_path, "ari", b"from the file\n")
    write(tmp_path, "ami", b"other\r\n", 0o400)
    config = read(tmp_path, environ={})
    assert config.ari_password.reveal() == "from the file"
    assert config.ami_password is not None
    assert config.ami_password.reveal() == "other"


def test_the_environment_wins_and_the_file_need_not_exist(tmp_path: Path) -> None:
    config = read(tmp_path)
    assert config.ari_password.reveal() == PASSWORDS["CALLROUTER_ARI_PASSWORD"]
    assert config.ami_password is not None
    assert config.ami_password.reveal() == PASSWORDS["CALLROUTER_AMI_PASSWORD"]


def test_no_repr_shows_a_password(tmp_path: Path) -> None:
    assert "ari-word" not in repr(read(tmp_path))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o777, 0o610])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    write(tmp_path, "ari", b"word\n", mode)
    problem = the_problem(tmp_path, {"CALLROUTER_AMI_PASSWORD": "x"})
    assert f"mode {mode:03o}" in problem.wrong
    assert problem.mend == "chmod 600 secrets/ari"
    assert problem.line == 4


def test_a_missing_file_says_how_to_make_it(tmp_path: Path) -> None:
    found = problems(tmp_path, GOOD, {})
    assert [one.path for one in found] == ["asterisk.ari.password_file", "asterisk.ami.password_file"]
    assert "there is no file secrets/ari" in found[0].wrong
    assert "install -m 600" in found[0].mend
    assert "CALLROUTER_AMI_PASSWORD" in found[1].mend


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"one\ntwo\n", "more than one line"),
        (b"one\r\nAction: Originate", "more than one line"),
        (b"x" * 5000, "more than one line"),
        (b"caf\xe9", "not UTF-8"),
    ],
)
def test_what_is_no_password(tmp_path: Path, content: bytes, wrong: str) -> None:
    write(tmp_path, "ari", content)
    problem = the_problem(tmp_path, {"CALLROUTER_AMI_PASSWORD": "x"})
    assert wrong in problem.wrong
    assert "two" not in problem.wrong + problem.mend


@pytest.mark.parametrize("word", ["", "two\nlines"])
def test_what_is_no_password_in_the_environment(tmp_path: Path, word: str) -> None:
    problem = the_problem(tmp_path, PASSWORDS | {"CALLROUTER_ARI_PASSWORD": word})
    assert "CALLROUTER_ARI_PASSWORD" in problem.wrong


def test_a_folder_or_a_pipe_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "secrets" / "ari").mkdir(parents=True)
    os.mkfifo(tmp_path / "secrets" / "ami", 0o600)
    assert "no plain file" in the_problem(tmp_path, {}).wrong
    assert "no plain file" in the_problem(tmp_path, {}, "ami").wrong


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "secrets"
    path.symlink_to(path)
    assert "cannot be read" in the_problem(tmp_path, {}).wrong


def test_neither_file_nor_environment(tmp_path: Path) -> None:
    found = problems(tmp_path, spoilt(", password_file: secrets/ami", ""), {"CALLROUTER_ARI_PASSWORD": "x"})
    assert [(one.path, one.wrong) for one in found] == [("asterisk.ami.password_file", "is missing")]
    assert "secrets/ami" in found[0].mend
    assert found[0].line == 5


def test_without_ami_no_ami_password_is_asked_for(tmp_path: Path) -> None:
    ami = "  ami: {host: 127.0.0.1, port: 5038, username: callrouter, password_file: secrets/ami}\n"
    config = read(tmp_path, spoilt(ami, ""), {"CALLROUTER_ARI_PASSWORD": "x"})
    assert config.ami is None
    assert config.ami_password is None


@pytest.mark.parametrize("name", ["[secrets/ari]", '""', '"a\\0b"', "x" * 5000, "no", ""])
def test_a_password_file_of_the_wrong_kind_is_one_problem(tmp_path: Path, name: str) -> None:
    environ = {"CALLROUTER_AMI_PASSWORD": "x"}
    found = problems(tmp_path, spoilt("password_file: secrets/ari", f"password_file: {name}"), environ)
    assert [one.path for one in found] == ["asterisk.ari.password_file"]


def test_a_folder_whose_name_no_system_call_takes() -> None:
    with pytest.raises(PydanticCustomError, match="no file name"):
        password("CALLROUTER_ARI_PASSWORD", "ari", "/tmp/a\0b", {})


def test_whoever_reads_reports_needs_no_password(tmp_path: Path) -> None:
    file = tmp_path / "campaigns.yaml"
    file.write_text(GOOD, encoding="utf-8")
    config = load(str(file), None, TODAY)
    assert config.ari_password.reveal() == ""
