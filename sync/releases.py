"""A release of the kiosk's program as HQ announces it to a ring: a small document that names its files by hash.

Invariant: what `read_release` returns names files of a release's own kinds alone, none outside of it, and no more than a machine
bears. Source: docs/protocol.md §13.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, TypedDict

from pos import clock
from sync.blobs import MAX_BLOB_BYTES, BlobRef
from sync.documents import read_object
from sync.errors import Malformed, TooLarge

FORMAT = "comptoir-release/1"
VERSION = re.compile(r"[0-9][0-9A-Za-z.+!_-]{0,31}", re.ASCII)
LOCK = "lock.txt"
PATH = re.compile(
    r"lock\.txt|wheels/[A-Za-z0-9_][A-Za-z0-9._+!-]{0,199}\.whl|root/(etc|usr)(/[A-Za-z0-9_][A-Za-z0-9._@-]{0,99}){1,8}", re.ASCII
)
"""The wheels, the lock that names their hashes, and what lies below `/etc` and `/usr`."""
UPDATE = "update"
"""The setting that says how far the release HQ announces is at a kiosk (`ToldUpdate`)."""
MOST_FILES, MOST_BYTES = 400, 256 * 2**20


class ToldUpdate(TypedDict):
    """The version HQ announces, where it is another than ours: `fetching`, `waiting` for a quiet moment, or a fault's code."""

    version: str | None
    state: str | None
    at: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseFile:
    """A file of a release: where it lies in it, its blob, and whether it is a program."""

    path: str
    ref: BlobRef
    is_program: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A version of the program, when HQ last spoke of it, and its files."""

    version: str
    said_at: str
    files: tuple[ReleaseFile, ...]

    @property
    def bytes(self) -> int:
        """All bytes of its files."""
        return sum(file.ref.length for file in self.files)


def release_name(ring: str) -> str:
    """Return the target path of a ring's release."""
    return f"release/{ring}.json"


def write_release(release: Release | None) -> bytes:
    """Return the document that announces a release, or that there is none for the ring."""
    document: dict[str, Any] = {"format": FORMAT, "version": None}
    if release is not None:
        files = [{"path": file.path, **file.ref.to_json(), "is_program": file.is_program} for file in release.files]
        document |= {"version": release.version, "said_at": release.said_at, "files": files}
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def read_release(content: bytes) -> Release | None:
    """Return what a document announces, None for no release. Raises: Malformed, TooLarge."""
    document = read_object(content)
    version = document.get("version")
    if document.get("format") != FORMAT:
        raise Malformed("not a release of a form we know")
    if version is None:
        return None
    said_at, files = document.get("said_at"), document.get("files")
    if not isinstance(version, str) or not VERSION.fullmatch(version):
        raise Malformed("not a version")
    if not isinstance(said_at, str) or not clock.is_text(said_at) or not isinstance(files, list):
        raise Malformed("not a release")
    if len(files) > MOST_FILES:
        raise TooLarge(f"a release of {len(files)} files")
    release = Release(version=version, said_at=said_at, files=tuple(map(_read_file, files)))
    if release.bytes > MOST_BYTES:
        raise TooLarge(f"a release of {release.bytes} bytes")
    if len({file.path for file in release.files}) < len(files) or LOCK not in (file.path for file in release.files):
        raise Malformed("a release has each file once, and a lock among them")
    return release


def _read_file(said: Any) -> ReleaseFile:
    ref, path = BlobRef.read(said), said.get("path")
    if not isinstance(path, str) or not PATH.fullmatch(path):
        raise Malformed(f"{str(path)[:100]!r} is no file of a release")
    if not 0 <= ref.length <= MAX_BLOB_BYTES:
        raise TooLarge(f"{path} of {ref.length} bytes")
    return ReleaseFile(path=path, ref=ref, is_program=said.get("is_program") is True)
