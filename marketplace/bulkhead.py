"""A few places for one kind of request in this process, so that a flood of it cannot take the threads of all others.

Invariant: what finds no place is refused at once, with a wait that differs from one refusal to the next, so that those who
were refused together do not come back together.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pos.errors import Unavailable

WAIT_S = 2.0
SOONEST_S, LATEST_S = 5, 30


class Overloaded(Unavailable):
    """More requests of this kind than there are places for; nothing was done. `data` carries `retry_after_s`."""


class Bulkhead:
    """`inside` requests at once, `waiting` more for a moment; none while `is_shut` says so."""

    def __init__(self, *, inside: int, waiting: int, is_shut: Callable[[], bool] = lambda: False) -> None:
        self._door = threading.Semaphore(inside + waiting)
        self._places = threading.Semaphore(inside)
        self._is_shut = is_shut

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """Hold a place during the block. Raises: Overloaded."""
        if not self._door.acquire(blocking=False):
            raise Overloaded("too many at once", retry_after_s=spread_s())
        try:
            if self._is_shut() or not self._places.acquire(timeout=WAIT_S):
                raise Overloaded("too much is still to be worked off", retry_after_s=spread_s())
            try:
                yield
            finally:
                self._places.release()
        finally:
            self._door.release()


def spread_s() -> int:
    """Return after how many seconds somebody who was refused may come again."""
    return random.randint(SOONEST_S, LATEST_S)  # noqa: S311 - spreads the fleet, not a secret
