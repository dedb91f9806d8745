"""Records of whole numbers that travel as JSON: read with every field and no other, and nothing but whole numbers in them.

Invariant: what `from_facts` accepts, `to_facts` writes again to the byte. Facts come from devices, so nothing is taken on trust.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import cache
from typing import Any, ClassVar, Self

from pos.errors import Invalid

MOST_MONTHS = 120
"""Longest duration accepted in terms: a hostile one must not make us count for ever."""


class Figures:
    """A dataclass of whole numbers; `_may_be_none` names the fields that may be absent."""

    __slots__ = ()
    _may_be_none: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Self:
        """Read the JSON object that `to_facts` of the class made: every field and no other. Raises: Invalid."""
        if not isinstance(facts, Mapping) or set(facts) != set(names_of(cls)):
            raise Invalid(f"not the facts of {cls.__name__}")
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in facts.items()})

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> Self:
        """Read the figures among the other fields of a published row. Raises: Invalid."""
        missing = [name for name in names_of(cls) if name not in body]
        if missing:
            raise Invalid(f"missing {', '.join(missing)}")
        return cls(**{name: body[name] for name in names_of(cls)})

    def check_numbers(self, *names: str) -> None:
        """Check that these fields are whole numbers of zero or more, or absent where they may be. Raises: Invalid."""
        for name in names:
            value = getattr(self, name)
            if value is not None or name not in self._may_be_none:
                check_whole(name, value)


def names_of(kind: type) -> tuple[str, ...]:
    """Return the names of a dataclass's fields, in their order."""
    return _names(kind)


def as_json(figures: Figures) -> Any:
    """Return the JSON object of a record, its fields in their order; each class says in `to_facts` what that is."""
    values = ((name, getattr(figures, name)) for name in names_of(type(figures)))
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values}


def list_of(name: str, value: Any) -> Sequence[Any]:
    """Return a value that must be a list. Raises: Invalid."""
    if not isinstance(value, list | tuple):
        raise Invalid(f"{name} is not a list")
    return value


def check_whole(name: str, value: Any) -> None:
    """Check that a value is a whole number of zero or more, months at most `MOST_MONTHS`. Raises: Invalid."""
    # JSON true is an int to Python, and 1.0 equals 1: neither is an amount.
    if type(value) is not int or value < 0:
        raise Invalid(f"{name} is not a whole number of zero or more")
    if name.endswith("_months") and value > MOST_MONTHS:
        raise Invalid(f"{name} is at most {MOST_MONTHS}")


@cache
def _names(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))
