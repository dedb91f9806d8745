"""What a simulated corner asks of the static side: the timestamp at each poll, and after it what a kiosk would fetch.

The one place of the simulated fleet that knows the static side's paths. Blobs are checked by hash and counted, never applied, and
signatures are left to real kiosks: what is measured here is what HQ serves.
"""

from __future__ import annotations

import json
from typing import Any

from demo.wire import Wire
from sync.blobs import BlobRef, check
from sync.errors import Malformed
from sync.heads import RINGS, ChannelHead, Track, decode_head, head_name
from sync.indexes import SegmentRef, decode_index
from sync.snapshots import decode_manifest
from sync.ways import chain_of

BASE = "/sync/v1/"
RING = RINGS[-1]


class Poll:
    """One corner's view of its market. It starts level with the first head it sees, or with nothing when `is_cold`."""

    def __init__(self, market: str, *, is_cold: bool) -> None:
        self.track: Track | None = None
        self._name = head_name(market, RING)
        self._tag = ""
        self._is_cold = is_cold

    def look(self, wire: Wire) -> bool:
        """Ask for the timestamp and fetch what is behind it that we lack; return whether that was anything.

        Raises: Offline, Rejected, Malformed, Untrusted; what was held then stays held.
        """
        answer = wire.get("poll", f"{BASE}metadata/timestamp.json", {"If-None-Match": self._tag} if self._tag else {})
        if answer.status == 304:
            return False
        track = self._head(wire, answer.body)
        held = self.track
        if held is not None or self._is_cold:
            for name, there in track.channels.items():
                _fetch(wire, there, held.channels[name] if held else None)
        self.track, self._tag = track, answer.headers.get("etag", "")
        return held is None or track.publication != held.publication

    @property
    def publication(self) -> int:
        """The number of the publication we are level with; 0 before the first."""
        return self.track.publication if self.track else 0

    def standing(self) -> dict[str, dict[str, object]]:
        """Return where each channel stands, as a heartbeat tells it."""
        channels = self.track.channels if self.track else {}
        return {name: {"epoch": at.epoch, "version": at.version, "root": at.root} for name, at in channels.items()}

    def _head(self, wire: Wire, timestamp: bytes) -> Track:
        """Walk from the timestamp to the head as a kiosk does, without judging the signatures."""
        try:
            version = _signed(timestamp)["meta"]["snapshot.json"]["version"]
            snapshot = wire.get("metadata", f"{BASE}metadata/{version}.snapshot.json").body
            version = _signed(snapshot)["meta"]["targets.json"]["version"]
            targets = _signed(wire.get("metadata", f"{BASE}metadata/{version}.targets.json").body)
            sha256 = targets["targets"][self._name]["hashes"]["sha256"]
        except (KeyError, TypeError, ValueError) as problem:
            raise Malformed(f"the metadata does not lead to {self._name}") from problem
        folder, _, name = self._name.rpartition("/")
        return decode_head(wire.get("head", f"{BASE}targets/{folder}/{sha256}.{name}").body).track


def _signed(content: bytes) -> Any:
    return json.loads(content)["signed"]


def _fetch(wire: Wire, target: ChannelHead, held: ChannelHead | None) -> None:
    if held is not None and held.root == target.root:
        return
    chain = chain_of(target.tail, held.version, target.version) if held is not None and held.epoch == target.epoch else None
    if chain is None:
        chain = _by_index(wire, target, held)
    for ref in chain:
        _blob(wire, "segment", ref.blob)


def _by_index(wire: Wire, target: ChannelHead, held: ChannelHead | None) -> list[SegmentRef]:
    index = decode_index(_blob(wire, "index", target.index))
    chain = chain_of(index.segments, held.version, target.version) if held is not None and held.epoch == target.epoch else None
    if chain is not None:
        return chain
    manifest = decode_manifest(_blob(wire, "snapshot", index.snapshot.manifest))
    for part in manifest.parts:
        _blob(wire, "snapshot", part)
    return chain_of(index.segments, index.snapshot.version, target.version) or []


def _blob(wire: Wire, kind: str, ref: BlobRef) -> bytes:
    return check(wire.get(kind, f"{BASE}b/{ref.sha256}").body, ref)
