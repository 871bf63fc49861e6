"""The private download: where from, whole or not at all, one at a time; ports and folders that do not collide."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from sandbox import apt, fetch, folders, installation, ports, processes
from sandbox.asterisk import CHECKOUT
from sandbox.errors import SandboxError


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "callrouter"


# --- Where from -------------------------------------------------------------------------------------------


def test_os_release_is_read_without_its_quotes(tmp_path: Path) -> None:
    file = tmp_path / "os-release"
    file.write_text('# a comment\nID=debian\nPRETTY_NAME="Debian 12"\n\nnonsense\n', encoding="utf-8")
    assert apt.os_release(file) == {"ID": "debian", "PRETTY_NAME": "Debian 12"}
    assert apt.os_release(tmp_path / "none") == {}


@pytest.mark.parametrize(
    "release", [{"ID": "ubuntu", "VERSION_CODENAME": "noble"}, {"ID": "x", "ID_LIKE": "ubuntu debian"}]
)
def test_ubuntu_uses_its_own_suites(release: dict[str, str]) -> None:
    assert apt.source(release).line is None


def test_debian_uses_the_suite_that_has_asterisk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    keyring = tmp_path / "keyring.gpg"
    keyring.touch()
    monkeypatch.setattr(apt, "KEYRINGS", ("/nowhere", str(keyring)))
    monkeypatch.setenv(apt.MIRROR_VARIABLE, "http://mirror.example/debian")
    assert apt.source({"ID": "debian"}).line == f"deb [signed-by={keyring}] http://mirror.example/debian forky main"
    monkeypatch.setattr(apt, "KEYRINGS", ("/nowhere",))
    with pytest.raises(SandboxError, match="apt-get install debian-archive-keyring"):
        apt.source({"ID": "debian"})


def test_another_distribution_is_told_what_it_needs() -> None:
    with pytest.raises(SandboxError, match="Asterisk >= 20"):
        apt.source({"ID": "fedora"})


def test_the_private_configuration_leaves_the_machine_alone(tmp_path: Path) -> None:
    state = apt.PrivateApt(tmp_path, apt.Source("debian-forky", "deb x y z"))
    text = state._configuration()
    for setting in ("Dir::State ", "Dir::State::status", "Dir::Cache ", "Dir::Cache::archives", "Dir::Log"):
        assert f'{setting.strip()} "{tmp_path}' in text
    assert "#clear APT::Update::Post-Invoke;" in text
    assert "Dir::Etc::sourceparts" in text
    assert "Dir::Etc::sourceparts" not in apt.PrivateApt(tmp_path, apt.Source("ubuntu", None))._configuration()


def test_a_missing_program_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SandboxError, match="apt-get is missing; type: sudo apt-get install apt"):
        apt.required_programs()


# --- Kept whole or not at all -----------------------------------------------------------------------------


class FakeApt:
    """Makes .deb files without a network; counts how often it was asked."""

    asked = 0

    def __init__(self, folder: Path, packages_from: apt.Source) -> None:
        self.folder = folder
        self.source = packages_from

    def fetch(self, packages: Sequence[str], progress: apt.Progress) -> list[Path]:
        type(self).asked += 1
        progress("downloading", 50.0)
        return [package(self.folder, name) for name in packages]


def package(folder: Path, name: str) -> Path:
    tree = folder / name
    (tree / "DEBIAN").mkdir(parents=True, exist_ok=True)
    control = f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: x <x@example.org>\nDescription: x\n"
    (tree / "DEBIAN" / "control").write_text(control, encoding="utf-8")
    (tree / "usr" / "share").mkdir(parents=True, exist_ok=True)
    (tree / "usr" / "share" / name).write_text(name, encoding="utf-8")
    subprocess.run(["dpkg-deb", "-b", str(tree), f"{tree}.deb"], check=True, capture_output=True)
    return Path(f"{tree}.deb")


@pytest.fixture
def fake_apt(monkeypatch: pytest.MonkeyPatch) -> type[FakeApt]:
    if shutil.which("dpkg-deb") is None:
        pytest.skip("dpkg-deb is missing: type sudo apt-get install dpkg")
    FakeApt.asked = 0
    monkeypatch.setattr(apt, "PrivateApt", FakeApt)
    monkeypatch.setattr(apt, "source", lambda _release: apt.Source("test", None))
    return FakeApt


def test_it_is_fetched_once_and_kept(tmp_path: Path, fake_apt: type[FakeApt]) -> None:
    where = tmp_path / "asterisk"
    assert fetch.fetch(where) == fetch.fetch(where) == where
    assert fake_apt.asked == 1
    assert (where / "root" / "usr" / "share" / "asterisk").read_text(encoding="utf-8") == "asterisk"
    assert fetch.damage(where, thorough=True) is None


@pytest.mark.parametrize("harm", ["cut", "removed", "no manifest", "half a manifest"])
def test_a_broken_one_is_noticed_and_fetched_again(harm: str, tmp_path: Path, fake_apt: type[FakeApt]) -> None:
    where = fetch.fetch(tmp_path / "asterisk")
    file, manifest = where / "root" / "usr" / "share" / "sip-tester", where / "manifest.json"
    if harm == "cut":
        file.write_text("", encoding="utf-8")
    elif harm == "removed":
        file.unlink()
    elif harm == "no manifest":
        manifest.unlink()
    else:
        manifest.write_text(manifest.read_text(encoding="utf-8")[:50], encoding="utf-8")
    assert fetch.damage(where) is not None
    fetch.fetch(where)
    assert fake_apt.asked == 2
    assert fetch.damage(where, thorough=True) is None


def test_a_changed_byte_is_noticed_by_the_thorough_look(tmp_path: Path, fake_apt: type[FakeApt]) -> None:
    where = fetch.fetch(tmp_path / "asterisk")
    (where / "root" / "usr" / "share" / "asterisk").write_text("asterisX", encoding="utf-8")
    assert fetch.damage(where) is None
    assert "other contents" in (fetch.damage(where, thorough=True) or "")
    fetch.fetch(where, thorough=True)
    assert fake_apt.asked == 2


def test_an_unpack_that_fails_leaves_nothing_that_looks_whole(
    tmp_path: Path, fake_apt: type[FakeApt], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken.deb"
    broken.write_bytes(b"not a package")
    monkeypatch.setattr(fake_apt, "fetch", lambda *_: [broken])
    with pytest.raises(SandboxError, match=r"broken\.deb cannot be unpacked.*make setup"):
        fetch.fetch(tmp_path / "asterisk")
    assert not (tmp_path / "asterisk").exists()
    assert not broken.exists(), "the broken package is downloaded again"


def test_two_at_once_fetch_once(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from sandbox import fetch\n"
        "def slow(where, *_):\n"
        "    time.sleep(0.3)  # long enough for the others to arrive\n"
        "    (where / 'root').mkdir(parents=True); fetch._write_manifest(where, []); print('fetched')\n"
        "fetch._fetch_and_unpack = slow\n"
        "fetch.fetch(Path(sys.argv[1]))"
    )
    running = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path / "asterisk")],
            cwd=CHECKOUT, stdout=subprocess.PIPE, text=True,
        )
        for _ in range(3)
    ]  # fmt: skip
    said = [process.communicate(timeout=30)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0, 0]
    assert "".join(said).count("fetched") == 1


def test_progress_is_a_few_lines_in_ci(capsys: pytest.CaptureFixture[str]) -> None:
    progress = fetch.Progress()
    for per_cent in range(101):
        progress("downloading", float(per_cent))
    progress("downloading", 3.0)
    progress.done("done")
    lines = capsys.readouterr().out.splitlines()
    assert 3 < len(lines) < 8
    assert lines[-1] == "done"
    assert "\x1b" not in "".join(lines)


def test_the_command_fails_in_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def nothing() -> installation.Installation:
        raise SandboxError("no network")

    monkeypatch.setattr(installation, "find", nothing)
    monkeypatch.setattr(sys, "argv", ["fetch"])
    assert fetch.main() == 1
    assert capsys.readouterr().err == "sandbox: no network\n"


def test_an_installation_without_its_programs_is_said(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    with pytest.raises(SandboxError, match="make setup"):
        installation._unpacked(tmp_path)


@pytest.mark.parametrize("modules", ["usr/lib/asterisk/modules", "usr/lib/x86_64-linux-gnu/asterisk/modules"])
def test_modules_are_found_where_old_and_new_packages_put_them(modules: str, tmp_path: Path) -> None:
    folder = tmp_path / modules
    folder.mkdir(parents=True)
    assert installation._modules(tmp_path) is None
    (folder / "res_ari.so").touch()
    assert installation._modules(tmp_path) == folder


@pytest.mark.parametrize(
    ("asterisk", "sipp"),
    [("Asterisk 18.10.0", "SIPp v3.8.0-TLS"), ("Asterisk 22.1", "SIPp v3.6.1-PCAP"), ("Asterisk 22.1", "")],
)
def test_programs_of_the_machine_that_are_too_old_are_left_alone(
    asterisk: str, sipp: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, said in (("asterisk", asterisk), ("sipp", sipp)):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\necho '{said}'\n", encoding="utf-8")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(installation, "_modules", lambda _root: tmp_path)
    assert installation._on_this_machine() is None


# --- Ports and folders ------------------------------------------------------------------------------------


def test_two_reservations_share_no_port() -> None:
    first, second = ports.reserve(), ports.reserve()
    try:
        assert every(first.ports).isdisjoint(every(second.ports))
        assert all(4_000 <= port < 32_768 for port in every(first.ports) | every(second.ports))
    finally:
        first.release()
        second.release()


def every(taken: ports.Ports) -> set[int]:
    single = {taken.sip, taken.http, taken.ami, taken.carrier, taken.second_carrier, *taken.spare}
    return (
        single
        | set(range(taken.phones_rtp[0], taken.phones_rtp[1] + 1))
        | set(range(taken.rtp[0], taken.rtp[1] + 1))
    )


def test_ports_survive_json() -> None:
    from dataclasses import asdict

    taken = ports.reserve()
    assert ports.Ports.from_data(json.loads(json.dumps(asdict(taken.ports)))) == taken.ports
    taken.release()


def test_a_folder_belongs_to_one_at_a_time(tmp_path: Path) -> None:
    first = folders.take(tmp_path / "run")
    (tmp_path / "run" / "old").touch()
    with pytest.raises(SandboxError, match="another copy is running"):
        folders.take(tmp_path / "run")
    assert (tmp_path / "run" / "old").exists()
    first.close()
    folders.take(tmp_path / "run").close()
    assert not (tmp_path / "run" / "old").exists()


def test_waiting_gives_up_in_time() -> None:
    with pytest.raises(SandboxError, match=r"pigs fly: not within 0\.05 s"):
        processes.wait_until(lambda: False, 0.05, "pigs fly")
    assert processes.wait_until(lambda: 42, 1, "at once") == 42
