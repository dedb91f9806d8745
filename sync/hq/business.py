"""What business says of the published rows, read in one snapshot of HQ's database, and how a replica differs from it.

Invariant: a row that is held back stays out until business says something else of it than what is held back.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from sqlalchemy import Connection
from sqlite_utils import Database

from pos.catalog import TABLES, Table
from sync.changes import insert_rows, stored_rows
from sync.hq.drafts import Differences
from sync.hq.log import WHOLE_TABLE, Held, Mark
from sync.roots import RootState, Row, Value

COMPARED_ROWS = 5_000

CurrentRows = Callable[[Connection, str, list[Value] | None], Iterable[Row]]
Stored = Callable[[Table, list[Value]], dict[Value, Row]]


@dataclass(frozen=True, slots=True)
class Business:
    """Business rows as one snapshot of the database shows them."""

    connection: Connection
    current_rows: CurrentRows

    def differences(self, database: Database, marks: Iterable[Mark], held: Held) -> tuple[Differences, dict[str, set[Value]]]:
        """Return how each marked table of a replica gets to what business says, and the keys that are held back no longer."""
        keys: dict[str, list[str]] = {}
        for name, row_key, _ in marks:
            keys.setdefault(name, []).append(row_key)
        found: dict[str, tuple[dict[Value, Row], list[Row]]] = {}
        free: dict[str, set[Value]] = {}
        for table in TABLES:
            if table.name in keys:
                free[table.name] = set()
                kept = held.get(table.name, {})
                found[table.name] = self._compare(database, table, keys[table.name], kept, free[table.name])
        return found, free

    def insert_all(
        self, database: Database, table: Table, state: RootState, held: Mapping[Value, Row | None], *, stored: Stored
    ) -> None:
        """Insert every row of a table but those held back: of these what the fleet has (`stored`), if anything."""
        for rows in _batches(self._rows(table, None)):
            some = [row for row in rows if row[0] not in held or held[row[0]] != row]
            insert_rows(database, table, some)
            state.add(table.name, some)
        if held:
            with_ours = {key for (key,) in database.execute(f'select {table.columns[0]} from "{table.name}"')}
            kept = [row for key, row in stored(table, list(held)).items() if key not in with_ours]
            insert_rows(database, table, kept)
            state.add(table.name, kept)

    def _compare(
        self, database: Database, table: Table, keys: list[str], held: Mapping[Value, Row | None], free: set[Value]
    ) -> tuple[dict[Value, Row], list[Row]]:
        """Return the stored rows that go or change, and the rows that come in their place or anew."""
        before: dict[Value, Row] = {}
        after: list[Row] = []
        wanted = None if WHOLE_TABLE in keys else [json.loads(key) for key in keys]
        seen: set[Value] = set()
        for rows in _batches(self._rows(table, wanted)):
            stored = stored_rows(database, table, [row[0] for row in rows])
            seen.update(row[0] for row in rows)
            for row in rows:
                if row[0] in held and not _is_free(row[0], row, held, free):
                    continue
                if stored.get(row[0]) != row:
                    after.append(row)
                    if row[0] in stored:
                        before[row[0]] = stored[row[0]]
        if wanted is None:
            wanted = [key for (key,) in database.execute(f'select {table.columns[0]} from "{table.name}"')]
        gone = [key for key in wanted if key not in seen and (key not in held or _is_free(key, None, held, free))]
        before.update(stored_rows(database, table, gone))
        return before, after

    def _rows(self, table: Table, keys: list[Value] | None) -> Iterator[Row]:
        if keys is None:
            yield from map(tuple, self.current_rows(self.connection, table.name, None))
            return
        for start in range(0, len(keys), COMPARED_ROWS):
            yield from map(tuple, self.current_rows(self.connection, table.name, keys[start : start + COMPARED_ROWS]))


def _is_free(key: Value, row: Row | None, held: Mapping[Value, Row | None], free: set[Value]) -> bool:
    if held[key] == row:
        return False
    free.add(key)
    return True


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while some := list(islice(rows, COMPARED_ROWS)):
        yield some
