"""HQ's replicas of what it published: the same file as a kiosk's, brought forward by the same code from HQ's own blobs."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pos.catalog import publication
from pos.db import DatabaseError, Store
from sync.blobs import BlobRef
from sync.catalog_files import remove_logs
from sync.follower import Subscription, follow
from sync.heads import RINGS, Head, Track, encode_head


def publication_of(replica: Store) -> int:
    """Return the publication a replica stands at; 0 where there is none, or none that can be read."""
    try:
        return publication(replica.read()) if replica.path.exists() else 0
    except DatabaseError:
        return 0


def bring_replica(replica: Store, track: Track, *, market: str, static: Path, now: datetime) -> None:
    """Bring a replica to a track's publication, from the files HQ serves in `static`; one that is ahead is made anew.

    Raises: SyncError when what is there does not lead to it, FileNotFoundError when a blob is gone.
    """
    source = _Local(encode_head(Head(market=market, ring=RINGS[-1], track=track)), static)
    if replica.path.exists() and publication_of(replica) > track.publication:
        replica.close()
        replica.path.unlink()
        remove_logs(replica.path)
    follow(replica, source, Subscription(market=market), now=now)


@dataclass(frozen=True, slots=True)
class _Local:
    """HQ's own files as a source with one head, so that a replica follows like any kiosk."""

    content: bytes
    static: Path
    received: int = 0
    era: str = ""

    def head(self, market: str, ring: str) -> bytes:  # noqa: ARG002 - one head is all it has
        return self.content

    def blob(self, ref: BlobRef, into: Path) -> None:
        into.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.static / "b" / ref.sha256, into)
