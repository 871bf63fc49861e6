"""The records that the dialplan leaves of its calls: the fixture `spool`, their folder, and what stands in them."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

import pytest

from sandbox.processes import wait_until


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    folder = tmp_path / "db.fallback"
    folder.mkdir()
    return folder


def ended(spool: Path, calls: int = 1) -> list[dict[str, str]]:
    """The records of the calls that have ended, each file's lines put together, once there are that many."""

    def complete() -> list[Path]:
        return [file for file in sorted(spool.iterdir()) if "&end=" in file.read_text(encoding="utf-8")]

    wait_until(lambda: len(complete()) >= calls, 10, f"{calls} calls are recorded")
    records = []
    for file in complete():
        pairs = (
            pair.partition("=")
            for line in file.read_text(encoding="utf-8").splitlines()
            for pair in line.split("&")
        )
        records.append({key: unquote(value) for key, _, value in pairs})
    return records
