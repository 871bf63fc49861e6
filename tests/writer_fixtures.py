"""The fixtures `path`, `told` and `start`: writers of one database, which a test starts and which end with it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from router.store.writer import Writer
from tests.store_rows import START, descriptors, dump


class Told:
    """What the writer said."""

    def __init__(self) -> None:
        self.trouble: list[str] = []
        self.mended: list[str] = []


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "calls.db")


@pytest.fixture
def start(path: str, told: Told) -> Iterator[Callable[[], Writer]]:
    """Makes and starts writers; stops what a test leaves running."""
    started: list[Writer] = []

    def make() -> Writer:
        writer = Writer(
            path,
            node="test",
            on_trouble=told.trouble.append,
            on_mended=told.mended.append,
            clock=lambda: START,
        )
        writer.start()
        started.append(writer)
        return writer

    before = threading.active_count(), descriptors()
    yield make
    for each in started:
        each.close(10)
    assert (threading.active_count(), descriptors()) == before


def outcomes(path: str) -> list[str | None]:
    return [None if row[5] is None else str(row[5]) for row in dump(path)["calls"]]
