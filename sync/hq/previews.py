"""What a publication would change, before anybody makes it: the real drafts in transactions that are thrown away."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlite_utils import Database

from pos.catalog import TABLES
from pos.db import Store
from sync.blobs import BlobSketch
from sync.changes import Movement
from sync.heads import Track, complete_track
from sync.hq.business import Business
from sync.hq.drafts import UNCHANGED, Differences, Draft, by_channel, differences_to
from sync.hq.log import HELD, HQ, OWN_TRACK, SUPPLY, HeldRows, held_rows, waiting_marks
from sync.hq.publisher import MarketState, OpenTrial, Place, Publisher, catch_up, publishing, reading
from sync.hq.trials import rows_at

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


def preview(place: Place, *, is_trial: bool, now: datetime, origins: Collection[str] | None = None) -> Preview | None:
    """Return what the next publication to everybody, or into a trial, would change; None before the first publication.

    With `origins` it is one of the marks of these origins alone (`sync.hq.log`).

    Raises: Busy when a publisher is at work.
    """
    with _looking(place, now) as publisher, reading(place.engine) as connection:
        state = catch_up(publisher, connection)
        if state is None:
            return None
        trial = _usable_trial(state) if is_trial else None
        track, replica = state.track, publisher.replica
        if trial is not None:
            track, replica = complete_track(state.track, trial.track), publisher.trial_replica
        held = held_rows(connection, place.market, trial_id=OWN_TRACK if is_trial else None)
        usual = (HQ, HELD) if is_trial else (HQ, SUPPLY, HELD)
        marks = waiting_marks(connection, place.market, origins=origins or usual)
        with _undone(replica) as database:
            differences, freed = Business(connection, place.current_rows).differences(database, marks, held)
            still_held = sum(len(rows) - len(freed.get(table, ())) for table, rows in held.items())
            return replace(_sketch(publisher, track, database, differences), held=still_held)


def preview_promotion(place: Place, *, now: datetime) -> Preview | None:
    """Return what the open trial would change for everybody else; None without one. Raises: Busy."""
    with _looking(place, now) as publisher, reading(place.engine) as connection:
        state = catch_up(publisher, connection)
        trial = _usable_trial(state) if state is not None else None
        if state is None or trial is None:
            return None
        rows = held_rows(connection, place.market, trial_id=trial.state.trial_id)
        return _sketch_rows(publisher, state.track, rows)


def preview_rollback(place: Place, number: int, *, now: datetime) -> Preview | None:
    """Return what going back to publication `number` would change. Raises: NotFound, NotKept, Busy."""
    with _looking(place, now) as publisher, reading(place.engine) as connection:
        state = catch_up(publisher, connection)
        if state is None:
            return None
        return _sketch_rows(publisher, state.track, rows_at(publisher, connection, number))


def _looking(place: Place, now: datetime) -> AbstractContextManager[Publisher]:
    """Hold the market's publisher lock, with blobs that are only remembered."""
    return publishing(place, now=now, blobs=BlobSketch(place.static / "b"))


def _usable_trial(state: MarketState) -> OpenTrial | None:
    return None if state.is_trial_lost else state.trial


@contextmanager
def _undone(replica: Store) -> Iterator[Database]:
    """Lend a replica in a transaction that is thrown away."""
    with suppress(_Abandon), replica.write() as database:
        yield database
        raise _Abandon


def _sketch_rows(publisher: Publisher, track: Track, wanted: HeldRows) -> Preview:
    with _undone(publisher.replica) as database:
        return _sketch(publisher, track, database, differences_to(database, wanted))


def _sketch(publisher: Publisher, track: Track, database: Database, differences: Differences) -> Preview:
    draft = Draft.of(track, database, publisher.blobs, publisher.now)
    draft.change(differences)
    size = sum(_fetched(draft, channel) for channel in by_channel(differences))
    return _read(differences, draft.movement, size=size)


def _fetched(draft: Draft, channel: str) -> int:
    """Return the bytes a kiosk that is up to date fetches for a channel's new version."""
    head = draft.channels[channel]
    if head.tail and head.tail[-1].last == head.version:
        return head.tail[-1].blob.length
    # The change was too large for a segment, so kiosks load the snapshot.
    return draft.index(channel).snapshot.length


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
    listings = differences.get("listing", UNCHANGED)
    [columns] = (table.columns for table in TABLES if table.name == "listing")
    moves = []
    for row in listings.rows:
        listing = dict(zip(columns, row, strict=True))
        listing_id, now_cents = listing["listing_id"], listing["price_cents"]
        stored = listings.before.get(listing_id)
        was_cents = dict(zip(columns, stored, strict=True))["price_cents"] if stored is not None else None
        if isinstance(was_cents, int) and isinstance(now_cents, int) and isinstance(listing_id, int) and was_cents != now_cents:
            moves.append(PriceMove(listing_id, was_cents, now_cents))
    moves.sort(key=lambda move: (-abs(move.now_cents - move.was_cents) * 10_000 // move.was_cents, move.listing_id))
    return tuple(moves[:MOST_MOVES])
