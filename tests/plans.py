"""Asking SQLite how it would run what a function asks it."""

from __future__ import annotations

from collections.abc import Callable

from sqlite_utils import Database


def plan_of(database: Database, act: Callable[[], object]) -> list[str]:
    """Return the steps of the query plan of every statement `act` runs, such as `SCAN listing` or `SEARCH sku USING …`."""
    statements: list[str] = []
    database.conn.set_trace_callback(statements.append)
    try:
        act()
    finally:
        database.conn.set_trace_callback(None)
    reads = [
        text for text in statements if text.lstrip().split(maxsplit=1)[0].lower() in ("select", "insert", "delete", "update")
    ]
    return [row[3] for text in reads for row in database.execute(f"explain query plan {text}")]
