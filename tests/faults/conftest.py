"""What every fault's tests share: the site, and the fixture that keeps their figures."""

from __future__ import annotations

import pytest

from tests.faults import table
from tests.site_fixtures import running, site

__all__ = ["fault", "running", "site"]


class Fault:
    """Where a test puts down what it measured: the table of faults shows it."""

    def __init__(self, node: pytest.Item) -> None:
        self._node = node

    def measured(self, what: str, value: float | str, unit: str = "") -> None:
        """A figure with its unit, under a few words that say what it is."""
        self._node.user_properties.append(("measured", table.figure(what, value, unit)))


@pytest.fixture
def fault(request: pytest.FixtureRequest) -> Fault:
    return Fault(request.node)
