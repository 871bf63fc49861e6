"""What the long tests share."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import coverage
import coverage.exceptions
import pytest


@pytest.fixture
def unmeasured() -> Iterator[None]:
    """Coverage pauses: it would double the time of a million steps, and each branch has its own test elsewhere."""
    measured = coverage.Coverage.current()
    if measured is None:
        yield
        return
    measured.stop()
    yield
    with warnings.catch_warnings():
        # It has seen these files before.
        warnings.simplefilter("ignore", coverage.exceptions.CoverageWarning)
        measured.start()
