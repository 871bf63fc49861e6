"""The doctor's lines, one by one: the dialplan and the trunks, the records, the machine."""

from __future__ import annotations

import ctypes
import os
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from router import dialplan
from router.doctor import machine, records, switch
from router.doctor.finding import Finding, State, fail
from router.model import Ari, Config
from router.store.database import open_database
from tests.build import make_config, make_hours

# --- The dialplan's and the trunks' lines, one by one -----------------------------------------------------------


class FakeAri:
    """Answers what it was told to."""

    def __init__(self, **answers: object) -> None:
        self.answers = {"info": (200, {"system": {"version": "22.10.1"}}), **answers}
        self.variables: dict[str, str] = {}

    async def get(self, path: str) -> tuple[int, object]:
        if "variable=" in path:
            return 200, {"value": self.variables.get(path.rpartition("=")[2], "")}
        return self.answers[path.split("/")[-1].split("?")[0]]  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("version", "state", "rest"),
    [
        ("22.10.1~dfsg", "ok", "over the websocket"),
        ("20.6.0", "ok", "over HTTP"),
        ("20.14.0", "ok", "over the websocket"),
        ("certified/20.7-cert1", "ok", "over HTTP"),
        ("23.0.0", "ok", "over the websocket"),
        ("18.9.0", "FAIL", ""),
        ("GIT-master", "warn", ""),
    ],
)
async def test_which_asterisk_it_is(version: str, state: str, rest: str) -> None:
    asked = FakeAri(info=(200, {"system": {"version": version}}))
    findings = {each.check: each for each in await switch._version(asked, make_config())}  # type: ignore[arg-type]
    assert findings["version"].state == state
    assert findings["rest"].what.startswith(rest) if rest else "rest" not in findings


@pytest.mark.parametrize(("transport", "state"), [("websocket", "FAIL"), ("http", "ok"), ("auto", "ok")])
async def test_a_transport_that_this_asterisk_does_not_have(transport: str, state: str) -> None:
    config = make_config(ari=Ari("http://127.0.0.1:8088/ari", "callrouter", "callrouter", transport))
    assert switch._transport(config, 20, 6).state == state


async def test_modules_that_do_not_run_are_named() -> None:
    loaded = [{"name": "a.so", "status": "Running"}, {"name": "b.so", "status": "Not Running"}]
    finding = await switch._modules(FakeAri(modules=(200, loaded)), ["a.so", "b.so", "c.so"])  # type: ignore[arg-type]
    assert finding.state is State.FAIL
    assert finding.what == "not running: b.so, c.so"
    refused = await switch._modules(FakeAri(modules=(404, None)), ["a.so"])  # type: ignore[arg-type]
    assert refused.state is State.WARN


async def test_a_dialplan_grows_old() -> None:
    asked = FakeAri()
    now = datetime(2027, 12, 1, tzinfo=UTC)
    config = make_config()
    asked.variables = {
        dialplan.VERSION_VARIABLE: config.version,
        dialplan.MADE_VARIABLE: f"{now - timedelta(days=dialplan.HORIZON_DAYS - 30):%Y%m%d}",
    }
    finding = await switch._dialplan(asked, config, now.timestamp())  # type: ignore[arg-type]
    assert (finding.state, "holidays" in finding.what) == (State.WARN, True)
    asked.variables[dialplan.MADE_VARIABLE] = "nonsense"
    assert (await switch._dialplan(asked, config, now.timestamp())).state is State.WARN  # type: ignore[arg-type]


async def test_a_script_that_does_not_come_back_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(switch, "PATIENCE", -2.8)
    script = tmp_path / "agi"
    script.write_text("#!/bin/sh\nexec /bin/sleep 60\n", encoding="utf-8")
    script.chmod(0o755)
    asked = FakeAri()
    asked.variables = {"CALLROUTER_AGI": str(script).replace("/", "%2F"), "AGI": ""}
    asked.variables["CALLROUTER_AGI"] = str(script)
    finding = await switch._agi(asked)  # type: ignore[arg-type]
    assert (finding.state, "does not come back" in finding.what) == (State.FAIL, True)


def test_calls_that_do_not_come_into_our_context() -> None:
    findings = list(switch._doors({"a": "callrouter", "b": "from-pstn", "c": ""}))
    assert [each.state for each in findings] == [State.OK, State.WARN, State.WARN]
    assert "context = callrouter" in findings[1].mend


# --- The records, one by one -----------------------------------------------------------------------------------


@pytest.fixture
def config(tmp_path: Path) -> Config:
    config = make_config(database=str(tmp_path / "callrouter.db"))
    open_database(config.database).close()
    os.mkdir(f"{config.database}.fallback", 0o770)
    return config


def by_check(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.check: finding for finding in findings}


def test_a_damaged_database_names_what_to_do(config: Config) -> None:
    with open(config.database, "r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 4096)
    finding = by_check(records.examine(config, time.time()))["database"]
    assert finding.state is State.FAIL
    assert finding.mend.startswith(("save what it holds", "put a backup"))


def test_what_is_no_database_fails(config: Config) -> None:
    Path(config.database).write_bytes(b"hello" * 1000)
    finding = by_check(records.examine(config, time.time()))["database"]
    assert finding.state is State.FAIL
    assert finding.mend


def test_a_large_database_is_not_checked_for_ever(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(sqlite3.connect(config.database)) as connection:
        connection.execute("CREATE TABLE filler AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n LIMIT 90000) SELECT i, hex(randomblob(40)) AS t FROM n")  # fmt: skip  # noqa: E501
        connection.execute("CREATE INDEX filler_t ON filler(t)")
        connection.commit()
    monkeypatch.setattr(records, "CHECKING", 0.0)
    finding = by_check(records.examine(config, time.time()))["database"]
    assert (finding.state, "too large" in finding.what) == (State.OK, True)


@pytest.mark.parametrize("end", ["", ".key", ".spool", ".refused", ".journal.1", ".bak"])
def test_what_is_open_to_everybody_is_named(config: Config, end: str) -> None:
    path = Path(f"{config.database}{end}")
    path.touch()
    path.chmod(0o644)
    what = f"{path} is open to every user (mode 644)"
    assert fail("permissions", what, f"chmod o-rwx {path}") in records.examine(config, time.time())


def test_what_could_not_be_written_is_said(config: Config) -> None:
    Path(f"{config.database}.spool").write_text("{}\n", encoding="utf-8")
    assert by_check(records.examine(config, time.time()))["spool"].state is State.FAIL


def test_records_of_the_fallback_that_wait_or_cannot_be_read(config: Config) -> None:
    place = Path(f"{config.database}.fallback")
    now = time.time()
    assert by_check(records.examine(config, now))["fallback"].state is State.OK
    (place / "1.call").write_text("id=1", encoding="utf-8")
    (place / "2.call.bad").write_text("?", encoding="utf-8")
    assert by_check(records.examine(config, now))["fallback"].what.startswith("1 records")
    texts = [each.what for each in records.examine(config, now + 120) if each.check == "fallback"]
    assert any("1 calls" in text and "wait" in text for text in texts)


def test_little_room_on_the_disk(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    for limit, state in (("LITTLE", State.WARN), ("TOO_LITTLE", State.FAIL)):
        monkeypatch.setattr(records, limit, 2**62)
        assert by_check(records.examine(config, time.time()))["disk"].state is state


# --- The machine, one by one -----------------------------------------------------------------------------------


def test_a_clock_that_was_set_back_is_seen_in_the_calls(config: Config) -> None:
    with closing(sqlite3.connect(config.database)) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute(
            "INSERT INTO calls (id, started_at, did, campaign, caller_id, path, config_version, node, channel) "
            "VALUES ('c1', '2030-01-01T00:00:00.000Z', '+33184801001', 'x', 'n', 'ari', 'v', 'n', 'ch')"
        )
        connection.commit()
    past = datetime(2029, 1, 1, tzinfo=UTC).timestamp()
    clock = [each for each in machine.examine(config, past) if each.check == "clock"]
    assert State.FAIL in {each.state for each in clock}
    assert not list(machine._forward(config, datetime(2030, 1, 2, tzinfo=UTC).timestamp()))


def test_a_zone_that_asterisk_does_not_know_fails(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not list(machine._zones(config))
    monkeypatch.setattr(machine, "ZONES", ("/nonexistent",))
    (finding,) = machine._zones(make_config(hours=[make_hours()]))
    assert (finding.state, finding.mend) == (State.FAIL, "apt install tzdata")


def test_a_clock_that_nobody_keeps_right(monkeypatch: pytest.MonkeyPatch) -> None:
    class Kernel:
        def __init__(self, *_: object, **__: object) -> None: ...

        @staticmethod
        def adjtimex(_: object) -> int:
            return machine.TIME_ERROR

    monkeypatch.setattr(ctypes, "CDLL", Kernel)
    assert machine._synchronised().state is State.WARN
    monkeypatch.setattr(Kernel, "adjtimex", staticmethod(lambda _: 0))
    assert machine._synchronised().state is State.OK


@pytest.mark.parametrize(
    ("mode", "owner", "want", "allowed"),
    [(0o600, True, 6, True), (0o640, False, 4, True), (0o640, False, 6, False), (0o604, False, 4, False)],
)
def test_what_a_user_may_do_with_a_file(tmp_path: Path, mode: int, owner: bool, want: int, allowed: bool) -> None:
    file = tmp_path / "file"
    file.write_text("", encoding="utf-8")
    file.chmod(mode)
    status = file.stat()
    user = machine.User(status.st_uid if owner and status.st_uid else 4242, frozenset({status.st_gid}))
    if owner and not status.st_uid:
        user = machine.User(0, frozenset())
    assert user.may(str(file), want) is allowed
    assert not user.may(str(tmp_path / "missing"), 4)


def test_asterisk_is_found_by_its_program(tmp_path: Path) -> None:
    (tmp_path / "12").mkdir()
    (tmp_path / "12" / "status").write_text("Name:\tasterisk\nUid:\t1\t77\t1\t1\nGid:\t5\t5\t5\t5\nGroups:\t5 6 \n")
    (tmp_path / "12" / "cmdline").write_bytes(b"/usr/sbin/asterisk\0-f\0")
    (tmp_path / "13").mkdir()
    (tmp_path / "13" / "status").write_text("Name:\tcat\n")
    (tmp_path / "13" / "cmdline").write_bytes(b"cat\0asterisk.conf\0")
    assert machine.asterisks_user(tmp_path) == machine.User(77, frozenset({5, 6}))
    assert machine.asterisks_user(tmp_path / "12") is None


def test_files_that_asterisks_user_may_not_use_are_named(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "asterisks_user", lambda: machine.User(4242, frozenset()))
    (finding,) = machine._asterisks_rights(config)
    assert finding.state is State.FAIL
    assert f"{config.database}.fallback" in finding.what
    assert "chgrp asterisk" in finding.mend
