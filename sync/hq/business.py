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
from sync.hq.drafts import Difference, Differences
from sync.hq.log import WHOLE_TABLE, HeldRows, Mark
from sync.roots import RootState, Row, Value

COMPARED_ROWS = 5_000

CurrentRows = Callable[[Connection, str, list[Value] | None], Iterable[Row]]
"""Yields a published table's rows as business has them now, keys first: all, or those of some keys that exist."""


@dataclass(frozen=True, slots=True)
class Business:
    """Business rows as one snapshot of the database shows them."""

    connection: Connection
    current_rows: CurrentRows

    def differences(self, database: Database, marks: Iterable[Mark], held: HeldRows) -> tuple[Differences, dict[str, set[Value]]]:
        """Return how each marked table of a replica gets to what business says, and the keys that are held back no longer."""
        marked: dict[str, list[str]] = {}
        for name, row_key, _ in marks:
            marked.setdefault(name, []).append(row_key)
        differences: dict[str, Difference] = {}
        freed: dict[str, set[Value]] = {}
        for table in TABLES:
            if table.name in marked:
                freed[table.name] = set()
                held_back = held.get(table.name, {})
                differences[table.name] = self._compare(database, table, marked[table.name], held_back, freed[table.name])
        return differences, freed

    def insert_all(
        self,
        database: Database,
        table: Table,
        state: RootState,
        held: Mapping[Value, Row | None],
        *,
        stored: Mapping[Value, Row],
    ) -> None:
        """Insert every row of a table and add it to `state`; of the keys held back what the fleet has (`stored`), if anything."""
        for rows in _batches(self._rows(table, None)):
            published = [row for row in rows if row[0] not in held or held[row[0]] != row]
            insert_rows(database, table, published)
            state.add(table.name, published)
        if held:
            inserted = {key for (key,) in database.execute(f'select {table.columns[0]} from "{table.name}"')}
            kept = [row for key, row in stored.items() if key not in inserted]
            insert_rows(database, table, kept)
            state.add(table.name, kept)

    def rows_of(self, table: str, keys: Iterable[Value]) -> dict[Value, Row | None]:
        """Return what business says of these keys now; None where it has no row."""
        wanted = list(keys)
        current = {row[0]: tuple(row) for row in self.current_rows(self.connection, table, wanted)}
        return {key: current.get(key) for key in wanted}

    def _compare(
        self, database: Database, table: Table, marked: list[str], held: Mapping[Value, Row | None], freed: set[Value]
    ) -> Difference:
        before: dict[Value, Row] = {}
        after: list[Row] = []
        keys = None if WHOLE_TABLE in marked else [json.loads(key) for key in marked]
        seen: set[Value] = set()
        for rows in _batches(self._rows(table, keys)):
            stored = stored_rows(database, table, [row[0] for row in rows])
            seen.update(row[0] for row in rows)
            for row in rows:
                key = row[0]
                if key in held and not _is_freed(key, row, held, freed):
                    continue
                if stored.get(key) != row:
                    after.append(row)
                    if key in stored:
                        before[key] = stored[key]
        if keys is None:
            keys = [key for (key,) in database.execute(f'select {table.columns[0]} from "{table.name}"')]
        # What was marked and business no longer has is gone, unless its deletion is what is held back.
        gone = [key for key in keys if key not in seen and (key not in held or _is_freed(key, None, held, freed))]
        before.update(stored_rows(database, table, gone))
        return Difference(before, after)

    def _rows(self, table: Table, keys: list[Value] | None) -> Iterator[Row]:
        if keys is None:
            yield from map(tuple, self.current_rows(self.connection, table.name, None))
            return
        for start in range(0, len(keys), COMPARED_ROWS):
            yield from map(tuple, self.current_rows(self.connection, table.name, keys[start : start + COMPARED_ROWS]))


def _is_freed(key: Value, row: Row | None, held: Mapping[Value, Row | None], freed: set[Value]) -> bool:
    """Tell whether business says something else than what is held back, and note the key then."""
    if held[key] == row:
        return False
    freed.add(key)
    return True


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while batch := list(islice(rows, COMPARED_ROWS)):
        yield batch
