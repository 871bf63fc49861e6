"""Files as the second and third line leave them, taken into a database, and the one call that comes of them."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from router.model import Config
from router.store.database import open_database
from router.store.fallback import folder
from router.store.fallback_import import Imported, import_fallback
from router.store.operations import Operation
from router.store.queries import CallFilter, attempts_of, list_calls
from tests.build import make_campaign, make_config
from tests.store_rows import START, write

UNIQUEID = "1772359200.17"


class Direct:
    """Carries out at once what the writer would carry out."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.stores = True
        self.waiting: list[Operation] = []

    def write(self, operation: Operation) -> None:
        self.waiting.append(operation)

    def keep(self, timeout: float) -> bool:  # noqa: ARG002 - as a Writer has it
        if self.stores:
            write(self.path, self.waiting)
            self.waiting.clear()
        return self.stores


@pytest.fixture
def path(tmp_path: Path) -> str:
    path = str(tmp_path / "calls.db")
    open_database(path).close()
    os.mkdir(folder(path))
    return path


@pytest.fixture
def config(path: str) -> Config:
    return make_config(database=path, campaigns=[make_campaign("spring", ["+33184801001"])])


def line(**keys: object) -> str:
    """A line as the dialplan writes it."""
    return "&".join(f"{key}={quote(str(value), safe='')}" for key, value in keys.items()) + "\n"


def begin(**keys: object) -> str:
    known: dict[str, object] = {
        "id": UNIQUEID,
        "start": f"{START:.3f}",
        "did": "+33184801001",
        "caller": "0145678901",
        "pres": "allowed_not_screened",
        "campaign": "spring",
        "path": "dialplan",
        "version": "fedcba987654",
    }
    return line(**{**known, **keys})


def end(**keys: object) -> str:
    return line(**{"id": UNIQUEID, "end": int(START + 30), **keys})


def leave(path: str, text: str, name: str = UNIQUEID, age: float = 0.0) -> Path:
    """A file in the folder, last changed `age` seconds before START + 60."""
    file = Path(folder(path), f"{name}.call")
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    os.utime(file, (START + 60 - age,) * 2)
    return file


def take(path: str, config: Config) -> Imported:
    return import_fallback(Direct(path), config, now=START + 60)


def only(path: str) -> dict[str, Any]:
    """The one call, with its attempts' results and its callback's state."""
    with closing(open_database(path)) as connection:
        (row,) = list_calls(connection, CallFilter())
        legs = [dict(each) for each in attempts_of(connection, row["id"])]
        states = [each["state"] for each in connection.execute("SELECT state FROM callbacks")]
    return {**dict(row), "legs": legs, "callbacks": states}
