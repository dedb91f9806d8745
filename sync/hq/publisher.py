"""The single publisher of a market: dirty marks become one publication of each track, and a crash leaves orphans, never gaps.

The order: read marks and rows in one snapshot; bring the replicas there in open transactions; write the blobs durably; record the
publications and delete exactly the marks read; announce the heads; commit the replicas. What a crash cuts short, the next call
makes good.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, Engine, select
from sqlalchemy.exc import IntegrityError

from pos import clock
from pos.catalog import CHANNELS, TABLES, Table, create_indexes, refresh
from pos.db import DatabaseError, Store, write
from sync.blobs import BlobFolder
from sync.catalog_files import finish_catalog, install, new_catalog
from sync.changes import Movement, Touched, stored_rows
from sync.channels import store_facts
from sync.errors import Busy, SyncError
from sync.follower import facts_of
from sync.heads import RINGS, Head, Track, Trial, decode_head, encode_head, head_name, whole
from sync.hq.business import Business, CurrentRows
from sync.hq.drafts import Draft, begin_channel, by_channel, join_tracks
from sync.hq.garbage import named_blobs, touch
from sync.hq.log import (
    OWN_TRACK,
    Held,
    Mark,
    TrialState,
    close_trial,
    delete_marks,
    held_rows,
    in_transaction,
    last_number,
    open_trial,
    published,
    record_publication,
    set_free,
    sync_dirty,
)
from sync.hq.replicas import bring_replica, publication_of
from sync.hq.repository import announce
from sync.locks import hold
from sync.roots import RootState, Row, Value

TRIAL_FILE = "trial"

Also = Callable[[Connection], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a market is published: its database, its replica, `static` as served under `/sync/v1/`, the `keys` that sign.

    `replica` is the published catalogue at HQ, the same file a kiosk holds; a trial's stands beside it.
    `current_rows(connection, table, keys)` yields the rows to publish, in the columns of `pos.catalog`; keys None asks for all.
    """

    engine: Engine
    market: str
    replica: Path
    static: Path
    keys: Path
    current_rows: CurrentRows
    facts: Mapping[str, str]

    @property
    def trial_replica(self) -> Path:
        """The catalogue of the open trial."""
        return self.replica.with_name(f"{self.replica.stem}.{TRIAL_FILE}{self.replica.suffix}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What a publication was. `changed` names the keys of each table; None means everything is new. Bytes are new blobs'."""

    track: Track
    changed: Touched | None
    movement: Movement = field(default_factory=Movement)
    trial: Track | None = None
    trial_changed: Touched | None = None

    @property
    def publication(self) -> int:
        """The number of HQ's own track, or of the trial where only that moved."""
        return self.track.publication

    @property
    def published_at(self) -> str:
        """When it was published, as text."""
        return self.track.published_at


@contextmanager
def desk(place: Place, *, now: datetime, blobs: BlobFolder | None = None) -> Iterator[Desk]:
    """Lend the market's only desk: everything that publishes works there. Raises: Busy when another publisher is at work."""
    place.replica.parent.mkdir(parents=True, exist_ok=True)
    with hold(place.replica.with_name("publish.lock")):
        at = Desk(place, now, blobs or BlobFolder(place.static / "b"))
        try:
            yield at
        finally:
            at.close()


def publish(place: Place, *, now: datetime, at_least: int = 0) -> Published | None:
    """Publish to everybody what was marked and differs from the last publication; None when nothing does.

    `at_least` is the highest publication that any kiosk is known to have seen. Safe after any crash.
    Raises: Busy when another publisher is at work.
    """
    with desk(place, now=now) as at:
        return at.publish(at_least=at_least)


class Desk:
    """One publisher's work on one market, from what it finds to what it announces."""

    def __init__(self, place: Place, now: datetime, blobs: BlobFolder) -> None:
        self.place = place
        self.now = now
        self.blobs = blobs
        self.replica = Store(place.replica, durable=False)
        self.trial_replica = Store(place.trial_replica, durable=False)
        self.is_trial_lost = False
        """Whether the open trial cannot go on: its blobs are gone, or its rows do not have the root that was announced."""

    def close(self) -> None:
        """Close the replicas."""
        self.replica.close()
        self.trial_replica.close()

    def publish(self, *, at_least: int = 0) -> Published | None:
        """See `publish`."""
        with self.reading() as connection:
            marks = self.marks(connection)
            number = self.next_number(connection, at_least)
            track = published(connection, self.place.market)
            if track is None or not self.catch_up(connection, track):
                return self._begin_again(connection, number, marks)
            is_behind = at_least > last_number(connection, self.place.market)
            return self._go_on(connection, number, marks, track, is_behind=is_behind) if marks or is_behind else None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Lend a connection that sees one state of the database."""
        with self.place.engine.connect() as plain:
            connection = plain.execution_options(comptoir_reads_only=True)
            try:
                yield connection
            finally:
                connection.rollback()

    def marks(self, connection: Connection) -> list[Mark]:
        """Return the marks that wait."""
        columns = (sync_dirty.c.table_name, sync_dirty.c.row_key, sync_dirty.c.gen)
        found = connection.execute(select(*columns).where(sync_dirty.c.market == self.place.market))
        return [(table, row_key, gen) for table, row_key, gen in found]

    def next_number(self, connection: Connection, at_least: int = 0) -> int:
        """Return the number of the next publication: above every one that anybody knows of."""
        seen = [publication_of(store) for store in (self.replica, self.trial_replica)]
        return max(last_number(connection, self.place.market), at_least, *seen) + 1

    def catch_up(self, connection: Connection, track: Track) -> bool:
        """Make good what a crash left: heads and replicas stand where the record says. False when they cannot.

        A replica ahead of the record means that HQ's database was restored from a backup: kiosks have seen what it forgot.
        A trial that cannot be brought there is lost, and takes nothing else along.
        """
        market = self.place.market
        trial = open_trial(connection, market)
        if publication_of(self.replica) > track.publication:
            return False
        trial_track = published(connection, market, trial.trial_id) if trial is not None else None
        try:
            for channel in track.channels.values():
                self.blobs.read(channel.index)
            self.bring(self.replica, track)
        except (SyncError, FileNotFoundError):
            return False
        self.is_trial_lost = trial_track is not None and not self._catch_up_trial(track, trial_track)
        self.announce(track, trial, trial_track)
        return True

    def _catch_up_trial(self, track: Track, trial_track: Track) -> bool:
        try:
            for channel in trial_track.channels.values():
                self.blobs.read(channel.index)
            self.bring(self.trial_replica, whole(track, trial_track))
        except (SyncError, FileNotFoundError):
            return False
        return True

    def bring(self, replica: Store, track: Track) -> None:
        """Bring a replica to a track's publication from HQ's own blobs. Raises: SyncError, FileNotFoundError."""
        bring_replica(replica, track, market=self.place.market, static=self.place.static, now=self.now)

    def business(self, connection: Connection) -> Business:
        """Return what business says in the snapshot of `connection`."""
        return Business(connection, self.place.current_rows)

    def record(self, tracks: Iterable[Track], marks: list[Mark], also: Also | None = None) -> None:
        """Commit publications, the end of the marks they answer, and what belongs to them, in one transaction."""
        every = list(tracks)

        def work(connection: Connection) -> None:
            for track in every:
                record_publication(connection, self.place.market, track)
            delete_marks(connection, self.place.market, marks)
            if also is not None:
                also(connection)

        try:
            in_transaction(self.place.engine, work)
        except IntegrityError as problem:
            numbers = [track.publication for track in every]
            raise Busy(f"publication {numbers} of {self.place.market} was made by another publisher") from problem

    def announce(self, track: Track, trial: TrialState | None, trial_track: Track | None) -> None:
        """Move the heads of every ring to these publications, unless they are there."""
        heads = {ring: self._head(ring, track, trial, trial_track) for ring in RINGS}
        documents = {head_name(self.place.market, ring): encode_head(head) for ring, head in heads.items()}
        static = self.place.static

        def keep(before: Iterable[bytes]) -> None:
            # What the heads of now lead to can be asked for a while yet, by whoever has read them.
            touch(static, named_blobs(static, map(decode_head, before)), now=self.now)

        announce(static, self.place.keys, documents, replaces=keep, now=self.now)

    def _head(self, ring: str, track: Track, trial: TrialState | None, trial_track: Track | None) -> Head:
        share_bp = trial.shares.get(ring, 0) if trial is not None else 0
        if trial is None or trial_track is None or not share_bp:
            return Head(market=self.place.market, ring=ring, track=track)
        told = Trial(share_bp=share_bp, salt=trial.trial_id, track=trial_track)
        return Head(market=self.place.market, ring=ring, track=track, trial=told)

    def _begin_again(self, connection: Connection, number: int, marks: list[Mark]) -> Published:
        """Publish everything, in new logs: the first publication, and the one after history was lost."""
        place = self.place
        trial = open_trial(connection, place.market)
        held = held_rows(connection, place.market)
        business = self.business(connection)
        aside = place.replica.with_name(f"{place.replica.name}.new")
        database = new_catalog(aside)
        try:
            states = {name: RootState() for name in CHANNELS}
            with write(database):
                for table in TABLES:
                    kept = held.get(table.name, {})
                    business.insert_all(database, table, states[table.channel], kept, stored=self._stored)
            create_indexes(database)
            with write(database):
                channels = {
                    name: begin_channel(database, name, states[name], version=1, blobs=self.blobs, now=self.now)
                    for name in CHANNELS
                }
                track = Track(
                    name=OWN_TRACK,
                    publication=number,
                    published_at=clock.to_text(self.now),
                    facts=place.facts,
                    channels=channels,
                )
                refresh(database, None, now=self.now)
                store_facts(database, facts_of(track, place.market, era=""))
            finish_catalog(database)
        finally:
            database.close()
        connection.rollback()
        self.record([track], marks, also=lambda within: self._lose_trial(within, trial))
        self.announce(track, None, None)
        install(self.replica, aside)
        return Published(track=track, changed=None)

    def _lose_trial(self, connection: Connection, trial: TrialState | None) -> None:
        if trial is not None:
            close_trial(
                connection,
                self.place.market,
                trial.trial_id,
                state="halted",
                reason="the history was lost",
                closed_at=clock.to_text(self.now),
            )

    def _go_on(
        self, connection: Connection, number: int, marks: list[Mark], track: Track, *, is_behind: bool
    ) -> Published | None:
        """Publish the difference between replicas and marked rows to everybody, on HQ's track and on the trial's.

        Where HQ `is_behind` what kiosks have seen, it was restored from a backup: what they hold under our versions may be
        something else, so every channel goes on in a new log, which knows the old one's points.
        """
        place = self.place
        held = held_rows(connection, place.market)
        trial = open_trial(connection, place.market)
        lost, trial = (trial, None) if is_behind or self.is_trial_lost else (None, trial)
        trial_track = published(connection, place.market, trial.trial_id) if trial is not None else None
        with ExitStack() as transactions:
            database = transactions.enter_context(self.replica.write())
            draft = Draft.of(track, database, self.blobs, self.now)
            for channel in CHANNELS if is_behind else ():
                draft.fork(channel, draft.channels[channel])
            differences, free = self.business(connection).differences(database, marks, held)
            for channel, some in by_channel(differences, CHANNELS).items():
                draft.change(channel, some)
            trial_draft = None
            if trial is not None and trial_track is not None:
                trial_database = transactions.enter_context(self.trial_replica.write())
                trial_draft = Draft.of(whole(track, trial_track), trial_database, self.blobs, self.now)
                self.carry(connection, marks, trial, draft, trial_draft)
            connection.rollback()
            if not draft.touched and not (trial_draft and trial_draft.touched) and not is_behind:
                self._forget(marks)
                return None

            def also(within: Connection) -> None:
                self._free(within, held, free)
                self._lose_trial(within, lost)

            return self.finish(draft, trial_draft, trial, number, marks, also)

    def carry(self, connection: Connection, marks: list[Mark], trial: TrialState, draft: Draft, trial_draft: Draft) -> None:
        """Bring marked rows into the trial's track too; channels that did not fork stand where HQ's own track stands."""
        held = held_rows(connection, self.place.market, trial_id=OWN_TRACK)
        differences, _ = self.business(connection).differences(trial_draft.database, marks, held)
        for channel, some in by_channel(differences, CHANNELS).items():
            if channel in trial.forks:
                trial_draft.change(channel, some)
            else:
                trial_draft.mirror(channel, some, draft.channels[channel])
        trial_draft.channels.update({name: draft.channels[name] for name in CHANNELS if name not in trial.forks})

    def finish(
        self,
        draft: Draft,
        trial_draft: Draft | None,
        trial: TrialState | None,
        number: int,
        marks: list[Mark],
        also: Also | None = None,
    ) -> Published:
        """Record and announce the drafts; their replicas commit when the caller's transactions end."""
        place = self.place
        if trial_draft is not None and trial is not None:
            join_tracks(draft, trial_draft, trial.forks)
        track = draft.publication(number, place.facts)
        _settle(draft, track, place.market)
        trial_track = None
        if trial_draft is not None and trial is not None:
            trial_track = trial_draft.publication(number + 1, place.facts, only=trial.forks)
            _settle(trial_draft, whole(track, trial_track), place.market)
        self.record([each for each in (track, trial_track) if each is not None], marks, also)
        self.announce(track, trial, trial_track)
        return Published(
            track=track,
            changed=draft.touched,
            movement=draft.movement,
            trial=trial_track,
            trial_changed=trial_draft.touched if trial_draft else None,
        )

    def _free(self, connection: Connection, held: Held, free: Mapping[str, Iterable[Value]]) -> None:
        set_free(connection, self.place.market, {table: keys for table, keys in free.items() if table in held})

    def _stored(self, table: Table, keys: list[Value]) -> dict[Value, Row]:
        try:
            return stored_rows(self.replica.read(), table, keys)
        except (DatabaseError, FileNotFoundError):
            return {}

    def _forget(self, marks: list[Mark]) -> None:
        in_transaction(self.place.engine, lambda connection: delete_marks(connection, self.place.market, marks))


def _settle(draft: Draft, track: Track, market: str) -> None:
    if draft.touched:
        refresh(draft.database, draft.touched, now=draft.now)
    store_facts(draft.database, facts_of(track, market, era=""))
