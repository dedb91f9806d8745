"""The catalogue on a memory stick: a folder laid out like `/sync/v1/`, complete for a kiosk that has nothing yet.

What is on it is believed for its signatures, as from anywhere else. `timestamp.json` is written last, so that a stick pulled out
too early holds nothing to begin with.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from pos.errors import NotFound
from sync.blobs import BlobRef, check, replace_file
from sync.heads import Head, decode_head, head_name
from sync.hq.repository import announced, targets_of
from sync.indexes import decode_index
from sync.signatures import HQ_TARGET
from sync.snapshots import decode_manifest
from sync.static_files import TIMESTAMP

Progress = Callable[[str, int, int], None]


def write_bundle(
    static: Path, out: Path, *, markets: Iterable[str], rings: Iterable[str], progress: Progress | None = None
) -> tuple[int, int]:
    """Copy what kiosks of these markets and rings need from HQ's `static`; return the number of files and of bytes.

    A bundle written before is brought up to date: what it holds already is not copied again.
    Raises: NotFound when none of them is published.
    """
    timestamp = (static / TIMESTAMP).read_bytes()
    known = targets_of(static)
    names = [name for market in markets for ring in rings if (name := head_name(market, ring)) in known]
    if not names:
        raise NotFound("nothing is published for that market and ring")
    refs: dict[str, BlobRef] = {}
    for name in names:
        refs |= {ref.sha256: ref for ref in needed_blobs(decode_head(announced(static, name) or b""), static)}
    files = [f"b/{sha256}" for sha256 in refs]
    files += [f"targets/{place}" for name in (HQ_TARGET, *names) for place in known[name].get_prefixed_paths()]
    files += [f"metadata/{name}" for name in _metadata(static, timestamp)]
    size = len(timestamp)
    for done, name in enumerate(files):
        if progress is not None:
            progress("copy", done, len(files))
        content = (static / name).read_bytes()
        size += len(content)
        if not (out / name).exists() or (out / name).read_bytes() != content:
            replace_file(out / name, content)
    replace_file(out / TIMESTAMP, timestamp)
    return len(files) + 1, size


def needed_blobs(head: Head, static: Path) -> Iterator[BlobRef]:
    """Yield every blob a head leads to, snapshots' parts included, whole and checked. Raises: Untrusted, NotFound."""
    tracks = [head.track, *([head.trial.track] if head.trial else [])]
    for channel in (channel for track in tracks for channel in track.channels.values()):
        index = decode_index(_checked(channel.index, static))
        yield channel.index
        for ref in index.blobs():
            _checked(ref, static)
            yield ref
        for part in decode_manifest(_checked(index.snapshot.manifest, static)).parts:
            _checked(part, static)
            yield part


def _checked(ref: BlobRef, static: Path) -> bytes:
    path = static / "b" / ref.sha256
    if not path.exists():
        raise NotFound(f"blob {ref.sha256} is missing at HQ: publish first")
    return check(path.read_bytes(), ref)


def _metadata(static: Path, timestamp: bytes) -> Iterator[str]:
    """Yield the names of every root, then of the snapshot and targets that this timestamp leads to."""
    for path in sorted((static / "metadata").glob("*.root.json")):
        yield path.name
    version = json.loads(timestamp)["signed"]["meta"]["snapshot.json"]["version"]
    snapshot = f"{version}.snapshot.json"
    version = json.loads((static / "metadata" / snapshot).read_bytes())["signed"]["meta"]["targets.json"]["version"]
    yield f"{version}.targets.json"
    yield snapshot
