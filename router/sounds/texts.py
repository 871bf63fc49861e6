"""The words of every recording that comes with Callrouter, in each of its languages. Pure.

The menu says a count such as `count-3`, and Prompt.CALLBACKS_OPEN behind it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from router.model import Prompt

HIGHEST_COUNT: Final = 20
MORE: Final = "count-more"
"""More than can be counted."""

COUNTS: Final = (*(f"count-{number}" for number in range(HIGHEST_COUNT + 1)), MORE)

_FR: Final = {
    Prompt.PRESS_1: "Appuyez sur 1 pour prendre l'appel, sur 2 pour le refuser.",
    Prompt.NEW_CALLER: "Nouveau contact.",
    Prompt.REPEAT_CALLER: "Ce contact a déjà appelé.",
    Prompt.OWED_CALLBACK: "Ce contact attend un rappel.",
    Prompt.TAKEN: "L'appel est déjà pris. Merci.",
    Prompt.CALLER_GONE: "L'appelant a raccroché. Merci.",
    Prompt.CHALLENGE: "Bonjour. Pour être mis en relation, appuyez sur 1.",
    Prompt.ENTER_PIN: "Bonjour. Composez votre code, puis dièse.",
    Prompt.WRONG_PIN: "Ce code n'est pas le bon.",
    Prompt.NO_MENU: "Aucun code n'est enregistré pour ce téléphone. Au revoir.",
    Prompt.AVAILABLE: "Vous recevez les appels.",
    Prompt.PAUSED: "Vous êtes en pause.",
    Prompt.MENU: "Pour vous mettre en pause, tapez 1. Pour reprendre les appels, tapez 2. "
    "Pour connaître les rappels en attente, tapez 3. Pour terminer, tapez 9.",
    Prompt.NO_CALLBACKS: "Aucun rappel n'est en attente.",
    Prompt.CALLBACKS_OPEN: "rappels en attente.",
    Prompt.GOODBYE: "Au revoir.",
}
_EN: Final = {
    Prompt.PRESS_1: "Press 1 to take the call, 2 to decline.",
    Prompt.NEW_CALLER: "New caller.",
    Prompt.REPEAT_CALLER: "This caller has called before.",
    Prompt.OWED_CALLBACK: "This caller is waiting for a call back.",
    Prompt.TAKEN: "The call has already been taken. Thank you.",
    Prompt.CALLER_GONE: "The caller has hung up. Thank you.",
    Prompt.CHALLENGE: "Hello. To be connected, please press 1.",
    Prompt.ENTER_PIN: "Hello. Please enter your code, then press the hash key.",
    Prompt.WRONG_PIN: "That code is not right.",
    Prompt.NO_MENU: "There is no code for this telephone. Goodbye.",
    Prompt.AVAILABLE: "You are receiving calls.",
    Prompt.PAUSED: "You are on a break.",
    Prompt.MENU: "To take a break, press 1. To receive calls again, press 2. "
    "To hear how many callbacks are open, press 3. To finish, press 9.",
    Prompt.NO_CALLBACKS: "No callback is open.",
    Prompt.CALLBACKS_OPEN: "callbacks open.",
    Prompt.GOODBYE: "Goodbye.",
}
_FR_NUMBERS: Final = (
    "Zéro", "Un", "Deux", "Trois", "Quatre", "Cinq", "Six", "Sept", "Huit", "Neuf", "Dix", "Onze", "Douze",
    "Treize", "Quatorze", "Quinze", "Seize", "Dix-sept", "Dix-huit", "Dix-neuf", "Vingt", "Plus de vingt",
)  # fmt: skip
_EN_NUMBERS: Final = (
    "Zero", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten", "Eleven", "Twelve",
    "Thirteen", "Fourteen", "Fifteen", "Sixteen", "Seventeen", "Eighteen", "Nineteen", "Twenty", "More than twenty",
)  # fmt: skip


def _all(prompts: Mapping[Prompt, str], numbers: tuple[str, ...]) -> Mapping[str, str]:
    counts = dict(zip(COUNTS, numbers, strict=True))
    return MappingProxyType({prompt.value: words for prompt, words in prompts.items()} | counts)


TEXTS: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {"en": _all(_EN, _EN_NUMBERS), "fr": _all(_FR, _FR_NUMBERS)}
)
"""Language -> name of the recording -> its words. Prompt.BEEP has none."""

FALLBACK: Final = "en"
"""What is heard where a language has no recording."""
NAMES: Final = (Prompt.BEEP.value, *TEXTS[FALLBACK])
