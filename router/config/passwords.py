"""Where a password comes from: the environment, else a file that only its owner may read. Never the YAML."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

from pydantic_core import PydanticCustomError

from router.config.refusal import refuse
from router.config.source import NotPlain, plain_file
from router.model import Secret

LONGEST: Final = 1024
"""Bytes of a password file."""


def password(variable: str, name: str | None, folder: str, environ: Mapping[str, str]) -> Secret:
    """The environment's `variable`, else the only line of the file `name` (relative to `folder`).

    Raises the refusal; no message shows what the file holds.
    """
    if variable in environ:
        return Secret(_line(environ[variable], variable, f"set {variable} to the password, or unset it"))
    if name is None:
        file = "secrets/" + variable.split("_")[1].lower()
        raise refuse("is missing", f"write password_file: {file}, or set {variable}")
    path = os.path.join(folder, os.path.expanduser(name))
    return Secret(_line(_content(name, path, variable), name, f"write the password into {name}, on one line"))


def _content(name: str, path: str, variable: str) -> str:
    mend = f"create it readable by its owner alone (install -m 600 /dev/stdin {name}), or set {variable}"
    data = private_text(name, path, LONGEST, mend)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise refuse(f"{name} is not UTF-8 text", "write the password into it, on one line") from None


def private_text(name: str, path: str, longest: int, mend: str) -> bytes:
    """The first `longest` bytes and one of a file that only its owner may read.

    Raises the refusal; `mend` says how to make the file where there is none.
    """
    if not path.isprintable():
        raise refuse(f"{name} is no file name", "write the name of a file")
    try:
        with plain_file(path) as (file, mode):
            if mode & 0o077:
                raise refuse(f"{name} may be read by others (mode {mode:03o})", f"chmod 600 {name}")
            return file.read(longest + 1)
    except FileNotFoundError:
        raise refuse(f"there is no file {name}", mend) from None
    except NotPlain:
        raise refuse(f"{name} is no plain file", "name a file that holds nothing else") from None
    except OSError as error:
        raise refuse(f"{name} cannot be read ({error.strerror})", f"let its owner run this; {mend}") from None


def _line(text: str, name: str, mend: str) -> str:
    line = text.removesuffix("\n").removesuffix("\r")
    wrong: PydanticCustomError | None = None
    if not line:
        wrong = refuse(f"{name} is empty", mend)
    elif len(text) > LONGEST or not line.isprintable():
        wrong = refuse(f"{name} holds more than one line of text", mend)
    if wrong:
        raise wrong
    return line
