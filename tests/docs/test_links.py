"""What the pages point to is there."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from posixpath import normpath
from urllib.parse import unquote

import pytest

from tests.docs.pages import PAGES, ROOT, anchors, inline, prose

_LINK = re.compile(r"\]\(([^)\s]+)\)")
_OURS = re.compile(r"(?:router|docs|tests|agi_scripts|asterisk_conf|systemd|sandbox|bench|\.ci)/[\w./*-]*")


def test_there_are_pages() -> None:
    names = ("architecture", "configuration", "database", "freepbx", "monitoring", "operation", "routing", "sounds")
    wanted = {"README.md", "CHANGELOG.md"} | {f"docs/{name}.md" for name in names}
    assert wanted <= set(PAGES)


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    for link in _LINK.findall(prose(page)):
        if "://" in link:
            continue
        path, _, anchor = unquote(link).partition("#")
        target = normpath(PurePosixPath(page).parent / path) if path else page
        assert (ROOT / target).exists(), f"{page}: {link}"
        assert not anchor or anchor in anchors(target), f"{page}: {link}"


@pytest.mark.parametrize("page", PAGES)
def test_every_file_of_ours_that_is_named_exists(page: str) -> None:
    beside = (ROOT / page).parent
    for name in inline(page):
        if _OURS.fullmatch(name):
            found = [*ROOT.glob(name), *beside.glob(name), *(ROOT / "router").glob(name)]
            assert found, f"{page}: {name}"


@pytest.mark.parametrize("page", PAGES)
def test_every_page_is_linked_from_another(page: str) -> None:
    if page == "README.md":
        return
    linked = {
        normpath(PurePosixPath(other).parent / link.partition("#")[0])
        for other in PAGES
        if other != page
        for link in _LINK.findall(prose(other))
    }
    if page.startswith(("docs/", "CHANGELOG", "bench/")):
        assert page in linked
