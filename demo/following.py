"""What a simulated corner asks of the static side: the head at each poll, and the blobs a kiosk would fetch after it.

The one place of the simulated fleet that knows the static side's paths. Blobs are checked by hash and counted, never applied.
"""

from __future__ import annotations

import json

from demo.wire import Wire
from sync.blobs import BlobRef, check
from sync.errors import Malformed
from sync.heads import ChannelHead, Head, SegmentRef, head_path, read_head
from sync.snapshots import decode_manifest

BASE = "/sync/v1/"


class Poll:
    """One corner's view of its market. It starts level with the first head it sees, or with nothing when `is_cold`."""

    def __init__(self, market: str, *, is_cold: bool) -> None:
        self.head: Head | None = None
        self._path = BASE + head_path(market)
        self._tag = ""
        self._is_cold = is_cold

    def look(self, wire: Wire) -> bool:
        """Ask for the head and fetch what it has that we lack; return whether that was anything.

        Raises: Offline, Rejected, Malformed, Untrusted; what was held then stays held.
        """
        answer = wire.get("poll", self._path, {"If-None-Match": self._tag} if self._tag else {})
        if answer.status == 304:
            return False
        try:
            head = read_head(json.loads(answer.body))
        except ValueError as problem:
            raise Malformed("the head is not JSON") from problem
        held = self.head
        if held is None and not self._is_cold:
            self._keep(head, answer.headers.get("etag", ""))
            return True
        for name, there in head.channels.items():
            self._fetch(wire, there, held.channels[name] if held else None)
        self._keep(head, answer.headers.get("etag", ""))
        return held is None or head.publication != held.publication

    @property
    def publication(self) -> int:
        """The number of the publication we are level with; 0 before the first."""
        return self.head.publication if self.head else 0

    def standing(self) -> dict[str, dict[str, object]]:
        """Return where each channel stands, as a heartbeat tells it."""
        channels = self.head.channels if self.head else {}
        return {name: {"epoch": at.epoch, "version": at.version, "root": at.root} for name, at in channels.items()}

    def _keep(self, head: Head, tag: str) -> None:
        self.head, self._tag = head, tag

    def _fetch(self, wire: Wire, there: ChannelHead, held: ChannelHead | None) -> None:
        way = _way(there, held.version) if held is not None and held.epoch == there.epoch else None
        if way is None:
            manifest = decode_manifest(_blob(wire, "snapshot", there.snapshot.manifest))
            for part in manifest.parts:
                _blob(wire, "snapshot", part)
            way = _way(there, there.snapshot.version) or []
        for ref in way:
            _blob(wire, "segment", ref.blob)


def _way(there: ChannelHead, version: int) -> list[SegmentRef] | None:
    """Return the segments that lead from `version` to the head, the furthest reaching first; None when none do."""
    way: list[SegmentRef] = []
    while version < there.version:
        leading = [ref for ref in there.segments if ref.first <= version + 1 <= ref.last]
        if not leading:
            return None
        way.append(max(leading, key=lambda ref: ref.last))
        version = way[-1].last
    return way


def _blob(wire: Wire, kind: str, ref: BlobRef) -> bytes:
    return check(wire.get(kind, f"{BASE}b/{ref.sha256}").body, ref)
