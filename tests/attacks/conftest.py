"""What the attacks on a running site share: the site itself, and the three lines of defence."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.attacks.lines import Line
from tests.integration.attack import expose
from tests.integration.site import Site
from tests.site_fixtures import running, site

__all__ = ["exposed", "line", "running", "site"]


@pytest.fixture(scope="module")
def exposed(site: Site) -> Site:
    """The site with every door open: see expose()."""
    expose(site)
    return site


@pytest.fixture(params=["ari", "agi", "dialplan"])
def line(request: pytest.FixtureRequest, exposed: Site) -> Iterator[Line]:
    """Each line of defence in turn, alone: the router, the AGI script, the dialplan."""
    at = Line(exposed, request.param)
    at.enter()
    yield at
    exposed.quiet()
