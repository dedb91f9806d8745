"""Levels: segments of a log merged by time, so that a kiosk that was away for days needs a few dozen fetches, not thousands.

A publication writes a segment of level 0; what belongs to a finished span of 10 minutes, an hour, 6 hours, a day is merged into
one of the next level, coalesced to the last row of each key. Published blobs are never touched: an index merely stops naming
them. Rows are absolute, so a merged segment fits any version inside it. Source: reference/sync.md §3.5.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Any

from sync.blobs import BlobRef
from sync.channels import tables_of
from sync.indexes import SegmentRef
from sync.roots import Row, Value
from sync.segments import Block, Segment, TableChange, encode_segment

SPANS_S = (600, 3_600, 21_600, 86_400)
RETENTION_S = 14 * 86_400
"""An index names no segment that is older: a kiosk away for longer takes a snapshot."""
MAX_MERGED_ROWS = 400_000

Change = tuple[str, Any]
"""What became of a row: ("del", None), ("put", the row), ("set", its new values by column)."""


def compact(
    segments: Sequence[SegmentRef],
    *,
    now_s: int,
    load: Callable[[BlobRef], Segment],
    store: Callable[[bytes], BlobRef],
) -> tuple[SegmentRef, ...]:
    """Return the segments an index names from now on: finished spans merged, those a merged one covers left out after a while.

    `load` reads a segment's blob, `store` writes one. A covered segment is named for two more spans of the next level, for kiosks
    that are a little behind (docs/protocol.md §5).
    """
    kept = sorted(segments, key=_order)
    for level, span_s in enumerate(SPANS_S):
        covered = max((ref.last for ref in kept if ref.level > level), default=0)
        waiting = [ref for ref in kept if ref.level == level and ref.last > covered and ref.at // span_s < now_s // span_s]
        for _, group in groupby(waiting, key=lambda ref: ref.at // span_s):
            kept.extend(_merged(list(group), level + 1, load, store))
    return tuple(sorted((ref for ref in kept if _is_kept(ref, kept, now_s)), key=_order))


def merge(segments: Sequence[Segment]) -> Segment:
    """Return one segment that does what `segments`, each beginning where the one before ends, do in turn."""
    columns = {table.name: table.columns for table in tables_of(segments[0].channel)}
    tables: dict[str, dict[Value, Change]] = {}
    for segment in segments:
        for change in segment.tables:
            rows = tables.setdefault(change.table, {})
            for key, after in _changes(change):
                rows[key] = _after(rows.get(key), after, columns[change.table])
    return Segment(
        channel=segments[0].channel,
        first=segments[0].first,
        last=segments[-1].last,
        pre_root=segments[0].pre_root,
        post_root=segments[-1].post_root,
        tables=tuple(_table_change(name, rows, columns[name]) for name, rows in tables.items() if rows),
    )


def keys_of(segments: Iterable[Segment]) -> dict[str, set[Value]]:
    """Return the keys that any of `segments` touches, by table."""
    keys: dict[str, set[Value]] = {}
    for segment in segments:
        for change in segment.tables:
            for block in (change.deleted, change.put, *change.changed):
                if block is not None:
                    keys.setdefault(change.table, set()).update(block.values[0])
    return keys


def _order(ref: SegmentRef) -> tuple[int, int]:
    return (ref.last, ref.first)


def _merged(
    refs: list[SegmentRef], level: int, load: Callable[[BlobRef], Segment], store: Callable[[bytes], BlobRef]
) -> list[SegmentRef]:
    """Return `refs` as one segment of `level`, in several where one would grow too large for a kiosk's memory."""
    merged: list[SegmentRef] = []
    for some in _portions(refs):
        first, last = some[0], some[-1]
        blob, rows = first.blob, first.rows
        if len(some) > 1:
            segment = merge([load(ref.blob) for ref in some])
            blob, rows = store(encode_segment(segment)), segment.rows
        merged.append(
            SegmentRef(first=first.first, last=last.last, at=last.at, rows=rows, level=level, pre_root=first.pre_root, blob=blob)
        )
    return merged


def _portions(refs: list[SegmentRef]) -> Iterable[list[SegmentRef]]:
    some: list[SegmentRef] = []
    for ref in refs:
        if some and (sum(taken.rows for taken in some) + ref.rows > MAX_MERGED_ROWS or ref.first != some[-1].last + 1):
            yield some
            some = []
        some.append(ref)
    yield some


def _is_kept(ref: SegmentRef, every: Sequence[SegmentRef], now_s: int) -> bool:
    if ref.level == len(SPANS_S):
        return ref.at > now_s - RETENTION_S
    is_covered = any(other.level > ref.level and other.first <= ref.first and ref.last <= other.last for other in every)
    # A span of one segment is the same blob under a higher level.
    is_same = any(other.level > ref.level and other.blob == ref.blob for other in every)
    return not is_same and (not is_covered or ref.at > now_s - 2 * SPANS_S[ref.level])


def _changes(change: TableChange) -> Iterable[tuple[Value, Change]]:
    if change.deleted is not None:
        yield from ((key, ("del", None)) for key in change.deleted.values[0])
    if change.put is not None:
        yield from ((row[0], ("put", row)) for row in change.put.rows())
    for block in change.changed:
        names = block.columns[1:]
        yield from ((row[0], ("set", dict(zip(names, row[1:], strict=True)))) for row in block.rows())


def _after(before: Change | None, change: Change, columns: tuple[str, ...]) -> Change:
    kind, values = change
    if before is None or kind != "set":
        return change
    if before[0] == "put":
        return ("put", tuple(values.get(name, value) for name, value in zip(columns, before[1], strict=True)))
    return ("set", {**before[1], **values})


def _table_change(name: str, rows: dict[Value, Change], columns: tuple[str, ...]) -> TableChange:
    gone = sorted((key for key, (kind, _) in rows.items() if kind == "del"), key=_key)
    put = sorted((values for kind, values in rows.values() if kind == "put"), key=lambda row: _key(row[0]))
    groups: dict[tuple[str, ...], list[Row]] = {}
    for key, (kind, values) in sorted(rows.items(), key=lambda item: _key(item[0])):
        if kind == "set":
            names = tuple(name for name in columns if name in values)
            groups.setdefault(names, []).append((key, *(values[name] for name in names)))
    return TableChange(
        name,
        deleted=Block(columns[:1], [gone]) if gone else None,
        put=_block(columns, put),
        changed=tuple(
            block for names, some in sorted(groups.items()) if (block := _block((columns[0], *names), some)) is not None
        ),
    )


def _block(columns: tuple[str, ...], rows: Sequence[Row]) -> Block | None:
    return Block(columns, [list(column) for column in zip(*rows, strict=True)]) if rows else None


def _key(value: Value) -> Any:
    return value
