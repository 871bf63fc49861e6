"""A small campaigns.yaml that is accepted, and ways to spoil it: shared by the tests of router.config."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from router.config import load
from router.errors import ConfigError, Problem
from router.model import Config

TODAY = date(2026, 3, 2)
PASSWORDS = {"CALLROUTER_ARI_PASSWORD": "ari-word", "CALLROUTER_AMI_PASSWORD": "ami-word"}

GOOD = """\
version: 1
company: {country: FR, timezone: Europe/Paris, language: fr}
asterisk:
  ari: {url: "http://127.0.0.1:8088/ari", username: callrouter, password_file: secrets/ari, app: callrouter}
  ami: {host: 127.0.0.1, port: 5038, username: callrouter, password_file: secrets/ami}
  trunks:
    main: {dial: "PJSIP/{number}@trunk", identity: pai}
    spare: {dial: "PJSIP/spare/sip:{number}@10.0.0.1:5060", number_format: plain, did_from: [x-did, to]}
database: data/calls.db
hours:
  office:
    weekly: {mon-fri: ["09:00-12:30", "14:00-18:30"], sat: ["09:00-12:00"]}
    holidays: FR
    closed: ["2026-12-24", "2026-12-28..2026-12-31"]
    open: ["2026-12-13 10:00-17:00"]
salespeople:
  alice: {name: Alice Martin, mobile: "+33612345678"}
  bob: {name: Bob Durand, mobile: "06 87 65 43 21", absent: ["2026-08-01..2026-08-21"]}
defaults:
  hours: office
  accept: none
  caller_id: did
  ring: {strategy: sequential, timeout: 20s, max_wait: 60s}
  callback: {due: 15m, retries: [10m, 1h, 4h], expire: 5d}
campaigns:
  spring-flyer:
    name: Flyer printemps
    medium: flyer
    numbers: ["+33184801001"]
    ring: {to: [alice, bob]}
    cost: [{amount: 1200 EUR, from: 2026-03-01, to: 2026-05-31}]
  poster:
    numbers: ["01 84 80 10 02"]
    hours: always
    ring: {strategy: all, to: [bob], timeout: 25s}
    callback: none
unknown_number: {ring: {to: [alice]}}
"""


def read(folder: Path, text: str | bytes = GOOD, environ: dict[str, str] | None = None) -> Config:
    """The Config of `text`, written to campaigns.yaml in `folder`."""
    path = folder / "campaigns.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return load(str(path), PASSWORDS if environ is None else environ, TODAY)


def problems(folder: Path, text: str | bytes, environ: dict[str, str] | None = None) -> tuple[Problem, ...]:
    """Every problem of `text`; none when it is accepted."""
    try:
        read(folder, text, environ)
    except ConfigError as error:
        return error.problems
    return ()


def spoilt(old: str, new: str) -> str:
    """GOOD with its only `old` replaced."""
    assert GOOD.count(old) == 1, f"{old!r} must stand once in GOOD"
    return GOOD.replace(old, new)
