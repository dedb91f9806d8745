"""HQ's tables of the protocol: what must be looked at again, and what was published.

Business code writes `sync_dirty` in the transaction of its own change; only the publisher deletes, and only marks it read.
Publications are numbered without gaps per market; each keeps the head it announced, so that a head can be put back after a crash.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from sqlalchemy import BigInteger, Column, Connection, Integer, MetaData, Table, Text, select, text

from sync.roots import Value

sync_metadata = MetaData()

# `row_key` is the key as JSON, so that 1 and "1" stay apart; empty, it stands for the whole table.
sync_dirty = Table(
    "sync_dirty",
    sync_metadata,
    Column("market", Text, primary_key=True),
    Column("table_name", Text, primary_key=True),
    Column("row_key", Text, primary_key=True),
    Column("gen", BigInteger, nullable=False),
)

sync_publication = Table(
    "sync_publication",
    sync_metadata,
    Column("market", Text, primary_key=True),
    Column("publication", Integer, primary_key=True, autoincrement=False),
    Column("published_at", Text, nullable=False),
    Column("head", Text, nullable=False),
)

WHOLE_TABLE = ""

_MARK = text(
    "insert into sync_dirty (market, table_name, row_key, gen) values (:market, :table_name, :row_key, 1) "
    "on conflict (market, table_name, row_key) do update set gen = sync_dirty.gen + 1"
)


def mark_dirty(connection: Connection, market: str, table: str, keys: Iterable[Value] | None) -> None:
    """Say that rows of a published table may differ from what was published; None stands for the whole table.

    Belongs in the transaction that changes what the rows are made from. A mark too many costs time, a missing one loses a change.
    """
    texts = [WHOLE_TABLE] if keys is None else [json.dumps(key, ensure_ascii=False) for key in keys]
    if texts:
        connection.execute(_MARK, [{"market": market, "table_name": table, "row_key": row_key} for row_key in texts])


def published(connection: Connection, market: str) -> dict[str, Any] | None:
    """Return the head of the market's last publication, or None before the first."""
    statement = (
        select(sync_publication.c.head)
        .where(sync_publication.c.market == market)
        .order_by(sync_publication.c.publication.desc())
        .limit(1)
    )
    row = connection.execute(statement).first()
    if row is None:
        return None
    head: dict[str, Any] = json.loads(row[0])
    return head
