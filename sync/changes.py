"""How rows of a channel change in a catalogue database, the same way at HQ and on a kiosk.

Every change takes the old rows out of the channel's running sum and counts the new ones in, so the root follows without a scan.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlite_utils import Database

from pos.catalog import FORMER_PAIRS, Table
from pos.db import IntegrityError
from sync.channels import tables_of
from sync.errors import Malformed
from sync.roots import RootState, Row, Value
from sync.segments import Block, Segment, TableChange

LOOKUP_KEYS = 500

Touched = dict[str, set[Any]]


def stored_rows(database: Database, table: Table, keys: Sequence[Value]) -> dict[Value, Row]:
    """Return the rows that exist among `keys`, by key."""
    found: dict[Value, Row] = {}
    columns = ", ".join(table.columns)
    for start in range(0, len(keys), LOOKUP_KEYS):
        some = keys[start : start + LOOKUP_KEYS]
        marks = ", ".join("?" * len(some))
        query = f'select {columns} from "{table.name}" where {table.columns[0]} in ({marks})'
        found.update((row[0], row) for row in database.execute(query, some))
    return found


def insert_rows(database: Database, table: Table, rows: Iterable[Row]) -> None:
    """Insert whole rows. Raises: Malformed when the catalogue's own constraints refuse one."""
    columns = ", ".join(table.columns)
    marks = ", ".join("?" * len(table.columns))
    try:
        database.conn.executemany(f'insert into "{table.name}" ({columns}) values ({marks})', rows)
    except IntegrityError as problem:
        raise Malformed(f"a row of {table.name} breaks the catalogue's rules: {problem}") from problem


def replace_rows(
    database: Database, table: Table, state: RootState, *, before: dict[Value, Row], rows: Sequence[Row], touched: Touched
) -> None:
    """Put `rows` in the place of `before` (the stored rows that go or change) and bring `state` and `touched` along."""
    state.remove(table.name, list(before.values()))
    after = {row[0] for row in rows}
    changed = [row for row in rows if row[0] in before]
    try:
        _delete(database, table, [key for key in before if key not in after])
        _update(database, table, before, changed)
        insert_rows(database, table, (row for row in rows if row[0] not in before))
    except (IntegrityError, Malformed):
        # Two rows may exchange a unique value: then all old rows have to leave before the first new one comes.
        _delete(database, table, [*before, *after])
        insert_rows(database, table, rows)
    state.add(table.name, rows)
    touched.setdefault(table.name, set()).update(before, after)
    if table.name == "listing":
        # A listing that left its SKU or grade no longer leads there, and the offer it may have won has to be found again.
        sku, grade = table.columns.index("sku_id"), table.columns.index("grade_id")
        touched.setdefault(FORMER_PAIRS, set()).update((row[sku], row[grade]) for row in before.values())


def apply_segment(database: Database, segment: Segment, state: RootState, touched: Touched) -> None:
    """Apply a segment's changes to the rows; checking roots and moving the `sync_cursor` is the caller's.

    Raises: Malformed when it names other tables or columns than ours, or changes a row that does not exist.
    """
    tables = {table.name: table for table in tables_of(segment.channel)}
    for change in segment.tables:
        if change.table not in tables:
            raise Malformed(f"segment of {segment.channel} changes {change.table}")
        table = tables[change.table]
        deleted = _values_of(change.deleted, table.columns[:1])
        put = _values_of(change.put, table.columns)
        keys = [*(row[0] for row in deleted), *(row[0] for row in put), *(change.changed.values[0] if change.changed else ())]
        before = stored_rows(database, table, keys)
        replace_rows(database, table, state, before=before, rows=[*put, *_changed_rows(table, change, before)], touched=touched)


def change_of(table: Table, before: dict[Value, Row], rows: Sequence[Row]) -> TableChange | None:
    """Return how to get from the stored rows `before` to `rows`: what is only in `before` goes; None when nothing differs.

    Rows that exist on both sides travel as the columns in which any of them differs, which is a third of the bytes.
    """
    after = {row[0]: row for row in rows}
    deleted = sorted((key,) for key in before if key not in after)
    put = sorted((row for key, row in after.items() if key not in before), key=_key)
    changed = sorted((row for key, row in after.items() if key in before and before[key] != row), key=_key)
    if not (deleted or put or changed):
        return None
    moved = [0, *_moved(table, before, changed)]
    return TableChange(
        table.name,
        deleted=Block(table.columns[:1], [[key for (key,) in deleted]]) if deleted else None,
        put=_block(table.columns, put),
        changed=_block([table.columns[at] for at in moved], [tuple(row[at] for at in moved) for row in changed]),
    )


def _key(row: Row) -> Any:
    return row[0]


def _moved(table: Table, before: dict[Value, Row], changed: Sequence[Row]) -> list[int]:
    """Return the positions at which any row differs from what is stored."""
    return [at for at in range(1, len(table.columns)) if any(before[row[0]][at] != row[at] for row in changed)]


def _delete(database: Database, table: Table, keys: Sequence[Value]) -> None:
    database.conn.executemany(f'delete from "{table.name}" where {table.columns[0]} = ?', ((key,) for key in keys))


def _update(database: Database, table: Table, before: dict[Value, Row], changed: Sequence[Row]) -> None:
    # Only the columns that move are written: an index over the others is then left alone, which halves the work.
    moved = _moved(table, before, changed)
    if moved:
        values = ", ".join(f"{table.columns[at]} = ?" for at in moved)
        statement = f'update "{table.name}" set {values} where {table.columns[0]} = ?'
        database.conn.executemany(statement, ([*(row[at] for at in moved), row[0]] for row in changed))


def _block(columns: Sequence[str], rows: Sequence[Row]) -> Block | None:
    return Block(tuple(columns), [list(column) for column in zip(*rows, strict=True)]) if rows else None


def _values_of(block: Block | None, columns: tuple[str, ...]) -> list[Row]:
    if block is None:
        return []
    if block.columns != columns:
        raise Malformed(f"columns {block.columns} where {columns} are known")
    return block.rows()


def _changed_rows(table: Table, change: TableChange, before: dict[Value, Row]) -> list[Row]:
    if change.changed is None:
        return []
    if change.changed.columns[0] != table.columns[0] or not set(change.changed.columns) <= set(table.columns):
        raise Malformed(f"{change.table} has no columns {change.changed.columns}")
    positions = [table.columns.index(name) for name in change.changed.columns]
    rows: list[Row] = []
    for values in change.changed.rows():
        row = before.get(values[0])
        if row is None:
            raise Malformed(f"{change.table} {values[0]} is changed but does not exist")
        whole = list(row)
        for position, value in zip(positions, values, strict=True):
            whole[position] = value
        rows.append(tuple(whole))
    return rows
