"""HQ's own feed sent to the console: a .zip of all of it, or single files that take the place of what HQ has of them.

Invariant: what is unpacked is plain files under names a feed has, and no more bytes than one may have, whatever an archive says;
what is imported is judged as `comptoir marketplace import` judges it, all of it or nothing; feeds are imported in the order in
which they were sent, one after another.
"""

from __future__ import annotations

import io
import lzma
import os
import re
import shutil
import zipfile
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import IO, Any

from sqlalchemy import Connection, Engine

from marketplace.db import new_id, reading, rows
from marketplace.feeds.imports import EVERY_FILE, import_feed
from marketplace.feeds.media_files import FOLDER as MEDIA
from marketplace.feeds.problems import FeedRefused
from marketplace.feeds.stored import complete_feed
from marketplace.feeds.text_files import MOST_TABLE_BYTES
from marketplace.installation import sync_path
from marketplace.publishing.prices import start_due_prices
from marketplace.running.jobs import HQ, Postponed, Work, body_of, enqueue_in_turn, is_behind
from pos.errors import Refused

JOB = "feed"
FOLDER = "feeds"
AGAIN = timedelta(seconds=5)
LOST_AFTER = timedelta(days=1)
"""A folder is written before its job is enqueued."""
MOST_FILES, MOST_NAME = 25_000, 120
MOST_BYTES = 2 * MOST_TABLE_BYTES
BLOCK = 2**20
UNREADABLE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, RuntimeError, NotImplementedError, EOFError, OSError)
"""What an archive that is damaged, locked or of another kind lets its reader raise."""
NAMES = EVERY_FILE
MEDIUM = re.compile(rf"{MEDIA}/[A-Za-z0-9][A-Za-z0-9._-]{{0,199}}", re.ASCII)


class UploadRefused(Refused):
    """What was sent is no feed and no files of one; `data["reason"]` says why, `data["name"]` where."""


def receive_feed(directory: Path, files: Iterable[tuple[str, IO[bytes]]], *, is_first: bool) -> dict[str, Any]:
    """Unpack what was sent into a folder of its own, and return the body of the job that imports it.

    Only a whole feed can be the first. Raises: UploadRefused.
    """
    import_id = new_id()
    place = directory / FOLDER / import_id
    place.mkdir(mode=0o700, parents=True)
    try:
        sent = list(files)
        is_whole = _unpack(place, sent)
        if not is_whole and is_first:
            raise UploadRefused("single files need a feed they belong to", name="", reason="alone")
    except BaseException:
        shutil.rmtree(place)
        raise
    return {"folder": import_id, "is_whole": is_whole, "name": ", ".join(name for name, _ in sent)[:MOST_NAME]}


def enqueue_feed(connection: Connection, body: Mapping[str, Any], *, is_withdrawal_meant: bool) -> None:
    """Enqueue the import of a feed that was received, in the caller's transaction."""
    enqueue_in_turn(connection, JOB, {**body, "is_withdrawal_meant": is_withdrawal_meant}, owner_id=HQ)


def take_feed(work: Work, body: Mapping[str, Any]) -> str:
    """Import a feed that was received; whatever is wrong with it is kept for the console, and said in a line.

    Raises: Postponed while one sent before it is still to be imported.
    """
    with reading(work.engine) as connection:
        if is_behind(connection, JOB, owner_id=work.owner_id, job_id=work.job_id):
            raise Postponed("an earlier feed comes first", until=work.now + AGAIN)
    place = work.directory / FOLDER / str(body["folder"])
    if not place.exists():
        return "imported before"
    try:
        # Made anew by each try: what HQ has of the other files changes with every order.
        with TemporaryDirectory(dir=place.parent, prefix=f"{place.name}-") as whole:
            if not body["is_whole"]:
                shutil.copytree(place, whole, copy_function=os.link, dirs_exist_ok=True)
                start_due_prices(work.engine, now=work.now)
                with reading(work.engine) as connection:
                    complete_feed(connection, Path(whole), sync_path(work.directory))
            sent = NAMES if body["is_whole"] else {path.name for path in place.iterdir()}
            said = _import(work, place if body["is_whole"] else Path(whole), body, sent)
    except FeedRefused as refusal:
        said = f"refused: {len(refusal.data['problems'])} problems"
    shutil.rmtree(place)
    return said


def sweep_feeds(engine: Engine, directory: Path, *, now: datetime) -> int:
    """Delete folders of feeds that no job is to import, and return how many. Idempotent."""
    with reading(engine) as connection:
        stored = rows(
            connection,
            "select body from job where owner_id = :owner_id and kind = :kind and state <> 'done'",
            owner_id=HQ,
            kind=JOB,
        )
    kept = {str(body_of(each["body"])["folder"]) for each in stored}
    oldest = (now - LOST_AFTER).timestamp()
    lost = [path for path in (directory / FOLDER).glob("*") if path.name not in kept and path.stat().st_mtime < oldest]
    for path in lost:
        shutil.rmtree(path, ignore_errors=True)
    return len(lost)


def _import(work: Work, feed: Path, body: Mapping[str, Any], sent: Collection[str]) -> str:
    imported = import_feed(
        work.engine,
        feed,
        static=sync_path(work.directory),
        progress=lambda _stage, _count: None,
        is_withdrawal_meant=bool(body["is_withdrawal_meant"]),
        name=body.get("name"),
        sent=sent,
    )
    return f"{imported.listings} listings, {imported.marked} rows wait for a publication"


def _unpack(place: Path, files: list[tuple[str, IO[bytes]]]) -> bool:
    """Write what was sent as files of a feed; tell whether it is all of one: an archive."""
    if len(files) == 1 and files[0][0].lower().endswith(".zip"):
        _write(place, _entries(files[0][1].read()))
        return True
    if not files or any(name.lower().endswith(".zip") for name, _ in files):
        raise UploadRefused("one .zip, or files of a feed", name="", reason="nothing" if not files else "mixed")
    _write(place, ((name, _blocks(file)) for name, file in files))
    return False


def _entries(content: bytes) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Yield the files of an archive by their names in the feed, without the one folder they may all lie in."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir() and not entry.filename.startswith("__MACOSX/")]
            if len(entries) > MOST_FILES:
                raise UploadRefused("too many files", name="", reason="large")
            tops = {PurePosixPath(entry.filename).parts[0] for entry in entries if entry.filename}
            top = f"{tops.pop()}/" if len(tops) == 1 and not tops & NAMES else ""
            for entry in entries:
                with archive.open(entry) as file:
                    yield entry.filename.removeprefix(top), _blocks(file)
    except UNREADABLE:
        raise UploadRefused("no archive that can be read", name="", reason="damaged") from None


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    try:
        while block := file.read(BLOCK):
            yield block
    except UNREADABLE:
        raise UploadRefused("no archive that can be read", name="", reason="damaged") from None


def _write(place: Path, files: Iterable[tuple[str, Iterator[bytes]]]) -> None:
    written = 0
    (place / MEDIA).mkdir()
    for name, blocks in files:
        if name not in NAMES and not MEDIUM.fullmatch(name):
            raise UploadRefused("no file of a feed", name=name[:120], reason="name")
        path = place / name
        if path.exists():
            raise UploadRefused("a file that stands twice", name=name, reason="twice")
        with path.open("xb") as file:
            for block in blocks:
                written += len(block)
                if written > MOST_BYTES:
                    raise UploadRefused("larger than a feed may be", name=name, reason="large")
                file.write(block)
