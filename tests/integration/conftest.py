"""One Asterisk and one router for all calls of a module; each test leaves them as it found them."""

from __future__ import annotations

from tests.site_fixtures import running, site

__all__ = ["running", "site"]
