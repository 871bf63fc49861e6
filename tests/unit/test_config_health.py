"""`health`: off unless it is there, on loopback unless said otherwise, which `check` remarks on."""

from __future__ import annotations

from pathlib import Path

import pytest

from router.config import load, warnings
from router.config.compiled import lookup, write
from router.model import Health
from tests.campaign_file import GOOD, PASSWORDS, TODAY, problems, read


def test_it_is_off_by_default(tmp_path: Path) -> None:
    assert read(tmp_path).health is None


@pytest.mark.parametrize(
    ("written", "host", "port"),
    [
        ("{}", "127.0.0.1", 9180),
        ('{listen: "127.0.0.1:9180"}', "127.0.0.1", 9180),
        ("{listen: 127.0.0.1:80}", "127.0.0.1", 80),
        ('{listen: "[::1]:65535"}', "::1", 65535),
        ('{listen: "[0:0::1]:9180"}', "::1", 9180),
        ('{listen: "10.0.0.7:9180"}', "10.0.0.7", 9180),
        ('{listen: "0.0.0.0:9180"}', "0.0.0.0", 9180),  # noqa: S104
    ],
)
def test_an_address_and_a_port(tmp_path: Path, written: str, host: str, port: int) -> None:
    assert read(tmp_path, f"{GOOD}health: {written}\n").health == Health(host, port)


@pytest.mark.parametrize(
    ("listen", "wrong"),
    [
        ("9180", "is no address and port"),
        ('"9180"', "is no address and port"),
        ('":9180"', "is no address and port"),
        ('"127.0.0.1"', "is no address and port"),
        ('"127.0.0.1:0"', "is no address and port"),
        ('"127.0.0.1:65536"', "is no address and port"),
        ('"127.0.0.1:-1"', "is no address and port"),
        ('"256.0.0.1:9180"', "is no address and port"),
        ('"127.1:9180"', "is no address and port"),
        ('"localhost:9180"', "is no address and port"),
        ('"::1:9180"', "is no address and port"),
        ('"[127.0.0.1]:9180"', "is no address and port"),
        ('"[fe80::1%eth0]:9180"', "is no address and port"),
        ('"/run/callrouter.sock"', "is no address and port"),
        ('"http://127.0.0.1:9180"', "is no address and port"),
        ("[127.0.0.1:9180]", "is a list"),
        ('""', "is empty"),
    ],
)
def test_anything_else_is_refused_with_what_to_write(tmp_path: Path, listen: str, wrong: str) -> None:
    (problem,) = problems(tmp_path, f"{GOOD}health: {{listen: {listen}}}\n")
    assert problem.path == "health.listen"
    assert wrong in problem.wrong
    assert '"127.0.0.1:9180"' in problem.mend
    assert problem.line == GOOD.count("\n") + 1


@pytest.mark.parametrize(
    ("section", "path", "mend"),
    [
        ("{lisen: x}", "health.lisen", "did you mean listen?"),
        ("yes", "health", "health: {listen:"),
        ("[]", "health", "health: {listen:"),
    ],
)
def test_a_section_of_another_shape(tmp_path: Path, section: str, path: str, mend: str) -> None:
    (problem,) = problems(tmp_path, f"{GOOD}health: {section}\n")
    assert problem.path == path
    assert mend in problem.mend


@pytest.mark.parametrize("listen", ["127.0.0.1:9180", "127.8.9.1:9180", "[::1]:9180"])
def test_nothing_to_say_of_loopback(tmp_path: Path, listen: str) -> None:
    assert warnings(read(tmp_path, f'{GOOD}health: {{listen: "{listen}"}}\n'), TODAY) == ()


@pytest.mark.parametrize("listen", ["0.0.0.0:9180", "10.0.0.7:9180", "[::]:9180", "[2001:db8::1]:9180"])
def test_another_address_is_remarked_on(tmp_path: Path, listen: str) -> None:
    (remark,) = warnings(read(tmp_path, f'{GOOD}health: {{listen: "{listen}"}}\n'), TODAY)
    assert remark.path == "health.listen"
    assert "without a password" in remark.wrong
    assert "127.0.0.1:9180" in remark.mend


def test_the_second_line_of_defence_does_not_need_it(tmp_path: Path) -> None:
    config = read(tmp_path, f"{GOOD}health: {{}}\n")
    write(config, str(tmp_path / "routes"))
    assert lookup(str(tmp_path / "routes"), "+33184801001").health is None
    assert load(config.file, PASSWORDS, TODAY).health is not None
