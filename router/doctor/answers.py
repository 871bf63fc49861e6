"""What monitoring is told: whether the router answers where `health.listen` says, and that it is ready."""

from __future__ import annotations

import http.client
import json
from ipaddress import ip_address
from typing import Final

from router.doctor.finding import Finding, fail, ok, warn
from router.lock import holder
from router.model import Config, Health
from router.numbers import safe_text

PATIENCE: Final = 3.0
"""Seconds for each step of one question."""
LONGEST: Final = 65536
"""Bytes that are read of the answer."""


def examine(config: Config) -> list[Finding]:
    """Nothing where no listener is asked for."""
    if config.health is None:
        return []
    if holder(config.database) is None:
        return [warn("health", "no router runs that could answer", "systemctl start callrouter")]
    return [_asked(config.health)]


def _asked(where: Health) -> Finding:
    host = ip_address(where.host)
    # Who listens on all addresses is asked on the nearest.
    near = where.host if not host.is_unspecified else "127.0.0.1" if host.version == 4 else "::1"
    url = (
        f"http://[{near}]:{where.port}/health/ready" if ":" in near else f"http://{near}:{where.port}/health/ready"
    )
    connection = http.client.HTTPConnection(near, where.port, timeout=PATIENCE)
    try:
        connection.request("GET", "/health/ready")
        answer = connection.getresponse()
        told = json.loads(answer.read(LONGEST))
        ready, notes = bool(told["ready"]), [*told["reasons"], *told["degraded"]]
        why = "; ".join(safe_text(f"{note['what']}: {note['why']}", 200) for note in notes)
    except (OSError, http.client.HTTPException) as error:
        said = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return fail(
            "health", f"{url} does not answer ({safe_text(said, 200)})", "journalctl -u callrouter | grep no_health"
        )
    except (ValueError, KeyError, TypeError):
        mend = "choose another port in health.listen, then: systemctl reload callrouter"
        return fail("health", f"another program answers at {url}", mend)
    finally:
        connection.close()
    if not ready:
        return fail("health", f"{url} says not ready: {why}", "journalctl -u callrouter")
    if notes:
        return warn("health", f"{url} says ready, but {why}", "journalctl -u callrouter")
    return ok("health", f"{url} says ready")
