"""A dialplan generated for a test, and the lines of its contexts."""

from __future__ import annotations

from datetime import UTC, datetime

from router.dialplan import Places, generate
from router.model import Config

DATABASE = "/var/lib/callrouter/callrouter.db"
PLACES = Places(
    "/etc/asterisk/callrouter/callrouter-agi", f"{DATABASE}.fallback", "/opt/sounds/fr", f"{DATABASE}.sounds"
)
AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
OTHER = "+33145000000"


def made(config: Config, **how: float) -> str:
    return generate(config, "", PLACES, AT, **how)


def context(text: str, name: str) -> list[str]:
    """The lines of one context, without comments."""
    body = text.split(f"\n[{name}]\n", 1)[1].split("\n[", 1)[0]
    return [line.strip() for line in body.splitlines() if line and not line.startswith(";")]
