"""What the next publication must look at: each change of a published row leaves a mark in the transaction that makes it."""

from __future__ import annotations

from sqlalchemy import Connection

from sync.hq.log import HQ, mark_dirty

MOST_KEYS = 20_000
"""Beyond this many rows of one table the publisher reads the whole table faster than it looks rows up."""


class Marks:
    """Collects marks by market and table, so that many are written in few statements.

    Their `origin` is HQ's, or SUPPLY for what sellers, orders and timers change (`sync.hq.log`).
    """

    def __init__(self, origin: str = HQ) -> None:
        self._origin = origin
        self._keys: dict[tuple[str, str], list[int | str]] = {}

    def add(self, market: str, table: str, key: int | str) -> None:
        """Note that a row changed, appeared or went."""
        self._keys.setdefault((market, table), []).append(key)

    def count(self) -> int:
        """Return how many marks were collected."""
        return sum(len(keys) for keys in self._keys.values())

    def write(self, connection: Connection) -> None:
        """Write the marks in the caller's transaction and start afresh."""
        for (market, table), keys in self._keys.items():
            # A whole table would take HQ's edits along with what goes by itself.
            is_whole = len(keys) > MOST_KEYS and self._origin == HQ
            mark_dirty(connection, market, table, None if is_whole else keys, origin=self._origin)
        self._keys.clear()
