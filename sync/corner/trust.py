"""What a kiosk trusts: heads and HQ's reply keys, verified from the root it was given at enrolment (TUF specification §5).

Invariants: nothing older than what was trusted before is ever trusted, not even after the directory was lost; a root that
replaced another stays; metadata that expired by trusted time is not installed. The directory `K/trust/` can be rebuilt at any
time: the newest root and the highest timestamp stand in ops.db.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from sqlite_utils import Database
from tuf.api.exceptions import (
    BadVersionNumberError,
    DownloadError,
    DownloadHTTPError,
    DownloadLengthMismatchError,
    ExpiredMetadataError,
    RepositoryError,
)
from tuf.api.metadata import Metadata, Root, TargetFile
from tuf.api.serialization import DeserializationError
from tuf.ngclient import FetcherInterface, Updater
from tuf.ngclient._internal.trusted_metadata_set import TrustedMetadataSet

from pos.db import Store
from pos.errors import NotFound
from pos.ops import setting, store_setting
from pos.trusted_time import earliest_now, trusted_now
from sync.blobs import BlobRef, BlobSource, replace_file
from sync.documents import read_json
from sync.errors import Malformed, MetadataExpired, Rejected, Stale, SyncError, TooLarge, Untrusted
from sync.heads import head_name
from sync.signatures import HQ_FORMAT, HQ_TARGET
from sync.static_files import TIMESTAMP

LOG = logging.getLogger("comptoir.trust")
PINNED = "trusted_root"
HIGHEST = "trusted_timestamp"
REPLY_KEYS = "hq_keys"
MAX_REPLY_KEYS = 16


class FileSource(BlobSource, Protocol):
    """A place that may serve the files of `/sync/v1/`: a `Client` or a `Folder`. Nothing it says is trusted."""

    @property
    def base_url(self) -> str:
        """What names the place: its address or directory."""

    @property
    def received(self) -> int:
        """Bytes that came in so far."""

    def timestamp(self) -> bytes:
        """Return the repository's timestamp."""

    def fetch(self, path: str) -> Iterator[bytes]:
        """Yield a file's bytes."""


class Trust:
    """The way from a pinned root to a verified head, over `sources` in order: neighbours first, HQ last.

    A source that serves what does not hold, or something older, is left out from then on. One at a time may use a directory.
    """

    def __init__(self, directory: Path, ops: Store, sources: Sequence[FileSource], *, now: Callable[[], datetime]) -> None:
        self.era = ""
        self._directory = directory
        self._ops = ops
        self._sources = list(sources)
        self._now = now
        self._left_out: set[str] = set()
        self._seen: Updater | None = None

    @property
    def received(self) -> int:
        """Bytes that came in so far, from all sources."""
        return sum(source.received for source in self._sources)

    @property
    def has_left_out(self) -> bool:
        """Whether a neighbour failed and was left out."""
        return bool(self._left_out)

    def head(self, market: str, ring: str) -> bytes:
        """Return the newest head of a market and ring; when nothing is new this costs one small request.

        `era` then names the online keys that signed it: when it changes, numbers counted under stolen keys mean nothing.
        Raises: MetadataExpired, Stale, Untrusted, Malformed, TooLarge, Offline, Rejected (no such head is announced).
        """
        return self.target(head_name(market, ring))

    def target(self, name: str) -> bytes:
        """Return what HQ announces now under `name`. Raises: as `head`."""
        return self._target(self._look(trusted_now(self._ops.read(), self._now())), name)

    def seen_target(self, name: str) -> bytes | None:
        """Return what was announced under `name` when `head` looked last; None for nothing. Raises: as `head`."""
        if self._seen is None or self._seen.get_targetinfo(name) is None:
            return None
        return self._target(self._seen, name)

    def blob(self, ref: BlobRef, into: Path) -> None:
        """Bring a blob to `into` from the first source that has it. Raises: Untrusted, TooLarge, Offline, Rejected."""
        self._first(lambda source: source.blob(ref, into))

    def reply_key(self, key_id: str) -> bytes | None:
        """Return the public key with which HQ signs its replies under `key_id`; an unknown one is looked up once.

        What names the keys is judged by the earliest time it can be: the time itself is learnt from a signed reply, so that a
        clock which is years ahead must not stand in the way. Raises: as `head`.
        """
        held = held_reply_key(self._ops.read(), key_id)
        if held is None:
            self._look(earliest_now(self._ops.read()))
            held = held_reply_key(self._ops.read(), key_id)
        return held

    def _look(self, at: datetime) -> Updater:
        """Ask every source in turn: a neighbour alone could hold back news, or the root that takes a stolen key away."""
        updater: Updater | None = None
        problem: SyncError | None = None
        for source in self._usable():
            try:
                updater = self._look_at(source, at)
            except SyncError as met:
                LOG.warning("%s: %s: %s", source.base_url, met.code, met.detail)
                problem = met
                self._leave_out(source)
        if updater is None:
            raise problem or Untrusted("no source is left")
        self._seen = updater
        return updater

    def _look_at(self, source: FileSource, at: datetime) -> Updater:
        offered = source.timestamp()
        held = self._held_timestamp()
        if offered == held:
            # Nothing new, as long as what is held is whole and has not run out.
            with suppress(SyncError):
                return self._refresh(_HeldMetadata(held), at)
        return self._refresh(_Fetcher(source, offered), at)

    def _refresh(self, fetcher: FetcherInterface, at: datetime) -> Updater:
        pinned = setting(self._ops.read(), PINNED)
        if pinned is None:
            raise NotFound("this kiosk was given no root: enrol it again")
        try:
            updater = self._updater(fetcher, pinned.encode())
            set_reference_time(updater, at)
            updater.refresh()
        except (RepositoryError, DownloadError) as problem:
            raise translated(problem) from problem
        self._store_verified(updater)
        return updater

    def _updater(self, fetcher: FetcherInterface, pinned: bytes) -> Updater:
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            return Updater(str(self._directory), "metadata", fetcher=fetcher, bootstrap=pinned)
        except OSError:
            # Whatever stands where the directory should be, all that must outlast it is in ops.db.
            self._clear()
            self._directory.mkdir(parents=True)
            return Updater(str(self._directory), "metadata", fetcher=fetcher, bootstrap=pinned)

    def _store_verified(self, updater: Updater) -> None:
        """Store in ops.db what was verified, since the directory may be lost. Raises: Stale for less than was seen before."""
        trusted = trusted_set(updater)
        era, version = key_era(trusted.root), trusted.timestamp.version
        highest = setting(self._ops.read(), HIGHEST) or {}
        if highest.get("era") == era and version < highest["version"]:
            self._clear()
            raise Stale(f"timestamp {version} is older than {highest['version']}, which was seen before")
        self.era = era
        changes: dict[str, Any] = {}
        if highest != {"era": era, "version": version}:
            changes[HIGHEST] = {"era": era, "version": version}
        if trusted.root.version > json.loads(setting(self._ops.read(), PINNED))["signed"]["version"]:
            path = self._directory / "root_history" / f"{trusted.root.version}.root.json"
            changes[PINNED] = path.read_text(encoding="utf-8")
        self._store(changes)
        # The keys come last: should their file be out of reach, the root and the version above are kept all the same.
        keys = _read_reply_keys(self._target(updater, HQ_TARGET))
        self._store({REPLY_KEYS: keys} if keys != setting(self._ops.read(), REPLY_KEYS) else {})

    def _store(self, changes: dict[str, Any]) -> None:
        if changes:
            with self._ops.write() as database:
                for name, value in changes.items():
                    store_setting(database, name, value)

    def _target(self, updater: Updater, name: str) -> bytes:
        try:
            info = updater.get_targetinfo(name)
        except (RepositoryError, DownloadError) as problem:
            raise translated(problem) from problem
        if info is None:
            raise Rejected(f"{name} is not announced", status=404, code="not_announced")
        path = self._directory / "targets" / quote(name, safe="")
        with suppress(OSError, RepositoryError):
            content = path.read_bytes()
            info.verify_length_and_hashes(content)
            return content
        fetched: bytes = self._first(lambda source: _fetch_target(source, info))
        replace_file(path, fetched)
        return fetched

    def _first(self, act: Callable[[FileSource], Any]) -> Any:
        """Return what the first source gives that gives it; one that gives wrong bytes is left out."""
        problem: SyncError | None = None
        for source in self._usable():
            try:
                return act(source)
            except SyncError as met:
                problem = met
                if not isinstance(met, Rejected):
                    self._leave_out(source)
        raise problem or Untrusted("no source is left")

    def _usable(self) -> list[FileSource]:
        return [source for source in self._sources if source.base_url not in self._left_out]

    def _leave_out(self, source: FileSource) -> None:
        # HQ, the last, is never left out: it says itself what is wrong.
        if source is not self._sources[-1]:
            self._left_out.add(source.base_url)

    def _held_timestamp(self) -> bytes:
        try:
            return (self._directory / "timestamp.json").read_bytes()
        except OSError:
            return b""

    def _clear(self) -> None:
        if self._directory.is_dir() and not self._directory.is_symlink():
            shutil.rmtree(self._directory)
        else:
            self._directory.unlink(missing_ok=True)


def held_reply_key(ops: Database, key_id: str) -> bytes | None:
    """Return the public key with which HQ signs its replies under `key_id`, as far as it is known here."""
    held = setting(ops, REPLY_KEYS) or {}
    return bytes.fromhex(held[key_id]) if key_id in held else None


def pin_root(ops: Database, root: str) -> None:
    """Trust `root` alone from now on, and forget what was trusted before; runs inside the caller's `write`.

    Raises: Malformed for what is no root, Untrusted for one that is not signed by its own keys.
    """
    try:
        metadata = Metadata[Root].from_bytes(root.encode())
        metadata.signed.verify_delegate(Root.type, metadata.signed_bytes, metadata.signatures)
    except DeserializationError as problem:
        raise Malformed("this is no root") from problem
    except (RepositoryError, ValueError, AttributeError) as problem:
        raise Untrusted(f"the root does not vouch for itself: {problem}") from problem
    store_setting(ops, PINNED, root)
    for name in (HIGHEST, REPLY_KEYS):
        store_setting(ops, name, None)


def key_era(root: Root) -> str:
    """Return a short name of the online keys a root allows."""
    keyids = sorted({keyid for name in ("targets", "snapshot", "timestamp") for keyid in root.roles[name].keyids})
    return hashlib.sha256("\n".join(keyids).encode()).hexdigest()[:16]


def set_reference_time(updater: Updater, at: datetime) -> None:
    """Make `at` the time by which expiries are judged.

    python-tuf reads the wall clock and offers no way to say another time, and a shop's clock may be wrong by years.
    """
    trusted_set(updater).reference_time = at


def trusted_set(updater: Updater) -> TrustedMetadataSet:
    """Return what an updater has verified so far; python-tuf keeps it private, and a test holds us to its name."""
    return updater._trusted_set


def translated(problem: Exception) -> SyncError:
    """Return a failure of python-tuf as one of ours."""
    kinds: list[tuple[type[Exception], type[SyncError]]] = [
        (ExpiredMetadataError, MetadataExpired),
        (BadVersionNumberError, Stale),
        (DownloadLengthMismatchError, TooLarge),
        (DeserializationError, Malformed),
    ]
    if isinstance(problem, DownloadHTTPError):
        return Rejected(str(problem), status=problem.status_code, code="not_found")
    return next((ours for theirs, ours in kinds if isinstance(problem, theirs)), Untrusted)(str(problem))


class _Fetcher(FetcherInterface):
    """Metadata from a source; its timestamp was read before."""

    def __init__(self, source: FileSource, timestamp: bytes) -> None:
        self._source = source
        self._timestamp = timestamp

    def _fetch(self, url: str) -> Iterator[bytes]:
        if url == TIMESTAMP:
            yield self._timestamp
            return
        try:
            yield from self._source.fetch(url)
        except Rejected as problem:
            if problem.data.get("status") != 404:
                raise
            raise DownloadHTTPError(f"{url}: 404", 404) from problem


class _HeldMetadata(FetcherInterface):
    """Metadata from the directory alone, for a timestamp that a source has just offered unchanged."""

    def __init__(self, timestamp: bytes) -> None:
        self._timestamp = timestamp

    def _fetch(self, url: str) -> Iterator[bytes]:
        if url != TIMESTAMP:
            raise DownloadHTTPError(f"{url} is not held", 404)
        yield self._timestamp


def _fetch_target(source: FileSource, info: TargetFile) -> bytes:
    content = bytearray()
    for chunk in source.fetch(f"targets/{info.get_prefixed_paths()[0]}"):
        content += chunk
        if len(content) > info.length:
            raise TooLarge(f"{info.path} has more than the announced {info.length} bytes")
    try:
        info.verify_length_and_hashes(bytes(content))
    except RepositoryError as problem:
        raise Untrusted(f"{info.path} is not what was announced") from problem
    return bytes(content)


def _read_reply_keys(content: bytes) -> dict[str, str]:
    try:
        document = read_json(content)
        keys = {str(name): str(key) for name, key in document["keys"].items()}
        if (
            document["format"] != HQ_FORMAT
            or len(keys) > MAX_REPLY_KEYS
            or any(len(bytes.fromhex(key)) != 32 for key in keys.values())
        ):
            raise ValueError("not the form of hq.json")
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise Malformed("hq.json does not name keys") from problem
    return keys
