"""What a publication would change, before anybody makes it: the real drafts in transactions that are thrown away."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from pos.catalog import CHANNELS, TABLES
from sync.blobs import BlobSketch
from sync.changes import Movement
from sync.drafts import Differences, Draft, by_channel
from sync.log import OWN_LINE, held_rows, open_trial, published
from sync.publisher import Place, desk, whole

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
    blobs = BlobSketch(place.static / "b")
    with desk(place, now=now, blobs=blobs) as at, at.reading() as connection:
        line = published(connection, place.market)
        if line is None or not at.catch_up(connection, line):
            return None
        trial = open_trial(connection, place.market) if is_trial else None
        trial_line = published(connection, place.market, trial.trial_id) if trial is not None else None
        held = held_rows(connection, place.market, trial_id=OWN_LINE if is_trial else None)
        marks = at.marks(connection)
        replica = at.trial_replica if trial_line is not None else at.replica
        size = 0
        try:
            with replica.write() as database:
                draft = Draft.of(whole(line, trial_line) if trial_line else line, database, blobs, now)
                differences, free = at.differences(connection, database, marks, held)
                for channel, some in by_channel(differences, CHANNELS).items():
                    draft.change(channel, some)
                    size += _fetched(draft, channel)
                raise _Abandon
        except _Abandon:
            left = sum(map(len, held.values())) - sum(len(free.get(table, ())) for table in held)
            return _read(differences, draft.movement, size=size, held=left)


def _fetched(draft: Draft, channel: str) -> int:
    """Return the bytes a kiosk that is up to date fetches for a channel's new version."""
    there = draft.channels[channel]
    step = there.tail[-1:] if there.tail and there.tail[-1].last == there.version else ()
    return sum(ref.blob.length for ref in step) or draft.index(channel).snapshot.length


def _read(differences: Differences, movement: Movement, *, size: int, held: int) -> Preview:
    seen = Preview(movement=movement, moves=_moves(differences), bytes=size, held=held)
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
