"""The nightly reading of the whole catalogue: rows that no longer add up to their root are found before a customer sees them.

It reads in slices, each its own short look at the file, so that neither pages nor writers wait for it and the log can be written
back meanwhile. A channel found wrong is marked, and the next round brings it anew from a snapshot: until then it is still shown,
since a corner without network has nothing better. Source: reference/sync.md §3.7.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from sqlite_utils import Database

from pos import clock
from pos.catalog import CHANNELS, Table
from pos.db import Store, snapshot
from sync.channels import SyncCursor, root_of, store_sync_cursor, sync_cursors, tables_of
from sync.roots import RootState, Row, Value

SLICE_ROWS = 2_000
TRIES = 3
MARK = "damaged"
"""The epoch of a channel whose rows are not HQ's: no log has it, so that nothing leads on from there but a snapshot."""
DAY = timedelta(hours=24)
NIGHT = range(2, 5)
REBUILD_APART = timedelta(hours=6)
LONGEST_APART = timedelta(days=7)

Pause = Callable[[], None]


def is_due(last: datetime | None, *, now: datetime, local_hour: int) -> bool:
    """Tell whether to read everything now: at night, or whenever two days went by without (a kiosk may be off at night)."""
    if last is None or now - last >= 2 * DAY:
        return True
    return local_hour in NIGHT and now - last >= DAY / 2


def wrong_channels(catalog: Store, *, pause: Pause) -> dict[str, RootState]:
    """Return the channels whose rows do not add up to their root, with what they add up to; `pause` is called between slices.

    A channel that is brought forward while it is read is read again; one that never stands still is left for the next night.
    Raises: DatabaseError when the file contradicts itself.
    """
    wrong = {}
    for channel in CHANNELS:
        for _ in range(TRIES):
            before = sync_cursors(catalog.read()).get(channel)
            if before is None:
                break
            state = _sum(catalog, channel, pause)
            after = sync_cursors(catalog.read()).get(channel)
            if after is not None and _place(before) == _place(after):
                if root_of(channel, state) != before.root:
                    wrong[channel] = state
                break
    return wrong


def mark_wrong(catalog: Store, wrong: Mapping[str, RootState], *, now: datetime) -> None:
    """Let the cursors of `wrong` tell the truth, which no log knows: the next `follow` takes a snapshot. Needs the lock.

    A channel that changed since it was read is left alone.
    """
    with catalog.write() as database:
        held = sync_cursors(database)
        for channel, state in wrong.items():
            cursor = held.get(channel)
            if cursor is not None and cursor.root != root_of(channel, state):
                store_sync_cursor(database, channel, epoch=MARK, version=cursor.version, state=state, now=now)


def marked(catalog: Database) -> list[str]:
    """Return the channels that wait for their rows to be fetched anew."""
    return [channel for channel, cursor in sync_cursors(catalog).items() if cursor.epoch == MARK]


def may_rebuild(rebuilds: Sequence[str], *, now: datetime) -> bool:
    """Tell whether a channel may be fetched anew, given when it was before: a fault that comes back must not become a loop.

    Six hours after the first time, twice as long after each further one, a week at most.
    """
    if not rebuilds:
        return True
    apart = min(LONGEST_APART, REBUILD_APART * (1 << (len(rebuilds) - 1)))
    return abs((now - clock.from_text(rebuilds[-1])).total_seconds()) >= apart.total_seconds()


def _place(cursor: SyncCursor) -> tuple[str, int, str]:
    return cursor.epoch, cursor.version, cursor.root


def _sum(catalog: Store, channel: str, pause: Pause) -> RootState:
    state = RootState()
    for table in tables_of(channel):
        for rows in _slices(catalog, table):
            state.add(table.name, rows)
            pause()
    return state


def _slices(catalog: Store, table: Table) -> Iterator[list[Row]]:
    key, columns = table.columns[0], ", ".join(table.columns)
    where = ""
    values: list[Value] = []
    while True:
        # Asked for anew each time: the file may have been replaced by another.
        with snapshot(catalog.read()) as database:
            query = f'select {columns} from "{table.name}" {where} order by {key} limit ?'
            rows = database.execute(query, [*values, SLICE_ROWS]).fetchall()
        yield rows
        if len(rows) < SLICE_ROWS:
            return
        where, values = f"where {key} > ?", [rows[-1][0]]
