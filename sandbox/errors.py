"""What can go wrong in the sandbox, said on one line."""

from __future__ import annotations


class SandboxError(Exception):
    """An expected failure of the sandbox: its text says what is wrong and, where there is one, what to type."""
