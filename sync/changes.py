"""How rows of a channel change in a catalogue database, the same way at HQ and on a kiosk.

Every change takes the old rows out of the channel's running sum and counts the new ones in, so the root follows without a scan.
Source: docs/protocol.md §4.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlite_utils import Database

from pos.catalog import FORMER_PAIRS, TURNED_STOCK, Table
from pos.db import IntegrityError
from sync.channels import tables_of
from sync.errors import Malformed
from sync.roots import RootState, Row, Value
from sync.segments import Block, Segment, TableChange

LOOKUP_KEYS = 500
APPLIED_ROWS = 10_000
"""So many rows of a large segment are brought in at a time: their old rows are held in memory."""
LARGE_TABLES = frozenset({"listing", "price_start", "stock"})
JUMP = 2
"""A price that moved by more than half of itself, or more than doubled, is counted as one that jumped."""

Touched = dict[str, set[Any]]


@dataclass(slots=True)
class Movement:
    """How prices of listings that stay moved: what a trial is judged by."""

    changed: int = 0
    raised: int = 0
    jumped: int = 0

    def count(self, table: Table, before: dict[Value, Row], rows: Sequence[Row]) -> None:
        """Count the listings among `rows` whose price differs from the one before."""
        if table.name != "listing":
            return
        at = table.columns.index("price_cents")
        for row in rows:
            old = before.get(row[0])
            if old is None or old[at] == row[at]:
                continue
            was, now = _cents(old[at]), _cents(row[at])
            self.changed += 1
            self.raised += now > was
            self.jumped += now * JUMP < was or now > was * JUMP


def stored_rows(database: Database, table: Table, keys: Sequence[Value]) -> dict[Value, Row]:
    """Return the rows that exist among `keys`, by key."""
    stored: dict[Value, Row] = {}
    columns = ", ".join(table.columns)
    for start in range(0, len(keys), LOOKUP_KEYS):
        some = keys[start : start + LOOKUP_KEYS]
        marks = ", ".join("?" * len(some))
        query = f'select {columns} from "{table.name}" where {table.columns[0]} in ({marks})'
        stored.update((row[0], row) for row in database.execute(query, some))
    return stored


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
    if table.name == "stock":
        quantity = table.columns.index("quantity")
        had, has = ({row[0] for row in some if row[quantity]} for some in (before.values(), rows))
        touched.setdefault(TURNED_STOCK, set()).update(had ^ has)


def apply_segment(
    database: Database, segment: Segment, state: RootState, touched: Touched, movement: Movement | None = None
) -> None:
    """Apply a segment's changes to the rows; checking roots and moving the `sync_cursor` is the caller's.

    Raises: Malformed when it names other tables or columns than ours, or changes a row that does not exist.
    """
    tables = {table.name: table for table in tables_of(segment.channel)}
    for change in segment.tables:
        if change.table not in tables:
            raise Malformed(f"segment of {segment.channel} changes {change.table}")
        table = tables[change.table]
        for some in _portions(change, table):
            keys = [*some.deleted, *(row[0] for row in some.put), *(row[0] for _, row in some.changed)]
            before = stored_rows(database, table, keys)
            rows = [*some.put, *(_changed(table, names, row, before) for names, row in some.changed)]
            if movement is not None:
                movement.count(table, before, rows)
            replace_rows(database, table, state, before=before, rows=rows, touched=touched)


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
        changed=(_whole_block([table.columns[at] for at in moved], [tuple(row[at] for at in moved) for row in changed]),)
        if changed
        else (),
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
    return _whole_block(columns, rows) if rows else None


def _whole_block(columns: Sequence[str], rows: Sequence[Row]) -> Block:
    return Block(tuple(columns), [list(column) for column in zip(*rows, strict=True)])


@dataclass(frozen=True, slots=True)
class _Portion:
    """Some of what a change does: keys that go, whole rows, and rows of the columns named beside them."""

    deleted: list[Value]
    put: list[Row]
    changed: list[tuple[tuple[str, ...], Row]]


def _portions(change: TableChange, table: Table) -> Iterator[_Portion]:
    """Yield a change in pieces that fit in memory; a table with texts that exclude each other comes whole, and is small."""
    deleted = _values_of(change.deleted, table.columns[:1])
    put = _values_of(change.put, table.columns)
    every = _Portion([row[0] for row in deleted], put, list(_named_rows(change, table)))
    if len(change) <= APPLIED_ROWS or table.name not in LARGE_TABLES:
        yield every
        return
    longest = max(len(every.deleted), len(every.put), len(every.changed))
    for start in range(0, longest, APPLIED_ROWS):
        some = slice(start, start + APPLIED_ROWS)
        yield _Portion(every.deleted[some], every.put[some], every.changed[some])


def _named_rows(change: TableChange, table: Table) -> Iterator[tuple[tuple[str, ...], Row]]:
    for block in change.changed:
        if block.columns[0] != table.columns[0] or not set(block.columns) <= set(table.columns):
            raise Malformed(f"{change.table} has no columns {block.columns}")
        yield from ((block.columns, row) for row in block.rows())


def _values_of(block: Block | None, columns: tuple[str, ...]) -> list[Row]:
    if block is None:
        return []
    if block.columns != columns:
        raise Malformed(f"columns {block.columns} where {columns} are known")
    return block.rows()


def _changed(table: Table, names: tuple[str, ...], values: Row, before: dict[Value, Row]) -> Row:
    row = before.get(values[0])
    if row is None:
        raise Malformed(f"{table.name} {values[0]} is changed but does not exist")
    given = dict(zip(names, values, strict=True))
    return tuple(given.get(name, value) for name, value in zip(table.columns, row, strict=True))


def _cents(value: Value) -> int:
    return value if isinstance(value, int) else 0
