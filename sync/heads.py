"""The head of a ring in a market: the one small, mutable document, which names everything else by hash (docs/protocol.md §2).

A head holds where each channel stands on HQ's own track and, while a trial is open for the ring, on the trial's.
A head that is old is merely old: its publication number tells, and a kiosk never goes back.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pos.catalog import CHANNELS
from sync.blobs import BlobRef
from sync.errors import Malformed, TooLarge
from sync.indexes import SegmentRef, read_number, read_segment_ref, write_segment_ref
from sync.segments import pack, unpack

FORMAT = "comptoir-head/2"
MARKET = re.compile(r"[a-z0-9-]{1,32}", re.ASCII)
RINGS = ("canary", "early", "stable")
"""In the order in which a trial reaches them."""
WHOLE_BP = 10_000
MAX_HEAD_BYTES = 64 * 1024
FIELD_ERRORS = (AttributeError, KeyError, TypeError, ValueError)
PACK_LEVEL = 19


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelHead:
    """Where a channel stands: epoch, version, root and rows; the blob of its index; its newest segments, at most two."""

    epoch: str
    version: int
    root: str
    rows: int
    index: BlobRef
    tail: tuple[SegmentRef, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One publication of a track: HQ's own (`name` is empty) or a trial's.

    `facts` are small texts kept beside the rows, such as the currency.
    """

    name: str
    publication: int
    published_at: str
    facts: Mapping[str, str]
    channels: Mapping[str, ChannelHead]

    def to_json(self) -> dict[str, Any]:
        """Return the track as it stands in heads and in HQ's record."""
        return {
            "name": self.name,
            "publication": self.publication,
            "published_at": self.published_at,
            "facts": dict(self.facts),
            "channels": {name: _write_channel(channel) for name, channel in self.channels.items()},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A trial as a head tells it: the share of corners in it (basis points), the salt of their draw, the channels it forked."""

    share_bp: int
    salt: str
    track: Track


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What the corners of a ring in a market follow: HQ's track or, by share, a trial's."""

    market: str
    ring: str
    track: Track
    trial: Trial | None = None

    def track_for(self, corner_id: str) -> Track:
        """Return the track that a corner follows, with all channels; every kiosk of a corner gets the same answer."""
        if self.trial is None or trial_rank(corner_id, self.trial.salt) >= self.trial.share_bp:
            return self.track
        return complete_track(self.track, self.trial.track)


def complete_track(track: Track, trial_track: Track) -> Track:
    """Return a trial's track with the channels that it shares with HQ's."""
    return replace(trial_track, channels={**track.channels, **trial_track.channels})


def trial_rank(corner_id: str, salt: str) -> int:
    """Return a corner's rank in a trial's draw, 0 to 9,999: ranks below the trial's share are in it (docs/protocol.md §2)."""
    return int.from_bytes(hashlib.sha256(f"{salt}\n{corner_id}".encode()).digest()[:8], "big") % WHOLE_BP


def encode_head(head: Head) -> bytes:
    """Return the bytes that are announced; the same head gives the same bytes."""
    trial = None
    if head.trial is not None:
        trial = {"share_bp": head.trial.share_bp, "salt": head.trial.salt, **head.trial.track.to_json()}
    return pack({"format": FORMAT, "market": head.market, "ring": head.ring, **head.track.to_json(), "trial": trial}, PACK_LEVEL)


def decode_head(content: bytes) -> Head:
    """Read a head, of its channels those we know. Raises: Malformed, also when one of ours is missing; TooLarge."""
    if len(content) > MAX_HEAD_BYTES:
        raise TooLarge(f"a head of {len(content)} bytes")
    document = unpack(content, FORMAT)
    try:
        track, trial = read_track(document), document["trial"]
        if track.channels.keys() != set(CHANNELS):
            raise ValueError("a channel is missing")
        return Head(
            market=str(document["market"]),
            ring=str(document["ring"]),
            track=track,
            trial=Trial(share_bp=read_number(trial["share_bp"]), salt=str(trial["salt"]), track=read_track(trial))
            if trial
            else None,
        )
    except FIELD_ERRORS as problem:
        raise Malformed(f"not a head: {problem}") from problem


def read_track(document: Mapping[str, Any]) -> Track:
    """Read what `Track.to_json` wrote, the channels we know of it. Raises: Malformed."""
    try:
        channels = document["channels"]
        return Track(
            name=str(document["name"]),
            publication=read_number(document["publication"]),
            published_at=str(document["published_at"]),
            facts={str(name): str(value) for name, value in document["facts"].items()},
            # HQ may publish a further channel before every corner knows it: to those it is not there.
            channels={name: _read_channel(channels[name]) for name in CHANNELS if name in channels},
        )
    except FIELD_ERRORS as problem:
        raise Malformed(f"not a head: {problem}") from problem


def head_name(market: str, ring: str) -> str:
    """Return the name under which a head is announced. Raises: Malformed for a market or ring that is none."""
    if not MARKET.fullmatch(market) or ring not in RINGS:
        raise Malformed(f"{market!r} {ring!r} names no head")
    return f"{market}/{ring}.head"


def _write_channel(channel: ChannelHead) -> dict[str, Any]:
    return {
        "epoch": channel.epoch,
        "version": channel.version,
        "root": channel.root,
        "rows": channel.rows,
        "index": channel.index.to_json(),
        "tail": [write_segment_ref(ref) for ref in channel.tail],
    }


def _read_channel(document: Mapping[str, Any]) -> ChannelHead:
    return ChannelHead(
        epoch=str(document["epoch"]),
        version=read_number(document["version"]),
        root=str(document["root"]),
        rows=read_number(document["rows"]),
        index=BlobRef.read(document["index"]),
        tail=tuple(read_segment_ref(each) for each in document["tail"]),
    )
