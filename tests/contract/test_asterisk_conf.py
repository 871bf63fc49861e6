"""What `callrouter asterisk conf` writes: who may read it, and that an Asterisk that includes it lets in who should
be let in."""

from __future__ import annotations

import base64
import os
import stat
import urllib.error
import urllib.request
import wave
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from router import ami
from router.commands import group as main
from router.commands.asterisk import build, needed_modules
from router.dialplan import Places, generate
from router.errors import RouterError
from router.model import Accept, Ami, Ari, Config, Secret
from router.shipped import share
from sandbox.asterisk import Asterisk
from sandbox.behaviours import BUSY, Answer, Refuse
from sandbox.phones import Caller, Carrier
from tests.build import ALICE, BOB, DID, make_campaign, make_config
from tests.contract.invites import invite
from tests.dialplan_records import ended, spool

__all__ = ["spool"]

YAML = """
version: 1
company: {country: FR, timezone: Europe/Paris, language: fr}
asterisk:
  ari: {url: "http://127.0.0.1:8088/ari", username: callrouter, password_file: secrets/ari}
  ami: {host: 127.0.0.1, port: 5038, username: callrouter, password_file: secrets/ami}
  trunks: {main: {dial: "PJSIP/{number}@trunk"}}
database: callrouter.db
salespeople: {alice: {name: Alice, mobile: "+33612345678"}}
defaults: {hours: always, accept: none}
campaigns: {spring-flyer: {numbers: ["+33184801001"], ring: {to: [alice]}}}
unknown_number: {ring: {to: [alice]}}
"""


# --- The command --------------------------------------------------------------------------------------------


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "secrets").mkdir()
    for name in ("ari", "ami"):
        secret = tmp_path / "secrets" / name
        secret.write_text(f"secret-of-{name};1\n", encoding="utf-8")
        secret.chmod(0o600)
    (tmp_path / "campaigns.yaml").write_text(YAML, encoding="utf-8")
    return tmp_path


def run(site: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["--config", str(site / "campaigns.yaml"), "asterisk", "conf", *words])


def test_without_a_folder_it_says_which_files_there_are(site: Path) -> None:
    said = run(site)
    assert said.exit_code == 0
    for name in ("extensions", "pjsip", "ari", "http", "manager", "modules", "asterisk"):
        assert f"callrouter-{name}.conf" in said.output


def test_a_file_that_is_asked_for_by_name_is_printed_without_its_password(site: Path) -> None:
    said = run(site, "callrouter-ari.conf")
    assert said.exit_code == 0
    assert "[callrouter]" in said.output
    assert "secret-of" not in said.output
    assert "callrouter-manager.conf" in run(site, "nonsense.conf").output


def test_no_password_is_ever_printed(site: Path) -> None:
    outputs = [run(site).output, run(site, "--output", str(site / "out")).output]
    outputs += [run(site, name.name).output for name in (site / "out").iterdir()]
    assert not any("secret-of" in output for output in outputs)


def test_files_with_secrets_or_mobiles_are_for_their_group_alone(site: Path) -> None:
    said = run(site, "--output", str(site / "out"))
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in (site / "out").iterdir()}
    assert modes["callrouter-ari.conf"] == modes["callrouter-manager.conf"] == 0o640
    assert modes["callrouter-extensions.conf"] == 0o640
    assert modes["callrouter-agi"] == 0o755
    assert "password = secret-of-ari\\;1" in (site / "out" / "callrouter-ari.conf").read_text(encoding="utf-8")
    assert f"#include {site}/out/callrouter-extensions.conf" in said.output
    assert "callrouter doctor" in said.output


def test_writing_again_replaces_what_was_there(site: Path) -> None:
    run(site, "--output", str(site / "out"))
    (site / "out" / "callrouter-agi").write_text("old", encoding="utf-8")
    before = set(os.listdir(site / "out"))
    assert run(site, "--output", str(site / "out")).exit_code == 0
    assert set(os.listdir(site / "out")) == before
    assert "route.py" in (site / "out" / "callrouter-agi").read_text(encoding="utf-8")


def test_a_folder_that_cannot_be_made_is_one_line(site: Path) -> None:
    (site / "file").write_text("", encoding="utf-8")
    said = CliRunner().invoke(
        main, ["--config", str(site / "campaigns.yaml"), "asterisk", "conf", "--output", str(site / "file" / "x")]
    )
    assert said.exit_code == 1
    assert said.output.startswith(f"callrouter: {site}/file")
    assert len(said.output.splitlines()) == 1


# --- The other files -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def included(runtime: Path) -> Iterator[tuple[Asterisk, Config]]:
    """An Asterisk with files as a package ships them, ours included in them; and no module but those we name."""
    asterisk = Asterisk(runtime / "included", verbose=3)
    asterisk.prepare()
    config = replace(
        make_config(),
        ari=Ari(asterisk.ari_url, "callrouter", "callrouter"),
        ari_password=Secret("ari;secret"),
        ami=Ami("127.0.0.1", asterisk.ports.ami, "callrouter"),
        ami_password=Secret("ami;secret"),
        database=str(runtime / "included.db"),
    )
    (runtime / "included.db.fallback").mkdir()
    folder = runtime / "included-files"
    folder.mkdir()
    for name, file in build(config, str(folder)).items():
        (folder / name).write_text(file.text, encoding="utf-8")
    stock = {
        "ari.conf": "[general]\nenabled = yes\n",
        "http.conf": "[general]\nservername = Asterisk\n",
        "manager.conf": "[general]\nenabled = no\n",
        "extensions.conf": "[globals]\nTRUNK = x\n\n[default]\nexten => 100,1,Hangup()\n",
    }
    for name, text in stock.items():
        (asterisk.etc / name).write_text(f"{text}\n#include {folder}/callrouter-{name}\n", encoding="utf-8")
    modules = (folder / "callrouter-modules.conf").read_text(encoding="utf-8")
    (asterisk.etc / "modules.conf").write_text(f"{modules}\nautoload = no\n", encoding="utf-8")
    with (asterisk.etc / "asterisk.conf").open("a", encoding="utf-8") as own:
        own.write(f"\n#include {folder}/callrouter-asterisk.conf\n")
    with asterisk:
        yield asterisk, config


def ask(config: Config, path: str, password: str = "", method: str = "GET") -> int:
    login = f"{config.ari.username}:{password or config.ari_password.reveal()}".encode()
    headers = {"Authorization": f"Basic {base64.b64encode(login).decode()}"}
    request = urllib.request.Request(f"{config.ari.url}/{path}", headers=headers, method=method)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def test_the_modules_that_are_named_are_enough(included: tuple[Asterisk, Config], tmp_path: Path) -> None:
    asterisk, config = included
    said = asterisk.log.read_text(encoding="utf-8", errors="replace")
    assert not [line for line in said.splitlines() if "ERROR" in line or ("pbx" in line and "WARNING" in line)]
    with Carrier(asterisk.ports, tmp_path / "phones") as carrier:
        carrier.play({ALICE: Refuse(486), BOB: BUSY})
        assert invite(asterisk.ports.sip, "0184801001") == 486
        assert [call.number for call in carrier.calls()] == [ALICE, BOB]
    said = asterisk.log.read_text(encoding="utf-8", errors="replace")
    assert set(needed_modules()) <= {line.split()[0] for line in asterisk.cli("module show").splitlines() if line}
    assert "No application" not in said
    assert "not registered" not in said
    record = ended(Path(f"{config.database}.fallback"))[-1]
    assert [":BUSY:17:486:" in record[leg] for leg in ("leg1", "leg2")] == [True, True]


def test_they_are_enough_for_a_key_and_for_a_recording(
    included: tuple[Asterisk, Config], spool: Path, tmp_path: Path
) -> None:
    asterisk, config = included
    with wave.open(str(tmp_path / "press-1.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(b"\0\0" * 1600)
    gated = replace(config, campaigns={}, by_number={DID: make_campaign(accept=Accept.PRESS_1, to=["alice"])})
    gated = replace(gated, campaigns={"spring-flyer": gated.by_number[DID]})
    static = (share("asterisk_conf") / "extensions.conf").read_text(encoding="utf-8")
    places = Places("/nonexistent/callrouter-agi", str(spool), sounds=str(tmp_path))
    before = asterisk.log.stat().st_size
    asterisk.load_dialplan(generate(gated, static, places, datetime.now(UTC)))
    with (
        Carrier(asterisk.ports, tmp_path / "phones") as carrier,
        Caller(asterisk.ports, tmp_path / "phones") as caller,
    ):
        carrier.play({ALICE: Answer(ring=0.1, keys="1", keys_after=0.5)})
        caller.place(DID, "+33140000001", hang_up_after=0.2).wait(20)
        (record,) = ended(spool)
    assert (record["salesperson"], record["dialstatus"]) == ("alice", "ANSWER")
    said = asterisk.log.read_bytes()[before:].decode(errors="replace")
    assert "<PJSIP/trunk-" in said
    assert f"Playing '{tmp_path}/press-1" in said
    assert "does not exist in any format" not in said


def test_the_ari_user_may_write_and_only_with_the_password(included: tuple[Asterisk, Config]) -> None:
    _, config = included
    assert ask(config, "asterisk/info") == 200
    assert ask(config, "bridges", method="POST") == 200
    assert ask(config, "asterisk/info", password="wrong") == 401


def test_the_http_server_holds_more_than_the_default_hundred(included: tuple[Asterisk, Config]) -> None:
    import socket

    asterisk, config = included
    lines = [socket.create_connection(("127.0.0.1", asterisk.ports.http)) for _ in range(120)]
    try:
        assert ask(config, "asterisk/info") == 200
    finally:
        for line in lines:
            line.close()


async def test_the_ami_user_may_ask_for_the_trunks_and_not_dial(included: tuple[Asterisk, Config]) -> None:
    _, config = included
    assert config.ami is not None
    assert config.ami_password is not None
    (health,) = await ami.trunk_health(config.ami, config.ami_password, config.trunks.values())
    assert health.contact is ami.Contact.UNQUALIFIED
    connection = await ami.Connection.open(config.ami)
    try:
        await connection.log_in(config.ami_password)
        for action, fields in (
            ("Originate", {"Channel": "Local/100@default", "Application": "NoOp"}),
            ("Command", {"Command": "core show version"}),
            ("UpdateConfig", {"SrcFilename": "ari.conf", "DstFilename": "ari.conf"}),
        ):
            with pytest.raises(RouterError, match="may not do"):
                await connection.ask(action, **fields)
    finally:
        connection.close()
