"""Who is signed in at the sellers' desk, and what a role reaches: asked for by every page behind the guard."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from flask import g

from marketplace.sellers.people import Person
from pos.errors import PosError

P = ParamSpec("P")
R = TypeVar("R")


class NotAllowed(PosError):
    """The person's role does not reach that far; `data["role"]` is the one it takes."""

    status = 403


def signed_in_seller() -> Person:
    """Return who is signed in at the desk, on a page behind the guard."""
    person: Person = g.desk_person
    return person


def desk_role(role: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return the decorator of a page that takes this role or a higher one. Its page raises: NotAllowed."""

    def guarded(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def answer(*arguments: P.args, **values: P.kwargs) -> R:
            if not signed_in_seller().may(role):
                raise NotAllowed("this takes another role", role=role)
            return view(*arguments, **values)

        return answer

    return guarded
