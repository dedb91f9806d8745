"""The root of a channel: one hash over the set of its rows, in any order, kept up to date row by row.

AdHash: every row is hashed to 2,048 bits and the numbers are added modulo 2^2048, so adding and removing a row are one addition.
The root finds bugs and rot; who wrote the rows is for signatures to say.
Source: reference/sync.md §3.7; Bellare and Micciancio 1997.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from hashlib import blake2b, shake_128

Value = int | str | None
Row = Sequence[Value]

STATE_BYTES = 256
MODULUS = 1 << (8 * STATE_BYTES)
BATCH_ROWS = 2_000
KINDS = frozenset({int, str, type(None)})

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def canonical_rows(table: str, rows: Sequence[Row]) -> list[bytes]:
    """Return each row as the compact JSON array `["table",v1,v2,…]` in UTF-8: what is hashed.

    Raises: ValueError for a value that is no integer, text or null (a boolean and a float are neither).
    """
    if not rows:
        return []
    kinds = set().union(*(map(type, column) for column in zip(*rows, strict=True)))
    if not kinds <= KINDS:
        raise ValueError(f"{table}: only integers, texts and nulls can be hashed")
    head = _encode([table])[:-1] + ","
    # One call of the encoder for many rows is twice as fast; a text that holds the separator shows in the count.
    pieces = _encode(rows)[2:-2].split("],[")
    if len(pieces) != len(rows):
        pieces = [_encode(row)[1:-1] for row in rows]
    return [f"{head}{piece}]".encode() for piece in pieces]


def schema_text(tables: Iterable[tuple[str, Sequence[str]]]) -> bytes:
    """Return the names a root is bound to: `[["table",["column",…]],…]` of a channel, as compact JSON."""
    return _encode([[name, list(columns)] for name, columns in tables]).encode()


class RootState:
    """The running sum and the number of rows of one channel."""

    __slots__ = ("rows", "value")

    def __init__(self, value: int = 0, rows: int = 0) -> None:
        self.value = value
        self.rows = rows

    @classmethod
    def from_bytes(cls, state: bytes, rows: int) -> RootState:
        """Read what `to_bytes` wrote."""
        return cls(int.from_bytes(state, "big"), rows)

    def to_bytes(self) -> bytes:
        """Return the sum as 256 bytes, most significant first."""
        return self.value.to_bytes(STATE_BYTES, "big")

    def add(self, table: str, rows: Sequence[Row]) -> None:
        """Count `rows` in. The same row twice counts twice."""
        self.value = (self.value + _sum(table, rows)) % MODULUS
        self.rows += len(rows)

    def remove(self, table: str, rows: Sequence[Row]) -> None:
        """Take `rows` out again."""
        self.value = (self.value - _sum(table, rows)) % MODULUS
        self.rows -= len(rows)

    def merge(self, other: RootState) -> None:
        """Count in everything `other` holds: the sum over two disjoint sets of rows."""
        self.value = (self.value + other.value) % MODULUS
        self.rows += other.rows

    def copy(self) -> RootState:
        """Return an independent state of the same rows."""
        return RootState(self.value, self.rows)

    def root(self, schema: bytes) -> str:
        """Return the root: hex of BLAKE2b-256 over state, row count (8 bytes, most significant first) and `schema`."""
        return blake2b(self.to_bytes() + self.rows.to_bytes(8, "big") + schema, digest_size=32).hexdigest()


def _sum(table: str, rows: Sequence[Row]) -> int:
    total = 0
    from_bytes = int.from_bytes
    for start in range(0, len(rows), BATCH_ROWS):
        for row in canonical_rows(table, rows[start : start + BATCH_ROWS]):
            total += from_bytes(shake_128(row).digest(STATE_BYTES), "big")
    return total
