"""Pseudonyms of callers: the same number gives the same one, and nobody without the key can try numbers on
it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from typing import Final

from router.store.schema import WITHHELD

_KEY_BYTES: Final = 32


def key_file(database: str) -> str:
    return f"{database}.key"


def load_key(database: str) -> bytes:
    """The database's key, made the first time: `<database>.key`, mode 0600. Raises OSError.

    A key is linked into place whole, so that two programs that start at once agree on one.
    """
    path = key_file(database)
    try:
        return _read(path)
    except FileNotFoundError:
        pass
    fresh = f"{path}.{os.getpid()}.new"
    descriptor = os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(_KEY_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(fresh, path)
        except FileExistsError:
            return _read(path)
    finally:
        os.unlink(fresh)
    return _read(path)


def _read(path: str) -> bytes:
    with open(path, encoding="ascii") as file:
        text = file.read().strip()
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES:
        raise OSError(f"{path} holds no key of {_KEY_BYTES} bytes in hexadecimal")
    return key


def pseudonym(key: bytes, number: str | None) -> str:
    """`p` and 15 characters (75 bits of HMAC-SHA-256); `withheld` for no number."""
    if number is None:
        return WITHHELD
    digest = hmac.digest(key, number.encode("utf-8", "replace"), hashlib.sha256)
    return "p" + base64.b32hexencode(digest[:10]).decode("ascii")[:15].lower()
