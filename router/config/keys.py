"""What the sections of campaigns.yaml have in common, and the checks that several of their keys share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sized
from typing import TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidatorFunctionWrapHandler, WrapValidator

from router.config.fields import NONE
from router.config.refusal import kind, refuse
from router.config.source import Items, Map, Text

Filled = TypeVar("Filled", bound=Sized)
Section = TypeVar("Section", bound="Keys")


class Keys(BaseModel):
    """Every section: unknown keys are refused, `refusal.py` names the nearest."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=False)


def keys_of(model: type[BaseModel]) -> tuple[str, ...]:
    """The keys as they are written in the file."""
    return tuple(field.alias or name for name, field in model.model_fields.items())


def filled(value: Filled) -> Filled:
    if not value:
        raise refuse("is empty", "write at least one")
    return value


def each_once(value: tuple[str, ...]) -> tuple[str, ...]:
    for one, times in Counter(value).items():
        if times > 1:
            raise refuse(f"names {one} {times} times", "name each once")
    return filled(value)


def at_most(most: int, what: str) -> BeforeValidator:
    """Refuses a list of more than `most` of `what`, before any of them is looked at."""

    def check(value: object) -> object:
        if isinstance(value, Items) and len(value) > most:
            raise refuse(f"has {len(value)} {what}", f"write at most {most}")
        return value

    return BeforeValidator(check)


def or_none(nothing: Keys, mend: str) -> WrapValidator:
    """Reads `none` as `nothing`, this very object, and a mapping as the section it is."""

    def read(value: object, section: ValidatorFunctionWrapHandler) -> object:
        if isinstance(value, Map):
            return section(value)
        if isinstance(value, Text) and value == NONE:
            return nothing
        raise refuse(kind(value), mend)

    return WrapValidator(read)


def chosen(own: Section | None, defaults: Section | None, nothing: Section) -> Section | None:
    """A campaign's section as a whole, else that of the defaults; None where it is switched off or missing."""
    found = own if own is not None else defaults
    return None if found is nothing else found
