"""The single publisher of a market: dirty marks become one publication, and a crash leaves orphans, never gaps.

The order: read marks and rows in one snapshot; bring the replica there in an open transaction; write the blobs durably; record
the publication and delete exactly the marks read; swap the head; commit the replica. What a crash cuts short, the next call
makes good.
"""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, bindparam, insert, select
from sqlalchemy.exc import IntegrityError
from sqlite_utils import Database

from pos import clock
from pos.catalog import CHANNELS, TABLES, Table, create_indexes, publication, refresh
from pos.db import DatabaseError, Store, write
from sync.blobs import BlobRef, replace_file, store_blob
from sync.changes import Touched, change_of, insert_rows, replace_rows, stored_rows
from sync.channels import root_of, store_facts, store_sync_cursor, sync_cursors, tables_of
from sync.errors import Busy, SyncError
from sync.follower import finish_catalog, follow, install, new_catalog
from sync.heads import ChannelHead, Head, SegmentRef, SnapshotRef, head_path, read_head
from sync.locks import hold
from sync.log import WHOLE_TABLE, mark_dirty, published, sync_dirty, sync_publication
from sync.roots import RootState, Row, Value
from sync.segments import Segment, TableChange, encode_segment
from sync.snapshots import Manifest, encode_manifest, write_snapshot

__all__ = ["Published", "mark_dirty", "publish"]

SEGMENT_ROWS = 50_000
COMPARED_ROWS = 5_000
MAX_SEGMENTS = 64
KEPT_SEGMENTS = 16

CurrentRows = Callable[[Connection, str, list[Value] | None], Iterable[Row]]
Mark = tuple[str, str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What a publication was. `changed` names the keys of each table; None means everything is new."""

    publication: int
    published_at: str
    head: dict[str, Any]
    changed: Touched | None


def publish(
    engine: Engine,
    replica: Path,
    static: Path,
    market: str,
    *,
    current_rows: CurrentRows,
    facts: Mapping[str, str],
    now: datetime,
) -> Published | None:
    """Publish what was marked for `market` and differs from the last publication; None when nothing does.

    `replica` is the published catalogue at HQ, `static` the directory served as `/sync/v1/`. `current_rows(connection, table,
    keys)` yields the rows to publish, in the columns of `pos.catalog`; keys None asks for all. Safe after any crash.
    Raises: Busy when another publisher is at work.
    """
    replica.parent.mkdir(parents=True, exist_ok=True)
    with hold(replica.with_name("publish.lock")):
        work = _Work(engine, Store(replica, durable=False), static, market, current_rows, facts, now)
        try:
            return work.publish()
        finally:
            work.replica.close()


@dataclass(frozen=True, slots=True)
class _Local:
    """HQ's own files as a source, so that the replica follows like any kiosk."""

    document: dict[str, Any]
    static: Path
    received: int = 0

    def head(self, market: str) -> dict[str, Any]:  # noqa: ARG002 - one market is all it has
        return self.document

    def blob(self, ref: BlobRef, into: Path) -> None:
        into.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.static / "b" / ref.sha256, into)


@dataclass(frozen=True, slots=True)
class _Work:
    engine: Engine
    replica: Store
    static: Path
    market: str
    current_rows: CurrentRows
    facts: Mapping[str, str]
    now: datetime

    def publish(self) -> Published | None:
        with self._reading() as connection:
            document = published(connection, self.market)
            marks = _marks(connection, self.market)
            head = read_head(document) if document is not None else None
            number = max(head.publication if head else 0, self._replica_publication()) + 1
            if head is None or document is None or not self._catch_up(head, document):
                return self._begin_again(connection, number, marks)
            if not marks:
                return None
            return self._go_on(connection, number, marks, head)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self.engine.connect() as plain:
            connection = plain.execution_options(comptoir_reads_only=True)
            try:
                yield connection
            finally:
                connection.rollback()

    def _replica_publication(self) -> int:
        try:
            return publication(self.replica.read()) if self.replica.path.exists() else 0
        except DatabaseError:
            return 0

    def _catch_up(self, head: Head, document: dict[str, Any]) -> bool:
        """Make good what a crash left: the head's file and the replica stand where the record says. False when they cannot.

        A replica ahead of the record means that HQ's database was restored from a backup: kiosks have seen what it forgot.
        """
        if self._replica_publication() > head.publication:
            return False
        path = self.static / head_path(self.market)
        content = _head_bytes(document)
        try:
            follow(self.replica, _Local(document, self.static), self.market, now=self.now)
        except (SyncError, FileNotFoundError):
            return False
        if not path.exists() or path.read_bytes() != content:
            replace_file(path, content)
        return True

    def _begin_again(self, connection: Connection, number: int, marks: list[Mark]) -> Published:
        """Publish everything, in new epochs: the first publication, and the one after history was lost."""
        path = self.replica.path
        aside = path.with_name(f"{path.name}.new")
        database = new_catalog(aside)
        try:
            states = {name: RootState() for name in CHANNELS}
            with write(database):
                for table in TABLES:
                    self._insert_all(connection, database, table, states[table.channel])
            create_indexes(database)
            epochs = {name: str(uuid.uuid4()) for name in CHANNELS}
            with write(database):
                channels = {
                    name: self._snapshot(database, name, epoch=epochs[name], version=1, state=states[name]) for name in CHANNELS
                }
                head = self._head(number, channels)
                for name in CHANNELS:
                    store_sync_cursor(database, name, epoch=epochs[name], version=1, state=states[name], now=self.now)
                refresh(database, None, now=self.now)
                store_facts(database, _stored_facts(head))
            finish_catalog(database)
        finally:
            database.close()
        connection.rollback()
        self._record(head, marks)
        self._swap(head)
        install(self.replica, aside)
        return Published(publication=number, published_at=head.published_at, head=head.to_json(), changed=None)

    def _go_on(self, connection: Connection, number: int, marks: list[Mark], head: Head) -> Published | None:
        """Publish the difference between the replica and the marked rows, as one segment a channel."""
        touched: Touched = {}
        with self.replica.write() as database:
            channels = {name: self._next(connection, database, name, head.channels[name], marks, touched) for name in CHANNELS}
            connection.rollback()
            if not touched:
                self._forget(marks)
                return None
            after = self._head(number, channels)
            refresh(database, touched, now=self.now)
            store_facts(database, _stored_facts(after))
            self._record(after, marks)
            self._swap(after)
        return Published(publication=number, published_at=after.published_at, head=after.to_json(), changed=touched)

    def _next(
        self,
        connection: Connection,
        database: Database,
        name: str,
        there: ChannelHead,
        marks: list[Mark],
        touched: Touched,
    ) -> ChannelHead:
        state = sync_cursors(database)[name].state.copy()
        changes: list[TableChange] = []
        for table in tables_of(name):
            keys = [row_key for table_name, row_key, _ in marks if table_name == table.name]
            if keys:
                before, rows = self._differences(connection, database, table, keys)
                change = change_of(table, before, rows)
                if change is not None:
                    changes.append(change)
                    replace_rows(database, table, state, before=before, rows=rows, touched=touched)
        if not changes:
            return there
        version = there.version + 1
        store_sync_cursor(database, name, epoch=there.epoch, version=version, state=state, now=self.now)
        segments = [*there.segments]
        if sum(map(_rows_of, changes)) <= SEGMENT_ROWS:
            segment = Segment(
                channel=name,
                epoch=there.epoch,
                first=version,
                last=version,
                pre_root=there.root,
                post_root=root_of(name, state),
                tables=tuple(changes),
            )
            segments.append(SegmentRef(version, version, self._store(encode_segment(segment))))
        if segments[-1:] and segments[-1].last == version and not _is_heavy(there.snapshot, segments):
            return replace(there, version=version, root=root_of(name, state), rows=state.rows, segments=tuple(segments))
        fresh = self._snapshot(database, name, epoch=there.epoch, version=version, state=state)
        return replace(fresh, segments=tuple(segments[-KEPT_SEGMENTS:]))

    def _differences(
        self, connection: Connection, database: Database, table: Table, keys: list[str]
    ) -> tuple[dict[Value, Row], list[Row]]:
        """Return the stored rows that go or change, and the rows that come in their place or anew."""
        before: dict[Value, Row] = {}
        after: list[Row] = []
        whole = WHOLE_TABLE in keys
        wanted = None if whole else [json.loads(key) for key in keys]
        seen: set[Value] = set()
        for rows in _batches(self._rows(connection, table, wanted)):
            stored = stored_rows(database, table, [row[0] for row in rows])
            seen.update(row[0] for row in rows)
            for row in rows:
                if stored.get(row[0]) != row:
                    after.append(row)
                    if row[0] in stored:
                        before[row[0]] = stored[row[0]]
        if wanted is None:
            wanted = [key for (key,) in database.execute(f'select {table.columns[0]} from "{table.name}"')]
        before.update(stored_rows(database, table, [key for key in wanted if key not in seen]))
        return before, after

    def _rows(self, connection: Connection, table: Table, keys: list[Value] | None) -> Iterator[Row]:
        if keys is None:
            yield from map(tuple, self.current_rows(connection, table.name, None))
            return
        for start in range(0, len(keys), COMPARED_ROWS):
            yield from map(tuple, self.current_rows(connection, table.name, keys[start : start + COMPARED_ROWS]))

    def _insert_all(self, connection: Connection, database: Database, table: Table, state: RootState) -> None:
        for rows in _batches(self._rows(connection, table, None)):
            insert_rows(database, table, rows)
            state.add(table.name, rows)

    def _snapshot(self, database: Database, name: str, *, epoch: str, version: int, state: RootState) -> ChannelHead:
        manifest = write_snapshot(database, name, version=version, store=self._store)
        if manifest.rows != state.rows:
            raise SyncError(f"{name} holds {manifest.rows} rows where {state.rows} were counted")
        return ChannelHead(
            epoch=epoch,
            version=version,
            root=root_of(name, state),
            rows=state.rows,
            snapshot=_snapshot_ref(manifest, self._store(encode_manifest(manifest))),
            segments=(),
        )

    def _head(self, number: int, channels: Mapping[str, ChannelHead]) -> Head:
        return Head(
            market=self.market,
            publication=number,
            published_at=clock.to_text(self.now),
            facts=self.facts,
            channels=channels,
        )

    def _store(self, blob: bytes) -> BlobRef:
        return store_blob(self.static / "b", blob)

    def _record(self, head: Head, marks: list[Mark]) -> None:
        row = {
            "market": self.market,
            "publication": head.publication,
            "published_at": head.published_at,
            "head": _head_bytes(head.to_json()).decode(),
        }
        try:
            with self.engine.begin() as connection:
                connection.execute(insert(sync_publication), row)
                _delete_marks(connection, self.market, marks)
        except IntegrityError as problem:
            raise Busy(f"publication {head.publication} of {self.market} was made by another publisher") from problem

    def _forget(self, marks: list[Mark]) -> None:
        with self.engine.begin() as connection:
            _delete_marks(connection, self.market, marks)

    def _swap(self, head: Head) -> None:
        replace_file(self.static / head_path(self.market), _head_bytes(head.to_json()))


def _marks(connection: Connection, market: str) -> list[Mark]:
    columns = (sync_dirty.c.table_name, sync_dirty.c.row_key, sync_dirty.c.gen)
    return [tuple(row) for row in connection.execute(select(*columns).where(sync_dirty.c.market == market))]


def _delete_marks(connection: Connection, market: str, marks: list[Mark]) -> None:
    # A mark renewed since it was read has a higher `gen` and stays for the next publication.
    if marks:
        statement = sync_dirty.delete().where(
            sync_dirty.c.market == market,
            sync_dirty.c.table_name == bindparam("at_table"),
            sync_dirty.c.row_key == bindparam("at_key"),
            sync_dirty.c.gen == bindparam("at_gen"),
        )
        connection.execute(statement, [{"at_table": table, "at_key": key, "at_gen": gen} for table, key, gen in marks])


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while some := list(islice(rows, COMPARED_ROWS)):
        yield some


def _rows_of(change: TableChange) -> int:
    return sum(len(block) for block in (change.deleted, change.put, change.changed) if block is not None)


def _is_heavy(snapshot: SnapshotRef, segments: list[SegmentRef]) -> bool:
    since = [ref for ref in segments if ref.last > snapshot.version]
    return len(since) > MAX_SEGMENTS or sum(ref.blob.length for ref in since) > snapshot.length // 2


def _snapshot_ref(manifest: Manifest, ref: BlobRef) -> SnapshotRef:
    return SnapshotRef(manifest.version, manifest.length, ref)


def _stored_facts(head: Head) -> dict[str, str]:
    return {**head.facts, "market": head.market, "publication": str(head.publication), "published_at": head.published_at}


def _head_bytes(document: dict[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
