"""Secrets inside the program: in no `repr`, no copy on paper, no traceback and no core dump."""

from __future__ import annotations

import copy
import dataclasses
import io
import json
import logging
import os
import pickle
import resource
import signal
import subprocess
import sys
import traceback
from pathlib import Path

import pytest

from router.config import compiled, load
from router.errors import ConfigError
from router.log import LineFormatter
from router.model import Config, Secret
from tests.campaign_file import GOOD, PASSWORDS, TODAY, problems, read, spoilt

ROOT = Path(__file__).parents[2]
PIN = "80417395"
NUMBER = "+33140271828"
SECRETS = (*PASSWORDS.values(), PIN)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / "pins").write_text(f'alice: "{PIN}"\n', encoding="ascii")
    (tmp_path / "pins").chmod(0o600)
    return read(tmp_path, GOOD + "pins_file: pins\n")


def test_it_has_them(config: Config) -> None:
    assert config.ami_password is not None
    assert {config.ari_password.reveal(), config.ami_password.reveal(), config.pins["alice"].reveal()} == set(
        SECRETS
    )


def test_no_way_to_show_it_shows_them(config: Config) -> None:
    parts = [config, *(getattr(config, field.name) for field in dataclasses.fields(config))]
    for part in parts:
        for text in (repr(part), str(part), f"{part}", "%s" % (part,), json.dumps(part, default=repr)):  # noqa: UP031
            assert not [secret for secret in SECRETS if secret in text]


def test_every_dataclass_that_holds_a_secret_holds_it_as_one(config: Config) -> None:
    """A password or a PIN that is a plain text would be in every `repr`."""
    texts = [value for value in _leaves(config) if isinstance(value, str)]
    assert len(texts) > 50
    assert not [text for text in texts if text in SECRETS]


def _leaves(value: object) -> list[object]:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [leaf for field in dataclasses.fields(value) for leaf in _leaves(getattr(value, field.name))]
    if hasattr(value, "items"):
        return [leaf for pair in value.items() for each in pair for leaf in _leaves(each)]
    if isinstance(value, list | tuple | set | frozenset):
        return [leaf for each in value for leaf in _leaves(each)]
    return [value]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_none_is_pickled(protocol: int) -> None:
    with pytest.raises(TypeError, match="not written down"):
        pickle.dumps(Secret("hush"), protocol)


def test_a_copy_is_the_secret_itself() -> None:
    secret = Secret("hush")
    assert copy.deepcopy({"a": [secret]})["a"][0] is secret

    @dataclasses.dataclass
    class Holder:
        secret: Secret

    assert "hush" not in repr(dataclasses.asdict(Holder(secret)))


def test_the_routes_for_the_second_line_have_none(config: Config, tmp_path: Path) -> None:
    path = tmp_path / "calls.db.routes"
    compiled.write(config, str(path))
    held = path.read_bytes()
    assert b"alice" in held
    assert not [secret for secret in SECRETS if secret.encode() in held]


# --- What is refused does not say them ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        spoilt("password_file: secrets/ari", "password: hunter2hunter2"),
        spoilt("password_file: secrets/ami", "secret: hunter2hunter2"),
        spoilt("http://127.0.0.1:8088/ari", "http://callrouter:hunter2hunter2@127.0.0.1:8088/ari"),
        GOOD + "pins: {alice: hunter2hunter2}\n",
        GOOD + "password: hunter2hunter2\n",
    ],
)
def test_a_secret_that_stands_in_the_yaml_is_refused_and_not_repeated(tmp_path: Path, text: str) -> None:
    found = problems(tmp_path, text)
    assert found
    assert "hunter2" not in "".join(problem.text("f") for problem in found)


def test_a_traceback_of_a_refusal_has_none(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "ari").write_text("hunter2hunter2\nhunter3\n", encoding="ascii")
    (tmp_path / "secrets" / "ari").chmod(0o600)
    (tmp_path / "pins").write_text("alice: hunter2hunter2\nhunter3: 4711\n", encoding="ascii")
    (tmp_path / "pins").chmod(0o600)
    file = tmp_path / "campaigns.yaml"
    file.write_text(GOOD + "pins_file: pins\n", encoding="utf-8")
    environ = {"CALLROUTER_AMI_PASSWORD": "hunter2\nhunter3"}
    try:
        load(str(file), environ, TODAY)
        pytest.fail("three secrets are wrong")
    except ConfigError:
        told = traceback.format_exc()
    assert told.count("campaigns.yaml:") >= 3
    assert "hunter" not in told


# --- What nobody foresaw --------------------------------------------------------------------------------------


def logged(name: str, message: str, error: Exception | None = None) -> str:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(LineFormatter("%(message)s"))
    logger = logging.Logger(name)
    logger.addHandler(handler)
    logger.debug(message, exc_info=error)
    return out.getvalue()


@pytest.mark.parametrize("number", [NUMBER, "0033140271828", "0140271828", "+4915123456789"])
def test_a_traceback_and_a_library_do_not_tell_a_number(number: str) -> None:
    """`--debug` shows where a mistake of ours is, and not whose call it hit."""
    try:
        raise KeyError(number)
    except KeyError as error:
        told = logged("router.engine", "", error)
    assert "KeyError" in told
    assert number[-8:] not in told
    assert number[-8:] not in logged("asyncio", f"Task exception was never retrieved: {number!r}")
    assert number[-8:] not in logged("aiohttp.client", f"channels?endpoint=PJSIP/{number}@trunk")


def test_what_the_program_says_itself_is_left_as_it_is() -> None:
    assert "call=c0123456789 at=1772359200.123" in logged("router.x", "call=c0123456789 at=1772359200.123")


# --- Core dumps -----------------------------------------------------------------------------------------------

CRASH = """
import os, sys
from router.commands.context import Context
from router.config import load
config = Context(sys.argv[1], None, False).config(secrets=True) if sys.argv[2] == "ours" else load(sys.argv[1])
print(len(config.ari_password.reveal()), flush=True)
os.abort()
"""


def dumped(folder: Path, how: str, password: str) -> bytes:
    """The core dump of a process that had this password, read from its file, in memory."""
    folder.mkdir()
    (folder / "secrets").mkdir()
    for name in ("ari", "ami"):
        (folder / "secrets" / name).write_text(f"{password}\n", encoding="ascii")
        (folder / "secrets" / name).chmod(0o600)
    (folder / "campaigns.yaml").write_text(GOOD, encoding="utf-8")
    child = subprocess.run(
        [sys.executable, "-c", "import os, resource, sys\n"
         "resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))\n"
         "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])",
         "-c", CRASH, str(folder / "campaigns.yaml"), how],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, check=False,
    )  # fmt: skip
    assert child.stdout.strip() == str(len(password)).encode(), child.stderr
    assert child.returncode == -signal.SIGABRT
    cores = list(folder.glob("core*"))
    data = b"".join(core.read_bytes() for core in cores)
    for core in cores:
        core.unlink()
    return data


@pytest.mark.skipif(
    "/" in (pattern := Path("/proc/sys/kernel/core_pattern").read_text(encoding="ascii"))
    or pattern.startswith("|")
    or resource.getrlimit(resource.RLIMIT_CORE)[1] == 0,
    reason="NOT TESTED: this machine does not write core dumps beside the program, so that none can be searched",
)
def test_a_core_dump_has_none_of_the_memory(tmp_path: Path) -> None:
    password = "Xq7-" + "correct-horse-battery"
    naked = dumped(tmp_path / "naked", "naked", password)
    assert password.encode() in naked, "without our care it would be in it"
    ours = dumped(tmp_path / "ours", "ours", password)
    assert ours, "it is dumped, and shows where it died"
    assert password.encode() not in ours
    assert len(ours) < len(naked) / 10


def test_the_service_writes_no_core_dump() -> None:
    unit = (ROOT / "systemd" / "callrouter.service").read_text(encoding="utf-8")
    assert "\nLimitCORE=0\n" in unit
    assert "\nUMask=0077\n" in unit
    assert "PASSWORD" not in unit, "the environment of a service is no place for one"
