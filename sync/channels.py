"""What a catalogue database holds of each channel: its tables, and the `sync_cursor` (epoch, version, root) they stand at.

Rows and `sync_cursor` change in the same transaction, so the root of what is stored is always the stored root.
Source: docs/protocol.md §1.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache

from sqlite_utils import Database

from pos import clock
from pos.catalog import CHANNELS, TABLES, Table
from sync.roots import RootState, schema_text

SCAN_ROWS = 5_000


@dataclass(frozen=True, slots=True)
class SyncCursor:
    """Where one channel stands. `version` counts from 1 without gaps inside an `epoch`."""

    epoch: str
    version: int
    root: str
    state: RootState


@cache
def tables_of(channel: str) -> tuple[Table, ...]:
    """Return the channel's tables in the order of application."""
    return tuple(table for table in TABLES if table.channel == channel)


@cache
def schema_of(channel: str) -> bytes:
    """Return the table and column names the channel's root is bound to."""
    return schema_text((table.name, table.columns) for table in tables_of(channel))


def root_of(channel: str, state: RootState) -> str:
    """Return the channel's root for `state`."""
    return state.root(schema_of(channel))


def sync_cursors(database: Database) -> dict[str, SyncCursor]:
    """Return where each channel stands; channels that hold nothing yet are absent."""
    query = "select channel, epoch, version, root, state, rows from sync_cursor"
    return {
        channel: SyncCursor(epoch, version, root, RootState.from_bytes(state, rows))
        for channel, epoch, version, root, state, rows in database.execute(query)
    }


def store_sync_cursor(database: Database, channel: str, *, epoch: str, version: int, state: RootState, now: datetime) -> None:
    """Record where `channel` stands; runs inside the transaction that brought its rows there."""
    database.execute(
        "insert or replace into sync_cursor (channel, epoch, version, root, state, rows, applied_at)"
        " values (?, ?, ?, ?, ?, ?, ?)",
        [channel, epoch, version, root_of(channel, state), state.to_bytes(), state.rows, clock.to_text(now)],
    )


def store_facts(database: Database, facts: dict[str, str]) -> None:
    """Record facts of the publication (number, time, market, currency); runs inside the same transaction."""
    database.conn.executemany("insert or replace into catalog_fact (name, value) values (?, ?)", facts.items())


def scan(database: Database, channel: str) -> RootState:
    """Sum every row of a channel afresh: what its stored state must equal. About 6 µs a row."""
    state = RootState()
    for table in tables_of(channel):
        cursor = database.execute(select_all(table))
        while rows := cursor.fetchmany(SCAN_ROWS):
            state.add(table.name, rows)
    return state


def damaged_channels(database: Database) -> list[str]:
    """Return the channels whose rows no longer add up to their stored root; reads everything."""
    held = sync_cursors(database)
    return [name for name in CHANNELS if name in held and root_of(name, scan(database, name)) != held[name].root]


def select_all(table: Table) -> str:
    """Return the query for all rows of `table` in the order of their keys."""
    columns = ", ".join(table.columns)
    return f'select {columns} from "{table.name}" order by {table.columns[0]}'
