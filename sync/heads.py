"""The head of a market: the one small, mutable document, which names everything else by hash.

A head that is old is merely old: its publication number tells, and a kiosk never goes back.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pos.catalog import CHANNELS
from sync.blobs import BlobRef
from sync.errors import Malformed

FORMAT = "comptoir-head/1"
MARKET = re.compile(r"[a-z0-9-]{1,32}", re.ASCII)


@dataclass(frozen=True, slots=True)
class SegmentRef:
    """A blob that leads from any version in `first - 1 … last - 1` to `last`."""

    first: int
    last: int
    blob: BlobRef


@dataclass(frozen=True, slots=True)
class SnapshotRef:
    """The manifest of a snapshot at `version`; `length` counts the bytes of its parts."""

    version: int
    length: int
    manifest: BlobRef


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelHead:
    """Where a channel stands at HQ, and the ways to get there."""

    epoch: str
    version: int
    root: str
    rows: int
    snapshot: SnapshotRef
    segments: tuple[SegmentRef, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A publication of a market. `facts` are small texts kept beside the rows, such as the currency."""

    market: str
    publication: int
    published_at: str
    facts: Mapping[str, str]
    channels: Mapping[str, ChannelHead]

    def to_json(self) -> dict[str, Any]:
        """Return the document that is served."""
        return {
            "format": FORMAT,
            "market": self.market,
            "publication": self.publication,
            "published_at": self.published_at,
            "facts": dict(self.facts),
            "channels": {name: _write_channel(channel) for name, channel in self.channels.items()},
        }


def read_head(document: Mapping[str, Any]) -> Head:
    """Read a head. Raises: Malformed, also when a channel is missing."""
    try:
        if document["format"] != FORMAT:
            raise ValueError(f"format {document['format']!r}")
        facts = {str(name): str(value) for name, value in document["facts"].items()}
        return Head(
            market=str(document["market"]),
            publication=_number(document["publication"]),
            published_at=str(document["published_at"]),
            facts=facts,
            channels={name: _read_channel(document["channels"][name]) for name in CHANNELS},
        )
    except (AttributeError, KeyError, TypeError, ValueError) as problem:
        raise Malformed(f"not a head: {problem}") from problem


def _write_channel(channel: ChannelHead) -> dict[str, Any]:
    snapshot = channel.snapshot
    return {
        "epoch": channel.epoch,
        "version": channel.version,
        "root": channel.root,
        "rows": channel.rows,
        "snapshot": {"version": snapshot.version, "parts_length": snapshot.length, **snapshot.manifest.to_json()},
        "segments": [{"from": ref.first, "to": ref.last, **ref.blob.to_json()} for ref in channel.segments],
    }


def _read_channel(document: Mapping[str, Any]) -> ChannelHead:
    snapshot = document["snapshot"]
    return ChannelHead(
        epoch=str(document["epoch"]),
        version=_number(document["version"]),
        root=str(document["root"]),
        rows=_number(document["rows"]),
        snapshot=SnapshotRef(_number(snapshot["version"]), _number(snapshot["parts_length"]), BlobRef.read(snapshot)),
        segments=tuple(
            SegmentRef(_number(each["from"]), _number(each["to"]), BlobRef.read(each)) for each in document["segments"]
        ),
    )


def _number(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r} is no count")
    return value
