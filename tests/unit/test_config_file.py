"""The file as such: what is no YAML, no UTF-8, no file, too large, too clever."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.config import load, source
from router.errors import ConfigError, Problem
from tests.campaign_file import GOOD, PASSWORDS, TODAY, problems, read


def only(found: tuple[Problem, ...]) -> Problem:
    assert len(found) == 1, found
    return found[0]


def refusal(path: Path) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load(str(path), PASSWORDS, TODAY)
    return caught.value


@pytest.mark.parametrize(
    ("text", "line", "column", "wrong", "mend"),
    [
        ("", 0, 0, "is empty", "write version: 1"),
        ("# only a remark\n", 0, 0, "is empty", "write version: 1"),
        ("---\n", 2, 1, "is empty", "write version: 1"),
        ("just words\n", 1, 1, "only a word", "write version: 1"),
        ("- a\n- b\n", 1, 1, "is a list", "keys at the top"),
        ("a: [1, 2\nb: 3\n", 2, 2, "not YAML", "quotes"),
        ("a: b: c\n", 1, 5, "mapping values are not allowed", "quotes"),
        ("company: @home\n", 1, 10, "cannot start any token", "quotes"),
        ("a:\n\tb: 1\n", 2, 1, "a tab indents this line", "spaces"),
        ("a:\n  - b\n\t- c\n", 3, 1, "a tab indents this line", "spaces"),
        ("a: 1\n---\nb: 2\n", 2, 1, "second YAML document", "---"),
        ("a: *nobody\n", 1, 4, "stands for nothing", "&nobody"),
        ("a: &loop [*loop]\n", 1, 11, "stands for nothing", "&loop"),
        ("a: x\n\x07b: y\n", 2, 1, "control character (U+0007)", "remove"),
        ("[" * 100, 1, 34, "nested too deeply", "as in the example"),
    ],
)
def test_what_is_no_configuration_at_all(
    tmp_path: Path, text: str, line: int, column: int, wrong: str, mend: str
) -> None:
    problem = only(problems(tmp_path, text))
    assert (problem.line, problem.column) == (line, column)
    assert wrong in problem.wrong
    assert mend in problem.mend


def test_utf8_with_a_mark_and_crlf_is_read_and_places_stay_right(tmp_path: Path) -> None:
    windows = "\ufeff" + GOOD.replace("\n", "\r\n")
    assert read(tmp_path, windows).campaigns.keys() == read(tmp_path).campaigns.keys()
    problem = only(problems(tmp_path, windows.replace("version: 1", "version: 2")))
    assert (problem.line, problem.column) == (1, 10)


def test_latin_1_is_named_with_its_place(tmp_path: Path) -> None:
    problem = only(problems(tmp_path, GOOD.replace("Flyer printemps", "Flyer été").encode("latin-1")))
    line = GOOD.splitlines().index("    name: Flyer printemps") + 1
    assert (problem.line, problem.column) == (line, 17)
    assert "0xe9" in problem.wrong
    assert "UTF-8" in problem.mend


def test_utf_16_is_named(tmp_path: Path) -> None:
    assert "UTF-16" in only(problems(tmp_path, GOOD.encode("utf-16"))).wrong


def test_an_honest_alias_is_read(tmp_path: Path) -> None:
    text = GOOD.replace("to: [alice, bob]", "to: &both [alice, bob]").replace("to: [bob]", "to: *both")
    assert read(tmp_path, text).campaigns["poster"].ring.to == ("alice", "bob")


@pytest.mark.parametrize(
    "tag", ["!!python/object/apply:os.system", "!!python/name:os.system", "!!str", "!mine", "!!binary", "!"]
)
def test_tags_are_refused_and_make_nothing(tmp_path: Path, tag: str) -> None:
    found = problems(tmp_path, GOOD.replace("name: Alice Martin", f"name: {tag} Alice"))
    problem = only(found)
    assert problem.path == "salespeople.alice.name"
    assert "tag" in problem.wrong
    assert problem.mend == "remove the tag"


def test_a_tag_on_a_list_is_refused(tmp_path: Path) -> None:
    found = problems(tmp_path, GOOD.replace("to: [bob]", "to: !!python/object/apply:os.system [bob]"))
    assert only(found).path == "campaigns.poster.ring.to"


def test_a_key_that_stands_twice_names_both_places(tmp_path: Path) -> None:
    problem = only(problems(tmp_path, GOOD + "database: other.db\ndatabase: third.db\n"[:19]))
    assert problem.path == "database"
    assert problem.line == len(GOOD.splitlines()) + 1
    assert f"line {GOOD.splitlines().index('database: data/calls.db') + 1}" in problem.wrong


def test_every_repetition_of_a_key_is_named(tmp_path: Path) -> None:
    found = problems(tmp_path, GOOD + "node: a\nnode: b\ndatabase: c\nnode: d\n")
    assert [problem.path for problem in found] == ["node", "database", "node"]


def test_a_hostile_key_is_shown_harmless(tmp_path: Path) -> None:
    problem = problems(tmp_path, GOOD + '"\\e[2J\\u202e": 1\n' * 2)[0]
    assert problem.text("campaigns.yaml").isprintable()


def test_a_list_as_a_key(tmp_path: Path) -> None:
    assert "a key is a list" in only(problems(tmp_path, GOOD + "? [a, b]\n: c\n")).wrong


def test_no_such_file(tmp_path: Path) -> None:
    error = refusal(tmp_path / "campaigns.yaml")
    assert "no such file" in str(error)
    assert str(error).startswith(str(tmp_path / "campaigns.yaml"))


def test_a_folder(tmp_path: Path) -> None:
    assert "is a folder" in str(refusal(tmp_path))


def test_a_symlink_loop(tmp_path: Path) -> None:
    path = tmp_path / "campaigns.yaml"
    path.symlink_to(path)
    assert "symbolic links" in str(refusal(path))


def test_a_named_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "campaigns.yaml"
    os.mkfifo(path)
    assert "is a folder or a device" in str(refusal(path))


def test_unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    # Root may read everything, so that the refusal is played.
    monkeypatch.setattr("router.config.source.os.open", forbidden)
    assert "chmod u+r" in str(refusal(tmp_path / "campaigns.yaml"))


def test_the_loader_written_in_python_says_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spoilt = [
        "a: x\n\x07b: y\n",
        "a:\n\tb: 1\n",
        GOOD.replace("17:00-", "25:00-"),
        GOOD.replace('"+33612345678"', "+33612345678"),
    ]
    fast = [problems(tmp_path, text) for text in spoilt]
    import yaml

    monkeypatch.setattr(source, "LOADER", yaml.SafeLoader)
    slow = [problems(tmp_path, text) for text in spoilt]
    assert [[(one.line, one.path) for one in found] for found in fast] == [
        [(one.line, one.path) for one in found] for found in slow
    ]
    assert read(tmp_path).campaigns.keys() == {"spring-flyer", "poster"}


def test_a_flood_of_problems_is_cut_and_counted(tmp_path: Path) -> None:
    found = problems(tmp_path, GOOD + "".join(f"key{n}: x\n" for n in range(3000)))
    assert len(found) == source.MOST_PROBLEMS + 1
    assert found[-1].wrong == "2000 more problems"


@pytest.mark.parametrize("name", ["1:" * 2_000_000 + "1", "1" * 5000 + ":10", "k" * 4_000_000, "[" * 20 + "]" * 20])
def test_a_value_of_megabytes_takes_no_time(tmp_path: Path, name: str) -> None:
    begun = time.perf_counter()
    problem = only(problems(tmp_path, GOOD.replace("name: Alice Martin", f"name: {name}")))
    assert problem.path == "salespeople.alice.name"
    assert len(problem.text("campaigns.yaml")) < 1000
    assert time.perf_counter() - begun < 3


@given(st.binary(max_size=400))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_refused_in_words(tmp_path: Path, data: bytes) -> None:
    assert problems(tmp_path, data)


@given(st.integers(0, len(GOOD) - 1), st.integers(0, 12), st.text(max_size=6))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_slip_of_the_keyboard_is_read_or_refused_in_words(
    tmp_path: Path, at: int, gone: int, typed: str
) -> None:
    text = GOOD[:at] + typed + GOOD[at + gone :]
    for problem in problems(tmp_path, text.encode("utf-8", "surrogatepass")):
        assert problem.wrong
        assert problem.mend
        assert problem.text("campaigns.yaml").isprintable()
