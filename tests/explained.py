"""`callrouter explain` for a configuration made by hand: its page, and the same as facts."""

from __future__ import annotations

import json
from typing import Any

from click.testing import CliRunner, Result

from router.commands.context import Context
from router.commands.explain import command
from router.model import Config
from tests.build import make_campaign, make_config, make_hours


def explain(config: Config, *args: str) -> Result:
    class Fixed(Context):
        def config(self, *, secrets: bool = False) -> Config:  # noqa: ARG002
            return config

    return CliRunner().invoke(command, list(args), obj=Fixed("campaigns.yaml", None, False))


def facts(config: Config, *args: str) -> Any:
    result = explain(config, *args, "--format", "json")
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


def office(**campaign: Any) -> Config:
    hours = make_hours(closed=["2026-12-24"])
    return make_config(campaigns=[make_campaign(hours="office", **campaign)], hours=[hours])
