"""Releases of the kiosks' program: taken in from `make release`, given to rings, taken back, each by HQ's signature.

A ring's corners get the release added last of those that reach it and were not withdrawn; a release that reaches `early`
reaches `canary`, too. What HQ signs is what corners go to: back as well, once the newer one is withdrawn. The record is a
setting; the files are blobs beside the catalogue's.
"""

from __future__ import annotations

import re
import tarfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, Engine

from marketplace.db import reading, rows, run_tx
from marketplace.installation import blobs_path, keys_path, sync_path
from marketplace.settings import setting, store_setting
from pos import clock
from pos.errors import Conflict, Invalid, NotFound
from pos.files import open_file
from sync.blobs import MAX_BLOB_BYTES, BlobFolder, BlobRef
from sync.errors import SyncError
from sync.heads import RINGS
from sync.hq.repository import announce, targets_of
from sync.releases import LOCK, MOST_BYTES, PATH, VERSION, Release, ReleaseFile, read_release, release_name, write_release

RECORD = "releases"
AROUND = {"version", "install"}
"""What a release holds for a person who installs it by hand."""
PINNED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(\S+)((?:\\\n|[^\n])*)", re.MULTILINE)
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownRelease:
    """A release as HQ keeps it: the ring it reaches ("" for none yet), its manifest's blob, and when it was spoken of."""

    version: str
    ring: str
    sha256: str
    length: int
    bytes: int
    added_at: str
    said_at: str
    withdrawn_at: str | None = None

    def reaches(self, ring: str) -> bool:
        """Whether corners of a ring may have it."""
        return self.withdrawn_at is None and self.ring != "" and RINGS.index(ring) <= RINGS.index(self.ring)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseCorners:
    """Of the corners by ring and version: how many run it, and how many say which fault of an update."""

    running: Mapping[tuple[str, str], int]
    faults: Mapping[str, int]


def known_releases(connection: Connection) -> list[KnownRelease]:
    """Return all releases, the one added first at the beginning."""
    return [KnownRelease(**each) for each in setting(connection, RECORD) or []]


def given(releases: list[KnownRelease], ring: str) -> KnownRelease | None:
    """Return the release that a ring's corners get."""
    return next((release for release in reversed(releases) if release.reaches(ring)), None)


def add_release(engine: Engine, directory: Path, source: Path, *, now: datetime) -> KnownRelease:
    """Take in the file, or the unpacked folder, that `make release` wrote; no corner gets it before it is given to a ring.

    Idempotent; files that were lost from `D/sync/` are put back.
    Raises: Invalid for what is no whole release, Conflict for other files under a version that is known.
    """
    blobs, files, texts = BlobFolder(blobs_path(directory)), [], {}
    for path, content, is_program in _contents(source):
        if path in (*AROUND, LOCK):
            texts[path] = content.decode("utf-8", "replace")
        if path not in AROUND:
            files.append(ReleaseFile(path=path, ref=blobs.store(content), is_program=is_program))
    version, said_at = texts.get("version", "").strip(), clock.to_text(now)
    if not VERSION.fullmatch(version):
        raise Invalid(f"{source} is no release: it names no version")
    _refuse_gaps(version, files, texts.get(LOCK, ""))

    def work(connection: Connection) -> KnownRelease:
        releases = known_releases(connection)
        before = next((each for each in releases if each.version == version), None)
        manifest = write_release(Release(version=version, said_at=before.added_at if before else said_at, files=tuple(files)))
        ref = blobs.store(manifest)
        if before is not None:
            if before.sha256 != ref.sha256:
                raise Conflict(f"release {version} is known with other files: a changed program is another version")
            return before
        read_release(manifest)
        size = sum(file.ref.length for file in files)
        added = KnownRelease(version=version, ring="", **ref.to_json(), bytes=size, added_at=said_at, said_at=said_at)
        _store(connection, [*releases, added])
        return added

    return run_tx(engine, work)


def give_release(engine: Engine, directory: Path, version: str, ring: str, *, now: datetime) -> KnownRelease:
    """Give a release to the corners of a ring and of those before it, and sign that; said again, corners that gave up try again.

    Raises: NotFound, Invalid, Conflict for a withdrawn one.
    """
    if ring not in RINGS:
        raise Invalid("a ring is canary, early or stable", field="ring")

    def change(release: KnownRelease) -> KnownRelease:
        if release.withdrawn_at is not None:
            raise Conflict(f"release {version} was withdrawn: make another version")
        return replace(release, ring=ring, said_at=clock.to_text(now))

    return _speak(engine, directory, version, change, now=now)


def withdraw_release(engine: Engine, directory: Path, version: str, *, now: datetime) -> KnownRelease:
    """Take a release back for good: corners that have it go to the one their ring had before, by HQ's signature. Idempotent.

    Raises: NotFound.
    """
    return _speak(
        engine, directory, version, lambda each: replace(each, withdrawn_at=each.withdrawn_at or clock.to_text(now)), now=now
    )


def announce_releases(engine: Engine, directory: Path, *, now: datetime) -> None:
    """Sign what each ring gets as the record has it. Idempotent. Raises: NotFound when files of one are gone."""
    with reading(engine) as connection:
        releases = known_releases(connection)
    names = {ring: release_name(ring) for ring in RINGS}
    known, documents = targets_of(sync_path(directory)), {}
    for ring, name in names.items():
        release = given(releases, ring)
        if release is not None:
            manifest = _manifest(directory, release)
            documents[name] = write_release(replace(manifest, said_at=release.said_at))
        elif name in known:
            documents[name] = write_release(None)
    announce(sync_path(directory), keys_path(directory), documents, now=now)


def release_blobs(connection: Connection, directory: Path) -> set[str]:
    """Return the SHA-256 of every blob of a release that was not withdrawn."""
    kept = set()
    for release in known_releases(connection):
        if release.withdrawn_at is None:
            kept.add(release.sha256)
            with suppress(NotFound, SyncError):
                kept |= {file.ref.sha256 for file in _manifest(directory, release).files}
    return kept


def release_corners(connection: Connection) -> ReleaseCorners:
    """Count the corners by ring and version, and by the fault of an update that they report."""
    running: Counter[tuple[str, str]] = Counter()
    faults: Counter[str] = Counter()
    counted = rows(
        connection,
        """
        select ring, software,
          case when faults like '%"update_stepped_back"%' then 'update_stepped_back'
            when faults like '%"update_no_room"%' then 'update_no_room'
            when faults like '%"update_failed"%' then 'update_failed' else '' end as fault,
          count(*) as corners
        from standing where seen_at <> '' group by 1, 2, 3
        """,
    )
    for each in counted:
        running[each["ring"], each["software"]] += each["corners"]
        if each["fault"]:
            faults[each["fault"]] += each["corners"]
    return ReleaseCorners(running=running, faults=faults)


def _speak(
    engine: Engine, directory: Path, version: str, change: Callable[[KnownRelease], KnownRelease], *, now: datetime
) -> KnownRelease:
    def work(connection: Connection) -> KnownRelease:
        releases = known_releases(connection)
        place = next((place for place, each in enumerate(releases) if each.version == version), None)
        if place is None:
            raise NotFound(f"no release {version}")
        releases[place] = change(releases[place])
        _store(connection, releases)
        return releases[place]

    spoken = run_tx(engine, work)
    announce_releases(engine, directory, now=now)
    return spoken


def _store(connection: Connection, releases: list[KnownRelease]) -> None:
    store_setting(connection, RECORD, [asdict(each) for each in releases])


def _manifest(directory: Path, release: KnownRelease) -> Release:
    try:
        content = BlobFolder(blobs_path(directory)).read(BlobRef(release.sha256, release.length))
    except FileNotFoundError as problem:
        raise NotFound(f"the files of release {release.version} are gone: add it again") from problem
    manifest = read_release(content)
    if manifest is None:
        raise NotFound(f"the files of release {release.version} are gone: add it again")
    return manifest


def _contents(source: Path) -> Iterator[tuple[str, bytes, bool]]:
    """Yield each file of a release: its path there, its bytes, and whether it is a program. Raises: Invalid."""
    total = 0
    for path, content, is_program in _files_of_folder(source) if source.is_dir() else _files_of_archive(source):
        total += len(content)
        if path not in AROUND and not PATH.fullmatch(path):
            raise Invalid(f"{path[:100]!r} is no file of a release")
        if total > MOST_BYTES:
            raise Invalid(f"{source} holds more than {MOST_BYTES:,} bytes")
        yield path, content, is_program


def _files_of_folder(source: Path) -> Iterator[tuple[str, bytes, bool]]:
    for path in sorted(source.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            continue
        try:
            with open_file(path, most_bytes=MAX_BLOB_BYTES) as file:
                yield path.relative_to(source).as_posix(), file.read(), bool(path.stat().st_mode & 0o100)
        except OSError as problem:
            raise Invalid(f"{path}: {problem.strerror or problem}") from problem


def _files_of_archive(source: Path) -> Iterator[tuple[str, bytes, bool]]:
    try:
        with tarfile.open(source, "r:") as archive:
            for member in archive:
                if member.isdir():
                    continue
                file = archive.extractfile(member) if member.isreg() and member.size <= MAX_BLOB_BYTES else None
                if file is None:
                    raise Invalid(f"{member.name[:100]!r} is no plain file of at most {MAX_BLOB_BYTES:,} bytes")
                yield member.name.partition("/")[2], file.read(), bool(member.mode & 0o100)
    except (tarfile.TarError, OSError) as problem:
        raise Invalid(f"{source} is no release: {problem}") from problem


def _refuse_gaps(version: str, files: list[ReleaseFile], lock: str) -> None:
    """Refuse a release that no corner could install: a wheel that the lock does not name, or one it names and that is missing."""
    wheels = {file.ref.sha256: file.path for file in files if file.path.startswith("wheels/")}
    pinned = {name: (exact, set(HASH.findall(rest)), ";" in rest) for name, exact, rest in PINNED.findall(lock)}
    named = {sha256 for _, hashes, _ in pinned.values() for sha256 in hashes}
    if strange := sorted(path for sha256, path in wheels.items() if sha256 not in named):
        raise Invalid(f"the lock does not name {', '.join(strange[:3])}")
    # What is for other machines only is marked so, and has no wheel here.
    missing = [name for name, (_, hashes, is_marked) in pinned.items() if not is_marked and not hashes & wheels.keys()]
    if missing or pinned.get("comptoir", ("",))[0] != version:
        raise Invalid(f"the release is not whole: no wheel of {', '.join(missing[:3]) or f'comptoir {version}'}")
