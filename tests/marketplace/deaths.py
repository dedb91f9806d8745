"""A process that ends at any statement, for the tests of what it leaves behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, event


class Killed(BaseException):
    """The process ends here."""


@contextmanager
def killed_at(engine: Engine, number: int) -> Iterator[list[int]]:
    """End everything at the statement or commit of this number; the list counts them."""
    count = [0]

    def kill(*_: object) -> None:
        count[0] += 1
        if count[0] == number:
            raise Killed

    names = ("before_cursor_execute", "commit")
    for name in names:
        event.listen(engine, name, kill)
    try:
        yield count
    finally:
        for name in names:
            event.remove(engine, name, kill)


def killed_everywhere(engine: Engine, act: Callable[[], object], look: Callable[[], object]) -> int:
    """Do something again and again, each time killed a statement later, until it is done whole; look after each death.

    Return how many deaths that took.
    """
    number, is_whole = 0, False
    while not is_whole:
        number += 1
        with killed_at(engine, number) as count:
            try:
                act()
                is_whole = count[0] < number
            except Killed:
                pass
        look()
    return number - 1
