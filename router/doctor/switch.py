"""Asterisk: is it there, does it let us in, has it what we need, and is our dialplan the one it has loaded?"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

from router import ami, dialplan
from router.doctor.finding import Finding, fail, ok, warn
from router.errors import RouterError
from router.model import Ami, Config, Secret
from router.numbers import safe_text

#: Seconds for one question to Asterisk.
PATIENCE: Final = 4.0
LONGEST_PATH: Final = 4096
OLDEST: Final = 20
"""Asterisk's oldest version that is supported: it is what Ubuntu 24.04 carries."""
REST_OVER_WEBSOCKET: Final = {20: 14, 21: 9, 22: 4}
"""The first minor version of each branch that answers REST over the websocket (Asterisk's UPGRADE notes)."""
GROWS_OLD: Final = timedelta(days=dialplan.HORIZON_DAYS - 60)
"""After this the third line soon runs out of holidays."""

_RELOAD: Final = 'asterisk -rx "dialplan reload"'
_MAKE: Final = f"callrouter asterisk conf --output /etc/asterisk/callrouter && {_RELOAD}"


class Unasked(Exception):
    """A question without an answer: what there is to say of that."""

    def __init__(self, finding: Finding) -> None:
        self.finding = finding
        super().__init__(finding.what)


async def examine(config: Config, modules: Sequence[str], now: float) -> list[Finding]:
    findings: list[Finding] = []
    try:
        async with _ari(config) as asked:
            findings += await _version(asked, config)
            findings.append(await _modules(asked, modules))
            findings.append(await _dialplan(asked, config, now))
            findings.append(await _agi(asked))
            findings.append(await _application(asked, config))
    except Unasked as unasked:
        findings.append(unasked.finding)
    findings += await _over_ami(config)
    return findings


# --- ARI ----------------------------------------------------------------------------------------------------


class _Asked:
    """Questions to ARI over HTTP. The password stands in a header, which no message shows."""

    def __init__(self, session: Any, root: str) -> None:
        self._session = session
        self._root = root

    async def get(self, path: str) -> tuple[int, Any]:
        """Status and decoded answer. Raises Unasked."""
        import aiohttp

        try:
            async with asyncio.timeout(PATIENCE), self._session.get(f"{self._root}/{path}") as answer:
                text = await answer.text()
        except TimeoutError:
            raise Unasked(fail("ari", f"{self._root} does not answer within {PATIENCE:.0f} s", _START)) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or type(error).__name__
            raise Unasked(fail("ari", f"cannot reach {self._root}: {safe_text(str(why))}", _START)) from None
        try:
            return answer.status, json.loads(text or "null")
        except ValueError:
            return answer.status, None


_START: Final = "systemctl start asterisk, then compare http.conf: callrouter asterisk conf callrouter-http.conf"


@asynccontextmanager
async def _ari(config: Config) -> AsyncIterator[_Asked]:
    from router.ari.opening import new_session, shown_url

    session = new_session(config.ari, config.ari_password)
    try:
        yield _Asked(session, shown_url(config.ari))
    finally:
        await session.close()


async def _version(asked: _Asked, config: Config) -> list[Finding]:
    """Whether ARI lets us in, which Asterisk it is, and how REST will travel. Raises Unasked when it does not."""
    status, info = await asked.get("asterisk/info?only=system")
    if status in (401, 403):
        mend = "compare its user and password with ari.conf: callrouter asterisk conf callrouter-ari.conf"
        raise Unasked(fail("ari", f"Asterisk refuses the ARI user {config.ari.username}", mend))
    if status != 200:
        mend = 'set enabled = yes in ari.conf, check asterisk.ari.url, then: asterisk -rx "module reload res_ari"'
        raise Unasked(fail("ari", f"no ARI at {config.ari.url} (HTTP status {status})", mend))
    text = safe_text(str((info or {}).get("system", {}).get("version", "")))
    findings = [ok("ari", f"{config.ari.url} lets {config.ari.username} in")]
    numbers = re.match(r"(?:certified/)?(\d+)\.(\d+)", text)
    if numbers is None:
        return [*findings, warn("version", f"Asterisk {text or 'of unknown version'}")]
    major, minor = int(numbers[1]), int(numbers[2])
    if major < OLDEST:
        mend = f"install Asterisk {OLDEST} or later"
        return [*findings, fail("version", f"Asterisk {text} is too old", mend)]
    return [*findings, ok("version", f"Asterisk {text}"), _transport(config, major, minor)]


def _transport(config: Config, major: int, minor: int) -> Finding:
    offered = minor >= REST_OVER_WEBSOCKET.get(major, 0)
    if config.ari.transport == "websocket" and not offered:
        return fail(
            "rest", "this Asterisk answers no REST over its websocket", "set asterisk.ari.transport to auto"
        )
    if config.ari.transport == "http":
        return ok("rest", "over HTTP, as asterisk.ari.transport says")
    return ok(
        "rest", "over the websocket" if offered else "over HTTP: this Asterisk has no REST over its websocket"
    )


async def _modules(asked: _Asked, needed: Sequence[str]) -> Finding:
    status, found = await asked.get("asterisk/modules")
    if status != 200 or not isinstance(found, list):
        return warn("modules", "Asterisk does not say which modules run", 'asterisk -rx "module show"')
    running = {str(module.get("name")) for module in found if module.get("status") == "Running"}
    missing = sorted(set(needed) - running)
    if missing:
        mend = f'asterisk -rx "module load {missing[0]}", and load = {missing[0]} in modules.conf'
        return fail("modules", f"not running: {', '.join(missing)}", mend)
    return ok("modules", f"all {len(set(needed))} that are needed run")


async def _variable(asked: _Asked, name: str) -> str:
    """A global variable of the dialplan; empty where it is not set."""
    _, found = await asked.get(f"asterisk/variable?variable={quote(name)}")
    return safe_text(str(found.get("value", "")), LONGEST_PATH) if isinstance(found, dict) else ""


async def _dialplan(asked: _Asked, config: Config, now: float) -> Finding:
    version = await _variable(asked, dialplan.VERSION_VARIABLE)
    made = await _variable(asked, dialplan.MADE_VARIABLE)
    if not version:
        return fail("dialplan", f"Asterisk has not loaded {dialplan.FILE}", f"{_MAKE} (and #include it)")
    if version != config.version:
        what = f"made from configuration {version}, campaigns.yaml is {config.version}: the fallback is stale"
        return warn("dialplan", what, _MAKE)
    try:
        age = datetime.fromtimestamp(now, UTC) - datetime.strptime(made, "%Y%m%d").replace(tzinfo=UTC)
    except ValueError:
        return warn("dialplan", "loaded, but it does not say when it was made", _MAKE)
    if age > GROWS_OLD:
        return warn(
            "dialplan", f"made {age.days} days ago: its holidays end {dialplan.HORIZON_DAYS} days on", _MAKE
        )
    return ok("dialplan", f"loaded, and made from this configuration ({version})")


async def _agi(asked: _Asked) -> Finding:
    """Whether the script that Asterisk would start runs: it is asked, in an environment as bare as Asterisk's."""
    path = await _variable(asked, "CALLROUTER_AGI")
    if not path:
        return fail("agi", "no dialplan says where the AGI script is", _MAKE)
    try:
        process = await asyncio.create_subprocess_exec(
            path, "check", env={}, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
    except OSError as error:
        return fail("agi", f"{path}: {error.strerror}", _MAKE)
    try:
        _, said = await asyncio.wait_for(process.communicate(), PATIENCE + 3)
    except TimeoutError:
        process.kill()
        await process.wait()
        return fail("agi", f"{path} does not come back", f"{path} check")
    if process.returncode:
        lines = safe_text(said.decode(errors="replace").strip().rpartition("\n")[2], 200)
        return fail("agi", f"{path}: {lines or f'exit status {process.returncode}'}", f"{path} check")
    return ok("agi", f"{path} runs and has its routes")


async def _application(asked: _Asked, config: Config) -> Finding:
    status, _ = await asked.get(f"applications/{quote(config.ari.app, safe='')}")
    if status == 200:
        return ok("router", f"connected to Asterisk as {config.ari.app}")
    return fail("router", "not connected to Asterisk: the fallback takes the calls", "callrouter run")


# --- AMI ----------------------------------------------------------------------------------------------------


async def _over_ami(config: Config) -> list[Finding]:
    if config.ami is None or config.ami_password is None:
        return [warn("ami", "asterisk.ami is not configured: nobody can see whether the trunks are reachable")]
    mend = "compare with manager.conf: callrouter asterisk conf callrouter-manager.conf"
    try:
        healths = await ami.trunk_health(config.ami, config.ami_password, config.trunks.values())
        contexts = await _contexts(
            config.ami, config.ami_password, {trunk.endpoint for trunk in config.trunks.values()}
        )
    except RouterError as error:
        return [fail("ami", str(error), mend)]
    place = f"{config.ami.host}:{config.ami.port}"
    return [ok("ami", f"{place} lets {config.ami.username} in"), *map(_trunk, healths), *_doors(contexts)]


def _trunk(health: ami.TrunkHealth) -> Finding:
    name = f"trunk {health.trunk}"
    parts = [health.contact.value]
    if health.rtt is not None:
        parts.append(f"{health.rtt * 1000:.0f} ms")
    parts.append(health.registration or "registers nowhere")
    what = f"{health.endpoint or health.trunk}: {', '.join(parts)}"
    mend = f'asterisk -rx "pjsip show endpoint {health.endpoint}"'
    if not health.healthy:
        return fail(name, what, mend)
    if health.contact is ami.Contact.UNQUALIFIED:
        return warn(name, what, 'set qualify_frequency = 30 in the trunk\'s aor, then: asterisk -rx "pjsip reload"')
    return ok(name, what)


async def _contexts(where: Ami, password: Secret, endpoints: set[str]) -> dict[str, str]:
    """Where the calls of each inbound endpoint go. Raises RouterError."""
    found: dict[str, str] = {}
    try:
        async with asyncio.timeout(ami.DEADLINE):
            connection = await ami.Connection.open(where)
            try:
                await connection.log_in(password)
                for endpoint in sorted(endpoints - {""}):
                    answers = await connection.ask("PJSIPShowEndpoint", Endpoint=endpoint)
                    details = (each for each in answers if each.get("event") == "EndpointDetail")
                    found[endpoint] = next((each.get("context", "") for each in details), "")
            finally:
                connection.close()
    except TimeoutError:
        raise RouterError(f"AMI at {where.host}:{where.port} does not answer") from None
    return found


def _doors(contexts: dict[str, str]) -> Iterator[Finding]:
    for endpoint, context in contexts.items():
        check = f"calls from {endpoint}"
        if context == dialplan.CONTEXT:
            yield ok(check, f"come into {dialplan.CONTEXT}")
        elif context:
            mend = f'set context = {dialplan.CONTEXT} on it in pjsip.conf, then: asterisk -rx "pjsip reload"'
            yield warn(check, f"go to the context {safe_text(context)}, and not into {dialplan.CONTEXT}", mend)
        else:
            yield warn(check, "Asterisk has no such endpoint", "check asterisk.trunks: endpoint, and pjsip.conf")
