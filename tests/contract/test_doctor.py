"""`callrouter doctor`: each fault is named with what mends it, and nothing that is broken breaks the doctor."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from router.commands import group as main
from router.doctor import switch
from sandbox.asterisk import Asterisk
from sandbox.stack import Stack

YAML = """
version: 1
company: {country: FR, timezone: Europe/Paris, language: fr}
asterisk:
  ari: {url: "http://127.0.0.1:%PORT%/ari", username: callrouter, password_file: secrets/ari}
  trunks: {main: {dial: "PJSIP/{number}@trunk"}}
database: callrouter.db
salespeople: {alice: {name: Alice, mobile: "+33612345678"}}
defaults: {hours: always, accept: none}
campaigns: {spring-flyer: {numbers: ["+33184801001"], ring: {to: [alice]}}}
unknown_number: {ring: {to: [alice]}}
"""


def write_site(folder: Path, port: int = 9) -> None:
    (folder / "secrets").mkdir()
    for name in ("ari", "ami"):
        (folder / "secrets" / name).write_text("secret-word\n", encoding="utf-8")
        (folder / "secrets" / name).chmod(0o600)
    (folder / "campaigns.yaml").write_text(YAML.replace("%PORT%", str(port)), encoding="utf-8")


def doctor(folder: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["--config", str(folder / "campaigns.yaml"), "doctor", *words])


def found(output: str) -> dict[str, dict[str, str]]:
    return {row["check"]: row for row in json.loads(output)}


# --- Everything down -----------------------------------------------------------------------------------------


def test_with_nothing_there_every_line_says_what_to_do(tmp_path: Path) -> None:
    write_site(tmp_path)
    said = doctor(tmp_path)
    assert said.exit_code == 3
    lines = said.output.splitlines()
    assert all(line.startswith(("ok    ", "warn  ", "FAIL  ")) for line in lines), said.output
    failing = [line for line in lines if line.startswith("FAIL")]
    assert {line[6:].split(":")[0] for line in failing} >= {"ari", "routes", "fallback", "process"}
    assert all("  — " in line for line in failing)
    assert "secret-word" not in said.output


def test_a_program_gets_the_same_as_json_and_csv(tmp_path: Path) -> None:
    write_site(tmp_path)
    said = doctor(tmp_path, "--format", "json")
    assert said.exit_code == 3
    assert found(said.output)["ari"]["state"] == "FAIL"
    assert found(said.output)["ari"]["mend"]
    assert found(said.output)["configuration"]["mend"] is None
    assert doctor(tmp_path, "--format", "csv").output.startswith("state,check,what,mend")


def test_a_refused_configuration_is_the_first_thing_to_mend(tmp_path: Path) -> None:
    write_site(tmp_path)
    (tmp_path / "campaigns.yaml").write_text("version: 2\ncompany: 3\n", encoding="utf-8")
    said = doctor(tmp_path)
    assert said.exit_code == 3
    assert said.output.startswith("FAIL  configuration: ")
    assert said.output.rstrip().endswith("  — callrouter check")
    assert len(said.output.splitlines()) == 1


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Something that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_an_asterisk_that_says_nothing_does_not_hold_the_doctor(
    tmp_path: Path, silent_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(switch, "PATIENCE", 0.2)
    write_site(tmp_path, silent_port)
    began = time.monotonic()
    said = doctor(tmp_path, "--format", "json")
    assert time.monotonic() - began < 5
    assert "does not answer" in found(said.output)["ari"]["what"]


def test_another_web_server_is_told_from_asterisk(tmp_path: Path) -> None:
    import threading
    from http.server import BaseHTTPRequestHandler, HTTPServer

    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(404)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    with HTTPServer(("127.0.0.1", 0), Other) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            write_site(tmp_path, server.server_port)
            said = doctor(tmp_path, "--format", "json")
        finally:
            server.shutdown()
            thread.join()
    assert "no ARI at" in found(said.output)["ari"]["what"]


# --- Everything up -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def own_asterisk(runtime: Path) -> Iterator[Asterisk]:
    with Asterisk(runtime / "doctor") as asterisk:
        yield asterisk


@pytest.fixture
def site(own_asterisk: Asterisk, tmp_path: Path) -> Iterator[Stack]:
    """An Asterisk with our dialplan, and no router."""
    with Stack(tmp_path / "stack", asterisk=own_asterisk, router=False) as stack:
        yield stack


def ask(site: Stack) -> dict[str, dict[str, str]]:
    return found(site.callrouter("doctor", "--format", "json").stdout)


def test_with_the_router_running_nothing_fails(site: Stack) -> None:
    site.router.start()
    said = site.callrouter("doctor")
    assert said.returncode == 0, said.stdout
    assert "FAIL" not in said.stdout
    assert said.stderr == ""
    state = {check: row["state"] for check, row in ask(site).items()}
    for check in ("ari", "version", "rest", "modules", "dialplan", "agi", "router", "ami", "calls from trunk",
                  "database", "disk", "routes", "fallback", "process", "rights"):  # fmt: skip
        assert state[check] == "ok", (check, ask(site)[check])
    assert state["trunk main"] == "warn", "Asterisk is not told to qualify this one"


def test_a_router_that_is_not_there_is_seen_on_both_sides(site: Stack) -> None:
    findings = ask(site)
    assert findings["router"]["state"] == findings["process"]["state"] == "FAIL"
    assert findings["dialplan"]["state"] == "ok"


def test_a_dialplan_of_another_configuration_is_stale(site: Stack) -> None:
    site.write_config(lambda data: data["company"].update(language="en"))
    stale = ask(site)["dialplan"]
    assert stale["state"] == "warn"
    assert "stale" in stale["what"]
    assert "asterisk conf" in stale["mend"]


def test_a_dialplan_that_is_not_loaded_fails(site: Stack) -> None:
    site.asterisk.load_dialplan(
        "[globals]\nCALLROUTER_DIALPLAN=\nCALLROUTER_AGI=\n[default]\nexten => s,1,Hangup()\n"
    )
    findings = ask(site)
    assert findings["dialplan"]["state"] == findings["agi"]["state"] == "FAIL"
    assert "#include" in findings["dialplan"]["mend"]


def test_a_script_that_asterisk_could_not_start_fails(site: Stack) -> None:
    (site.folder / "generated" / "callrouter-agi").chmod(0o600)
    assert "Permission denied" in ask(site)["agi"]["what"]


def test_a_wrong_password_is_told_from_a_missing_asterisk(site: Stack) -> None:
    wrong = site.folder / "wrong"
    wrong.write_text("not-the-password\n", encoding="utf-8")
    wrong.chmod(0o600)

    def spoil(data: dict[str, Any]) -> None:
        for one in ("ari", "ami"):
            data["asterisk"][one]["password_file"] = str(wrong)

    site.write_config(spoil)
    findings = ask(site)
    assert "refuses the ARI user" in findings["ari"]["what"]
    assert "refuses the user" in findings["ami"]["what"]
    assert "not-the-password" not in str(findings)


def test_an_endpoint_whose_calls_go_elsewhere_and_a_trunk_that_is_not_there(site: Stack) -> None:
    site.write_config(lambda data: data["asterisk"]["trunks"]["main"].update(dial="PJSIP/{number}@nowhere"))
    findings = ask(site)
    assert "no such endpoint" in findings["trunk main"]["what"]
    assert findings["trunk main"]["state"] == "FAIL"
