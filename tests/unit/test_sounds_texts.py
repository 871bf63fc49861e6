"""Callrouter's own prompts: words and a recording for each, in each language."""

from __future__ import annotations

from pathlib import Path

import pytest

from router import menu
from router.model import Prompt
from router.sounds import SHIPPED
from router.sounds.texts import COUNTS, FALLBACK, HIGHEST_COUNT, NAMES, TEXTS

EVERY = [(language, name) for language in TEXTS for name in NAMES]


def test_there_are_french_and_english() -> None:
    assert set(TEXTS) == {"fr", "en"}
    assert FALLBACK in TEXTS


@pytest.mark.parametrize("language", TEXTS)
def test_every_prompt_and_count_has_its_words(language: str) -> None:
    assert set(TEXTS[language]) == {prompt.value for prompt in Prompt if prompt is not Prompt.BEEP} | set(COUNTS)
    assert all(words.strip() == words and words for words in TEXTS[language].values())
    assert len(set(TEXTS[language].values())) == len(TEXTS[language])


def test_what_the_menu_counts_has_a_recording() -> None:
    assert menu.HIGHEST_COUNT == HIGHEST_COUNT
    assert {f"count-{number}" for number in range(menu.HIGHEST_COUNT + 1)} | {"count-more"} == set(COUNTS)


@pytest.mark.parametrize(("language", "name"), EVERY)
def test_every_recording_is_there_and_of_a_sensible_length(language: str, name: str) -> None:
    seconds = (Path(SHIPPED) / language / f"{name}.ulaw").stat().st_size / 8000
    words = TEXTS[language].get(name, "")
    assert 0.2 <= seconds <= 2 + 0.1 * len(words)


def test_together_they_are_small() -> None:
    files = list(Path(SHIPPED).glob("*/*.ulaw"))
    assert len(files) == len(EVERY)
    assert sum(file.stat().st_size for file in files) < 1_000_000


def test_the_texts_that_decide_name_their_keys() -> None:
    for language, texts in TEXTS.items():
        assert "1" in texts[Prompt.PRESS_1], language
        assert "2" in texts[Prompt.PRESS_1], language
        assert "1" in texts[Prompt.CHALLENGE], language
        assert all(key in texts[Prompt.MENU] for key in menu._ACTIONS), language
