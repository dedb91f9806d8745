"""The bytes of catalogue rows on the wire: blocks of columns, the segment that carries changes, the part of a snapshot.

A decoder takes nothing on trust: lengths are capped before decompression, and every column must be as long as the block says.
Formats: docs/protocol.md. Source of the layout: reference/sync.md §3.4 (columnar JSON under zstd beats row formats).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

from sync.blobs import MAX_BLOB_BYTES
from sync.documents import read_json
from sync.errors import Malformed, TooLarge
from sync.roots import Row, Value

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

SEGMENT_FORMAT = "comptoir-segment/2"
PART_FORMAT = "comptoir-part/1"
MAX_TEXT_BYTES = 64 * 2**20
MAX_WINDOW_LOG = 23
SEGMENT_LEVEL = 19
LARGE_SEGMENT_LEVEL = 9
LARGE_SEGMENT_ROWS = 20_000
"""Beyond this the strongest level costs HQ seconds and saves a few per cent."""
PART_LEVEL = 12


@dataclass(frozen=True, slots=True)
class Block:
    """Rows of one table as columns of equal length; the key is the first column."""

    columns: tuple[str, ...]
    values: list[list[Value]]

    def __len__(self) -> int:
        return len(self.values[0])

    def rows(self) -> list[Row]:
        """Return the rows in the order of the block."""
        return list(zip(*self.values, strict=True))


@dataclass(frozen=True, slots=True)
class TableChange:
    """What one segment does to one table: keys gone, whole rows put, and new values of some columns of rows that exist.

    Each block of `changed` has its own columns; a key stands in one block of the change at most.
    """

    table: str
    deleted: Block | None = None
    put: Block | None = None
    changed: tuple[Block, ...] = ()

    def __len__(self) -> int:
        return sum(len(block) for block in (self.deleted, self.put, *self.changed) if block is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """The change of one channel from version `first - 1` to `last`, absolute: applying it twice ends at the same rows.

    Which log the versions count in is for the index that names the segment to say.
    """

    channel: str
    first: int
    last: int
    pre_root: str
    post_root: str
    tables: tuple[TableChange, ...]

    @property
    def rows(self) -> int:
        """How many rows it touches."""
        return sum(map(len, self.tables))


@dataclass(frozen=True, slots=True)
class SnapshotPart:
    """Some rows of one channel, out of a snapshot."""

    channel: str
    tables: tuple[tuple[str, Block], ...]


def encode_segment(segment: Segment) -> bytes:
    """Return the blob of `segment`; the same segment gives the same bytes."""
    document = {
        "format": SEGMENT_FORMAT,
        "channel": segment.channel,
        "from": segment.first,
        "to": segment.last,
        "pre_root": segment.pre_root,
        "post_root": segment.post_root,
        "tables": [_encode_change(change) for change in segment.tables],
    }
    is_large = segment.rows > LARGE_SEGMENT_ROWS
    return pack(document, LARGE_SEGMENT_LEVEL if is_large else SEGMENT_LEVEL)


def decode_segment(blob: bytes) -> Segment:
    """Read a segment. Raises: Malformed, TooLarge."""
    document = unpack(blob, SEGMENT_FORMAT)
    try:
        return Segment(
            channel=_text(document["channel"]),
            first=_count(document["from"]),
            last=_count(document["to"]),
            pre_root=_text(document["pre_root"]),
            post_root=_text(document["post_root"]),
            tables=tuple(_decode_change(change) for change in document["tables"]),
        )
    except (KeyError, TypeError, ValueError) as problem:
        raise Malformed(f"not a segment: {problem}") from problem


def encode_part(part: SnapshotPart) -> bytes:
    """Return the blob of `part`; the same rows in the same order give the same bytes."""
    tables = [{"table": table, "put": _encode_block(block)} for table, block in part.tables]
    return pack({"format": PART_FORMAT, "channel": part.channel, "tables": tables}, PART_LEVEL)


def decode_part(blob: bytes) -> SnapshotPart:
    """Read a part. Raises: Malformed, TooLarge."""
    document = unpack(blob, PART_FORMAT)
    try:
        tables = tuple((_text(table["table"]), _decode_block(table["put"])) for table in document["tables"])
        return SnapshotPart(_text(document["channel"]), tables)
    except (KeyError, TypeError, ValueError) as problem:
        raise Malformed(f"not a snapshot part: {problem}") from problem


def pack(document: dict[str, Any], level: int) -> bytes:
    """Return `document` as one frame of zstd over compact JSON. Raises: TooLarge."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    blob = zstd.compress(text, level)
    if len(text) > MAX_TEXT_BYTES or len(blob) > MAX_BLOB_BYTES:
        raise TooLarge(f"a blob of {len(blob)} bytes ({len(text)} unpacked) would be refused by every kiosk")
    return blob


def unpack(blob: bytes, expected: str) -> dict[str, Any]:
    """Return the document that `pack` packed, if its format is the `expected` one. Raises: Malformed, TooLarge."""
    if len(blob) > MAX_BLOB_BYTES:
        raise TooLarge(f"blob of {len(blob)} bytes")
    try:
        unpacker = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: MAX_WINDOW_LOG})
        text = unpacker.decompress(blob, MAX_TEXT_BYTES + 1)
        if len(text) > MAX_TEXT_BYTES:
            raise TooLarge("blob unpacks to more than the format allows")
        if not unpacker.eof or unpacker.unused_data:
            raise Malformed("blob is cut short, or something follows it")
    except (zstd.ZstdError, ValueError) as problem:
        raise Malformed(f"unreadable blob: {problem}") from problem
    document = read_json(text)
    if not isinstance(document, dict) or document.get("format") != expected:
        raise Malformed(f"not a {expected}")
    return document


def _encode_change(change: TableChange) -> dict[str, Any]:
    document: dict[str, Any] = {"table": change.table}
    for name, block in (("del", change.deleted), ("put", change.put)):
        if block is not None:
            document[name] = _encode_block(block)
    if change.changed:
        document["set"] = [_encode_block(block) for block in change.changed]
    return document


def _decode_change(document: dict[str, Any]) -> TableChange:
    deleted, put = (_decode_block(document[name]) if name in document else None for name in ("del", "put"))
    changed = tuple(_decode_block(block) for block in document.get("set", ()))
    return TableChange(_text(document["table"]), deleted, put, changed)


def _encode_block(block: Block) -> dict[str, Any]:
    values: list[Sequence[Value]] = []
    deltas = []
    for name, column in zip(block.columns, block.values, strict=True):
        # Ids come in order: their differences are small and compress to half.
        if _never_falls(column):
            deltas.append(name)
            numbers = [value for value in column if isinstance(value, int)]
            values.append([numbers[0], *(after - before for before, after in pairwise(numbers))])
        else:
            values.append(column)
    return {"rows": len(block), "columns": list(block.columns), "deltas": deltas, "values": values}


def _decode_block(document: dict[str, Any]) -> Block:
    rows = _count(document["rows"])
    columns = tuple(_text(name) for name in document["columns"])
    if not rows or not columns or len(document["values"]) != len(columns):
        raise ValueError("a block without rows or with columns missing")
    values = []
    for name, column in zip(columns, document["values"], strict=True):
        if not isinstance(column, list) or len(column) != rows:
            raise ValueError(f"column {name} is not {rows} values long")
        values.append(list(accumulate(column)) if name in document["deltas"] else column)
    return Block(columns, values)


def _never_falls(column: Sequence[Value]) -> bool:
    if set(map(type, column)) != {int}:
        return False
    return all(map(int.__le__, column, column[1:]))  # type: ignore[arg-type]  # every value was just seen to be int


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("text expected")
    return value


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError("count expected")
    return value
