"""The index of a channel's log: the blobs by which a kiosk gets to where the channel stands (docs/protocol.md §5).

A segment leads on inside the log; a join leads into it from another log (a trial's, or the one a trial left); a snapshot needs
nothing held before. A kiosk whose root is that of a known point of the log is at that point, and fetches nothing for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sync.blobs import BlobRef
from sync.errors import Malformed
from sync.segments import pack, unpack

FORMAT = "comptoir-log/1"
PACK_LEVEL = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentRef:
    """A blob that leads from any version in `first - 1 … last - 1` to `last`, published at `at` (seconds since 1970).

    `pre_root` is the root at `first - 1`; `level` counts how often its changes were merged.
    """

    first: int
    last: int
    at: int
    rows: int
    level: int
    pre_root: str
    blob: BlobRef


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinRef:
    """A blob that leads from the versions `first - 1 … last` of another log, `epoch`, to version `lands` of this one."""

    epoch: str
    first: int
    last: int
    lands: int
    at: int
    rows: int
    blob: BlobRef


@dataclass(frozen=True, slots=True)
class SnapshotRef:
    """The manifest of a snapshot at `version`; `length` counts the bytes of its parts."""

    version: int
    at: int
    length: int
    manifest: BlobRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """The snapshot, segments and joins of `channel` in the log `epoch`; segments are sorted by `last`, then `first`."""

    channel: str
    epoch: str
    snapshot: SnapshotRef
    segments: tuple[SegmentRef, ...]
    joins: tuple[JoinRef, ...] = ()

    def blobs(self) -> set[BlobRef]:
        """Return every blob the index names, the snapshot's parts apart."""
        return {ref.blob for ref in self.segments} | {ref.blob for ref in self.joins} | {self.snapshot.manifest}

    def version_with(self, root: str) -> int | None:
        """Return the newest version known to have this root."""
        return max((ref.first - 1 for ref in self.segments if ref.pre_root == root), default=None)

    def join_from(self, epoch: str, version: int) -> JoinRef | None:
        """Return the join that leads here from another log's version."""
        fitting = (ref for ref in self.joins if ref.epoch == epoch and ref.first - 1 <= version <= ref.last)
        return max(fitting, key=lambda ref: ref.lands, default=None)


def encode_index(index: Index) -> bytes:
    """Return the blob of `index`."""
    snapshot = index.snapshot
    document = {
        "format": FORMAT,
        "channel": index.channel,
        "epoch": index.epoch,
        "snapshot": {
            "version": snapshot.version,
            "at": snapshot.at,
            "parts_length": snapshot.length,
            **snapshot.manifest.to_json(),
        },
        "segments": [write_segment_ref(ref) for ref in index.segments],
        "joins": [_write_join(ref) for ref in index.joins],
    }
    return pack(document, PACK_LEVEL)


def decode_index(blob: bytes) -> Index:
    """Read an index. Raises: Malformed, TooLarge."""
    document = unpack(blob, FORMAT)
    try:
        snapshot = document["snapshot"]
        version, at, length = (read_number(snapshot[name]) for name in ("version", "at", "parts_length"))
        return Index(
            channel=str(document["channel"]),
            epoch=str(document["epoch"]),
            snapshot=SnapshotRef(version, at, length, BlobRef.read(snapshot)),
            segments=tuple(read_segment_ref(each) for each in document["segments"]),
            joins=tuple(_read_join(each) for each in document["joins"]),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as problem:
        raise Malformed(f"not the index of a log: {problem}") from problem


def write_segment_ref(ref: SegmentRef) -> dict[str, Any]:
    """Return a segment as heads and indexes name it."""
    return {
        "from": ref.first,
        "to": ref.last,
        "at": ref.at,
        "rows": ref.rows,
        "level": ref.level,
        "pre_root": ref.pre_root,
        **ref.blob.to_json(),
    }


def read_segment_ref(document: Mapping[str, Any]) -> SegmentRef:
    """Read what `write_segment_ref` wrote. Raises: KeyError, TypeError, ValueError."""
    first, last, at, rows, level = (read_number(document[name]) for name in ("from", "to", "at", "rows", "level"))
    if not 1 <= first <= last:
        raise ValueError(f"a segment from {first} to {last}")
    return SegmentRef(
        first=first,
        last=last,
        at=at,
        rows=rows,
        level=level,
        pre_root=str(document["pre_root"]),
        blob=BlobRef.read(document),
    )


def read_number(value: Any) -> int:
    """Return a count as it is. Raises: ValueError for anything else."""
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r} is no count")
    return value


def _write_join(ref: JoinRef) -> dict[str, Any]:
    numbers = {"from": ref.first, "to": ref.last, "lands": ref.lands, "at": ref.at, "rows": ref.rows}
    return {"epoch": ref.epoch, **numbers, **ref.blob.to_json()}


def _read_join(document: Mapping[str, Any]) -> JoinRef:
    first, last, lands, at, rows = (read_number(document[name]) for name in ("from", "to", "lands", "at", "rows"))
    blob = BlobRef.read(document)
    return JoinRef(epoch=str(document["epoch"]), first=first, last=last, lands=lands, at=at, rows=rows, blob=blob)
