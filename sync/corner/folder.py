"""The files of `/sync/v1/` from a directory instead of the network: a memory stick, a mounted share, HQ's own disk."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path

from pos.files import open_file
from sync.blobs import MAX_BLOB_BYTES, BlobRef, check, replace_file
from sync.corner.client import MAX_TIMESTAMP_BYTES
from sync.errors import Offline, Rejected, TooLarge
from sync.http import CHUNK_BYTES
from sync.static_files import TIMESTAMP


class Folder:
    """A directory laid out like `/sync/v1/`; nothing in it is trusted. `received` counts the bytes read."""

    def __init__(self, directory: Path) -> None:
        self.base_url = str(directory)
        self.received = 0
        self._directory = directory

    def timestamp(self) -> bytes:
        """Return the repository's timestamp, unverified. Raises: Offline, Rejected, TooLarge."""
        return self._read(TIMESTAMP, MAX_TIMESTAMP_BYTES)

    def fetch(self, path: str) -> Iterator[bytes]:
        """Yield the bytes of a file; the caller stops when there are too many. Raises: Offline, Rejected, TooLarge."""
        try:
            with open_file(self._directory / path, most_bytes=MAX_BLOB_BYTES) as file:
                while chunk := file.read(CHUNK_BYTES):
                    self.received += len(chunk)
                    yield chunk
        except FileNotFoundError as problem:
            raise Rejected(f"{path} is not in {self._directory}", status=404, code="not_found") from problem
        except OSError as problem:
            refusal = TooLarge if problem.errno == errno.EFBIG else Offline
            raise refusal(f"{path} in {self._directory} cannot be read: {problem.strerror or problem}") from problem

    def blob(self, ref: BlobRef, into: Path) -> None:
        """Copy a blob to `into`, checked against `ref`. Raises: Offline, Rejected, TooLarge, Untrusted."""
        replace_file(into, check(self._read(f"b/{ref.sha256}", ref.length), ref))

    def _read(self, path: str, limit: int) -> bytes:
        content = bytearray()
        for chunk in self.fetch(path):
            content += chunk
            if len(content) > limit:
                raise TooLarge(f"{path} has more than {limit} bytes")
        return bytes(content)
