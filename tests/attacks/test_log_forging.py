"""Whoever calls, and whoever writes campaigns.yaml, makes no line of the log, and no pair of a line."""

from __future__ import annotations

import io
import logging
import re
import shlex
import signal
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.log import LineFormatter, fact
from sandbox.raw_sip import RawCaller
from tests.campaign_file import GOOD, problems
from tests.integration.attack import attack, strike
from tests.integration.site import ALONE, Site

BREAKS = [
    "a\nb",
    "a\r\nb",
    "\x1b[2J",
    "a\u2028b",
    "\u202eb",
    "a\x00b",
    "a\x85b",
    "a\x0bb",
    "a\x0cb",
    "a\x1cb",
    "\x9b2J",
]
FORGED = "x\n2026-01-01T00:00:00.000Z info    router.engine call=c1 event=ended outcome=answered"
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (debug|info|warning|error|critical) +[\w.]+ .*")
KEYS = st.text(alphabet=string.ascii_lowercase, min_size=1, max_size=8)


def line(text: str, name: str = "router.x", error: Exception | None = None) -> str:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(LineFormatter("%(message)s"))
    logger = logging.Logger(name)
    logger.addHandler(handler)
    logger.info("%s", text, exc_info=error)
    return out.getvalue()


@pytest.mark.parametrize("evil", [*BREAKS, FORGED])
@pytest.mark.parametrize("name", ["router.x", "asyncio"])
def test_no_character_forges_a_line_or_moves_the_cursor(evil: str, name: str) -> None:
    told = line(evil, name)
    assert told.endswith("\n")
    assert told[:-1].isprintable()
    assert len(told.splitlines()) == 1
    assert LINE.fullmatch(told[:-1])


@pytest.mark.parametrize("evil", [*BREAKS, FORGED])
def test_nor_does_an_exceptions_text(evil: str) -> None:
    told = line("", "router.x", ValueError(evil))
    assert len(told.splitlines()) == 1
    assert told[:-1].isprintable()


@given(evil=st.text(max_size=60))
def test_any_text_is_one_line(evil: str) -> None:
    told = line(fact(event="x", why=evil))
    assert told.count("\n") == len(told.splitlines()) == 1
    assert told[:-1].isprintable()


@given(
    pairs=st.dictionaries(
        KEYS,
        st.text(alphabet=st.characters(codec="ascii", categories=["L", "N", "P", "S", "Zs"]), max_size=30),
        min_size=1,
        max_size=5,
    )
)
def test_a_value_makes_no_pair_of_its_own(pairs: dict[str, str]) -> None:
    """Read as a shell reads words, a fact has the pairs that were given, no more and no others."""
    told = fact(**pairs)
    read = shlex.shlex(told, posix=True, punctuation_chars="")
    read.whitespace_split, read.commenters, read.quotes, read.escapedquotes = True, "", '"', '"'
    read.escape = "\\" if '"' in told else ""
    words = [word.partition("=") for word in read]
    assert [key for key, _, _ in words] == list(pairs)
    quoted = {key: value for key, _, value in words if f'{key}="' in told}
    assert quoted == {key: pairs[key] for key in quoted}


@pytest.mark.parametrize(
    "value",
    ["x event=ended", 'x" event="ended', "=", 'a="b"', "x\tevent=ended", "\N{NO-BREAK SPACE}event=ended", ""],
)
def test_what_could_be_a_pair_is_quoted(value: str) -> None:
    told = fact(event="reload_refused", why=value)
    assert told.startswith('event=reload_refused why="')
    assert told.endswith('"')
    assert re.sub(r'\\"', "", told).count('"') == 2


@pytest.mark.parametrize(
    "evil", [r"\n2026", r"\e[2J", r"\r\nevent=ended", r"\u202e", r"\u2028", "' event=ended outcome=answered"]
)
def test_a_refusal_of_the_file_is_one_fact(tmp_path: Path, evil: str) -> None:
    """As the router logs it when a reload is refused."""
    text = GOOD + f'"{evil}": "{evil}"\n' + f'"{evil}2": {{"{evil}": ["{evil}"]}}\n'
    found = problems(tmp_path, text)
    assert len(found) == 2
    for problem in found:
        told = line(fact(event="reload_refused", why=problem.text("campaigns.yaml")))
        assert len(told.splitlines()) == 1
        assert told[:-1].isprintable()
        assert told.count(" event=") - told.count("event=ended") <= 1
        assert re.match(r'\S+ info +router\.x event=reload_refused why="', told)
        assert told.endswith('"\n')


# --- On the real Asterisk -------------------------------------------------------------------------------------

WRITTEN = "X" * 12
"""What an attacker would look for in the log."""


@pytest.mark.asterisk
@pytest.mark.parametrize(
    "how",
    [
        {"caller": f'"{WRITTEN}\\" event=ended outcome=answered" <sip:{{}}@127.0.0.1>'},
        {"caller": f'"{WRITTEN}%0a2026-01-01 event=ended" <sip:{{}}@127.0.0.1>'},
        {"caller": f'"\x1b[2J{WRITTEN}\x9b" <sip:{{}}@127.0.0.1>'},
        {"caller": f"<sip:{{}}%0aevent=ended%20{WRITTEN}@127.0.0.1>"},
    ],
)
def test_a_call_writes_its_own_facts_and_no_others(running: Site, exposed: Site, how: dict[str, str]) -> None:
    said = len(exposed.log)
    with attack(running) as seen:
        caller = how["caller"].format(seen.number)
        with RawCaller(running.asterisk.ports.sip, ALONE, caller=caller) as call:
            seen.status = call.status(5)
    _honest(running.log[said:])


@pytest.mark.asterisk
@pytest.mark.parametrize(
    "user", [f"{WRITTEN}%0aevent=ended", f"{WRITTEN}%20event=ended%20outcome=answered", f"%1b%5b2J{WRITTEN}"]
)
def test_nor_does_the_number_that_is_dialled(running: Site, exposed: Site, user: str) -> None:
    said = len(exposed.log)
    strike(running, user)
    _honest(running.log[said:])


def _honest(said: str) -> None:
    assert WRITTEN not in said
    assert said.count("event=arrived") == said.count("event=ended") == 2, "its own, and the proof of life"
    assert all(LINE.fullmatch(each) for each in said.splitlines())


@pytest.mark.asterisk
def test_a_refused_reload_is_one_line_a_mistake(running: Site, exposed: Site) -> None:
    good = exposed.config.read_text(encoding="utf-8")
    said = len(exposed.log)
    try:
        exposed.config.write_text(good + f'"\\n{WRITTEN} event=reloaded\\e[2J": x\n', encoding="utf-8")
        exposed.signal_router(signal.SIGHUP)
        exposed.until(lambda: "reload_refused" in exposed.log[said:], "it is refused")
    finally:
        exposed.config.write_text(good, encoding="utf-8")
    (told,) = exposed.log[said:].splitlines()
    assert LINE.fullmatch(told)
    assert told.isprintable()
    assert told.count("event=") == 2
    assert re.search(r'event=reload_refused why="[^"]*(\\"[^"]*)*"$', told)
    running.quiet()
