"""Deletes blobs that no kiosk can ask for any more.

A blob's file time is when a head last named it, directly or by an index or manifest: announcing sets it for what the replaced
heads name, sweeping for what the present ones name. So a kiosk that holds an old head finds everything that head names for `KEPT`
after it was replaced (docs/protocol.md §6).
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from sync.blobs import BlobFolder, BlobRef
from sync.errors import SyncError
from sync.heads import Head, decode_head
from sync.hq.repository import announced_all, targets_of
from sync.indexes import decode_index
from sync.snapshots import decode_manifest

KEPT = timedelta(days=30)
"""How long a blob stays after the last head that named it was replaced."""


def announced_heads(static: Path) -> list[Head]:
    """Return every head that is announced now."""
    names = [name for name in targets_of(static) if name.endswith(".head")]
    return [decode_head(content) for content in announced_all(static, names).values()]


def named_blobs(static: Path, heads: Iterable[Head]) -> set[str]:
    """Return the SHA-256 of every blob these heads name, indexes and manifests followed as far as they are here."""
    folder = BlobFolder(static / "b")
    tracks = [track for head in heads for track in (head.track, head.trial.track if head.trial else None) if track is not None]
    indexes = {channel.index for track in tracks for channel in track.channels.values()}
    named: set[str] = set()
    for ref in indexes:
        named.add(ref.sha256)
        with suppress(FileNotFoundError, SyncError):
            named |= _named_by_index(folder, ref)
    return named


def touch(static: Path, names: Iterable[str], *, now: datetime) -> None:
    """Set the blobs' file time: when a head last named them."""
    moment = now.timestamp()
    for name in names:
        with suppress(FileNotFoundError):
            os.utime(static / "b" / name, (moment, moment))


def sweep_blobs(static: Path, *, keep: Iterable[str] = (), now: datetime) -> tuple[int, int]:
    """Delete blobs that no head has named for `KEPT`; return how many files and bytes went.

    `keep` are blobs that something else names, such as pictures. Orphans that a crash left go the same way.
    """
    live = named_blobs(static, announced_heads(static)) | set(keep)
    touch(static, live, now=now)
    files = size = 0
    for path in (static / "b").iterdir() if (static / "b").exists() else ():
        about = path.stat()
        if path.name not in live and about.st_mtime < (now - KEPT).timestamp():
            path.unlink()
            files, size = files + 1, size + about.st_size
    return files, size


def _named_by_index(folder: BlobFolder, ref: BlobRef) -> set[str]:
    index = decode_index(folder.read(ref))
    named = {blob.sha256 for blob in index.blobs()}
    with suppress(FileNotFoundError, SyncError):
        named |= {part.sha256 for part in decode_manifest(folder.read(index.snapshot.manifest)).parts}
    return named
