"""The PINs of the menu on a salesperson's own line: a file of their own, that only its owner may read.

No message shows a PIN, nor a key that names nobody: it could be one, written on the wrong side.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Final

from router.config.passwords import private_text
from router.config.refusal import refuse
from router.config.source import Map, Text, Unreadable, decode, read_tree
from router.config.traps import misread
from router.model import Secret

LONGEST: Final = 65_536
"""Bytes of the file: 1,000 people need 20,000."""

_PIN = re.compile(r"[0-9]{4,8}", re.ASCII)


def pins(name: str, folder: str, people: Collection[str]) -> Mapping[str, Secret]:
    """Salesperson -> PIN. Raises the refusal with the first mistakes."""
    mend = f'write {name} as lines such as alice: "4711", and chmod 600 it'
    path = os.path.join(folder, os.path.expanduser(name))
    data = private_text(name, path, LONGEST, mend)
    if len(data) > LONGEST:
        raise refuse(f"{name} is larger than {LONGEST} bytes", mend)
    if not data.strip():
        raise refuse(f"{name} is empty", mend)
    try:
        root, problems = read_tree(decode(data))
    except Unreadable as error:
        line = f" (line {error.problem.line})" if error.problem.line else ""
        raise refuse(f"{name} is not YAML of the form alice: PIN{line}", mend) from None
    wrong = [f"line {one.line} has a tag or a key for the second time" for one in problems]
    wrong += list(_mistakes(root, people))
    if wrong:
        raise refuse(f"{name}: {'; '.join(wrong[:5])}", 'write each line as alice: "4711", 4 to 8 digits in quotes')
    return {str(person): Secret(str(pin)) for person, pin in root.items()}


def _mistakes(root: Map, people: Collection[str]) -> Iterator[str]:
    for person, pin in root.items():
        line = person.line if isinstance(person, Text) else pin.line
        if person not in people:
            yield f"line {line} names nobody of salespeople"
        elif not isinstance(pin, Text) or not _PIN.fullmatch(pin):
            yield f"line {line} has no PIN of 4 to 8 digits for {person}"
        elif misread(pin):
            yield f"line {line}: YAML reads another number than the PIN of {person}, as it has no quotes"
