"""`callrouter check`: its words, its exit codes, and where each goes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from router.commands import group
from tests.campaign_file import GOOD, PASSWORDS, spoilt


def check(folder: Path, text: str | None, *options: str, environ: dict[str, str] = PASSWORDS) -> Result:
    """Runs `callrouter --config FOLDER/campaigns.yaml check OPTIONS` on `text`."""
    path = folder / "campaigns.yaml"
    if text is not None:
        path.write_text(text)
    return CliRunner().invoke(group, ["--config", str(path), "check", *options], env=environ)


def test_an_accepted_file_is_counted(tmp_path: Path) -> None:
    result = check(tmp_path, GOOD)
    assert result.exit_code == 0
    assert result.stdout == f"{tmp_path}/campaigns.yaml: 2 campaigns, 2 numbers, 2 salespeople: ok\n"
    assert result.stderr == ""


def test_one_of_each_is_said_in_the_singular(tmp_path: Path) -> None:
    text = GOOD[: GOOD.index("  poster:\n")] + GOOD[GOOD.index("unknown_number") :]
    text = text.replace("to: [alice, bob]", "to: [alice]")
    text = "\n".join(line for line in text.splitlines() if "Bob Durand" not in line) + "\n"
    assert check(tmp_path, text).stdout.endswith(": 1 campaign, 1 number, 1 salesperson: ok\n")


def test_warnings_are_said_and_the_file_is_accepted(tmp_path: Path) -> None:
    result = check(tmp_path, spoilt("max_wait: 60s", "max_wait: 20s"))
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].startswith(f"{tmp_path}/campaigns.yaml: warning: campaigns.spring-flyer.ring: max_wait (20s)")
    assert lines[-1].endswith(": ok")


def test_every_error_is_a_line_on_stderr_with_its_place(tmp_path: Path) -> None:
    result = check(tmp_path, spoilt("timeout: 20s", "timeout: 20").replace("version: 1", "version: 9"))
    file = f"{tmp_path}/campaigns.yaml"
    assert result.exit_code == 1
    assert result.stdout == ""
    first, second = result.stderr.splitlines()
    assert first == f'{file}:1:10: version: is "9", which this release does not read; write version: 1'
    assert second.startswith(f'{file}:23:41: defaults.ring.timeout: "20" has no unit; write')


def test_json_of_an_accepted_file(tmp_path: Path) -> None:
    result = check(tmp_path, GOOD, "--format", "json")
    assert result.exit_code == 0
    report = json.loads(result.stdout)
    assert report["ok"] is True
    assert (report["campaigns"], report["numbers"], report["salespeople"]) == (2, 2, 2)
    assert (report["errors"], report["warnings"]) == ([], [])
    assert len(report["version"]) == 12


def test_json_of_a_refused_file(tmp_path: Path) -> None:
    result = check(tmp_path, spoilt("to: [bob]", "to: [bobb]"), "--format", "json")
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert report["ok"] is False
    assert report["version"] is None
    (error,) = report["errors"]
    assert error == {
        "line": 35,
        "column": 32,
        "path": "campaigns.poster.ring.to[0]",
        "wrong": 'no salesperson is called "bobb"',
        "mend": "did you mean bob?",
    }


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    result = check(tmp_path, None)
    assert result.exit_code == 1
    assert result.stderr == (
        f"{tmp_path}/campaigns.yaml: there is no such file; write it, or name it with --config FILE\n"
    )


def test_the_password_files_are_asked_for(tmp_path: Path) -> None:
    none: dict[str, str | None] = dict.fromkeys(PASSWORDS)
    result = check(tmp_path, GOOD, environ=none)  # type: ignore[arg-type]
    assert result.exit_code == 1
    assert "asterisk.ari.password_file: there is no file secrets/ari" in result.stderr


@pytest.mark.parametrize("options", [["--format", "csv"], ["surplus"]])
def test_wrong_usage(tmp_path: Path, options: list[str]) -> None:
    assert check(tmp_path, GOOD, *options).exit_code == 2


def test_hostile_text_of_the_file_reaches_the_terminal_harmless(tmp_path: Path) -> None:
    result = check(tmp_path, spoilt("name: Alice Martin", 'name: "\\e[2J\\u202eAlice"') + '"\\e]0;x\\a": 1\n')
    assert result.exit_code == 1
    assert "\x1b" not in result.output
    assert "\u202e" not in result.output
