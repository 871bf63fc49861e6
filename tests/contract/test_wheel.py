"""The wheel: it holds all that an installation needs, and works where there is no checkout."""

from __future__ import annotations

import os
import re
import shutil
import site
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from router import __version__
from router.sounds.texts import NAMES, TEXTS

ROOT = Path(__file__).parents[2]
SHARED = ("agi_scripts", "asterisk_conf", "systemd")
"""Folders that the program reads or hands out: installed below router/share/."""


def run(*command: str | Path, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """In a bare environment: nothing that points to this checkout, and no network to install from."""
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "PIP_NO_INDEX": "1", **variables}
    return subprocess.run(
        [*map(str, command)], cwd=folder, env=environment, capture_output=True, text=True, timeout=100, check=False
    )


def files_of_the_repository() -> list[str]:
    """What git has, and what it would take: neither caches nor databases."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, in which somebody has already worked: with what Python and Callrouter leave behind."""
    copy = tmp_path_factory.mktemp("copy")
    for name in files_of_the_repository():
        target = copy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target)
    for folder in ("router", "agi_scripts"):
        (copy / folder / "__pycache__").mkdir()
        (copy / folder / "__pycache__" / "left.cpython-311.pyc").write_bytes(b"")
    (copy / "secrets").mkdir()
    for name in ("secrets/ari", "callrouter.db", "router/callrouter.db"):
        (copy / name).write_text("secret", encoding="utf-8")
    built = run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", folder=copy)
    assert built.returncode == 0, built.stderr
    (found,) = (copy / "dist").glob("*.whl")
    return found


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the programs of an environment of its own. What Callrouter depends on is lent to it."""
    environment = tmp_path_factory.mktemp("environment")
    venv.create(environment, with_pip=False)
    python = environment / "bin" / "python"
    pip = run(
        sys.executable,
        "-m",
        "pip",
        "--python",
        python,
        "install",
        "--no-deps",
        "--no-index",
        wheel,
        folder=environment,
    )
    assert pip.returncode == 0, pip.stderr
    # After the installation, or pip would take the checkout's own Callrouter for an older one. A folder on the
    # path does not bring the .pth files in it along, so the checkout itself stays out.
    (packages,) = (environment / "lib").glob("python*/site-packages")
    (packages / "lent.pth").write_text("\n".join(site.getsitepackages()) + "\n", encoding="utf-8")
    return environment / "bin"


@pytest.fixture
def place(installed: Path, tmp_path: Path) -> Path:
    """A folder with the wheel's own example and passwords."""
    share = next(installed.parent.glob("lib/python*/site-packages/router/share"))
    shutil.copy(share / "campaigns.yaml", tmp_path)
    (tmp_path / "secrets").mkdir()
    for name in ("ari", "ami"):
        (tmp_path / "secrets" / name).write_text("word\n", encoding="utf-8")
        (tmp_path / "secrets" / name).chmod(0o600)
    return tmp_path


# --- What is in it ------------------------------------------------------------------------------------------


def test_it_has_every_module_of_the_program(names: set[str]) -> None:
    modules = {name for name in files_of_the_repository() if re.fullmatch(r"(router/.*|cli)\.py", name)}
    assert len(modules) > 60
    assert modules <= names
    assert "router/py.typed" in names


def test_it_has_what_asterisk_and_systemd_need(names: set[str]) -> None:
    wanted = {f"router/share/{name}" for name in files_of_the_repository() if name.startswith(SHARED)}
    assert len(wanted) > 8
    assert wanted | {"router/share/campaigns.yaml"} <= names


def test_it_has_every_recording(names: set[str]) -> None:
    recordings = {f"router/sounds/{language}/{name}.ulaw" for language in TEXTS for name in NAMES}
    assert len(recordings) == 78
    assert recordings <= names


def test_it_has_nothing_else(names: set[str]) -> None:
    information = f"callrouter-{__version__}.dist-info/"
    shared = tuple(f"router/share/{folder}/" for folder in SHARED)
    for name in names:
        assert name.startswith((information, *shared)) or re.fullmatch(
            r"cli\.py|router/([a-z_]+/)*[a-z_]+\.py|router/py\.typed|router/share/campaigns\.yaml"
            r"|router/sounds/[a-z]{2}/[a-z0-9-]+\.ulaw",
            name,
        ), name
        assert "__pycache__" not in name
        assert not name.endswith((".pyc", ".db"))
    assert information + "licenses/LICENSE" in names


def test_it_says_what_it_needs(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        said = archive.read(f"callrouter-{__version__}.dist-info/METADATA").decode()
    assert "\nName: callrouter\n" in said
    assert "\nLicense-Expression: Apache-2.0\n" in said
    assert "\nRequires-Python: >=3.11\n" in said
    needed = set(re.findall(r"^Requires-Dist: ([a-z0-9-]+)", said, re.MULTILINE))
    assert {
        "aiohttp",
        "click",
        "holidays",
        "panoramisk",
        "phonenumberslite",
        "pydantic",
        "pyst2",
        "pyyaml",
    } < needed


# --- What it does, outside the checkout -----------------------------------------------------------------------


def test_the_program_is_its_own_and_not_the_checkouts(installed: Path, tmp_path: Path) -> None:
    said = run(
        installed / "python", "-c", "import cli, router; print(cli.__file__, router.__file__)", folder=tmp_path
    )
    assert said.returncode == 0, said.stderr
    assert all(file.startswith(str(installed.parent)) for file in said.stdout.split())


def test_it_says_its_version(installed: Path, tmp_path: Path) -> None:
    said = run(installed / "callrouter", "--version", folder=tmp_path)
    assert said.stdout == f"callrouter, version {__version__}\n"


def test_it_checks_its_own_example(installed: Path, place: Path) -> None:
    said = run(installed / "callrouter", "check", folder=place)
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout.endswith(": ok\n")


def test_it_explains_a_call(installed: Path, place: Path) -> None:
    said = run(installed / "callrouter", "explain", "--to", "+33184801001", folder=place)
    assert said.returncode == 0, said.stderr
    assert "spring-flyer" in said.stdout


def test_every_command_has_its_modules(installed: Path, tmp_path: Path) -> None:
    listed = run(installed / "callrouter", "--help", folder=tmp_path).stdout.partition("Commands:\n")[2]
    commands = re.findall(r"^  ([a-z]+) ", listed, re.MULTILINE)
    assert len(commands) >= 10
    for command in commands:
        said = run(installed / "callrouter", command, "--help", folder=tmp_path)
        assert said.returncode == 0, said.stderr


def test_it_writes_asterisks_files_and_its_agi_script_runs(installed: Path, place: Path) -> None:
    written = run(installed / "callrouter", "asterisk", "conf", "--output", "out", folder=place)
    assert written.returncode == 0, written.stderr
    assert "[callrouter-arrival]" in (place / "out" / "callrouter-extensions.conf").read_text(encoding="utf-8")
    launcher = place / "out" / "callrouter-agi"
    assert str(ROOT / "agi_scripts") not in launcher.read_text(encoding="utf-8")
    without_routes = run(launcher, "check", folder=Path("/"))
    assert without_routes.returncode == 1
    assert "there are no compiled routes" in without_routes.stderr
    compiling = (
        "from router.config import load; from router.config.compiled import write; "
        "config = load('campaigns.yaml'); write(config, config.database + '.routes')"
    )
    assert run(installed / "python", "-c", compiling, folder=place).returncode == 0
    checked = run(launcher, "check", folder=Path("/"))
    assert (checked.returncode, checked.stderr) == (0, "")
