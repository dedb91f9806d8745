"""A trial: changes that some corners try before the others get them, on a track of their own.

A trial forks only the channels it touches. Everything published to everybody meanwhile goes into both tracks, so an urgent price
never waits for a trial. A trial ends by promotion, when HQ's track takes its rows, or by a halt, when its corners go back to HQ's
track; both cost a kiosk that is up to date no rows at all, or the few that differ. Rows of a halted trial stay held back until
business says something else. A rollback is the same thing without a trial: a forward publication of old rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection
from sqlite_utils import Database

from pos import clock
from pos.catalog import CHANNELS, TABLES
from pos.db import Store, connect
from pos.errors import Conflict, NotFound
from sync.catalog_files import copy_catalog, remove_logs
from sync.errors import SyncError
from sync.heads import RINGS, WHOLE_BP, Track, whole
from sync.hq.drafts import Draft, by_channel, differences_to
from sync.hq.log import (
    OWN_TRACK,
    Held,
    TrialState,
    close_trial,
    held_rows,
    hold_back,
    open_trial,
    publication_at,
    published,
    set_free,
    store_trial,
)
from sync.hq.publisher import Desk, Place, Published, desk
from sync.roots import Row, Value


class NoTrial(NotFound):
    """No trial is open in this market."""


class TrialOpen(Conflict):
    """A trial is open in this market: it has to be promoted or halted first."""


class NotKept(NotFound):
    """That publication's blobs are no longer kept, so it cannot be gone back to."""


def try_out(place: Place, *, shares: Mapping[str, int], now: datetime, at_least: int = 0) -> Published | None:
    """Publish what was marked to the corners of `shares` (basis points by ring) alone; None when nothing differs.

    With a trial open, the rows join it and the shares become these.
    Raises: Busy, NotFound before the first publication, TrialOpen when the open one is lost.
    """
    with desk(place, now=now) as at:
        return _Trials(at).try_out(dict(shares), at_least=at_least)


def set_shares(place: Place, *, shares: Mapping[str, int], now: datetime) -> None:
    """Give an open trial to more or fewer corners. Raises: NoTrial, Busy."""
    with desk(place, now=now) as at:
        _Trials(at).set_shares(dict(shares))


def promote(place: Place, *, now: datetime) -> Published:
    """Give everybody what the open trial has. Raises: NoTrial, Busy."""
    with desk(place, now=now) as at:
        return _Trials(at).promote()


def halt(place: Place, *, reason: str, now: datetime) -> Published:
    """Take the open trial back: its corners return to HQ's track. Raises: NoTrial, Busy."""
    with desk(place, now=now) as at:
        return _Trials(at).halt(reason)


def roll_back(place: Place, number: int, *, now: datetime) -> Published | None:
    """Publish the rows of publication `number` to everybody again, and hold back what replaced them; None when nothing differs.

    Raises: TrialOpen, NotFound, NotKept, Busy.
    """
    with desk(place, now=now) as at:
        return _Trials(at).roll_back(number)


def reached(shares: Mapping[str, int]) -> str:
    """Return the furthest ring a trial has reached in whole or in part."""
    return max((ring for ring in RINGS if shares.get(ring)), key=RINGS.index, default=RINGS[0])


@dataclass(frozen=True, slots=True)
class _Standing:
    """What a market stands at: HQ's track, and the open trial with its track."""

    track: Track
    trial: TrialState
    trial_track: Track


class _Trials:
    """What trials do at a desk."""

    def __init__(self, at: Desk) -> None:
        self._at = at
        self._place = at.place

    def try_out(self, shares: dict[str, int], *, at_least: int) -> Published | None:
        with self._at.reading() as connection:
            track = self._track(connection)
            trial = open_trial(connection, self._place.market)
            trial_track = published(connection, self._place.market, trial.trial_id) if trial is not None else None
            marks = self._at.marks(connection)
            number = self._at.next_number(connection, at_least)
            if trial is None or trial_track is None:
                trial, trial_track = self._open(track, number, shares)
            elif self._at.is_trial_lost:
                raise TrialOpen("the open trial cannot be gone on with: halt it first")
            is_open = bool(trial_track.channels)
            trial = replace(trial, shares=shares)
            with ExitStack() as transactions:
                draft = Draft.of(track, transactions.enter_context(self._at.replica.write()), self._at.blobs, self._at.now)
                database = transactions.enter_context(self._at.trial_replica.write())
                trial_draft = Draft.of(whole(track, trial_track), database, self._at.blobs, self._at.now)
                held = held_rows(connection, self._place.market, trial_id=OWN_TRACK)
                differences, free = self._at.business(connection).differences(database, marks, held)
                connection.rollback()
                kept: Held = {}
                for channel, some in by_channel(differences, CHANNELS).items():
                    if channel not in trial.forks:
                        trial = replace(trial, forks={**trial.forks, channel: draft.channels[channel].version})
                        trial_draft.fork(channel, draft.channels[channel])
                    trial_draft.change(channel, some)
                    for table, (before, rows) in some.items():
                        kept[table] = dict.fromkeys(before) | {row[0]: row for row in rows}
                if not trial_draft.touched:
                    if is_open:
                        self._store_shares(track, trial, trial_track)
                    return None

                def also(within: Connection) -> None:
                    store_trial(within, self._place.market, trial)
                    set_free(within, self._place.market, free)
                    hold_back(within, self._place.market, kept, trial_id=trial.trial_id)

                return self._at.finish(draft, trial_draft, trial, number, marks, also)

    def set_shares(self, shares: dict[str, int]) -> None:
        with self._at.reading() as connection:
            standing = self._standing(connection)
            connection.rollback()
        self._store_shares(standing.track, replace(standing.trial, shares=shares), standing.trial_track)

    def _store_shares(self, track: Track, trial: TrialState, trial_track: Track) -> None:
        with self._place.engine.begin() as connection:
            store_trial(connection, self._place.market, trial)
        self._at.announce(track, trial, trial_track)

    def promote(self) -> Published:
        with self._at.reading() as connection:
            standing = self._standing(connection)
            number = self._at.next_number(connection)
            held = held_rows(connection, self._place.market, trial_id=standing.trial.trial_id)
            connection.rollback()
        return self._end(standing, number, held, state="promoted", reason="")

    def halt(self, reason: str) -> Published:
        with self._at.reading() as connection:
            standing = self._standing(connection)
            number = self._at.next_number(connection)
            connection.rollback()
        return self._end(standing, number, {}, state="halted", reason=reason)

    def roll_back(self, number: int) -> Published | None:
        market = self._place.market
        with self._at.reading() as connection:
            track = self._track(connection)
            if open_trial(connection, market) is not None:
                raise TrialOpen("promote or halt the open trial first")
            wanted = rows_at(self._at, connection, number)
            next_number = self._at.next_number(connection)
            kept = {table: self._business(connection, table, rows) for table, rows in wanted.items()}
            connection.rollback()
        if not wanted:
            return None
        with self._at.replica.write() as database:
            draft = Draft.of(track, database, self._at.blobs, self._at.now)
            for channel, some in by_channel(towards(database, wanted), CHANNELS).items():
                draft.change(channel, some)

            def also(within: Connection) -> None:
                hold_back(within, market, kept, trial_id=OWN_TRACK)

            return self._at.finish(draft, None, None, next_number, [], also)

    def _track(self, connection: Connection) -> Track:
        track = published(connection, self._place.market)
        if track is None or not self._at.catch_up(connection, track):
            raise NotFound(f"{self._place.market} has to be published to everybody first")
        return track

    def _standing(self, connection: Connection) -> _Standing:
        track = self._track(connection)
        trial = open_trial(connection, self._place.market)
        trial_track = published(connection, self._place.market, trial.trial_id) if trial is not None else None
        if trial is None or trial_track is None:
            raise NoTrial(f"no trial is open in {self._place.market}")
        return _Standing(track, trial, trial_track)

    def _open(self, track: Track, number: int, shares: dict[str, int]) -> tuple[TrialState, Track]:
        trial_id = f"t{number}"
        self._at.trial_replica.close()
        copy_catalog(self._place.replica, self._place.trial_replica)
        trial = TrialState(trial_id=trial_id, opened_at=clock.to_text(self._at.now), shares=shares, forks={})
        return trial, replace(track, name=trial_id, channels={})

    def _end(self, standing: _Standing, number: int, held: Held, *, state: str, reason: str) -> Published:
        """Publish HQ's track, with the rows of the trial or without, and leave the trial's corners a way there."""
        trial = standing.trial
        with self._at.replica.write() as database:
            draft = Draft.of(standing.track, database, self._at.blobs, self._at.now)
            for channel, some in by_channel(towards(database, held), CHANNELS).items():
                draft.change(channel, some)
            theirs = whole(standing.track, standing.trial_track)
            trial_draft = Draft.of(theirs, self._at.trial_replica.read(), self._at.blobs, self._at.now)
            self._lead_back(draft, trial_draft, trial)

            def also(within: Connection) -> None:
                if state == "promoted":
                    set_free(within, self._place.market, {table: rows.keys() for table, rows in held.items()})
                closed_at = clock.to_text(self._at.now)
                close_trial(within, self._place.market, trial.trial_id, state=state, reason=reason, closed_at=closed_at)

            return self._at.finish(draft, None, None, number, [], also)

    def _lead_back(self, draft: Draft, trial_draft: Draft, trial: TrialState) -> None:
        for channel, since in trial.forks.items():
            ours, theirs = draft.keys_since(channel, since), trial_draft.keys_since(channel, since)
            if ours is not None and theirs is not None:
                tables = ours.keys() | theirs.keys()
                keys = {table: ours.get(table, set()) | theirs.get(table, set()) for table in tables}
                draft.join(channel, trial_draft.channels[channel], keys, since=since)

    def _business(self, connection: Connection, table: str, rows: Mapping[Value, Row | None]) -> dict[Value, Row | None]:
        """Return what business says now of the rows that are being taken back."""
        found = {row[0]: tuple(row) for row in self._place.current_rows(connection, table, list(rows))}
        return {key: found.get(key) for key in rows}


def rows_at(at: Desk, connection: Connection, number: int) -> Held:
    """Return the rows of publication `number` that HQ's track has differently now, None where it has one too many.

    Raises: NotFound when HQ's track had no such publication, NotKept.
    """
    market = at.place.market
    track = publication_at(connection, market, number)
    if track is None or track.name != OWN_TRACK:
        raise NotFound(f"{market} has no publication {number} of its own track")
    then = Store(at.place.replica.with_name(f"{market}.then{at.place.replica.suffix}"), durable=False)
    _remove(then)
    try:
        at.bring(then, track)
        return _rows_that_differ(then, at.replica)
    except (SyncError, FileNotFoundError) as problem:
        raise NotKept(f"publication {number} is no longer kept: {problem}") from problem
    finally:
        then.close()
        _remove(then)


def towards(database: Database, wanted: Held) -> dict[str, tuple[dict[Value, Row], list[Row]]]:
    """Return how a catalogue gets to the rows that are wanted, by table."""
    tables = {table.name: table for table in TABLES}
    return {name: differences_to(database, tables[name], rows) for name, rows in wanted.items()}


def _remove(store: Store) -> None:
    store.path.unlink(missing_ok=True)
    remove_logs(store.path)


def _rows_that_differ(then: Store, now: Store) -> Held:
    """Return the rows of `then` that `now` has differently, None where it has one too many."""
    database = connect(then.path, durable=False)
    try:
        database.execute("attach database ? as present", [str(now.path)])
        wanted: Held = {}
        for table in TABLES:
            columns, key = ", ".join(table.columns), table.columns[0]
            old = f'select {columns} from main."{table.name}" except select {columns} from present."{table.name}"'
            rows: dict[Value, Row | None] = {row[0]: row for row in database.execute(old)}
            extra = f'select {key} from present."{table.name}" except select {key} from main."{table.name}"'
            rows.update(dict.fromkeys(_keys(database.execute(extra))))
            if rows:
                wanted[table.name] = rows
        return wanted
    finally:
        database.close()


def _keys(rows: Iterable[Row]) -> Iterable[Value]:
    return (key for (key,) in rows)


def whole_ring(ring: str, share_bp: int = WHOLE_BP) -> dict[str, int]:
    """Return the shares of a trial that has reached `ring`: the rings before it whole, of this one `share_bp`."""
    place = RINGS.index(ring)
    return {name: WHOLE_BP if at < place else share_bp if at == place else 0 for at, name in enumerate(RINGS)}
