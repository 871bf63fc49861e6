"""Makes the recordings that come with Callrouter anew: `python -m sandbox.make_sounds`, when router/sounds/texts.py
has changed.

The shipped ones were spoken by SVOX Pico (Debian: libttspico-utils). Any other program does:
`python -m sandbox.make_sounds "espeak-ng -v {language} -w {file} {text}"`.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Final

from router.model import Prompt
from router.sounds import SHIPPED, speech, wav
from router.sounds.texts import TEXTS

VOICES: Final = {"en": "en-GB", "fr": "fr-FR"}
KIND: Final = ".ulaw"
PICO: Final = "pico2wave -l {language} -w {file} {text}"


def make(folder: Path, command: tuple[str, ...], voices: dict[str, str]) -> int:
    """Every recording in every language, below `folder`; how many bytes they are together."""
    for language, texts in TEXTS.items():
        place = folder / language
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{Prompt.BEEP}{KIND}").write_bytes(wav.as_ulaw(wav.beep()))
        for name, words in texts.items():
            target = place / f"{name}{KIND}"
            speech.speak(command, voices.get(language, language), words, str(target))
            target.chmod(0o644)
    return sum(file.stat().st_size for file in folder.glob(f"*/*{KIND}"))


def main() -> None:
    given = sys.argv[1] if len(sys.argv) > 1 else PICO
    try:
        size = make(Path(SHIPPED), tuple(shlex.split(given)), VOICES if given == PICO else {})
    except (speech.Unspoken, OSError) as error:
        sys.exit(str(error))
    print(f"{SHIPPED}: {size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
