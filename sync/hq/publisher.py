"""The single publisher of a market: dirty marks become the next publication of HQ's track and of an open trial's.

The order: read marks and rows in one snapshot; bring the replicas forward in open transactions; write the blobs durably; commit
the publications and delete exactly the marks read; announce the heads; commit the replicas. A crash in between leaves orphan
blobs and never a gap: the next call makes good what is missing (`catch_up`). Source: docs/protocol.md §6.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, Engine

from pos import clock
from pos.catalog import CHANNELS, TABLES, Table, create_indexes, refresh
from pos.db import DatabaseError, Store, write
from sync.blobs import BlobFolder
from sync.catalog_files import finish_catalog, install, new_catalog
from sync.changes import Touched, stored_rows
from sync.channels import store_facts
from sync.errors import SyncError
from sync.follower import facts_of
from sync.heads import RINGS, Head, Track, Trial, complete_track, decode_head, encode_head, head_name
from sync.hq.business import Business, CurrentRows
from sync.hq.drafts import Draft, begin_channel, join_tracks
from sync.hq.garbage import named_blobs, touch
from sync.hq.log import (
    OWN_TRACK,
    EndedTrial,
    LogEntry,
    Mark,
    TrialState,
    commit,
    held_rows,
    last_number,
    open_trial,
    published,
    waiting_marks,
)
from sync.hq.replicas import bring_replica, publication_of
from sync.hq.repository import announce
from sync.locks import hold
from sync.roots import RootState, Row, Value

TRIAL_FILE = "trial"


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
    """What was published on HQ's track and, where one is open, on the trial's.

    `changed` and, on the trial's track, `trial_changed` name the keys that changed by table; None means that everything is new.
    """

    track: Track
    changed: Touched | None
    trial: Track | None = None
    trial_changed: Touched | None = None

    @property
    def publication(self) -> int:
        """The number on HQ's track; a trial's is the next one."""
        return self.track.publication


@dataclass(frozen=True, slots=True)
class Publisher:
    """The publisher of a market while it holds the lock: its place and moment, HQ's blobs, the replicas of both tracks."""

    place: Place
    now: datetime
    blobs: BlobFolder
    replica: Store
    trial_replica: Store


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTrial:
    """A trial that is open, and the last publication of its track: the channels it forked, and no others."""

    state: TrialState
    track: Track


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketState:
    """Where a market stands by HQ's record: its own track, and the open trial.

    `is_trial_lost`: the trial cannot go on, since its blobs are gone or its rows do not have the root that was announced.
    """

    track: Track
    trial: OpenTrial | None
    is_trial_lost: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Drafts:
    """The drafts of one publication: HQ's under `number` and, with a trial open, the trial's under the next number."""

    number: int
    own: Draft
    trial: TrialState | None = None
    trial_draft: Draft | None = None


@contextmanager
def publishing(place: Place, *, now: datetime, blobs: BlobFolder | None = None) -> Iterator[Publisher]:
    """Hold the market's publisher lock and replicas during the block. Raises: Busy when another publisher is at work."""
    place.replica.parent.mkdir(parents=True, exist_ok=True)
    with (
        hold(place.replica.with_name("publish.lock")),
        closing(Store(place.replica, durable=False)) as replica,
        closing(Store(place.trial_replica, durable=False)) as trial_replica,
    ):
        yield Publisher(place, now, blobs or BlobFolder(place.static / "b"), replica, trial_replica)


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Lend a connection that sees one state of the database until it is rolled back."""
    with engine.connect() as plain:
        connection = plain.execution_options(comptoir_reads_only=True)
        try:
            yield connection
        finally:
            connection.rollback()


def publish(place: Place, *, now: datetime, at_least: int = 0, only: Collection[Mark] | None = None) -> Published | None:
    """Publish to everybody what was marked and differs from the last publication; None when nothing does.

    `at_least` is the highest publication that any kiosk is known to have seen. With `only` just these marks are answered, and
    nothing is published where that takes everything: a market's first publication is a person's. Safe after any crash.
    Raises: Busy when another publisher is at work.
    """
    with publishing(place, now=now) as publisher, reading(place.engine) as connection:
        marks = waiting_marks(connection, place.market) if only is None else list(only)
        number = next_number(publisher, connection, at_least=at_least)
        state = catch_up(publisher, connection)
        if state is None:
            return _publish_everything(publisher, connection, number=number, marks=marks) if only is None else None
        is_behind = at_least > last_number(connection, place.market)
        if not marks and not is_behind:
            return None
        return _publish_changes(publisher, connection, state, number=number, marks=marks, is_behind=is_behind)


def next_number(publisher: Publisher, connection: Connection, *, at_least: int = 0) -> int:
    """Return the number of the next publication: above every one that the record, a replica or a kiosk (`at_least`) knows."""
    seen = [publication_of(replica) for replica in (publisher.replica, publisher.trial_replica)]
    return max(last_number(connection, publisher.place.market), at_least, *seen) + 1


def catch_up(publisher: Publisher, connection: Connection) -> MarketState | None:
    """Make good what a crash left: bring heads and replicas to where the record says, and return that.

    None when the market has to be published from the beginning: nothing is on record, or what is cannot be reached any more.
    """
    market = publisher.place.market
    track = published(connection, market)
    if track is None:
        return None
    # A replica ahead of the record: the database was restored from a backup, and kiosks have seen what it forgot.
    if publication_of(publisher.replica) > track.publication:
        return None
    if not _is_reached(publisher, publisher.replica, track, track.channels):
        return None
    trial_state = open_trial(connection, market)
    trial_track = published(connection, market, trial_state.trial_id) if trial_state is not None else None
    trial = OpenTrial(state=trial_state, track=trial_track) if trial_state and trial_track else None
    # A trial that cannot be brought there is lost alone: HQ's own track goes on.
    is_trial_lost = trial is not None and not _is_reached(
        publisher, publisher.trial_replica, complete_track(track, trial.track), trial.track.channels
    )
    announce_heads(publisher, track, trial)
    return MarketState(track=track, trial=trial, is_trial_lost=is_trial_lost)


def begin_draft(publisher: Publisher, replica: Store, track: Track, transactions: ExitStack) -> Draft:
    """Begin the next publication of a track in a transaction of its replica, which ends with `transactions`."""
    return Draft.of(track, transactions.enter_context(replica.write()), publisher.blobs, publisher.now)


def finish(publisher: Publisher, drafts: Drafts, entry: LogEntry) -> Published:
    """Commit the drafts as publications, along with what `entry` says, and announce them.

    Their replicas commit when the caller's transactions end.
    """
    place, own, trial_draft = publisher.place, drafts.own, drafts.trial_draft
    trial = None
    if trial_draft is not None and drafts.trial is not None:
        join_tracks(own, trial_draft, drafts.trial.forks)
        trial_track = trial_draft.publication(drafts.number + 1, place.facts, only=drafts.trial.forks)
        trial = OpenTrial(state=drafts.trial, track=trial_track)
    track = own.publication(drafts.number, place.facts)
    _settle(own, track, place.market)
    if trial_draft is not None and trial is not None:
        _settle(trial_draft, complete_track(track, trial.track), place.market)
    # Heads move last: a kiosk that reads one finds every blob, and the record can make the head again after a crash.
    commit(place.engine, replace(entry, tracks=(track, trial.track) if trial else (track,)))
    announce_heads(publisher, track, trial)
    return Published(
        track=track,
        changed=own.touched,
        trial=trial.track if trial else None,
        trial_changed=trial_draft.touched if trial_draft else None,
    )


def announce_heads(publisher: Publisher, track: Track, trial: OpenTrial | None) -> None:
    """Move the heads of every ring to these publications, unless they are there."""
    market, static, now = publisher.place.market, publisher.place.static, publisher.now
    heads = [
        Head(market=market, ring=ring, track=track, trial=_trial_of_ring(trial, ring) if trial is not None else None)
        for ring in RINGS
    ]

    def keep(before: Iterable[bytes]) -> None:
        # Whoever read the heads of before may ask for what they name for a while yet.
        touch(static, named_blobs(static, map(decode_head, before)), now=now)

    documents = {head_name(market, head.ring): encode_head(head) for head in heads}
    announce(static, publisher.place.keys, documents, replaces=keep, now=now)


def _trial_of_ring(trial: OpenTrial, ring: str) -> Trial | None:
    share_bp = trial.state.shares.get(ring, 0)
    return Trial(share_bp=share_bp, salt=trial.state.trial_id, track=trial.track) if share_bp else None


def _is_reached(publisher: Publisher, replica: Store, track: Track, channels: Iterable[str]) -> bool:
    """Bring a replica to a track's publication by HQ's own blobs; tell whether that and the blobs of `channels` could be had."""
    place = publisher.place
    try:
        for channel in channels:
            publisher.blobs.read(track.channels[channel].index)
        bring_replica(replica, track, market=place.market, static=place.static, now=publisher.now)
    except (SyncError, FileNotFoundError):
        return False
    return True


def _publish_everything(publisher: Publisher, connection: Connection, *, number: int, marks: list[Mark]) -> Published:
    """Publish all rows in new logs: the first publication, and the one after history was lost."""
    place = publisher.place
    trial = open_trial(connection, place.market)
    aside = place.replica.with_name(f"{place.replica.name}.new")
    database = new_catalog(aside)
    try:
        states = {name: RootState() for name in CHANNELS}
        held = held_rows(connection, place.market)
        business = Business(connection, place.current_rows)
        with write(database):
            for table in TABLES:
                held_back = held.get(table.name, {})
                business.insert_all(
                    database, table, states[table.channel], held_back, stored=_stored(publisher.replica, table, list(held_back))
                )
        create_indexes(database)
        with write(database):
            channels = {
                name: begin_channel(database, name, states[name], version=1, blobs=publisher.blobs, now=publisher.now)
                for name in CHANNELS
            }
            track = Track(
                name=OWN_TRACK,
                publication=number,
                published_at=clock.to_text(publisher.now),
                facts=place.facts,
                channels=channels,
            )
            refresh(database, None, now=publisher.now)
            store_facts(database, facts_of(track, place.market, era=""))
        finish_catalog(database)
    finally:
        database.close()
    # The snapshot ends here: the commit below is another transaction, and must not wait for this one.
    connection.rollback()
    ended = _lost(trial, publisher.now) if trial is not None else None
    commit(place.engine, LogEntry(market=place.market, tracks=(track,), marks=marks, ended=ended))
    announce_heads(publisher, track, None)
    install(publisher.replica, aside)
    return Published(track=track, changed=None)


def _publish_changes(
    publisher: Publisher, connection: Connection, state: MarketState, *, number: int, marks: list[Mark], is_behind: bool
) -> Published | None:
    """Publish the difference between replicas and marked rows to everybody, on HQ's track and on the trial's.

    `is_behind`: kiosks have seen publications that the record does not know, since it was restored from a backup.
    """
    place = publisher.place
    held = held_rows(connection, place.market)
    # What kiosks hold under a trial's versions is not known either when the record is behind: the trial ends.
    lost = state.trial if is_behind or state.is_trial_lost else None
    trial = None if lost is not None else state.trial
    business = Business(connection, place.current_rows)
    with ExitStack() as transactions:
        draft = begin_draft(publisher, publisher.replica, state.track, transactions)
        for channel in CHANNELS if is_behind else ():
            # Kiosks may hold other rows under our next versions: a new log, which keeps the old one's points, tells them apart.
            draft.fork(channel, draft.channels[channel])
        differences, freed = business.differences(draft.database, marks, held)
        draft.change(differences)
        drafts = Drafts(number=number, own=draft)
        if trial is not None:
            trial_draft = begin_draft(publisher, publisher.trial_replica, complete_track(state.track, trial.track), transactions)
            held_from_all = held_rows(connection, place.market, trial_id=OWN_TRACK)
            # An urgent price must not wait for a trial: marked rows go into its track in the same publication.
            trial_differences, _ = business.differences(trial_draft.database, marks, held_from_all)
            trial_draft.follow(trial_differences, draft, forks=trial.state.forks)
            drafts = replace(drafts, trial=trial.state, trial_draft=trial_draft)
        connection.rollback()
        entry = LogEntry(
            market=place.market,
            marks=marks,
            freed={table: keys for table, keys in freed.items() if table in held},
            ended=_lost(lost.state, publisher.now) if lost is not None else None,
        )
        if not draft.touched and not (drafts.trial_draft and drafts.trial_draft.touched) and not is_behind:
            commit(place.engine, LogEntry(market=place.market, marks=marks))
            return None
        return finish(publisher, drafts, entry)


def _lost(trial: TrialState, now: datetime) -> EndedTrial:
    return EndedTrial(
        trial_id=trial.trial_id,
        opened_at=trial.opened_at,
        closed_at=clock.to_text(now),
        state="halted",
        reason="the history was lost",
    )


def _stored(replica: Store, table: Table, keys: list[Value]) -> dict[Value, Row]:
    """Return the rows that kiosks have of these keys, as far as the replica can be read."""
    if not keys:
        return {}
    try:
        return stored_rows(replica.read(), table, keys)
    except (DatabaseError, FileNotFoundError):
        return {}


def _settle(draft: Draft, track: Track, market: str) -> None:
    if draft.touched:
        refresh(draft.database, draft.touched, now=draft.now)
    store_facts(draft.database, facts_of(track, market, era=""))
