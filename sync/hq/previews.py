"""What a publication would change, before anybody makes it: the real drafts in transactions that are thrown away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import Connection
from sqlite_utils import Database

from pos.catalog import CHANNELS, TABLES
from pos.db import Store
from sync.blobs import BlobSketch
from sync.changes import Movement
from sync.heads import Track, whole
from sync.hq.drafts import Differences, Draft, by_channel
from sync.hq.log import OWN_TRACK, held_rows, open_trial, published
from sync.hq.publisher import Desk, Place, desk
from sync.hq.trials import rows_at, towards
from sync.roots import Value

MOST_MOVES = 10


@dataclass(frozen=True, slots=True)
class PriceMove:
    """One listing whose price would move; cents."""

    listing_id: int
    was_cents: int
    now_cents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What would change: rows added, changed and removed by table, how prices move, and the bytes each kiosk would fetch.

    `moves` are the largest price movements; `held` counts rows that stay back whatever is published.
    """

    added: dict[str, int] = field(default_factory=dict)
    changed: dict[str, int] = field(default_factory=dict)
    removed: dict[str, int] = field(default_factory=dict)
    movement: Movement = field(default_factory=Movement)
    moves: tuple[PriceMove, ...] = ()
    bytes: int = 0
    held: int = 0

    @property
    def rows(self) -> int:
        """How many rows differ."""
        return sum(sum(counts.values()) for counts in (self.added, self.changed, self.removed))


class _Abandon(Exception):
    """Ends a transaction that was only looked at."""


def preview(place: Place, *, is_trial: bool, now: datetime) -> Preview | None:
    """Return what the next publication to everybody, or into a trial, would change; None before the first publication.

    Raises: Busy when a publisher is at work.
    """
    with _looking(place, now) as look:
        if look is None:
            return None
        trial_track = look.trial_track if is_trial else None
        track = whole(look.track, trial_track) if trial_track else look.track
        held = held_rows(look.connection, place.market, trial_id=OWN_TRACK if is_trial else None)
        marks = look.at.marks(look.connection)
        replica = look.at.trial_replica if trial_track else look.at.replica
        free: dict[str, set[Value]] = {}

        def find(database: Database) -> Differences:
            differences, freed = look.at.business(look.connection).differences(database, marks, held)
            free.update(freed)
            return differences

        seen = _sketch(look, track, replica, find)
        left = sum(map(len, held.values())) - sum(len(free.get(table, ())) for table in held)
        return replace(seen, held=left)


def preview_promotion(place: Place, *, now: datetime) -> Preview | None:
    """Return what the open trial would change for everybody else; None without one. Raises: Busy."""
    with _looking(place, now) as look:
        if look is None or look.trial_track is None:
            return None
        held = held_rows(look.connection, place.market, trial_id=look.trial_track.name)
        return _sketch(look, look.track, look.at.replica, lambda database: towards(database, held))


def preview_rollback(place: Place, number: int, *, now: datetime) -> Preview | None:
    """Return what going back to publication `number` would change. Raises: NotFound, NotKept, Busy."""
    with _looking(place, now) as look:
        if look is None:
            return None
        wanted = rows_at(look.at, look.connection, number)
        return _sketch(look, look.track, look.at.replica, lambda database: towards(database, wanted))


@dataclass(frozen=True, slots=True)
class _Look:
    at: Desk
    connection: Connection
    track: Track
    trial_track: Track | None


@contextmanager
def _looking(place: Place, now: datetime) -> Iterator[_Look | None]:
    with desk(place, now=now, blobs=BlobSketch(place.static / "b")) as at, at.reading() as connection:
        track = published(connection, place.market)
        if track is None or not at.catch_up(connection, track):
            yield None
            return
        trial = open_trial(connection, place.market)
        is_open = trial is not None and not at.is_trial_lost
        yield _Look(at, connection, track, published(connection, place.market, trial.trial_id) if trial and is_open else None)


def _sketch(look: _Look, track: Track, replica: Store, find: Callable[[Database], Differences]) -> Preview:
    """Draft in a transaction that is thrown away, into blobs that are only remembered."""
    size = 0
    try:
        with replica.write() as database:
            draft = Draft.of(track, database, look.at.blobs, look.at.now)
            differences = find(database)
            for channel, some in by_channel(differences, CHANNELS).items():
                draft.change(channel, some)
                size += _fetched(draft, channel)
            raise _Abandon
    except _Abandon:
        return _read(differences, draft.movement, size=size)


def _fetched(draft: Draft, channel: str) -> int:
    """Return the bytes a kiosk that is up to date fetches for a channel's new version."""
    there = draft.channels[channel]
    step = there.tail[-1:] if there.tail and there.tail[-1].last == there.version else ()
    return sum(ref.blob.length for ref in step) or draft.index(channel).snapshot.length


def _read(differences: Differences, movement: Movement, *, size: int) -> Preview:
    seen = Preview(movement=movement, moves=_moves(differences), bytes=size)
    for table, (before, rows) in differences.items():
        added = sum(row[0] not in before for row in rows)
        counts = ((seen.added, added), (seen.changed, len(rows) - added), (seen.removed, len(before) - (len(rows) - added)))
        for by_table, number in counts:
            if number:
                by_table[table] = number
    return seen


def _moves(differences: Differences) -> tuple[PriceMove, ...]:
    """Return the largest movements first, by their share of the price before."""
    before, rows = differences.get("listing", ({}, []))
    at = next(table for table in TABLES if table.name == "listing").columns.index("price_cents")
    moves = []
    for row in rows:
        old = before.get(row[0])
        was, now = (old[at] if old is not None else None), row[at]
        if isinstance(was, int) and isinstance(now, int) and isinstance(row[0], int) and was != now:
            moves.append(PriceMove(row[0], was, now))
    moves.sort(key=lambda move: (-abs(move.now_cents - move.was_cents) * 10_000 // move.was_cents, move.listing_id))
    return tuple(moves[:MOST_MOVES])
