"""Blobs: bytes under the name of their SHA-256, by which every reader checks them. Written once, never changed.

A blob is in its directory complete or not at all: it is written aside, flushed to disk, then renamed.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sync.errors import Malformed, Rejected, Untrusted

MAX_BLOB_BYTES = 16 * 2**20
LAID_IN = "laid_in"
"""The file among fetched blobs that names the publication whose blobs are all kept here, for neighbours."""


@dataclass(frozen=True, slots=True)
class BlobRef:
    """What names a blob: SHA-256 in hexadecimal, and length in bytes."""

    sha256: str
    length: int

    @classmethod
    def read(cls, document: Any) -> BlobRef:
        """Read a reference out of a head or manifest. Raises: Malformed; a hash becomes a file name, so its form matters."""
        try:
            sha256, length = document["sha256"], document["length"]
            if len(bytes.fromhex(sha256)) != 32 or sha256 != sha256.lower() or len(sha256) != 64 or type(length) is not int:
                raise ValueError("not a blob reference")
        except (KeyError, TypeError, ValueError) as problem:
            raise Malformed("not a blob reference") from problem
        return cls(sha256, length)

    def to_json(self) -> dict[str, Any]:
        """Return the reference as it stands in heads and manifests."""
        return {"sha256": self.sha256, "length": self.length}


def ref_of(blob: bytes) -> BlobRef:
    """Return the reference of `blob`."""
    return BlobRef(hashlib.sha256(blob).hexdigest(), len(blob))


def check(blob: bytes, ref: BlobRef) -> bytes:
    """Return `blob` if it is what `ref` names. Raises: Untrusted."""
    if ref_of(blob) != ref:
        raise Untrusted(f"blob {ref.sha256} is not what was announced")
    return blob


class BlobFolder:
    """The blobs of HQ, which every web server may serve."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def store(self, blob: bytes) -> BlobRef:
        """Write `blob` durably, unless it is there."""
        ref = ref_of(blob)
        path = self._directory / ref.sha256
        if not path.exists():
            replace_file(path, blob)
        return ref

    def read(self, ref: BlobRef) -> bytes:
        """Return the bytes of a blob. Raises: FileNotFoundError, Untrusted."""
        return check((self._directory / ref.sha256).read_bytes(), ref)


class BlobSketch(BlobFolder):
    """A blob folder whose new blobs stay in memory: for previews, which tell the bytes a publication would cost."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._sketched: dict[str, bytes] = {}

    def store(self, blob: bytes) -> BlobRef:
        """Remember `blob`."""
        ref = ref_of(blob)
        self._sketched[ref.sha256] = blob
        return ref

    def read(self, ref: BlobRef) -> bytes:
        """Return a remembered blob or a stored one."""
        return self._sketched[ref.sha256] if ref.sha256 in self._sketched else super().read(ref)


class BlobSource(Protocol):
    """Where blobs come from."""

    def blob(self, ref: BlobRef, into: Path) -> None:
        """Bring a blob to `into`, checked against `ref`."""


class FetchedBlobs:
    """The blobs a kiosk fetched; they outlast a failure, so that the next attempt goes on. `fetches` counts those asked for."""

    def __init__(self, directory: Path, source: BlobSource) -> None:
        self.fetches = 0
        self._directory = directory
        self._source = source

    def path(self, ref: BlobRef) -> Path:
        """Return where a blob is, fetched first if need be. Raises: Malformed for one too large, and what the source raises."""
        if ref.length > MAX_BLOB_BYTES:
            raise Malformed(f"blob {ref.sha256} is announced with {ref.length} bytes")
        path = self._directory / ref.sha256
        if path.exists():
            with suppress(Untrusted):
                check(path.read_bytes(), ref)
                return path
            path.unlink()
        self.fetches += 1
        try:
            self._source.blob(ref, path)
        except Rejected as problem:
            if problem.data.get("status") == 404:
                problem.data["blob"] = ref.sha256
            raise
        return path

    def read(self, ref: BlobRef) -> bytes:
        """Return the bytes of a blob, likewise."""
        return check(self.path(ref).read_bytes(), ref)

    def clear(self, *, keep: Iterable[str] = ()) -> None:
        """Delete the blobs, but those to `keep`."""
        kept = set(keep)
        for path in self._directory.iterdir() if self._directory.exists() else ():
            if path.name not in kept:
                path.unlink()

    def holds_all_of(self, name: str) -> bool:
        """Tell whether every blob of the publication `name` is noted as kept here."""
        mark = self._directory / LAID_IN
        return mark.exists() and mark.read_text(encoding="utf-8") == name

    def note_all_of(self, name: str) -> None:
        """Note that every blob of the publication `name` is kept here."""
        replace_file(self._directory / LAID_IN, name.encode())


def replace_file(path: Path, content: bytes) -> None:
    """Put `content` at `path` in one step: readers see the old file or the new one, after a power cut too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f"{path.name}.part")
    with aside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Make renames inside `directory` durable."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
