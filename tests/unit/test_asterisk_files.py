"""The example of a trunk that `callrouter asterisk conf` writes: what it asserts is what campaigns.yaml says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from router.asterisk_files import TEMPLATES, TRUNK, files
from tests.build import make_config, make_trunk

SOURCES = Path(__file__).resolve().parents[2] / "asterisk_conf"


def written(**keys: Any) -> list[str]:
    templates = {name: (SOURCES / name).read_text(encoding="utf-8") for name in (*TEMPLATES, TRUNK)}
    made = files(make_config(trunks=[make_trunk(**keys)]), templates, "/etc/asterisk/callrouter")
    return made["callrouter-pjsip.conf"].text.splitlines()


@pytest.mark.parametrize(
    ("keys", "sends"),
    [
        ({"identity": "pai"}, ["send_pai = yes", "send_rpid = no", "send_diversion = no"]),
        ({"identity": "rpid", "diversion": True}, ["send_pai = no", "send_rpid = yes", "send_diversion = yes"]),
        ({"identity": "from"}, ["send_pai = no", "send_rpid = no", "send_diversion = no"]),
        ({"identity": "pai", "asserts": "did"}, ["send_pai = no", "send_rpid = no", "send_diversion = no"]),
        ({"identity": "rpid", "asserts": "did"}, ["send_pai = no", "send_rpid = no", "send_diversion = no"]),
    ],
)
def test_one_header_at_most_asserts_a_number(keys: dict[str, Any], sends: list[str]) -> None:
    assert [line for line in written(**keys) if line.startswith("send_")] == sends


def test_the_keys_it_was_made_from_stand_beside_it() -> None:
    assert any("`identity: rpid`, `asserts: did`" in line for line in written(identity="rpid", asserts="did"))
