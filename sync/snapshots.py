"""A snapshot: all rows of one channel at one version, as parts that are fetched, checked and loaded one by one.

A manifest names the parts; it is a blob itself, so that a head stays small. A part is as large as a kiosk's memory allows, since
each costs a fetch: 432,000 values or 2 MB of text, no more than 50,000 rows, and small tables together.
Format: docs/protocol.md §5.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlite_utils import Database

from pos.catalog import Table
from sync.blobs import BlobRef
from sync.changes import insert_rows
from sync.channels import select_all, tables_of
from sync.documents import read_json
from sync.errors import Malformed
from sync.roots import Row
from sync.segments import Block, SnapshotPart, encode_part

FORMAT = "comptoir-snapshot/1"
PART_ROWS = 50_000
PART_VALUES = 432_000
PART_CHARACTERS = 2_000_000
FETCH_ROWS = 2_000
MAX_PARTS = 1_000


@dataclass(frozen=True, slots=True)
class Manifest:
    """The parts of one channel at one version."""

    channel: str
    version: int
    rows: int
    parts: tuple[BlobRef, ...]

    @property
    def length(self) -> int:
        """Bytes of all parts."""
        return sum(part.length for part in self.parts)


def encode_manifest(manifest: Manifest) -> bytes:
    """Return the blob of `manifest`."""
    document = {
        "format": FORMAT,
        "channel": manifest.channel,
        "version": manifest.version,
        "rows": manifest.rows,
        "parts": [part.to_json() for part in manifest.parts],
    }
    return json.dumps(document, separators=(",", ":")).encode()


def decode_manifest(blob: bytes) -> Manifest:
    """Read a manifest. Raises: Malformed."""
    try:
        document: dict[str, Any] = read_json(blob)
        if document["format"] != FORMAT or len(document["parts"]) > MAX_PARTS:
            raise ValueError("another format, or too many parts")
        parts = tuple(BlobRef.read(part) for part in document["parts"])
        return Manifest(str(document["channel"]), int(document["version"]), int(document["rows"]), parts)
    except (KeyError, TypeError, ValueError) as problem:
        raise Malformed(f"not a snapshot manifest: {problem}") from problem


def write_snapshot(database: Database, channel: str, *, version: int, store: Callable[[bytes], BlobRef]) -> Manifest:
    """Write all rows of `channel` as parts through `store`, and return their manifest."""
    parts: list[BlobRef] = []
    waiting: list[tuple[str, Block]] = []
    rows, filled = 0, 0.0

    def write_part() -> None:
        parts.append(store(encode_part(SnapshotPart(channel, tuple(waiting)))))
        waiting.clear()

    for table in tables_of(channel):
        for some, share in _portions(database, table):
            if waiting and filled + share > 1:
                write_part()
                filled = 0.0
            waiting.append((table.name, Block(table.columns, [list(column) for column in zip(*some, strict=True)])))
            rows, filled = rows + len(some), filled + share
    if waiting:
        write_part()
    return Manifest(channel, version, rows, tuple(parts))


def load_part(database: Database, part: SnapshotPart) -> int:
    """Insert the rows of `part` into an empty catalogue and return how many. Raises: Malformed."""
    tables = {table.name: table for table in tables_of(part.channel)}
    rows = 0
    for name, block in part.tables:
        if name not in tables or tables[name].columns != block.columns:
            raise Malformed(f"a part of {part.channel} holds {name} {block.columns}")
        insert_rows(database, tables[name], zip(*block.values, strict=True))
        rows += len(block)
    return rows


def _portions(database: Database, table: Table) -> Iterator[tuple[list[Row], float]]:
    """Yield the rows of a table in portions that fit into a part, each with the share of a part that it fills."""
    most = min(PART_ROWS, PART_VALUES // len(table.columns))
    rows: list[Row] = []
    characters = 0
    cursor = database.execute(select_all(table))
    while some := cursor.fetchmany(FETCH_ROWS):
        rows += some
        characters += sum(len(value) for row in some for value in row if isinstance(value, str))
        if len(rows) + FETCH_ROWS > most or characters > PART_CHARACTERS:
            yield rows, 1.0
            rows, characters = [], 0
    if rows:
        yield rows, max(len(rows) / most, characters / PART_CHARACTERS)
