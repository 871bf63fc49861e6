"""The PINs of the menu: a file that only its owner may read, and no message that shows what is in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from router.config import load
from router.errors import Problem
from router.model import Config
from tests.campaign_file import GOOD, PASSWORDS, TODAY, problems, read

TEXT = f"pins_file: secrets/pins\n{GOOD}"


def write(folder: Path, content: bytes, mode: int = 0o600) -> None:
    path = folder / "secrets" / "pins"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)


def the_problem(folder: Path) -> Problem:
    (problem,) = problems(folder, TEXT)
    assert (problem.path, problem.line, problem.column) == ("pins_file", 1, 12)
    return problem


def revealed(config: Config) -> dict[str, str]:
    return {person: pin.reveal() for person, pin in config.pins.items()}


def test_pins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    write(tmp_path, b'# of the menu\nalice: "0471"\nbob: "12345678"\n')
    config = read(tmp_path, TEXT)
    assert revealed(config) == {"alice": "0471", "bob": "12345678"}
    assert "0471" not in repr(config)


def test_without_a_file_there_are_none(tmp_path: Path) -> None:
    assert read(tmp_path).pins == {}


def test_digits_that_yaml_does_not_misread_need_no_quotes(tmp_path: Path) -> None:
    write(tmp_path, b"alice: 4711\n")
    assert revealed(read(tmp_path, TEXT)) == {"alice": "4711"}


def test_whoever_reads_reports_needs_no_pins(tmp_path: Path) -> None:
    (tmp_path / "campaigns.yaml").write_text(TEXT)
    assert load(str(tmp_path / "campaigns.yaml"), None, TODAY).pins == {}
    with pytest.raises(Exception, match="there is no file secrets/pins"):
        load(str(tmp_path / "campaigns.yaml"), PASSWORDS, TODAY)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o777, 0o610])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    write(tmp_path, b'alice: "4711"\n', mode)
    problem = the_problem(tmp_path)
    assert f"mode {mode:03o}" in problem.wrong
    assert problem.mend == "chmod 600 secrets/pins"


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        (b"", "is empty"),
        (b"# none yet\n", "is not YAML of the form alice: PIN"),
        (b'- "4711"\n', "is not YAML of the form alice: PIN"),
        (b"4711\n", "is not YAML of the form alice: PIN"),
        (b"alice: [4711\n", "is not YAML of the form alice: PIN (line 2)"),
        (b"alice: caf\xe9\n", "is not YAML of the form alice: PIN (line 1)"),
        (b'alice: "4711"\nzoe: "4712"\n', "line 2 names nobody of salespeople"),
        (b'"4711": alice\n', "line 1 names nobody of salespeople"),
        (b'alice: "471"\n', "line 1 has no PIN of 4 to 8 digits for alice"),
        (b'alice: "471147114"\n', "line 1 has no PIN of 4 to 8 digits for alice"),
        (b'alice: "47 11"\n', "line 1 has no PIN of 4 to 8 digits for alice"),
        ('alice: "٤٧١١"\n'.encode(), "line 1 has no PIN of 4 to 8 digits for alice"),
        (b"alice: [4711]\n", "line 1 has no PIN of 4 to 8 digits for alice"),
        (b"alice:\n  pin: 4711\n", "line 1 has no PIN of 4 to 8 digits for alice"),
        (b"alice: 04711\n", "line 1: YAML reads another number than the PIN of alice"),
        (b'alice: "4711"\nalice: "4712"\n', "line 2 has a tag or a key for the second time"),
        (b"alice: !!python/name:os.system 4711\n", "line 1 has a tag"),
        (b'alice: "471"\nbob: "471"\nzoe: "1"\n', "line 2 has no PIN of 4 to 8 digits for bob; line 3"),
        (b"#" * 70_000, "is larger than 65536 bytes"),
    ],
)
def test_what_is_no_list_of_pins(tmp_path: Path, content: bytes, wrong: str) -> None:
    write(tmp_path, content)
    problem = the_problem(tmp_path)
    assert wrong in problem.wrong
    assert "chmod 600" in problem.mend or "4 to 8 digits" in problem.mend
    said = problem.wrong + problem.mend.replace('alice: "4711"', "")
    assert not {"471", "4712", "04711", "zoe"} & set(said.replace('"', " ").replace(",", " ").split())


def test_a_folder_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "secrets" / "pins").mkdir(parents=True)
    assert "no plain file" in the_problem(tmp_path).wrong


def test_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, b"alice: 4711\n")
    monkeypatch.setenv("HOME", str(tmp_path / "secrets"))
    assert revealed(read(tmp_path, TEXT.replace("secrets/pins", "~/pins"))) == {"alice": "4711"}
