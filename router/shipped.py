"""Folders that come with the program beside its code: asterisk_conf, agi_scripts."""

from __future__ import annotations

from pathlib import Path

from router.errors import NotFound


def share(name: str) -> Path:
    """Such a folder: beside the package in a checkout, inside it when installed. Raises NotFound."""
    package = Path(__file__).parent
    for candidate in (package / "share" / name, package.parent / name):
        if candidate.is_dir():
            return candidate
    raise NotFound(
        f"{name} was not installed with callrouter; install it again: pip install --force-reinstall callrouter"
    )
