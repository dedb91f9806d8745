"""What the next publication must look at: each change of a published row leaves a mark in the transaction that makes it."""

from __future__ import annotations

from sqlalchemy import Connection

from sync.hq.log import mark_dirty

MOST_KEYS = 20_000
"""Beyond this many rows of one table the publisher reads the whole table faster than it looks rows up."""


class Marks:
    """Collects marks by market and table, so that many are written in few statements."""

    def __init__(self) -> None:
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
            mark_dirty(connection, market, table, None if len(keys) > MOST_KEYS else keys)
        self._keys.clear()
